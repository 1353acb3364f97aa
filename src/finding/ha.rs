//! Several nodes: which of them speaks, and whether this one can share what it knows.

use super::{Finding, Section, shell_word};
use crate::consul::{SESSION_WRITE, smallest_policy};
use crate::settings::petasan::{LEADER_KEY, USERS_PREFIX};
use crate::settings::{Ha, HaMode};
use crate::trouble::{Case, Trouble};
use crate::wording;

/// What was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `[ha]`
    pub ha: Ha,
    /// `consul.nodes_prefix`
    pub nodes_prefix: String,
    /// PetaSAN's leader lock, or what came of reading it; `None` where it does not matter.
    pub lock: Option<Result<PetasanLock, Obstacle>>,
    /// Where neither the agent nor a session shows what this node is called: its host name, and whether a member bears that.
    pub takes_itself_for: Option<(String, bool)>,
    /// What came of writing, reading and removing; `None` where nothing is shared.
    pub tried: Option<Result<(), Obstacle>>,
}

/// PetaSAN's leader lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PetasanLock {
    /// There is no such key.
    Absent,
    /// Nobody holds it.
    Free,
    /// This node does.
    Held(String),
    /// The token may not see whose session holds it.
    Hidden,
}

/// Why something could not be done.
#[derive(Debug, Clone)]
pub enum Obstacle {
    /// Consul has no leader, so it could not be tried.
    NoQuorum(Trouble),
    /// It failed.
    Failed(Trouble),
}

impl Seen {
    /// The mode as it comes out: what `auto` stands for here, as far as that can be seen.
    pub fn mode(&self) -> HaMode {
        match (self.ha.mode, &self.lock) {
            (HaMode::Auto, Some(Ok(PetasanLock::Absent) | Err(_)) | None) => HaMode::Off,
            (HaMode::Auto, Some(Ok(_))) => HaMode::Petasan,
            (mode, _) => mode,
        }
    }
}

/// The findings.
pub fn judge(seen: &Seen) -> Vec<Finding> {
    let mut findings = vec![speaker(seen)];
    if seen.mode() != HaMode::Off {
        findings.extend(seen.takes_itself_for.as_ref().map(|name| named(seen, name)));
    }
    findings.extend(seen.tried.as_ref().map(|tried| match tried {
        Ok(()) => {
            let detail = format!("written, read and removed below {}", seen.ha.prefix);
            Finding::ok(Section::Ha, "memory", detail)
        }
        Err(obstacle) => in_the_way(seen, "memory", obstacle),
    }));
    findings
}

fn speaker(seen: &Seen) -> Finding {
    let ok = |detail: String| Finding::ok(Section::Ha, "mode", detail);
    match (seen.ha.mode, &seen.lock) {
        (HaMode::Consul, _) => ok(format!(
            "consul: the node speaks that holds a lock below {}",
            seen.ha.prefix
        )),
        (HaMode::Auto, Some(Ok(PetasanLock::Absent))) => ok(format!(
            "off, as there is no {LEADER_KEY}: run petanotify on one node only"
        )),
        (HaMode::Off, _) | (_, None) => ok("off: run petanotify on one node only".to_owned()),
        (_, Some(Ok(PetasanLock::Absent))) => Finding::failed(
            Section::Ha,
            "mode",
            format!("petasan, but there is no {LEADER_KEY}, so no node would speak"),
            "Without PetaSAN's own lock petanotify takes one of its own:\n  [ha]\n  mode = \"consul\"",
        ),
        (_, Some(Ok(PetasanLock::Held(node)))) => ok(format!(
            "petasan: {} speaks, as it holds {LEADER_KEY}",
            wording::name(node)
        )),
        (_, Some(Ok(PetasanLock::Free))) => Finding::warning(
            Section::Ha,
            "mode",
            format!("petasan, but nobody holds {LEADER_KEY} at this moment"),
            format!(
                "PetaSAN chooses a leader within a minute. Does it?\n  consul kv get -detailed {LEADER_KEY}"
            ),
        ),
        (_, Some(Ok(PetasanLock::Hidden))) => {
            let trouble = Trouble {
                case: Case::NotAllowed,
                words: format!("petasan, but whose session holds {LEADER_KEY} cannot be seen"),
                advice: None,
            };
            in_the_way(seen, "mode", &Obstacle::Failed(trouble))
        }
        (HaMode::Auto, Some(Err(Obstacle::Failed(trouble)))) => Finding::warning(
            Section::Ha,
            "mode",
            format!("off, as {LEADER_KEY} cannot be read: {}", trouble.words),
            "Say what is meant: \"off\" where petanotify runs on one node only, else \"consul\" or \"petasan\".\n  \
             [ha]\n  mode = \"off\"",
        ),
        (_, Some(Err(obstacle))) => in_the_way(seen, "mode", obstacle),
    }
}

fn named(seen: &Seen, (name, is_member): &(String, bool)) -> Finding {
    let name = wording::name(name);
    let advice = format!(
        "A session shows what its node is called, so the token's policy must contain {SESSION_WRITE}.\n{}",
        all_rules(seen)
    );
    match is_member {
        true => Finding::warning(
            Section::Ha,
            "node",
            format!("this node takes itself for {name}, for Consul does not show its name"),
            advice,
        ),
        false => Finding::failed(
            Section::Ha,
            "node",
            format!("Consul does not show what this node is called, and {name} is no member"),
            advice,
        ),
    }
}

/// The commands that give a token all that it needs.
fn all_rules(seen: &Seen) -> String {
    let ha = Ha {
        mode: seen.mode(),
        ..seen.ha.clone()
    };
    let rules = smallest_policy(&[&seen.nodes_prefix, USERS_PREFIX], &ha);
    format!(
        "All rules that it needs here, for the policy of the token in consul.token_file:\n  \
         consul acl policy update -name petanotify -rules {}",
        shell_word(&rules)
    )
}

fn in_the_way(seen: &Seen, name: &'static str, obstacle: &Obstacle) -> Finding {
    match obstacle {
        Obstacle::Failed(trouble) => Finding::failed(
            Section::Ha,
            name,
            &trouble.words,
            match trouble.case {
                Case::NotAllowed => {
                    let missing = (trouble.advice.as_deref()).map(|advice| format!("{advice}.\n"));
                    missing.unwrap_or_default() + &all_rules(seen)
                }
                Case::NotLetIn | Case::NotInstalled | Case::Unreachable | Case::Other => {
                    trouble.advice.clone().unwrap_or_else(|| {
                        "Look at the agent's log:\n  journalctl -u consul".to_owned()
                    })
                }
            },
        ),
        Obstacle::NoQuorum(trouble) => Finding::warning(
            Section::Ha,
            name,
            format!("not tried: {}", trouble.words),
            "While Consul has no leader, the first living node by name speaks, from what it knew last. See which servers \
             there are:\n  consul operator raft list-peers -stale",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn denied() -> Obstacle {
        let advice = r#"the token's policy must contain session_prefix "" { policy = "write" }"#;
        Obstacle::Failed(Trouble::new(Case::NotAllowed, "403 Forbidden", advice))
    }

    fn leaderless() -> Obstacle {
        let words = "No cluster leader".to_owned();
        Obstacle::NoQuorum(Trouble {
            case: Case::Other,
            words,
            advice: None,
        })
    }

    fn seen(mode: HaMode, lock: Option<Result<PetasanLock, Obstacle>>) -> Seen {
        Seen {
            ha: Ha {
                mode,
                ..Ha::default()
            },
            nodes_prefix: "PetaSAN/Nodes/".to_owned(),
            lock,
            takes_itself_for: None,
            tried: None,
        }
    }

    #[test]
    fn it_is_told_who_speaks() {
        use HaMode::{Auto, Consul, Off, Petasan};
        use PetasanLock::{Absent, Free, Held, Hidden};
        let held = || Some(Ok(Held("node2".to_owned())));
        let speaks = "petasan: node2 speaks, as it holds PetaSAN/Services/ClusterLeader";
        for (mode, lock, outcome, comes_out, detail) in [
            (Off, None, Outcome::Ok, Off, "off: run"),
            (Consul, None, Outcome::Ok, Consul, "consul: the node speaks"),
            (Auto, None, Outcome::Ok, Off, "off: run"),
            (
                Auto,
                Some(Ok(Absent)),
                Outcome::Ok,
                Off,
                "off, as there is no",
            ),
            (Auto, held(), Outcome::Ok, Petasan, speaks),
            (Petasan, held(), Outcome::Ok, Petasan, speaks),
            (
                Petasan,
                Some(Ok(Absent)),
                Outcome::Failed,
                Petasan,
                "petasan, but there is no",
            ),
            (
                Auto,
                Some(Ok(Free)),
                Outcome::Warning,
                Petasan,
                "petasan, but nobody",
            ),
            (
                Auto,
                Some(Ok(Hidden)),
                Outcome::Failed,
                Petasan,
                "petasan, but whose",
            ),
            (
                Auto,
                Some(Err(denied())),
                Outcome::Warning,
                Off,
                "off, as PetaSAN/Services/",
            ),
            (
                Petasan,
                Some(Err(denied())),
                Outcome::Failed,
                Petasan,
                "403 Forbidden",
            ),
            (
                Petasan,
                Some(Err(leaderless())),
                Outcome::Warning,
                Petasan,
                "not tried: No cluster",
            ),
            (
                Auto,
                Some(Err(leaderless())),
                Outcome::Warning,
                Off,
                "not tried: No cluster",
            ),
        ] {
            let seen = seen(mode, lock);
            assert_eq!(seen.mode(), comes_out, "{seen:?}");
            let findings = judge(&seen);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].outcome, outcome, "{findings:?}");
            assert!(findings[0].detail.starts_with(detail), "{findings:?}");
        }
    }

    #[test]
    fn the_rules_that_a_token_lacks_are_told() {
        for mode in [HaMode::Consul, HaMode::Petasan] {
            let lock = Some(Ok(PetasanLock::Held("node2".to_owned())));
            let mut seen = seen(mode, lock);
            seen.tried = Some(Err(denied()));
            let memory = judge(&seen).remove(1);
            assert_eq!(memory.outcome, Outcome::Failed);
            let advice = memory.advice.unwrap_or_default();
            let rules = r#"  consul acl policy update -name petanotify -rules 'node_prefix "" { policy = "read" } key_prefix "PetaSAN/" { policy = "read" } key_prefix "petanotify/" { policy = "write" } session_prefix "" { policy = "write" }'"#;
            assert!(advice.ends_with(rules), "{advice}");
            assert!(advice.starts_with("The token's policy must contain session_prefix"));
        }
    }

    #[test]
    fn a_node_must_know_what_it_is_called() {
        for (mode, is_member, outcome) in [
            (HaMode::Off, false, None),
            (HaMode::Consul, true, Some(Outcome::Warning)),
            (HaMode::Consul, false, Some(Outcome::Failed)),
        ] {
            let mut seen = seen(mode, None);
            seen.takes_itself_for = Some(("host1".to_owned(), is_member));
            let findings = judge(&seen);
            let found = findings.iter().find(|finding| finding.name == "node");
            assert_eq!(found.map(|finding| finding.outcome), outcome);
            let advice = found.and_then(|finding| finding.advice.as_deref());
            assert!(advice.is_none_or(|advice| advice.contains(SESSION_WRITE)));
        }
    }

    #[test]
    fn what_was_tried_is_told() {
        let mut seen = seen(HaMode::Consul, None);
        seen.tried = Some(Ok(()));
        let memory = judge(&seen).remove(1);
        assert_eq!(memory.outcome, Outcome::Ok);
        assert_eq!(memory.detail, "written, read and removed below petanotify/");
        seen.tried = Some(Err(leaderless()));
        let memory = judge(&seen).remove(1);
        assert_eq!(memory.outcome, Outcome::Warning);
    }
}
