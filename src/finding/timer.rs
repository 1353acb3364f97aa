//! What starts the passes, and as which user.

use std::collections::BTreeMap;

use super::{Finding, Section};
use crate::machine::{CRON_FILE, Machine};

const TIMER: &str = "petanotify.timer";
const SERVICE: &str = "petanotify.service";

/// The properties of timer and service by unit, as `systemctl show` lists them.
pub struct Units(BTreeMap<String, BTreeMap<String, String>>);

impl Units {
    /// Reads the answer of `systemctl show` about several units, a block of lines for each.
    pub fn parse(answer: &str) -> Units {
        let mut units = BTreeMap::new();
        for block in answer.split("\n\n") {
            let properties = block.lines().filter_map(|line| line.split_once('='));
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let properties: BTreeMap<String, String> = properties.map(owned).collect();
            if let Some(id) = properties.get("Id") {
                units.insert(id.clone(), properties);
            }
        }
        Units(units)
    }

    fn property(&self, unit: &str, name: &str) -> &str {
        let value = self.0.get(unit).and_then(|unit| unit.get(name));
        value.map_or("", String::as_str)
    }

    fn is_there(&self, unit: &str) -> bool {
        self.property(unit, "LoadState") == "loaded"
    }

    /// The user of the service; `None` where there is no service.
    pub fn user(&self) -> Option<&str> {
        if !self.is_there(SERVICE) {
            return None;
        }
        Some(match self.property(SERVICE, "User") {
            "" => "root",
            user => user,
        })
    }
}

/// The findings.
pub fn judge(machine: &Machine, units: Option<&Units>) -> Vec<Finding> {
    let mut findings = vec![match units {
        Some(units) => timer(units),
        None => cron(machine),
    }];
    if let Some(service) = units.and_then(Units::user) {
        findings.push(user(&machine.user, service));
    }
    findings
}

fn timer(units: &Units) -> Finding {
    let name = "timer";
    if !units.is_there(TIMER) {
        return Finding::warning(
            Section::Timer,
            name,
            format!("{TIMER} is not installed, so nothing starts passes"),
            "Install the package, or petanotify.service and petanotify.timer in /etc/systemd/system, then:\n  \
             systemctl daemon-reload\n  systemctl enable --now petanotify.timer",
        );
    }
    let start = "Start it, now and at each boot:\n  systemctl enable --now petanotify.timer";
    match units.property(TIMER, "ActiveState") {
        "active" => {
            let next = match units.property(TIMER, "NextElapseUSecRealtime") {
                "" | "n/a" => "a pass is running".to_owned(),
                next => format!("the next pass at {next}"),
            };
            match units.property(TIMER, "UnitFileState") {
                "disabled" => Finding::warning(
                    Section::Timer,
                    name,
                    format!("{TIMER} is active, {next}; it is not started at boot"),
                    start,
                ),
                _ => Finding::ok(Section::Timer, name, format!("{TIMER} is active, {next}")),
            }
        }
        state => Finding::warning(
            Section::Timer,
            name,
            format!("{TIMER} is {state}, so nothing starts passes"),
            start,
        ),
    }
}

fn cron(machine: &Machine) -> Finding {
    let name = "cron";
    match machine.has_cron_file {
        true => Finding::ok(
            Section::Timer,
            name,
            format!("{CRON_FILE} is there (systemd does not run here)"),
        ),
        false => Finding::warning(
            Section::Timer,
            name,
            format!(
                "systemd does not run here, and there is no {CRON_FILE}: does anything start passes?"
            ),
            format!(
                "Where cron runs:\n  \
                 echo '* * * * * root timeout --kill-after=5 90 petanotify check 2>&1 | logger -t petanotify' > {CRON_FILE}"
            ),
        ),
    }
}

fn user(own: &str, service: &str) -> Finding {
    let name = "user";
    match own {
        _ if own == service => Finding::ok(Section::Timer, name, format!("{own}, as the service")),
        // What the service's user may not read himself, systemd reads as root and hands over.
        "root" => Finding::ok(
            Section::Timer,
            name,
            format!("root; the service runs as {service}, and systemd hands it keys and passwords"),
        ),
        _ => Finding::warning(
            Section::Timer,
            name,
            format!("this ran as {own}, the service runs as {service}, who may read less or more"),
            "What the service itself makes of it:\n  \
             systemctl start petanotify.service\n  journalctl --unit petanotify.service --since -1min",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    /// As systemd 252 prints it.
    const ACTIVE: &str = "Id=petanotify.timer\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\
                          NextElapseUSecRealtime=Mon 2026-11-23 08:01:07 UTC\n\n\
                          User=petanotify\n\
                          Id=petanotify.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=static\n";

    fn machine(user: &str) -> Machine {
        Machine {
            user: user.to_owned(),
            units: None,
            has_cron_file: false,
            clock: None,
        }
    }

    fn judged(answer: &str, user: &str) -> Vec<Finding> {
        judge(&machine(user), Some(&Units::parse(answer)))
    }

    #[test]
    fn a_timer_that_runs_is_told_with_its_next_pass() {
        let findings = judged(ACTIVE, "petanotify");
        assert_eq!(
            findings[0].detail,
            "petanotify.timer is active, the next pass at Mon 2026-11-23 08:01:07 UTC"
        );
        assert_eq!(findings[1].detail, "petanotify, as the service");
        assert!(findings.iter().all(|f| f.outcome == Outcome::Ok));
    }

    #[test]
    fn a_timer_that_starts_nothing_is_a_warning_with_the_line_that_starts_it() {
        let start = "systemctl enable --now petanotify.timer";
        let inactive = ACTIVE.replace("ActiveState=active", "ActiveState=inactive");
        let until_boot = ACTIVE.replace("=enabled", "=disabled");
        let missing = "Id=petanotify.timer\nLoadState=not-found\nActiveState=inactive\n\n\
                       Id=petanotify.service\nLoadState=not-found\nUser=\n";
        for (answer, words) in [
            (inactive.as_str(), "is inactive"),
            (&until_boot, "not started at boot"),
            (missing, "is not installed"),
        ] {
            let findings = judged(answer, "petanotify");
            assert_eq!(findings[0].outcome, Outcome::Warning);
            assert!(findings[0].detail.contains(words), "{findings:?}");
            let advice = findings[0].advice.as_deref().unwrap_or("");
            assert!(advice.ends_with(start), "{advice}");
        }
        assert_eq!(judged(missing, "root").len(), 1, "no service, no user");
    }

    #[test]
    fn another_user_than_the_services_is_told_so() {
        let user = judged(ACTIVE, "ops").remove(1);
        assert_eq!(user.outcome, Outcome::Warning);
        let advice = user.advice.unwrap_or_default();
        assert!(
            advice.contains("\n  systemctl start petanotify.service"),
            "{advice}"
        );
        let root = judged(ACTIVE, "root").remove(1);
        assert_eq!(root.outcome, Outcome::Ok);
        assert!(root.detail.contains("the service runs as petanotify"));
        let as_root = ACTIVE.replace("User=petanotify", "User=");
        assert_eq!(judged(&as_root, "root")[1].detail, "root, as the service");
    }

    #[test]
    fn without_systemd_cron_counts() {
        let mut machine = machine("root");
        let none = judge(&machine, None);
        assert_eq!((none.len(), none[0].outcome), (1, Outcome::Warning));
        let advice = none[0].advice.as_deref().unwrap_or("");
        assert!(
            advice.contains("petanotify check 2>&1 | logger"),
            "{advice}"
        );
        machine.has_cron_file = true;
        assert_eq!(judge(&machine, None)[0].outcome, Outcome::Ok);
    }
}
