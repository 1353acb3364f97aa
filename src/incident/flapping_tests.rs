//! What is told of things that flap: tables of minutes, and random months.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use super::*;
use crate::settings::Hold;

type TestWatch = Watch<u32, ()>;
type TestChange = Change<u32, ()>;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_402_440 + minute * 60).unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// Told as down after 3 minutes, calm after 5: so the tables stay short.
fn short() -> Rule {
    Rule {
        calm_after: minutes(5),
        down_after: minutes(3),
        ..Rule::default()
    }
}

/// The minute in which the letters stand for: `D` down, `U` up, `?` unseen, `-` not there.
fn seen(things: &[&str], minute: usize) -> Seen<u32, ()> {
    let mut seen = Seen {
        down: BTreeMap::new(),
        unseen: BTreeSet::new(),
        up: BTreeSet::new(),
    };
    for (key, states) in (1..).zip(things) {
        match states.as_bytes()[minute] {
            b'D' => drop(seen.down.insert(key, ())),
            b'U' => drop(seen.up.insert(key)),
            b'?' => drop(seen.unseen.insert(key)),
            _ => {}
        }
    }
    seen
}

/// How an item is written: `1` down, `1~3` flapping for the third time.
fn written(key: u32, flapping: Option<&Flapping>) -> String {
    flapping.map_or(key.to_string(), |flapping| {
        format!("{key}~{}", flapping.downs)
    })
}

fn line(minute: usize, raise: &Raise<TestChange>) -> String {
    let items = |items: &[Item<u32, ()>]| {
        let items = items.iter().map(|item| written(item.key, item.flaps()));
        items.collect::<Vec<_>>().join(",")
    };
    let over = raise.report.over.iter();
    let over = over.map(|over| written(over.key, over.was.flapping.as_ref()));
    format!(
        "{minute} {} {}/{}/{}",
        raise.kind.as_str(),
        items(&raise.report.new),
        items(&raise.report.still),
        over.collect::<Vec<_>>().join(",")
    )
}

/// One pass a minute.
struct Story<'a> {
    rule: &'a dyn Fn(usize) -> Option<Rule>,
    hold: u32,
    quiet: &'a dyn Fn(usize) -> bool,
}

impl Story<'_> {
    /// What is told in which minutes, in writing, and what is remembered.
    fn told(&self, things: &[&str]) -> (Vec<String>, TestWatch) {
        let (raised, memory) = self.raised(things);
        let told = raised.iter().map(|(minute, raise)| line(*minute, raise));
        (told.collect(), memory)
    }

    fn raised(&self, things: &[&str]) -> (Vec<(usize, Raise<TestChange>)>, TestWatch) {
        let mut memory = TestWatch::default();
        let mut raised = Vec::new();
        for minute in 0..things[0].len() {
            let policy = Policy {
                topic: "osds",
                counts: &|_, down| down.passes >= self.hold,
                waits: &|_, _| false,
                quiet: &|_, _| (self.quiet)(minute),
                flapping: (self.rule)(minute),
                remind_every: None,
            };
            let now = at(i64::try_from(minute).unwrap());
            let (next, raise) = judge(memory, seen(things, minute), &policy, now);
            memory = next;
            raised.extend(raise.map(|raise| (minute, raise)));
        }
        (raised, memory)
    }
}

const USUAL: Story<'static> = Story {
    rule: &|_| {
        Some(Rule {
            downs: 3,
            window: Duration::from_secs(7200),
            calm_after: Duration::from_secs(300),
            down_after: Duration::from_secs(180),
        })
    },
    hold: 1,
    quiet: &|_| false,
};

/// The beginning of most stories: up and down twice, and down for the third time.
const TWICE: [&str; 4] = [
    "0 raised 1//",
    "1 cleared //1",
    "2 raised 1//",
    "3 cleared //1",
];

#[test]
fn what_flaps_is_told_once_until_it_is_calm_or_stays_down() {
    assert_eq!((USUAL.rule)(0), Some(short()));
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("an upgrade and a reboot", &["DUDUUUUUUUUUU"], &[]),
        (
            "it flaps, and comes to rest",
            &["DUDUDUDUDUDUUUUUUUU"],
            &["4 raised 1~3//", "16 cleared //1~6"],
        ),
        (
            "one more time down just before it is calm: it takes as long again",
            &["DUDUDUUUUUDUUUUUUUU"],
            &["4 raised 1~3//", "16 cleared //1~4"],
        ),
        (
            "it stays down: that is news, and when it is back it has to be calm",
            &["DUDUDUDDDDDUUUUUUUU"],
            &["4 raised 1~3//", "9 updated 1//", "16 cleared //1~4"],
        ),
        (
            "what was told as down and flaps on is no news",
            &["DUDUDDDDUDUDDDDDUDUUUUUU"],
            &["4 raised 1~3//", "7 updated 1//", "23 cleared //1~6"],
        ),
        (
            "down for as long as it takes to be calm: it is over as soon as it is up",
            &["DUDUDDDDDDDUDU"],
            &[
                "4 raised 1~3//",
                "7 updated 1//",
                "11 cleared //1",
                "12 raised 1~4//",
            ],
        ),
        (
            "calm, and again: it has not been forgotten",
            &["DUDUDUUUUUUDUUUUUU"],
            &[
                "4 raised 1~3//",
                "10 cleared //1~3",
                "11 raised 1~4//",
                "17 cleared //1~4",
            ],
        ),
        (
            "removed",
            &["DUDUD-"],
            &["4 raised 1~3//", "5 cleared //1~3"],
        ),
        (
            "what could not be seen neither ends it nor counts",
            &["DUDUD??U???UUUUUUUU"],
            &["4 raised 1~3//", "12 cleared //1~3"],
        ),
    ];
    for (name, things, expected) in cases {
        let (told, memory) = USUAL.told(things);
        let expected: Vec<&str> = TWICE.iter().chain(*expected).copied().collect();
        assert_eq!(told, expected, "{name}");
        let ends = expected.last().is_some_and(|line| line.contains("cleared"));
        assert_eq!(memory.incident.is_none(), ends, "{name}");
    }
}

#[test]
fn what_flaps_is_one_of_the_incident_with_the_others() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "an update, and the clearing waits for it",
            &["DUDUDUDUUUUUUU", "DDDDDDUUUUUUUU"],
            &[
                "0 raised 1,2//",
                "2 updated 1/2/",
                "4 updated 1~3/2/",
                "12 cleared //1~4,2",
            ],
        ),
        (
            "what is calm before the others is told with the next mail",
            &["DUDUDUUUUUUUUU", "DDDDDDDDDDDDDU", "UUUUUUUUUUUDDU"],
            &[
                "0 raised 1,2//",
                "2 updated 1/2/",
                "4 updated 1~3/2/",
                "11 updated 3/2/1~3",
                "13 cleared //1~3,2,3",
            ],
        ),
        (
            "who has not heard that it was calm hears nothing new when it flaps again",
            &["DUDUDUUUUUUDUUUUUUUU", "DDDDDDDDDDDDDDDDDDDU"],
            &[
                "0 raised 1,2//",
                "2 updated 1/2/",
                "4 updated 1~3/2/",
                "19 cleared //1~4,2",
            ],
        ),
        (
            "who has heard it does",
            &[
                "DUDUDUUUUUUDUUUUUUUU",
                "DDDDDDDDDDDDDDDDDDDU",
                "UUUUUUUUUUDDDDDDDDDU",
            ],
            &[
                "0 raised 1,2//",
                "2 updated 1/2/",
                "4 updated 1~3/2/",
                "10 updated 3/2/1~3",
                "11 updated 1~4/2,3/",
                "19 cleared //1~4,2,3",
            ],
        ),
        (
            "news of others come meanwhile",
            &["DUDUDUUUUUUU", "UUUUUUUDUUUU"],
            &[
                "0 raised 1//",
                "1 cleared //1",
                "2 raised 1//",
                "3 cleared //1",
                "4 raised 1~3//",
                "7 updated 2/1~3/",
                "10 cleared //1~3,2",
            ],
        ),
    ];
    for (name, things, expected) in cases {
        assert_eq!(&USUAL.told(things).0, expected, "{name}");
    }
}

#[test]
fn what_is_never_down_for_long_enough_is_told_when_it_flaps() {
    let story = |hold| Story { hold, ..USUAL };
    for (hold, things, expected) in [
        (
            3,
            "DUDUDUDUDUUUUUUU",
            &["4 raised 1~3//", "14 cleared //1~5"][..],
        ),
        (2, "DUDUUUUU", &[]),
        // It stays down, but does not count yet.
        (
            6,
            "DUDUDDDDDDDUUUUUUU",
            &["4 raised 1~3//", "9 updated 1//", "11 cleared //1"],
        ),
    ] {
        assert_eq!(story(hold).told(&[things]).0, expected, "{hold} {things}");
    }
}

#[test]
fn who_has_asked_for_quiet_hears_of_it_when_the_quiet_ends() {
    let cases: &[(&str, usize, &[&str])] = &[
        // It was over before.
        ("DUDUDUDUUUUUUUUU", 14, &[]),
        (
            "DUDUDUDUUUUUUUUU",
            10,
            &["10 raised 1~4//", "12 cleared //1~4"],
        ),
        ("DUDUDDDDDDDDDDDD", 10, &["10 raised 1//"]),
        ("DUDUDUDUDUDUDUDU", 10, &["10 raised 1~6//"]),
    ];
    for (things, until, expected) in cases {
        let story = Story {
            quiet: &|minute| minute < *until,
            ..USUAL
        };
        assert_eq!(&story.told(&[*things]).0, expected, "{things}");
    }
    // Told before the quiet: what it does meanwhile is told after it.
    let story = Story {
        quiet: &|minute| (5..12).contains(&minute),
        ..USUAL
    };
    let (told, _) = story.told(&["DUDUDDDDDDDDDDDD"]);
    assert_eq!(told[4..], ["4 raised 1~3//", "12 updated 1//"]);
}

#[test]
fn where_flapping_is_turned_off_each_time_is_told() {
    let off = Story {
        rule: &|_| None,
        ..USUAL
    };
    let (told, memory) = off.told(&["DUDUDUDU"]);
    assert_eq!(told.len(), 8, "{told:?}");
    assert!(memory.went_down.is_empty());
    for (things, expected) in [
        ("DUDUDUUUUU", "6 cleared //1~3"),
        ("DUDUDDDDDD", "6 updated 1//"),
    ] {
        let turned_off = Story {
            rule: &|minute| (minute < 6).then(short),
            ..USUAL
        };
        let (told, _) = turned_off.told(&[things]);
        assert_eq!(told[4], "4 raised 1~3//");
        assert_eq!(told[5], expected, "{things}");
    }
}

#[test]
fn six_hours_of_flapping_are_six_mails_and_nothing_remains_of_it() {
    let mut minutes = "DU".repeat(180);
    minutes.push_str(&"U".repeat(60));
    let story = Story {
        rule: &|_| Some(Rule::default()),
        ..USUAL
    };
    let (told, memory) = story.told(&[&minutes]);
    let expected: Vec<&str> = TWICE
        .into_iter()
        .chain(["4 raised 1~3//", "419 cleared //1~180"])
        .collect();
    assert_eq!(told, expected);
    assert!(memory.down.is_empty() && memory.over.is_empty());
    minutes.push_str(&"U".repeat(100));
    assert_eq!(story.told(&[&minutes]).1, TestWatch::default());
}

#[test]
fn a_clock_that_jumps_ends_no_flapping_at_once_and_makes_none_endless() {
    let things = "DUDUDU";
    for (jump, cleared) in [
        (0, 10),
        (-60, 11),
        (-365 * 24 * 60, 11),
        (60, 7),
        (365 * 24 * 60, 7),
    ] {
        let mut memory = TestWatch::default();
        let mut ended = None;
        for minute in 0..20 {
            let now = at(minute + if minute > 5 { jump } else { 0 });
            memory.set_clock(now);
            let policy = Policy {
                topic: "osds",
                counts: &|_, _| true,
                waits: &|_, _| false,
                quiet: &|_, _| false,
                flapping: Some(short()),
                remind_every: None,
            };
            let at_most = usize::try_from(minute).unwrap().min(things.len() - 1);
            let (next, raise) = judge(memory, seen(&[things], at_most), &policy, now);
            memory = next;
            ended = ended.or(raise
                .filter(|r| minute > 4 && r.kind == Kind::Cleared)
                .map(|_| minute));
        }
        assert_eq!(ended, Some(cleared), "{jump} min");
    }
}

#[test]
fn what_is_remembered_of_flapping_survives_the_state_file() {
    let (_, memory) = USUAL.told(&["DUDUDUD", "DDDDDDD", "DUDUDUU"]);
    let text = serde_json::to_string(&memory).unwrap();
    assert_eq!(serde_json::from_str::<TestWatch>(&text).unwrap(), memory);
    assert!(text.contains("went_down"), "{text}");
    let (raised, _) = USUAL.raised(&["DUDUDUDUUUUUU", "DDDDDDDDDDDDU"]);
    let mut flapping = 0;
    for (_, Raise { report, .. }) in raised {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<TestChange>(&text).unwrap(), report);
        flapping += text.matches("\"flapping\"").count();
    }
    assert_eq!(flapping, 2, "told once, and over");
    let (_, quiet) = USUAL.told(&["U"]);
    let text = serde_json::to_string(&quiet).unwrap();
    assert_eq!(text, r#"{"incident":null,"down":[],"over":[]}"#);
}

/// Xorshift (Marsaglia 2003): the same sequence for the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, number: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % number
    }
}

/// A thing that stays as it is for a while: mostly for a minute or two, now and then for an hour or more.
#[derive(Clone)]
struct Thing {
    down: bool,
    left: u64,
    since: i64,
}

/// What somebody who reads all mails has been told of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Flapping,
    Down(i64),
}

#[test]
fn in_random_months_nothing_is_hidden_nothing_told_twice_and_every_incident_ends() {
    const THINGS: usize = 3;
    const DAYS: i64 = 4;
    for seed in 1..=30_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rule = Rule::default();
        let hold = Hold {
            passes: 1 + u32::try_from(dice.below(4)).unwrap(),
            time: [None, Some(minutes(2)), Some(minutes(20))][dice.below(3) as usize],
        };
        let hold_minutes = i64::from(hold.passes).max(match hold.time {
            Some(time) => i64::try_from(time.as_secs() / 60).unwrap(),
            None => 0,
        });
        let longest = hold_minutes.max(10) + 1;
        let mut things = vec![
            Thing {
                down: false,
                left: 0,
                since: 0
            };
            THINGS
        ];
        let mut known = [Known::Nothing; THINGS];
        let mut memory = TestWatch::default();
        let mut kinds = Vec::new();
        let mut changes = 0;
        let end = DAYS * 24 * 60;
        for minute in 0..=end + 61 {
            for thing in &mut things {
                if minute >= end {
                    thing.since = if thing.down { minute } else { thing.since };
                    thing.down = false;
                } else if thing.left == 0 {
                    thing.down = !thing.down;
                    changes += 1;
                    thing.since = minute;
                    thing.left = match dice.below(20) {
                        0 => 1 + dice.below(200),
                        1..4 => 1 + dice.below(30),
                        _ => 1 + dice.below(4),
                    };
                }
                thing.left = thing.left.saturating_sub(1);
            }
            let of = |down| {
                let those = (1..)
                    .zip(&things)
                    .filter(move |(_, thing)| thing.down == down);
                those.map(|(key, _)| (key, ()))
            };
            let seen = Seen {
                down: of(true).collect(),
                unseen: BTreeSet::new(),
                up: of(false).map(|(key, ())| key).collect(),
            };
            let now = at(minute);
            let policy = Policy {
                topic: "osds",
                counts: &|_, down: &Down<()>| {
                    down.passes >= hold.passes && hold.time.is_none_or(|time| down.lasts(time, now))
                },
                waits: &|_, _| false,
                quiet: &|_, _| false,
                flapping: Some(rule),
                remind_every: None,
            };
            let open = memory.incident.is_some();
            let (next, raise) = judge(memory, seen, &policy, now);
            memory = next;
            let case = format!("seed {seed}, minute {minute}, {hold:?}");
            assert_eq!(memory.down_now(), of(true).count(), "{case}");
            if let Some(raise) = raise {
                let expected = match (open, memory.incident.is_some()) {
                    (false, true) => Kind::Raised,
                    (true, true) => Kind::Updated,
                    (true, false) => Kind::Cleared,
                    (false, false) => panic!("{case}: {raise:?}"),
                };
                assert_eq!(raise.kind, expected, "{case}");
                assert_eq!(
                    raise.kind == Kind::Cleared,
                    raise.report.new.is_empty(),
                    "{case}"
                );
                for over in &raise.report.over {
                    known[over.key as usize - 1] = Known::Nothing;
                }
                for item in &raise.report.new {
                    let (known, thing) = (
                        &mut known[item.key as usize - 1],
                        &things[item.key as usize - 1],
                    );
                    assert!(thing.down, "{case}: told of {item:?}");
                    let told = match item.flaps() {
                        Some(_) => Known::Flapping,
                        None => Known::Down(thing.since),
                    };
                    assert_ne!(*known, told, "{case}: twice");
                    *known = told;
                }
                kinds.push(raise.kind);
            }
            for (thing, known) in things.iter().zip(&mut known) {
                if thing.down && minute - thing.since >= longest {
                    assert!(matches!(known, Known::Down(_)), "{case}: hidden, {known:?}");
                }
                // By then it is over, told or not.
                if !thing.down && minute - thing.since >= 60 {
                    *known = Known::Nothing;
                }
            }
        }
        assert_eq!(memory.incident, None, "seed {seed}");
        assert!(
            memory.down.is_empty() && memory.over.is_empty(),
            "seed {seed}"
        );
        assert_eq!(kinds.last(), Some(&Kind::Cleared), "seed {seed}");
        // Each time would have been a mail.
        let mails = kinds.len();
        assert!(
            6 * mails < changes,
            "seed {seed}: {mails} mails of {changes} changes"
        );
    }
}
