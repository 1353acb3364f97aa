//! What Ceph itself finds wrong: its health checks, without what the admin has muted or does not want to hear of, and without
//! what the other checks of petanotify tell better.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Health, HealthCheck, HealthSeverity};
use crate::incident::{Down, Seen};

/// Which of Ceph's health checks count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The least severity.
    pub level: HealthSeverity,
    /// Codes that are left out whatever they say, e.g. `POOL_APP_NOT_ENABLED`.
    pub ignore: BTreeSet<String>,
}

/// What the other checks of petanotify watch, so that nothing is told twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Others {
    /// The capacity check is on.
    pub capacity: bool,
    /// The OSD check is on.
    pub osds: bool,
    /// And it knows an OSD that is down, or that flaps.
    pub osd_down: bool,
}

impl Others {
    /// Whether what this check of Ceph says is told by another check of ours.
    fn cover(&self, code: &str) -> bool {
        match code {
            // Without a manager the space is unknown, and that is an alert of its own.
            "MGR_DOWN" => self.capacity,
            // What follows from an OSD that is down. Once all are up again, it is news that data still lack copies.
            "PG_DEGRADED" => self.osd_down,
            // OSD_DOWN, and one for each type of CRUSH bucket that is down as a whole: OSD_HOST_DOWN, OSD_RACK_DOWN, ...
            _ => self.osds && code.starts_with("OSD_") && code.ends_with("_DOWN"),
        }
    }
}

/// What of Ceph's health counts.
#[derive(Debug)]
pub struct Sorted {
    /// For the judge. What was wrong and does not count any more, though Ceph still says it, is neither up nor down.
    pub seen: Seen<String, HealthCheck>,
    /// What Ceph says and what does not count.
    pub left_out: BTreeSet<String>,
}

/// Sorts Ceph's health checks into what counts and what is left out; `before` is what was wrong in the pass before.
pub fn sort(
    health: Health,
    scope: &Scope,
    others: Others,
    before: &BTreeMap<String, Down<HealthCheck>>,
) -> Sorted {
    let Health { checks, muted } = health;
    let counts = |code: &String, check: &HealthCheck| {
        check.severity >= scope.level
            && !muted.contains(code)
            && !scope.ignore.contains(code)
            && !others.cover(code)
    };
    let mut down = BTreeMap::new();
    let mut left_out = BTreeSet::new();
    for (code, check) in checks {
        if counts(&code, &check) {
            down.insert(code, check);
        } else {
            left_out.insert(code);
        }
    }
    let fine = |code: &&String| !down.contains_key(*code) && !left_out.contains(*code);
    let up = before.keys().filter(fine).cloned().collect();
    let seen = Seen {
        down,
        unseen: BTreeSet::new(),
        up,
    };
    Sorted { seen, left_out }
}

/// Makes news again of what has become an error and was told as a warning. A summary that changes, as its counts do in every
/// pass, is no news.
pub fn renew(
    before: &mut BTreeMap<String, Down<HealthCheck>>,
    now: &BTreeMap<String, HealthCheck>,
) {
    for (code, known) in before {
        if now
            .get(code)
            .is_some_and(|check| check.severity > known.what.severity)
        {
            known.announced = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::HealthSeverity::{Error, Warning};
    use super::*;

    fn check(severity: HealthSeverity) -> HealthCheck {
        HealthCheck {
            severity,
            summary: "3 scrub errors".to_owned(),
        }
    }

    fn known(severity: HealthSeverity) -> Down<HealthCheck> {
        Down {
            since: Timestamp::UNIX_EPOCH,
            passes: 5,
            announced: true,
            flapping: None,
            what: check(severity),
        }
    }

    #[test]
    fn what_counts_is_told_from_what_is_left_out() {
        const ALL: Others = Others {
            capacity: true,
            osds: true,
            osd_down: true,
        };
        const NONE: Others = Others {
            capacity: false,
            osds: false,
            osd_down: false,
        };
        let all_up = Others {
            osd_down: false,
            ..ALL
        };
        for (code, severity, level, others, counts) in [
            ("PG_DAMAGED", Error, Error, ALL, true),
            ("PG_DAMAGED", Error, Warning, ALL, true),
            ("MON_DOWN", Warning, Error, ALL, false),
            ("MON_DOWN", Warning, Warning, ALL, true),
            ("MUTED", Error, Warning, NONE, false),
            ("IGNORED", Error, Warning, NONE, false),
            ("OSD_DOWN", Warning, Warning, all_up, false),
            ("OSD_DOWN", Warning, Warning, NONE, true),
            ("OSD_HOST_DOWN", Warning, Warning, all_up, false),
            ("OSD_DATACENTER_DOWN", Warning, Warning, all_up, false),
            ("OSD_NEARFULL", Warning, Warning, ALL, true),
            ("OSD_SCRUB_ERRORS", Error, Error, ALL, true),
            ("MGR_DOWN", Warning, Warning, all_up, false),
            ("MGR_DOWN", Warning, Warning, NONE, true),
            ("PG_DEGRADED", Warning, Warning, ALL, false),
            ("PG_DEGRADED", Warning, Warning, all_up, true),
            ("PG_AVAILABILITY", Warning, Warning, ALL, true),
        ] {
            let health = Health {
                checks: BTreeMap::from([(code.to_owned(), check(severity))]),
                muted: BTreeSet::from(["MUTED".to_owned()]),
            };
            let scope = Scope {
                level,
                ignore: BTreeSet::from(["IGNORED".to_owned()]),
            };
            let sorted = sort(health, &scope, others, &BTreeMap::new());
            let case = format!("{code} {severity:?}, {level:?}, {others:?}");
            assert_eq!(sorted.seen.down.contains_key(code), counts, "{case}");
            assert_eq!(sorted.left_out.contains(code), !counts, "{case}");
        }
    }

    #[test]
    fn what_ceph_no_longer_says_is_fine_again_and_what_it_still_says_is_not() {
        let names = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        let before: BTreeMap<String, Down<HealthCheck>> = ["GONE", "LASTS", "MUTED"]
            .map(|code| (code.to_owned(), known(Error)))
            .into();
        let health = Health {
            checks: ["LASTS", "MUTED"]
                .map(|code| (code.to_owned(), check(Error)))
                .into(),
            muted: names(&["MUTED"]),
        };
        let scope = Scope {
            level: Error,
            ignore: BTreeSet::new(),
        };
        let sorted = sort(health, &scope, Others::default(), &before);
        assert_eq!(sorted.seen.up, names(&["GONE"]));
        assert_eq!(sorted.left_out, names(&["MUTED"]));
        assert!(sorted.seen.down.keys().eq(["LASTS"]));
    }

    #[test]
    fn a_severity_that_rises_is_news_and_a_summary_is_not() {
        for (before, now, told) in [
            (Warning, Warning, true),
            (Warning, Error, false),
            (Error, Warning, true),
            (Error, Error, true),
        ] {
            let mut memory = BTreeMap::from([("PG_DAMAGED".to_owned(), known(before))]);
            let mut seen = check(now);
            seen.summary = "4 scrub errors".to_owned();
            renew(
                &mut memory,
                &BTreeMap::from([("PG_DAMAGED".to_owned(), seen)]),
            );
            assert_eq!(
                memory["PG_DAMAGED"].announced, told,
                "{before:?} to {now:?}"
            );
        }
    }
}
