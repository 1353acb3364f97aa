//! From an alert and a recipient to a mail: subject, text, headers. Pure; sender, time zone and node are arguments.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, SinglePart};

use crate::alert::{Alert, Report};
use crate::check::CheckName;
use crate::check::capacity::{Level, Reading};
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Change, Ending, Item, Kind, OverItem, age};
use crate::queue::{Entry, MailId};
use crate::text::{one_line, wrap};
use crate::wording;

/// RFC 5322 (section 2.1.1) wants lines of at most 78 characters; a longer subject is cut by most mailboxes anyway.
const SUBJECT_CHARS: usize = 78;

/// Width of the text, in characters.
const TEXT_COLUMNS: usize = 72;

/// A section of a mail lists so many things; the command below it shows all.
const LISTED: usize = 60;

/// What the mail says of itself, beside the alert.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The address it comes from.
    pub from: Mailbox,
    /// The time zone of the times in the text.
    pub zone: TimeZone,
    /// The name of the machine that sends it.
    pub node: String,
    /// When it is sent.
    pub now: Timestamp,
}

/// A mail that leaves so long after it was raised says that it is late.
const LATE: Duration = Duration::from_secs(600);

/// Makes the mail, ready for the DATA command but for dot-stuffing.
///
/// # Errors
/// The library refuses the parts; with an address that it has itself parsed that does not happen.
pub fn compose(entry: &Entry, to: &Address, sender: &Sender) -> anyhow::Result<Vec<u8>> {
    let alert = &entry.alert;
    let delay = age(entry.raised, sender.now);
    let delay = (delay > LATE).then_some(delay);
    // What the clock showed when it was raised may lie ahead, and the library knows no time before 1970.
    let date = alert.raised.min(sender.now).max(Timestamp::UNIX_EPOCH);
    let mut message = Message::builder()
        .envelope(envelope(&sender.from, to)?)
        .from(sender.from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject(alert))
        .date(SystemTime::from(date))
        .message_id(Some(message_id(alert, alert.sequence, to)))
        .header(AutoSubmitted);
    if alert.sequence > 0 {
        let first = message_id(alert, 0, to);
        message = message.in_reply_to(first.clone()).references(first);
    }
    if let Some(delay) = delay {
        message = message.header(Delayed(delay));
    }
    let mail = message
        .singlepart(SinglePart::plain(text(alert, delay, sender)))
        .with_context(|| format!("cannot compose the mail to {to}"))?;
    Ok(mail.formatted())
}

/// Sender and recipient as they are: the library would read them back from the header, and know none of an address like
/// `ops@[127.0.0.1]`.
pub(crate) fn envelope(from: &Mailbox, to: &Address) -> anyhow::Result<Envelope> {
    Envelope::new(Some(from.email.clone()), vec![to.clone()])
        .with_context(|| format!("cannot address the mail to {to}"))
}

/// The id of the mail that tells this recipient of the alert with this number: the same at every attempt and on every node.
fn message_id(alert: &Alert, sequence: u32, to: &Address) -> String {
    let id = MailId::new(&alert.incident, sequence, Some(to));
    let cluster: String = alert
        .cluster
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(NAME_IN_ID)
        .collect();
    let cluster = cluster.trim_matches('-');
    let cluster = if cluster.is_empty() {
        "cluster"
    } else {
        cluster
    };
    format!("<{}.{sequence}.{id}@petanotify.{cluster}>", alert.incident)
}

/// A label of a domain name has at most 63 characters (RFC 1035, section 2.3.4).
const NAME_IN_ID: usize = 63;

/// `Auto-Submitted: auto-generated` (RFC 3834, section 5): no vacation notice shall answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// `X-Petanotify-Delayed: 3h12m`
#[derive(Clone)]
struct Delayed(Duration);

impl Header for Delayed {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Petanotify-Delayed")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("this header is written, never read".into())
    }

    fn display(&self) -> HeaderValue {
        let minutes = self.0.as_secs() / 60;
        HeaderValue::new(Self::name(), format!("{}h{}m", minutes / 60, minutes % 60))
    }
}

/// The subject alone tells cluster, what and where. Several wordings are tried, the fullest first, until one fits.
pub fn subject(alert: &Alert) -> String {
    let still = match alert.kind {
        Kind::Reminder => "still ",
        Kind::Raised | Kind::Updated | Kind::Cleared => "",
    };
    let cleared = alert.kind == Kind::Cleared;
    let length = wording::duration(age(alert.began, alert.raised));
    let wordings = match &alert.report {
        Report::Capacity(report) if alert.never_told => vec![format!(
            "storage was over {} for {length}, now {}",
            wording::threshold(report.warn_percent),
            wording::capacity_level(report)
        )],
        Report::Nodes(change) if alert.never_told => nodes_were_down(change, &length),
        Report::Osds(change) if alert.never_told => osds_were_down(change, &length),
        Report::Blind(change) if alert.never_told => vec![format!(
            "petanotify could not see {} for {length}",
            over_keys(change, CheckName::to_string).join(", ")
        )],
        Report::Capacity(report) if cleared => vec![format!(
            "storage {} again (below {})",
            wording::capacity_level(report),
            wording::threshold(report.warn_percent)
        )],
        Report::Capacity(report) => vec![format!("storage {}", wording::capacity_level(report))],
        Report::Nodes(change) if cleared => vec![all_up("node", &change.over)],
        Report::Nodes(change) => nodes_down(change),
        Report::Osds(change) if cleared => vec![all_up("OSD", &change.over)],
        Report::Osds(change) => osds_down(change),
        Report::Blind(_) if cleared => vec!["petanotify can see everything again".to_owned()],
        Report::Blind(change) => vec![format!(
            "petanotify cannot see {}",
            sorted(change, CheckName::to_string).join(", ")
        )],
    };
    let cluster = wording::name(&alert.cluster);
    let mut subject = String::new();
    for wording in wordings {
        subject = format!("[{cluster}] {still}{wording}");
        if subject.chars().count() <= SUBJECT_CHARS {
            break;
        }
    }
    subject
}

fn all_up<K, T>(noun: &str, over: &[OverItem<K, T>]) -> String {
    if all_recovered(over) {
        format!("all {noun}s are up again")
    } else {
        format!("no {noun} is down any more")
    }
}

fn all_recovered<K, T>(over: &[OverItem<K, T>]) -> bool {
    over.iter().all(|o| o.was.ending == Ending::Recovered)
}

fn nodes_down(change: &Change<String, Absence>) -> Vec<String> {
    let all = sorted(change, |node| wording::name(node));
    let head = match all.len() {
        1 => "node down".to_owned(),
        many => format!("{many} nodes down"),
    };
    let new: Vec<String> = change.new.iter().map(|n| wording::name(&n.key)).collect();
    // A damaged state may hold an alert about nothing.
    let Some(first) = new.first().or(all.first()) else {
        return vec![head];
    };
    let others = all.len().saturating_sub(1);
    vec![
        format!("{head}: {}", all.join(", ")),
        format!("{head}: {first} and {others} more"),
        head,
    ]
}

fn osds_down(change: &Change<OsdId, DownOsd>) -> Vec<String> {
    let all = sorted(change, OsdId::to_string);
    let osds = || change.new.iter().chain(&change.still).map(|i| &i.what);
    let hosts = wording::hosts(osds().filter(|osd| osd.host.is_some()));
    let head = format!("{} down", wording::count(all.len(), "OSD"));
    let named = format!("{head}{}", places(osds()));
    let counted = format!("{head} on {}", wording::count(hosts.len(), "host"));
    let new: Vec<String> = change.new.iter().map(|i| i.key.to_string()).collect();
    let new = if change.still.is_empty() || new.is_empty() {
        String::new()
    } else {
        format!(", new: {}", new.join(", "))
    };
    vec![
        format!("{named}: {}", all.join(", ")),
        format!("{named}{new}"),
        format!("{counted}{new}"),
        named,
        counted,
    ]
}

fn nodes_were_down(change: &Change<String, Absence>, length: &str) -> Vec<String> {
    let all = over_keys(change, |node| wording::name(node));
    let head = match all.len() {
        1 => "node was down".to_owned(),
        many => format!("{many} nodes were down"),
    };
    vec![
        format!("{head}: {} ({length})", all.join(", ")),
        format!("{head} ({length})"),
    ]
}

fn osds_were_down(change: &Change<OsdId, DownOsd>, length: &str) -> Vec<String> {
    let all = over_keys(change, OsdId::to_string);
    let were = if all.len() == 1 { "was" } else { "were" };
    let head = format!("{} {were} down", wording::count(all.len(), "OSD"));
    let places = places(change.over.iter().map(|over| &over.was.what));
    vec![
        format!("{head}{places}: {} ({length})", all.join(", ")),
        format!("{head}{places} ({length})"),
        format!("{head} ({length})"),
    ]
}

/// ` on node1, node2`, and what to say of those that are on no host.
fn places<'a>(osds: impl Iterator<Item = &'a DownOsd>) -> String {
    let (on_hosts, elsewhere): (Vec<_>, Vec<_>) = osds.partition(|osd| osd.host.is_some());
    let hosts = wording::hosts(on_hosts).join(", ");
    match (hosts.is_empty(), elsewhere.is_empty()) {
        (false, true) => format!(" on {hosts}"),
        (false, false) => format!(" on {hosts} and on no host"),
        (true, _) if elsewhere.iter().all(|osd| osd.stray) => " (stray)".to_owned(),
        (true, _) => " on no host".to_owned(),
    }
}

/// All that was down.
fn over_keys<K, T>(change: &Change<K, T>, show: impl Fn(&K) -> String) -> Vec<String> {
    change.over.iter().map(|over| show(&over.key)).collect()
}

/// All that is down, new or not, in order.
fn sorted<K: Ord, T>(change: &Change<K, T>, show: impl Fn(&K) -> String) -> Vec<String> {
    let mut keys: Vec<&K> = change
        .new
        .iter()
        .chain(&change.still)
        .map(|i| &i.key)
        .collect();
    keys.sort();
    keys.into_iter().map(show).collect()
}

/// The whole text, lines ended by `\n`.
fn text(alert: &Alert, delay: Option<Duration>, sender: &Sender) -> String {
    let mut text = Text {
        out: String::new(),
        zone: &sender.zone,
        now: alert.raised,
    };
    if let Some(delay) = delay {
        text.paragraph(&format!(
            "This mail is late by {}: it could not be delivered before. It tells how things stood at {}.",
            wording::duration(delay),
            wording::time(alert.raised, &sender.zone)
        ));
    }
    match &alert.report {
        Report::Capacity(report) => capacity_text(&mut text, alert, report),
        Report::Nodes(change) => nodes_text(&mut text, alert, change),
        Report::Osds(change) => osds_text(&mut text, alert, change),
        Report::Blind(change) => blind_text(&mut text, alert, change),
    }
    if !alert.elsewhere.is_empty() {
        text.section("Also wrong at this moment", alert.elsewhere.clone());
    }
    text.footer(alert, &sender.node);
    // Names are harmless already; what a damaged state holds may be anything, and RFC 5321 (section 2.3.8) forbids a bare CR.
    let printable = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
    text.out.chars().map(printable).collect()
}

/// A mail's text while it is being written.
struct Text<'a> {
    out: String,
    zone: &'a TimeZone,
    now: Timestamp,
}

impl Text<'_> {
    fn paragraph(&mut self, words: &str) {
        self.separate();
        for line in wrap(words, TEXT_COLUMNS) {
            self.out.push_str(&line);
            self.out.push('\n');
        }
    }

    /// A heading and indented lines; nothing at all where there are no lines.
    fn section(&mut self, heading: &str, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        self.separate();
        self.out.push_str(heading);
        self.out.push_str(":\n");
        let left_out = lines.len().saturating_sub(LISTED);
        for line in lines.into_iter().take(LISTED) {
            self.out.push_str("  ");
            self.out.push_str(&line);
            self.out.push('\n');
        }
        if left_out > 0 {
            self.out.push_str(&format!("  ... and {left_out} more\n"));
        }
    }

    fn separate(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// `since 2026-11-23 02:14 CET (3 min)`
    fn since(&self, since: Timestamp) -> String {
        let length = age(since, self.now);
        if length.as_secs() < 60 {
            return format!("since {}", wording::time(since, self.zone));
        }
        format!(
            "since {} ({})",
            wording::time(since, self.zone),
            wording::duration(length)
        )
    }

    /// `2026-11-23 02:14 CET, for 17 min`
    fn span(&self, from: Timestamp, until: Timestamp) -> String {
        format!(
            "{}, for {}",
            wording::time(from, self.zone),
            wording::duration(age(from, until))
        )
    }

    fn footer(&mut self, alert: &Alert, node: &str) {
        // The line `-- ` (with the blank) begins a signature: mail programs set it apart (RFC 3676, section 4.3).
        self.out.push_str(&format!(
            "\n-- \npetanotify {} on {}\nincident {}, mail {}\n",
            env!("CARGO_PKG_VERSION"),
            wording::name(node),
            alert.incident,
            u64::from(alert.sequence) + 1
        ));
    }
}

fn capacity_text(text: &mut Text<'_>, alert: &Alert, report: &Reading) {
    let cluster = wording::name(&alert.cluster);
    let level = wording::capacity_level(report);
    text.paragraph(&match alert.kind {
        Kind::Cleared if alert.never_told => format!(
            "The storage of cluster {cluster} was too full and is so no longer: it is {level}. {UNTOLD}"
        ),
        Kind::Cleared => format!("The storage of cluster {cluster} has room again: it is {level}."),
        Kind::Reminder => format!("The storage of cluster {cluster} is still {level}."),
        Kind::Raised | Kind::Updated => format!("The storage of cluster {cluster} is {level}."),
    });
    let free = report.total_bytes.saturating_sub(report.used_bytes);
    let mut lines = vec![
        format!(
            "used      {} of {} raw",
            wording::bytes(report.used_bytes),
            wording::bytes(report.total_bytes)
        ),
        format!("free      {} raw", wording::bytes(free)),
        format!("warn      over {}", wording::threshold(report.warn_percent)),
        format!(
            "critical  over {}",
            wording::threshold(report.critical_percent)
        ),
    ];
    lines.push(match alert.kind {
        Kind::Cleared => format!("too full  {}", text.span(alert.began, alert.raised)),
        Kind::Raised | Kind::Updated | Kind::Reminder => {
            format!("too full  {}", text.since(alert.began))
        }
    });
    text.section("Space", lines);
    if report.level == Level::Critical {
        text.paragraph(&format!(
            "Over {} the cluster is close to refusing writes: Ceph stops them when one OSD is full \
             (95 % by default), and OSDs fill unevenly. Delete data or add OSDs now.",
            wording::threshold(report.limit())
        ));
    }
    text.section(
        "Look closer with",
        commands(&["ceph df detail", "ceph osd df tree"]),
    );
}

fn nodes_text(text: &mut Text<'_>, alert: &Alert, change: &Change<String, Absence>) {
    text.paragraph(&down_sentence("node", alert, change));
    let width = widest(change, |node| wording::name(node));
    let line = |text: &Text<'_>, item: &Item<String, Absence>| {
        format!(
            "{}  {:<12}  {}",
            pad(&wording::name(&item.key), width),
            item.what.to_string(),
            text.since(item.since)
        )
    };
    down_sections(text, change, line, |node, _| {
        pad(&wording::name(node), width)
    });
    text.section(
        "Look closer with",
        commands(&["consul members", "ceph osd tree down"]),
    );
}

fn osds_text(text: &mut Text<'_>, alert: &Alert, change: &Change<OsdId, DownOsd>) {
    text.paragraph(&down_sentence("OSD", alert, change));
    let width = widest(change, OsdId::to_string);
    let place = |id: &OsdId, osd: &DownOsd| {
        let host = match (&osd.host, osd.stray) {
            (Some(host), _) => format!("on {}", wording::name(host)),
            (None, true) => "stray (in no CRUSH bucket)".to_owned(),
            (None, false) => "on no host".to_owned(),
        };
        format!("{}  {host}", pad(&id.to_string(), width))
    };
    let line = |text: &Text<'_>, item: &Item<OsdId, DownOsd>| {
        let mut line = place(&item.key, &item.what);
        if item.what.status != "down" {
            line.push_str(&format!(", {}", wording::name(&item.what.status)));
        }
        if item.what.out {
            line.push_str(", out");
        }
        format!("{line}, {}", text.since(item.since))
    };
    down_sections(text, change, line, place);
    text.section(
        "Look closer with",
        commands(&["ceph osd tree down", "ceph health detail"]),
    );
}

fn blind_text(text: &mut Text<'_>, alert: &Alert, change: &Change<CheckName, String>) {
    let cluster = wording::name(&alert.cluster);
    if alert.never_told {
        text.paragraph(UNTOLD);
    }
    if alert.kind == Kind::Cleared {
        text.paragraph(&format!(
            "petanotify can carry out all its checks of cluster {cluster} again. What has changed \
             meanwhile is told in mails of its own."
        ));
    } else {
        let names = sorted(change, CheckName::to_string).join(", ");
        text.paragraph(&format!(
            "petanotify cannot see the state of cluster {cluster}: {names} could not be checked for \
             some time. Until it can, no alert about them will come, and what was told before \
             stands."
        ));
    }
    let mut lines = Vec::new();
    for item in change.new.iter().chain(&change.still) {
        lines.push(format!("{:<8}  {}", item.key, text.since(item.since)));
        let cause = wrap(&one_line(&item.what), TEXT_COLUMNS - 12);
        lines.extend(cause.into_iter().map(|line| format!("          {line}")));
    }
    text.section("Not seen", lines);
    let over = change.over.iter().map(|over| {
        format!(
            "{:<8}  {}",
            over.key,
            text.span(over.was.since, over.was.until)
        )
    });
    let over = over.collect();
    text.section("Seen again, was not seen from", over);
    text.section(
        "Look closer with",
        commands(&[
            "petanotify check --dry-run -v",
            "ceph status",
            "consul members",
        ]),
    );
}

/// Why a mail tells of the end of something that was never told of.
const UNTOLD: &str = "It is over by now; while it lasted, no mail about it could be delivered.";

/// The sentence at the head of a mail about nodes or OSDs.
fn down_sentence<K, T>(noun: &str, alert: &Alert, change: &Change<K, T>) -> String {
    let new = change.new.len();
    let total = new + change.still.len();
    let all_recovered = all_recovered(&change.over);
    let cluster = wording::name(&alert.cluster);
    let are = |number: usize| if number == 1 { "is" } else { "are" };
    let all = wording::count(total, noun);
    match alert.kind {
        Kind::Raised => format!("{all} of cluster {cluster} {} down.", are(total)),
        Kind::Updated => format!(
            "{} of cluster {cluster} {} down. Down by now: {total}.",
            wording::count(new, &format!("more {noun}")),
            are(new)
        ),
        Kind::Reminder => format!("{all} of cluster {cluster} {} still down.", are(total)),
        Kind::Cleared => {
            let mut sentence = if all_recovered {
                format!("All {noun}s of cluster {cluster} are up again.")
            } else {
                format!("No {noun} of cluster {cluster} is down any more.")
            };
            if alert.never_told {
                sentence.push(' ');
                sentence.push_str(UNTOLD);
            }
            sentence
        }
    }
}

/// The lists of what is new, what is still down and what is over.
fn down_sections<K, T>(
    text: &mut Text<'_>,
    change: &Change<K, T>,
    line: impl Fn(&Text<'_>, &Item<K, T>) -> String,
    place: impl Fn(&K, &T) -> String,
) {
    let lines =
        |text: &Text<'_>, items: &[Item<K, T>]| items.iter().map(|i| line(text, i)).collect();
    let new = lines(text, &change.new);
    text.section("New", new);
    let still = lines(text, &change.still);
    text.section("Still down", still);
    for (ending, heading) in [
        (Ending::Recovered, "Up again, was down from"),
        (
            Ending::Removed,
            "No longer part of the cluster, was down from",
        ),
    ] {
        let over = change.over.iter().filter(|over| over.was.ending == ending);
        let over = over.map(|over| {
            format!(
                "{}  {}",
                place(&over.key, &over.was.what),
                text.span(over.was.since, over.was.until)
            )
        });
        let over = over.collect();
        text.section(heading, over);
    }
}

fn widest<K, T>(change: &Change<K, T>, show: impl Fn(&K) -> String) -> usize {
    let down = change.new.iter().chain(&change.still).map(|i| &i.key);
    let over = change.over.iter().map(|o| &o.key);
    down.chain(over)
        .map(|key| show(key).chars().count())
        .max()
        .unwrap_or(0)
}

fn pad(word: &str, width: usize) -> String {
    format!("{word:<width$}")
}

fn commands(commands: &[&str]) -> Vec<String> {
    commands.iter().map(|c| (*c).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Over;
    use crate::queue::{Queue, Recovery};
    use crate::settings::Recipient;

    const BEGAN: &str = "2026-11-23T02:14:00Z";
    const NOW: &str = "2026-11-23T02:31:00Z";

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn alert(kind: Kind, report: Report) -> Alert {
        let (sequence, raised) = match kind {
            Kind::Raised => (0, BEGAN),
            Kind::Updated | Kind::Reminder => (1, NOW),
            Kind::Cleared => (2, NOW),
        };
        Alert {
            cluster: "prod".to_owned(),
            kind,
            incident: format!("{}-20261123T021400.000Z", report.topic()),
            sequence,
            began: at(BEGAN),
            raised: at(raised),
            report,
            elsewhere: Vec::new(),
            never_told: false,
        }
    }

    fn osd(host: Option<&str>, status: &str, out: bool, stray: bool) -> DownOsd {
        DownOsd {
            host: host.map(str::to_owned),
            status: status.to_owned(),
            out,
            stray,
        }
    }

    fn item<K, T>(key: K, since: &str, what: T) -> Item<K, T> {
        let since = at(since);
        Item { key, since, what }
    }

    fn over<K, T>(key: K, ending: Ending, what: T) -> OverItem<K, T> {
        let (since, until) = (at(BEGAN), at("2026-11-23T02:20:00Z"));
        let was = Over {
            since,
            until,
            ending,
            what,
        };
        OverItem { key, was }
    }

    fn change<K, T>(
        new: Vec<Item<K, T>>,
        still: Vec<Item<K, T>>,
        over: Vec<OverItem<K, T>>,
    ) -> Change<K, T> {
        Change { new, still, over }
    }

    fn capacity(level: Level, permille: u32) -> Report {
        Report::Capacity(Reading {
            level,
            percent: f64::from(permille) / 10.0,
            used_bytes: u64::from(permille) * 100_000_000_000,
            total_bytes: 100_000_000_000_000,
            warn_percent: 60.0,
            critical_percent: 85.0,
        })
    }

    fn examples() -> Vec<(&'static str, &'static str, Alert)> {
        let down = |host| osd(Some(host), "down", false, false);
        let osds = |new, still, over| Report::Osds(change(new, still, over));
        let nodes = |new, still, over| Report::Nodes(change(new, still, over));
        let blind = |new, still, over| Report::Blind(change(new, still, over));
        let cause = "ceph status: timed out: no monitor answers; are the mon hosts reachable?";
        let elsewhere = Alert {
            elsewhere: vec!["1 node down: node5".to_owned()],
            ..alert(
                Kind::Updated,
                osds(
                    vec![item(OsdId(7), NOW, osd(Some("node3"), "down", true, false))],
                    vec![
                        item(OsdId(4), BEGAN, down("node3")),
                        item(OsdId(12), BEGAN, osd(None, "destroyed", true, true)),
                    ],
                    vec![over(OsdId(1), Ending::Recovered, down("node1"))],
                ),
            )
        };
        vec![
            (
                "osds-raised",
                "[prod] 2 OSDs down on node3: osd.4, osd.7",
                alert(
                    Kind::Raised,
                    osds(
                        vec![
                            item(OsdId(4), BEGAN, down("node3")),
                            item(OsdId(7), BEGAN, down("node3")),
                        ],
                        vec![],
                        vec![],
                    ),
                ),
            ),
            (
                "osds-updated",
                "[prod] 3 OSDs down on node3 and on no host: osd.4, osd.7, osd.12",
                elsewhere,
            ),
            (
                "osds-cleared",
                "[prod] all OSDs are up again",
                alert(
                    Kind::Cleared,
                    osds(
                        vec![],
                        vec![],
                        vec![over(OsdId(4), Ending::Recovered, down("node3"))],
                    ),
                ),
            ),
            (
                "osds-removed",
                "[prod] no OSD is down any more",
                alert(
                    Kind::Cleared,
                    osds(
                        vec![],
                        vec![],
                        vec![
                            over(OsdId(4), Ending::Removed, down("node3")),
                            over(OsdId(5), Ending::Recovered, down("node3")),
                        ],
                    ),
                ),
            ),
            (
                "nodes-raised",
                "[prod] node down: node5",
                alert(
                    Kind::Raised,
                    nodes(
                        vec![item("node5".to_owned(), BEGAN, Absence::Failed)],
                        vec![],
                        vec![],
                    ),
                ),
            ),
            (
                "nodes-reminder",
                "[prod] still 2 nodes down: node4, node5",
                alert(
                    Kind::Reminder,
                    nodes(
                        vec![],
                        vec![
                            item("node4".to_owned(), BEGAN, Absence::Left),
                            item("node5".to_owned(), BEGAN, Absence::Missing),
                        ],
                        vec![],
                    ),
                ),
            ),
            (
                "capacity-raised",
                "[prod] storage 61 % full (over 60 %)",
                alert(Kind::Raised, capacity(Level::Warn, 612)),
            ),
            (
                "capacity-critical",
                "[prod] storage 86 % full (over 85 %, critical)",
                alert(Kind::Updated, capacity(Level::Critical, 860)),
            ),
            (
                "capacity-cleared",
                "[prod] storage 57 % full again (below 60 %)",
                alert(Kind::Cleared, capacity(Level::Ok, 579)),
            ),
            (
                "blind-raised",
                "[prod] petanotify cannot see capacity, osds",
                alert(
                    Kind::Raised,
                    blind(
                        vec![
                            item(CheckName::Capacity, BEGAN, cause.to_owned()),
                            item(CheckName::Osds, BEGAN, cause.to_owned()),
                        ],
                        vec![],
                        vec![],
                    ),
                ),
            ),
            (
                "blind-cleared",
                "[prod] petanotify can see everything again",
                alert(
                    Kind::Cleared,
                    blind(
                        vec![],
                        vec![],
                        vec![over(
                            CheckName::Capacity,
                            Ending::Recovered,
                            cause.to_owned(),
                        )],
                    ),
                ),
            ),
            (
                "osds-never-told",
                "[prod] 2 OSDs were down on node3: osd.4, osd.7 (17 min)",
                Alert {
                    never_told: true,
                    ..alert(
                        Kind::Cleared,
                        osds(
                            vec![],
                            vec![],
                            vec![
                                over(OsdId(4), Ending::Recovered, down("node3")),
                                over(OsdId(7), Ending::Recovered, down("node3")),
                            ],
                        ),
                    )
                },
            ),
            (
                "nodes-never-told",
                "[prod] node was down: node5 (17 min)",
                Alert {
                    never_told: true,
                    ..alert(
                        Kind::Cleared,
                        nodes(
                            vec![],
                            vec![],
                            vec![over("node5".to_owned(), Ending::Recovered, Absence::Left)],
                        ),
                    )
                },
            ),
            (
                "capacity-never-told",
                "[prod] storage was over 60 % for 17 min, now 57 % full",
                Alert {
                    never_told: true,
                    ..alert(Kind::Cleared, capacity(Level::Ok, 579))
                },
            ),
            (
                "blind-never-told",
                "[prod] petanotify could not see osds for 17 min",
                Alert {
                    never_told: true,
                    ..alert(
                        Kind::Cleared,
                        blind(
                            vec![],
                            vec![],
                            vec![over(CheckName::Osds, Ending::Recovered, cause.to_owned())],
                        ),
                    )
                },
            ),
            (
                "odd-names",
                "[prod] 2 nodes down: a\"b, x??Bcc: evil@example.org 💾",
                alert(
                    Kind::Raised,
                    nodes(
                        vec![
                            item("a\"b".to_owned(), BEGAN, Absence::Failed),
                            item(
                                "x\r\nBcc: evil@example.org 💾".to_owned(),
                                BEGAN,
                                Absence::Failed,
                            ),
                        ],
                        vec![],
                        vec![],
                    ),
                ),
            ),
        ]
    }

    fn sender() -> Sender {
        Sender {
            from: "PetaSAN <storage@example.org>".parse().unwrap(),
            zone: TimeZone::UTC,
            node: "node1".to_owned(),
            now: at(NOW),
        }
    }

    #[test]
    fn no_mail_is_dated_ahead_or_before_1970() {
        let mut alert = alert(Kind::Raised, Report::Osds(change(vec![], vec![], vec![])));
        for (raised, date) in [
            ("2099-01-01T00:00:00Z", "Mon, 23 Nov 2026 02:31:00 +0000"),
            (BEGAN, "Mon, 23 Nov 2026 02:14:00 +0000"),
            ("-001000-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 +0000"),
        ] {
            alert.raised = at(raised);
            let mail = composed_at(&alert, at(NOW));
            assert!(mail.contains(&format!("\nDate: {date}\n")), "{mail}");
        }
    }

    fn composed(alert: &Alert) -> String {
        composed_at(alert, alert.raised)
    }

    fn composed_at(alert: &Alert, now: Timestamp) -> String {
        let entry = entry_to(alert, "ops@example.org");
        let sender = Sender { now, ..sender() };
        let mail = compose(&entry, entry.to.as_ref().unwrap(), &sender).unwrap();
        String::from_utf8(mail).unwrap().replace("\r\n", "\n")
    }

    fn entry_to(alert: &Alert, to: &str) -> Entry {
        let recipient = Recipient {
            address: to.parse().unwrap(),
            checks: CheckName::ALL.to_vec(),
        };
        let mut queue = Queue::default();
        queue.add(alert.clone(), &[recipient], Recovery::Told);
        queue.iter().next().unwrap().clone()
    }

    #[test]
    fn subjects_tell_cluster_what_and_where() {
        for (name, expected, alert) in examples() {
            assert_eq!(subject(&alert), expected, "{name}");
        }
    }

    /// Compares whole mails with those in `tests/golden`; with `UPDATE_GOLDEN=1` in the environment it writes them.
    #[test]
    fn mails_are_the_golden_ones() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        for (name, _, alert) in examples() {
            // The version in the signature changes with every release.
            let mail = composed(&alert).replace(env!("CARGO_PKG_VERSION"), "VERSION");
            let path = format!("{folder}/{name}.eml");
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(folder).unwrap();
                std::fs::write(&path, &mail).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(
                mail, golden,
                "{name}: UPDATE_GOLDEN=1 cargo test writes it anew"
            );
        }
    }

    #[test]
    fn mails_of_one_incident_are_one_thread_and_each_has_its_own_id() {
        let node = || item("node5".to_owned(), BEGAN, Absence::Failed);
        let raised = alert(
            Kind::Raised,
            Report::Nodes(change(vec![node()], vec![], vec![])),
        );
        let updated = alert(
            Kind::Updated,
            Report::Nodes(change(vec![node()], vec![], vec![])),
        );
        let header = |mail: &str, name: &str| {
            let prefix = format!("{name}: ");
            let line = mail.lines().find(|line| line.starts_with(&prefix));
            line.map(|line| line[prefix.len()..].to_owned())
        };
        let (first, second) = (composed(&raised), composed(&updated));
        let id = header(&first, "Message-ID");
        assert!(id.is_some());
        assert_eq!(header(&first, "In-Reply-To"), None);
        assert_eq!(header(&second, "In-Reply-To"), id);
        assert_eq!(header(&second, "References"), id);
        assert_ne!(header(&second, "Message-ID"), id);
        assert_eq!(composed(&raised), first, "the same at every attempt");
    }

    #[test]
    fn no_name_can_add_a_header() {
        let hostile = [
            "a\r\nBcc: evil@example.org",
            "a\nBcc: evil@example.org",
            "a\rBcc: evil@example.org",
            "a\u{85}Bcc: evil@example.org",
            "a\u{2028}Bcc: evil@example.org",
            "\r\n\r\nBcc: evil@example.org",
            "=?utf-8?q?=0D=0ABcc:_evil=40example.org?=",
            "\"\\\r\nBcc: evil@example.org",
        ];
        for name in hostile {
            for long in [name.to_owned(), name.repeat(40)] {
                let mut alert = alert(
                    Kind::Updated,
                    Report::Nodes(change(
                        vec![item(long.clone(), BEGAN, Absence::Failed)],
                        vec![],
                        vec![],
                    )),
                );
                alert.cluster = long;
                let mail = composed(&alert);
                let head = mail.split("\n\n").next().unwrap();
                let names: Vec<&str> = head
                    .lines()
                    .filter(|line| !line.starts_with([' ', '\t']))
                    .filter_map(|line| line.split_once(':'))
                    .map(|(name, _)| name)
                    .collect();
                let expected = [
                    "From",
                    "To",
                    "Subject",
                    "Date",
                    "Message-ID",
                    "Auto-Submitted",
                    "In-Reply-To",
                    "References",
                    "MIME-Version",
                    "Content-Type",
                    "Content-Transfer-Encoding",
                ];
                let strange: Vec<&&str> = names.iter().filter(|n| !expected.contains(n)).collect();
                assert!(strange.is_empty(), "{name:?}: {strange:?}\n{mail}");
            }
        }
    }

    #[test]
    fn a_long_list_is_cut_in_subject_and_text() {
        let many = (0..300).map(|id| {
            let host = format!("storage-host-{:03}", id % 60);
            item(OsdId(id), BEGAN, osd(Some(&host), "down", false, false))
        });
        let alert = alert(
            Kind::Raised,
            Report::Osds(change(many.collect(), vec![], vec![])),
        );
        assert_eq!(subject(&alert), "[prod] 300 OSDs down on 60 hosts");
        let mail = composed(&alert);
        assert!(mail.contains("... and 240 more"), "{mail}");
        assert!(mail.lines().count() < 100);
    }

    #[test]
    fn one_of_many_that_is_new_is_named_in_the_subject() {
        let still = (0..40).map(|id| {
            let host = osd(Some("node1"), "down", false, false);
            item(OsdId(id), BEGAN, host)
        });
        let new = item(OsdId(41), NOW, osd(Some("node2"), "down", false, false));
        let alert = alert(
            Kind::Updated,
            Report::Osds(change(vec![new], still.collect(), vec![])),
        );
        assert_eq!(
            subject(&alert),
            "[prod] 41 OSDs down on node1, node2, new: osd.41"
        );
    }

    #[test]
    fn osds_on_no_host_are_said_to_be_so() {
        let stray = || osd(None, "down", true, true);
        let bare = || osd(None, "down", false, false);
        for (down, expected) in [
            (vec![stray()], "[prod] 1 OSD down (stray): osd.0"),
            (vec![bare()], "[prod] 1 OSD down on no host: osd.0"),
            (
                vec![stray(), bare()],
                "[prod] 2 OSDs down on no host: osd.0, osd.1",
            ),
        ] {
            let new = (0..).zip(down).map(|(id, osd)| item(OsdId(id), BEGAN, osd));
            let report = Report::Osds(change(new.collect(), vec![], vec![]));
            assert_eq!(subject(&alert(Kind::Raised, report)), expected);
        }
    }

    #[test]
    fn a_mail_says_when_it_is_late() {
        let (_, _, alert) = examples().remove(0);
        let ten_minutes = composed_at(&alert, at("2026-11-23T02:24:00Z"));
        assert!(!ten_minutes.contains("late"), "{ten_minutes}");
        let late = composed_at(&alert, at("2026-11-23T05:26:30Z"));
        assert!(late.contains("X-Petanotify-Delayed: 3h12m\n"), "{late}");
        assert!(late.contains("This mail is late by 3 h 12 min"), "{late}");
        let clock_set_back = composed_at(&alert, at("2026-11-22T00:00:00Z"));
        assert!(!clock_set_back.contains("late"), "{clock_set_back}");
    }

    /// A damaged state file can hold all of this and still be a valid document, and every further pass would end at it.
    #[test]
    fn a_mail_comes_of_whatever_the_state_holds() {
        let (_, _, usual) = examples().remove(0);
        let nothing = || Report::Nodes(change(vec![], vec![], vec![]));
        let mut old = usual.clone();
        old.raised = at("1926-11-23T02:14:00Z");
        let mut last = usual.clone();
        last.sequence = u32::MAX;
        let mut unprintable = usual;
        unprintable.incident = "a\r\nBcc: evil@example.org\r\n".to_owned();
        unprintable.elsewhere = vec!["a\rb\nc\u{1b}\0".to_owned()];
        let empty = alert(Kind::Raised, nothing());
        for (alert, told) in [
            (old, "Date: Thu, 01 Jan 1970 00:00:00 +0000\n"),
            (last, "mail 4294967296\n"),
            (unprintable, "\n  a?b\nc??\n"),
            (empty, "Subject: [prod] 0 nodes down\n"),
        ] {
            let mail = composed_at(&alert, at(NOW));
            assert!(mail.contains(told), "{mail}");
            assert!(!mail.contains(|c: char| c.is_control() && c != '\n'));
        }
    }

    #[test]
    fn an_address_may_name_a_machine_by_its_number() {
        let (_, _, alert) = examples().remove(0);
        for to in ["ops@[127.0.0.1]", "ops@[IPv6:::1]"] {
            let entry = entry_to(&alert, to);
            let mail = compose(&entry, &to.parse().unwrap(), &sender()).unwrap();
            let mail = String::from_utf8(mail).unwrap();
            assert!(mail.contains(&format!("\r\nTo: {to}\r\n")), "{mail}");
        }
    }
}
