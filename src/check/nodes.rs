//! Which nodes are gone: listed in the cluster, and no member of that name alive.

use std::collections::BTreeSet;

use crate::facts::{Absence, Membership, Presence};
use crate::incident::Seen;

/// Sorts the nodes into up, down and unseen.
///
/// # Errors
/// No node could be judged at all. The text is for the admin.
pub fn seen(membership: Membership, nodes_prefix: &str) -> Result<Seen<String, Absence>, String> {
    if membership.nodes.is_empty() {
        return Err(match membership.unreadable.iter().next() {
            None => format!(
                "Consul holds no key below {nodes_prefix}: no node is known. Is this a PetaSAN cluster? \
                 Else set consul.nodes_prefix, or checks.nodes.enabled = false"
            ),
            Some((key, reason)) => format!(
                "none of the {} entries below {nodes_prefix} in Consul can be read; {key}: {reason}",
                membership.unreadable.len()
            ),
        });
    }
    // The last part of the key is the node's name (docs of PetaSAN: PetaSAN/Nodes/<node name>), so that a broken value does
    // not make a node that is down look removed.
    let unseen: BTreeSet<String> = membership
        .unreadable
        .keys()
        .map(|key| key.rsplit('/').next().unwrap_or(key).to_owned())
        .filter(|name| !membership.nodes.contains_key(name))
        .collect();
    let mut seen = Seen {
        down: Default::default(),
        unseen,
        up: Default::default(),
    };
    for (name, presence) in membership.nodes {
        match presence {
            Presence::Alive => {
                seen.up.insert(name);
            }
            Presence::Down(absence) => {
                seen.down.insert(name, absence);
            }
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn membership(nodes: &[(&str, Presence)], unreadable: &[&str]) -> Membership {
        Membership {
            nodes: nodes
                .iter()
                .map(|(name, presence)| ((*name).to_owned(), *presence))
                .collect(),
            unreadable: unreadable
                .iter()
                .map(|key| ((*key).to_owned(), "not JSON".to_owned()))
                .collect(),
            ..Membership::default()
        }
    }

    #[test]
    fn nodes_are_sorted_into_up_down_and_unseen() {
        let facts = membership(
            &[
                ("node1", Presence::Alive),
                ("node2", Presence::Down(Absence::Failed)),
            ],
            &["PetaSAN/Nodes/node3"],
        );
        let seen = seen(facts, "PetaSAN/Nodes/").unwrap();
        assert_eq!(seen.up, BTreeSet::from(["node1".to_owned()]));
        assert_eq!(seen.down["node2"], Absence::Failed);
        assert_eq!(seen.unseen, BTreeSet::from(["node3".to_owned()]));
    }

    #[test]
    fn a_broken_duplicate_does_not_hide_a_node() {
        let facts = membership(
            &[("node1", Presence::Down(Absence::Left))],
            &["PetaSAN/Nodes/node1"],
        );
        assert!(seen(facts, "PetaSAN/Nodes/").unwrap().unseen.is_empty());
    }

    #[test]
    fn nothing_to_judge_is_no_healthy_cluster() {
        let none = seen(membership(&[], &[]), "PetaSAN/Nodes/").unwrap_err();
        assert!(none.contains("no key below PetaSAN/Nodes/"), "{none}");
        let broken = seen(membership(&[], &["PetaSAN/Nodes/node1"]), "PetaSAN/Nodes/").unwrap_err();
        assert!(broken.contains("PetaSAN/Nodes/node1: not JSON"), "{broken}");
    }
}
