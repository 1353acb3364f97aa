//! What is kept on disk, and what is made of it when it is not as it was left.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::alert::{Alert, Circumstances, Report};
use crate::incident::{Change, Kind};
use crate::queue::Recovery;
use crate::settings::Recipient;

fn now() -> Timestamp {
    "2026-11-23T02:14:00Z".parse().unwrap()
}

fn named(cluster: &str) -> State {
    State {
        cluster: Some(cluster.to_owned()),
        ..State::default()
    }
}

fn save(store: &Store, lock: &Lock, state: &mut State) -> anyhow::Result<Saved> {
    store.save(lock, state, Safe::Now)
}

/// A store in a folder of its own that has saved `first`, then `second`.
fn store() -> (tempfile::TempDir, Store, Lock) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("var/state.json"), None);
    let lock = store.lock(Duration::ZERO).unwrap();
    save(&store, &lock, &mut named("first")).unwrap();
    save(&store, &lock, &mut named("second")).unwrap();
    (folder, store, lock)
}

fn name(loaded: &Loaded) -> &str {
    loaded.state.cluster.as_deref().unwrap_or("")
}

fn files(store: &Store) -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(store.first.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    files
}

#[test]
fn what_was_saved_last_is_loaded() {
    let (_folder, store, lock) = store();
    let loaded = store.load(&lock, now()).unwrap();
    assert_eq!(name(&loaded), "second");
    assert!(loaded.problems.is_empty());
    assert_eq!(
        files(&store),
        ["state.json", "state.json.bak", "state.json.lock"]
    );
}

fn with_mails(count: i64) -> (tempfile::TempDir, Store, Lock, Vec<MailId>) {
    let (folder, store, lock) = store();
    let mut state = State::beginning(now());
    let recipient = Recipient::of_everything("ops@example.org".parse().unwrap());
    for number in 0..count {
        let alert = Alert {
            cluster: "prod".to_owned(),
            kind: Kind::Raised,
            incident: format!("capacity-{number}"),
            sequence: 0,
            began: now(),
            raised: now(),
            report: Report::Nodes(Change {
                new: Vec::new(),
                still: Vec::new(),
                over: Vec::new(),
            }),
            elsewhere: Vec::new(),
            never_told: false,
            circumstances: Circumstances::default(),
        };
        let recipients = std::slice::from_ref(&recipient);
        state.queue.add(alert, recipients, Recovery::Told);
    }
    save(&store, &lock, &mut state).unwrap();
    let ids = state.queue.iter().map(|entry| entry.id.clone()).collect();
    (folder, store, lock, ids)
}

fn queued(loaded: &Loaded) -> Vec<MailId> {
    let queue = &loaded.state.queue;
    queue.iter().map(|entry| entry.id.clone()).collect()
}

#[test]
fn what_was_sent_before_a_crash_is_not_sent_again() {
    let (_folder, store, lock, ids) = with_mails(3);
    let mut sent = store.sent_list(&lock).unwrap();
    sent.add(&ids[0]).unwrap();
    sent.add(&ids[2]).unwrap();
    for loaded in [store.load(&lock, now()), store.read(now())] {
        let loaded = loaded.unwrap();
        assert_eq!(queued(&loaded), [ids[1].clone()]);
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    }
    let mut loaded = store.load(&lock, now()).unwrap();
    save(&store, &lock, &mut loaded.state).unwrap();
    assert_eq!(queued(&store.read(now()).unwrap()), [ids[1].clone()]);
    fs::write(store.file(), "broken").unwrap();
    let from_backup = store.load(&lock, now()).unwrap();
    assert_eq!(
        queued(&from_backup),
        [ids[1].clone()],
        "nor going on from the backup"
    );
}

#[test]
fn a_line_that_a_crash_cut_short_counts_as_not_sent() {
    let (_folder, store, lock, ids) = with_mails(3);
    let whole = sent::render(&ids[..1]).0;
    let torn = sent::render(&ids[..2]).0;
    for end in whole.len()..whole.len() + "0123456789a".len() {
        fs::write(store.first.sent(), &torn[..end]).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(queued(&loaded), ids[1..]);
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
        // What comes behind it is not spoilt by it.
        store.sent_list(&lock).unwrap().add(&ids[2]).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(queued(&loaded), [ids[1].clone()]);
        assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    }
}

#[test]
fn the_list_of_what_was_sent_does_not_grow_for_ever_and_is_kept_while_it_is_needed() {
    let (_folder, store, lock, ids) = with_mails(1);
    let many = vec![ids[0].clone(); 6000];
    fs::write(store.first.sent(), sent::render(&many).0).unwrap();
    let from_backup = || {
        fs::write(store.file(), "broken").unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(queued(&loaded), [], "what was sent comes back");
        loaded.state
    };
    let mut state = store.load(&lock, now()).unwrap().state;
    for _ in 0..3 {
        // The backup still names the mail, and the list stays until neither does.
        save(&store, &lock, &mut state).unwrap();
        assert!(store.first.sent().exists());
        state = from_backup();
    }
    save(&store, &lock, &mut state).unwrap();
    let mut state = store.load(&lock, now()).unwrap().state;
    store.save(&lock, &mut state, Safe::Soon).unwrap();
    assert!(store.first.sent().exists(), "the new file is not safe yet");
    save(&store, &lock, &mut state).unwrap();
    assert!(!store.first.sent().exists());
    from_backup();
}

#[test]
fn mails_sent_since_the_last_save_are_in_the_list_until_the_backup_knows() {
    let (_folder, store, lock, ids) = with_mails(1);
    let many = vec!["0123456789ab".parse().unwrap(); 6000];
    fs::write(store.first.sent(), sent::render(&many).0).unwrap();
    let mut state = store.load(&lock, now()).unwrap().state;
    store.sent_list(&lock).unwrap().add(&ids[0]).unwrap();
    state.queue.remove(&HashSet::from([ids[0].clone()]));
    save(&store, &lock, &mut state).unwrap();
    fs::remove_file(store.file()).unwrap();
    assert_eq!(queued(&store.load(&lock, now()).unwrap()), []);
}

/// A store whose first place has become a folder that nothing can be written to, whoever asks: it is none.
fn without_home() -> (tempfile::TempDir, Store, Lock, State) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(
        folder.path().join("var/state.json"),
        Some(folder.path().join("run/state.json")),
    );
    let lock = store.lock(Duration::ZERO).unwrap();
    let mut state = store.load(&lock, now()).unwrap().state;
    state.cluster = Some("at home".to_owned());
    assert!(matches!(save(&store, &lock, &mut state), Ok(Saved::Home)));
    fs::rename(folder.path().join("var"), folder.path().join("gone")).unwrap();
    fs::write(folder.path().join("var"), "").unwrap();
    (folder, store, lock, state)
}

fn bring_home(folder: &tempfile::TempDir) {
    fs::remove_file(folder.path().join("var")).unwrap();
    fs::rename(folder.path().join("gone"), folder.path().join("var")).unwrap();
}

#[test]
fn what_cannot_be_saved_at_home_is_remembered_away_and_brought_home() {
    let (folder, store, lock, mut state) = without_home();
    state.cluster = Some("away".to_owned());
    let saved = save(&store, &lock, &mut state);
    let Ok(Saved::Away(cause)) = saved else {
        panic!("{saved:?}");
    };
    assert!(
        format!("{cause:#}").contains("cannot save the state to"),
        "{cause:#}"
    );
    let mut loaded = store.load(&lock, now()).unwrap();
    assert_eq!(name(&loaded), "away");
    // The second time there is a backup as well.
    let saved = save(&store, &lock, &mut loaded.state);
    assert!(matches!(saved, Ok(Saved::Away(_))), "{saved:?}");
    bring_home(&folder);
    let back = store.load(&lock, now()).unwrap();
    assert_eq!(name(&back), "away", "the newer of the two");
    loaded.state.cluster = Some("home again".to_owned());
    assert!(matches!(
        save(&store, &lock, &mut loaded.state),
        Ok(Saved::Home)
    ));
    let home = store.read(now()).unwrap();
    assert_eq!(name(&home), "home again");
    assert!(home.problems.is_empty(), "{:?}", home.problems);
    assert!(!folder.path().join("run/state.json").exists());
}

#[test]
fn what_was_sent_is_remembered_away_too() {
    let (folder, store, lock, _) = without_home();
    let (_other, _, _, ids) = with_mails(1);
    store.sent_list(&lock).unwrap().add(&ids[0]).unwrap();
    let away = fs::read_to_string(folder.path().join("run/state.json.sent")).unwrap();
    assert_eq!(away, sent::render(&ids).0);
}

#[test]
fn a_state_that_cannot_be_read_is_not_replaced_and_its_mails_come_back() {
    let (folder, store, lock, ids) = with_mails(2);
    let away = folder.path().join("run/state.json");
    let store = Store::new(store.file().to_owned(), Some(away.clone()));
    // A folder in its place can't be read, whoever asks.
    let hidden = folder.path().join("hidden");
    fs::rename(store.file(), &hidden).unwrap();
    fs::rename(store.first.backup(), folder.path().join("hidden.bak")).unwrap();
    fs::create_dir(store.file()).unwrap();
    let mut loaded = store.load(&lock, now()).unwrap();
    assert!(queued(&loaded).is_empty());
    let saved = save(&store, &lock, &mut loaded.state).unwrap();
    assert!(matches!(saved, Saved::Away(_)), "{saved:?}");
    assert!(store.file().is_dir() && away.exists());
    fs::remove_dir(store.file()).unwrap();
    fs::rename(&hidden, store.file()).unwrap();
    let mut loaded = store.load(&lock, now()).unwrap();
    assert_eq!(queued(&loaded), ids);
    assert!(matches!(
        save(&store, &lock, &mut loaded.state),
        Ok(Saved::Home)
    ));
    assert_eq!(queued(&store.read(now()).unwrap()), ids);
}

#[test]
fn the_lock_is_one_wherever_it_lies() {
    let (_folder, store, lock, _) = without_home();
    drop(lock);
    let away = store.lock(Duration::ZERO).unwrap();
    assert!(matches!(
        store.lock(Duration::ZERO),
        Err(LockError::Held(_))
    ));
    drop(away);
}

#[test]
fn with_neither_place_nothing_is_saved() {
    let (folder, store, lock, mut state) = without_home();
    fs::write(folder.path().join("run"), "").unwrap();
    let error = save(&store, &lock, &mut state).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("var/state.json"), "{error}");
    assert!(error.contains("run"), "{error}");
}

#[test]
fn damage_in_the_list_of_what_was_sent_is_told_and_the_good_lines_stay() {
    let (_folder, store, lock, ids) = with_mails(3);
    let good = sent::render(&ids[1..2]).0;
    let damaged = good.replace(" sent 2", " sent 3") + "\0\0\0\u{fffd}\n";
    let aside = store.beside("state.json.sent.broken-20261123T021400Z");
    fs::write(store.first.sent(), &damaged).unwrap();
    let looked = store.read(now()).unwrap();
    assert!(!aside.exists());
    let loaded = store.load(&lock, now()).unwrap();
    for (loaded, told) in [
        (
            &looked,
            "is damaged (3 bad lines, so mails may be repeated)",
        ),
        (&loaded, "state.json.sent.broken-20261123T021400Z"),
    ] {
        assert_eq!(queued(loaded), [ids[0].clone(), ids[2].clone()]);
        assert_eq!(loaded.problems.len(), 1, "{:?}", loaded.problems);
        assert!(loaded.problems[0].contains(told), "{:?}", loaded.problems);
    }
    assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
    assert_eq!(fs::read_to_string(store.first.sent()).unwrap(), good);
    // It is told once, and the list goes on.
    store.sent_list(&lock).unwrap().add(&ids[0]).unwrap();
    let loaded = store.load(&lock, now()).unwrap();
    assert_eq!(queued(&loaded), [ids[2].clone()]);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
}

#[test]
fn the_list_of_the_first_release_is_carried_on() {
    let (_folder, store, lock, ids) = with_mails(3);
    fs::write(store.first.sent(), format!("\n{}\n{}", ids[0], &ids[1])).unwrap();
    store.sent_list(&lock).unwrap().add(&ids[2]).unwrap();
    let list = fs::read_to_string(store.first.sent()).unwrap();
    assert_eq!(list, sent::render(&ids).0);
}

/// Changes the state file as a hand or a failing disk does, into a document that can still be read.
fn alter(store: &Store, what: &str, into: &str) -> String {
    let text = fs::read_to_string(store.file()).unwrap();
    let altered = text.replace(what, into);
    assert_ne!(altered, text);
    fs::write(store.file(), &altered).unwrap();
    altered
}

#[test]
fn an_altered_file_is_copied_aside_told_once_and_made_use_of() {
    let (_folder, store, lock, ids) = with_mails(2);
    let altered = alter(&store, "\"saves\": 1", "\"saves\": 7");
    let aside = store.beside("state.json.broken-20261123T021400Z");
    let looked = store.read(now()).unwrap();
    assert!(!aside.exists());
    assert!(looked.problems[0].contains("state.json is damaged"));
    let mut loaded = store.load(&lock, now()).unwrap();
    assert_eq!(looked.state, loaded.state);
    let (file, backup) = (store.file().display(), store.first.backup());
    let expected = [
        format!(
            "{file} is damaged (its checksum is wrong: it has been edited by hand or damaged); it is kept as {}",
            aside.display()
        ),
        format!(
            "going on with what the backup {} remembers, and with the mails of both",
            backup.display()
        ),
    ];
    assert_eq!(loaded.problems, expected);
    assert_eq!(fs::read_to_string(&aside).unwrap(), altered);
    assert_eq!(queued(&loaded), ids);
    // A crash here would find all as it was.
    assert_eq!(fs::read_to_string(store.file()).unwrap(), altered);
    save(&store, &lock, &mut loaded.state).unwrap();
    let loaded = store.load(&lock, now()).unwrap();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert_eq!(queued(&loaded), ids);
    assert_eq!(
        fs::read_to_string(&aside).unwrap(),
        altered,
        "a file of its own"
    );
}

#[test]
fn an_altered_file_without_a_backup_is_used_as_it_is_and_so_is_an_altered_backup() {
    for (left, told) in [
        ("state.json", "as it is, for there is no backup"),
        ("state.json.bak", "going on from the backup"),
    ] {
        let (_folder, store, lock, ids) = with_mails(2);
        alter(&store, "\"saves\": 1", "\"saves\": 7");
        fs::remove_file(store.first.backup()).unwrap();
        fs::rename(store.file(), store.beside(left)).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!((loaded.state.saves, queued(&loaded)), (7, ids));
        let aside = format!("{left}.broken-20261123T021400Z");
        for told in [&aside, told] {
            let is_told = loaded.problems.iter().any(|problem| problem.contains(told));
            assert!(is_told, "{told}: {:?}", loaded.problems);
        }
        assert!(store.beside(&aside).exists());
    }
}

#[test]
fn the_file_before_becomes_the_backup_without_being_away() {
    let (_folder, store, lock) = store();
    let before = fs::File::open(store.file()).unwrap();
    save(&store, &lock, &mut named("third")).unwrap();
    let inode = |file: &fs::File| std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
    let backup = fs::File::open(store.first.backup()).unwrap();
    assert_eq!(
        inode(&backup),
        inode(&before),
        "it has a second name, and is not copied"
    );
}

#[test]
fn nobody_else_may_read_what_is_kept() {
    let (_folder, store, _lock) = store();
    for file in files(&store) {
        let mode = fs::metadata(store.beside(&file)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
    }
    let mode = fs::metadata(store.first.folder()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
}

#[test]
fn a_broken_file_is_set_aside_and_its_backup_taken() {
    for broken in ["", "\0\0\0\0", "{\"version\":1,\"que", "nonsense"] {
        let (_folder, store, lock) = store();
        fs::write(store.file(), broken).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(name(&loaded), "first", "{broken:?}");
        assert_eq!(loaded.problems.len(), 2, "{:?}", loaded.problems);
        let aside = store.beside("state.json.broken-20261123T021400Z");
        assert_eq!(fs::read_to_string(aside).unwrap(), broken);
        save(&store, &lock, &mut named("third")).unwrap();
        let loaded = store.load(&lock, now()).unwrap();
        assert_eq!(name(&loaded), "third");
    }
}

#[test]
fn with_both_broken_both_are_kept_and_the_pass_goes_on_from_nothing() {
    let (_folder, store, lock) = store();
    fs::write(store.file(), "x").unwrap();
    fs::write(store.first.backup(), "y").unwrap();
    let loaded = store.load(&lock, now()).unwrap();
    assert_eq!(loaded.state, State::beginning(now()));
    assert_eq!(
        files(&store),
        [
            "state.json.bak.broken-20261123T021400Z",
            "state.json.broken-20261123T021400Z",
            "state.json.lock"
        ]
    );
}

#[test]
fn without_the_file_its_backup_is_taken() {
    let (_folder, store, lock) = store();
    fs::remove_file(store.file()).unwrap();
    let loaded = store.load(&lock, now()).unwrap();
    assert_eq!(name(&loaded), "first");
    assert!(loaded.problems[0].contains("missing"));
}

#[test]
fn who_only_looks_changes_nothing() {
    let (_folder, store, _lock) = store();
    fs::write(store.file(), "x").unwrap();
    let before = files(&store);
    let loaded = store.read(now()).unwrap();
    assert_eq!(name(&loaded), "first");
    assert_eq!(files(&store), before);
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let (_folder, store, lock) = store();
    fs::write(store.file(), "{\"version\":99}").unwrap();
    let error = store.load(&lock, now()).unwrap_err();
    assert!(format!("{error:#}").contains("version 99"), "{error:#}");
    let text = fs::read_to_string(store.file()).unwrap();
    assert_eq!(text, "{\"version\":99}");
}

#[test]
fn a_folder_in_its_place_is_an_error() {
    let (_folder, store, lock) = store();
    fs::remove_file(store.file()).unwrap();
    fs::create_dir(store.file()).unwrap();
    let error = store.load(&lock, now()).unwrap_err();
    assert!(format!("{error:#}").contains("Is a directory"), "{error:#}");
}

#[test]
fn there_is_one_lock() {
    let (_folder, store, lock) = store();
    let second = store.lock(Duration::ZERO);
    assert!(matches!(second, Err(LockError::Held(_))), "{second:?}");
    drop(lock);
    assert!(store.lock(Duration::ZERO).is_ok());
}

#[test]
fn a_leftover_of_a_crash_is_overwritten() {
    let (_folder, store, lock) = store();
    let leftover = store.first.with_suffix(".new");
    fs::write(&leftover, "half a docum").unwrap();
    fs::set_permissions(&leftover, fs::Permissions::from_mode(0o444)).unwrap();
    save(&store, &lock, &mut named("third")).unwrap();
    assert_eq!(name(&store.read(now()).unwrap()), "third");
    assert!(!leftover.exists());
}
