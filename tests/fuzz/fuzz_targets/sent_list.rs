//! The list of what was sent: takes out the mails that it names and no others, and what is added behind any damage counts.

#![no_main]

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use petanotify::queue::{MailId, Recovery};
use petanotify::replace::Safe;
use petanotify::sent;
use petanotify::settings::Recipient;
use petanotify::state::State;
use petanotify::store::{Lock, Store};
use petanotify_fuzz::{MEMORY, now, recipient, usual_alert};
use tempfile::TempDir;

/// The state that the list lies beside.
struct Bench {
    folder: TempDir,
    store: Store,
    lock: Lock,
    ids: Vec<MailId>,
}

thread_local! {
    static BENCH: Bench = Bench::new();
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir_in(MEMORY).expect("a folder in memory");
        let store = Store::new(folder.path().join("state.json"), None);
        let lock = store
            .lock(Duration::ZERO)
            .expect("the lock of a new folder");
        let recipients = ["a", "b", "c"].map(|name| Recipient {
            address: format!("{name}@example.org").parse().expect("an address"),
            ..recipient()
        });
        let mut state = State::beginning(now());
        state.queue.add(usual_alert(), &recipients, Recovery::Told);
        let ids = state.queue.iter().map(|entry| entry.id.clone()).collect();
        store
            .save(&lock, &mut state, Safe::Now)
            .expect("the state can be saved");
        Bench {
            folder,
            store,
            lock,
            ids,
        }
    }

    fn left(&self) -> BTreeSet<String> {
        let loaded = self
            .store
            .load(&self.lock, now())
            .expect("the state can be loaded");
        loaded
            .state
            .queue
            .iter()
            .map(|entry| entry.id.to_string())
            .collect()
    }
}

fuzz_target!(|list: &[u8]| {
    BENCH.with(|bench| {
        let path = bench.folder.path().join("state.json.sent");
        fs::write(&path, list).expect("the list can be written");
        let looked = bench.store.read(now()).expect("the state can be read");
        let left = bench.left();
        assert_eq!(
            looked.state.queue.len(),
            left.len(),
            "a look differs from a load"
        );

        let lines: Vec<&[u8]> = list.split(|byte| *byte == b'\n').collect();
        for id in bench.ids.iter().map(MailId::to_string) {
            let named = lines.iter().any(|line| line.starts_with(id.as_bytes()));
            assert!(named || left.contains(&id), "{id} is lost: nobody named it");
        }

        let added = &bench.ids[list.len() % bench.ids.len()];
        let mut sent = bench
            .store
            .sent_list(&bench.lock)
            .expect("the list can be opened");
        sent.add(added).expect("the list can be written");
        drop(sent);
        assert!(
            !bench.left().contains(&added.to_string()),
            "{added} comes back"
        );

        let (whole, _) = sent::render(&bench.ids[1..]);
        fs::write(&path, [whole.as_bytes(), list].concat()).expect("the list can be written");
        let left = bench.left();
        for id in bench.ids[1..].iter().map(MailId::to_string) {
            assert!(!left.contains(&id), "{id} comes back, with junk behind it");
        }

        for entry in fs::read_dir(bench.folder.path())
            .expect("the folder can be read")
            .flatten()
        {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("state.json.sent") {
                fs::remove_file(entry.path()).expect("a file can be removed");
            }
        }
    });
});
