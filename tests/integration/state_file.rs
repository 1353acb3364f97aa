//! What is kept between passes, and what becomes of it when the file is not as it was left.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use crate::ceph::{Behaviour, Question, recorded};
use crate::cluster::{Cluster, mode};
use crate::consul::MEMBERS;
use crate::relay::{Fault, Stage};

/// A cluster in which an OSD is down and has been told of.
fn told() -> Cluster {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert_eq!(cluster.pass(0).len(), 1);
    assert!(cluster.pass(0).is_empty());
    cluster
}

fn broken_copies(cluster: &Cluster) -> Vec<String> {
    cluster
        .state_names()
        .into_iter()
        .filter(|name| name.contains(".broken-"))
        .collect()
}

#[test]
fn the_folder_holds_what_the_contract_says_and_nobody_else_may_read_it() {
    let cluster = told();
    for name in cluster.state_names() {
        assert_eq!(mode(&cluster.state_folder().join(&name)), 0o600, "{name}");
    }
    let names = cluster.state_names();
    for name in ["state.json", "state.json.bak", "state.json.lock"] {
        assert!(
            names.iter().any(|other| other == name),
            "no {name} in {names:?}"
        );
    }
    assert!(
        !names.iter().any(|name| name == "state.json.new"),
        "{names:?}"
    );
    let text = fs::read_to_string(cluster.state_file()).unwrap();
    assert!(text.lines().count() > 10, "readable by a person:\n{text}");
}

#[test]
fn a_lax_umask_makes_no_difference() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    fs::remove_dir(cluster.state_folder()).unwrap();
    cluster.check_after("umask 0").exits(0);
    assert_eq!(mode(&cluster.state_folder()), 0o700);
    for name in cluster.state_names() {
        assert_eq!(mode(&cluster.state_folder().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn a_missing_folder_is_made() {
    let mut cluster = Cluster::new();
    let folder = cluster.folder().join("deep/er");
    cluster.without_flags();
    let (config, state) = (cluster.config_file(), folder.join("state.json"));
    cluster.env("PETANOTIFY_CONFIG", config.to_str().unwrap());
    cluster.env("PETANOTIFY_STATE", state.to_str().unwrap());
    cluster.check().exits(0).is_silent();
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&state), 0o600);
}

#[test]
fn the_state_is_replaced_and_the_lock_file_is_not() {
    let cluster = Cluster::new();
    let inode = |name: &str| {
        fs::metadata(cluster.state_folder().join(name))
            .unwrap()
            .ino()
    };
    cluster.check().exits(0);
    let lock = inode("state.json.lock");
    let reader = fs::File::open(cluster.state_file()).unwrap();
    let before = reader.metadata().unwrap();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.check().exits(0);
    assert_eq!(inode("state.json.lock"), lock);
    assert_ne!(
        inode("state.json"),
        before.ino(),
        "who reads the old one reads it whole"
    );
    let after = reader.metadata().unwrap();
    assert_eq!(
        (after.len(), after.mtime_nsec()),
        (before.len(), before.mtime_nsec()),
        "it was never written in place"
    );
}

#[test]
fn from_a_broken_file_the_pass_goes_on_with_the_backup() {
    let whole = fs::read(told().state_file()).unwrap();
    let half = &whole[..whole.len() / 2];
    let broken: [&[u8]; 6] = [
        b"",
        half,
        b"not JSON at all",
        b"\0\0\0\0\0\0\0\0",
        b"[1, 2",
        b"{\"version\": \"one\"}",
    ];
    for content in broken {
        let cluster = told();
        fs::write(cluster.state_file(), content).unwrap();
        let run = cluster.check();
        run.exits(0).says(&["error", "state.json"]);
        let shown = String::from_utf8_lossy(content);
        assert!(
            cluster.relay.take_mails().is_empty(),
            "told before; the backup knows: {shown}"
        );
        let aside = broken_copies(&cluster);
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert!(aside[0].starts_with("state.json.broken-20"), "{aside:?}");
        assert_eq!(
            fs::read(cluster.state_folder().join(&aside[0])).unwrap(),
            content,
            "set aside as it was"
        );
        run.says(&[aside[0].as_str()]);
        assert_eq!(cluster.state()["version"], petanotify::state::VERSION);
        cluster.check().exits(0).is_silent();
        cluster.ceph.healthy();
        assert_eq!(cluster.subjects(), ["[prod] all OSDs are up again"]);
    }
}

/// Replaces a part of a file, as a hand or a failing disk does. What was there is returned.
fn alter(path: &Path, what: &str, into: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    let altered = text.replacen(what, into, 1);
    assert_ne!(altered, text, "{what}");
    fs::write(path, &altered).unwrap();
    altered
}

#[test]
fn of_a_state_that_is_not_as_it_was_written_a_copy_is_kept_and_it_is_told_once() {
    // What is changed: a name that a mail has told of; what was told; nothing that anybody needs.
    for (what, into) in [
        (
            "\"osds\": {\n      \"incident\": {",
            "\"osds\":  {\n      \"incident\": {",
        ),
        (
            "\"which\": [\n            1\n",
            "\"which\": [\n            3\n",
        ),
        ("\"announced\": true", "\"announced\": false"),
        ("\"duration_ms\": ", "\"duration_ms\": 1"),
        ("\"version\": 4", "\"version\": 5"),
    ] {
        let cluster = told();
        let altered = alter(&cluster.state_file(), what, into);
        let before = cluster.all_state();
        for looking in [&["status"][..], &["queue", "list"], &["check", "--dry-run"]] {
            let run = cluster.run(looking);
            run.exits(0).says(&["state.json is damaged", "checksum"]);
        }
        assert_eq!(
            cluster.all_state(),
            before,
            "who only looks changes nothing"
        );
        let run = cluster.check();
        let aside = broken_copies(&cluster);
        assert_eq!(aside.len(), 1, "{aside:?}");
        run.exits(0)
            .says(&["error", "state.json is damaged", "checksum", &aside[0]])
            .says(&["going on with"]);
        assert!(cluster.relay.take_mails().is_empty(), "{what}: told before");
        let kept = fs::read_to_string(cluster.state_folder().join(&aside[0]));
        assert_eq!(kept.unwrap(), altered);
        cluster.check().exits(0).is_silent();
        cluster.run(&["status"]).exits(0);
        cluster.ceph.healthy();
        assert_eq!(cluster.subjects(), ["[prod] all OSDs are up again"]);
    }
}

#[test]
fn no_mail_is_lost_from_a_state_that_is_not_as_it_was_written() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    let mail = cluster.queue()[0].clone();
    let id = mail["id"].as_str().unwrap();
    let address = "\"to\": \"ops@example.org\"";
    alter(
        &cluster.state_file(),
        address,
        "\"to\": \"oops@example.org\"",
    );
    assert_eq!(cluster.queue()[0]["to"], "ops@example.org");
    cluster.relay.heal();
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["ops@example.org"]);

    // What was sent meanwhile does not come back from the backup.
    let altered = alter(&cluster.state_file(), "\"queue\": []", "\"queue\":  []");
    assert!(!altered.contains(id));
    let backup = fs::read_to_string(cluster.state_folder().join("state.json.bak"));
    assert!(backup.unwrap().contains(id));
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn a_damaged_list_of_what_was_sent_is_told_and_its_good_lines_count() {
    let cluster = told();
    let list = cluster.state_folder().join("state.json.sent");
    let good = fs::read_to_string(&list).unwrap();
    let line = good.lines().nth(1).unwrap();
    let damaged = good.clone() + "\0\0\0\0 01234567\n";
    fs::write(&list, &damaged).unwrap();
    let run = cluster.check();
    let aside = broken_copies(&cluster);
    assert_eq!(aside.len(), 1, "{aside:?}");
    run.exits(0)
        .says(&["state.json.sent is damaged", "1 bad line", &aside[0]]);
    let kept = fs::read_to_string(cluster.state_folder().join(&aside[0]));
    assert_eq!(kept.unwrap(), damaged);
    assert_eq!(fs::read_to_string(&list).unwrap(), good);
    cluster.check().exits(0).is_silent();

    // A digit of the id: the mail may be repeated, and that is told.
    alter(&list, line, &format!("{}{}", "0".repeat(12), &line[12..]));
    cluster.check().exits(0).says(&["mails may be repeated"]);
}

#[test]
fn with_the_backup_broken_too_alerting_begins_anew() {
    let cluster = told();
    fs::write(cluster.state_file(), "garbage").unwrap();
    fs::write(cluster.state_folder().join("state.json.bak"), "garbage too").unwrap();
    let run = cluster.check();
    run.exits(0).says(&["error", "state.json.bak"]);
    assert_eq!(
        cluster.relay.take_mails().len(),
        1,
        "better told twice than never"
    );
    let aside = broken_copies(&cluster);
    assert_eq!(aside.len(), 2, "{aside:?}");
    cluster.check().exits(0).is_silent();
}

#[test]
fn an_absent_file_with_a_backup_is_the_backup() {
    let cluster = told();
    fs::remove_file(cluster.state_file()).unwrap();
    assert!(
        cluster.pass(0).is_empty(),
        "a crash between two renames loses nothing"
    );
}

#[test]
fn a_queued_mail_survives_a_torn_state() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster
        .relay
        .fault(crate::relay::Stage::Greeting, crate::relay::Fault::Drop);
    cluster.check().exits(1);
    cluster.check().exits(1);
    let text = fs::read(cluster.state_file()).unwrap();
    fs::write(cluster.state_file(), &text[..text.len() / 3]).unwrap();
    cluster.relay.heal();
    assert_eq!(cluster.pass(0).len(), 1);
}

#[test]
fn a_file_of_a_later_release_is_left_alone() {
    let cluster = told();
    let text = "{\"version\": 99, \"what\": \"nobody knows yet\"}\n";
    fs::write(cluster.state_file(), text).unwrap();
    let before = cluster.state_names();
    for arguments in [
        &["check"][..],
        &["check", "--dry-run"],
        &["status"],
        &["queue", "list"],
    ] {
        let run = cluster.run(arguments);
        run.exits(74).says(&["state.json", "version 99"]);
    }
    assert_eq!(fs::read_to_string(cluster.state_file()).unwrap(), text);
    assert_eq!(cluster.state_names(), before, "nothing set aside");
    assert!(cluster.relay.take_mails().is_empty());
}

#[test]
fn a_directory_in_its_place_is_an_error_and_stays() {
    let cluster = Cluster::new();
    fs::create_dir(cluster.state_file()).unwrap();
    cluster
        .check()
        .exits(74)
        .says(&["error", "state.json", "directory"]);
    assert!(cluster.state_file().is_dir());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let mut cluster = Cluster::new();
    cluster.without_flags();
    let (config, state) = (
        cluster.config_file(),
        cluster.config_file().join("sub/state.json"),
    );
    cluster.env("PETANOTIFY_CONFIG", config.to_str().unwrap());
    cluster.env("PETANOTIFY_STATE", state.to_str().unwrap());
    cluster
        .check()
        .exits(74)
        .says(&["error", "petanotify.toml/sub"]);
}

/// Lets everybody into the state folder and nobody change anything in it.
fn write_protect(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn a_folder_that_may_not_be_written_to_is_an_error_before_anything_is_sent() {
    let mut cluster = told();
    write_protect(&cluster.state_folder());
    cluster.ceph.healthy();
    cluster.as_nobody();
    let before = fs::read(cluster.state_file()).unwrap();
    cluster
        .check()
        .exits(74)
        .says(&["error", "state", "Permission denied"]);
    assert!(
        cluster.relay.take_mails().is_empty(),
        "a mail that cannot be written down would be sent for ever"
    );
    assert_eq!(fs::read(cluster.state_file()).unwrap(), before);

    let run = cluster.run(&["check", "--dry-run", "--json"]);
    assert_eq!(
        run.exits(0).json()["alerts"][0]["kind"],
        "cleared",
        "a dry run needs nothing to be writable"
    );
    cluster.run(&["status"]).exits(0);
    cluster.run(&["queue", "list"]).exits(0);
    fs::set_permissions(cluster.state_folder(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_cannot_be_saved_is_not_sent() {
    let cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    // In the way of the temporary file; lock and state can still be opened.
    let obstacle = cluster.state_folder().join("state.json.new");
    fs::create_dir(&obstacle).unwrap();
    let run = cluster.check();
    run.exits(74)
        .says(&["error", "state.json.new"])
        .says(&["not mailed", "[prod] 1 OSD down on node2: osd.1"]);
    assert!(cluster.relay.connections().is_empty());
    fs::remove_dir(obstacle).unwrap();
    assert_eq!(cluster.pass(0).len(), 1, "it is told as soon as it can be");
}

#[test]
fn a_state_that_may_not_be_read_is_an_error() {
    let mut cluster = told();
    cluster.as_nobody();
    if rustix::process::geteuid().is_root() {
        chown(cluster.state_folder(), Some(65534), Some(65534)).unwrap();
        chown(
            cluster.state_folder().join("state.json.lock"),
            Some(65534),
            Some(65534),
        )
        .unwrap();
    } else {
        fs::set_permissions(cluster.state_file(), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let before = cluster.state_names();
    cluster
        .check()
        .exits(74)
        .says(&["error", "state.json", "Permission denied"]);
    assert_eq!(
        cluster.state_names(),
        before,
        "what cannot be read is not taken for broken"
    );
}

#[test]
fn a_second_pass_waits_10_s_and_gives_up() {
    let mut cluster = Cluster::new();
    cluster.ceph.does(
        Question::Status,
        &Behaviour::Wait(recorded("18.2.7/status.healthy")),
    );
    cluster.ceph.osds(recorded("18.2.7/osd-tree.one-osd-down"));
    // The first one must still be at it when the second one gives up.
    cluster.set("ceph.timeout", "\"40s\"");
    let first = cluster.start(&["check"]);
    cluster.consul.wait_for_request(MEMBERS);
    let begun = std::time::Instant::now();
    let second = cluster.start(&["check"]);
    let dry = cluster.start(&["check", "--dry-run"]);

    // Neither those who only look nor a dry run wait for the lock; the dry run waits for Ceph like the first pass.
    cluster.run(&["status"]).exits(0);
    cluster.run(&["queue", "list"]).exits(0);
    let second = second.wait();
    second.exits(75).says(&["error", "10 s"]);
    assert!(begun.elapsed().as_secs_f64() > 9.0, "it waited");
    cluster.ceph.release();
    first.wait().exits(0);
    dry.wait().exits(0);
    assert_eq!(
        cluster.relay.take_mails().len(),
        1,
        "the first one did its work"
    );
}

#[test]
fn a_second_pass_that_gets_the_lock_in_time_goes_on() {
    let cluster = Cluster::new();
    cluster.ceph.osds(recorded("18.2.7/osd-tree.one-osd-down"));
    cluster.ceph.does(
        Question::Status,
        &Behaviour::Wait(recorded("18.2.7/status.healthy")),
    );
    let first = cluster.start(&["check"]);
    cluster.consul.wait_for_request(MEMBERS);
    let mut second = cluster.start(&["check"]);
    assert!(second.is_running());
    cluster.ceph.release();
    first.wait().exits(0);
    second.wait().exits(0);
    assert_eq!(
        cluster.relay.take_mails().len(),
        1,
        "the second one found the first one's state"
    );
}

#[test]
fn a_killed_pass_leaves_no_lock_behind() {
    let cluster = Cluster::new();
    cluster.ceph.does_both(&Behaviour::Hang);
    let pass = cluster.start(&["check"]);
    cluster.consul.wait_for_request(MEMBERS);
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while cluster.ceph.processes().is_empty() {
        assert!(std::time::Instant::now() < limit, "ceph was not started");
        std::thread::yield_now();
    }
    pass.kill();
    cluster.ceph.healthy();
    // The hanging CLI of the killed pass may still run: it must not have inherited the lock.
    cluster.check().exits(0);
}

/// Puts a file where the state's folder is, so that nobody can write there, and the folder back again.
fn lose_the_disk(cluster: &Cluster) {
    let folder = cluster.state_folder();
    fs::rename(&folder, folder.with_extension("lost")).unwrap();
    fs::write(&folder, "").unwrap();
}

fn find_the_disk(cluster: &Cluster) {
    let folder = cluster.state_folder();
    fs::remove_file(&folder).unwrap();
    fs::rename(folder.with_extension("lost"), &folder).unwrap();
}

#[test]
fn while_the_disk_fails_alerts_go_out_and_once() {
    let mut cluster = told();
    let runtime = cluster.folder().join("runtime");
    fs::create_dir(&runtime).unwrap();
    cluster.env("RUNTIME_DIRECTORY", runtime.to_str().unwrap());
    assert!(cluster.pass(0).is_empty());
    lose_the_disk(&cluster);
    // Without its memory, the OSD that is down is news; from then on it is remembered.
    assert_eq!(cluster.pass(74).len(), 1);
    assert!(cluster.pass(74).is_empty());
    cluster.ceph.situation("18.2.7", "two-osds-down");
    assert_eq!(cluster.pass(74).len(), 1);
    assert!(cluster.pass(74).is_empty());
    let run = cluster.check();
    run.exits(74)
        .says(&["state.json", runtime.to_str().unwrap(), "until"]);
    find_the_disk(&cluster);
    assert!(cluster.pass(0).is_empty(), "both are known");
    cluster.check().exits(0).is_silent();
    cluster.ceph.healthy();
    assert_eq!(cluster.pass(0).len(), 1);
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn a_mail_that_waits_is_not_lost_while_the_disk_fails_nor_repeated_afterwards() {
    let mut cluster = Cluster::new();
    let runtime = cluster.folder().join("runtime");
    fs::create_dir(&runtime).unwrap();
    cluster.env("RUNTIME_DIRECTORY", runtime.to_str().unwrap());
    cluster.pass(0);
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    assert!(cluster.pass(1).is_empty());
    // The file stays readable, what fails is writing: a folder stands in the way of the new state.
    fs::create_dir(cluster.state_folder().join("state.json.new")).unwrap();
    assert!(cluster.pass(74).is_empty());
    cluster.relay.heal();
    assert_eq!(cluster.pass(74).len(), 1);
    assert!(cluster.pass(74).is_empty());
    fs::remove_dir(cluster.state_folder().join("state.json.new")).unwrap();
    assert!(cluster.pass(0).is_empty());
    assert!(cluster.queue().is_empty());
}

#[test]
fn a_pass_that_is_told_to_end_comes_to_a_safe_point_first() {
    let mut cluster = Cluster::new();
    cluster.pass(0);
    let addresses: Vec<String> = (0..400).map(|n| format!("admin{n}@example.org")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    cluster.recipients(&addresses);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    let pass = cluster.start(&["check"]);
    cluster.relay.wait_for(|_, mails| !mails.is_empty());
    let run = pass.terminate();
    run.exits(1)
        .says(&["told to end", "must wait for the next pass"]);
    let sent = cluster.relay.take_mails().len();
    assert!(sent < 400);
    assert_eq!(cluster.queue().len(), 400 - sent, "all of it is saved");
    assert_eq!(cluster.pass(0).len(), 400 - sent, "and nothing is repeated");
}
