//! Asking the monitors through librados: a stand-in for the library, built from `librados.c` beside this file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::ceph::{recorded, tree};
use crate::cluster::{Cluster, Run};

/// The stand-in's two builds, each in a folder for the dynamic linker.
struct Builds {
    whole: PathBuf,
    too_old: PathBuf,
}

/// Builds the stand-in once for all tests.
fn builds() -> &'static Builds {
    static BUILDS: OnceLock<Builds> = OnceLock::new();
    BUILDS.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/librados.c");
        let build = |name: &str, options: &[&str]| {
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
            fs::create_dir_all(&folder).unwrap();
            let library = folder.join("librados.so.2");
            let status = Command::new("cc")
                .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"])
                .args(options)
                .arg("-o")
                .arg(&library)
                .arg(source)
                .status()
                .expect("a C compiler is needed, as for the dependencies");
            assert!(status.success(), "{status}");
            folder
        };
        Builds {
            whole: build("librados", &[]),
            too_old: build("librados-too-old", &["-DTOO_OLD"]),
        }
    })
}

/// A cluster that is asked in this way; the CLI and the stand-in for the library answer alike.
fn asked_via(via: &str) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.set("ceph.via", &format!("{via:?}"));
    loads(&mut cluster, &builds().whole);
    let folder = library_folder(&cluster);
    fs::create_dir(&folder).unwrap();
    cluster.env("LIBRADOS_FOLDER", folder.to_str().unwrap());
    does(&cluster, "status", recorded("18.2.7/status.healthy"));
    does(&cluster, "osd tree", recorded("18.2.7/osd-tree.healthy"));
    cluster
}

fn loads(cluster: &mut Cluster, folder: &Path) {
    cluster.env("LD_LIBRARY_PATH", folder.to_str().unwrap());
}

fn library_folder(cluster: &Cluster) -> PathBuf {
    cluster.folder().join("librados")
}

/// What the stand-in is to answer or do.
fn does(cluster: &Cluster, name: &str, content: impl AsRef<[u8]>) {
    fs::write(library_folder(cluster).join(name), content).unwrap();
}

/// What the stand-in was asked since the last time.
fn calls(cluster: &Cluster) -> Vec<String> {
    let file = library_folder(cluster).join("calls");
    let calls = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file);
    calls.lines().map(str::to_owned).collect()
}

#[test]
fn config_show_says_what_auto_comes_to() {
    let mut cluster = asked_via("auto");
    let shown = cluster.run(&["config", "show"]);
    let line = shown
        .exits(0)
        .stdout
        .lines()
        .find(|line| line.starts_with("ceph.via "));
    let words = "\"auto\"  # file, line 3: librados, librados.so.2 3.0.0 can be loaded";
    assert!(line.unwrap().ends_with(words), "{line:?}");
    loads(&mut cluster, &builds().too_old);
    let shown = cluster.run(&["config", "show", "--json"]).json();
    assert_eq!(shown["ceph"]["via"], "cli");
    let detail = shown["ceph"]["detail"].as_str().unwrap();
    assert!(detail.contains("rados_mon_command"), "{detail}");
    cluster.set("ceph.via", "\"cli\"");
    assert!(cluster.run(&["config", "show", "--json"]).json()["ceph"].is_null());
}

fn both_checks_fail(run: &Run, words: &str) {
    for (check, question) in [("capacity", "ceph status"), ("osds", "ceph osd tree")] {
        let start = format!("check {check}: {question}, through librados: ");
        run.exits(1).says(&[&start, words]);
    }
}

#[test]
fn unsafe_code_is_in_one_module_alone() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => files(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    let allowing = |file: &PathBuf| fs::read_to_string(file).unwrap().contains("unsafe");
    found.retain(allowing);
    assert_eq!(found, [source.join("librados.rs")]);
}

#[test]
fn one_child_asks_both_over_one_connection() {
    let cluster = asked_via("librados");
    cluster.check().exits(0).is_silent();
    let asked = calls(&cluster);
    let count = |name: &str| asked.iter().filter(|call| call.starts_with(name)).count();
    assert_eq!(count("create2 ceph client.admin"), 1, "{asked:?}");
    assert_eq!(count("connect"), 1, "{asked:?}");
    assert_eq!(count("mon_command"), 2, "{asked:?}");
    assert_eq!(count("shutdown"), 1, "{asked:?}");
    assert!(cluster.ceph.calls().is_empty(), "the CLI is left alone");
}

#[test]
fn what_the_monitors_say_is_what_the_pass_goes_by() {
    let cluster = asked_via("librados");
    assert!(cluster.pass(0).is_empty());
    does(
        &cluster,
        "osd tree",
        tree(&[("node1", &[(4, "down"), (5, "up")])]),
    );
    let mails = cluster.pass(0);
    assert_eq!(mails[0].subject(), "[prod] 1 OSD down on node1: osd.4");
    // Monitors of some releases lay their answer out in lines.
    let lines = String::from_utf8(tree(&[("node1", &[(4, "up"), (5, "up")])])).unwrap();
    does(&cluster, "osd tree", lines.replace(',', ",\r\n\t"));
    assert_eq!(cluster.pass(0)[0].subject(), "[prod] all OSDs are up again");
}

#[test]
fn settings_and_environment_are_honoured_as_the_cli_does() {
    let mut cluster = asked_via("librados");
    cluster.set("ceph.conf", "\"/etc/ceph/other.conf\"");
    cluster.set("ceph.name", "\"client.petanotify\"");
    cluster.set("ceph.keyring", "\"/etc/ceph/petanotify.keyring\"");
    cluster.set("ceph.timeout", "\"12s\"");
    cluster.check().exits(0);
    let asked = calls(&cluster);
    for call in [
        "create2 ceph client.petanotify",
        "conf_read_file /etc/ceph/other.conf",
        "set keyring /etc/ceph/petanotify.keyring",
        "set client_mount_timeout 10",
        "set rados_mon_op_timeout 10",
    ] {
        assert!(asked.iter().any(|asked| asked == call), "{call}: {asked:?}");
    }

    let mut cluster = asked_via("librados");
    cluster.env("CEPH_CONF", "/etc/ceph/by-environment.conf");
    cluster.env("CEPH_ARGS", "--id backup --mon-host=192.0.2.1");
    cluster.check().exits(0);
    let asked = calls(&cluster);
    for call in [
        "create2 ceph client.backup",
        "conf_read_file /etc/ceph/by-environment.conf",
        "argument --mon-host=192.0.2.1",
    ] {
        assert!(asked.iter().any(|asked| asked == call), "{call}: {asked:?}");
    }
}

#[test]
fn a_question_that_is_refused_does_not_stop_the_other() {
    let cluster = asked_via("librados");
    fs::remove_file(library_folder(&cluster).join("status")).unwrap();
    let run = cluster.check();
    run.exits(1).says(&[
        "check capacity: ceph status, through librados: exit 13: Error EACCES: access denied",
        "ceph auth get-or-create",
    ]);
    assert!(run.line_with(&["check osds"]).is_none(), "{}", run.stderr);
}

#[test]
fn what_fails_before_a_question_is_told_for_both_in_the_clis_words() {
    let cases = [
        (
            "13",
            "exit 13: [errno 13] RADOS permission denied (error connecting to the cluster); may this user read the keyring",
        ),
        (
            "110",
            "exit 110: [errno 110] RADOS timed out (error connecting to the cluster); no monitor answers",
        ),
        (
            "2",
            "exit 2: [errno 2] RADOS object not found (error connecting to the cluster); no monitor is known",
        ),
        ("crash", "ended by signal 6 (SIGABRT)"),
    ];
    for (connect, words) in cases {
        let cluster = asked_via("librados");
        does(&cluster, "connect", connect);
        both_checks_fail(&cluster.check(), words);
    }
    let mut cluster = asked_via("librados");
    cluster.set("ceph.conf", "\"/missing\"");
    both_checks_fail(
        &cluster.check(),
        "is /missing there, and may this user read it?",
    );
}

#[test]
fn a_library_that_hangs_is_ended_at_the_deadline() {
    let mut cluster = asked_via("auto");
    cluster.set("ceph.timeout", "\"1s\"");
    does(&cluster, "connect", "hang");
    both_checks_fail(&cluster.check(), "no answer within 1 s, so it was ended");
}

#[test]
fn a_child_that_is_killed_fails_its_questions_and_nothing_else() {
    let cluster = asked_via("librados");
    does(&cluster, "connect", "hang");
    let pass = cluster.start(&["check"]);
    let child = cluster.wait_for_child_of(&pass, "ask-ceph");
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    both_checks_fail(&pass.wait(), "ended by signal 9 (SIGKILL)");
}

#[test]
fn without_a_library_that_can_be_used_auto_asks_the_cli_and_librados_says_so() {
    // The machine's own library would be found if there were none here.
    let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("librados-empty");
    fs::create_dir_all(&empty).unwrap();
    fs::write(empty.join("librados.so.2"), "").unwrap();
    for (folder, words) in [
        (&builds().too_old, "rados_mon_command"),
        (&empty, "librados.so.2"),
    ] {
        let mut cluster = asked_via("librados");
        loads(&mut cluster, folder);
        let run = cluster.check();
        run.exits(1)
            .says(&["check osds: librados cannot be used: ", words])
            .says(&["package librados2", "ceph.via = \"cli\""]);
        cluster.set("ceph.via", "\"auto\"");
        cluster.check().exits(0);
        assert_eq!(cluster.ceph.calls().len(), 2);
        cluster.run(&["-v", "check"]).exits(0).says(&[
            "librados cannot be used: ",
            words,
            "asking the ceph CLI",
        ]);
    }
}

#[test]
fn config_check_tells_which_way_is_gone() {
    fn ceph(cluster: &Cluster) -> Vec<(String, String)> {
        let document = cluster.run(&["config", "check", "--json"]).json();
        let checks = document["checks"].as_array().unwrap();
        let ceph = checks.iter().filter(|check| check["section"] == "ceph");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        ceph.map(|c| {
            (
                format!("{} {}", text(&c["name"]), text(&c["outcome"])),
                c.to_string(),
            )
        })
        .collect()
    }
    let mut cluster = asked_via("librados");
    let found = ceph(&cluster);
    assert_eq!(found[0].0, "library ok");
    assert!(found[0].1.contains("librados.so.2 "), "{found:?}");
    assert!(
        found.iter().any(|(head, _)| head == "osd tree ok"),
        "{found:?}"
    );
    assert!(cluster.ceph.calls().is_empty(), "the CLI is left alone");

    loads(&mut cluster, &builds().too_old);
    let found = ceph(&cluster);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "library failed");
    assert!(
        found[0].1.contains("apt-get install librados2"),
        "{found:?}"
    );

    cluster.set("ceph.via", "\"auto\"");
    let found = ceph(&cluster);
    assert_eq!(found[0].0, "binary ok");
    assert!(
        found[0].1.contains("version 18.2.7; not the library: "),
        "{found:?}"
    );
}
