//! The clock: mails carry its time, certificates are judged by it, and ages are counted with it.

use super::{Finding, Section};
use crate::facts::MonitorClocks;

/// The findings. `timedatectl` is the answer of `timedatectl show`, `monitors` what Ceph's monitors have found about each
/// other's clocks.
pub fn judge(timedatectl: Option<&str>, monitors: Option<&MonitorClocks>) -> Vec<Finding> {
    let mut findings = vec![own(timedatectl)];
    findings.extend(monitors.and_then(apart));
    findings
}

fn own(timedatectl: Option<&str>) -> Finding {
    let name = "this node";
    let synchronised = timedatectl.and_then(|answer| {
        let mut lines = answer.lines();
        lines.find_map(|line| line.strip_prefix("NTPSynchronized="))
    });
    match synchronised {
        Some("yes") => Finding::ok(Section::Clock, name, "kept right by a time server (NTP)"),
        Some(_) => Finding::warning(
            Section::Clock,
            name,
            "no time server keeps it right (NTP), so it will drift",
            "Start what PetaSAN or the distribution has for that, one of:\n  \
             systemctl enable --now ntp\n  systemctl enable --now chrony\n  timedatectl set-ntp true",
        ),
        None => Finding::warning(
            Section::Clock,
            name,
            "whether it is right cannot be told here: timedatectl has no answer",
            "Compare it by hand with a clock that is right:\n  date -u",
        ),
    }
}

fn apart(monitors: &MonitorClocks) -> Option<Finding> {
    let name = "monitors";
    let (first, others) = (monitors.skew_seconds.len(), &monitors.apart);
    if first < 2 {
        return None;
    }
    let most = (monitors.skew_seconds.values()).fold(0.0_f64, |most, skew| most.max(skew.abs()));
    Some(match others.as_slice() {
        [] => Finding::ok(
            Section::Clock,
            name,
            format!("the clocks of {first} Ceph monitors are at most {most:.3} s apart"),
        ),
        _ => Finding::warning(
            Section::Clock,
            name,
            format!(
                "too far from the leading monitor's clock: {}, up to {most:.3} s",
                others.join(", ")
            ),
            "On these nodes, see whether a time server is reached:\n  ceph time-sync-status\n  chronyc tracking\n  ntpq -p",
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Outcome;
    use super::*;

    #[test]
    fn the_nodes_clock_is_kept_right_or_not_or_nobody_knows() {
        for (answer, outcome) in [
            (
                Some("Timezone=UTC\nNTP=no\nNTPSynchronized=yes\n"),
                Outcome::Ok,
            ),
            (Some("NTPSynchronized=no\n"), Outcome::Warning),
            (Some("Timezone=UTC\n"), Outcome::Warning),
            (None, Outcome::Warning),
        ] {
            let findings = judge(answer, None);
            assert_eq!(findings[0].outcome, outcome, "{answer:?}");
        }
    }

    #[test]
    fn the_monitors_are_together_or_apart() {
        let skews = |skews: &[(&str, f64)], apart: &[&str]| MonitorClocks {
            skew_seconds: skews
                .iter()
                .map(|&(name, skew)| (name.to_owned(), skew))
                .collect::<BTreeMap<_, _>>(),
            apart: apart.iter().map(|&name| name.to_owned()).collect(),
        };
        let alone = judge(None, Some(&MonitorClocks::default()));
        assert_eq!(alone.len(), 1);
        let together = judge(None, Some(&skews(&[("a", 0.0), ("b", -0.0123)], &[])));
        assert_eq!(together[1].outcome, Outcome::Ok);
        assert!(together[1].detail.ends_with("at most 0.012 s apart"));
        let apart = judge(None, Some(&skews(&[("a", 0.0), ("b", -1.5)], &["b"])));
        assert_eq!(apart[1].outcome, Outcome::Warning);
        assert!(apart[1].detail.ends_with("clock: b, up to 1.500 s"));
    }
}
