//! The map `checks.osds.hosts`: whether Ceph has the CRUSH hosts in it, and Consul the nodes. A name that nobody has is a
//! slip of the pen, or that of a machine that is gone; the OSDs of such a host are told of by themselves.

use std::collections::{BTreeMap, BTreeSet};

use strsim::normalized_damerau_levenshtein;

use super::{Finding, Section};
use crate::cause::short_name;
use crate::facts::{Membership, OsdTree};
use crate::wording;

/// The findings about the CRUSH hosts in `map`; `tree` tells the hosts also where all OSDs are up. None without a map.
pub fn judge_hosts(map: &BTreeMap<String, String>, tree: &OsdTree) -> Vec<Finding> {
    let is_same = |host: &str, known: &str| host.to_lowercase() == known.to_lowercase();
    let known = tree.hosts.keys().map(String::as_str).collect();
    let look = "Look for the host's name:\n  ceph osd tree";
    judge(Section::Ceph, map.keys(), &known, is_same, look)
}

/// The findings about the nodes in `map`. None without a map.
pub fn judge_nodes(map: &BTreeMap<String, String>, membership: &Membership) -> Vec<Finding> {
    let is_same = |node: &str, known: &str| {
        short_name(&node.to_lowercase()) == short_name(&known.to_lowercase())
    };
    let unreadable = membership.unreadable.keys();
    let unreadable = unreadable.filter_map(|key| key.rsplit('/').next());
    let nodes = membership.nodes.keys().map(String::as_str);
    let known = nodes.chain(unreadable).collect();
    let look = "Look for the node's name:\n  consul members";
    judge(Section::Consul, map.values(), &known, is_same, look)
}

fn judge<'a>(
    section: Section,
    names: impl Iterator<Item = &'a String>,
    known: &BTreeSet<&str>,
    is_same: impl Fn(&str, &str) -> bool,
    look: &str,
) -> Vec<Finding> {
    let names: BTreeSet<&String> = names.collect();
    if names.is_empty() {
        return Vec::new();
    }
    let unknown = |name: &&&String| !known.iter().any(|known| is_same(name, known));
    let warnings = names.iter().filter(unknown).map(|name| {
        let who = match section {
            Section::Ceph => "Ceph has no host with OSDs that is called",
            _ => "Consul lists no node that is called",
        };
        let nearest = match nearest(name, known) {
            Some(nearest) => format!("; the nearest is {}", wording::name(nearest)),
            None => String::new(),
        };
        let name = wording::name(name);
        let detail = format!("checks.osds.hosts: {who} {name}{nearest}");
        Finding::warning(section, "hosts", detail, look)
    });
    let warnings: Vec<Finding> = warnings.collect();
    if warnings.is_empty() {
        let all = names.iter().map(|name| wording::name(name));
        let all = wording::list_first(all, 8);
        return vec![Finding::ok(
            section,
            "hosts",
            format!("{all}: as in checks.osds.hosts"),
        )];
    }
    warnings
}

/// The known name that is most like this one.
fn nearest<'a>(name: &str, known: &BTreeSet<&'a str>) -> Option<&'a str> {
    let likeness =
        |known: &str| normalized_damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let mut known = known.iter().copied();
    let first = known.next()?;
    Some(known.fold(first, |best, other| {
        match likeness(other) > likeness(best) {
            true => other,
            false => best,
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Host, Presence};

    fn lines(findings: &[Finding]) -> Vec<String> {
        let lines = findings.iter();
        lines
            .map(|found| format!("{:?} {}", found.outcome, found.detail))
            .collect()
    }

    #[test]
    fn a_name_that_nobody_has_is_a_warning_with_the_nearest() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(host, node)| ((*host).to_owned(), (*node).to_owned()))
                .collect()
        };
        let hosts = ["ceph-a-hdd", "ceph-a-ssd", "node2"];
        let tree = OsdTree {
            hosts: hosts.map(|host| (host.to_owned(), Host::default())).into(),
            ..OsdTree::default()
        };
        let membership = Membership {
            nodes: ["node1", "Node2.example.org"]
                .map(|node| (node.to_owned(), Presence::Alive))
                .into(),
            unreadable: [("PetaSAN/Nodes/node3".to_owned(), "no JSON".to_owned())].into(),
            leaderless: None,
        };
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a [&'a str]);
        let cases: [Case<'_>; 5] = [
            (&[], &[], &[]),
            (
                &[("ceph-a-ssd", "node1"), ("CEPH-A-HDD", "NODE1")],
                &["Ok CEPH-A-HDD, ceph-a-ssd: as in checks.osds.hosts"],
                &["Ok NODE1, node1: as in checks.osds.hosts"],
            ),
            (
                &[("node2", "node2"), ("ceph-a-ssd", "node3")],
                &["Ok ceph-a-ssd, node2: as in checks.osds.hosts"],
                &["Ok node2, node3: as in checks.osds.hosts"],
            ),
            (
                &[("ceph-a-sssd", "node1")],
                &[
                    "Warning checks.osds.hosts: Ceph has no host with OSDs that is called ceph-a-sssd; \
                     the nearest is ceph-a-ssd",
                ],
                &["Ok node1: as in checks.osds.hosts"],
            ),
            (
                &[("ceph-a-ssd", "noed1"), ("node2", "Nod2.example.org")],
                &["Ok ceph-a-ssd, node2: as in checks.osds.hosts"],
                &[
                    "Warning checks.osds.hosts: Consul lists no node that is called Nod2.example.org; \
                     the nearest is Node2.example.org",
                    "Warning checks.osds.hosts: Consul lists no node that is called noed1; the nearest is node1",
                ],
            ),
        ];
        for (pairs, in_ceph, in_consul) in cases {
            assert_eq!(lines(&judge_hosts(&map(pairs), &tree)), in_ceph);
            assert_eq!(lines(&judge_nodes(&map(pairs), &membership)), in_consul);
        }
        let nobody = judge_hosts(&map(&[("a", "node1")]), &OsdTree::default());
        let alone = "Warning checks.osds.hosts: Ceph has no host with OSDs that is called a";
        assert_eq!(lines(&nobody), [alone]);
    }
}
