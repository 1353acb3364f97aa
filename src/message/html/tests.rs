//! Whole HTML parts, as they are kept in `tests/golden`, and what holds for each of them.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mailparse::MailHeaderMap as _;

use super::look::Mood;
use super::{Head, MOST_BYTES, draw};
use crate::alert::{Alert, Circumstances, Report};
use crate::check::CheckName;
use crate::check::sight::Unseen;
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Ending, Kind};
use crate::message::document::Document;
use crate::message::tests::{
    BEGAN, NOW, alert, change, entry_to, examples, item, osd, over, sender, subject,
};
use crate::message::{Sender, compose, parts};
use crate::standing::Elsewhere;
use crate::words::{self, Language, Words, replaced};

/// The HTML part of the mail about an alert.
pub(crate) fn html(alert: &Alert) -> String {
    html_in(alert, Language::English)
}

fn html_in(alert: &Alert, language: Language) -> String {
    let sender = Sender {
        html: true,
        words: Arc::new(Words::of(language)),
        ..sender()
    };
    parts(&entry_to(alert, "ops@example.org"), None, &sender)
        .1
        .expect("no HTML part")
}

fn down(host: &str) -> DownOsd {
    osd(Some(host), "down", false, false)
}

/// So many hosts with so many OSDs each.
fn osds_of(hosts: u32, osds: u32) -> BTreeMap<String, u32> {
    (1..=hosts)
        .map(|host| (format!("node{host}"), osds))
        .collect()
}

fn named(name: &str) -> Alert {
    let mut examples = examples().into_iter();
    examples.find(|(of, _, _)| *of == name).unwrap().2
}

/// The stories that are drawn; more than the text has, for pictures need to know what was around.
fn stories() -> Vec<(&'static str, Alert)> {
    let mut osds_up = osds_of(9, 24);
    osds_up.insert("node3".to_owned(), 20);
    osds_up.insert("node7".to_owned(), 22);
    let of_host = |id: i64, host: &str, status: &str, out: bool| {
        item(OsdId(id), BEGAN, osd(Some(host), status, out, false))
    };
    let updated = Alert {
        circumstances: Circumstances {
            osds_up: osds_up.clone(),
            ..Circumstances::default()
        },
        elsewhere: vec![Elsewhere::Text(
            "storage 61 % full (over 60 %), 4.91 TiB of 8.00 TiB".to_owned(),
        )],
        ..alert(
            Kind::Updated,
            Report::Osds(change(
                vec![
                    item(OsdId(58), NOW, down("node3")),
                    item(OsdId(61), NOW, down("node3")),
                ],
                vec![
                    of_host(52, "node3", "down", true),
                    of_host(53, "node3", "destroyed", true),
                    of_host(150, "node7", "down", false),
                    of_host(163, "node7", "down", true),
                ],
                vec![over(OsdId(7), Ending::Recovered, down("node1"))],
            )),
        )
    };
    let cleared = Alert {
        circumstances: Circumstances {
            osds_up: osds_of(6, 12),
            ..Circumstances::default()
        },
        ..alert(
            Kind::Cleared,
            Report::Osds(change(
                vec![],
                vec![],
                vec![
                    over(OsdId(24), Ending::Recovered, down("node3")),
                    over(OsdId(31), Ending::Removed, down("node3")),
                ],
            )),
        )
    };
    let node = Alert {
        circumstances: Circumstances {
            nodes_up: (1..=12)
                .filter(|node| *node != 5)
                .map(|node| format!("node{node}"))
                .collect(),
            of_nodes: BTreeMap::from([(
                "node5".to_owned(),
                (48..60).map(OsdId).collect::<BTreeSet<_>>(),
            )]),
            osds_up: {
                let mut osds_up = osds_of(12, 12);
                osds_up.insert("node5".to_owned(), 0);
                osds_up
            },
            ..Circumstances::default()
        },
        ..alert(
            Kind::Raised,
            Report::Nodes(change(
                vec![item("node5".to_owned(), BEGAN, Absence::Failed)],
                vec![],
                vec![],
            )),
        )
    };
    let many = Alert {
        circumstances: Circumstances {
            osds_up: (1..=500)
                .map(|host| (format!("storage-{host:04}"), if host < 53 { 0 } else { 8 }))
                .collect(),
            ..Circumstances::default()
        },
        ..named("many-osds-raised")
    };
    let rack = Alert {
        circumstances: Circumstances {
            nodes_up: (1..=850).map(|node| format!("storage-{node:04}")).collect(),
            ..Circumstances::default()
        },
        ..named("many-nodes-raised")
    };
    let scripts = Alert {
        cluster: "存储 אחסון".to_owned(),
        circumstances: Circumstances {
            nodes_up: BTreeSet::from([
                "größe-1".to_owned(),
                "узел-2".to_owned(),
                "مخزن-3".to_owned(),
            ]),
            ..Circumstances::default()
        },
        ..alert(
            Kind::Updated,
            Report::Nodes(change(
                vec![
                    item("אחסון-4".to_owned(), NOW, Absence::Failed),
                    item("<b>&\"'".to_owned(), NOW, Absence::Left),
                ],
                vec![
                    item("节点五".to_owned(), BEGAN, Absence::Missing),
                    item("n".repeat(64), BEGAN, Absence::Failed),
                ],
                vec![],
            )),
        )
    };
    vec![
        ("osds-updated", updated),
        ("osds-cleared", cleared),
        (
            "osds-flapping",
            Alert {
                circumstances: Circumstances {
                    osds_up: osds_of(4, 12),
                    ..Circumstances::default()
                },
                ..named("osds-flapping-among-others")
            },
        ),
        ("nodes-flapping", named("nodes-flapping")),
        ("nodes-raised", node),
        ("capacity-raised", named("capacity-raised")),
        ("capacity-growing", named("capacity-growing")),
        ("capacity-critical", named("capacity-critical")),
        ("blind-raised", named("blind-raised")),
        ("many-osds-raised", many),
        ("many-nodes-raised", rack),
        ("any-script", scripts),
    ]
}

/// Compares with what is in `tests/golden`; with `UPDATE_GOLDEN=1` in the environment it writes that.
pub(crate) fn assert_golden(file: &str, text: &str) {
    // The version in the signature changes with every release.
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(
        text, golden,
        "{file}: UPDATE_GOLDEN=1 cargo test writes it anew"
    );
}

#[test]
fn parts_are_the_golden_ones() {
    for (name, alert) in stories() {
        assert_golden(&format!("{name}.html"), &html(&alert));
    }
    let late = Some(Duration::from_secs(11_520));
    let sender = Sender {
        html: true,
        ..sender()
    };
    let (_, html) = parts(
        &entry_to(&named("osds-never-told"), "ops@example.org"),
        late,
        &sender,
    );
    assert_golden("late.html", &html.unwrap());
}

#[test]
fn parts_in_other_languages_are_the_golden_ones() {
    for (name, alert) in stories() {
        if ["osds-updated", "capacity-growing"].contains(&name) {
            for language in [Language::German, Language::Chinese] {
                let file = format!("{name}.{}.html", language.as_str());
                assert_golden(&file, &html_in(&alert, language));
            }
        }
    }
}

#[test]
fn whole_mails_are_the_golden_ones() {
    for name in ["nodes-raised", "any-script"] {
        let (_, alert) = stories().into_iter().find(|(of, _)| *of == name).unwrap();
        let entry = entry_to(&alert, "ops@example.org");
        let sender = Sender {
            html: true,
            now: alert.raised,
            ..sender()
        };
        let mail = compose(&entry, entry.to.as_ref().unwrap(), &sender).unwrap();
        let mail = String::from_utf8(mail).unwrap().replace("\r\n", "\n");
        assert_golden(&format!("whole-{name}.eml"), &mail);
    }
}
/// Anything that a name could be made of.
struct Names(u64);

impl Names {
    /// SplitMix64: the same names in every run.
    fn number(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    }

    fn name(&mut self) -> String {
        const PIECES: [&str; 32] = [
            "<script>",
            "</style>",
            "<!--",
            "-->",
            "]]>",
            "<img src=http://x/>",
            "\"",
            "'",
            "&",
            "&lt;",
            "&#0;",
            "<",
            ">",
            "=",
            "\r\nBcc: evil@example.org\r\n\r\n",
            "\n",
            "\r",
            "\0",
            "\u{85}",
            "\u{2028}",
            "\u{202e}",
            "\u{2066}",
            "=?utf-8?q?=0D=0A?=",
            "\r\n--=_petanotify_",
            "--=_petanotify__",
            "אבג",
            "مخزن",
            "存储",
            "größe",
            "💾",
            "node",
            "  ",
        ];
        let pieces = 1 + self.number(12);
        (0..pieces)
            .map(|_| PIECES[self.number(PIECES.len())])
            .collect()
    }

    /// An alert in which every word that may come from outside is such a name.
    fn alert(&mut self) -> Alert {
        let kind = [Kind::Raised, Kind::Updated, Kind::Reminder, Kind::Cleared][self.number(4)];
        let ending = [Ending::Recovered, Ending::Removed][self.number(2)];
        let most = [1, 3, 14, 60][self.number(4)];
        let mut numbers = [0; 3].map(|_| self.number(most));
        if kind == Kind::Cleared {
            numbers[..2].fill(0);
        }
        let [new, still, gone] = numbers;
        let report = match self.number(4) {
            0 => {
                let mut node = || item(self.name(), BEGAN, Absence::Failed);
                let (new, still) = (
                    (0..new).map(|_| node()).collect(),
                    (0..still).map(|_| node()).collect(),
                );
                let gone = (0..gone)
                    .map(|_| over(self.name(), ending, Absence::Left))
                    .collect();
                Report::Nodes(change(new, still, gone))
            }
            1 => {
                let mut ids = 0..;
                let mut osd = || {
                    let host = (self.number(5) > 0).then(|| self.name());
                    let status = if self.number(3) > 0 {
                        "down".to_owned()
                    } else {
                        self.name()
                    };
                    let (out, stray) = (self.number(2) > 0, self.number(2) > 0);
                    (
                        OsdId(ids.next().unwrap()),
                        DownOsd {
                            host,
                            status,
                            out,
                            stray,
                        },
                    )
                };
                let mut down = |number| Vec::from_iter((0..number).map(|_| osd()));
                let item = |(id, osd)| item(id, BEGAN, osd);
                let (new, still) = (
                    down(new).into_iter().map(item).collect(),
                    down(still).into_iter().map(item).collect(),
                );
                let gone = down(gone)
                    .into_iter()
                    .map(|(id, osd)| over(id, ending, osd))
                    .collect();
                Report::Osds(change(new, still, gone))
            }
            2 => {
                let cause = item(Unseen::Check(CheckName::Osds), BEGAN, self.name());
                let gone = over(Unseen::Check(CheckName::Nodes), ending, self.name());
                match kind {
                    Kind::Cleared => Report::Blind(change(vec![], vec![], vec![gone])),
                    _ => Report::Blind(change(vec![cause], vec![], vec![gone])),
                }
            }
            _ => named("capacity-critical").report,
        };
        let mut alert = alert(kind, report);
        alert.cluster = self.name();
        alert.never_told = kind == Kind::Cleared && self.number(2) > 0;
        alert.elsewhere = (0..self.number(3))
            .map(|_| Elsewhere::Text(self.name()))
            .collect();
        let around = &mut alert.circumstances;
        around.nodes_up = (0..self.number(60)).map(|_| self.name()).collect();
        around.osds_up = (0..self.number(60)).map(|_| (self.name(), 12)).collect();
        around.of_nodes = (0..self.number(3))
            .map(|_| (self.name(), (0..12).map(OsdId).collect()))
            .collect();
        alert
    }

    /// Wording in which each message is made of such names, and of what belongs into it.
    fn templates(&mut self) -> String {
        let mut text = String::new();
        for (name, variables) in words::tests::messages() {
            let mut parts: Vec<String> = variables.iter().map(|v| format!("{{ ${v} }}")).collect();
            for _ in 0..1 + self.number(3) {
                let place = self.number(parts.len() + 1);
                let name = self.name().replace('\\', "\\\\").replace('"', "\\\"");
                let escape = |c: char| match c.is_control() {
                    true => format!("\\u{:04x}", u32::from(c)),
                    false => c.to_string(),
                };
                let escaped: String = name.chars().map(escape).collect();
                parts.insert(place, format!("{{ \"{escaped}\" }}"));
            }
            let between = ["", " ", "\n    "][self.number(3)];
            text.push_str(&format!("{name} ={between}{}\n", parts.join(between)));
        }
        text
    }
}

/// All headers that a mail may have that is not late.
const HEADERS: [&str; 13] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "In-Reply-To",
    "References",
    "X-Priority",
    "Importance",
    "MIME-Version",
    "Content-Type",
    // Where there is no HTML part.
    "Content-Transfer-Encoding",
];

#[test]
fn no_wording_of_an_admin_can_add_markup_or_a_header_or_end_a_part() {
    let ours = our_tags();
    let mut names = Names(31_337);
    for round in 0..9 {
        let language = Language::ALL[round % 3];
        let templates = names.templates();
        let (usable, text) = (replaced(&templates, language), templates.clone());
        assert_eq!(usable.problems, [""; 0]);
        assert_eq!(usable.messages, words::tests::messages().len());
        let sender = Sender {
            html: true,
            words: Arc::new(Words::with(language, || text, |_| {})),
            ..sender()
        };
        let examples = examples().into_iter().map(|(_, _, alert)| alert);
        for alert in examples.chain([names.alert(), names.alert()]) {
            let entry = entry_to(&alert, "ops@example.org");
            let sender = Sender {
                now: alert.raised,
                ..sender.clone()
            };
            let raw = compose(&entry, entry.to.as_ref().unwrap(), &sender).unwrap();
            let mail = mailparse::parse_mail(&raw).unwrap();
            let known = |key: &str| HEADERS.contains(&key);
            let strange = mail.headers.iter().find(|header| !known(&header.get_key()));
            assert!(strange.is_none(), "{strange:?}\n{templates}");
            let shown = mail.headers.get_first_value("Subject").unwrap();
            assert!(shown.chars().count() <= 78, "{shown}\n{templates}");
            assert!(!shown.contains(char::is_control), "{shown:?}");
            let kinds = mail
                .subparts
                .iter()
                .map(|part| part.ctype.mimetype.as_str());
            let kinds: Vec<&str> = kinds.collect();
            // An HTML part that would be too large is left out.
            assert!(
                matches!(kinds.as_slice(), ["text/plain", "text/html"] | []),
                "{kinds:?}"
            );
            let Some(drawn) = parts(&entry, None, &sender).1 else {
                continue;
            };
            assert!(drawn.is_ascii());
            for tag in tags(&drawn) {
                assert!(ours.contains(tag), "{tag}\n{templates}");
            }
        }
    }
}

/// The names of all tags, as a mail program finds them.
fn tags(html: &str) -> Vec<&str> {
    let after = html.split('<').skip(1);
    let names = after.map(|tag| {
        tag.split(|c: char| c.is_whitespace() || c == '>')
            .next()
            .unwrap()
    });
    names.collect()
}

/// Those that our mails are made of.
fn our_tags() -> BTreeSet<String> {
    let all = stories().into_iter().map(|(_, alert)| html(&alert));
    let all: String = all.collect();
    tags(&all).into_iter().map(str::to_owned).collect()
}

#[test]
fn no_name_from_outside_can_add_markup_or_a_header_or_end_a_part() {
    let ours = our_tags();
    let mut names = Names(20_261_123);
    for _ in 0..200 {
        let alert = names.alert();
        let entry = entry_to(&alert, "ops@example.org");
        let sender = Sender {
            html: true,
            now: alert.raised,
            ..sender()
        };
        let raw = compose(&entry, entry.to.as_ref().unwrap(), &sender).unwrap();
        let mail = mailparse::parse_mail(&raw).unwrap();
        let strange = mail
            .headers
            .iter()
            .find(|header| !HEADERS.contains(&header.get_key().as_str()));
        assert!(strange.is_none(), "{strange:?}");
        let shown = mail.headers.get_first_value("Subject").unwrap();
        assert!(shown.chars().count() <= 78, "{shown}\n{}", subject(&alert));
        let [plain, html] = mail.subparts.as_slice() else {
            panic!("{} parts", mail.subparts.len());
        };
        assert_eq!(
            (plain.ctype.mimetype.as_str(), html.ctype.mimetype.as_str()),
            ("text/plain", "text/html")
        );
        let (text, drawn) = parts(&entry_to(&alert, "ops@example.org"), None, &sender);
        let drawn = drawn.unwrap();
        let as_sent = |part: &mailparse::ParsedMail<'_>| {
            part.get_body()
                .unwrap()
                .replace("\r\n", "\n")
                .trim_end()
                .to_owned()
        };
        assert_eq!(as_sent(plain), text.trim_end());
        assert_eq!(as_sent(html), drawn.trim_end());
        assert!(drawn.is_ascii());
        let mut open: BTreeMap<&str, i32> = BTreeMap::new();
        for tag in tags(&drawn) {
            assert!(ours.contains(tag), "{tag}\n{drawn}");
            *open.entry(tag.trim_start_matches('/')).or_default() +=
                if tag.starts_with('/') { -1 } else { 1 };
        }
        // These need no end.
        open.retain(|tag, open| {
            *open != 0 && !["!DOCTYPE", "!--[if", "![endif]--", "meta", "br"].contains(tag)
        });
        assert_eq!(open, BTreeMap::new());
        let fetched = ["src=", "href=", "url(", "@import", "http"]
            .into_iter()
            .find(|word| tags_alone(&drawn).contains(word));
        assert_eq!(fetched, None);
    }
}

/// What stands within tags, attributes' values of ours among it, without the words of titles.
fn tags_alone(html: &str) -> String {
    let after = html.split('<').skip(1);
    after
        .map(|tag| tag.split('>').next().unwrap())
        .filter(|tag| !tag.contains("title="))
        .collect()
}

#[test]
fn no_mail_is_so_large_that_it_is_cut_off() {
    let osds = (0..10_000).map(|id| {
        let host = format!("storage-{:04}.rack-{:02}.example.org", id / 20, id / 400);
        item(
            OsdId(id),
            BEGAN,
            osd(Some(&host), "down", id % 3 == 0, false),
        )
    });
    let osds: Vec<_> = osds.collect();
    let up = |osds: u32| {
        (0..500)
            .map(|host| {
                (
                    format!("storage-{host:04}.rack-{:02}.example.org", host / 20),
                    osds,
                )
            })
            .collect()
    };
    let around = |osds_up| Circumstances {
        osds_up,
        ..Circumstances::default()
    };
    let gone: Vec<_> = osds[..3000]
        .iter()
        .map(|osd| over(osd.key, Ending::Recovered, osd.what.clone()))
        .collect();
    let nodes = (0..500).map(|node| {
        (
            format!("storage-{node:04}"),
            (0..20).map(|osd| OsdId(node * 20 + osd)).collect(),
        )
    });
    for (name, alert) in [
        (
            "3,000 down",
            Alert {
                circumstances: around(up(14)),
                ..alert(
                    Kind::Raised,
                    Report::Osds(change(osds[..3000].to_vec(), vec![], vec![])),
                )
            },
        ),
        (
            "all down",
            alert(
                Kind::Updated,
                Report::Osds(change(
                    osds[..3000].to_vec(),
                    osds[3000..].to_vec(),
                    gone.clone(),
                )),
            ),
        ),
        (
            "one down",
            Alert {
                circumstances: around(up(20)),
                ..alert(
                    Kind::Raised,
                    Report::Osds(change(osds[..1].to_vec(), vec![], vec![])),
                )
            },
        ),
        (
            "up again",
            Alert {
                circumstances: around(up(20)),
                ..alert(Kind::Cleared, Report::Osds(change(vec![], vec![], gone)))
            },
        ),
        (
            "nodes",
            Alert {
                circumstances: Circumstances {
                    of_nodes: nodes.clone().collect(),
                    nodes_up: (0..500).map(|node| format!("up-{node}")).collect(),
                    ..around(up(20))
                },
                ..alert(
                    Kind::Raised,
                    Report::Nodes(change(
                        nodes
                            .map(|(node, _)| item(node, BEGAN, Absence::Failed))
                            .collect(),
                        vec![],
                        vec![],
                    )),
                )
            },
        ),
    ] {
        let sender = Sender {
            html: true,
            ..sender()
        };
        let (plain, html) = parts(&entry_to(&alert, "ops@example.org"), None, &sender);
        let bytes = plain.len() + html.unwrap().len();
        assert!(bytes < MOST_BYTES, "{name}: {bytes}");
    }
}

/// The pictures go first, then the whole part.
#[test]
fn what_would_be_cut_off_is_left_out() {
    let head = Head {
        subject: "",
        cluster: "",
        kind: "",
        headline: "",
        when: "",
        mood: Mood::Good,
    };
    let (_, alert) = stories().remove(0);
    let drawn = |bytes: usize| {
        let mut document = Document::default();
        document.paragraph(&"x".repeat(bytes));
        document.footer(Vec::new());
        draw(&head, &document, Some(&alert), &sender().words)
    };
    let has_picture = |html: &String| html.contains("OSDs by host");
    assert!(drawn(1).as_ref().is_some_and(has_picture));
    assert!(
        drawn(95_000)
            .as_ref()
            .is_some_and(|html| !has_picture(html))
    );
    assert_eq!(drawn(MOST_BYTES), None);
}
