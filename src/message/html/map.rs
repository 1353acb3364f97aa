//! OSDs as small squares by host, and nodes likewise. Each kind has a sign of its own, so that nothing hangs on its colour.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::markup::Markup;
use crate::alert::{Alert, Report};
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::Item;
use crate::message::osd_host;
use crate::say;
use crate::wording;
use crate::words::Words;

/// So many squares are drawn at most; each takes up to 60 bytes.
const SQUARES: usize = 480;

/// So many hosts are drawn at most ...
const HOSTS: usize = 24;

/// ... and so many of those whose OSDs are all up: they are there to compare with.
const WHOLE_HOSTS: usize = 8;

/// Squares in a row, so that the tiles of two hosts stand side by side on a telephone; disks come by the dozen.
const IN_A_TILE: usize = 12;

/// Squares in a row that is as wide as a telephone.
const IN_A_ROW: usize = 24;

/// More nodes than this are squares without a name ...
const NAMED: usize = 40;

/// ... and with more than this, a square stands for several of them.
const NODE_SQUARES: usize = 240;

/// Shows all OSDs that are down.
const ALL_OSDS: &str = "ceph osd tree down";

/// What a square stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Down,
    Out,
    Destroyed,
    Flapping,
    Up,
}

impl Kind {
    const ALL: [Kind; 5] = [
        Kind::Down,
        Kind::Out,
        Kind::Destroyed,
        Kind::Flapping,
        Kind::Up,
    ];

    fn of_osd(item: &Item<OsdId, DownOsd>) -> Kind {
        match (item.flaps(), item.what.status.as_str(), item.what.out) {
            (Some(_), _, _) => Kind::Flapping,
            (None, "destroyed", _) => Kind::Destroyed,
            (None, _, true) => Kind::Out,
            (None, _, false) => Kind::Down,
        }
    }

    fn of_node(item: &Item<String, Absence>) -> Kind {
        match item.flaps() {
            Some(_) => Kind::Flapping,
            None => Kind::Down,
        }
    }

    /// `3 down`
    fn counted(self, number: usize, words: &Words) -> String {
        match self {
            Kind::Down => say!(words, "picture-down", number = number),
            Kind::Out => say!(words, "picture-out", number = number),
            Kind::Destroyed => say!(words, "picture-destroyed", number = number),
            Kind::Flapping => say!(words, "picture-flapping", number = number),
            Kind::Up => say!(words, "picture-up", number = number),
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Kind::Down => "&times;",
            Kind::Out => "&minus;",
            Kind::Destroyed => "#",
            Kind::Flapping => "~",
            Kind::Up => "",
        }
    }

    fn ground(self) -> &'static str {
        match self {
            Kind::Down => "#d92d20",
            Kind::Out => "#b86e00",
            Kind::Destroyed => "#667085",
            Kind::Flapping => "#7a4fd6",
            Kind::Up => "#57b88a",
        }
    }
}

/// What was seen around an alert.
#[derive(Debug, Default)]
pub(super) struct Map {
    hosts: Vec<Host>,
    /// Those that are down first.
    nodes: Vec<(String, Kind)>,
}

/// A host and its OSDs.
#[derive(Debug, Default)]
struct Host {
    name: String,
    /// Those that are not up.
    broken: Vec<(Kind, OsdId)>,
    /// `None` where nobody has counted those.
    up: Option<usize>,
}

impl Host {
    fn len(&self) -> usize {
        self.broken.len() + self.up.unwrap_or(0)
    }

    /// `2 of 24 down`
    fn state(&self, words: &Words) -> String {
        let number = self.broken.len();
        let flaps = self.broken.iter().any(|(kind, _)| *kind == Kind::Flapping);
        match (self.up, flaps) {
            (None, false) => say!(words, "picture-down", number = number),
            (None, true) => say!(words, "picture-down-or-flapping", number = number),
            (Some(up), _) if number == 0 => say!(words, "picture-all-up", number = up),
            (Some(up), false) => say!(words, "picture-down-of", number = number, all = number + up),
            (Some(up), true) => say!(
                words,
                "picture-down-or-flapping-of",
                number = number,
                all = number + up
            ),
        }
    }
}

impl Map {
    /// What the alert knows of OSDs and nodes. Of capacity and of what cannot be seen there is nothing to draw.
    pub(super) fn of(alert: &Alert, words: &Words) -> Map {
        let around = &alert.circumstances;
        let mut broken: BTreeMap<String, Vec<(Kind, OsdId)>> = BTreeMap::new();
        let mut nodes: BTreeMap<String, Kind> = BTreeMap::new();
        let whole = |osds: &u32| usize::try_from(*osds).unwrap_or(usize::MAX);
        let up = (around.osds_up.iter()).map(|(host, osds)| (wording::name(host), whole(osds)));
        let mut up: BTreeMap<String, usize> = up.collect();
        if let Report::Osds(change) = &alert.report {
            for item in change.new.iter().chain(&change.still) {
                let host = osd_host(words, &item.what);
                // What flaps may be up at the moment, and is drawn once.
                let is_up = item.flaps().is_some_and(|flaps| flaps.up_since.is_some());
                if let (true, Some(up)) = (is_up, up.get_mut(&host)) {
                    *up = up.saturating_sub(1);
                }
                let host = broken.entry(host).or_default();
                host.push((Kind::of_osd(item), item.key));
            }
        } else if let Report::Nodes(change) = &alert.report {
            nodes.extend((around.nodes_up.iter()).map(|node| (wording::name(node), Kind::Up)));
            let down = change.new.iter().chain(&change.still);
            nodes.extend(down.map(|item| (wording::name(&item.key), Kind::of_node(item))));
        } else {
            return Map::default();
        }
        for (node, osds) in &around.of_nodes {
            let host = broken.entry(wording::name(node)).or_default();
            host.extend(osds.iter().map(|osd| (Kind::Down, *osd)));
        }
        // Of nodes it shows what they have taken with them, and nothing where that is nothing.
        if !nodes.is_empty() && broken.is_empty() {
            up.clear();
        }
        for host in up.keys() {
            broken.entry(host.clone()).or_default();
        }
        let mut hosts: Vec<Host> = (broken.into_iter())
            .map(|(name, mut broken)| {
                broken.sort();
                let up = up.get(&name).copied();
                Host { name, broken, up }
            })
            .filter(|host| host.len() > 0)
            .collect();
        hosts.sort_by_cached_key(|host| (Reverse(host.broken.len()), wording::natural(&host.name)));
        let mut nodes: Vec<(String, Kind)> = nodes.into_iter().collect();
        nodes.sort_by_cached_key(|(name, kind)| (*kind, wording::natural(name)));
        Map { hosts, nodes }
    }

    /// Whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.nodes.is_empty()
    }

    /// Draws the nodes, then the OSDs.
    pub(super) fn draw(&self, out: &mut Markup, words: &Words) {
        if !self.nodes.is_empty() {
            let count = |kind| self.nodes.iter().filter(|node| node.1 == kind).count();
            let counts = Kind::ALL.map(|kind| (kind, count(kind)));
            legend(out, &say!(words, "picture-nodes"), &counts, words);
            if self.nodes.len() <= NAMED {
                names(out, &self.nodes);
            } else {
                self.draw_crowd(out, words);
            }
        }
        if !self.hosts.is_empty() {
            let of = |kind| {
                (self.hosts.iter())
                    .flat_map(|host| &host.broken)
                    .filter(move |osd| osd.0 == kind)
            };
            let up = self.hosts.iter().filter_map(|host| host.up).sum();
            let count = |kind| {
                if kind == Kind::Up {
                    up
                } else {
                    of(kind).count()
                }
            };
            let counts = Kind::ALL.map(|kind| (kind, count(kind)));
            legend(out, &say!(words, "picture-osds"), &counts, words);
            self.draw_hosts(out, words);
        }
    }

    fn draw_crowd(&self, out: &mut Markup, words: &Words) {
        let each = self.nodes.len().div_ceil(NODE_SQUARES);
        // They are in order by kind, and none is too few to be seen.
        let kinds = self.nodes.chunk_by(|one, next| one.1 == next.1);
        let squares = kinds.flat_map(|nodes| nodes.chunks(each));
        let squares = squares.map(|nodes| (nodes[0].1, (each == 1).then_some(&nodes[0].0)));
        grid(out, &Vec::from_iter(squares), IN_A_ROW);
        if each > 1 {
            out.raw("<div class=\"mu\" style=\"font-size: 12px; color: #5d6b7e\">")
                .text(&say!(words, "picture-square", number = each))
                .raw("</div>\n");
        }
    }

    fn draw_hosts(&self, out: &mut Markup, words: &Words) {
        let mut room = SQUARES;
        let mut whole = 0;
        let mut left_out: Vec<&Host> = Vec::new();
        for (place, host) in self.hosts.iter().enumerate() {
            whole += usize::from(host.broken.is_empty());
            if place >= HOSTS || whole > WHOLE_HOSTS || room == 0 {
                left_out.push(host);
                continue;
            }
            let broken = host.broken.iter().map(|(kind, osd)| (*kind, Some(osd)));
            let up = std::iter::repeat_n((Kind::Up, None), host.up.unwrap_or(0));
            let squares: Vec<(Kind, Option<&OsdId>)> = broken.chain(up).take(room).collect();
            room -= squares.len();
            out.raw(
                "<div style=\"display: inline-block; vertical-align: top; width: 148px; margin: 0 0 10px; \
                 font-size: 12px; line-height: 17px\">",
            )
            .text(&host.name)
            .raw("<br><span class=\"mu\" style=\"color: #5d6b7e\">")
            .text(&host.state(words))
            .raw("</span>");
            // Two rows of 10 rather than one of 12 and one of 8.
            let rows = squares.len().div_ceil(IN_A_TILE).max(1);
            grid(out, &squares, squares.len().div_ceil(rows));
            out.raw("</div>\n");
        }
        if left_out.is_empty() {
            return;
        }
        let hosts = left_out.len();
        let broken: usize = left_out.iter().map(|host| host.broken.len()).sum();
        let up: usize = left_out.iter().filter_map(|host| host.up).sum();
        out.raw("<div class=\"mu\" style=\"font-size: 13px; color: #5d6b7e\">");
        match broken {
            0 => out.text(&say!(
                words,
                "picture-more-hosts-up",
                hosts = hosts,
                osds = up
            )),
            _ => out
                .text(&say!(
                    words,
                    "picture-more-hosts-down",
                    hosts = hosts,
                    osds = broken
                ))
                .raw(" <code>")
                .text(ALL_OSDS)
                .raw("</code>"),
        };
        out.raw("</div>\n");
    }
}

/// What the squares mean and how many there are: the picture in words.
fn legend(out: &mut Markup, heading: &str, counts: &[(Kind, usize)], words: &Words) {
    out.raw("<div style=\"margin: 20px 0 6px; font-size: 13px\"><b class=\"mu\" style=\"color: #5d6b7e\">")
        .text(heading)
        .raw("</b>");
    for (kind, number) in counts.iter().filter(|(_, number)| *number > 0) {
        out.raw(" &ensp;<span style=\"white-space: nowrap\"><span style=\"display: inline-block; width: 12px; height: 12px; \
                 border-radius: 2px; font: bold 11px/12px Arial, sans-serif; text-align: center; color: #ffffff; background: ")
            .raw(kind.ground())
            .raw("\" aria-hidden=\"true\">")
            .raw(match kind.sign() {
                "" => "&nbsp;",
                sign => sign,
            })
            .raw("</span>&nbsp;")
            .text(&kind.counted(*number, words))
            .raw("</span>");
    }
    out.raw("</div>\n");
}

/// The nodes by name.
fn names(out: &mut Markup, nodes: &[(String, Kind)]) {
    out.raw("<div>");
    for (name, kind) in nodes {
        let (class, ground, ink) = match kind {
            Kind::Up => ("up", "#dcf3e6", "#0b5c38"),
            kind => ("", kind.ground(), "#ffffff"),
        };
        out.raw("<span class=\"")
            .raw(class)
            .raw("\" style=\"display: inline-block; margin: 0 6px 6px 0; padding: 2px 10px; border-radius: 4px; \
                  font-size: 13px; line-height: 20px; background: ")
            .raw(ground)
            .raw("; color: ")
            .raw(ink)
            .raw("\">");
        if *kind != Kind::Up {
            out.raw(kind.sign()).raw(" ");
        }
        out.text(name).raw("</span> ");
    }
    out.raw("</div>\n");
}

/// Squares in rows. A table keeps them square in programs that know no other layout.
fn grid<T: ToString>(out: &mut Markup, squares: &[(Kind, Option<T>)], in_a_row: usize) {
    out.raw("<table role=\"presentation\" aria-hidden=\"true\" class=\"q\" cellspacing=\"2\" cellpadding=\"0\" \
             style=\"margin: 2px -2px 0; font: bold 9px/10px Arial, sans-serif; text-align: center; \
             color: #ffffff\">");
    for row in squares.chunks(in_a_row.max(1)) {
        out.raw("<tr>");
        for (place, (kind, name)) in row.iter().enumerate() {
            // The first row says how wide a column is, the first square of a row how high that is.
            out.raw("<td bgcolor=").raw(kind.ground()).raw(" width=10");
            if place == 0 {
                out.raw(" height=10");
            }
            if let (Some(name), true) = (name, *kind != Kind::Up) {
                out.raw(" title=\"").escaped(&name.to_string()).raw("\"");
            }
            out.raw(">").raw(kind.sign()).raw("</td>");
        }
        out.raw("</tr>\n");
    }
    out.raw("</table>");
}
