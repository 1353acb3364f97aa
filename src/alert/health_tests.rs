//! Stories about Ceph's own health, pass by pass.

use super::*;
use crate::facts::HealthSeverity;
use crate::settings::HealthRules;

/// What Ceph says in a pass, `!` before an error and `~` before what is muted; then the OSDs that are down. `None` could not be
/// seen.
type Pass<'a> = (Option<&'a [&'a str]>, &'a [i64]);

fn minute(minute: usize) -> Timestamp {
    let minute = i64::try_from(minute).unwrap_or_default();
    Timestamp::constant(1_795_402_440, 0) + jiff::SignedDuration::from_mins(minute)
}

fn said(pass: usize, codes: &[&str]) -> Health {
    let mut health = Health::default();
    for code in codes {
        let severity = match code.starts_with('!') {
            true => HealthSeverity::Error,
            false => HealthSeverity::Warning,
        };
        let name = code.trim_start_matches(['!', '~']).to_owned();
        if code.starts_with('~') {
            health.muted.insert(name.clone());
        }
        let summary = format!("{pass} of something");
        health
            .checks
            .insert(name, HealthCheck { severity, summary });
    }
    health
}

fn tree(down: &[i64]) -> OsdTree {
    let osd = DownOsd {
        host: Some("node1".to_owned()),
        status: "down".to_owned(),
        out: false,
        stray: false,
    };
    OsdTree {
        down: down.iter().map(|id| (OsdId(*id), osd.clone())).collect(),
        up: [OsdId(8), OsdId(9)].into(),
        ..OsdTree::default()
    }
}

/// The alerts of each pass, each as its kind, what is new and, after `/`, what is still wrong.
fn story(passes: &[Pass<'_>], level: HealthSeverity) -> (Vec<String>, Memory) {
    let mut rules = HealthRules::default();
    rules.scope.level = level;
    rules.scope.ignore.insert("IGNORED".to_owned());
    rules.hold.passes = 2;
    let checks = Checks {
        capacity: None,
        nodes: None,
        health: Some(rules),
        ..Checks::default()
    };
    let notify = Notify::default();
    let mut memory = Memory::default();
    let mut told = Vec::new();
    for (pass, (codes, down)) in passes.iter().enumerate() {
        let observed = Observed {
            osds: Some(Ok(tree(down))),
            health: Some(match codes {
                Some(codes) => Ok(said(pass, codes)),
                None => Err("timed out".to_owned()),
            }),
            ..Observed::default()
        };
        let rules = Rules {
            checks: &checks,
            notify: &notify,
            nodes_prefix: "",
            cluster: "prod",
        };
        let verdict = judge_pass(memory, observed, rules, minute(pass));
        memory = verdict.memory;
        let alerts = verdict.alerts.into_iter().map(|alert| match alert.report {
            Report::Health(change) => {
                let names = |items: &[crate::incident::Item<String, HealthCheck>]| {
                    let names: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
                    names.join(" ")
                };
                let kind = alert.kind.as_str();
                format!("{kind} {}/{}", names(&change.new), names(&change.still))
            }
            other => format!("{} {}", other.topic(), alert.kind.as_str()),
        });
        told.push(alerts.collect::<Vec<_>>().join(", "));
    }
    (told, memory)
}

#[test]
fn what_ceph_finds_wrong_is_told_once_it_lasts_and_until_it_is_fine() {
    let warn = HealthSeverity::Warning;
    let error = HealthSeverity::Error;
    let cases: &[(&str, HealthSeverity, &[Pass<'_>], &[&str])] = &[
        (
            "what changes in words alone is no news, a new code is",
            warn,
            &[
                (Some(&["A"]), &[]),
                (Some(&["A"]), &[]),
                (Some(&["A"]), &[]),
                (Some(&["A", "B"]), &[]),
                (Some(&["A", "B"]), &[]),
                (Some(&["B"]), &[]),
                (Some(&[]), &[]),
            ],
            &["", "raised A/", "", "", "updated B/A", "", "cleared /"],
        ),
        (
            "what lasts a pass is nothing",
            warn,
            &[(Some(&["A"]), &[]), (Some(&[]), &[]), (Some(&["A"]), &[])],
            &["", "", ""],
        ),
        (
            "a warning that becomes an error is news, and the other way round it is not",
            warn,
            &[
                (Some(&["A"]), &[]),
                (Some(&["A"]), &[]),
                (Some(&["!A"]), &[]),
                (Some(&["!A"]), &[]),
                (Some(&["A"]), &[]),
            ],
            &["", "raised A/", "updated A/", "", ""],
        ),
        (
            "errors alone, and one that is a warning by now",
            error,
            &[
                (Some(&["A", "!B"]), &[]),
                (Some(&["A", "!B"]), &[]),
                (Some(&["A", "B"]), &[]),
            ],
            &["", "raised B/", "cleared /"],
        ),
        (
            "what is muted or ignored, then or from the first",
            warn,
            &[
                (Some(&["A", "~B", "!IGNORED"]), &[]),
                (Some(&["A", "~B", "!IGNORED"]), &[]),
                (Some(&["~A", "~B", "!IGNORED"]), &[]),
                (Some(&["A", "~B"]), &[]),
                (Some(&["A", "~B"]), &[]),
            ],
            &["", "raised A/", "cleared /", "", "raised A/"],
        ),
        (
            "what follows from an OSD that is down, until it is up",
            warn,
            &[
                (Some(&["OSD_DOWN", "PG_DEGRADED"]), &[1]),
                (Some(&["OSD_DOWN", "PG_DEGRADED", "OSD_HOST_DOWN"]), &[1]),
                (Some(&["PG_DEGRADED"]), &[1]),
                (Some(&["PG_DEGRADED"]), &[]),
                (Some(&["PG_DEGRADED"]), &[]),
            ],
            &["osds raised", "", "", "osds cleared", "raised PG_DEGRADED/"],
        ),
        (
            "what could not be seen changes nothing",
            warn,
            &[
                (Some(&["A"]), &[]),
                (Some(&["A"]), &[]),
                (None, &[]),
                (None, &[]),
                (Some(&["A"]), &[]),
                (Some(&[]), &[]),
            ],
            &["", "raised A/", "", "", "", "cleared /"],
        ),
    ];
    for (name, level, passes, expected) in cases {
        let (told, _) = story(passes, *level);
        assert_eq!(&told, expected, "{name}");
    }
}

#[test]
fn how_the_check_ended_is_told() {
    let warn = HealthSeverity::Warning;
    for (passes, state, summary) in [
        (
            vec![(Some(&[][..]), &[][..])],
            State::Ok,
            "Ceph reports nothing",
        ),
        (
            vec![(Some(&["~A"][..]), &[][..])],
            State::Ok,
            "Ceph reports nothing that counts (left out: A)",
        ),
        (
            vec![(Some(&["A"][..]), &[][..])],
            State::Ok,
            "Ceph reports 1 warning (1 not counted before 2 passes in a row): A",
        ),
        (
            vec![(Some(&["A", "!B"][..]), &[][..]); 2],
            State::Alert,
            "Ceph reports 1 error, 1 warning: B, A",
        ),
        (
            vec![(None, &[][..])],
            State::Unknown,
            "could not be carried out",
        ),
    ] {
        let (_, memory) = story(&passes, warn);
        let outcome = &memory.outcomes[&CheckName::Health];
        assert_eq!((outcome.state, outcome.summary.as_str()), (state, summary));
    }
}

#[test]
fn nothing_is_written_about_a_check_that_is_off() {
    let document = serde_json::to_string(&Memory::default()).unwrap_or_default();
    assert!(!document.contains("health"), "{document}");
    let (_, memory) = story(&[(Some(&["A"]), &[])], HealthSeverity::Warning);
    let document = serde_json::to_string(&memory).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Memory>(&document).ok(), Some(memory));
}
