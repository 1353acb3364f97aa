//! The recorded answers of four releases, odd ones written by hand, and CLIs that fail.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::facts::{HealthCheck, HealthSeverity};
use crate::output::Priority;
use std::fs;
use std::path::PathBuf;

fn log() -> Log {
    Log::new(Priority::Error, false)
}

fn settings(command: &[&str]) -> settings::Ceph {
    settings::Ceph {
        command: command.iter().map(ToString::to_string).collect(),
        conf: None,
        name: None,
        keyring: None,
        via: Via::Cli,
        timeout: Duration::from_secs(30),
    }
}

/// A CLI that runs `script`.
fn cli(script: &str) -> settings::Ceph {
    settings(&["sh", "-c", script])
}

fn told(settings: &settings::Ceph) -> String {
    format!("{:#}", status(settings, &log()).unwrap_err())
}

fn down(host: Option<&str>, status: &str) -> DownOsd {
    DownOsd {
        host: host.map(str::to_owned),
        status: status.to_owned(),
        out: false,
        stray: false,
    }
}

fn osds(printed: &str) -> OsdTree {
    parse_osd_tree(printed.as_bytes()).unwrap()
}

/// The releases that answers were recorded of.
const RELEASES: [&str; 4] = ["14.2.21", "16.2.15", "18.2.7", "20.2.4"];

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ceph")
}

/// What a real cluster of that release answered in that state.
fn recorded(release: &str, question: &str, state: &str) -> Vec<u8> {
    let file = recordings()
        .join(release)
        .join(format!("{question}.{state}.json"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The release and the state of every recorded answer to a question.
fn recorded_states(question: &str) -> BTreeSet<(String, String)> {
    let mut states = BTreeSet::new();
    for release in fs::read_dir(recordings()).unwrap() {
        let release = release.unwrap();
        for file in fs::read_dir(release.path()).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            if let Some((asked, state)) = file.split_once('.')
                && asked == question
            {
                let release = release.file_name().into_string().unwrap();
                states.insert((release, state.strip_suffix(".json").unwrap().to_owned()));
            }
        }
    }
    states
}

#[test]
fn usage_is_read_from_every_recorded_status() {
    let mut untold = recorded_states("status");
    for (release, state, used_bytes, total_bytes, mgr_available) in [
        ("14.2.21", "destroyed", 98646, 805306368, true),
        ("14.2.21", "down-and-out", 96012, 805306368, true),
        ("14.2.21", "forgotten", 321252, 1073741824, true),
        ("14.2.21", "fresh", 0, 0, true),
        ("14.2.21", "healthy", 57658, 1073741824, true),
        ("14.2.21", "mgr-down", 136504844, 268435456, false),
        ("14.2.21", "never-booted", 0, 0, true),
        ("14.2.21", "no-mgr-yet", 0, 0, false),
        ("14.2.21", "noout", 78756, 1073741824, true),
        ("14.2.21", "one-osd-down", 76160, 1073741824, true),
        ("14.2.21", "stray-down", 98646, 805306368, true),
        ("14.2.21", "two-osds-down", 99484, 1073741824, true),
        ("14.2.21", "used-30", 81959464, 268435456, true),
        ("14.2.21", "used-50", 136504844, 268435456, true),
        ("16.2.15", "destroyed", 133749, 805306368, true),
        ("16.2.15", "down-and-out", 120985, 805306368, true),
        ("16.2.15", "forgotten", 417468, 1073741824, true),
        ("16.2.15", "fresh", 0, 0, true),
        ("16.2.15", "healthy", 144756, 1073741824, true),
        ("16.2.15", "maintenance", 143028, 268435456, true),
        ("16.2.15", "mgr-down", 12694, 134217728, false),
        ("16.2.15", "never-booted", 0, 0, true),
        ("16.2.15", "no-mgr-yet", 0, 0, false),
        ("16.2.15", "noout", 107674, 1073741824, true),
        ("16.2.15", "one-osd-down", 147871, 1073741824, true),
        ("16.2.15", "stray-down", 124079, 805306368, true),
        ("16.2.15", "two-osds-down", 154080, 1073741824, true),
        ("16.2.15", "used-30", 86229380, 268435456, true),
        ("16.2.15", "used-50", 161795233, 268435456, true),
        ("18.2.7", "destroyed", 116264, 805306368, true),
        ("18.2.7", "down-and-out", 102447, 805306368, true),
        ("18.2.7", "forgotten", 403002, 1073741824, true),
        ("18.2.7", "fresh", 0, 0, true),
        ("18.2.7", "healthy", 125836, 1073741824, true),
        ("18.2.7", "mgr-down", 136519660, 268435456, false),
        ("18.2.7", "never-booted", 0, 0, true),
        ("18.2.7", "no-mgr-yet", 0, 0, false),
        ("18.2.7", "noout", 97736, 1073741824, true),
        ("18.2.7", "one-osd-down", 128526, 1073741824, true),
        ("18.2.7", "stray-down", 107827, 805306368, true),
        ("18.2.7", "two-osds-down", 131216, 1073741824, true),
        ("18.2.7", "used-30", 92472004, 268435456, true),
        ("18.2.7", "used-50", 142803652, 268435456, true),
        ("20.2.4", "destroyed", 141946, 805306368, true),
        ("20.2.4", "down-and-out", 135766, 805306368, true),
        ("20.2.4", "forgotten", 380953, 1073741824, true),
        ("20.2.4", "fresh", 0, 0, true),
        ("20.2.4", "healthy", 40428, 1073741824, true),
        ("20.2.4", "mgr-down", 136860120, 268435456, false),
        ("20.2.4", "never-booted", 0, 0, true),
        ("20.2.4", "no-mgr-yet", 0, 0, false),
        ("20.2.4", "noout", 451265, 1073741824, true),
        ("20.2.4", "one-osd-down", 448204, 1073741824, true),
        ("20.2.4", "stray-down", 138856, 805306368, true),
        ("20.2.4", "two-osds-down", 481659, 1073741824, true),
        ("20.2.4", "used-30", 82320280, 268435456, true),
        ("20.2.4", "used-50", 136860120, 268435456, true),
    ] {
        let usage = Usage {
            used_bytes,
            total_bytes,
            mgr_available,
        };
        let printed = recorded(release, "status", state);
        assert_eq!(
            parse_status(&printed).unwrap().usage,
            usage,
            "{release} {state}"
        );
        untold.remove(&(release.to_owned(), state.to_owned()));
    }
    assert_eq!(untold, BTreeSet::new(), "recorded, but not told above");
}

#[test]
fn osds_are_read_from_every_recorded_tree() {
    let none = (vec![], vec![]);
    let all_up = (vec![0, 1, 2, 3], vec![]);
    let one_down = (vec![0, 2, 3], vec![(1, down(Some("node2"), "down"))]);
    let two_down = (
        vec![0, 3],
        vec![
            (1, down(Some("node2"), "down")),
            (2, down(Some("node1"), "down")),
        ],
    );
    let out = DownOsd {
        out: true,
        ..down(Some("node2"), "down")
    };
    let down_and_out = (vec![0, 3], vec![(1, out), (2, down(Some("node1"), "down"))]);
    let stray = |out| DownOsd {
        out,
        stray: true,
        ..down(None, "down")
    };
    let stray_down = (
        vec![0, 3],
        vec![(1, stray(true)), (2, down(Some("node1"), "down"))],
    );
    let destroyed = (
        vec![0, 3],
        vec![(1, stray(true)), (2, down(Some("node1"), "destroyed"))],
    );
    let without_host = (vec![0, 2, 3], vec![(1, down(None, "down"))]);
    let forgotten = (vec![0, 2, 3], vec![]);
    let mut untold = recorded_states("osd-tree");
    for release in RELEASES {
        // 14.2 gives an OSD no weight until it has booted.
        let never_booted = (vec![], vec![(0, stray(release == "14.2.21"))]);
        for (state, (up, down)) in [
            ("no-mgr-yet", &none),
            ("fresh", &none),
            ("never-booted", &never_booted),
            ("healthy", &all_up),
            ("device-classes", &all_up),
            ("mgr-down", &all_up),
            ("one-osd-down", &one_down),
            ("noout", &one_down),
            ("reweighted", &one_down),
            ("two-osds-down", &two_down),
            ("down-and-out", &down_and_out),
            ("stray-down", &stray_down),
            ("destroyed", &destroyed),
            ("host-in-rack", &one_down),
            ("host-in-two-roots", &one_down),
            ("osd-in-two-roots", &one_down),
            ("osd-in-drawer", &one_down),
            ("osd-below-root", &without_host),
            ("forgotten", &forgotten),
        ] {
            let printed = recorded(release, "osd-tree", state);
            let read = parse_osd_tree(&printed).unwrap();
            let up = up.iter().copied().map(OsdId).collect::<BTreeSet<_>>();
            assert_eq!(read.up, up, "{release} {state}");
            let down = down.iter().map(|(id, osd)| (OsdId(*id), osd.clone()));
            assert_eq!(read.down, down.collect(), "{release} {state}");
            let rack = |host: &str| {
                let in_rack = (state, host) == ("host-in-rack", "node2");
                in_rack.then(|| "rack1".to_owned())
            };
            let hosts = hosts_told(state).iter().map(|(host, up)| {
                let (up, rack) = (*up, rack(host));
                ((*host).to_owned(), Host { up, rack })
            });
            assert_eq!(read.hosts, hosts.collect(), "{release} {state}");
            untold.remove(&(release.to_owned(), state.to_owned()));
        }
    }
    assert_eq!(untold, BTreeSet::new(), "recorded, but not told above");
}

/// The hosts with how many of their OSDs are up, as they are told of a recorded tree.
fn hosts_told(state: &str) -> &'static [(&'static str, u32)] {
    match state {
        // Nothing is down.
        "no-mgr-yet" | "fresh" | "healthy" | "device-classes" | "mgr-down" | "forgotten" => &[],
        // No bucket holds what is down.
        "never-booted" => &[],
        "two-osds-down" | "down-and-out" | "stray-down" | "destroyed" => {
            &[("node1", 1), ("node2", 1)]
        }
        _ => &[("node1", 2), ("node2", 1)],
    }
}

#[test]
fn odd_but_clear_statuses_are_understood() {
    let usage = |used_bytes, total_bytes| Usage {
        used_bytes,
        total_bytes,
        mgr_available: true,
    };
    for (printed, expected) in [
        // As in 14.2: osdmap is nested once more, mgrmap is the whole map.
        (
            r#"{"osdmap":{"osdmap":{"epoch":1,"full":false}},"pgmap":{"bytes_used":1,"bytes_avail":2,"bytes_total":3},
               "mgrmap":{"epoch":2,"active_gid":4,"active_addrs":{"addrvec":[]},"available":true,"standbys":[]}}"#,
            usage(1, 3),
        ),
        (
            r#"{"pgmap":{"bytes_used":1.6e3,"bytes_total":3000.0},"mgrmap":{"available":true}}"#,
            usage(1600, 3000),
        ),
        (
            r#"{"pgmap":{"bytes_used":18446744073709551614,"bytes_total":18446744073709551615},"mgrmap":{"available":true}}"#,
            usage(u64::MAX - 1, u64::MAX),
        ),
        (
            r#"{"pgmap":{"inactive_pgs_ratio":-nan,"bytes_used":1,"bytes_total":3,"x":nan},"mgrmap":{"available":true}}"#,
            usage(1, 3),
        ),
        (
            r#"{"pgmap":{"num_pgs":0},"mgrmap":{"available":true}}"#,
            usage(0, 0),
        ),
        (
            "2026-11-23 WARNING: {all} of this {\"is\": no JSON}\n{\"health\":{}}\n\n\
             {\"pgmap\":{\"bytes_used\":1,\"bytes_total\":3},\"mgrmap\":{\"available\":true}}\nbye {",
            usage(1, 3),
        ),
    ] {
        assert_eq!(
            parse_status(printed.as_bytes()).unwrap().usage,
            expected,
            "{printed}"
        );
    }
}

#[test]
fn a_status_without_what_is_needed_is_an_error_that_names_it() {
    for (printed, error) in [
        ("{}", "the answer has no pgmap"),
        (r#"{"pgmap":{}}"#, "the answer has no mgrmap.available"),
        (
            r#"{"pgmap":{},"mgrmap":{}}"#,
            "the answer has no mgrmap.available",
        ),
        (
            r#"{"pgmap":{"bytes_total":3},"mgrmap":{"available":true}}"#,
            "the answer has no pgmap.bytes_used",
        ),
        (
            r#"{"pgmap":{"bytes_used":nan,"bytes_total":3},"mgrmap":{"available":true}}"#,
            "cannot make sense of the answer: ",
        ),
        (
            r#"{"pgmap":{"bytes_used":-1}}"#,
            "cannot make sense of the answer: -1 is out of the possible range",
        ),
        (
            r#"{"pgmap":{"bytes_used":"1"}}"#,
            "cannot make sense of the answer: invalid type: string \"1\", expected a number",
        ),
        (
            r#"{"pgmap":{"bytes_used":1"#,
            "the answer breaks off after 24 bytes",
        ),
    ] {
        let told = format!("{:#}", parse_status(printed.as_bytes()).unwrap_err());
        assert!(told.starts_with(error), "{printed}: {told}");
    }
}

#[test]
fn every_cut_of_a_recorded_answer_is_an_error() {
    let status = recorded("16.2.15", "status", "healthy");
    let status = status.trim_ascii_end();
    let tree = recorded("18.2.7", "osd-tree", "stray-down");
    let tree = tree.trim_ascii_end();
    for length in 0..status.len() {
        assert!(parse_status(&status[..length]).is_err(), "{length}");
    }
    for length in 0..tree.len() {
        assert!(parse_osd_tree(&tree[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_host_is_the_nearest_one_above_whatever_lies_between() {
    let tree = osds(
        r#"{"nodes":[
            {"id":-1,"name":"default","type":"root","children":[-5]},
            {"id":-5,"name":"rack1","type":"rack","children":[-2]},
            {"id":-2,"name":"node1","type":"host","children":[-3]},
            {"id":-3,"name":"node1-nvme","type":"chassis","children":[0]},
            {"id":0,"name":"osd.0","type":"osd","exists":1,"status":"down","reweight":1.0},
            {"id":-9,"name":"loose","type":"root","children":[1]},
            {"id":1,"name":"osd.1","type":"osd","status":"gone \"fishing\"","reweight":0.0},
            {"id":2,"name":"osd.2","type":"osd","exists":0,"status":"down"},
            {"id":3,"name":"osd.3","type":"osd","status":"up"}
        ]}"#,
    );
    assert_eq!(tree.up, BTreeSet::from([OsdId(3)]));
    let out = DownOsd {
        out: true,
        ..down(None, "gone \"fishing\"")
    };
    let expected = [(OsdId(0), down(Some("node1"), "down")), (OsdId(1), out)];
    assert_eq!(tree.down, BTreeMap::from(expected));
    let host = Host {
        up: 0,
        rack: Some("rack1".to_owned()),
    };
    assert_eq!(tree.hosts, BTreeMap::from([("node1".to_owned(), host)]));
}

#[test]
fn a_host_counts_what_is_up_in_all_its_drawers_and_nothing_twice() {
    let tree = osds(
        r#"{"nodes":[
            {"id":-1,"name":"default","type":"root","children":[-5]},
            {"id":-5,"name":"rack1","type":"rack","children":[-6]},
            {"id":-6,"name":"chassis1","type":"chassis","children":[-2,-7]},
            {"id":-2,"name":"node1","type":"host","children":[-3,-4,1]},
            {"id":-3,"name":"drawer1","type":"drawer","children":[0,-4]},
            {"id":-4,"name":"drawer2","type":"drawer","children":[2,-3]},
            {"id":0,"type":"osd","status":"up"},
            {"id":1,"type":"osd","status":"down"},
            {"id":2,"type":"osd","status":"up"},
            {"id":-7,"name":"empty","type":"host","children":[3]},
            {"id":3,"type":"osd","exists":0,"status":"down"},
            {"id":-8,"name":"other","type":"root","children":[-2]},
            {"id":-2,"name":"node1","type":"host","children":[-3,-4,1]}
        ]}"#,
    );
    let host = Host {
        up: 2,
        rack: Some("rack1".to_owned()),
    };
    assert_eq!(tree.hosts, BTreeMap::from([("node1".to_owned(), host)]));
}

#[test]
fn an_osd_that_is_listed_as_up_and_as_down_is_down() {
    let entry = |status: &str| format!(r#"{{"id":0,"type":"osd","status":"{status}"}}"#);
    for (one, other) in [("up", "down"), ("down", "up")] {
        let (one, other) = (entry(one), entry(other));
        let tree = osds(&format!(r#"{{"nodes":[{one}],"stray":[{other}]}}"#));
        assert_eq!((tree.up.len(), tree.down.len()), (0, 1), "{one} {other}");
    }
}

#[test]
fn an_osd_below_two_roots_counts_once_and_has_its_host() {
    let tree = osds(
        r#"{"nodes":[
            {"id":-1,"name":"fast","type":"root","children":[0]},
            {"id":0,"type":"osd","status":"down","reweight":1},
            {"id":-2,"name":"default","type":"root","children":[-3]},
            {"id":-3,"name":"node1","type":"host","children":[0]},
            {"id":0,"type":"osd","status":"down","reweight":1}
        ],"stray":[{"id":0,"type":"osd","status":"down","reweight":1}]}"#,
    );
    assert_eq!(
        tree.down,
        BTreeMap::from([(OsdId(0), down(Some("node1"), "down"))])
    );
}

#[test]
fn buckets_in_a_circle_are_no_trap() {
    let tree = osds(
        r#"{"nodes":[
            {"id":-1,"name":"a","type":"rack","children":[-2,0]},
            {"id":-2,"name":"b","type":"rack","children":[-1]},
            {"id":0,"type":"osd","status":"down"}
        ],"stray":null}"#,
    );
    assert_eq!(tree.down, BTreeMap::from([(OsdId(0), down(None, "down"))]));
}

#[test]
fn a_tree_without_what_is_needed_is_an_error_that_names_it() {
    for (printed, error) in [
        ("{}", "the answer has no nodes"),
        (r#"{"stray":[]}"#, "the answer has no nodes"),
        (
            r#"{"nodes":[{"type":"osd","id":4}]}"#,
            "osd.4 has no status in the answer",
        ),
        (
            r#"{"nodes":[{"type":"osd","status":"up"}]}"#,
            "an OSD in the answer has no id",
        ),
    ] {
        let told = parse_osd_tree(printed.as_bytes()).unwrap_err();
        assert_eq!(told.to_string(), error, "{printed}");
    }
    assert_eq!(osds(r#"{"nodes":[]}"#), OsdTree::default());
}

#[test]
fn the_cli_is_asked_in_its_own_order() {
    let mut settings = settings(&["ceph"]);
    let arguments = |settings: &settings::Ceph| {
        let command = cli_command(settings, Question::OsdTree).unwrap();
        let arguments: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
        arguments.join(OsStr::new(" "))
    };
    assert_eq!(
        arguments(&settings),
        "--connect-timeout 28 osd tree --format json"
    );
    settings.conf = Some(PathBuf::from("/c"));
    settings.name = Some("client.petanotify".to_owned());
    settings.keyring = Some(PathBuf::from("/k"));
    for (timeout_ms, connect_timeout) in [(100, 1), (3000, 1), (4999, 2), (20_000, 18)] {
        settings.timeout = Duration::from_millis(timeout_ms);
        assert_eq!(
            arguments(&settings).to_str().unwrap(),
            format!(
                "--conf /c --name client.petanotify --keyring /k --connect-timeout {connect_timeout} osd tree --format json"
            )
        );
    }
}

#[test]
fn the_answer_of_the_cli_is_read() {
    let settings = cli(
        r#"echo; echo '{"pgmap":{"bytes_used":1,"bytes_total":2},"mgrmap":{"available":true}}'"#,
    );
    assert_eq!(status(&settings, &log()).unwrap().usage.total_bytes, 2);
    let settings = cli(r#"echo '{"nodes":[]}'; setsid sleep 2 &"#);
    assert_eq!(
        osd_tree(&settings, Wanted::default(), &log()).unwrap(),
        OsdTree::default()
    );
}

#[test]
fn a_failure_is_told_in_the_words_of_the_cli_and_what_to_do() {
    let with_name = |script: &str| settings::Ceph {
        name: Some("client.petanotify".to_owned()),
        keyring: Some(PathBuf::from("/etc/k")),
        ..cli(script)
    };
    for (settings, error) in [
        (
            settings(&["/nonexistent/ceph"]),
            "ceph status: cannot run /nonexistent/ceph: No such file or directory (os error 2); \
             is the package ceph-common installed? else set ceph.command",
        ),
        (
            settings(&["/dev/null"]),
            "ceph status: cannot run /dev/null: Permission denied (os error 13); \
             may this user execute it? else set ceph.command",
        ),
        (
            with_name(
                "echo x >&2; echo '[errno 13] RADOS permission denied (error connecting to the cluster)' >&2; echo >&2; exit 13",
            ),
            "ceph status: exit 13: [errno 13] RADOS permission denied (error connecting to the cluster); \
             may this user read the keyring of client.petanotify (/etc/k), and does it hold the key that Ceph knows? \
             `ceph auth get-or-create client.petanotify mon 'allow r'` makes one that is enough",
        ),
        (
            cli("echo '[errno 13] RADOS permission denied' >&2; exit 13"),
            "ceph status: exit 13: [errno 13] RADOS permission denied; \
             may this user read the keyring of client.admin, and does it hold the key that Ceph knows? \
             `ceph auth get-or-create client.petanotify mon 'allow r'` makes one that is enough",
        ),
        // A key that the monitors know and that may do less.
        (
            with_name("echo 'Error EACCES: access denied' >&2; exit 13"),
            "ceph status: exit 13: Error EACCES: access denied; \
             `ceph auth caps client.petanotify mon 'allow r'` gives the key enough rights",
        ),
        (
            cli("echo 'timed out' >&2; exit 1"),
            "ceph status: exit 1: timed out; \
             no monitor answers: are the monitors in /etc/ceph/ceph.conf running, and reachable from here?",
        ),
        (
            cli(
                "echo \"Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)')\" >&2; exit 1",
            ),
            "ceph status: exit 1: Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)'); \
             is /etc/ceph/ceph.conf there, and may this user read it? else set ceph.conf",
        ),
        (
            cli(
                "echo \"Error initializing cluster client: InvalidArgumentError('RADOS invalid argument (error calling conf_read_file)')\" >&2; exit 1",
            ),
            "ceph status: exit 1: Error initializing cluster client: InvalidArgumentError('RADOS invalid argument (error calling conf_read_file)'); \
             /etc/ceph/ceph.conf can't be understood",
        ),
        (
            cli(
                "echo '[errno 2] RADOS object not found (error connecting to the cluster)' >&2; exit 1",
            ),
            "ceph status: exit 1: [errno 2] RADOS object not found (error connecting to the cluster); \
             no monitor is known: does /etc/ceph/ceph.conf name them in mon_host, and can their names be resolved?",
        ),
        (
            cli(
                "echo 'server name not found: mon1 (Name or service not known)'; echo '[errno 22] RADOS invalid argument' >&2; exit 1",
            ),
            "ceph status: exit 1: [errno 22] RADOS invalid argument; \
             it printed \"server name not found: mon1 (Name or service not known)\"; \
             no monitor is known: does /etc/ceph/ceph.conf name them in mon_host, and can their names be resolved?",
        ),
        // As 14.2 words it, whose CLI may also crash at its end once no monitor has answered.
        (
            with_name("echo '[errno 13] error connecting to the cluster' >&2; exit 13"),
            "ceph status: exit 13: [errno 13] error connecting to the cluster; \
             may this user read the keyring of client.petanotify (/etc/k), and does it hold the key that Ceph knows? \
             `ceph auth get-or-create client.petanotify mon 'allow r'` makes one that is enough",
        ),
        (
            cli(
                "echo \"Error initializing cluster client: ObjectNotFound('error calling conf_read_file')\" >&2; exit 1",
            ),
            "ceph status: exit 1: Error initializing cluster client: ObjectNotFound('error calling conf_read_file'); \
             is /etc/ceph/ceph.conf there, and may this user read it? else set ceph.conf",
        ),
        (
            cli("echo 'timed out' >&2; kill -SEGV $$"),
            "ceph status: ended by signal 11 (SIGSEGV): timed out; \
             no monitor answers: are the monitors in /etc/ceph/ceph.conf running, and reachable from here?",
        ),
        (
            with_name("echo '[errno 5] error connecting to the cluster' >&2; exit 1"),
            "ceph status: exit 1: [errno 5] error connecting to the cluster; \
             the key in the keyring of client.petanotify (/etc/k) is broken",
        ),
        // As 20.2 words it.
        (
            with_name(
                "echo '2026-11-23T05:54:23.640+0000 7f1a826e76c0 -1 auth: error parsing file /etc/k: \
                 error setting modifier for [client.petanotify] type=key val=abc: Malformed input [buffer:3]' >&2; \
                 echo '[errno 13] RADOS permission denied (error connecting to the cluster)' >&2; exit 13",
            ),
            "ceph status: exit 13: [errno 13] RADOS permission denied (error connecting to the cluster); \
             the key in the keyring of client.petanotify (/etc/k) is broken",
        ),
        (cli("exit 7"), "ceph status: exit 7"),
        (
            cli("kill -SEGV $$"),
            "ceph status: ended by signal 11 (SIGSEGV)",
        ),
        (cli("kill -40 $$"), "ceph status: ended by signal 40"),
        (cli("true"), "ceph status: it printed nothing"),
        (
            cli("echo oops >&2"),
            "ceph status: it printed nothing; its last words: \"oops\"",
        ),
        (
            cli("echo '{\"pgmap\":{'"),
            "ceph status: the answer breaks off after 10 bytes",
        ),
    ] {
        assert_eq!(told(&settings), error);
    }
}

#[test]
fn the_release_is_read() {
    let bullseye =
        b"ceph version 14.2.21 (5ef401921d7a88aea18ec7558f7f9374ebd8f5a6) nautilus (stable)\n";
    assert_eq!(parse_version(bullseye).unwrap(), "14.2.21");
    let wrapped = b"Inferring fsid\nceph version 18.2.7 (abc) reef (stable)\n";
    assert_eq!(parse_version(wrapped).unwrap(), "18.2.7");
    let error = parse_version(b"usage: ceph\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "it printed \"usage: ceph\", and no version"
    );
}

#[test]
fn the_clocks_of_the_monitors_are_read() {
    let three = br#"{"time_skew_status":{"a":{"skew":0,"latency":0,"health":"HEALTH_OK"},
        "b":{"skew":-1.25e-1,"latency":0.00086449699999999999,"health":"HEALTH_WARN"},
        "c":{"skew":0,"latency":0.0054794049999999997,"health":"HEALTH_OK"}},
        "timechecks":{"epoch":12,"round":2,"round_status":"finished"}}"#;
    let clocks = parse_clocks(three).unwrap();
    assert_eq!(clocks.apart, ["b"]);
    let skews: Vec<f64> = clocks.skew_seconds.into_values().collect();
    assert_eq!(skews, [0.0, -0.125, 0.0]);
    let one = br#"{"timechecks":{"epoch":3,"round":0,"round_status":"finished"}}"#;
    assert_eq!(parse_clocks(one).unwrap(), MonitorClocks::default());
    assert!(parse_clocks(b"[errno 13]").is_err());
}

#[test]
fn the_deadline_is_told() {
    let settings = settings::Ceph {
        timeout: Duration::from_millis(300),
        ..cli("echo connecting >&2; sleep 655.25")
    };
    assert_eq!(
        told(&settings),
        "ceph status: no answer within 0.3 s, so it was ended, its last words: \"connecting\"; \
         do the monitors answer `ceph status` by hand? (ceph.timeout)"
    );
}

#[test]
fn an_endless_answer_is_told() {
    assert_eq!(
        told(&cli("yes '{'")),
        "ceph status: its answer is too long: more than 16 MiB, so it was ended; what does `ceph status` print by hand?"
    );
}

#[test]
fn a_missing_interpreter_is_not_mistaken_for_a_missing_cli() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("ceph");
    // Written by another process: a copy of a file open for writing, inherited by what other tests start just now, would make it
    // busy.
    let write = r#"printf '#!/nonexistent/python3\n' >"$1" && chmod 755 "$1""#;
    let status = Command::new("sh")
        .args(["-c", write, "sh"])
        .arg(&script)
        .status();
    assert!(status.unwrap().success());
    let error = told(&settings(&[script.to_str().unwrap()]));
    assert!(
        error.ends_with("(os error 2); the interpreter that its first line names is not installed"),
        "{error}"
    );
}

fn health_of(printed: &[u8]) -> Result<Health, String> {
    health::parse_health(printed).map_err(|error| format!("{error:#}"))
}

#[test]
fn the_health_of_every_release_is_read_beside_the_space() {
    for release in RELEASES {
        for state in ["healthy", "mgr-down", "noout", "two-osds-down", "fresh"] {
            let printed = recorded(release, "status", state);
            let (usage, health) = health::parse_status_and_health(&printed).unwrap();
            assert_eq!(usage.unwrap(), parse_status(&printed).unwrap());
            let answer: serde_json::Value = serde_json::from_slice(&printed).unwrap();
            let codes = answer["health"]["checks"].as_object().unwrap().keys();
            let health = health.unwrap();
            assert!(health.checks.keys().eq(codes), "{release} {state}");
            assert!(health.muted.is_empty());
        }
        let health = health_of(&recorded(release, "status", "two-osds-down")).unwrap();
        let expected = HealthCheck {
            severity: HealthSeverity::Warning,
            summary: "2 osds down".to_owned(),
        };
        assert_eq!(health.checks["OSD_DOWN"], expected, "{release}");
    }
}

#[test]
fn odd_health_is_told_from_good_health() {
    let whole = |checks: &str| {
        format!(
            r#"{{"health":{{"status":"HEALTH_ERR","checks":{checks}}},"pgmap":{{}},"mgrmap":{{"available":true}}}}"#
        )
    };
    let health = health_of(
        whole(
            r#"{"A":{"severity":"HEALTH_ERR","summary":{"message":"a\nb \u001b[1m","count":3},"muted":true,"detail":[]},
                "B":{"severity":"HEALTH_WORSE"}}"#,
        )
        .as_bytes(),
    )
    .unwrap();
    assert_eq!(health.muted, ["A".to_owned()].into());
    let of = |severity, summary: &str| HealthCheck {
        severity,
        summary: summary.to_owned(),
    };
    assert_eq!(health.checks["A"], of(HealthSeverity::Error, "a b [1m"));
    assert_eq!(health.checks["B"], of(HealthSeverity::Warning, ""));
    assert_eq!(health_of(whole("{}").as_bytes()), Ok(Health::default()));
    for (printed, error) in [
        (whole("null"), "the answer has no health.checks"),
        (
            r#"{"pgmap":{},"mgrmap":{"available":true}}"#.to_owned(),
            "the answer has no health.checks",
        ),
        (whole(r#"{"A":{}}"#), "\"A\" has no severity in the answer"),
        (
            whole("[1]"),
            "cannot make sense of the answer: invalid type",
        ),
        ("{}".to_owned(), "the answer has no health.checks"),
        (String::new(), "it printed nothing"),
    ] {
        let told = health_of(printed.as_bytes()).unwrap_err();
        assert!(told.starts_with(error), "{printed}: {told}");
    }
    // Either is told without the other.
    let good = "{\"checks\":{}}";
    let space = r#""pgmap":{"bytes_used":1,"bytes_total":3},"mgrmap":{"available":true}"#;
    for (printed, usage_is_told, health_is_told) in [
        (format!("{{\"health\":{good},{space}}}"), true, true),
        (format!("{{\"health\":{good}}}"), false, true),
        (format!("{{\"health\":[],{space}}}"), true, false),
    ] {
        let (usage, health) = health::parse_status_and_health(printed.as_bytes()).unwrap();
        let told = (usage.is_ok(), health.is_ok());
        assert_eq!(told, (usage_is_told, health_is_told), "{printed}");
    }
    assert!(health::parse_status_and_health(b"{}").is_err());
}

#[test]
fn space_and_health_are_asked_with_one_call() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let answer = r#"{"health":{"checks":{}},"pgmap":{"bytes_used":1,"bytes_total":2},"mgrmap":{"available":true}}"#;
    let settings = cli(&format!("echo x >> {}; echo '{answer}'", calls.display()));
    for (usage, health, asked) in [
        (true, true, 1),
        (false, true, 2),
        (true, false, 3),
        (false, false, 3),
    ] {
        let wanted = Wanted {
            usage,
            health,
            ..Wanted::default()
        };
        let answers = ask(&settings, wanted, &log());
        assert_eq!(
            answers.status.map(|answer| answer.is_ok()),
            (usage || health).then_some(true)
        );
        assert_eq!(
            answers.health.map(|answer| answer.is_ok()),
            health.then_some(true)
        );
        let calls = fs::read_to_string(&calls).unwrap();
        assert_eq!(calls.lines().count(), asked, "{usage} {health}");
    }
    let wanted = Wanted {
        usage: true,
        health: true,
        ..Wanted::default()
    };
    let answers = ask(&cli("echo timed out >&2; exit 1"), wanted, &log());
    let told = [
        answers.status.unwrap().unwrap_err(),
        answers.health.unwrap().unwrap_err(),
    ];
    for error in told {
        let told = format!("{error:#}");
        assert!(
            told.starts_with("ceph status: exit 1: timed out; no monitor answers"),
            "{told}"
        );
    }
}
