//! How a mail tells what else is wrong, and what was last known of what can't be seen. Pure.

use std::time::Duration;

use super::{blind, health, phrases};
use crate::alert::Withheld;
use crate::say;
use crate::standing::{
    At, Elsewhere, Found, Known, Names, Number, Tally, Thing, Untold, WithNodes, Wrong,
};
use crate::text::one_line;
use crate::wording;
use crate::words::Words;

/// One line about an incident: `1 node down: node5 (acknowledged: disk ordered)`
pub(crate) fn elsewhere(words: &Words, other: &Elsewhere) -> String {
    let (wrong, ack) = match other {
        Elsewhere::Incident { wrong, ack } => (wrong, ack),
        Elsewhere::Text(text) => return text.clone(),
    };
    let what = self::wrong(words, wrong);
    match ack.as_ref().map(|ack| &ack.why) {
        None => what,
        Some(None) => say!(words, "elsewhere-acknowledged", what = what),
        Some(Some(why)) => {
            let why = one_line(why);
            say!(words, "elsewhere-acknowledged-why", what = what, why = why)
        }
    }
}

fn wrong(words: &Words, wrong: &Wrong) -> String {
    let named =
        |what: String, names: String| say!(words, "title-names", what = what, names = names);
    match wrong {
        Wrong::Storage(reading) => say!(
            words,
            "elsewhere-storage",
            level = phrases::level(words, reading),
            used = phrases::bytes(words, reading.used_bytes),
            total = phrases::bytes(words, reading.total_bytes)
        ),
        Wrong::Nodes {
            number,
            names,
            with,
        } => {
            let down = named(nodes(words, *number), some(words, names));
            match with {
                None => down,
                Some(with) => {
                    let with = with_nodes(words, with);
                    say!(words, "elsewhere-osds-too", what = down, with = with)
                }
            }
        }
        Wrong::OsdsOfNodes(with) => {
            let with = with_nodes(words, with);
            say!(words, "elsewhere-osds-of-nodes", with = with)
        }
        Wrong::Osds { number, place, ids } => {
            let down = osds(words, *number, &phrases::place(words, place));
            match ids.is_empty() {
                true => down,
                false => named(down, phrases::list(words, &wording::osd_ranges(ids))),
            }
        }
        Wrong::Health {
            errors,
            warnings,
            codes,
        } => {
            let number = health::counted(words, *errors, *warnings);
            let reported = say!(words, "elsewhere-health", number = number);
            named(reported, some(words, codes))
        }
        Wrong::Blind(unseen) => blind::cannot_see_these(words, unseen.iter().copied()),
    }
}

fn nodes(words: &Words, Number { down, flapping }: Number) -> String {
    match (down, flapping) {
        (0, 1..) => say!(words, "elsewhere-nodes-flapping", number = flapping),
        (_, 0) => say!(words, "elsewhere-nodes-down", number = down),
        _ => say!(
            words,
            "elsewhere-nodes-down-and-flapping",
            number = down,
            flapping = flapping
        ),
    }
}

fn osds(words: &Words, Number { down, flapping }: Number, place: &str) -> String {
    match (down, flapping) {
        (0, 1..) => say!(
            words,
            "elsewhere-osds-flapping",
            number = flapping,
            place = place
        ),
        (_, 0) => say!(words, "osds-down-title", number = down, place = place),
        _ => say!(
            words,
            "elsewhere-osds-down-and-flapping",
            number = down,
            flapping = flapping,
            place = place
        ),
    }
}

/// `12 with node3`, `12 with node3, node4`, `120 with 20 nodes`
fn with_nodes(words: &Words, with: &WithNodes) -> String {
    let nodes = match with.names.is_empty() {
        true => say!(words, "nodes", number = with.nodes),
        false => phrases::list(words, &with.names),
    };
    say!(words, "osds-with-nodes", number = with.osds, nodes = nodes)
}

/// One line about what a check found: `2 of 8 OSDs down (1 silenced): osd.4/node3, osd.7/node3`
pub(crate) fn known(words: &Words, known: &Known) -> String {
    let found = match known {
        Known::Found(found) => found,
        Known::Text(text) => return one_line(text),
    };
    match found {
        Found::Storage(reading) => wrong(words, &Wrong::Storage(*reading)),
        Found::Nodes(tally) => {
            let head = match tally.number.down {
                0 => say!(words, "known-nodes-up", number = tally.total),
                down => say!(words, "known-nodes-down", down = down, number = tally.total),
            };
            tally_after(words, head, tally)
        }
        Found::Osds(tally) => {
            let head = match tally.number.down {
                0 => say!(words, "known-osds-up", number = tally.total),
                down => say!(words, "known-osds-down", down = down, number = tally.total),
            };
            tally_after(words, head, tally)
        }
        Found::Health {
            errors: 0,
            warnings: 0,
            left_out,
            ..
        } => match left_out.is_empty() {
            true => say!(words, "known-health-fine"),
            false => say!(
                words,
                "known-health-left-out",
                codes = some(words, left_out)
            ),
        },
        Found::Health {
            errors,
            warnings,
            codes,
            untold,
            ..
        } => {
            let number = health::counted(words, *errors, *warnings);
            let head = say!(words, "elsewhere-health", number = number);
            let head = with_notes(words, head, &notes(words, untold));
            let codes = some(words, codes);
            say!(words, "title-names", what = head, names = codes)
        }
    }
}

fn tally_after(words: &Words, head: String, tally: &Tally) -> String {
    if tally.things.is_empty() {
        return head;
    }
    let flapping = tally.number.flapping;
    let flapping = (flapping > 0).then(|| say!(words, "known-flapping", number = flapping));
    let head = phrases::clauses(words, [head].into_iter().chain(flapping));
    let with = tally.with.as_ref().map(|with| with_nodes(words, with));
    let told: Vec<String> = with
        .into_iter()
        .chain(notes(words, &tally.untold))
        .collect();
    let head = with_notes(words, head, &told);
    let things = tally
        .things
        .iter()
        .map(|thing| thing_in_words(words, thing));
    let names = Names {
        first: things.collect(),
        more: tally.more,
    };
    say!(
        words,
        "title-names",
        what = head,
        names = some(words, &names)
    )
}

fn thing_in_words(words: &Words, thing: &Thing) -> String {
    let host = thing.at.as_ref().map(|at| match at {
        At::Host(host) => host.clone(),
        At::NoHost => say!(words, "host-none"),
        At::Stray => say!(words, "host-stray"),
    });
    let name = match host {
        Some(host) => format!("{}/{host}", thing.name),
        None => thing.name.clone(),
    };
    match thing.flapping {
        true => say!(words, "known-thing-flapping", name = name),
        false => name,
    }
}

fn with_notes(words: &Words, head: String, notes: &[String]) -> String {
    if notes.is_empty() {
        return head;
    }
    let notes = notes.join(&say!(words, "known-note-separator"));
    say!(words, "known-notes", what = head, notes = notes)
}

fn notes(words: &Words, untold: &Untold) -> Vec<String> {
    let Withheld {
        silenced,
        noout,
        waiting,
        early,
    } = untold.withheld;
    let length = untold.seconds.map(Duration::from_secs);
    let length = length.map(|length| phrases::duration(words, length));
    let passes = untold.passes;
    let early = (early > 0).then(|| match (passes > 1, length) {
        (false, None) => None,
        (true, None) => Some(say!(
            words,
            "known-early-passes",
            number = early,
            passes = passes
        )),
        (false, Some(length)) => Some(say!(
            words,
            "known-early-time",
            number = early,
            length = length
        )),
        (true, Some(length)) => Some(say!(
            words,
            "known-early-both",
            number = early,
            passes = passes,
            length = length
        )),
    });
    let notes = [
        (silenced > 0).then(|| say!(words, "silenced-number", number = silenced)),
        (noout > 0).then(|| say!(words, "known-noout", number = noout)),
        (waiting > 0).then(|| say!(words, "known-waiting", number = waiting)),
        early.flatten(),
    ];
    notes.into_iter().flatten().collect()
}

fn some(words: &Words, names: &Names) -> String {
    let first = phrases::list(words, &names.first);
    match names.more {
        0 => first,
        more => say!(words, "list-and-more", list = first, number = more),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::check::sight::Unseen;
    use crate::facts::OsdId;
    use crate::incident::Ack;
    use crate::wording::{Hosts, Place};
    use crate::words::Language;

    fn incident(wrong: Wrong, why: Option<Option<&str>>) -> Elsewhere {
        let ack = why.map(|why| Ack {
            at: "2026-11-23T02:14:00Z".parse().unwrap(),
            why: why.map(str::to_owned),
            by: None,
        });
        Elsewhere::Incident { wrong, ack }
    }

    fn names(first: &[&str], more: usize) -> Names {
        let first = first.iter().map(|name| (*name).to_owned()).collect();
        Names { first, more }
    }

    #[test]
    fn an_incident_is_told_in_a_line_and_is_kept_as_it_is() {
        let number = |down, flapping| Number { down, flapping };
        let with = |nodes, few: &[&str]| WithNodes {
            osds: 12,
            nodes,
            names: names(few, 0).first,
        };
        let osds = |number, ids: &[i64]| Wrong::Osds {
            number,
            place: Place::HostsAndNone(Hosts::Named(vec!["node1".to_owned()])),
            ids: ids.iter().copied().map(OsdId).collect(),
        };
        for (other, english, german) in [
            (
                incident(
                    Wrong::Nodes {
                        number: number(12, 1),
                        names: names(&["node1", "node2"], 11),
                        with: Some(with(1, &["node1"])),
                    },
                    None,
                ),
                "12 nodes down, 1 flapping: node1, node2 and 11 more; OSDs down: 12 with node1",
                "12 Knoten ausgefallen, 1 instabil: node1, node2 und 11 weitere; OSDs ausgefallen: 12 mit node1",
            ),
            (
                incident(Wrong::OsdsOfNodes(with(20, &[])), Some(None)),
                "OSDs not up again yet: 12 with 20 nodes (acknowledged)",
                "OSDs noch nicht zurück: 12 mit 20 Knoten (quittiert)",
            ),
            (
                incident(osds(number(3, 0), &[1, 2, 3]), Some(Some("disks\nordered"))),
                "3 OSDs down on node1 and on no host: osd.1-3 (acknowledged: disks ordered)",
                "3 OSDs auf node1 und auf keinem Host ausgefallen: osd.1-3 (quittiert: disks ordered)",
            ),
            (
                incident(osds(number(0, 1), &[]), None),
                "1 OSD flapping on node1 and on no host",
                "1 OSD auf node1 und auf keinem Host instabil",
            ),
            (
                incident(
                    Wrong::Health {
                        errors: 1,
                        warnings: 2,
                        codes: names(&["A", "B", "C"], 0),
                    },
                    None,
                ),
                "Ceph reports 1 error, 2 warnings: A, B, C",
                "Ceph meldet 1 Fehler, 2 Warnungen: A, B, C",
            ),
            (
                incident(Wrong::Blind([Unseen::Leader].into()), None),
                "Consul cannot elect a leader",
                "Consul kann keinen Leader wählen",
            ),
            (
                Elsewhere::Text("1 node down: node5".to_owned()),
                "1 node down: node5",
                "1 node down: node5",
            ),
        ] {
            assert_eq!(elsewhere(&Words::of(Language::English), &other), english);
            assert_eq!(elsewhere(&Words::of(Language::German), &other), german);
            let kept = serde_json::to_string(&other).unwrap();
            assert_eq!(serde_json::from_str::<Elsewhere>(&kept).unwrap(), other);
        }
        let earlier: Elsewhere = serde_json::from_str("\"1 node down: node5\"").unwrap();
        assert_eq!(earlier, Elsewhere::Text("1 node down: node5".to_owned()));
    }

    #[test]
    fn what_was_last_known_is_told_in_a_line_and_is_kept_as_it_is() {
        let thing = |name: &str, at, flapping| Thing {
            name: name.to_owned(),
            at,
            flapping,
        };
        let tally = Tally {
            total: 48,
            number: Number {
                down: 14,
                flapping: 1,
            },
            things: vec![
                thing("osd.1", Some(At::Host("node1".to_owned())), true),
                thing("osd.2", Some(At::NoHost), false),
            ],
            more: 12,
            with: Some(WithNodes {
                osds: 12,
                nodes: 1,
                names: vec!["node3".to_owned()],
            }),
            untold: Untold {
                withheld: Withheld {
                    silenced: 1,
                    noout: 2,
                    waiting: 3,
                    early: 4,
                },
                passes: 2,
                seconds: Some(90),
            },
        };
        let well = Tally {
            total: 8,
            number: Number {
                down: 0,
                flapping: 0,
            },
            things: Vec::new(),
            more: 0,
            with: None,
            untold: Untold::default(),
        };
        let health = |left_out: &[&str]| Found::Health {
            errors: 0,
            warnings: 0,
            codes: Names::default(),
            left_out: names(left_out, 0),
            untold: Untold::default(),
        };
        for (found, english, german) in [
            (
                Found::Osds(tally),
                "14 of 48 OSDs down, 1 flapping (12 with node3; 1 silenced; 2 held back while noout is set; 3 not told \
                 yet, as their node may be down; 4 not counted before 2 passes in a row and 1 min): osd.1/node1 \
                 (flapping), osd.2/no host and 12 more",
                "14 von 48 OSDs ausgefallen, 1 instabil (12 mit node3; 1 stummgeschaltet; 2 zurückgehalten, solange noout \
                 gesetzt ist; 3 noch nicht gemeldet, da ihr Knoten ausgefallen sein kann; 4 zählen erst nach 2 \
                 Durchgängen in Folge und 1 min): osd.1/node1 (instabil), osd.2/kein Host und 12 weitere",
            ),
            (
                Found::Nodes(well),
                "all 8 nodes are up",
                "alle 8 Knoten sind in Betrieb",
            ),
            (
                health(&["OSD_DOWN", "X"]),
                "Ceph reports nothing that counts (left out: OSD_DOWN, X)",
                "Ceph meldet nichts, was zählt (ausgenommen: OSD_DOWN, X)",
            ),
            (health(&[]), "Ceph reports nothing", "Ceph meldet nichts"),
        ] {
            let found = Known::Found(found);
            assert_eq!(known(&Words::of(Language::English), &found), english);
            assert_eq!(known(&Words::of(Language::German), &found), german);
            let kept = serde_json::to_string(&found).unwrap();
            assert_eq!(serde_json::from_str::<Known>(&kept).unwrap(), found);
        }
    }
}
