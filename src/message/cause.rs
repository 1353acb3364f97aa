//! What mails about nodes and OSDs say of one root cause: OSDs that are down with a node, racks that are down as a whole,
//! OSDs that are all down while their node is alive.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Tone;
use super::{HostRow, LISTED, Text, aligned, down_keys};
use crate::alert::{Alert, Circumstances};
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Change, OverItem};
use crate::wording;

/// More racks than this are only counted.
const RACKS: usize = 5;

/// What nodes are down, in as few words as can be: `rack r2 down`, `11 of 20 nodes down`, `2 nodes down`
pub(super) fn nodes_head(change: &Change<String, Absence>, told: &Circumstances) -> String {
    let down = down_keys(change);
    let total = usize::try_from(told.nodes).unwrap_or(usize::MAX);
    if is_majority(down.len(), total) {
        return format!("{} of {total} nodes down", down.len());
    }
    let in_racks: BTreeSet<&String> = told.racks_down.values().flatten().collect();
    let others = down.iter().filter(|node| !in_racks.contains(**node));
    match (racks(told), others.count(), down.len()) {
        (Some(racks), 0, _) => format!("{racks} down"),
        (Some(racks), others, _) => {
            format!("{racks} and {} down", wording::count(others, "more node"))
        }
        (None, _, 1) => "node down".to_owned(),
        (None, _, many) => format!("{many} nodes down"),
    }
}

fn is_majority(down: usize, total: usize) -> bool {
    down > 1 && total > 0 && down > total / 2
}

/// `rack r2`, `racks r2, r3`
fn racks(told: &Circumstances) -> Option<String> {
    let names = told.racks_down.keys().map(|rack| wording::name(rack));
    match names.len() {
        0 => None,
        1 => Some(format!("rack {}", wording::list_first(names, RACKS))),
        many if many > RACKS => Some(wording::count(many, "rack")),
        _ => Some(format!("racks {}", wording::list_first(names, RACKS))),
    }
}

/// What is to be said of nodes beside that they are down, each sentence with a blank before it.
pub(super) fn nodes_sentences(change: &Change<String, Absence>, told: &Circumstances) -> String {
    let mut sentences = String::new();
    let down = down_keys(change);
    if let Some(racks) = racks(told) {
        let (is, as_a) = match told.racks_down.len() {
            1 => ("is", "as a whole"),
            _ => ("are", "each as a whole"),
        };
        let mut racks = racks;
        racks[..1].make_ascii_uppercase();
        sentences.push_str(&format!(" {racks} {is} down, {as_a}."));
    }
    let total = usize::try_from(told.nodes).unwrap_or(usize::MAX);
    if is_majority(down.len(), total) {
        sentences.push_str(&format!(
            " That is the majority: {} of {total}.",
            down.len()
        ));
    }
    let with_them: usize = told
        .of_nodes
        .iter()
        .filter(|(node, _)| down.contains(node))
        .map(|(_, osds)| osds.len())
        .sum();
    if with_them > 0 {
        let osds = wording::count(with_them, "OSD");
        let are = if with_them == 1 { "is" } else { "are" };
        let them = if down.len() == 1 { "it" } else { "them" };
        sentences.push_str(&format!(" {osds} {are} down with {them}."));
    }
    sentences
}

/// What to expect of the OSDs of nodes that have just gone down, where none is down yet.
pub(super) fn osds_follow(
    change: &Change<String, Absence>,
    told: &Circumstances,
) -> Option<String> {
    let mut new = change.new.iter().map(|item| &item.key);
    let none_yet = new.any(|node| !told.of_nodes.contains_key(node));
    (told.osds_follow && none_yet).then(|| {
        "OSDs that Ceph finds down with a node in the next minutes belong to this incident and make no mail of their \
         own."
            .to_owned()
    })
}

/// Lists the OSDs that are down with nodes: those that are still down, and those that are back.
pub(super) fn nodes_sections(
    text: &mut Text<'_>,
    change: &Change<String, Absence>,
    told: &Circumstances,
) {
    let down: BTreeSet<&String> = down_keys(change).into_iter().collect();
    let (with_them, back): (Vec<_>, Vec<_>) = told
        .of_nodes
        .iter()
        .partition(|(node, _)| down.contains(node));
    text.section_on(Tone::Still, "OSDs down with them, by node", rows(with_them));
    if !back.is_empty() {
        text.section_on(
            Tone::Still,
            "OSDs still down on nodes that are back",
            rows(back),
        );
        text.paragraph(
            "They have some minutes to come up, one by one. Those that do not are told of in a mail of their own.",
        );
    }
}

/// A line for each node, those with the most OSDs first.
fn rows(mut nodes: Vec<(&String, &BTreeSet<OsdId>)>) -> Vec<String> {
    nodes
        .sort_by_cached_key(|(node, osds)| (std::cmp::Reverse(osds.len()), wording::natural(node)));
    let left_out = nodes.split_off(nodes.len().min(LISTED));
    let rows: Vec<HostRow> = (nodes.into_iter())
        .map(|(node, osds)| HostRow {
            host: wording::name(node),
            ids: osds.iter().copied().collect(),
            out: 0,
            length: Default::default(),
        })
        .collect();
    let mut lines = aligned(&rows);
    if !left_out.is_empty() {
        let osds = left_out.iter().map(|(_, osds)| osds.len()).sum();
        lines.push(format!(
            "... and {} of {}; all of them: ceph osd tree down",
            wording::count(osds, "OSD"),
            wording::count(left_out.len(), "more node"),
        ));
    }
    lines
}

/// Where OSDs are down, if they are all that one host has while its node is alive: `all 12 OSDs down on node3, which is alive`
pub(super) fn all_of_one_host(
    change: &Change<OsdId, DownOsd>,
    told: &Circumstances,
) -> Option<String> {
    let osds = || change.new.iter().chain(&change.still);
    let host = osds().next()?.what.host.as_ref()?;
    let only_there = osds().all(|item| item.what.host.as_ref() == Some(host));
    let is_dark = only_there && told.dark.contains_key(host);
    let number = osds().count();
    (is_dark && number > 1).then(|| {
        let host = wording::name(host);
        let all = match number {
            2 => "both OSDs".to_owned(),
            many => format!("all {many} OSDs"),
        };
        format!("{all} down on {host}, which is alive")
    })
}

/// What is to be said of OSDs that are all down while their nodes are alive.
pub(super) fn dark_hosts(change: &Change<OsdId, DownOsd>, told: &Circumstances) -> Option<String> {
    const NAMED: usize = 10;
    let osds = change.new.iter().chain(&change.still);
    let hosts: BTreeSet<&String> = osds
        .filter_map(|item| item.what.host.as_ref())
        .filter(|host| told.dark.contains_key(*host))
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let number = hosts.len();
    let names = wording::list_first(hosts.into_iter().map(|host| wording::name(host)), NAMED);
    let (its, node) = match number {
        1 => ("its", "the node itself is alive"),
        _ => ("their", "the nodes themselves are alive"),
    };
    Some(format!(
        "None of the OSDs on {names} is up, yet {node}: look at {its} disk controllers and {its} network."
    ))
}

/// ` but for 12 that are down with node3`, where OSDs are down that are told of with their nodes.
pub(super) fn but_with_nodes(of_nodes: &BTreeMap<String, BTreeSet<OsdId>>) -> Option<String> {
    (!of_nodes.is_empty()).then(|| {
        let osds: usize = of_nodes.values().map(BTreeSet::len).sum();
        let (is, with) = (
            if osds == 1 { "is" } else { "are" },
            wording::with_nodes(of_nodes),
        );
        let (number, with) = with.split_once(' ').unwrap_or((&with, ""));
        format!(" but for {number} that {is} down {with}")
    })
}

/// What is said in the subject of a mail that ends an incident of nodes.
pub(super) fn all_nodes_up(alert: &Alert, over: &[OverItem<String, Absence>]) -> String {
    let all_up = super::all_up("node", alert, over);
    let osds = alert.circumstances.of_nodes.values().map(BTreeSet::len);
    match osds.sum() {
        0 => all_up,
        osds => format!("{all_up}, {} not yet", wording::count(osds, "OSD")),
    }
}

/// What is said in the subject of a mail that ends an incident of OSDs.
pub(super) fn all_osds_up(alert: &Alert, over: &[OverItem<OsdId, DownOsd>]) -> String {
    let of_nodes = &alert.circumstances.of_nodes;
    match of_nodes.is_empty() {
        true => super::all_up("OSD", alert, over),
        false => format!(
            "all other OSDs are up again{} (down: {})",
            wording::but_withheld(alert.circumstances.withheld),
            wording::with_nodes(of_nodes)
        ),
    }
}
