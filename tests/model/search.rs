//! Exhaustive breadth-first search: every state that can be reached, each once, and the shortest way to one that must not be.
//!
//! The library `stateright` does the same and more; it was weighed and left out, for all that is needed of it are these
//! lines, and it brings a web server along.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Something that goes from state to state.
pub(crate) trait System {
    /// All that there is to know at one moment.
    type State: Clone + Hash;
    /// What can happen, named for people.
    type Action: Copy + fmt::Debug;

    /// Where it begins.
    fn initial(&self) -> Self::State;

    /// Everything that can happen next, with what comes of it.
    fn next(&self, state: &Self::State, found: &mut Vec<(Self::Action, Self::State)>);

    /// What must not be and is, in words.
    fn violation(&self, state: &Self::State) -> Option<String>;
}

/// What a search has come to.
pub(crate) struct Found<A> {
    /// How many different states there are, or were until the violation.
    pub(crate) states: usize,
    /// How many steps the farthest state is away.
    pub(crate) depth: usize,
    /// What must not be, and the shortest way there.
    pub(crate) violation: Option<(String, Vec<A>)>,
}

/// Goes through all states. As TLC does, it remembers a state by a fingerprint alone, here of 128 bits: that two of a
/// hundred million states have the same has a probability of 10^-23.
///
/// # Panics
/// There are more than `most` states: the model has become larger than what is meant to be searched.
pub(crate) fn search<S: System>(system: &S, most: usize) -> Found<S::Action> {
    let initial = system.initial();
    let mut known: HashSet<u128> = HashSet::from([fingerprint(&initial)]);
    let mut ways: Vec<(u32, Option<S::Action>)> = vec![(0, None)];
    let mut level = vec![(0, initial)];
    let mut following = Vec::new();
    let mut next = Vec::new();
    let mut depth = 0;
    loop {
        for (index, state) in &level {
            if let Some(what) = system.violation(state) {
                let violation = Some((what, way_to(&ways, *index)));
                let states = ways.len();
                return Found {
                    states,
                    depth,
                    violation,
                };
            }
            system.next(state, &mut next);
            for (action, state) in next.drain(..) {
                if known.insert(fingerprint(&state)) {
                    let to = u32::try_from(ways.len()).expect("fewer than four billion states");
                    ways.push((*index, Some(action)));
                    following.push((to, state));
                }
            }
            assert!(ways.len() <= most, "more than {most} states");
        }
        if following.is_empty() {
            let states = ways.len();
            return Found {
                states,
                depth,
                violation: None,
            };
        }
        std::mem::swap(&mut level, &mut following);
        following.clear();
        depth += 1;
    }
}

fn way_to<A: Copy>(ways: &[(u32, Option<A>)], mut index: u32) -> Vec<A> {
    let mut way = Vec::new();
    while let (before, Some(action)) = ways[index as usize] {
        way.push(action);
        index = before;
    }
    way.reverse();
    way
}

fn fingerprint(state: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        state.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
