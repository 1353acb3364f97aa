//! What the sentences of mails have in common, in the reader's language: numbers, lengths of time, lists, places.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::alert::Withheld;
use crate::check::capacity::Reading;
use crate::facts::{DownOsd, OsdId};
use crate::flapping::Flapping;
use crate::incident::age;
use crate::say;
use crate::wording::{self, Fullness, Hosts, Place, Unit, units};
use crate::words::Words;

/// A length of time in its two largest units: `40 s`, `3 min`, `2 h 10 min`, `5 d 3 h`.
pub(crate) fn duration(words: &Words, length: Duration) -> String {
    let one = |(number, unit): (u64, Unit)| match unit {
        Unit::Seconds => say!(words, "seconds", number = number),
        Unit::Minutes => say!(words, "minutes", number = number),
        Unit::Hours => say!(words, "hours", number = number),
        Unit::Days => say!(words, "days", number = number),
    };
    let (large, small) = units(length);
    let large = one(large);
    match small.map(one) {
        None => large,
        Some(small) => say!(words, "two-units", large = large, small = small),
    }
}

/// A number as it is written: `60.4`
pub(crate) fn decimal(words: &Words, number: &str) -> String {
    number.replace('.', &say!(words, "decimal-mark"))
}

/// A threshold as the admin wrote it: `60 %`, `62.5 %`
pub(crate) fn threshold(words: &Words, percent: f64) -> String {
    say!(
        words,
        "percent",
        number = decimal(words, &percent.to_string())
    )
}

/// A number of bytes in the units that `ceph status` prints: `1.5 TiB`
pub(crate) fn bytes(words: &Words, number: u64) -> String {
    decimal(words, &wording::bytes(number))
}

/// How full the storage is: `60.4 %`
pub(crate) fn percent(words: &Words, reading: &Reading) -> String {
    let percent = wording::percent_digits(reading.percent, reading.limit());
    say!(words, "percent", number = decimal(words, &percent))
}

/// `61 % full (over 60 %)`
pub(crate) fn level(words: &Words, reading: &Reading) -> String {
    let percent = percent(words, reading);
    let limit = threshold(words, reading.limit());
    match wording::fullness(reading) {
        Fullness::Fine => say!(words, "level-fine", percent = percent),
        Fullness::JustBelow => {
            say!(words, "level-just-below", percent = percent, limit = limit)
        }
        Fullness::Over => say!(words, "level-over", percent = percent, limit = limit),
        Fullness::CriticalJustBelow => say!(
            words,
            "level-critical-just-below",
            percent = percent,
            limit = limit
        ),
        Fullness::CriticalOver => say!(
            words,
            "level-critical-over",
            percent = percent,
            limit = limit
        ),
    }
}

/// `osd.4, osd.7`
pub(crate) fn list(words: &Words, names: &[String]) -> String {
    names.join(&say!(words, "list-separator"))
}

/// `a, b, c`, or `a, b and 7 more`; only those names are made that are shown.
pub(crate) fn list_first(
    words: &Words,
    mut names: impl ExactSizeIterator<Item = String>,
    most: usize,
) -> String {
    let all = names.len();
    let shown: Vec<String> = names.by_ref().take(most).collect();
    let shown = list(words, &shown);
    match all.saturating_sub(most) {
        0 => shown,
        more => say!(words, "list-and-more", list = shown, number = more),
    }
}

/// Whole sentences, one after the other.
pub(crate) fn sentences(words: &Words, sentences: &[String]) -> String {
    sentences.join(&say!(words, "between-sentences"))
}

/// ` but 1 silenced, 2 held back and 3 not told yet`, or nothing.
pub(crate) fn but_withheld(words: &Words, withheld: Withheld) -> String {
    let mut parts = Vec::new();
    if withheld.silenced > 0 {
        parts.push(say!(words, "silenced-number", number = withheld.silenced));
    }
    if withheld.noout > 0 {
        parts.push(say!(words, "held-back-number", number = withheld.noout));
    }
    let untold = withheld.waiting + withheld.early;
    if untold > 0 {
        parts.push(say!(words, "not-told-number", number = untold));
    }
    let withheld = match parts.as_slice() {
        [] => return String::new(),
        [one] => one.clone(),
        [first @ .., last] => {
            say!(words, "list-and", list = list(words, first), last = last)
        }
    };
    say!(words, "but-withheld", withheld = withheld)
}

/// The same in fewer words: ` but 6 others`
pub(crate) fn but_some_withheld(words: &Words, withheld: Withheld) -> String {
    let Withheld {
        silenced,
        noout,
        waiting,
        early,
    } = withheld;
    match silenced + noout + waiting + early {
        0 => String::new(),
        number => say!(words, "but-some-withheld", number = number),
    }
}

/// `went down 7 times in 20 min`
pub(crate) fn went_down(words: &Words, flapping: &Flapping, last: Timestamp) -> String {
    let span = age(flapping.first, last);
    let times = flapping.downs;
    if span.as_secs() < 60 {
        return say!(words, "went-down-within-a-minute", times = times);
    }
    say!(
        words,
        "went-down",
        times = times,
        length = duration(words, span)
    )
}

/// Where OSDs are: `on node1, node2`, and what to say of those that are on no host. More hosts than `most` are only counted.
pub(crate) fn places<'a>(
    words: &Words,
    osds: impl IntoIterator<Item = &'a DownOsd> + Clone,
    most: usize,
) -> String {
    place(words, &wording::place(osds, most))
}

/// The same of what is known of where they are.
pub(crate) fn place(words: &Words, place: &Place) -> String {
    match place {
        Place::Stray => say!(words, "stray"),
        Place::NoHost => say!(words, "on-no-host"),
        Place::Hosts(Hosts::Named(names)) => {
            say!(words, "on-hosts", hosts = list(words, names))
        }
        Place::Hosts(Hosts::Number(number)) => {
            say!(words, "on-many-hosts", number = number)
        }
        Place::HostsAndNone(Hosts::Named(names)) => {
            say!(words, "on-hosts-and-none", hosts = list(words, names))
        }
        Place::HostsAndNone(Hosts::Number(number)) => {
            say!(words, "on-many-hosts-and-none", number = number)
        }
    }
}

/// How many OSDs are down with which nodes: `12`, and `node3, node4` or `20 nodes`
pub(crate) fn of_nodes(
    words: &Words,
    of_nodes: &BTreeMap<String, BTreeSet<OsdId>>,
) -> (usize, String) {
    let osds = of_nodes.values().map(BTreeSet::len).sum();
    let nodes = match of_nodes.len() {
        few if few <= wording::WITH_NODES_NAMED => {
            list_first(words, of_nodes.keys().map(|node| wording::name(node)), few)
        }
        many => say!(words, "nodes", number = many),
    };
    (osds, nodes)
}

/// What is said of a thing, one after the other: `on node3, out, since 02:14`
pub(crate) fn clauses(words: &Words, clauses: impl IntoIterator<Item = String>) -> String {
    let joined = clauses
        .into_iter()
        .reduce(|first, then| say!(words, "clauses", first = first, then = then));
    joined.unwrap_or_default()
}

/// Why a mail tells of the end of something that was never told of.
pub(crate) fn untold(words: &Words) -> String {
    say!(words, "untold")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::words::Language;

    #[test]
    fn numbers_are_written_as_the_reader_does() {
        for (language, time, size, limit) in [
            (Language::English, "2 h 10 min", "1.50 TiB", "62.5 %"),
            (Language::German, "2 h 10 min", "1,50 TiB", "62,5 %"),
            (Language::Chinese, "2 小时 10 分钟", "1.50 TiB", "62.5%"),
        ] {
            let words = Words::of(language);
            assert_eq!(duration(&words, Duration::from_secs(7800)), time);
            assert_eq!(bytes(&words, 3 << 39), size);
            assert_eq!(threshold(&words, 62.5), limit);
        }
    }

    #[test]
    fn how_it_flaps_is_told_with_its_span() {
        let words = Words::of(Language::English);
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        for (downs, last, expected) in [
            (7, 20, "went down 7 times in 20 min"),
            (3, 0, "went down 3 times within a minute"),
            (400, 2000, "went down 400 times in 1 d 9 h"),
        ] {
            let flapping = Flapping {
                first: at(0),
                downs,
                up_since: None,
                down_told: false,
            };
            assert_eq!(went_down(&words, &flapping, at(last)), expected);
        }
    }

    #[test]
    fn lists_end_as_the_language_wants() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let said = |language, most| {
            let words = Words::of(language);
            list_first(&words, names.iter().cloned(), most)
        };
        assert_eq!(said(Language::English, 3), "a, b, c");
        assert_eq!(said(Language::English, 2), "a, b and 1 more");
        assert_eq!(said(Language::German, 1), "a und 2 weitere");
        assert_eq!(said(Language::Chinese, 2), "a、b 等，另有 1 个");
    }
}
