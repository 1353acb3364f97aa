//! What mails about nodes and OSDs say of one root cause: OSDs that are down with a node, racks that are down as a whole,
//! OSDs that are all down while their node is alive.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Tone;
use super::{HostRow, LISTED, Text, Things, aligned, down_keys, phrases};
use crate::alert::{Alert, Circumstances};
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Change, OverItem};
use crate::say;
use crate::wording;
use crate::words::Words;

/// More racks than this are only counted.
const RACKS: usize = 5;

/// What nodes are down, in as few words as can be: `rack r2 down`, `11 of 20 nodes down`, `2 nodes down`
pub(super) fn nodes_head(
    words: &Words,
    change: &Change<String, Absence>,
    told: &Circumstances,
) -> String {
    let down = down_keys(change);
    let total = usize::try_from(told.nodes).unwrap_or(usize::MAX);
    if is_majority(down.len(), total) {
        return say!(
            words,
            "majority-down-title",
            number = down.len(),
            total = total
        );
    }
    let in_racks: BTreeSet<&String> = told.racks_down.values().flatten().collect();
    let others = down.iter().filter(|node| !in_racks.contains(**node));
    match (racks(words, told), others.count()) {
        (Racks::None, _) => say!(words, "nodes-down-title", number = down.len()),
        (Racks::Named(number, racks), 0) => {
            say!(words, "racks-down-title", number = number, racks = racks)
        }
        (Racks::Counted(number), 0) => {
            say!(words, "many-racks-down-title", number = number)
        }
        (Racks::Named(number, racks), others) => say!(
            words,
            "racks-and-more-down-title",
            number = number,
            racks = racks,
            nodes = others
        ),
        (Racks::Counted(number), others) => say!(
            words,
            "many-racks-and-more-down-title",
            number = number,
            nodes = others
        ),
    }
}

fn is_majority(down: usize, total: usize) -> bool {
    down > 1 && total > 0 && down > total / 2
}

/// The racks that are down as a whole.
enum Racks {
    None,
    /// So many of these names.
    Named(usize, String),
    Counted(usize),
}

fn racks(words: &Words, told: &Circumstances) -> Racks {
    let names = told.racks_down.keys().map(|rack| wording::name(rack));
    match names.len() {
        0 => Racks::None,
        many if many > RACKS => Racks::Counted(many),
        few => Racks::Named(few, phrases::list_first(words, names, RACKS)),
    }
}

/// What is to be said of nodes beside that they are down.
pub(super) fn nodes_sentences(
    words: &Words,
    change: &Change<String, Absence>,
    told: &Circumstances,
) -> Vec<String> {
    let mut sentences = Vec::new();
    let down = down_keys(change);
    match racks(words, told) {
        Racks::None => {}
        Racks::Named(number, racks) => sentences.push(say!(
            words,
            "racks-down-sentence",
            number = number,
            racks = racks
        )),
        Racks::Counted(number) => {
            sentences.push(say!(words, "many-racks-down-sentence", number = number));
        }
    }
    let total = usize::try_from(told.nodes).unwrap_or(usize::MAX);
    if is_majority(down.len(), total) {
        sentences.push(say!(
            words,
            "majority-sentence",
            number = down.len(),
            total = total
        ));
    }
    let with_them: usize = told
        .of_nodes
        .iter()
        .filter(|(node, _)| down.contains(node))
        .map(|(_, osds)| osds.len())
        .sum();
    if with_them > 0 {
        sentences.push(say!(
            words,
            "osds-down-with-nodes-sentence",
            number = with_them,
            nodes = down.len()
        ));
    }
    sentences
}

/// What to expect of the OSDs of nodes that have just gone down, where none is down yet.
pub(super) fn osds_follow(
    words: &Words,
    change: &Change<String, Absence>,
    told: &Circumstances,
) -> Option<String> {
    let mut new = change.new.iter().map(|item| &item.key);
    let none_yet = new.any(|node| !told.of_nodes.contains_key(node));
    (told.osds_follow && none_yet).then(|| say!(words, "osds-follow-sentence"))
}

/// Lists the OSDs that are down with nodes: those that are still down, and those that are back.
pub(super) fn nodes_sections(
    text: &mut Text<'_>,
    change: &Change<String, Absence>,
    told: &Circumstances,
) {
    let words = text.words;
    let down: BTreeSet<&String> = down_keys(change).into_iter().collect();
    let (with_them, back): (Vec<_>, Vec<_>) = told
        .of_nodes
        .iter()
        .partition(|(node, _)| down.contains(node));
    text.section_on(
        Tone::Still,
        &say!(words, "heading-osds-with-nodes"),
        rows(words, with_them),
    );
    if !back.is_empty() {
        text.section_on(
            Tone::Still,
            &say!(words, "heading-osds-of-nodes-back"),
            rows(words, back),
        );
        text.paragraph(&say!(words, "osds-of-nodes-back-sentence"));
    }
}

/// A line for each node, those with the most OSDs first.
fn rows(words: &Words, mut nodes: Vec<(&String, &BTreeSet<OsdId>)>) -> Vec<String> {
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
    let mut lines = aligned(words, &rows);
    if !left_out.is_empty() {
        let osds: usize = left_out.iter().map(|(_, osds)| osds.len()).sum();
        lines.push(say!(
            words,
            "more-osds-of-nodes",
            osds = osds,
            nodes = left_out.len(),
            command = "ceph osd tree down"
        ));
    }
    lines
}

/// Where OSDs are down, if they are all that one host has while its node is alive: `all 12 OSDs down on node3, which is alive`
pub(super) fn all_of_one_host(
    words: &Words,
    change: &Change<OsdId, DownOsd>,
    told: &Circumstances,
) -> Option<String> {
    let osds = || change.new.iter().chain(&change.still);
    let host = osds().next()?.what.host.as_ref()?;
    let only_there = osds().all(|item| item.what.host.as_ref() == Some(host));
    let is_dark = only_there && told.dark.contains_key(host);
    let number = osds().count();
    (is_dark && number > 1).then(|| {
        say!(
            words,
            "osds-of-host-down-title",
            number = number,
            host = wording::name(host)
        )
    })
}

/// What is to be said of OSDs that are all down while their nodes are alive.
pub(super) fn dark_hosts(
    words: &Words,
    change: &Change<OsdId, DownOsd>,
    told: &Circumstances,
) -> Option<String> {
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
    let names = hosts.into_iter().map(|host| wording::name(host));
    let hosts = phrases::list_first(words, names, NAMED);
    Some(say!(
        words,
        "dark-hosts-sentence",
        number = number,
        hosts = hosts
    ))
}

/// ` but for 12 that are down with node3`, where OSDs are down that are told of with their nodes.
pub(super) fn but_with_nodes(
    words: &Words,
    of_nodes: &BTreeMap<String, BTreeSet<OsdId>>,
) -> Option<String> {
    (!of_nodes.is_empty()).then(|| {
        let (number, nodes) = phrases::of_nodes(words, of_nodes);
        say!(words, "but-with-nodes", number = number, nodes = nodes)
    })
}

/// What is said in the subject of a mail that ends an incident of nodes.
pub(super) fn all_nodes_up(
    words: &Words,
    alert: &Alert,
    over: &[OverItem<String, Absence>],
) -> Vec<String> {
    let all_up = super::all_up(words, Things::Nodes, alert, over);
    let osds = alert.circumstances.of_nodes.values().map(BTreeSet::len);
    let osds: usize = osds.sum();
    if osds == 0 {
        return all_up;
    }
    let but_osds = |what: &String| say!(words, "osds-not-yet-title", what = what, number = osds);
    let but_osds: Vec<String> = all_up.iter().map(but_osds).collect();
    but_osds.into_iter().chain(all_up).collect()
}

/// What is said in the subject of a mail that ends an incident of OSDs.
pub(super) fn all_osds_up(
    words: &Words,
    alert: &Alert,
    over: &[OverItem<OsdId, DownOsd>],
) -> Vec<String> {
    let of_nodes = &alert.circumstances.of_nodes;
    if of_nodes.is_empty() {
        return super::all_up(words, Things::Osds, alert, over);
    }
    let (number, nodes) = phrases::of_nodes(words, of_nodes);
    let with = say!(words, "osds-with-nodes", number = number, nodes = nodes);
    let withheld = alert.circumstances.withheld;
    let buts = [
        phrases::but_withheld(words, withheld),
        phrases::but_some_withheld(words, withheld),
    ];
    let title = |but: String| say!(words, "other-osds-up-title", but = but, with = &with);
    buts.map(title).into()
}
