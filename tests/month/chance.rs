//! Random numbers that are the same wherever the seed is: SplitMix64 (Steele, Lea, Flood, 2014).

use std::ops::RangeInclusive;

/// A source of random numbers.
pub(crate) struct Chance(u64);

impl Chance {
    /// The source that this seed makes.
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of this range, each as likely as the others.
    pub(crate) fn within(&mut self, range: RangeInclusive<i64>) -> i64 {
        let (first, last) = (*range.start(), *range.end());
        let number = u64::try_from(last - first).unwrap() + 1;
        first + i64::try_from(self.next() % number).unwrap()
    }

    /// A number from 0 to below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.within(0..=999_999) as f64 / 1e6
    }

    /// Puts the things in any order.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for at in (1..things.len()).rev() {
            let other = usize::try_from(self.within(0..=i64::try_from(at).unwrap())).unwrap();
            things.swap(at, other);
        }
    }
}
