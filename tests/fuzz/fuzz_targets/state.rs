//! The state document: what can be read survives being saved, and a pass that goes on from it ends.

#![no_main]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use petanotify::alert::Observed;
use petanotify::queue::{Attempt, Fate, MailId, Queue, Recovery};
use petanotify::reunite::reunite;
use petanotify::shared::{self, Head};
use petanotify::state::{self, State, Unusable};
use petanotify_fuzz::{
    all_up, any_sender, assert_survives, check_entry, minutes_later, more_down, nothing_seen, now,
    pass, recipient,
};

fuzz_target!(init: write_seeds(), |text: &[u8]| {
    // Hardly ever does the checksum fit what the fuzzer has made: a state that was altered is what it tries.
    let state = match state::parse(text) {
        Ok(state) => state,
        Err(Unusable::Altered(state)) => *state,
        Err(_) => return,
    };
    assert_survives(&state);
    for entry in &state.queue {
        check_entry(entry, &any_sender());
    }
    try_queue(state.clone());

    let pending = state.queue.len();
    let merged = State::beginning(now()).merge(state.clone());
    assert!(merged.queue.len() >= pending, "a merge has lost mail");
    share(&state);

    for seen in [nothing_seen(), all_up(&state), more_down(&state)] {
        let mut after = state.clone();
        for minute in 0..2 {
            after = pass(after, seen.clone(), minutes_later(minute));
        }
        let seen = all_up(&after);
        // What flaps has to be up for a while, as seen in more than two passes.
        for minute in [2, 24 * 60, 24 * 60 + 1] {
            after.set_clock(minutes_later(minute));
            after = pass(after, seen.clone(), minutes_later(minute));
        }
        let memory = after.memory;
        let open = [
            memory.capacity.incident.is_some(),
            memory.nodes.incident.is_some(),
            memory.osds.incident.is_some(),
            memory.blind.incident.is_some(),
        ];
        assert_eq!(open, [false; 4], "all is well, and an incident is open");
    }
});

/// What one node publishes another one can read, and none of the mails of the two is lost when the other was alone so far.
fn share(state: &State) {
    let packed = shared::pack(state, "node2", 7, now()).expect("every state can be packed");
    let text = serde_json::to_vec(&packed.head).expect("every head can be written");
    let head = Head::parse(&text).expect("a head that was written can be read");
    let content = match head.inline() {
        Some(content) => content.expect("what stands in the head can be read"),
        None => packed.parts.concat(),
    };
    let there = head
        .unpack(&content)
        .expect("what was packed can be unpacked");
    let ids = |queue: &Queue| queue.iter().map(|entry| entry.id.clone()).collect();
    let pending: HashSet<MailId> = ids(&state.queue);
    let untold: HashSet<MailId> = pending.difference(&state.told.ids()).cloned().collect();
    let beginning = State::beginning(now());
    for (own, shared) in [(beginning.clone(), there.clone()), (there, beginning)] {
        let (reunited, _) = reunite(own, Some((head.mark(), shared)), &HashSet::new(), now());
        let kept: HashSet<MailId> = ids(&reunited.queue);
        assert!(kept.is_superset(&untold), "a mail is lost");
        assert_survives(&reunited);
    }
}

/// What a pass does with the queue, the sending left out.
fn try_queue(mut state: State) {
    let before = state.queue.len();
    let failed: HashMap<_, _> = (state.queue.due(now()).into_iter())
        .map(|entry| (entry.id.clone(), Attempt::Failed("451 later".to_owned())))
        .collect();
    let mut dropped = 0;
    state.queue.settle(failed, now(), 3, |_, fate| {
        dropped += usize::from(fate == Fate::Dropped);
    });
    let left = state.queue.len();
    assert_eq!(left + dropped, before, "a mail is gone and was not dropped");
    let counted: usize = state.queue.left_over().values().sum();
    assert_eq!(counted, left, "a cause is missing");

    let alerts: Vec<_> = state.queue.iter().map(|e| e.alert.clone()).collect();
    for (alert, _) in state.queue.take_unaddressed() {
        state.queue.add(alert, &[recipient()], Recovery::Told);
    }
    for alert in alerts {
        state.queue.add(alert, &[recipient()], Recovery::Told);
    }
    for entry in &state.queue {
        check_entry(entry, &any_sender());
    }
    state.queue.make_due();
    assert_survives(&state);
}

/// Writes states to begin with into the folder that `PETANOTIFY_FUZZ_SEEDS` names: what passes remember as things go wrong
/// and well again. Made anew each time, they are always of the version that is being tested.
fn write_seeds() {
    let Some(folder) = std::env::var_os("PETANOTIFY_FUZZ_SEEDS") else {
        return;
    };
    let passes: [fn(&State) -> Observed; 9] = [
        all_up,
        more_down,
        more_down,
        |_| nothing_seen(),
        |_| nothing_seen(),
        more_down,
        all_up,
        more_down,
        more_down,
    ];
    let mut state = State::default();
    for (minute, see) in (0..).zip(passes) {
        let seen = see(&state);
        state = pass(state, seen, minutes_later(minute));
        let text = state::render(&state).expect("every state can be written");
        let path = Path::new(&folder).join(format!("minute-{minute}.json"));
        std::fs::write(path, text).expect("the folder can be written");
    }
}
