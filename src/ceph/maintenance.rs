//! Reads from the `health` of `ceph status` which flags are set and which checks are muted. Ceph has no other place for
//! either in that answer; the words were looked at in Ceph 14.2, 16.2, 18.2 and 20.2.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::borrowed::Text;
use crate::facts::{Flag, Maintenance};
use crate::wording;

/// So many muted checks are kept; there are some 100 that Ceph could be asked to mute.
const MUTES: usize = 20;

/// Reads it; what can't be understood counts as not there, for nothing of this may stop a check.
pub(super) fn read(health: &RawValue) -> Maintenance {
    let Health { checks, mutes } = serde_json::from_str(health.get()).unwrap_or_default();
    let checks = checks.unwrap_or_default();
    let mut maintenance = Maintenance::default();
    if let Some(Check { summary }) = checks.flags {
        // "nodown,noout flag(s) set"
        let words = summary.message.0.split_whitespace().next();
        let words: Vec<&str> = words.unwrap_or_default().split(',').collect();
        let set = |flag: &Flag| words.contains(&flag.as_str());
        maintenance.flags = Flag::ALL.into_iter().filter(set).collect();
    }
    if let Some(Check { summary }) = checks.own_flags {
        // "2 OSDs or CRUSH {nodes, device-classes} have {NOUP,NODOWN,NOIN,NOOUT} flags set"
        let number = summary.message.0.split_whitespace().next();
        let number = number.and_then(|number| number.parse().ok());
        maintenance.flagged = number.unwrap_or(1);
    }
    let codes = mutes
        .iter()
        .flatten()
        .map(|Mute { code }| wording::name(&code.0));
    maintenance.mutes = codes.take(MUTES).collect();
    maintenance
}

#[derive(Default, Deserialize)]
struct Health<'a> {
    #[serde(borrow)]
    checks: Option<Checks<'a>>,
    #[serde(borrow)]
    mutes: Option<Vec<Mute<'a>>>,
}

#[derive(Default, Deserialize)]
struct Checks<'a> {
    #[serde(borrow, rename = "OSDMAP_FLAGS")]
    flags: Option<Check<'a>>,
    #[serde(borrow, rename = "OSD_FLAGS")]
    own_flags: Option<Check<'a>>,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow)]
    summary: Summary<'a>,
}

#[derive(Deserialize)]
struct Summary<'a> {
    #[serde(borrow)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct Mute<'a> {
    #[serde(borrow)]
    code: Text<'a>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::ceph::parse_status;

    fn maintenance(flags: &[Flag], flagged: u32, mutes: &[&str]) -> Maintenance {
        Maintenance {
            flags: flags.iter().copied().collect(),
            flagged,
            mutes: mutes.iter().map(|&code| code.to_owned()).collect(),
        }
    }

    #[test]
    fn what_clusters_have_answered_is_understood() {
        use Flag::{Nodown, Noout, Norebalance, Pauserd, Pausewr};
        let healthy = maintenance(&[], 0, &[]);
        let noout = maintenance(&[Noout], 0, &[]);
        let all = maintenance(
            &[Noout, Nodown, Norebalance, Pauserd, Pausewr],
            2,
            &["OSDMAP_FLAGS", "OSD_DOWN"],
        );
        for (recorded, expected) in [
            ("14.2.21/status.healthy", &healthy),
            ("18.2.7/status.one-osd-down", &healthy),
            ("14.2.21/status.noout", &noout),
            ("16.2.15/status.noout", &noout),
            ("18.2.7/status.noout", &noout),
            ("20.2.4/status.noout", &noout),
            ("16.2.15/status.maintenance", &all),
        ] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ceph");
            let printed = std::fs::read(format!("{folder}/{recorded}.json")).unwrap();
            let status = parse_status(&printed).unwrap();
            assert_eq!(status.maintenance, *expected, "{recorded}");
        }
    }

    #[test]
    fn whatever_health_is_the_rest_of_the_answer_counts() {
        let flags =
            |message: &str| json!({"checks": {"OSDMAP_FLAGS": {"summary": {"message": message}}}});
        let own =
            |message: &str| json!({"checks": {"OSD_FLAGS": {"summary": {"message": message}}}});
        let codes: Vec<_> = (10..50)
            .map(|code| json!({"code": format!("C{code}")}))
            .collect();
        let first: Vec<String> = (10..30).map(|code| format!("C{code}")).collect();
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        for (health, expected) in [
            (json!(null), maintenance(&[], 0, &[])),
            (json!(7), maintenance(&[], 0, &[])),
            (json!({"checks": [], "mutes": 7}), maintenance(&[], 0, &[])),
            (json!({"mutes": null}), maintenance(&[], 0, &[])),
            (flags(""), maintenance(&[], 0, &[])),
            (
                flags("noscrub,full,noouts flag(s) set"),
                maintenance(&[], 0, &[]),
            ),
            (
                flags("noscrub,noup,noin flag(s) set"),
                maintenance(&[Flag::Noup, Flag::Noin], 0, &[]),
            ),
            (own("12 OSDs have flags set"), maintenance(&[], 12, &[])),
            (own("some OSDs have flags set"), maintenance(&[], 1, &[])),
            (json!({"mutes": codes}), maintenance(&[], 0, &first)),
            (
                json!({"mutes": [{"code": "A\r\nBcc: x"}]}),
                maintenance(&[], 0, &["A??Bcc: x"]),
            ),
        ] {
            let answer = json!({
                "health": health,
                "pgmap": {"bytes_used": 1, "bytes_total": 3},
                "mgrmap": {"available": true},
            });
            let status = parse_status(answer.to_string().as_bytes()).unwrap();
            assert_eq!(status.maintenance, expected, "{answer}");
            assert_eq!(status.usage.used_bytes, 1);
        }
    }
}
