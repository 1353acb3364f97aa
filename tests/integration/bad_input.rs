//! Everything that comes from outside can be wrong. Whatever it is: a clear line with a cause to act on, nothing lost,
//! no panic, the other checks and mails unaffected.
//!
//! `cargo test --test integration -- --nocapture bad_input` prints each bad input with the exit status and the line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use crate::ceph::{Behaviour, Question, recorded, status, tree};
use crate::certificates::{Authority, Identity};
use crate::cluster::{Cluster, Run};
use crate::consul::{self, MEMBERS, Member, NODES};
use crate::relay::{Fault, Stage, Tls, says};

const NODE_DOWN: &str = "[prod] node down: node5";
const OSD_DOWN: &str = "[prod] 1 OSD down on node2: osd.1";
const PASSWORD: &str = "correct horse";

type Step = Box<dyn Fn(&mut Cluster) + Send + Sync>;

/// One bad input and what petanotify makes of it.
struct Case {
    input: String,
    arrange: Step,
    exit: i32,
    /// What one line of standard error holds; empty where nothing is to be said.
    says: Vec<String>,
    then: Step,
}

fn case(
    input: &str,
    exit: i32,
    says: &[&str],
    arrange: impl Fn(&mut Cluster) + Send + Sync + 'static,
) -> Case {
    Case {
        input: input.to_owned(),
        arrange: Box::new(arrange),
        exit,
        says: says.iter().map(ToString::to_string).collect(),
        then: Box::new(|_| {}),
    }
}

impl Case {
    /// What must hold after the pass.
    fn then(mut self, then: impl Fn(&mut Cluster) + Send + Sync + 'static) -> Self {
        self.then = Box::new(then);
        self
    }

    fn carry_out(&self, before: fn(&mut Cluster), after: fn(&mut Cluster)) -> String {
        let mut cluster = Cluster::new();
        before(&mut cluster);
        (self.arrange)(&mut cluster);
        let run = cluster.check();
        let line = self.judge(&run);
        let line = line.replace(cluster.folder().to_str().unwrap(), "…");
        let line = line.replace(&cluster.relay.port().to_string(), "PORT");
        let line = line.replace(&cluster.consul.port().to_string(), "PORT");
        after(&mut cluster);
        (self.then)(&mut cluster);
        line
    }

    fn judge(&self, run: &Run) -> String {
        run.exits(self.exit);
        assert_eq!(run.stdout, "", "standard output is for data");
        let lines: Vec<&str> = run.stderr.lines().collect();
        assert!(lines.len() < 12, "too much is said:\n{}", run.stderr);
        for line in lines {
            assert!(
                line.starts_with("petanotify: "),
                "one line per event: {line:?}"
            );
            assert!(line.len() < 1000, "{line}");
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(!line.contains(PASSWORD), "{line}");
        }
        if self.says.is_empty() {
            return run.stderr.lines().next().unwrap_or("(nothing)").to_owned();
        }
        let parts: Vec<&str> = self.says.iter().map(String::as_str).collect();
        run.says(&parts);
        run.line_with(&parts).unwrap().to_owned()
    }
}

/// Carries out all cases, several at a time, and prints what came of them as a table.
fn carry_out(title: &str, cases: &[Case], before: fn(&mut Cluster), after: fn(&mut Cluster)) {
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Option<Result<String, ()>>>> = Mutex::new(vec![None; cases.len()]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((index, case)) = take(cases, &next) {
                    let row = catch_unwind(AssertUnwindSafe(|| case.carry_out(before, after)));
                    if row.is_err() {
                        println!("^^^^^ {title}: {}\n", case.input);
                    }
                    rows.lock().unwrap()[index] = Some(row.map_err(drop));
                }
            });
        }
    });
    let mut table = format!("\n| {title} | exit | line |\n| --- | --- | --- |\n");
    let mut failed = Vec::new();
    for (case, row) in cases.iter().zip(rows.into_inner().unwrap()) {
        match row {
            Some(Ok(line)) => {
                let line = line.replace('|', "\\|");
                table += &format!("| {} | {} | `{line}` |\n", case.input, case.exit);
            }
            _ => failed.push(case.input.as_str()),
        }
    }
    println!("{table}");
    assert!(failed.is_empty(), "{title}: {failed:#?}");
}

fn take<'a>(cases: &'a [Case], next: &AtomicUsize) -> Option<(usize, &'a Case)> {
    let index = next.fetch_add(1, Ordering::SeqCst);
    cases.get(index).map(|case| (index, case))
}

fn node_down(cluster: &Cluster) {
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
}

fn osd_down(cluster: &Cluster) {
    cluster.ceph.situation("18.2.7", "one-osd-down");
}

/// A secret's file with this mode.
fn secret(cluster: &mut Cluster, mode: u32) {
    let file = cluster.file("password", &format!("{PASSWORD}\n"), mode);
    cluster.set("smtp.password_file", &format!("\"{}\"", file.display()));
}

#[test]
fn config() {
    let set = |input: &str, key: &'static str, value: &'static str, says: &[&str]| {
        let name = key.rsplit('.').next().unwrap();
        let parts: Vec<&str> = ["petanotify.toml", "line", name]
            .iter()
            .chain(says)
            .copied()
            .collect();
        case(input, 78, &parts, move |cluster| cluster.set(key, value))
    };
    let text = |input: &str, before: &'static str, after: &'static str, says: &[&str]| {
        case(input, 78, says, move |cluster| {
            cluster.write_config_around(before, after)
        })
    };
    let warn = "checks.capacity.warn_percent";
    let cases = [
        case(
            "no file at `--config`",
            78,
            &["petanotify.toml", "--config"],
            |cluster| {
                fs::remove_file(cluster.config_file()).unwrap();
            },
        ),
        case(
            "no file at `$PETANOTIFY_CONFIG`",
            78,
            &["gone.toml", "PETANOTIFY_CONFIG"],
            |cluster| {
                cluster.without_flags();
                cluster.env("PETANOTIFY_CONFIG", "gone.toml");
            },
        ),
        case(
            "a folder as file",
            78,
            &["petanotify.toml", "directory"],
            |cluster| {
                fs::remove_file(cluster.config_file()).unwrap();
                fs::create_dir(cluster.config_file()).unwrap();
            },
        ),
        case(
            "a file that may not be read",
            78,
            &["petanotify.toml", "Permission denied"],
            |cluster| {
                fs::set_permissions(cluster.config_file(), fs::Permissions::from_mode(0o000))
                    .unwrap();
                cluster.as_nobody();
            },
        ),
        case("no UTF-8", 78, &["petanotify.toml", "UTF-8"], |cluster| {
            cluster.write_config(b"[cluster]\nname = \"\xff\"\n")
        }),
        text(
            "broken TOML: no closing bracket",
            "[notify\n",
            "",
            &["petanotify.toml", "line 1", "column 8"],
        ),
        text(
            "broken TOML: text without quotes",
            "\n[state]\n  file = here\n",
            "",
            &["petanotify.toml", "line 3", "column"],
        ),
        text(
            "broken TOML: a key twice",
            "[notify]\nrecovery = true\nrecovery = false\n",
            "",
            &["petanotify.toml", "line 3", "duplicate"],
        ),
        text(
            "broken TOML: a section twice",
            "[notify]\n",
            "[notify]\n",
            &["petanotify.toml", "line", "notify"],
        ),
        text(
            "unknown key",
            "[notify]\nrecover = true\n",
            "",
            &["petanotify.toml", "line 2", "notify.recover", "recovery"],
        ),
        text(
            "unknown key of a recipient",
            "",
            "adress = \"a@example.org\"\n",
            &["petanotify.toml", "adress", "address"],
        ),
        text(
            "unknown section",
            "[check.osds]\nenabled = true\n",
            "",
            &["petanotify.toml", "line 1", "check", "checks"],
        ),
        text(
            "key outside of any section",
            "timeout = \"5s\"\n",
            "",
            &["petanotify.toml", "line 1", "timeout"],
        ),
        case(
            "a secret in the file itself",
            78,
            &["petanotify.toml", "smtp.password", "password_file"],
            |cluster| {
                cluster.set("smtp.password", &format!("\"{PASSWORD}\""));
            },
        ),
        set(
            "wrong type: a port in quotes",
            "smtp.port",
            "\"25\"",
            &["number"],
        ),
        set(
            "wrong type: a switch in quotes",
            "checks.osds.enabled",
            "\"yes\"",
            &["true or false"],
        ),
        set(
            "wrong type: a command without a list",
            "ceph.command",
            "\"ceph\"",
            &["list"],
        ),
        set(
            "wrong type: a number as text",
            "cluster.name",
            "5",
            &["text"],
        ),
        set("port 0", "smtp.port", "0", &["1 to 65535"]),
        set("port 70000", "smtp.port", "70000", &["1 to 65535"]),
        set("threshold 0", warn, "0", &["0", "100"]),
        set("threshold 101", warn, "101", &["101", "100"]),
        set("threshold -5", warn, "-5.0", &["-5", "100"]),
        set("threshold NaN", warn, "nan", &["nan", "100"]),
        set(
            "threshold infinite",
            "checks.capacity.critical_percent",
            "inf",
            &["inf", "100"],
        ),
        set(
            "warn above critical",
            warn,
            "90",
            &["90", "critical_percent", "85"],
        ),
        set(
            "critical below warn",
            "checks.capacity.critical_percent",
            "50",
            &["50", "warn_percent", "60"],
        ),
        set(
            "margin as wide as the threshold",
            "checks.capacity.clear_margin_percent",
            "60",
            &["warn_percent"],
        ),
        set("hold_passes 0", "checks.nodes.hold_passes", "0", &["1 to"]),
        set("max_attempts 0", "smtp.max_attempts", "0", &["1 to"]),
        set("a duration without unit", "ceph.timeout", "\"20\"", &["20"]),
        set(
            "a duration in an unknown unit",
            "ceph.timeout",
            "\"2 parsecs\"",
            &["parsecs"],
        ),
        set("a duration of nothing", "consul.timeout", "\"0s\"", &["0s"]),
        set(
            "a duration that is no text",
            "notify.blind_after",
            "true",
            &[],
        ),
        set(
            "a security that is none",
            "smtp.security",
            "\"ssl\"",
            &["starttls", "tls", "none"],
        ),
        set(
            "a check that is none",
            "notify.remind_every",
            "\"never\"",
            &["off"],
        ),
        set(
            "a bad sender",
            "smtp.from",
            "\"storage at example.org\"",
            &["storage at example.org"],
        ),
        set(
            "a sender with a line break",
            "smtp.from",
            "\"a@example.org\\r\\nBcc: b@example.org\"",
            &[],
        ),
        set(
            "a cluster name with a line break",
            "cluster.name",
            "\"prod\\nBcc: b@example.org\"",
            &["line break"],
        ),
        set("an empty host", "smtp.host", "\"\"", &["empty"]),
        set(
            "an address that is no URL",
            "consul.address",
            "\"ftp://127.0.0.1\"",
            &["http://", "https://"],
        ),
        case(
            "a bad address",
            78,
            &["petanotify.toml", "line", "address", "ops.example.org"],
            |cluster| {
                cluster.recipients(&["ops.example.org"]);
            },
        ),
        case(
            "an address with a line break",
            78,
            &["petanotify.toml", "line", "address"],
            |cluster| {
                cluster.recipients(&["ops@example.org\\r\\nRCPT TO:<b@example.org>"]);
            },
        ),
        case(
            "a recipient without address",
            78,
            &["petanotify.toml", "line", "address", "missing"],
            |cluster| {
                cluster.write_config_around("", "[[recipient]]\nchecks = [\"osds\"]\n");
            },
        ),
        case(
            "an unknown check of a recipient",
            78,
            &["petanotify.toml", "checks", "disks", "osds"],
            |cluster| {
                cluster.recipient_for("a@example.org", "[\"disks\"]");
            },
        ),
        case(
            "no password file",
            78,
            &[
                "petanotify.toml",
                "line",
                "password_file",
                "password",
                "No such file",
            ],
            |cluster| {
                cluster.set("smtp.username", "\"storage\"");
                cluster.set("smtp.allow_plain_login", "true");
                secret(cluster, 0o600);
                fs::remove_file(cluster.folder().join("password")).unwrap();
            },
        ),
        case(
            "a password file that may not be read",
            78,
            &["petanotify.toml", "password_file", "Permission denied"],
            |cluster| {
                cluster.set("smtp.username", "\"storage\"");
                cluster.set("smtp.allow_plain_login", "true");
                secret(cluster, 0);
                cluster.as_nobody();
            },
        ),
        case(
            "an empty password file",
            78,
            &["petanotify.toml", "password_file", "empty"],
            |cluster| {
                cluster.set("smtp.username", "\"storage\"");
                cluster.set("smtp.allow_plain_login", "true");
                secret(cluster, 0o600);
                cluster.file("password", "", 0o600);
            },
        ),
        case(
            "a login that would go out without TLS",
            78,
            &["petanotify.toml", "username", "allow_plain_login"],
            |cluster| {
                cluster.set("smtp.username", "\"storage\"");
                secret(cluster, 0o600);
            },
        ),
        case(
            "no token file",
            78,
            &["petanotify.toml", "token_file", "No such file"],
            |cluster| {
                cluster.set("consul.token_file", "\"gone\"");
            },
        ),
        case(
            "`CONSUL_HTTP_ADDR` that is none",
            78,
            &["CONSUL_HTTP_ADDR"],
            |cluster| {
                cluster.unset("consul.address");
                cluster.env("CONSUL_HTTP_ADDR", "http://");
            },
        ),
    ];
    carry_out(
        "configuration",
        &cases,
        |cluster| osd_down(cluster),
        |cluster| {
            assert!(
                cluster.state_names().is_empty(),
                "{:?}",
                cluster.state_names()
            );
            assert!(cluster.relay.connections().is_empty());
            assert!(cluster.ceph.calls().is_empty());
        },
    );
}

#[test]
fn config_warnings() {
    let cases = [
        case(
            "a password file that everybody may read",
            0,
            &["warning", "password", "chmod 600"],
            |cluster| {
                cluster.relay.require_login("storage", PASSWORD);
                cluster.set("smtp.username", "\"storage\"");
                cluster.set("smtp.allow_plain_login", "true");
                secret(cluster, 0o644);
            },
        ),
        case(
            "`verify = false`",
            0,
            &["warning", "smtp.verify"],
            |cluster| cluster.set("smtp.verify", "false"),
        ),
    ];
    carry_out(
        "configuration, warnings",
        &cases,
        |cluster| osd_down(cluster),
        |cluster| {
            assert_eq!(cluster.relay.mails().len(), 1);
        },
    );
}

#[test]
fn ceph() {
    let both = |input: &str, says: &[&str], behaviour: Behaviour| {
        let parts: Vec<&str> = ["error", "ceph"].iter().chain(says).copied().collect();
        case(input, 1, &parts, move |cluster| {
            cluster.ceph.does_both(&behaviour)
        })
    };
    let fails = |input: &str, says: &[&str], exit: i32, stderr: &str| {
        both(
            input,
            says,
            Behaviour::Fail {
                stdout: Vec::new(),
                stderr: stderr.to_owned(),
                exit,
            },
        )
    };
    let capacity = |input: &str, says: &[&str], answer: Vec<u8>| {
        let parts: Vec<&str> = ["error", "capacity", "ceph status"]
            .iter()
            .chain(says)
            .copied()
            .collect();
        case(input, 1, &parts, move |cluster| {
            cluster.ceph.capacity(answer.clone())
        })
    };
    let osds = |input: &str, says: &[&str], answer: Vec<u8>| {
        let parts: Vec<&str> = ["error", "osds", "ceph osd tree"]
            .iter()
            .chain(says)
            .copied()
            .collect();
        case(input, 1, &parts, move |cluster| {
            cluster.ceph.osds(answer.clone())
        })
    };
    let hangs = |input: &str, behaviour: Behaviour| {
        case(
            input,
            1,
            &["error", "osds", "1 s", "ceph.timeout"],
            move |cluster| {
                cluster.set("ceph.timeout", "\"1s\"");
                cluster.ceph.does(Question::OsdTree, &behaviour);
            },
        )
        .then(|cluster| {
            assert_eq!(
                cluster.ceph.processes(),
                Vec::<String>::new(),
                "the CLI and its children are ended"
            )
        })
    };
    let healthy = recorded("18.2.7/osd-tree.healthy");
    let half = healthy[..healthy.len() / 2].to_vec();
    let forbidden = "2026-11-23T02:14:00.000+0000 7f1 -1 auth: unable to find a keyring\n[errno 13] RADOS permission denied (error connecting to the cluster)\n";
    let no_conf = "Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)')\n";
    let cases = [
        case("not installed", 1, &["error", "osds", "ceph"], |cluster| {
            cluster.ceph.uninstall()
        }),
        case(
            "not executable",
            1,
            &["error", "osds", "ceph", "Permission denied"],
            |cluster| cluster.ceph.make_executable(false),
        ),
        fails(
            "wrong key",
            &["13", "[errno 13] RADOS permission denied"],
            13,
            forbidden,
        ),
        fails("monitor gone", &["timed out"], 1, "timed out\n"),
        fails("no ceph.conf", &["ObjectNotFound"], 1, no_conf),
        fails("fails without a word", &["exit", "22"], 22, ""),
        hangs("hangs", Behaviour::Hang),
        hangs("hangs and ignores SIGTERM", Behaviour::HangDeaf),
        hangs(
            "hangs after half a document",
            Behaviour::HangHalfway(healthy.clone()),
        ),
        hangs(
            "hangs with a child that holds its stdout",
            Behaviour::HangWithChild,
        ),
        both("dies by SIGKILL", &["signal", "9"], Behaviour::Signal(9)),
        both("dies by SIGSEGV", &["signal", "11"], Behaviour::Signal(11)),
        both("prints nothing", &["osds"], Behaviour::Answer(Vec::new())),
        both(
            "prints garbage",
            &["osds"],
            Behaviour::Answer(b"\x00\xff\x1b[31mgarbage\r\n".to_vec()),
        ),
        both(
            "prints HTML",
            &["osds"],
            Behaviour::Answer(b"<html><body>503</body></html>".to_vec()),
        ),
        both("prints half a document", &["osds"], Behaviour::Answer(half)),
        both(
            "prints another document: null",
            &["osds"],
            Behaviour::Answer(b"null".to_vec()),
        ),
        both(
            "prints another document: a list",
            &["osds"],
            Behaviour::Answer(b"[]".to_vec()),
        ),
        both(
            "prints another document: an empty object",
            &["osds"],
            Behaviour::Answer(b"{}".to_vec()),
        ),
        both(
            "prints 1 MB of opening brackets",
            &["osds"],
            Behaviour::Answer(b"[".repeat(1_000_000)),
        ),
        both("prints 200 MB", &["osds"], Behaviour::Garbage(200_000_000)),
        both("prints without an end", &["osds"], Behaviour::Endless),
        case(
            "complains without an end",
            1,
            &["error", "osds", "ceph"],
            |cluster| {
                cluster.set("ceph.timeout", "\"2s\"");
                cluster.ceph.does_both(&Behaviour::EndlessComplaint);
            },
        ),
        both(
            "answers, but exits 1",
            &["osds", "1"],
            Behaviour::Fail {
                stdout: healthy.clone(),
                stderr: "Error EPERM: no".to_owned(),
                exit: 1,
            },
        ),
        capacity("`bytes_total` 0", &["bytes_total"], status(0, 0, true)),
        capacity(
            "no active manager",
            &["mgrmap.available"],
            status(1, 100, false),
        ),
        capacity(
            "`bytes_used` negative",
            &["-1"],
            replaced(
                &status(1, 100, true),
                "\"bytes_used\":1,",
                "\"bytes_used\":-1,",
            ),
        ),
        capacity(
            "`bytes_used` a text",
            &["string"],
            replaced(
                &status(1, 100, true),
                "\"bytes_used\":1,",
                "\"bytes_used\":\"1\",",
            ),
        ),
        capacity(
            "no `pgmap`",
            &["pgmap"],
            replaced(&status(1, 100, true), "\"pgmap\"", "\"pigmap\""),
        ),
        osds(
            "no `nodes`",
            &["nodes"],
            replaced(&healthy, "\"nodes\"", "\"knots\""),
        ),
        osds(
            "an OSD without status",
            &["status"],
            replaced(&healthy, "\"status\":\"up\"", "\"state\":\"up\""),
        ),
    ];
    carry_out(
        "Ceph",
        &cases,
        |cluster| node_down(cluster),
        |cluster| {
            let mails = cluster.relay.take_mails();
            assert_eq!(
                mails.len(),
                1,
                "the other check and its mail are unaffected"
            );
            assert_eq!(mails[0].subject(), NODE_DOWN);
            assert_eq!(cluster.ceph.processes(), Vec::<String>::new());
        },
    );
}

/// The answer with every `from` replaced.
fn replaced(answer: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(answer).unwrap();
    let changed = text.replace(from, to);
    assert_ne!(changed, text, "no {from} in {text}");
    changed.into_bytes()
}

#[test]
fn ceph_oddities() {
    let down = || recorded("18.2.7/osd-tree.one-osd-down");
    let chatter = "2026-11-23T02:14:00.000+0000 7f1 -1 WARNING: all dangerous features are on\n*** DEVELOPER MODE ***\n";
    let stderr_only = Behaviour::Fail {
        stdout: down(),
        stderr: chatter.to_owned(),
        exit: 0,
    };
    let before_json = Behaviour::Answer([chatter.as_bytes(), &down()].concat());
    let bom = Behaviour::Answer([b"\xef\xbb\xbf\n\n".as_slice(), &down(), b"\n\n"].concat());
    let oddity = |input: &str, behaviour: Behaviour| {
        case(input, 0, &[], move |cluster| {
            cluster.ceph.does(Question::OsdTree, &behaviour)
        })
    };
    let cases = [
        oddity("warnings on stderr", stderr_only),
        oddity("warnings before the JSON", before_json),
        oddity("byte order mark and empty lines", bom),
        oddity(
            "leaves a child that holds its stdout",
            Behaviour::LeaveChild(down()),
        ),
        oddity(
            "leaves a daemon that holds its stdout",
            Behaviour::LeaveDaemon(down()),
        ),
    ];
    carry_out(
        "Ceph, odd but good enough",
        &cases,
        |_| {},
        |cluster| {
            assert_eq!(cluster.relay.mails()[0].subject(), OSD_DOWN);
        },
    );
}

#[test]
fn consul() {
    use consul::Fault as Answer;
    let fault = |input: &str, says: &[&str], path: &'static str, fault: Answer| {
        let parts: Vec<&str> = ["error", "nodes"].iter().chain(says).copied().collect();
        case(input, 1, &parts, move |cluster| {
            cluster.set("consul.timeout", "\"1s\"");
            cluster.consul.fault(path, fault.clone());
        })
    };
    let status = |code: u16, words: &str| Answer::Status(code, words.to_owned());
    let body = |text: &str| Answer::Body(text.as_bytes().to_vec());
    let cases = [
        case(
            "nothing listening",
            1,
            &["error", "nodes", "127.0.0.1:1", "refused"],
            |cluster| {
                cluster.set("consul.address", "\"http://127.0.0.1:1\"");
            },
        ),
        case(
            "no such host",
            1,
            &["error", "nodes", "no-such-host.invalid"],
            |cluster| {
                cluster.set("consul.address", "\"http://no-such-host.invalid:8500\"");
            },
        ),
        case(
            "TLS where there is none",
            1,
            &["error", "nodes", "https://127.0.0.1"],
            |cluster| {
                let address = cluster.consul.address();
                cluster.set("consul.address", &format!("\"https://{address}\""));
            },
        ),
        fault("hangs", &["1 s", "consul.timeout"], NODES, Answer::Hang),
        fault(
            "hangs after the headers",
            &["1 s"],
            NODES,
            Answer::HangAfterHeaders,
        ),
        fault("hangs halfway", &["1 s"], MEMBERS, Answer::HangHalfway),
        fault("one byte a second", &["1 s"], MEMBERS, Answer::Drip),
        fault("an answer without an end", &[], MEMBERS, Answer::Flood),
        fault("hangs up", &[], MEMBERS, Answer::Close),
        fault("hangs up halfway", &[], NODES, Answer::CloseHalfway),
        fault(
            "403",
            &["403", "Permission denied", "token"],
            NODES,
            status(403, "Permission denied"),
        ),
        fault(
            "403 for the members",
            &["403", "Permission denied"],
            MEMBERS,
            status(403, "Permission denied"),
        ),
        fault("404", &["PetaSAN/Nodes/"], NODES, status(404, "")),
        fault(
            "404 for the members",
            &["404", "/v1/agent/members"],
            MEMBERS,
            status(404, "no such path"),
        ),
        fault(
            "500",
            &["500", "rpc error"],
            NODES,
            status(500, "rpc error making call: EOF"),
        ),
        fault(
            "500 `No cluster leader`, stale or not",
            &["No cluster leader"],
            NODES,
            status(500, "No cluster leader"),
        ),
        fault(
            "a long 500",
            &["500"],
            NODES,
            status(500, &"long words ".repeat(100_000)),
        ),
        fault(
            "200 with garbage",
            &[],
            NODES,
            Answer::Body(b"\x00\xff\x1b[31mgarbage\r\n".to_vec()),
        ),
        fault(
            "200 with HTML",
            &[],
            MEMBERS,
            body("<html>log in first</html>"),
        ),
        fault("200 with nothing", &[], NODES, body("")),
        fault("200 with an object", &[], MEMBERS, body("{}")),
        fault(
            "200 with an empty list of members",
            &["members"],
            MEMBERS,
            body("[]"),
        ),
        fault(
            "200 with half a list",
            &[],
            NODES,
            body("[{\"Key\":\"PetaSAN/Nodes/node1\",\"Val"),
        ),
        fault(
            "200 with 1 MB of opening brackets",
            &[],
            NODES,
            body(&"[".repeat(1_000_000)),
        ),
        case(
            "base64 broken",
            1,
            &["error", "PetaSAN/Nodes/node2", "base64"],
            |cluster| {
                cluster.consul.put_base64("PetaSAN/Nodes/node2", "%%%");
            },
        ),
        case(
            "JSON broken",
            1,
            &["error", "PetaSAN/Nodes/node2", "JSON"],
            |cluster| {
                cluster
                    .consul
                    .put_base64("PetaSAN/Nodes/node2", "bm90IEpTT04=");
            },
        ),
        case(
            "no nodes at all",
            1,
            &["error", "nodes", "PetaSAN/Nodes/"],
            |cluster| {
                (1..=5).for_each(|number| {
                    cluster
                        .consul
                        .delete(&format!("PetaSAN/Nodes/node{number}"))
                });
            },
        ),
    ];
    let after = |cluster: &mut Cluster| {
        let mails = cluster.relay.take_mails();
        assert_eq!(
            mails.len(),
            1,
            "the other check and its mail are unaffected"
        );
        assert_eq!(mails[0].subject(), OSD_DOWN);
    };
    carry_out("Consul", &cases, |cluster| osd_down(cluster), after);

    let leaderless = [case(
        "500 `No cluster leader`, but `?stale` answers",
        0,
        &["leader", "stale"],
        |cluster| {
            cluster.consul.lose_leader();
        },
    )];
    carry_out(
        "Consul, leaderless",
        &leaderless,
        |cluster| osd_down(cluster),
        after,
    );
}

/// Names that somebody could give a node, a host or a datacenter.
fn odd_names() -> Vec<String> {
    let long = "x".repeat(300);
    [
        "a\r\nBcc: evil@example.org",
        "a\nBcc: evil@example.org\n\nbody",
        "\r\n.\r\nMAIL FROM:<evil@example.org>",
        "quote\"d 'and' `$(reboot)` \\ %s {}",
        "größe 💾 名前",
        "\u{202e}gnp.\u{200b}\u{feff}",
        "=?utf-8?B?QmNjOiBldmls?=",
        "<b>bold</b>, a@b.example; c@d.example",
        "\u{0}\u{1b}[2J\u{7}",
        " ",
        "../../etc/passwd",
        &long,
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

#[test]
fn names() {
    type Place = (&'static str, fn(&mut Cluster, &str));
    let places: [Place; 4] = [
        ("an OSD's host", |cluster, name| {
            cluster.ceph.osds(tree(&[
                (name, &[(0, "up"), (1, "down")]),
                ("node2", &[(2, "up")]),
            ]));
        }),
        ("an OSD", |cluster, name| {
            let answer = recorded("18.2.7/osd-tree.one-osd-down");
            let mut answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            for node in answer["nodes"].as_array_mut().unwrap() {
                if node["id"] == 1 {
                    node["name"] = json!(name);
                    node["status"] = json!(if name.contains("x") { name } else { "down" });
                }
            }
            cluster.ceph.osds(answer.to_string().into_bytes());
        }),
        ("a node", |cluster, name| {
            let entry = json!({"name": name});
            cluster.consul.put("PetaSAN/Nodes/odd", &entry);
            let alive =
                ["node1", "node2", "node3", "node4", "node5"].map(|node| (node, Member::Alive));
            cluster
                .consul
                .members(&[&alive[..], &[(name, Member::Failed)]].concat());
        }),
        ("the datacenter", |cluster, name| {
            cluster.unset("cluster.name");
            let alive = ["node1", "node2", "node3", "node4"].map(|node| (node, Member::Alive));
            cluster.consul.members_of(name, &alive);
        }),
    ];
    let mut cases = Vec::new();
    for (place, arrange) in places {
        for name in odd_names() {
            let shown: String = name.chars().take(24).collect();
            let input = format!("{place} called {shown:?}");
            cases.push(case(&input, 0, &[], move |cluster| arrange(cluster, &name)));
        }
    }
    let after = |cluster: &mut Cluster| {
        let mails = cluster.relay.take_mails();
        assert_eq!(mails.len(), 1);
        let mail = &mails[0];
        assert_eq!(
            (mail.from.as_str(), &mail.to[..]),
            ("storage@example.org", &["ops@example.org".to_owned()][..])
        );
        let end = mail
            .raw
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("headers end");
        assert!(mail.raw[..end].is_ascii(), "RFC 2047");
        let mut names: Vec<String> = mail
            .parsed()
            .headers
            .iter()
            .map(|header| header.get_key().to_lowercase())
            .collect();
        names.sort();
        let usual = [
            "auto-submitted",
            "content-type",
            "date",
            "from",
            "message-id",
            "mime-version",
            "subject",
            "to",
        ];
        assert_eq!(names, usual, "no name changes a header");
        for line in mail.raw.split(|byte| *byte == b'\n') {
            assert!(line.len() <= 999, "RFC 5322, 2.1.1: {} bytes", line.len());
            assert!(!line.starts_with(b"Bcc:"));
        }
        let subject = mail.subject();
        assert!(
            subject.starts_with('[') && !subject.contains(char::is_control),
            "{subject:?}"
        );
        assert!(subject.contains("down"), "{subject}");
        assert!(
            mail.text()
                .chars()
                .all(|c| !c.is_control() || matches!(c, '\r' | '\n' | '\t')),
            "{:?}",
            mail.text()
        );
        let id = mail.id();
        assert!(
            id.is_ascii() && id.len() < 250 && !id.contains(char::is_whitespace),
            "{id:?}"
        );
        for arguments in [&["status"][..], &["queue", "list"], &["check", "--dry-run"]] {
            let run = cluster.run(arguments);
            assert!(
                run.exits(0)
                    .stdout
                    .chars()
                    .all(|c| c == '\n' || !c.is_control()),
                "{:?}",
                run.stdout
            );
        }
        cluster.state();
        assert!(
            cluster.pass(0).is_empty(),
            "it is known again in the next pass"
        );
    };
    carry_out("names", &cases, |_| {}, after);
}

#[test]
fn state() {
    let content = |input: &str, content: &'static [u8]| {
        case(input, 0, &["error", "state.json"], move |cluster| {
            fs::write(cluster.state_file(), content).unwrap()
        })
    };
    let after = |cluster: &mut Cluster| {
        assert_eq!(
            cluster.relay.take_mails().len(),
            1,
            "alerting never stops because a file is broken"
        );
        assert_eq!(cluster.state()["version"], petanotify::state::VERSION);
        assert!(cluster.pass(0).is_empty());
    };
    let usable = [
        case("absent", 0, &[], |_| {}),
        case("folder missing", 0, &[], |cluster| {
            fs::remove_dir(cluster.state_folder()).unwrap()
        }),
        content("empty", b""),
        content("truncated", b"{\"version\": 1, \"queue\": [{\"id\""),
        content("garbage", b"\x00\xff\x1b[31mgarbage\r\n"),
        content("another document", b"{\"version\": 1}"),
        content("no version", b"{}"),
        content("version 0", b"{\"version\": 0}"),
    ];
    carry_out("state", &usable, |cluster| osd_down(cluster), after);

    let unusable = [
        case(
            "of a later version",
            74,
            &["error", "state.json", "version 99"],
            |cluster| {
                fs::write(cluster.state_file(), "{\"version\": 99}").unwrap();
            },
        ),
        case(
            "a folder in its place",
            74,
            &["error", "state.json", "directory"],
            |cluster| {
                fs::create_dir(cluster.state_file()).unwrap();
            },
        ),
        case(
            "folder that may not be written to",
            74,
            &["error", "state", "Permission denied"],
            |cluster| {
                fs::set_permissions(cluster.state_folder(), fs::Permissions::from_mode(0o555))
                    .unwrap();
                cluster.as_nobody();
            },
        )
        .then(|cluster| {
            fs::set_permissions(cluster.state_folder(), fs::Permissions::from_mode(0o755)).unwrap()
        }),
        case(
            "folder that cannot be made",
            74,
            &["error", "blocked"],
            |cluster| {
                let blocked = cluster.file("blocked", "", 0o600);
                let (config, state) = (cluster.config_file(), blocked.join("state.json"));
                cluster.without_flags();
                cluster.env("PETANOTIFY_CONFIG", config.to_str().unwrap());
                cluster.env("PETANOTIFY_STATE", state.to_str().unwrap());
            },
        ),
    ];
    carry_out(
        "state, unusable",
        &unusable,
        |cluster| osd_down(cluster),
        |cluster| {
            assert!(
                cluster.relay.connections().is_empty(),
                "a mail that cannot be written down would be sent for ever"
            );
        },
    );
}

/// A relay with STARTTLS and login, and the settings that go with it.
fn with_login(cluster: &mut Cluster) {
    osd_down(cluster);
    let authority = Authority::new("the mail server's authority");
    let config = authority.issue(&["127.0.0.1"]).server();
    cluster.relay.speak(Tls::Upgrade {
        config,
        offered: true,
    });
    cluster.relay.require_login("storage", PASSWORD);
    let ca = cluster.file("ca.pem", &authority.pem(), 0o644);
    cluster.set("smtp.security", "\"starttls\"");
    cluster.set("smtp.ca_file", &format!("\"{}\"", ca.display()));
    cluster.set("smtp.username", "\"storage\"");
    cluster.set("smtp.timeout", "\"1s\"");
    secret(cluster, 0o600);
}

/// The mail waits, and once the server behaves it arrives, once.
fn arrives_later(cluster: &mut Cluster) {
    let kept = cluster.relay.take_mails();
    let waiting = cluster.queue();
    assert_eq!(waiting.len(), 1, "nothing is lost");
    assert_eq!(waiting[0]["attempts"], 1);
    let error = waiting[0]["last_error"].as_str().unwrap();
    assert!(!error.is_empty() && !error.contains(PASSWORD), "{error}");
    cluster.relay.heal();
    cluster.let_pass(SignedDuration::from_mins(61));
    let mails = cluster.pass(0);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject(), OSD_DOWN);
    assert!(
        kept.iter().all(|mail| mail.id() == mails[0].id()),
        "a repeat can be told by its id"
    );
    assert!(cluster.pass(0).is_empty());
}

#[test]
fn smtp() {
    let mut cases = Vec::new();
    for stage in Stage::ALL.into_iter().filter(|stage| *stage != Stage::Quit) {
        let mut add = |what: &str, says: &[&str], fault: Fault| {
            let input = format!("{what} at {stage:?}");
            cases.push(case(&input, 1, says, move |cluster| {
                cluster.relay.fault(stage, fault.clone())
            }));
        };
        add(
            "451",
            &["error", "451 4.3.0 not now"],
            says("451 4.3.0 not now"),
        );
        add(
            "554",
            &["error", "554 5.7.1 never here"],
            says("554 5.7.1 never here"),
        );
        add(
            "421",
            &["error", "421 4.3.2 shutting down"],
            says("421 4.3.2 shutting down"),
        );
        add("hangs", &["error", "1s"], Fault::Hang);
        add("hangs up", &["error"], Fault::Drop);
        add("garbage", &["error"], Fault::Garbage);
        add("one byte a second", &["error", "1s"], Fault::Drip);
        add("an answer without an end", &["error"], Fault::Flood);
    }
    cases.push(case(
        "hangs up after it took the mail",
        1,
        &["error"],
        |cluster| {
            cluster.relay.fault(Stage::End, Fault::TakeAndDrop);
        },
    ));
    cases.push(case(
        "hangs after it took the mail",
        1,
        &["error", "1s"],
        |cluster| {
            cluster.relay.fault(Stage::End, Fault::TakeAndHang);
        },
    ));
    cases.push(case(
        "unknown recipient",
        1,
        &["error", "550 5.1.1 no such user"],
        |cluster| {
            cluster
                .relay
                .refuse("ops@example.org", "550 5.1.1 no such user");
        },
    ));
    carry_out("SMTP", &cases, with_login, arrives_later);
}

#[test]
fn smtp_good_bye() {
    let mut cases = Vec::new();
    for (what, fault) in [
        ("451", says("451 4.3.0 not now")),
        ("554", says("554 5.7.1 never here")),
        ("hangs", Fault::Hang),
        ("hangs up", Fault::Drop),
        ("garbage", Fault::Garbage),
        ("one byte a second", Fault::Drip),
    ] {
        cases.push(case(&format!("{what} at Quit"), 0, &[], move |cluster| {
            cluster.relay.fault(Stage::Quit, fault.clone())
        }));
    }
    carry_out("SMTP, good-bye", &cases, with_login, |cluster| {
        assert_eq!(cluster.relay.take_mails().len(), 1);
        assert!(cluster.pass(0).is_empty(), "the mail was taken");
    });
}

#[test]
fn smtp_access() {
    let tls = |input: &str, says: &[&str], identity: fn() -> Identity| {
        let parts: Vec<&str> = ["error", "certificate"]
            .iter()
            .chain(says)
            .copied()
            .collect();
        let arrange = move |cluster: &mut Cluster| {
            cluster.relay.speak(Tls::Upgrade {
                config: identity().server(),
                offered: true,
            });
        };
        case(input, 1, &parts, arrange)
    };
    let cases = [
        case(
            "nothing listening",
            1,
            &["error", "127.0.0.1:1", "refused"],
            |cluster| cluster.set("smtp.port", "1"),
        ),
        case(
            "no such host",
            1,
            &["error", "no-such-host.invalid"],
            |cluster| {
                cluster.set("smtp.host", "\"no-such-host.invalid\"");
            },
        ),
        case(
            "wrong password",
            1,
            &["error", "535 5.7.8 authentication credentials invalid"],
            |cluster| {
                cluster.file("password", "battery staple\n", 0o600);
            },
        ),
        case("login not offered", 1, &["error", "log"], |cluster| {
            cluster.relay.offer_mechanisms("")
        }),
        case("no mechanism in common", 1, &["error", "log"], |cluster| {
            cluster.relay.offer_mechanisms("GSSAPI NTLM")
        }),
        case(
            "STARTTLS not offered",
            1,
            &["error", "STARTTLS"],
            |cluster| {
                let config = Identity::self_signed(&["127.0.0.1"]).server();
                cluster.relay.speak(Tls::Upgrade {
                    config,
                    offered: false,
                });
            },
        ),
        tls("self-signed certificate", &[], || {
            Identity::self_signed(&["127.0.0.1"])
        }),
        tls("certificate of an unknown authority", &[], || {
            Authority::new("unknown").issue(&["127.0.0.1"])
        }),
        case(
            "certificate of another name",
            1,
            &["error", "certificate", "mail.example.net"],
            |cluster| {
                let authority = Authority::new("an authority");
                cluster.file("ca.pem", &authority.pem(), 0o644);
                let config = authority.issue(&["mail.example.net"]).server();
                cluster.relay.speak(Tls::Upgrade {
                    config,
                    offered: true,
                });
            },
        ),
        case(
            "expired certificate",
            1,
            &["error", "certificate", "expired"],
            |cluster| {
                let authority = Authority::new("an authority");
                cluster.file("ca.pem", &authority.pem(), 0o644);
                let config = authority.issue_expired(&["127.0.0.1"]).server();
                cluster.relay.speak(Tls::Upgrade {
                    config,
                    offered: true,
                });
            },
        ),
        case(
            "TLS where STARTTLS is spoken",
            1,
            &["error", "security"],
            |cluster| cluster.set("smtp.security", "\"tls\""),
        ),
        case(
            "STARTTLS where TLS is spoken",
            1,
            &["error", "1s"],
            |cluster| {
                cluster.relay.speak(Tls::Implicit(
                    Identity::self_signed(&["127.0.0.1"]).server(),
                ));
            },
        ),
        case(
            "login needed, none configured",
            1,
            &["error", "530 5.7.0 authentication required"],
            |cluster| {
                cluster.unset("smtp.username");
                cluster.unset("smtp.password_file");
            },
        ),
        case(
            "no `ca_file`",
            1,
            &["error", "ca_file", "gone.pem"],
            |cluster| cluster.set("smtp.ca_file", "\"gone.pem\""),
        ),
        case(
            "a `ca_file` without certificates",
            1,
            &["error", "ca_file"],
            |cluster| {
                cluster.file("ca.pem", "not PEM\n", 0o644);
            },
        ),
    ];
    carry_out("SMTP, access", &cases, with_login, |cluster| {
        with_login(cluster);
        let port = cluster.relay.port().to_string();
        cluster.relay.offer_mechanisms("PLAIN LOGIN");
        cluster.set("smtp.host", "\"127.0.0.1\"");
        cluster.set("smtp.port", &port);
        arrives_later(cluster);
    });
}

#[test]
fn a_hanging_server_costs_one_wait_and_no_other_mail_more() {
    let mut cluster = Cluster::new();
    with_login(&mut cluster);
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster.relay.fault(Stage::Greeting, Fault::Hang);
    let begun = std::time::Instant::now();
    cluster.check().exits(1);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(cluster.relay.connections().len(), 1, "asked once a pass");
    assert_eq!(cluster.queue().len(), 3);
}

// The longest test of all: its name lets it start among the first, beside the others.
#[test]
fn a_slow_server_gets_no_more_than_50_s_of_a_pass() {
    let mut cluster = Cluster::new();
    osd_down(&cluster);
    let addresses: Vec<String> = (0..8)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    cluster.recipients(&addresses.iter().map(String::as_str).collect::<Vec<_>>());
    cluster.set("smtp.timeout", "\"30s\"");
    let late = Fault::Late(Duration::from_secs(14));
    cluster.relay.fault(Stage::End, late);
    // All eight would take 112 s, for which no run is waited.
    let run = cluster.check();
    run.exits(1);
    assert!(!run.stderr.is_empty());
    // Three within 42 s; the fourth is taken, but its answer would come after 56 s.
    let sent = cluster.relay.take_mails().len();
    assert!((1..=4).contains(&sent), "{sent} sent");
    cluster.relay.heal();
    let rest = cluster.pass(0).len();
    assert!((8 - sent..8).contains(&rest), "{sent} and {rest}");
    assert!(cluster.queue().is_empty());
}

#[test]
fn whatever_is_endless_is_cut_off_and_not_swallowed_into_memory() {
    let mut cluster = Cluster::new();
    cluster.recipients(&["ops@example.org"]);
    for seconds in ["ceph.timeout", "consul.timeout", "smtp.timeout"] {
        cluster.set(seconds, "\"2s\"");
    }
    osd_down(&cluster);
    cluster.relay.fault(Stage::Ehlo, Fault::Flood);
    cluster.check().exits(1);
    cluster.ceph.does(Question::Status, &Behaviour::Endless);
    cluster
        .ceph
        .does(Question::OsdTree, &Behaviour::EndlessComplaint);
    cluster.consul.fault(MEMBERS, consul::Fault::Flood);
    // KiB of data; the loopback brings gigabytes within the time allowed.
    let run = cluster.check_after("ulimit -d 100000");
    run.exits(1);
    for check in [
        "check capacity",
        "check osds",
        "check nodes",
        "stays queued",
    ] {
        run.says(&["error", check]);
    }
}
