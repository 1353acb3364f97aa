//! Consul: the agent, its leader, its members, and the nodes that are listed.

use super::{Finding, Section, shell_word};
use crate::consul::{Identity, Members, smallest_policy};
use crate::facts::{Membership, Presence};
use crate::settings::{Ha, petasan};
use crate::trouble::{Case, Trouble};
use crate::wording;

/// Names that are written out in one line.
const NAMED: usize = 8;

/// What was seen. `Err` is always why not.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `consul.address`
    pub address: String,
    /// `consul.nodes_prefix`
    pub nodes_prefix: String,
    /// `[ha]`, its mode as it comes out.
    pub ha: Ha,
    /// What a pass needs Consul for.
    pub needed: Needed,
    /// The answers; none where the agent does not even tell the members.
    pub answers: Result<Answers, Trouble>,
}

impl Seen {
    /// The nodes, if they were asked for and listed.
    pub fn nodes(&self) -> Option<&Membership> {
        let answers = self.answers.as_ref().ok()?;
        answers.nodes.as_ref()?.as_ref().ok()
    }
}

/// What the agent has answered.
#[derive(Debug, Clone)]
pub struct Answers {
    /// The members.
    pub members: Members,
    /// Who the agent is; `None` where the token may not see that.
    pub identity: Result<Option<Identity>, Trouble>,
    /// The leader; `None` while there is none.
    pub leader: Result<Option<String>, Trouble>,
    /// The listed nodes; `None` where the nodes check is off.
    pub nodes: Option<Result<Membership, Trouble>>,
}

/// What a pass needs Consul for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// Nodes, or what PetaSAN has set.
    Yes,
    /// Only the name of the cluster, for which there is another.
    ForTheName,
}

/// The findings.
pub fn judge(seen: &Seen) -> Vec<Finding> {
    let answers = match &seen.answers {
        Ok(answers) => answers,
        Err(trouble) => return vec![unanswered(seen, "agent", trouble)],
    };
    let mut findings = vec![
        agent(seen, answers),
        leader(&answers.leader),
        alive(&answers.members),
    ];
    findings.extend(answers.nodes.as_ref().map(|nodes| match nodes {
        Ok(membership) => listed(seen, membership),
        Err(trouble) => unanswered(seen, "nodes", trouble),
    }));
    findings
}

/// The finding where nobody needs Consul.
pub fn not_asked() -> Finding {
    let off =
        "not asked: checks.nodes is off; name, mail server and recipients are in the configuration";
    Finding::ok(Section::Consul, "agent", off)
}

fn agent(seen: &Seen, answers: &Answers) -> Finding {
    let mut words = vec![seen.address.clone()];
    match &answers.identity {
        Ok(Some(Identity { node, version, .. })) => {
            words.push(wording::name(node));
            words.push(format!("version {version}"));
        }
        Ok(None) => words.push("version not shown to this token".to_owned()),
        Err(trouble) => words.push(trouble.words.clone()),
    }
    if let Some(datacenter) = &answers.members.datacenter {
        words.push(format!("datacenter {}", wording::name(datacenter)));
    }
    Finding::ok(Section::Consul, "agent", words.join(", "))
}

fn leader(leader: &Result<Option<String>, Trouble>) -> Finding {
    match leader {
        Ok(Some(leader)) => Finding::ok(Section::Consul, "leader", leader),
        Ok(None) => Finding::warning(
            Section::Consul,
            "leader",
            "there is none: too few servers are alive, so lists may be stale",
            "See which servers there are, and start those that are missing:\n  \
             consul operator raft list-peers -stale\n  systemctl status consul",
        ),
        Err(trouble) => Finding::warning(
            Section::Consul,
            "leader",
            &trouble.words,
            "Look by hand:\n  consul operator raft list-peers",
        ),
    }
}

fn alive(members: &Members) -> Finding {
    let (alive, gone): (Vec<_>, Vec<_>) =
        (members.presence.iter()).partition(|&(_, &presence)| presence == Presence::Alive);
    let gone: Vec<String> = gone
        .into_iter()
        .map(|(name, presence)| match presence {
            Presence::Alive => wording::name(name),
            Presence::Down(absence) => format!("{} ({absence})", wording::name(name)),
        })
        .collect();
    let mut detail = format!("{} alive", alive.len());
    if !gone.is_empty() {
        detail.push_str(&format!(", not: {}", wording::list_some(&gone, NAMED)));
    }
    Finding::ok(Section::Consul, "members", detail)
}

fn listed(seen: &Seen, membership: &Membership) -> Finding {
    let prefix = &seen.nodes_prefix;
    let names: Vec<String> = membership.nodes.keys().map(|n| wording::name(n)).collect();
    let number = wording::count(names.len(), "node");
    if let Some((key, reason)) = membership.unreadable.first_key_value() {
        let key = wording::name(key);
        return Finding::warning(
            Section::Consul,
            "nodes",
            format!("{number} below {prefix}, and {key} cannot be used: {reason}"),
            format!("Look at it:\n  consul kv get {}", shell_word(&key)),
        );
    }
    if names.is_empty() {
        let word = shell_word(&format!("{prefix}node1"));
        return Finding::failed(
            Section::Consul,
            "nodes",
            format!("none is listed below {prefix}, so none can be missed"),
            format!(
                "List each node that is to be watched by the name of its agent, or set checks.nodes.enabled = false:\n  \
                 consul kv put {word} '{{\"name\": \"node1\"}}'"
            ),
        );
    }
    let names = wording::list_some(&names, NAMED);
    Finding::ok(
        Section::Consul,
        "nodes",
        format!("{number} below {prefix}: {names}"),
    )
}

fn unanswered(seen: &Seen, name: &'static str, trouble: &Trouble) -> Finding {
    let advice = match trouble.case {
        Case::Unreachable => "Look whether the agent runs here, or set consul.address:\n  \
                              systemctl status consul\n  consul members\n\
                              A cluster without Consul does without the nodes check:\n  \
                              [checks.nodes]\n  enabled = false"
            .to_owned(),
        Case::NotAllowed => {
            let rules = smallest_policy(&[&seen.nodes_prefix, petasan::USERS_PREFIX], &seen.ha);
            format!(
                "Make a token that may do what a pass does and no more, put its SecretID into a file (chmod 600), and name that in consul.token_file:\n  \
                 consul acl policy create -name petanotify -rules '{rules}'\n  \
                 consul acl token create -description petanotify -policy-name petanotify"
            )
        }
        Case::NotLetIn | Case::NotInstalled | Case::Other => trouble
            .advice
            .clone()
            .unwrap_or_else(|| "Look at the agent's log:\n  journalctl -u consul".to_owned()),
    };
    match seen.needed {
        Needed::Yes => Finding::failed(Section::Consul, name, &trouble.words, advice),
        Needed::ForTheName => {
            let advice = format!(
                "Only the cluster's name is read there: set cluster.name, and Consul is not asked. Else:\n{advice}"
            );
            Finding::warning(Section::Consul, name, &trouble.words, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Outcome;
    use super::*;
    use crate::facts::Absence;

    fn answers() -> Answers {
        let presence = BTreeMap::from([
            ("node1".to_owned(), Presence::Alive),
            ("node2".to_owned(), Presence::Alive),
            ("node3".to_owned(), Presence::Down(Absence::Failed)),
        ]);
        Answers {
            members: Members {
                datacenter: Some("petasan".to_owned()),
                presence: presence.clone(),
                acls: false,
                ..Members::default()
            },
            identity: Ok(Some(Identity {
                node: "node1".to_owned(),
                version: "1.8.7".to_owned(),
                datacenter: None,
            })),
            leader: Ok(Some("10.0.0.2:8300".to_owned())),
            nodes: Some(Ok(Membership {
                nodes: presence,
                ..Membership::default()
            })),
        }
    }

    fn seen(answers: Result<Answers, Trouble>) -> Seen {
        Seen {
            address: "http://127.0.0.1:8500".to_owned(),
            nodes_prefix: "PetaSAN/Nodes/".to_owned(),
            ha: Ha::default(),
            needed: Needed::Yes,
            answers,
        }
    }

    fn judged(answers: Answers) -> Vec<Finding> {
        judge(&seen(Ok(answers)))
    }

    fn lines(findings: &[Finding]) -> Vec<String> {
        let line = |f: &Finding| format!("{:?} {}: {}", f.outcome, f.name, f.detail);
        findings.iter().map(line).collect()
    }

    #[test]
    fn all_is_well_and_a_node_that_is_down_is_no_fault_of_the_configuration() {
        assert_eq!(
            lines(&judged(answers())),
            [
                "Ok agent: http://127.0.0.1:8500, node1, version 1.8.7, datacenter petasan",
                "Ok leader: 10.0.0.2:8300",
                "Ok members: 2 alive, not: node3 (failed)",
                "Ok nodes: 3 nodes below PetaSAN/Nodes/: node1, node2, node3",
            ]
        );
    }

    #[test]
    fn an_agent_that_does_not_answer_is_all_there_is_to_say() {
        let refused = Trouble::new(Case::Unreachable, "connection refused", "?");
        let mut seen = seen(Err(refused));
        let findings = judge(&seen);
        assert_eq!(lines(&findings), ["Failed agent: connection refused"]);
        let advice = findings[0].advice.as_deref().unwrap_or("");
        assert!(advice.contains("\n  systemctl status consul"), "{advice}");
        seen.needed = Needed::ForTheName;
        let findings = judge(&seen);
        assert_eq!(findings[0].outcome, Outcome::Warning);
    }

    #[test]
    fn a_token_with_too_few_rights_is_told_the_policy() {
        let denied = Trouble::new(Case::NotAllowed, "403 Forbidden", "?");
        let findings = judged(Answers {
            identity: Ok(None),
            nodes: Some(Err(denied)),
            ..answers()
        });
        assert!(findings[0].detail.contains("not shown to this token"));
        assert_eq!(findings[3].outcome, Outcome::Failed);
        let advice = findings[3].advice.as_deref().unwrap_or("");
        let create = "\n  consul acl policy create -name petanotify -rules \
                      'node_prefix \"\" { policy = \"read\" } key_prefix \"PetaSAN/\" { policy = \"read\" }'\n";
        assert!(advice.contains(create), "{advice}");
    }

    #[test]
    fn no_leader_is_a_warning_and_no_node_a_failure() {
        let findings = judged(Answers {
            leader: Ok(None),
            nodes: Some(Ok(Membership::default())),
            ..answers()
        });
        assert_eq!(findings[1].outcome, Outcome::Warning);
        assert_eq!(findings[3].outcome, Outcome::Failed);
        let advice = findings[3].advice.as_deref().unwrap_or("");
        assert!(
            advice.ends_with("\n  consul kv put PetaSAN/Nodes/node1 '{\"name\": \"node1\"}'"),
            "{advice}"
        );
        let off = Answers {
            nodes: None,
            ..answers()
        };
        assert_eq!(judged(off).len(), 3, "the nodes check is off");
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_a_warning() {
        let unreadable = ("PetaSAN/Nodes/node4".to_owned(), "no name".to_owned());
        let membership = Membership {
            unreadable: BTreeMap::from([unreadable]),
            ..Membership::default()
        };
        let nodes = judged(Answers {
            nodes: Some(Ok(membership)),
            ..answers()
        })
        .remove(3);
        assert_eq!(nodes.outcome, Outcome::Warning);
        let advice = nodes.advice.unwrap_or_default();
        assert!(advice.ends_with("consul kv get PetaSAN/Nodes/node4"));
    }
}
