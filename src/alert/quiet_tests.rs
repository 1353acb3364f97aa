//! What is silenced, acknowledged or held back because of `noout`: stories of passes, and what each of them tells.

use super::*;
use crate::facts::Presence;
use crate::message::tests::subject;
use crate::silence::Scope;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
}

/// What a pass finds, and what an admin has done before it.
#[derive(Clone, Copy)]
struct Pass<'a> {
    used: u64,
    node3_down: bool,
    /// The even ones are on node3, the odd ones on node4.
    osds: &'a [i64],
    noout: bool,
    act: &'a dyn Fn(&mut Memory, Timestamp),
}

const WELL: Pass<'static> = Pass {
    used: 50,
    node3_down: false,
    osds: &[],
    noout: false,
    act: &|_, _| {},
};

fn osds(osds: &[i64]) -> Pass<'_> {
    Pass { osds, ..WELL }
}

fn full(used: u64) -> Pass<'static> {
    Pass { used, ..WELL }
}

fn noout<'a>(pass: Pass<'a>) -> Pass<'a> {
    Pass {
        noout: true,
        ..pass
    }
}

fn before<'a>(act: &'a dyn Fn(&mut Memory, Timestamp), pass: Pass<'a>) -> Pass<'a> {
    Pass { act, ..pass }
}

/// A silence of so many minutes.
fn silence(scope: Scope, minutes: i64) -> impl Fn(&mut Memory, Timestamp) {
    move |memory, now| {
        memory.silences.push(Silence {
            id: 1,
            scope: scope.clone(),
            since: now,
            until: now + jiff::SignedDuration::from_mins(minutes),
            why: Some("disk swap".to_owned()),
            by: None,
        });
    }
}

fn everything() -> Scope {
    Scope::default()
}

fn of_check(check: CheckName) -> Scope {
    Scope {
        checks: BTreeSet::from([check]),
        ..Scope::default()
    }
}

fn of_node3() -> Scope {
    Scope {
        nodes: BTreeSet::from(["NODE3.example.org".to_owned()]),
        ..Scope::default()
    }
}

fn of_osd(osd: &str) -> Scope {
    Scope {
        osds: BTreeSet::from([osd.parse().unwrap()]),
        ..Scope::default()
    }
}

fn end(memory: &mut Memory, _: Timestamp) {
    memory.silences.clear();
}

fn acknowledge(memory: &mut Memory, now: Timestamp) {
    let ack = Ack {
        at: now,
        why: Some("disk ordered".to_owned()),
        by: None,
    };
    for topic in [Topic::Capacity, Topic::Nodes, Topic::Osds, Topic::Blind] {
        memory.acknowledge(topic, Some(ack.clone()));
    }
}

fn take_back(memory: &mut Memory, _: Timestamp) {
    memory.acknowledge(Topic::Osds, None);
    memory.acknowledge(Topic::Capacity, None);
}

fn observed(pass: Pass<'_>) -> Observed {
    let presence = match pass.node3_down {
        true => Presence::Down(Absence::Failed),
        false => Presence::Alive,
    };
    let host = |id: i64| if id % 2 == 0 { "node3" } else { "node4" };
    let down = pass.osds.iter().map(|&id| {
        let osd = DownOsd {
            host: Some(host(id).to_owned()),
            status: "down".to_owned(),
            out: false,
            stray: false,
        };
        (OsdId(id), osd)
    });
    let up = (0..6).filter(|id| !pass.osds.contains(id)).map(OsdId);
    let up_on = |odd| Host {
        up: (0..6)
            .map(|id| u32::from(id % 2 == odd && !pass.osds.contains(&id)))
            .sum(),
        rack: None,
    };
    let flags = pass.noout.then_some(Flag::Noout);
    Observed {
        capacity: Some(Ok(Usage {
            used_bytes: pass.used,
            total_bytes: 100,
            mgr_available: true,
        })),
        nodes: Some(Ok(Membership {
            nodes: BTreeMap::from([
                ("node3".to_owned(), presence),
                ("node4".to_owned(), Presence::Alive),
            ]),
            ..Membership::default()
        })),
        osds: Some(Ok(OsdTree {
            up: up.collect(),
            down: down.collect(),
            hosts: BTreeMap::from([
                ("node3".to_owned(), up_on(0)),
                ("node4".to_owned(), up_on(1)),
            ]),
        })),
        maintenance: Some(Maintenance {
            flags: flags.into_iter().collect(),
            ..Maintenance::default()
        }),
        health: None,
    }
}

/// One pass a minute, with reminders after 3; the subjects of each, without the cluster's name.
fn story(passes: &[Pass<'_>]) -> (Vec<String>, Memory, Vec<Alert>) {
    let checks = Checks {
        hold_while_noout: Some(Duration::from_secs(180)),
        ..Checks::default()
    };
    let notify = Notify {
        remind_every: Some(Duration::from_secs(180)),
        ..Notify::default()
    };
    let rules = Rules {
        checks: &checks,
        notify: &notify,
        nodes_prefix: "PetaSAN/Nodes/",
        cluster: "prod",
    };
    let mut memory = Memory::default();
    let mut told = Vec::new();
    let mut all = Vec::new();
    for (at, pass) in passes.iter().enumerate() {
        let now = minute(i64::try_from(at).unwrap());
        memory.set_clock(now);
        (pass.act)(&mut memory, now);
        let verdict = judge_pass(memory, observed(*pass), rules, now);
        memory = verdict.memory;
        let subjects = verdict.alerts.iter().map(subject);
        let subjects: Vec<String> = subjects.map(|s| s.replace("[prod] ", "")).collect();
        told.push(subjects.join("; "));
        all.extend(verdict.alerts);
    }
    (told, memory, all)
}

type Case<'a> = (&'a str, &'a [Pass<'a>], &'a [&'a str]);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (name, passes, expected) in cases {
        assert_eq!(&story(passes).0, expected, "{name}");
    }
}

#[test]
fn a_silence_is_kept_until_it_ends() {
    let node3_down = Pass {
        node3_down: true,
        osds: &[0, 2, 4],
        ..WELL
    };
    let more = Pass {
        osds: &[0, 1, 2, 4],
        ..node3_down
    };
    check(&[
        (
            "a node with its OSDs, over before the silence is",
            &[
                before(&silence(of_node3(), 9), node3_down),
                node3_down,
                WELL,
            ],
            &["", "", ""],
        ),
        (
            "an OSD of another host is told",
            &[before(&silence(of_node3(), 9), more), more, WELL],
            &["1 OSD down on node4: osd.1", "", "all OSDs are up again"],
        ),
        (
            "the silence expires",
            &[
                before(&silence(of_node3(), 2), node3_down),
                node3_down,
                node3_down,
            ],
            &["", "", "node down: node3"],
        ),
        (
            "the silence is ended",
            &[
                before(&silence(of_osd("0"), 9), osds(&[0])),
                osds(&[0]),
                before(&end, osds(&[0])),
            ],
            &["", "", "1 OSD down on node3: osd.0"],
        ),
        (
            "what is up again is told where it was told to be down, and what is silenced said to be left",
            &[
                before(&silence(of_osd("0"), 9), osds(&[0, 1])),
                osds(&[0]),
                osds(&[]),
            ],
            &[
                "1 OSD down on node4: osd.1",
                "all OSDs are up again but 1 silenced",
                "",
            ],
        ),
        (
            "it comes in the midst of an incident: no reminder, but a clearing",
            &[
                osds(&[0]),
                before(&silence(of_osd("0-3"), 60), osds(&[0, 2])),
                osds(&[0, 2]),
                osds(&[0, 2]),
                osds(&[0, 2]),
                osds(&[2]),
            ],
            &[
                "1 OSD down on node3: osd.0",
                "",
                "",
                "",
                "",
                "all OSDs are up again but 1 silenced",
            ],
        ),
        (
            "nodes alone: nobody would hear of their OSDs",
            &[
                before(&silence(of_check(CheckName::Nodes), 9), node3_down),
                node3_down,
                before(&end, node3_down),
                WELL,
            ],
            &[
                "3 OSDs down on node3: osd.0, osd.2, osd.4",
                "",
                "node down: node3",
                "all nodes are up again; all OSDs are up again",
            ],
        ),
        (
            "the OSDs alone: the node's mail has them",
            &[before(&silence(of_osd("0-4"), 9), node3_down), WELL],
            &["node down: node3", "all nodes are up again"],
        ),
        (
            "everything",
            &[
                before(&silence(everything(), 1), Pass { used: 90, ..more }),
                Pass { used: 90, ..more },
            ],
            &[
                "",
                "storage 90 % full (over 85 %, critical); node down: node3; \
                 1 OSD down on node4: osd.1",
            ],
        ),
    ]);
}

#[test]
fn the_storage_is_silenced_by_its_check() {
    let of_capacity = silence(of_check(CheckName::Capacity), 3);
    let of_osds = silence(of_check(CheckName::Osds), 3);
    let of_node3 = silence(of_node3(), 3);
    check(&[
        (
            "full meanwhile",
            &[before(&of_capacity, full(61)), full(90), full(50), full(50)],
            &["", "", "", ""],
        ),
        (
            "still full",
            &[before(&of_capacity, full(61)), full(90), full(90), full(90)],
            &["", "", "", "storage 90 % full (over 85 %, critical)"],
        ),
        (
            "fuller meanwhile",
            &[
                full(61),
                before(&of_capacity, full(90)),
                full(90),
                full(90),
                full(90),
                full(90),
            ],
            &[
                "storage 61 % full (over 60 %)",
                "",
                "",
                "",
                "storage 90 % full (over 85 %, critical)",
                "",
            ],
        ),
        (
            "fuller for a time",
            &[full(61), before(&of_capacity, full(90)), full(70), full(70)],
            &["storage 61 % full (over 60 %)", "", "", ""],
        ),
        (
            "it eases meanwhile",
            &[full(61), before(&of_capacity, full(50)), full(50)],
            &[
                "storage 61 % full (over 60 %)",
                "storage 50 % full again (below 60 %)",
                "",
            ],
        ),
        (
            "silences of others say nothing of it",
            &[before(&of_osds, full(61)), before(&of_node3, full(90))],
            &[
                "storage 61 % full (over 60 %)",
                "storage 90 % full (over 85 %, critical)",
            ],
        ),
    ]);
}

#[test]
fn a_level_that_was_acknowledged_is_known() {
    let known = before(&acknowledge, full(61));
    let warn = "storage 61 % full (over 60 %)";
    let critical = "storage 90 % full (over 85 %, critical)";
    check(&[
        (
            "no reminders, and a clearing",
            &[full(61), known, full(61), full(61), full(61), full(50)],
            &[warn, "", "", "", "", "storage 50 % full again (below 60 %)"],
        ),
        (
            "a higher level is news, and reminded of",
            &[full(61), known, full(90), full(90), full(90), full(90)],
            &[
                warn,
                "",
                critical,
                "",
                "",
                "still storage 90 % full (over 85 %, critical)",
            ],
        ),
        (
            "up and down again",
            &[
                full(90),
                before(&acknowledge, full(90)),
                full(70),
                full(90),
                full(90),
            ],
            &[critical, "", "", "", ""],
        ),
        (
            "the next incident is another one",
            &[full(61), known, full(50), full(61)],
            &[warn, "", "storage 50 % full again (below 60 %)", warn],
        ),
        (
            "taken back",
            &[full(61), known, full(61), before(&take_back, full(61))],
            &[warn, "", "", "still storage 61 % full (over 60 %)"],
        ),
    ]);
}

#[test]
fn while_noout_is_set_osds_wait_but_not_for_ever() {
    let rebooting = |osds| Pass {
        node3_down: true,
        ..noout(Pass { osds, ..WELL })
    };
    check(&[
        (
            "a reboot in time",
            &[
                noout(WELL),
                noout(osds(&[0, 2])),
                noout(osds(&[0, 2])),
                WELL,
            ],
            &["", "", "", ""],
        ),
        (
            "the node is told",
            &[rebooting(&[0, 2, 4]), noout(WELL)],
            &["node down: node3", "all nodes are up again"],
        ),
        (
            "the flag goes, the OSD stays down",
            &[noout(osds(&[0])), noout(osds(&[0])), osds(&[0])],
            &["", "", "1 OSD down on node3: osd.0"],
        ),
        (
            "the flag stays for too long",
            &[
                noout(WELL),
                noout(osds(&[0])),
                noout(osds(&[0])),
                noout(osds(&[0])),
            ],
            &["", "", "", "1 OSD down on node3: osd.0"],
        ),
        (
            "the flag was forgotten long ago",
            &[
                noout(WELL),
                noout(WELL),
                noout(WELL),
                noout(WELL),
                noout(osds(&[0])),
            ],
            &["", "", "", "", "1 OSD down on node3: osd.0"],
        ),
        (
            "told before",
            &[
                osds(&[0]),
                noout(osds(&[0, 1])),
                noout(osds(&[1])),
                osds(&[1]),
            ],
            &[
                "1 OSD down on node3: osd.0",
                "",
                "all OSDs are up again but 1 held back",
                "1 OSD down on node4: osd.1",
            ],
        ),
    ]);
    let (_, memory, alerts) = story(&[noout(WELL), WELL, noout(WELL), noout(full(90))]);
    assert_eq!(memory.maintenance.noout_since, Some(minute(2)));
    assert_eq!(alerts[0].circumstances.maintenance, memory.maintenance);
}

#[test]
fn what_flaps_is_told_by_the_same_rules() {
    /// Both fail, something is done about it, one of them flaps and then stays down for half an hour; all that is told.
    fn told<'a>(act: &'a dyn Fn(&mut Memory, Timestamp), last: Pass<'a>) -> Vec<String> {
        let (up, down) = (osds(&[1]), osds(&[0, 1]));
        let begin = [down, before(act, down), up, down, up, down, up, down];
        let told = story(&[&begin[..], &[down; 30], &[last]].concat()).0;
        told.into_iter()
            .filter(|subjects| !subjects.is_empty())
            .collect()
    }
    let raised = "2 OSDs down on node3, node4: osd.0, osd.1";
    let both = silence(of_osd("0-1"), 120);
    assert_eq!(told(&acknowledge, osds(&[0, 1])), [raised]);
    assert_eq!(told(&both, osds(&[0, 1])), [raised]);
    let ended = told(&both, before(&end, osds(&[0, 1])));
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended[1].contains("osd.0"), "{ended:?}");
}

#[test]
fn what_noout_was_is_taken_to_last_while_the_status_cannot_be_had() {
    let (checks, notify) = (Checks::default(), Notify::default());
    let rules = Rules {
        checks: &checks,
        notify: &notify,
        nodes_prefix: "PetaSAN/Nodes/",
        cluster: "prod",
    };
    let unseen = Observed {
        capacity: Some(Err("timed out".to_owned())),
        ..Observed::default()
    };
    for (observed, since) in [(unseen, Some(minute(0))), (Observed::default(), None)] {
        let memory = story(&[noout(WELL)]).1;
        let memory = judge_pass(memory, observed, rules, minute(1)).memory;
        assert_eq!(memory.maintenance.noout_since, since);
    }
}

#[test]
fn blindness_is_silenced_by_its_check() {
    let (checks, notify) = (Checks::default(), Notify::default());
    let rules = Rules {
        checks: &checks,
        notify: &notify,
        nodes_prefix: "PetaSAN/Nodes/",
        cluster: "prod",
    };
    for (scope, told) in [
        (everything(), ""),
        (of_check(CheckName::Osds), "petanotify cannot see capacity"),
        (
            of_check(CheckName::Nodes),
            "petanotify cannot see capacity, osds",
        ),
        (of_osd("0-9"), "petanotify cannot see capacity, osds"),
    ] {
        let mut memory = Memory::default();
        silence(scope, 60)(&mut memory, minute(0));
        let mut subjects = String::new();
        for at in 0..9 {
            let lost = || "timed out".to_owned();
            let blind = Observed {
                capacity: Some(Err(lost())),
                osds: Some(Err(lost())),
                ..observed(WELL)
            };
            let verdict = judge_pass(memory, blind, rules, minute(at));
            memory = verdict.memory;
            let alerts = verdict.alerts.iter().map(subject);
            subjects.extend(alerts.map(|subject| subject.replace("[prod] ", "")));
        }
        assert_eq!(subjects, told);
    }
}

#[test]
fn a_mail_tells_of_silences_and_of_what_is_acknowledged() {
    let both = Pass {
        used: 61,
        ..osds(&[0])
    };
    let node = Pass {
        node3_down: true,
        ..both
    };
    let act = |memory: &mut Memory, now: Timestamp| {
        acknowledge(memory, now);
        silence(of_osd("4-9"), 60)(memory, now);
    };
    let (_, _, alerts) = story(&[
        both,
        before(&act, node),
        Pass {
            osds: &[0, 1],
            ..node
        },
    ]);
    let [.., node3, osd1] = alerts.as_slice() else {
        panic!("{alerts:?}");
    };
    assert_eq!(
        crate::message::tests::elsewhere(node3),
        [
            "storage 61 % full (over 60 %), 61 B of 100 B (acknowledged: disk ordered)",
            "1 OSD down on node3: osd.0 (acknowledged: disk ordered)"
        ]
    );
    assert_eq!(node3.circumstances.ack, None);
    let why = |alert: &Alert| {
        alert
            .circumstances
            .ack
            .as_ref()
            .and_then(|ack| ack.why.clone())
    };
    assert_eq!(why(osd1).as_deref(), Some("disk ordered"));
    for alert in [node3, osd1] {
        let silences = &alert.circumstances.silences;
        assert_eq!(silences[0].scope.to_string(), "osd.4-9");
    }
}

#[test]
fn a_summary_says_what_is_not_told() {
    let silence = silence(of_osd("0"), 60);
    let (_, memory, _) = story(&[noout(before(&silence, osds(&[0, 1, 2])))]);
    let outcome = &memory.outcomes[&CheckName::Osds];
    let expected = "3 of 6 OSDs down (1 silenced; 2 held back while noout is set): \
                    osd.0/node3, osd.1/node4, osd.2/node3";
    assert_eq!(
        (outcome.state, outcome.summary.as_str()),
        (State::Ok, expected)
    );
}

#[test]
fn what_happens_in_the_same_pass_is_told_by_the_rules_of_each() {
    let node3_down = Pass {
        node3_down: true,
        osds: &[0, 2, 4],
        ..WELL
    };
    let with_another = Pass {
        osds: &[0, 1, 2, 4],
        ..node3_down
    };
    let silenced = silence(of_node3(), 2);
    check(&[
        (
            "the silence is over in the pass in which the node is back",
            &[before(&silenced, node3_down), node3_down, WELL, WELL],
            &["", "", "", ""],
        ),
        (
            "likewise where the node was told before the silence",
            &[node3_down, before(&silenced, node3_down), node3_down, WELL],
            &["node down: node3", "", "", "all nodes are up again"],
        ),
        (
            "the silence is ended in the pass in which another OSD goes down",
            &[
                before(&silenced, node3_down),
                before(&end, with_another),
                WELL,
            ],
            &[
                "",
                "node down: node3; 1 OSD down on node4: osd.1",
                "all nodes are up again; all OSDs are up again",
            ],
        ),
        (
            "a node goes down, and an OSD of another",
            &[with_another, with_another, WELL],
            &[
                "node down: node3; 1 OSD down on node4: osd.1",
                "",
                "all nodes are up again; all OSDs are up again",
            ],
        ),
        (
            "the same while noout is set: the node does not wait, the OSD of another does",
            &[noout(with_another), noout(with_another), with_another, WELL],
            &[
                "node down: node3",
                "",
                "1 OSD down on node4: osd.1",
                "all nodes are up again; all OSDs are up again",
            ],
        ),
        (
            "acknowledged, and then it flaps beside what lasts",
            &[
                osds(&[0, 1]),
                before(&acknowledge, osds(&[1])),
                osds(&[0, 1]),
                osds(&[1]),
                osds(&[0, 1]),
                osds(&[1]),
                osds(&[0, 1]),
            ],
            &[
                "2 OSDs down on node3, node4: osd.0, osd.1",
                "",
                "",
                "",
                "",
                "",
                "",
            ],
        ),
        (
            "acknowledged, and then another flaps",
            &[
                osds(&[1]),
                before(&acknowledge, osds(&[0, 1])),
                osds(&[1]),
                osds(&[0, 1]),
                osds(&[1]),
                osds(&[0, 1]),
                osds(&[1]),
            ],
            &[
                "1 OSD down on node4: osd.1",
                "2 OSDs down on node3, node4: osd.0, osd.1",
                "",
                "2 OSDs down on node3, node4: osd.0, osd.1",
                "",
                "osd.0 on node3 is flapping: went down 3 times in 4 min; down: osd.1",
                "",
            ],
        ),
    ]);
}

/// Passes at these minutes by the clock, with reminders after 3 minutes; the minute and subject of each alert. While it is
/// `blind` nobody sees the OSDs.
fn by_the_clock(passes: &[(i64, bool, Pass<'_>)]) -> Vec<(i64, String)> {
    let checks = Checks::default();
    let notify = Notify {
        remind_every: Some(Duration::from_secs(180)),
        ..Notify::default()
    };
    let rules = Rules {
        checks: &checks,
        notify: &notify,
        nodes_prefix: "PetaSAN/Nodes/",
        cluster: "prod",
    };
    let mut memory = Memory::default();
    let mut told = Vec::new();
    for (at, blind, pass) in passes {
        let now = minute(*at);
        memory.set_clock(now);
        let mut seen = observed(*pass);
        if *blind {
            seen.osds = Some(Err("timed out".to_owned()));
        }
        let verdict = judge_pass(memory, seen, rules, now);
        memory = verdict.memory;
        let subjects = verdict.alerts.iter().map(subject);
        told.extend(subjects.map(|subject| (*at, subject.replace("[prod] ", ""))));
    }
    told
}

#[test]
fn a_reminder_waits_until_it_can_be_seen_that_it_is_true() {
    let down = |at| (at, false, osds(&[0]));
    let blind = |at| (at, true, WELL);
    let raised = "1 OSD down on node3: osd.0".to_owned();
    let begin = [down(0), down(1), blind(2), blind(3), blind(4)];
    let told = by_the_clock(&[&begin[..], &[down(5), down(6)]].concat());
    let reminded = format!("still {raised}");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], (0, raised.clone()));
    assert!(
        told[1].0 == 5 && told[1].1.contains("osd.0"),
        "{reminded}: {told:?}"
    );
    // It is well when it is seen again: no reminder, but its end.
    let told = by_the_clock(&[&begin[..], &[(5, false, WELL), (6, false, WELL)]].concat());
    assert_eq!(told, [(0, raised), (5, "all OSDs are up again".to_owned())]);
}

#[test]
fn a_clock_that_is_set_back_by_hours_repeats_nothing_and_hides_nothing() {
    let pass = |at, down| (at, false, osds(down));
    let told = by_the_clock(&[
        pass(0, &[0]),
        pass(1, &[0]),
        pass(2, &[0]),
        pass(-118, &[0]),
        pass(-117, &[0]),
        pass(-116, &[0, 1]),
        pass(-115, &[1]),
        pass(-114, &[1]),
        pass(-113, &[1]),
        pass(-112, &[]),
    ]);
    let minutes: Vec<i64> = told.iter().map(|(at, _)| *at).collect();
    assert_eq!(minutes, [0, -116, -113, -112], "{told:?}");
    assert_eq!(told[0].1, "1 OSD down on node3: osd.0");
    assert_eq!(told[1].1, "2 OSDs down on node3, node4: osd.0, osd.1");
    assert_eq!(told[3].1, "all OSDs are up again");
}
