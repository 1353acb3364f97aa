//! The mail that tells several things at once: what quiet hours have held back. Pure.

use std::time::Duration;

use super::document::Line;
use super::{SUBJECT_CHARS, Sender, Text, in_subject, phrases, report_text, title};
use crate::alert::{Alert, Circumstances};
use crate::incident::Kind;
use crate::queue::Entry;
use crate::say;
use crate::text::fit;
use crate::wording;
use crate::words::Words;

/// So many alerts are told whole, of the others what would be their subject: after a night in which a node has come and gone
/// every few minutes nobody reads more.
const WHOLE: usize = 20;

/// Names the cluster, how many alerts there are and, as far as there is room, what they say.
pub(super) fn subject(entry: &Entry, words: &Words) -> String {
    let cluster = wording::name(&entry.alert.cluster);
    let room = SUBJECT_CHARS.saturating_sub("[] ".len() + cluster.chars().count());
    in_subject(&cluster, &titles(entry, room, words))
}

/// What stands behind the cluster in the subject.
pub(super) fn headline(entry: &Entry, words: &Words) -> String {
    titles(entry, SUBJECT_CHARS, words)
}

fn titles(entry: &Entry, room: usize, words: &Words) -> String {
    let told: Vec<String> = entry.alerts().map(|alert| title(alert, words).1).collect();
    let first = |shown: usize| {
        let titles = told[..shown].join(&say!(words, "digest-title-separator"));
        match told.len() - shown {
            0 => say!(words, "digest-title", number = told.len(), titles = titles),
            more => say!(
                words,
                "digest-more-title",
                number = told.len(),
                titles = titles,
                more = more
            ),
        }
    };
    let mut shorter = (1..=told.len()).rev().map(first);
    let fits = shorter.find(|titles| titles.chars().count() <= room);
    fits.unwrap_or_else(|| fit(&first(told.len()), room))
}

/// How it comes that this is one mail, then what each alert says.
pub(super) fn write(text: &mut Text<'_>, entry: &Entry, delay: Option<Duration>, sender: &Sender) {
    let words = &*sender.words;
    let number = entry.alerts().count();
    let over = entry.alerts().filter(|a| a.kind == Kind::Cleared).count();
    let held_back = say!(
        words,
        "digest-sentence",
        number = number,
        cluster = wording::name(&entry.alert.cluster),
        time = wording::time(entry.deliverable_since(), &sender.zone)
    );
    let over = match over {
        0 => say!(words, "digest-none-over-sentence"),
        over if over == number => say!(words, "digest-all-over-sentence"),
        over => say!(words, "digest-some-over-sentence", number = over),
    };
    let mut notice = vec![held_back, over];
    notice.extend(delay.map(|delay| {
        let length = phrases::duration(words, delay);
        say!(words, "digest-late-sentence", length = length)
    }));
    let lasting = || entry.alerts().filter(|alert| alert.kind != Kind::Cleared);
    let latest = lasting()
        .filter_map(|alert| alert.circumstances.as_of)
        .max();
    if let Some(latest) = latest {
        let latest = wording::time(latest, &sender.zone);
        notice.push(say!(words, "digest-as-of-sentence", time = latest));
    }
    let notice = phrases::sentences(words, &notice);
    text.document.notice(&notice);
    let told = |number: usize, alert: &Alert| {
        let title = title(alert, words).1;
        let raised = wording::time(alert.raised, &sender.zone);
        let is_older = alert.kind != Kind::Cleared && latest.is_some_and(|at| alert.as_of() < at);
        match is_older {
            true => say!(
                words,
                "digest-alert-as-of",
                place = number,
                title = title,
                raised = raised,
                time = wording::time(alert.as_of(), &sender.zone)
            ),
            false => say!(
                words,
                "digest-alert",
                place = number,
                title = title,
                raised = raised
            ),
        }
    };
    for (number, alert) in (1..).zip(entry.alerts().take(WHOLE)) {
        text.now = alert.as_of();
        text.paragraph(&told(number, alert));
        report_text(text, alert);
    }
    let others = (WHOLE + 1..).zip(entry.alerts().skip(WHOLE));
    let others = others.map(|(number, alert)| Line::Sentence(told(number, alert)));
    text.section(&say!(words, "heading-in-brief"), others);
    if let Some(latest) = entry.alerts().max_by_key(|alert| alert.as_of()) {
        super::circumstances_text(
            text,
            &Circumstances {
                ack: None,
                ..latest.circumstances.clone()
            },
        );
    }
    text.footer(entry.alerts().take(WHOLE), &sender.node);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::alert::Report;
    use crate::facts::{Absence, DownOsd, OsdId};
    use crate::incident::{Change, Ending, Item, Over, OverItem};
    use crate::message::html::tests::assert_golden;
    use crate::message::{compose, delay, parts, subject_of};
    use crate::queue::{Queue, Recovery};
    use crate::quiet_hours::QuietHours;
    use crate::settings::Recipient;
    use crate::silence::{Scope, Silence};
    use crate::standing::Elsewhere;
    use crate::words::Language;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-24T{time}:00Z").parse().unwrap()
    }

    fn alert(incident: &str, kind: Kind, raised: &str, report: Report) -> Alert {
        Alert {
            cluster: "prod".to_owned(),
            kind,
            incident: incident.to_owned(),
            sequence: u32::from(kind == Kind::Cleared),
            began: at("00:10"),
            raised: at(raised),
            report,
            elsewhere: vec![Elsewhere::Text("told elsewhere in the digest".to_owned())],
            never_told: kind == Kind::Cleared,
            circumstances: Circumstances::default(),
        }
    }

    fn node_down(node: &str, raised: &str) -> Alert {
        let item = Item {
            key: node.to_owned(),
            since: at(raised),
            flapping: None,
            what: Absence::Failed,
        };
        let change = Change {
            new: vec![item],
            still: Vec::new(),
            over: Vec::new(),
        };
        alert(
            &format!("nodes-{node}"),
            Kind::Raised,
            raised,
            Report::Nodes(change),
        )
    }

    fn node_was_down(node: &str) -> Alert {
        let over = OverItem {
            key: node.to_owned(),
            was: Over {
                since: at("00:10"),
                until: at("00:30"),
                flapping: None,
                ending: Ending::Recovered,
                what: Absence::Failed,
            },
        };
        let change = Change {
            new: Vec::new(),
            still: Vec::new(),
            over: vec![over],
        };
        alert(
            &format!("nodes-{node}"),
            Kind::Cleared,
            "00:30",
            Report::Nodes(change),
        )
    }

    fn osd_down(osd: i64, raised: &str) -> Alert {
        let item = Item {
            key: OsdId(osd),
            since: at(raised),
            flapping: None,
            what: DownOsd {
                host: Some("node3".to_owned()),
                status: "down".to_owned(),
                out: false,
                stray: false,
            },
        };
        let change = Change {
            new: vec![item],
            still: Vec::new(),
            over: Vec::new(),
        };
        alert(
            &format!("osds-{osd}"),
            Kind::Raised,
            raised,
            Report::Osds(change),
        )
    }

    /// What the hours have held back by 07:00.
    fn digest(alerts: &[Alert]) -> Entry {
        let sleeper = Recipient {
            quiet_hours: Some("00:00-07:00".parse().unwrap()),
            ..Recipient::of_everything("ops@example.org".parse().unwrap())
        };
        let recipients = [sleeper];
        let mut queue = Queue::default();
        for alert in alerts {
            queue.add(alert.clone(), &recipients, Recovery::Told);
        }
        for now in [at("01:00"), at("07:00")] {
            let end = |hours: &QuietHours| hours.end(now, &TimeZone::UTC);
            queue.keep_hours(&recipients, end, now);
        }
        assert_eq!(queue.len(), 1);
        queue.iter().next().unwrap().clone()
    }

    fn sender(now: &str, language: Language) -> Sender {
        Sender {
            from: "PetaSAN <storage@example.org>".parse().unwrap(),
            zone: TimeZone::UTC,
            node: "node1".to_owned(),
            now: at(now),
            html: false,
            words: Arc::new(Words::of(language)),
        }
    }

    fn composed(entry: &Entry, now: &str) -> String {
        let sender = sender(now, Language::English);
        let mail = compose(entry, entry.to.as_ref().unwrap(), &sender).unwrap();
        String::from_utf8(mail).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn the_subject_names_as_many_as_there_is_room_for() {
        let long = "a-node-with-quite-a-long-name-as-some-have-who-name-them-by-room-and-rack";
        let cases: &[(&[Alert], &str)] = &[
            (
                &[node_was_down("node1"), osd_down(4, "02:00")],
                "[prod] 2 alerts: 1 OSD down on node3: osd.4; node was down: node1 (20 min)",
            ),
            (
                &[
                    node_down("node1", "00:10"),
                    osd_down(4, "02:00"),
                    osd_down(5, "03:00"),
                ],
                "[prod] 3 alerts: node down: node1; 1 OSD down on node3: osd.4; 1 more",
            ),
            (
                &[node_down(long, "00:10"), osd_down(4, "02:00")],
                "[prod] 2 alerts: node down; 1 OSD down on node3: osd.4",
            ),
        ];
        for (alerts, expected) in cases {
            let subject = subject_of(&digest(alerts), &Words::of(Language::English));
            assert_eq!(subject, *expected);
            assert!(subject.chars().count() <= SUBJECT_CHARS, "{subject}");
        }
    }

    #[test]
    fn it_tells_what_was_silenced_last() {
        let silenced = |osd: &str, mut alert: Alert| {
            alert.circumstances.silences = vec![Silence {
                id: 1,
                scope: Scope {
                    osds: [osd.parse().unwrap()].into(),
                    ..Scope::default()
                },
                since: at("00:00"),
                until: at("09:00"),
                why: None,
                by: None,
            }];
            alert
        };
        let night = [
            silenced("8", osd_down(4, "02:00")),
            silenced("9", osd_down(5, "03:00")),
        ];
        let mail = composed(&digest(&night), "07:00");
        assert!(mail.contains("\nSilenced:\n"), "{mail}");
        assert!(mail.contains(": osd.9\n"), "{mail}");
        assert!(!mail.contains("osd.8"), "{mail}");
    }

    /// Compares the whole mail with the one in `tests/golden`; with `UPDATE_GOLDEN=1` in the environment it writes it.
    #[test]
    fn the_mail_is_the_golden_one() {
        let night = [
            node_was_down("node1"),
            osd_down(4, "02:14"),
            node_down("node5", "03:00"),
        ];
        let mail = composed(&digest(&night), "07:00").replace(env!("CARGO_PKG_VERSION"), "VERSION");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/digest.eml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &mail).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap();
        assert_eq!(mail, golden, "UPDATE_GOLDEN=1 cargo test writes it anew");
    }

    #[test]
    fn in_other_languages_it_is_the_golden_one() {
        let night = [
            node_was_down("node1"),
            osd_down(4, "02:14"),
            node_down("node5", "03:00"),
        ];
        let mut entry = digest(&night);
        entry.alert.elsewhere.clear();
        for language in [Language::German, Language::Chinese] {
            let sender = sender("09:10", language);
            let (text, _) = parts(&entry, delay(&entry, &sender), &sender);
            let subject = subject_of(&entry, &sender.words);
            let name = format!("digest.{}.txt", language.as_str());
            assert_golden(&name, &format!("{subject}\n\n{text}"));
        }
    }

    #[test]
    fn it_is_late_only_when_the_morning_is_and_its_date_and_id_stay() {
        let entry = digest(&[node_down("node1", "00:10"), osd_down(4, "02:00")]);
        let [early, late] = ["07:09", "09:10"].map(|now| composed(&entry, now));
        assert!(
            !early.contains("late") && !early.contains("X-Petanotify-Delayed"),
            "{early}"
        );
        assert!(late.contains("\nX-Petanotify-Delayed: 2h10m\n"), "{late}");
        assert!(late.contains("The mail is late by 2 h 10"), "{late}");
        for field in [
            "Date: Tue, 24 Nov 2026 07:00:00 +0000",
            "Message-ID: <digest.",
        ] {
            let line = |mail: &str| {
                let line = mail.lines().find(|line| line.starts_with(field));
                line.unwrap_or_else(|| panic!("no {field} in\n{mail}"))
                    .to_owned()
            };
            assert_eq!(line(&early), line(&late));
        }
    }

    #[test]
    fn what_was_brought_up_to_date_says_as_of_when() {
        let as_of = |time: &str, mut alert: Alert| {
            alert.circumstances.as_of = Some(at(time));
            alert
        };
        let night = [
            node_was_down("node1"),
            as_of("06:30", osd_down(4, "02:00")),
            as_of("07:00", node_down("node5", "03:00")),
        ];
        let mail = composed(&digest(&night), "07:00").replace('\n', " ");
        let told = "comes last. What is not over is told as it stood at 2026-11-24 07:00 UTC. ";
        assert!(mail.contains(told), "{mail}");
        for part in [
            "1. 1 OSD down on node3: osd.4 (2026-11-24 02:00 UTC, as it stood at 2026-11-24 06:30 UTC) ",
            "since 2026-11-24 02:00 UTC (4 h 30 min)",
            "2. node down: node5 (2026-11-24 03:00 UTC) ",
            "since 2026-11-24 03:00 UTC (4 h)",
            "3. node was down: node1 (20 min) (2026-11-24 00:30 UTC) ",
        ] {
            assert!(mail.contains(part), "no {part:?} in {mail}");
        }
    }

    #[test]
    fn a_night_of_hundreds_of_alerts_is_a_mail_that_can_be_read_and_sent() {
        let night: Vec<Alert> = (0..300).map(|osd| osd_down(osd, "02:00")).collect();
        let mail = composed(&digest(&night), "07:00");
        assert!(
            mail.contains("\nAnd in brief:\n  21. 1 OSD down on node3: osd.20 "),
            "{mail}"
        );
        assert!(
            mail.contains("\n  300. 1 OSD down on node3: osd.299 "),
            "{mail}"
        );
        assert!(mail.len() < 30_000, "{}", mail.len());
        let header = mail.split("\n\n").next().unwrap();
        assert!(header.len() < 2_000, "{header}");
        assert!(
            header.contains("Subject: [prod] 300 alerts: 1 OSD down on node3: osd.0; 299 more"),
            "{header}"
        );
    }
}
