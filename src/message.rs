//! From an alert and a recipient to a mail: subject, text, headers. Pure; sender, time zone and node are arguments.

mod blind;
pub(crate) mod body;
mod cause;
pub(crate) mod checks;
mod digest;
pub(crate) mod document;
mod flapping;
mod growth;
mod health;
pub(crate) mod html;
pub(crate) mod phrases;
pub(crate) mod plain;
mod quiet;
pub(crate) mod standing;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};

use self::body::Body;
use self::document::{Document, Line, Tone};
use self::html::Head;
use self::html::look::Mood;
use self::plain::TEXT_COLUMNS;
use crate::alert::{Alert, Circumstances, Report};
use crate::check::capacity::{Level, Reading};
use crate::facts::{Absence, DownOsd, OsdId};
use crate::incident::{Change, Ending, Item, Kind, OverItem, age};
use crate::queue::{Entry, MailId};
use crate::say;
use crate::severity::Severity;
use crate::text;
use crate::wording;
use crate::wording::growth::outlook;
use crate::words::Words;

/// RFC 5322 (section 2.1.1) wants lines of at most 78 characters; a longer subject is cut by most mailboxes anyway.
const SUBJECT_CHARS: usize = 78;

/// More names than this do not fit into a subject, however short they are.
const SUBJECT_NAMES: usize = 20;

/// A section of a mail lists so many things, one a line, and names the command that shows all.
const LISTED: usize = 40;

/// More OSDs than this are told host by host.
const SINGLY: usize = 12;

/// Columns that the OSDs of a host have at least.
const IDS_COLUMNS: usize = 15;

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
    /// Whether an HTML part goes with the plain text.
    pub html: bool,
    /// What it is written with.
    pub words: Arc<Words>,
}

/// A mail that leaves so long after it was raised says that it is late.
const LATE: Duration = Duration::from_secs(600);

/// Makes one mail after the other. What they say is drawn once for all who are told the same.
#[derive(Debug)]
pub struct Composer<'a> {
    sender: &'a Sender,
    last: Option<(&'a Entry, Option<Duration>, Body)>,
}

impl<'a> Composer<'a> {
    /// A composer for mails of this sender.
    pub fn new(sender: &'a Sender) -> Self {
        Composer { sender, last: None }
    }

    /// Makes the mail, ready for the DATA command but for dot-stuffing.
    ///
    /// # Errors
    /// The library refuses the parts; with an address that it has itself parsed that does not happen.
    pub fn compose(&mut self, entry: &'a Entry, to: &Address) -> anyhow::Result<Vec<u8>> {
        let delay = delay(entry, self.sender);
        let is_same = |(last, late, _): &(&Entry, Option<Duration>, Body)| {
            *late == delay && last.tells_the_same(entry)
        };
        let (_, _, body) = match self.last.take().filter(is_same) {
            Some(last) => self.last.insert(last),
            None => {
                let (plain, html) = parts(entry, delay, self.sender);
                self.last.insert((entry, delay, Body::new(plain, html)))
            }
        };
        with_headers(entry, delay, self.sender, to, body)
    }
}

/// Makes a single mail, ready for the DATA command but for dot-stuffing.
///
/// # Errors
/// Those of [`Composer::compose`].
pub fn compose(entry: &Entry, to: &Address, sender: &Sender) -> anyhow::Result<Vec<u8>> {
    Composer::new(sender).compose(entry, to)
}

/// A mail for a person to read: its headers and its text, as they are sent but for the encoding, and a word about the rest.
///
/// # Errors
/// Those of [`Composer::compose`].
pub fn readable(entry: &Entry, to: &Address, sender: &Sender) -> anyhow::Result<String> {
    let mail = compose(entry, to, sender)?;
    let mail = String::from_utf8(mail).context("the composed mail is not UTF-8")?;
    let (head, _) = mail.split_once("\r\n\r\n").unwrap_or((&mail, ""));
    let (text, html) = parts(entry, delay(entry, sender), sender);
    let rest = match html {
        None => String::new(),
        Some(html) => format!(
            "\n(An HTML part of {} follows, which says the same; --raw prints it.)\n",
            wording::bytes(html.len() as u64)
        ),
    };
    Ok(format!("{}\n\n{text}{rest}", head.replace("\r\n", "\n")))
}

/// How late a mail is, if that is worth a word.
fn delay(entry: &Entry, sender: &Sender) -> Option<Duration> {
    let delay = age(entry.deliverable_since(), sender.now);
    (delay > LATE).then_some(delay)
}

fn with_headers(
    entry: &Entry,
    delay: Option<Duration>,
    sender: &Sender,
    to: &Address,
    body: &Body,
) -> anyhow::Result<Vec<u8>> {
    let alert = &entry.alert;
    let raised = match entry.is_digest() {
        true => entry.deliverable_since(),
        false => alert.raised,
    };
    // What the clock showed when it was raised may lie ahead, and the library knows no time before 1970.
    let date = raised.min(sender.now).max(Timestamp::UNIX_EPOCH);
    let mut message = Message::builder()
        .envelope(envelope(&sender.from, to)?)
        .from(sender.from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject_of(entry, &sender.words))
        .date(SystemTime::from(date))
        .message_id(Some(match entry.is_digest() {
            true => id_at(alert, format_args!("digest.{}", entry.id)),
            false => message_id(alert, to),
        }))
        .raw_header(auto_submitted());
    if entry.is_digest() {
        // It is in the threads of all the incidents that it tells of, as far as a header may be long.
        let threads = entry.alerts().map(|alert| first_message_id(alert, to));
        let threads: Vec<String> = threads.take(THREADS).collect();
        message = message.references(threads.join(" "));
    } else if alert.sequence > 0 {
        let first = first_message_id(alert, to);
        message = message.in_reply_to(first.clone()).references(first);
    }
    if let Some(delay) = delay {
        message = message.raw_header(header("X-Petanotify-Delayed", delayed(delay)));
    }
    if entry.alerts().any(is_urgent) {
        // Thunderbird and Outlook know the one, RFC 2156 (section 5.3.4) the other.
        message = message
            .raw_header(header("X-Priority", "1"))
            .raw_header(header("Importance", "high"));
    }
    let id = match entry.is_digest() {
        true => entry.id.clone(),
        false => MailId::of_alert(alert, Some(to)),
    };
    body.put_into(message, &id)
        .with_context(|| format!("cannot compose the mail to {to}"))
}

/// Sender and recipient as they are: the library would read them back from the header, and know none of an address like
/// `ops@[127.0.0.1]`.
pub(crate) fn envelope(from: &Mailbox, to: &Address) -> anyhow::Result<Envelope> {
    Envelope::new(Some(from.email.clone()), vec![to.clone()])
        .with_context(|| format!("cannot address the mail to {to}"))
}

/// The id of the mail that tells this recipient of the alert: the same at every attempt and on every node.
fn message_id(alert: &Alert, to: &Address) -> String {
    let id = MailId::of_alert(alert, Some(to));
    let Alert {
        incident, sequence, ..
    } = alert;
    id_at(alert, format_args!("{incident}.{sequence}.{id}"))
}

/// The id of the mail that told this recipient of the alert's incident first.
fn first_message_id(alert: &Alert, to: &Address) -> String {
    let id = MailId::new(&alert.incident, 0, Some(to));
    id_at(alert, format_args!("{}.0.{id}", alert.incident))
}

fn id_at(alert: &Alert, what: std::fmt::Arguments<'_>) -> String {
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
    format!("<{what}@petanotify.{cluster}>")
}

/// A digest names so many threads: RFC 5322 sets no limit to a header, but some servers refuse those of many kilobytes.
const THREADS: usize = 10;

/// A label of a domain name has at most 63 characters (RFC 1035, section 2.3.4).
const NAME_IN_ID: usize = 63;

/// A header that is only written, with what is plain ASCII.
pub(crate) fn header(name: &'static str, value: impl Into<String>) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.into())
}

/// No vacation notice shall answer (RFC 3834, section 5).
pub(crate) fn auto_submitted() -> HeaderValue {
    header("Auto-Submitted", "auto-generated")
}

/// Whether mail programs are to make it stand out. If all did, none would.
fn is_urgent(alert: &Alert) -> bool {
    alert.severity() == Severity::Critical && alert.kind != Kind::Cleared
}

/// `3h12m`
fn delayed(delay: Duration) -> String {
    let minutes = delay.as_secs() / 60;
    format!("{}h{}m", minutes / 60, minutes % 60)
}

/// The subject of a pending mail.
pub fn subject_of(entry: &Entry, words: &Words) -> String {
    match entry.is_digest() {
        true => digest::subject(entry, words),
        false => subject(&entry.alert, words),
    }
}

/// The subject alone tells cluster, what and where, in 78 characters at most.
pub fn subject(alert: &Alert, words: &Words) -> String {
    let (cluster, headline) = title(alert, words);
    in_subject(&cluster, &headline)
}

/// No name may pass for an encoded word (RFC 2047, section 2): mail programs would decode it.
pub(crate) fn in_subject(cluster: &str, headline: &str) -> String {
    format!("[{cluster}] {headline}").replace("=?", "??")
}

/// The cluster as the subject names it, and what stands behind it. Several wordings are tried, the fullest first, until one
/// fits.
fn title(alert: &Alert, words: &Words) -> (String, String) {
    let cleared = alert.kind == Kind::Cleared;
    let told = &alert.circumstances;
    let length = match age(alert.began, alert.raised) {
        // The clock has been set back since: a pass cannot see the beginning and the end.
        Duration::ZERO => say!(words, "unknown-time"),
        length => phrases::duration(words, length),
    };
    let wordings = match &alert.report {
        Report::Capacity(report) if alert.never_told => vec![say!(
            words,
            "storage-was-full-title",
            limit = phrases::threshold(words, report.warn_percent),
            length = length,
            level = phrases::level(words, report)
        )],
        Report::Nodes(change) if alert.never_told => nodes_were_down(words, change, &length),
        Report::Osds(change) if alert.never_told => osds_were_down(words, change, &length),
        Report::Health(change) if alert.never_told => health::was_wrong(change, &length, words),
        Report::Capacity(report) if cleared => vec![say!(
            words,
            "storage-again-title",
            level = phrases::level(words, report),
            limit = phrases::threshold(words, report.warn_percent)
        )],
        Report::Capacity(report) => {
            let level = phrases::level(words, report);
            vec![say!(words, "storage-title", level = level)]
        }
        Report::Nodes(change) if cleared => cause::all_nodes_up(words, alert, &change.over),
        Report::Nodes(change) => {
            let names = flapping::Names {
                words,
                things: Things::Nodes,
                name: &|node: &String| wording::name(node),
                place: &|_| None,
                down: &|change| nodes_down(words, change, told),
            };
            flapping::subjects(change, alert.kind, &names)
        }
        Report::Osds(change) if cleared => cause::all_osds_up(words, alert, &change.over),
        Report::Osds(change) => {
            let place =
                |osds: &[&DownOsd]| phrases::places(words, osds.iter().copied(), SUBJECT_NAMES);
            let names = flapping::Names {
                words,
                things: Things::Osds,
                name: &OsdId::to_string,
                place: &|osds| Some(place(osds)),
                down: &|change| osds_down(words, change, told),
            };
            flapping::subjects(change, alert.kind, &names)
        }
        Report::Health(change) if cleared => health::cleared(change, words),
        Report::Health(change) => health::wrong(change, words),
        Report::Blind(change) => blind::subject(alert, change, &length, words),
    };
    let wordings = wordings.into_iter();
    fitted(
        &alert.cluster,
        wordings.map(|wording| match alert.kind {
            Kind::Reminder => say!(words, "title-still", title = wording),
            Kind::Raised | Kind::Updated | Kind::Cleared => wording,
        }),
    )
}

/// The cluster as the subject names it, and the first of these headlines that fits behind it, or else the last one, cut.
pub(crate) fn fitted(
    cluster: &str,
    headlines: impl IntoIterator<Item = String>,
) -> (String, String) {
    let cluster = wording::name(cluster);
    let room = |cluster: &str| SUBJECT_CHARS.saturating_sub("[] ".len() + cluster.chars().count());
    let mut headline = String::new();
    for wording in headlines {
        headline = wording;
        if headline.chars().count() <= room(&cluster) {
            return (cluster, headline);
        }
    }
    // Whoever gave a cluster so long a name knows it by its beginning.
    let left = room(&headline).max(CLUSTER_CHARS);
    let cluster = cut_words(&cluster, left);
    let headline = cut_words(&headline, room(&cluster));
    (cluster, headline)
}

/// So much of a cluster's name is in every subject, if it is so long.
const CLUSTER_CHARS: usize = 12;

/// Cuts words to so many characters, with an ellipsis where something is missing.
fn cut_words(words: &str, chars: usize) -> String {
    if words.chars().count() <= chars {
        return words.to_owned();
    }
    let mut cut: String = words.chars().take(chars.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// What is told in much the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Things {
    Nodes,
    Osds,
}

fn all_up<K, T>(
    words: &Words,
    things: Things,
    alert: &Alert,
    over: &[OverItem<K, T>],
) -> Vec<String> {
    let flapped = over.iter().any(|over| over.was.flapping.is_some());
    let title = |but: String| match (things, all_recovered(over), flapped) {
        (Things::Nodes, true, true) => say!(words, "nodes-calm-title", but = but),
        (Things::Nodes, true, false) => say!(words, "nodes-up-title", but = but),
        (Things::Nodes, false, _) => say!(words, "nodes-none-down-title", but = but),
        (Things::Osds, true, true) => say!(words, "osds-calm-title", but = but),
        (Things::Osds, true, false) => say!(words, "osds-up-title", but = but),
        (Things::Osds, false, _) => say!(words, "osds-none-down-title", but = but),
    };
    let withheld = alert.circumstances.withheld;
    let buts = [
        phrases::but_withheld(words, withheld),
        phrases::but_some_withheld(words, withheld),
    ];
    buts.map(title).into()
}

fn all_recovered<K, T>(over: &[OverItem<K, T>]) -> bool {
    over.iter().all(|o| o.was.ending == Ending::Recovered)
}

fn nodes_down(
    words: &Words,
    change: &Change<String, Absence>,
    told: &Circumstances,
) -> Vec<String> {
    let down = down_keys(change);
    let head = cause::nodes_head(words, change, told);
    let new = change.new.first().map(|item| &item.key);
    // A damaged state may hold an alert about nothing.
    let Some(first) = new.or(down.first().copied()) else {
        return vec![head];
    };
    let first = wording::name(first);
    let others = down.len() - 1;
    let all = names(words, &down, |node| wording::name(node));
    let all = all.map(|all| say!(words, "title-names", what = &head, names = all));
    let some = say!(
        words,
        "title-first-and-more",
        what = &head,
        name = first,
        number = others
    );
    all.into_iter().chain([some, head]).collect()
}

fn osds_down(words: &Words, change: &Change<OsdId, DownOsd>, told: &Circumstances) -> Vec<String> {
    let down = down_keys(change);
    let osds = change.new.iter().chain(&change.still).map(|i| &i.what);
    let down_at =
        |place: String| say!(words, "osds-down-title", number = down.len(), place = place);
    let on_hosts = cause::all_of_one_host(words, change, told)
        .unwrap_or_else(|| down_at(phrases::places(words, osds.clone(), SUBJECT_NAMES)));
    let counted = down_at(phrases::places(words, osds, 0));
    let all = names(words, &down, |osd| osd.to_string());
    let all = all.map(|all| say!(words, "title-names", what = &on_hosts, names = all));
    let mut wordings = Vec::from_iter(all);
    if !change.still.is_empty() && !change.new.is_empty() {
        let new: Vec<&OsdId> = change.new.iter().map(|item| &item.key).collect();
        if let Some(new) = names(words, &new, |osd| osd.to_string()) {
            for what in [&on_hosts, &counted] {
                wordings.push(say!(words, "title-new-names", what = what, names = &new));
            }
        }
        for what in [&on_hosts, &counted] {
            wordings.push(say!(
                words,
                "title-some-new",
                what = what,
                number = new.len()
            ));
        }
    }
    wordings.extend([on_hosts, counted]);
    wordings
}

fn nodes_were_down(words: &Words, change: &Change<String, Absence>, length: &str) -> Vec<String> {
    let down: Vec<&String> = change.over.iter().map(|over| &over.key).collect();
    let number = down.len();
    let head = match have_flapped(&change.over) {
        true => say!(words, "nodes-were-flapping-title", number = number),
        false => say!(words, "nodes-were-down-title", number = number),
    };
    let all = names(words, &down, |node| wording::name(node));
    let all = all.map(|all| say!(words, "title-names", what = &head, names = all));
    lasted(words, all.into_iter().chain([head]), length)
}

fn osds_were_down(words: &Words, change: &Change<OsdId, DownOsd>, length: &str) -> Vec<String> {
    let down: Vec<&OsdId> = change.over.iter().map(|over| &over.key).collect();
    let number = down.len();
    let osds = change.over.iter().map(|over| &over.was.what);
    let place = phrases::places(words, osds, SUBJECT_NAMES);
    let [head, there] = match have_flapped(&change.over) {
        true => [
            say!(words, "osds-were-flapping-title", number = number),
            say!(
                words,
                "osds-were-flapping-there-title",
                number = number,
                place = place
            ),
        ],
        false => [
            say!(words, "osds-were-down-title", number = number),
            say!(
                words,
                "osds-were-down-there-title",
                number = number,
                place = place
            ),
        ],
    };
    let all = names(words, &down, |osd| osd.to_string());
    let all = all.map(|all| say!(words, "title-names", what = &there, names = all));
    lasted(words, all.into_iter().chain([there, head]), length)
}

fn lasted(words: &Words, titles: impl Iterator<Item = String>, length: &str) -> Vec<String> {
    let titles = titles.map(|what| say!(words, "title-lasted", what = what, length = length));
    titles.collect()
}

/// Whether all that is over has flapped.
fn have_flapped<K, T>(over: &[OverItem<K, T>]) -> bool {
    over.iter().all(|over| over.was.flapping.is_some()) && !over.is_empty()
}

/// The names one by one, in the reader's way, unless they are too many for a subject.
fn names<K>(words: &Words, keys: &[&K], show: impl Fn(&K) -> String) -> Option<String> {
    (keys.len() <= SUBJECT_NAMES).then(|| {
        let names: Vec<String> = keys.iter().map(|key| show(key)).collect();
        phrases::list(words, &names)
    })
}

/// All that is down, new or not, in order.
fn down_keys<K: Ord, T>(change: &Change<K, T>) -> Vec<&K> {
    let down = change.new.iter().chain(&change.still);
    let mut keys: Vec<&K> = down.map(|item| &item.key).collect();
    keys.sort();
    keys
}

/// The plain text and the HTML, if there is to be any.
fn parts(entry: &Entry, delay: Option<Duration>, sender: &Sender) -> (String, Option<String>) {
    let alert = &entry.alert;
    let document = document(entry, delay, sender);
    let html = || {
        let text = Text::of(alert, sender);
        let when = match alert.kind {
            _ if entry.is_digest() => wording::time(entry.deliverable_since(), &sender.zone),
            Kind::Cleared => text.span(alert.began, alert.raised),
            Kind::Raised | Kind::Updated | Kind::Reminder => text.since(alert.began),
        };
        let (headline, kind) = match entry.is_digest() {
            true => (
                digest::headline(entry, &sender.words),
                say!(sender.words, "kind-after-quiet-hours"),
            ),
            false => (title(alert, &sender.words).1, kind(alert, &sender.words)),
        };
        let head = Head {
            subject: &subject_of(entry, &sender.words),
            headline: &headline,
            cluster: &wording::name(&alert.cluster),
            kind: &kind,
            when: &when,
            mood: mood(alert),
        };
        let picture = (!entry.is_digest()).then_some(alert);
        html::draw(&head, &document, picture, &sender.words)
    };
    let html = if sender.html { html() } else { None };
    (plain::draw(&document, &sender.words), html)
}

/// `New, critical`
fn kind(alert: &Alert, words: &Words) -> String {
    let kind = match alert.kind {
        Kind::Raised => say!(words, "kind-new"),
        Kind::Updated => say!(words, "kind-update"),
        Kind::Reminder => say!(words, "kind-reminder"),
        Kind::Cleared => return say!(words, "kind-cleared"),
    };
    match alert.severity() {
        Severity::Critical => say!(words, "kind-critical", kind = kind),
        Severity::Warning => kind,
    }
}

fn mood(alert: &Alert) -> Mood {
    match (alert.kind, alert.severity()) {
        (Kind::Cleared, _) => Mood::Good,
        (_, Severity::Critical) => Mood::Critical,
        (_, Severity::Warning) => Mood::Warning,
    }
}

/// All that the mail says.
fn document(entry: &Entry, delay: Option<Duration>, sender: &Sender) -> Document {
    let alert = &entry.alert;
    let mut text = Text::of(alert, sender);
    if entry.is_digest() {
        digest::write(&mut text, entry, delay, sender);
        return text.document;
    }
    let as_of = || wording::time(alert.as_of(), &sender.zone);
    if let Some(released) = entry.released.filter(|released| alert.raised < *released) {
        let until = wording::time(released, &sender.zone);
        let held = say!(
            text.words,
            "held-by-quiet-hours",
            until = until,
            time = as_of()
        );
        text.document.notice(&held);
    }
    if let Some(delay) = delay {
        let length = phrases::duration(text.words, delay);
        let late = say!(text.words, "late", length = length, time = as_of());
        text.document.notice(&late);
    }
    report_text(&mut text, alert);
    let elsewhere = (alert.elsewhere.iter()).map(|other| standing::elsewhere(text.words, other));
    let elsewhere: Vec<Line> = elsewhere.map(Line::Sentence).collect();
    text.section(&say!(text.words, "heading-elsewhere"), elsewhere);
    circumstances_text(&mut text, &alert.circumstances);
    text.footer([alert], &sender.node);
    text.document
}

/// What the alert says.
fn report_text(text: &mut Text<'_>, alert: &Alert) {
    match &alert.report {
        Report::Capacity(report) => capacity_text(text, alert, report),
        Report::Nodes(change) => nodes_text(text, alert, change),
        Report::Osds(change) => osds_text(text, alert, change),
        Report::Health(change) => health::text(text, alert, change),
        Report::Blind(change) => blind::text(text, alert, change),
    }
}

/// Why there are mails that do not come.
fn circumstances_text(text: &mut Text<'_>, circumstances: &Circumstances) {
    let (words, zone) = (text.words, text.zone);
    let ack = circumstances.ack.as_ref();
    let ack = ack.map(|ack| Line::Sentence(quiet::acknowledged(words, ack, zone)));
    text.section(&say!(words, "heading-acknowledged"), ack);
    let silences = quiet::silences(words, &circumstances.silences, zone);
    text.section(
        &say!(words, "heading-silenced"),
        silences.into_iter().map(Line::Sentence),
    );
    let maintenance = quiet::maintenance(words, &circumstances.maintenance, zone);
    text.section(
        &say!(words, "heading-maintenance"),
        maintenance.into_iter().map(Line::Sentence),
    );
}

/// A mail's text while it is being written.
struct Text<'a> {
    document: Document,
    words: &'a Words,
    zone: &'a TimeZone,
    now: Timestamp,
}

impl<'a> Text<'a> {
    fn of(alert: &Alert, sender: &'a Sender) -> Self {
        Text {
            document: Document::default(),
            words: &sender.words,
            zone: &sender.zone,
            now: alert.as_of(),
        }
    }

    fn paragraph(&mut self, words: &str) {
        self.document.paragraph(words);
    }

    /// A heading and indented lines; nothing at all where there are no lines.
    fn section<L: Into<Line>>(&mut self, heading: &str, lines: impl IntoIterator<Item = L>) {
        self.document.section(Tone::Neutral, heading, lines);
    }

    /// The same about what is new, still wrong or over.
    fn section_on<L: Into<Line>>(
        &mut self,
        tone: Tone,
        heading: &str,
        lines: impl IntoIterator<Item = L>,
    ) {
        self.document.section(tone, heading, lines);
    }

    /// `since 2026-11-23 02:14 CET (3 min)`
    fn since(&self, since: Timestamp) -> String {
        let length = age(since, self.now);
        let time = wording::time(since, self.zone);
        if length.as_secs() < 60 {
            return say!(self.words, "since", time = time);
        }
        let length = phrases::duration(self.words, length);
        say!(self.words, "since-for", time = time, length = length)
    }

    /// `2026-11-23 02:14 CET, for 17 min`
    fn span(&self, from: Timestamp, until: Timestamp) -> String {
        say!(
            self.words,
            "span",
            from = wording::time(from, self.zone),
            length = phrases::duration(self.words, age(from, until))
        )
    }

    /// What shows more than the mail.
    fn look_closer(&mut self, with: &[&str]) {
        let heading = say!(self.words, "heading-look-closer");
        self.section(&heading, commands(with));
    }

    fn footer<'m>(&mut self, alerts: impl IntoIterator<Item = &'m Alert>, node: &str) {
        let incidents = alerts.into_iter().map(|alert| {
            say!(
                self.words,
                "mail-of-incident",
                incident = &alert.incident,
                number = u64::from(alert.sequence) + 1
            )
        });
        let lines = [made_by(self.words, node)].into_iter().chain(incidents);
        let lines = lines.collect();
        self.document.footer(lines);
    }
}

/// Which petanotify has made a mail.
pub(crate) fn made_by(words: &Words, node: &str) -> String {
    say!(
        words,
        "made-by",
        version = env!("CARGO_PKG_VERSION"),
        node = wording::name(node)
    )
}

fn capacity_text(text: &mut Text<'_>, alert: &Alert, report: &Reading) {
    let words = text.words;
    let cluster = wording::name(&alert.cluster);
    let level = phrases::level(words, report);
    text.paragraph(&match alert.kind {
        Kind::Cleared if alert.never_told => phrases::sentences(
            words,
            &[
                say!(
                    words,
                    "storage-was-full-sentence",
                    cluster = cluster,
                    level = level
                ),
                phrases::untold(words),
            ],
        ),
        Kind::Cleared => say!(
            words,
            "storage-again-sentence",
            cluster = cluster,
            level = level
        ),
        Kind::Reminder => say!(
            words,
            "storage-still-sentence",
            cluster = cluster,
            level = level
        ),
        Kind::Raised | Kind::Updated => {
            say!(words, "storage-sentence", cluster = cluster, level = level)
        }
    });
    let free = report.total_bytes.saturating_sub(report.used_bytes);
    let over = |percent| {
        let limit = phrases::threshold(words, percent);
        say!(words, "over-limit", limit = limit)
    };
    let used = say!(
        words,
        "used-of-total",
        used = phrases::bytes(words, report.used_bytes),
        total = phrases::bytes(words, report.total_bytes)
    );
    let free = say!(words, "free-raw", free = phrases::bytes(words, free));
    let too_full = match alert.kind {
        Kind::Cleared => text.span(alert.began, alert.raised),
        Kind::Raised | Kind::Updated | Kind::Reminder => text.since(alert.began),
    };
    let growth = alert.circumstances.growth;
    let growth = growth.and_then(|growth| outlook(&growth, report, text.zone, alert.as_of()));
    let growing = say!(words, "label-growth");
    let rows = [
        (say!(words, "label-used"), used),
        (say!(words, "label-free"), free),
        (say!(words, "label-warn"), over(report.warn_percent)),
        (say!(words, "label-critical"), over(report.critical_percent)),
        (say!(words, "label-too-full"), too_full),
    ];
    let labels = rows.iter().map(|(label, _)| label).chain([&growing]);
    let width = labels.map(|label| text::columns(label)).max();
    let width = width.unwrap_or(0) + 2;
    let row = |(label, value): (String, String)| {
        Line::Row(format!("{}{value}", text::pad(&label, width)))
    };
    let mut lines: Vec<Line> = rows.into_iter().map(row).collect();
    if let Some(outlook) = growth {
        lines.push(row((growing, growth::pace(words, &outlook))));
        lines.push(Line::Below(width, growth::ahead(words, &outlook)));
    }
    text.section(&say!(words, "heading-space"), lines);
    if report.level == Level::Critical {
        let limit = phrases::threshold(words, report.limit());
        text.paragraph(&say!(words, "storage-critical-sentence", limit = limit));
    }
    text.look_closer(&["ceph df detail", "ceph osd df tree"]);
}

fn nodes_text(text: &mut Text<'_>, alert: &Alert, change: &Change<String, Absence>) {
    const ALL: &str = "consul members";
    let words = text.words;
    let (plain, flapping) = flapping::apart(change);
    let sentence = |plain: &_| down_sentences(words, Things::Nodes, alert, plain);
    let mut sentences =
        flapping::sentences(words, Things::Nodes, alert, (&plain, &flapping), sentence);
    sentences.extend(cause::nodes_sentences(words, change, &alert.circumstances));
    text.paragraph(&phrases::sentences(words, &sentences));
    let keys = (change.new.iter().chain(&change.still).map(|item| &item.key))
        .chain(change.over.iter().map(|over| &over.key));
    let width = keys.map(|key| wording::name(key).chars().count()).max();
    let name = |key: &String| pad(&wording::name(key), width.unwrap_or(0));
    let states = [
        Absence::Failed,
        Absence::Leaving,
        Absence::Left,
        Absence::Missing,
    ];
    let states = states.map(|state| text::columns(&absence(words, state)));
    let state_width = states.into_iter().max().unwrap_or(0);
    let down = |text: &Text<'_>, items: &[Item<String, Absence>]| {
        let line = |item: &Item<String, Absence>| {
            let state = text::pad(&absence(words, item.what), state_width);
            let since = since_down(text, item);
            format!("{}  {state}  {since}", name(&item.key))
        };
        cut(words, items, line, ALL)
    };
    let head = |node: &String, _: &Absence| (name(node), None);
    flapping::news(text, &flapping, head);
    let new = down(text, &plain.new);
    text.section_on(Tone::New, &say!(words, "heading-new"), new);
    let still = down(text, &plain.still);
    text.section_on(Tone::Still, &say!(words, "heading-still-down"), still);
    flapping::rest(text, &flapping, head);
    for (heading, over) in endings(words, &plain.over) {
        let line = |over: &&OverItem<String, Absence>| {
            let span = text.span(over.was.since, over.was.until);
            format!("{}  {span}", name(&over.key))
        };
        let lines = cut(words, &over, line, ALL);
        let heading = say!(words, "heading-was-down", heading = heading);
        text.section_on(Tone::Over, &heading, lines);
    }
    cause::nodes_sections(text, change, &alert.circumstances);
    if let Some(follow) = cause::osds_follow(words, change, &alert.circumstances) {
        text.paragraph(&follow);
    }
    text.look_closer(&[ALL, "ceph osd tree down"]);
}

fn absence(words: &Words, absence: Absence) -> String {
    match absence {
        Absence::Failed => say!(words, "absence-failed"),
        Absence::Leaving => say!(words, "absence-leaving"),
        Absence::Left => say!(words, "absence-left"),
        Absence::Missing => say!(words, "absence-missing"),
    }
}

/// Since when it is down. What is down for good may have been told as flapping.
fn since_down<K, T>(text: &Text<'_>, item: &Item<K, T>) -> String {
    let since = text.since(item.since);
    match item.flapping {
        Some(_) => say!(text.words, "flapped-before", since = since),
        None => since,
    }
}

/// An OSD that is down, or was so until a certain time.
struct ToldOsd<'a> {
    id: OsdId,
    osd: &'a DownOsd,
    since: Timestamp,
    until: Option<Timestamp>,
    /// Since when it is down, or from when to when it was, in words.
    when: String,
}

fn osds_text(text: &mut Text<'_>, alert: &Alert, change: &Change<OsdId, DownOsd>) {
    let words = text.words;
    let (plain, flapping) = flapping::apart(change);
    let sentence = |plain: &_| down_sentences(words, Things::Osds, alert, plain);
    let mut sentences =
        flapping::sentences(words, Things::Osds, alert, (&plain, &flapping), sentence);
    let with_nodes = cause::but_with_nodes(words, &alert.circumstances.of_nodes);
    if let (Kind::Cleared, Some(but)) = (alert.kind, with_nodes) {
        let cluster = wording::name(&alert.cluster);
        sentences = vec![say!(
            words,
            "osds-up-sentence",
            cluster = cluster,
            but = but
        )];
        if alert.never_told {
            sentences.push(phrases::untold(words));
        }
    }
    let down = plain.new.iter().chain(&plain.still);
    if plain.new.len() + plain.still.len() > SINGLY {
        let hosts = wording::hosts(down.map(|item| &item.what)).len();
        sentences.push(say!(words, "osds-on-hosts-sentence", hosts = hosts));
    }
    text.paragraph(&phrases::sentences(words, &sentences));
    if let Some(dark) = cause::dark_hosts(words, change, &alert.circumstances) {
        text.paragraph(&dark);
    }
    let mut sections = vec![
        (
            Tone::New,
            say!(words, "heading-new"),
            told(text, &plain.new),
        ),
        (
            Tone::Still,
            say!(words, "heading-still-down"),
            told(text, &plain.still),
        ),
    ];
    for (heading, over) in endings(words, &plain.over) {
        let osds = over.into_iter().map(|over| ToldOsd {
            id: over.key,
            osd: &over.was.what,
            since: over.was.since,
            until: Some(over.was.until),
            when: text.span(over.was.since, over.was.until),
        });
        sections.push((Tone::Over, heading, osds.collect()));
    }
    let ids = sections
        .iter()
        .flat_map(|(_, _, osds)| osds.iter().map(|osd| osd.id));
    let flapping_ids = (flapping
        .new
        .iter()
        .chain(&flapping.still)
        .map(|item| item.key))
    .chain(flapping.over.iter().map(|over| over.key));
    let ids = ids.chain(flapping_ids);
    let width = ids.max().map_or(0, |id| id.to_string().len());
    let head = |id: &OsdId, osd: &DownOsd| {
        let id = pad(&id.to_string(), width);
        (id, Some(osd_place(words, osd)))
    };
    flapping::news(text, &flapping, head);
    for (tone, heading, osds) in sections {
        if osds.len() > SINGLY {
            let lines = by_host(text, &osds);
            let heading = say!(words, "heading-by-host", heading = heading);
            text.section_on(tone, &heading, lines);
        } else {
            let heading = match osds.iter().any(|osd| osd.until.is_some()) {
                true => say!(words, "heading-was-down", heading = heading),
                false => heading,
            };
            let lines: Vec<String> = osds
                .into_iter()
                .map(|osd| one_osd(words, osd, width))
                .collect();
            text.section_on(tone, &heading, lines);
        }
    }
    flapping::rest(text, &flapping, head);
    text.look_closer(&[ALL_OSDS, "ceph health detail"]);
}

fn told<'a>(text: &Text<'_>, down: &'a [Item<OsdId, DownOsd>]) -> Vec<ToldOsd<'a>> {
    let osds = down.iter().map(|item| ToldOsd {
        id: item.key,
        osd: &item.what,
        since: item.since,
        until: None,
        when: since_down(text, item),
    });
    osds.collect()
}

/// Shows all OSDs that are down.
const ALL_OSDS: &str = "ceph osd tree down";

/// `osd.4  on node3, out, since 2026-11-23 02:14 CET (3 min)`
fn one_osd(words: &Words, told: ToldOsd<'_>, width: usize) -> String {
    let place = osd_place(words, told.osd);
    let head = pad(&told.id.to_string(), width);
    if told.until.is_some() {
        return format!("{head}  {place}  {}", told.when);
    }
    let status = Some(&told.osd.status).filter(|status| *status != "down");
    let status = status.map(|status| wording::name(status));
    let out = told.osd.out.then(|| say!(words, "osd-out"));
    let clauses = [Some(place), status, out, Some(told.when)];
    let clauses = phrases::clauses(words, clauses.into_iter().flatten());
    format!("{head}  {clauses}")
}

/// Where an OSD is, as it stands behind its name.
fn osd_place(words: &Words, osd: &DownOsd) -> String {
    match (&osd.host, osd.stray) {
        (Some(host), _) => say!(words, "osd-on-host", host = wording::name(host)),
        (None, true) => say!(words, "osd-stray"),
        (None, false) => say!(words, "osd-on-no-host"),
    }
}

/// What is told of the OSDs of one host.
struct HostRow {
    host: String,
    ids: Vec<OsdId>,
    out: usize,
    /// For how long they are or were down: shortest and longest.
    length: (Duration, Duration),
}

/// A line for each host, those with the most OSDs first: `node3  12 OSDs (2 out)  for 17 min  osd.0-11`
fn by_host(text: &Text<'_>, osds: &[ToldOsd<'_>]) -> Vec<String> {
    let mut hosts: BTreeMap<(Option<&str>, bool), Vec<&ToldOsd<'_>>> = BTreeMap::new();
    for told in osds {
        let place = (told.osd.host.as_deref(), told.osd.stray);
        hosts.entry(place).or_default().push(told);
    }
    let mut hosts: Vec<Vec<&ToldOsd<'_>>> = hosts.into_values().collect();
    hosts.sort_by_cached_key(|osds| {
        let host = osds[0].osd.host.as_deref().unwrap_or_default();
        (Reverse(osds.len()), wording::natural(host))
    });
    let left_out = hosts.split_off(hosts.len().min(LISTED));
    let rows: Vec<HostRow> = hosts.iter().map(|osds| host_row(text, osds)).collect();
    let mut lines = aligned(text.words, &rows);
    if !left_out.is_empty() {
        let osds: usize = left_out.iter().map(Vec::len).sum();
        lines.push(say!(
            text.words,
            "more-osds-on-hosts",
            osds = osds,
            hosts = left_out.len(),
            command = ALL_OSDS
        ));
    }
    lines
}

fn host_row(text: &Text<'_>, osds: &[&ToldOsd<'_>]) -> HostRow {
    let lengths = || {
        osds.iter()
            .map(|told| age(told.since, told.until.unwrap_or(text.now)))
    };
    HostRow {
        host: osd_host(text.words, osds[0].osd),
        ids: osds.iter().map(|told| told.id).collect(),
        out: osds
            .iter()
            .filter(|told| told.osd.out && told.until.is_none())
            .count(),
        length: (
            lengths().min().unwrap_or_default(),
            lengths().max().unwrap_or_default(),
        ),
    }
}

/// The host of an OSD in a table.
fn osd_host(words: &Words, osd: &DownOsd) -> String {
    match &osd.host {
        Some(host) => wording::name(host),
        None if osd.stray => say!(words, "host-stray"),
        None => say!(words, "host-none"),
    }
}

/// The rows of a table as lines; the last column has what is left of the width.
fn aligned(words: &Words, rows: &[HostRow]) -> Vec<String> {
    let minute = Duration::from_secs(60);
    let any_length = rows.iter().any(|row| row.length.1 >= minute);
    let columns: Vec<[String; 3]> = rows
        .iter()
        .map(|row| {
            let mut number = say!(words, "osds", number = row.ids.len());
            if row.out > 0 {
                number = say!(words, "osds-some-out", osds = number, number = row.out);
            }
            let (shortest, longest) = row.length;
            let is_one_length = wording::units(shortest) == wording::units(longest);
            let longest = phrases::duration(words, longest);
            let length = match (any_length, is_one_length) {
                (false, _) => String::new(),
                (true, true) => say!(words, "lasting", length = longest),
                (true, false) => say!(words, "lasting-up-to", length = longest),
            };
            [row.host.clone(), number, length]
        })
        .collect();
    let width = |column: usize| {
        columns
            .iter()
            .map(|row| width_of(column, &row[column]))
            .max()
    };
    let widths = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let mut lines = Vec::new();
    for (row, columns) in rows.iter().zip(&columns) {
        let mut line = String::new();
        let mut taken = 0;
        for (column, word) in columns.iter().enumerate() {
            let width = widths[column];
            if width == 0 {
                continue;
            }
            line.push_str(word);
            let blanks = width - width_of(column, word) + 2;
            line.push_str(&" ".repeat(blanks));
            taken += width + 2;
        }
        let room = (TEXT_COLUMNS - 2).saturating_sub(taken);
        line.push_str(&wording::list_fitting(
            &wording::osd_ranges(&row.ids),
            room.max(IDS_COLUMNS),
        ));
        lines.push(line);
    }
    lines
}

/// The first column holds names from the cluster, which are counted by their characters everywhere, the others our words.
fn width_of(column: usize, word: &str) -> usize {
    match column {
        0 => word.chars().count(),
        _ => text::columns(word),
    }
}

/// The sentences at the head of a mail about nodes or OSDs.
fn down_sentences<K, T>(
    words: &Words,
    things: Things,
    alert: &Alert,
    change: &Change<K, T>,
) -> Vec<String> {
    let new = change.new.len();
    let total = new + change.still.len();
    let cluster = wording::name(&alert.cluster);
    let but = || phrases::but_withheld(words, alert.circumstances.withheld);
    let sentence = match (alert.kind, things) {
        (Kind::Raised, Things::Nodes) => say!(
            words,
            "nodes-down-sentence",
            number = total,
            cluster = cluster
        ),
        (Kind::Raised, Things::Osds) => say!(
            words,
            "osds-down-sentence",
            number = total,
            cluster = cluster
        ),
        (Kind::Updated, Things::Nodes) => say!(
            words,
            "more-nodes-down-sentence",
            number = new,
            cluster = cluster,
            total = total
        ),
        (Kind::Updated, Things::Osds) => say!(
            words,
            "more-osds-down-sentence",
            number = new,
            cluster = cluster,
            total = total
        ),
        (Kind::Reminder, Things::Nodes) => say!(
            words,
            "nodes-still-down-sentence",
            number = total,
            cluster = cluster
        ),
        (Kind::Reminder, Things::Osds) => say!(
            words,
            "osds-still-down-sentence",
            number = total,
            cluster = cluster
        ),
        (Kind::Cleared, Things::Nodes) if all_recovered(&change.over) => {
            say!(words, "nodes-up-sentence", cluster = cluster, but = but())
        }
        (Kind::Cleared, Things::Osds) if all_recovered(&change.over) => {
            say!(words, "osds-up-sentence", cluster = cluster, but = but())
        }
        (Kind::Cleared, Things::Nodes) => say!(
            words,
            "nodes-none-down-sentence",
            cluster = cluster,
            but = but()
        ),
        (Kind::Cleared, Things::Osds) => say!(
            words,
            "osds-none-down-sentence",
            cluster = cluster,
            but = but()
        ),
    };
    let is_untold = alert.kind == Kind::Cleared && alert.never_told;
    let untold = is_untold.then(|| phrases::untold(words));
    [sentence].into_iter().chain(untold).collect()
}

/// What is over, by how it ended, each with the heading for it.
fn endings<'a, K, T>(
    words: &Words,
    over: &'a [OverItem<K, T>],
) -> [(String, Vec<&'a OverItem<K, T>>); 2] {
    [
        (Ending::Recovered, say!(words, "heading-up-again")),
        (Ending::Removed, say!(words, "heading-removed")),
    ]
    .map(|(ending, heading)| {
        let over = over.iter().filter(|over| over.was.ending == ending);
        (heading, over.collect())
    })
}

/// A line for each item; where they are too many, the last one says how to see `all`.
fn cut<I>(words: &Words, items: &[I], line: impl Fn(&I) -> String, all: &str) -> Vec<String> {
    let mut lines: Vec<String> = items.iter().take(LISTED).map(line).collect();
    if items.len() > LISTED {
        let more = items.len() - LISTED;
        lines.push(say!(words, "more-listed-by", number = more, command = all));
    }
    lines
}

fn pad(word: &str, width: usize) -> String {
    format!("{word:<width$}")
}

pub(crate) fn commands(commands: &[&str]) -> Vec<Line> {
    let lines = commands.iter().map(|c| Line::Command((*c).to_owned()));
    lines.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeSet;

    use super::html::tests::assert_golden;
    use crate::alert::{Maintained, Withheld};
    use crate::check::CheckName;
    use crate::check::growth::Growth;
    use crate::check::sight::{Servers, Unseen};
    use crate::facts::{Flag, HealthCheck, HealthSeverity, Maintenance};
    use crate::flapping::Flapping;
    use crate::incident::{Ack, Over};
    use crate::queue::{Queue, Recovery};
    use crate::settings::Recipient;
    use crate::silence::{Scope, Silence};
    use crate::standing::{Elsewhere, Known, Names, Number, Wrong};
    use crate::words::Language;

    pub(super) const BEGAN: &str = "2026-11-23T02:14:00Z";
    pub(super) const NOW: &str = "2026-11-23T02:31:00Z";

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    pub(super) fn alert(kind: Kind, report: Report) -> Alert {
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
            circumstances: Circumstances::default(),
        }
    }

    /// Somebody works on the cluster, and somebody else has acknowledged the incident.
    fn at_work() -> Circumstances {
        let silence = |id, scope, until, why: &str| Silence {
            id,
            scope,
            since: at(BEGAN),
            until: at(until),
            why: (!why.is_empty()).then(|| why.to_owned()),
            by: None,
        };
        let node7 = Scope {
            nodes: BTreeSet::from(["node7".to_owned()]),
            osds: BTreeSet::from(["70-81".parse().unwrap(), "90".parse().unwrap()]),
            ..Scope::default()
        };
        let capacity = Scope {
            checks: BTreeSet::from([CheckName::Capacity]),
            ..Scope::default()
        };
        let why = "the new rack is on its way, and until it is there nobody can do anything";
        Circumstances {
            silences: vec![
                silence(1, node7, "2026-11-23T06:00:00Z", "more memory"),
                silence(3, capacity, "2026-12-01T08:00:00Z", why),
            ],
            withheld: Withheld {
                silenced: 2,
                noout: 1,
                ..Withheld::default()
            },
            ack: Some(Ack {
                at: at(NOW),
                why: Some("disk ordered\r\nBcc: x".to_owned()),
                by: Some("ann".to_owned()),
            }),
            maintenance: Maintained {
                what: Maintenance {
                    flags: BTreeSet::from([Flag::Noout, Flag::Nodown, Flag::Norebalance]),
                    flagged: 3,
                    mutes: BTreeSet::from(["OSD_DOWN".to_owned(), "OSDMAP_FLAGS".to_owned()]),
                },
                noout_since: Some(at(BEGAN)),
            },
            ..Circumstances::default()
        }
    }

    pub(super) fn osd(host: Option<&str>, status: &str, out: bool, stray: bool) -> DownOsd {
        DownOsd {
            host: host.map(str::to_owned),
            status: status.to_owned(),
            out,
            stray,
        }
    }

    pub(super) fn item<K, T>(key: K, since: &str, what: T) -> Item<K, T> {
        let since = at(since);
        Item {
            key,
            since,
            flapping: None,
            what,
        }
    }

    /// It went down so often from 02:14 on, the last time then; up since, if it is.
    fn flapping<K, T>(key: K, since: &str, downs: u32, up: Option<&str>, what: T) -> Item<K, T> {
        let flapping = Some(Flapping {
            first: at(BEGAN),
            downs,
            up_since: up.map(at),
            down_told: false,
        });
        Item {
            flapping,
            ..item(key, since, what)
        }
    }

    fn calm<K, T>(key: K, downs: u32, what: T) -> OverItem<K, T> {
        let mut over = over(key, Ending::Recovered, what);
        over.was.flapping = Some(Flapping {
            first: at(BEGAN),
            downs,
            up_since: Some(over.was.until),
            down_told: false,
        });
        over
    }

    pub(super) fn over<K, T>(key: K, ending: Ending, what: T) -> OverItem<K, T> {
        let (since, until) = (at(BEGAN), at("2026-11-23T02:20:00Z"));
        let was = Over {
            since,
            until,
            flapping: None,
            ending,
            what,
        };
        OverItem { key, was }
    }

    pub(super) fn change<K, T>(
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

    fn growing(mut alert: Alert) -> Alert {
        alert.circumstances.growth = Some(Growth {
            bytes_per_day: 1_950_000_000_000,
            lowest: 1_800_000_000_000,
            highest: 2_200_000_000_000,
        });
        alert
    }

    /// 3,000 OSDs on hosts of 20: all of some hosts, others here and there.
    fn many_osds() -> Vec<Item<OsdId, DownOsd>> {
        let of_host = |host: i64| {
            let number = match host {
                0..52 => 20,
                52..88 => 13,
                _ => 1 + host % 7,
            };
            (0..number).map(move |place| {
                let id = host * 20 + place * if number < 6 { 3 } else { 1 };
                let out = host < 3 && place < 2;
                let host = format!("storage-{:04}", host + 1);
                item(OsdId(id), BEGAN, osd(Some(&host), "down", out, false))
            })
        };
        let mut osds: Vec<_> = (0..500).flat_map(of_host).take(3000).collect();
        osds.sort_by_key(|osd| osd.key);
        osds
    }

    pub(super) fn examples() -> Vec<(&'static str, &'static str, Alert)> {
        let down = |host| osd(Some(host), "down", false, false);
        let osds = |new, still, over| Report::Osds(change(new, still, over));
        let nodes = |new, still, over| Report::Nodes(change(new, still, over));
        let blind = |new, still, over| Report::Blind(change(new, still, over));
        let health = |new, still, over| Report::Health(change(new, still, over));
        let found = |severity, summary: &str| HealthCheck {
            severity,
            summary: summary.to_owned(),
        };
        let error = |summary| found(HealthSeverity::Error, summary);
        let warning = |summary| found(HealthSeverity::Warning, summary);
        let cause = "ceph status: timed out: no monitor answers; are the mon hosts reachable?";
        let elsewhere = Alert {
            elsewhere: vec![Elsewhere::Incident {
                wrong: Wrong::Nodes {
                    number: Number {
                        down: 1,
                        flapping: 0,
                    },
                    names: Names {
                        first: vec!["node5".to_owned()],
                        more: 0,
                    },
                    with: None,
                },
                ack: None,
            }],
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
        let mut many = many_osds();
        let many_new = many.split_off(2940);
        let many_down = alert(Kind::Updated, osds(many_new, many, vec![]));
        let over_osds = many_osds()
            .into_iter()
            .map(|osd| over(osd.key, Ending::Recovered, osd.what));
        let many_nodes = (851..=1000).map(|number| {
            let state = if number < 999 {
                Absence::Failed
            } else {
                Absence::Missing
            };
            item(format!("storage-{number:04}"), BEGAN, state)
        });
        let many_nodes = Alert {
            elsewhere: vec![
                Elsewhere::Text("storage 61 % full (over 60 %), 4.91 TiB of 8.00 TiB".to_owned()),
                Elsewhere::Text("12 OSDs down on storage-0851, storage-0852, storage-0853, storage-0854, storage-0855, storage-0856"
                    .to_owned()),
            ],
            ..alert(Kind::Raised, nodes(many_nodes.collect(), vec![], vec![]))
        };
        vec![
            (
                "many-osds-raised",
                "[prod] 3000 OSDs down on 461 hosts",
                alert(Kind::Raised, osds(many_osds(), vec![], vec![])),
            ),
            (
                "many-osds-updated",
                "[prod] 3000 OSDs down on 461 hosts, 60 new",
                many_down,
            ),
            (
                "many-osds-cleared",
                "[prod] all OSDs are up again",
                alert(Kind::Cleared, osds(vec![], vec![], over_osds.collect())),
            ),
            (
                "many-nodes-raised",
                "[prod] 150 nodes down: storage-0851 and 149 more",
                many_nodes,
            ),
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
                "osds-at-work",
                "[prod] 2 OSDs down on node3, node4: osd.4, osd.9",
                Alert {
                    circumstances: at_work(),
                    ..alert(
                        Kind::Updated,
                        osds(
                            vec![item(OsdId(9), NOW, down("node4"))],
                            vec![item(OsdId(4), BEGAN, down("node3"))],
                            vec![],
                        ),
                    )
                },
            ),
            (
                "osds-cleared-at-work",
                "[prod] all OSDs are up again but 2 silenced and 1 held back",
                Alert {
                    circumstances: Circumstances {
                        ack: None,
                        ..at_work()
                    },
                    ..alert(
                        Kind::Cleared,
                        osds(
                            vec![],
                            vec![],
                            vec![over(OsdId(4), Ending::Recovered, down("node3"))],
                        ),
                    )
                },
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
                "capacity-growing",
                "[prod] storage 61 % full (over 60 %)",
                growing(alert(Kind::Raised, capacity(Level::Warn, 612))),
            ),
            (
                "capacity-critical",
                "[prod] storage 86 % full (over 85 %, critical)",
                growing(alert(Kind::Updated, capacity(Level::Critical, 860))),
            ),
            (
                "capacity-cleared",
                "[prod] storage 57 % full again (below 60 %)",
                alert(Kind::Cleared, capacity(Level::Ok, 579)),
            ),
            (
                "health-raised",
                "[prod] Ceph health: 2 errors: OSD_SCRUB_ERRORS, PG_DAMAGED",
                alert(
                    Kind::Raised,
                    health(
                        vec![
                            item(
                                "OSD_SCRUB_ERRORS".to_owned(),
                                BEGAN,
                                error("3 scrub errors"),
                            ),
                            item(
                                "PG_DAMAGED".to_owned(),
                                BEGAN,
                                error("Possible data damage: 1 pg inconsistent"),
                            ),
                        ],
                        vec![],
                        vec![],
                    ),
                ),
            ),
            (
                "health-updated",
                "[prod] Ceph health: 1 error, 2 warnings: PG_DAMAGED and 2 more",
                alert(
                    Kind::Updated,
                    health(
                        vec![item(
                            "POOL_APP_NOT_ENABLED".to_owned(),
                            NOW,
                            warning("4 pool(s) do not have an application enabled"),
                        )],
                        vec![
                            item(
                                "AUTH_INSECURE_GLOBAL_ID_RECLAIM_ALLOWED".to_owned(),
                                BEGAN,
                                warning(
                                    "mon is allowing insecure global_id reclaim, and goes on doing so until \
                                     it is told not to",
                                ),
                            ),
                            item(
                                "PG_DAMAGED".to_owned(),
                                BEGAN,
                                error("Possible data damage: 1 pg inconsistent"),
                            ),
                        ],
                        vec![over(
                            "MON_DOWN".to_owned(),
                            Ending::Recovered,
                            warning("1/3 mons down, quorum a,b"),
                        )],
                    ),
                ),
            ),
            (
                "health-cleared",
                "[prod] Ceph health is fine again",
                alert(
                    Kind::Cleared,
                    health(
                        vec![],
                        vec![],
                        vec![over(
                            "MON_DOWN".to_owned(),
                            Ending::Recovered,
                            warning("1/3 mons down, quorum a,b"),
                        )],
                    ),
                ),
            ),
            (
                "health-muted",
                "[prod] Ceph health: nothing is left that counts",
                alert(
                    Kind::Cleared,
                    health(
                        vec![],
                        vec![],
                        vec![
                            over(
                                "MON_DOWN".to_owned(),
                                Ending::Recovered,
                                warning("1/3 mons down, quorum a,b"),
                            ),
                            over(
                                "SLOW_OPS".to_owned(),
                                Ending::Removed,
                                warning("12 slow ops"),
                            ),
                        ],
                    ),
                ),
            ),
            (
                "health-never-told",
                "[prod] Ceph health was not fine: MON_DOWN (17 min)",
                Alert {
                    never_told: true,
                    ..alert(
                        Kind::Cleared,
                        health(
                            vec![],
                            vec![],
                            vec![over(
                                "MON_DOWN".to_owned(),
                                Ending::Recovered,
                                warning("1/3 mons down, quorum a,b"),
                            )],
                        ),
                    )
                },
            ),
            (
                "blind-raised",
                "[prod] petanotify cannot see capacity, osds",
                alert(
                    Kind::Raised,
                    blind(
                        vec![
                            item(Unseen::Check(CheckName::Capacity), BEGAN, cause.to_owned()),
                            item(Unseen::Check(CheckName::Osds), BEGAN, cause.to_owned()),
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
                            Unseen::Check(CheckName::Capacity),
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
                "osds-never-told-clock-set-back",
                "[prod] 1 OSD was down on node3: osd.4 (unknown time)",
                Alert {
                    never_told: true,
                    raised: at(BEGAN),
                    ..alert(
                        Kind::Cleared,
                        osds(
                            vec![],
                            vec![],
                            vec![over(OsdId(4), Ending::Recovered, down("node3"))],
                        ),
                    )
                },
            ),
            (
                "osds-cleared-others-held-back",
                "[prod] all OSDs are up again but 1 silenced, 1 held back and 14 not told yet",
                Alert {
                    circumstances: Circumstances {
                        withheld: Withheld {
                            silenced: 1,
                            noout: 1,
                            waiting: 12,
                            early: 2,
                        },
                        ..Circumstances::default()
                    },
                    ..alert(
                        Kind::Cleared,
                        osds(
                            vec![],
                            vec![],
                            vec![over(OsdId(4), Ending::Recovered, down("node3"))],
                        ),
                    )
                },
            ),
            (
                "blind-cleared-others-not-told",
                "[prod] petanotify can see osds again",
                Alert {
                    circumstances: Circumstances {
                        withheld: Withheld {
                            early: 1,
                            ..Withheld::default()
                        },
                        ..Circumstances::default()
                    },
                    ..alert(
                        Kind::Cleared,
                        blind(
                            vec![],
                            vec![],
                            vec![over(
                                Unseen::Check(CheckName::Osds),
                                Ending::Recovered,
                                cause.to_owned(),
                            )],
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
                            vec![over(
                                Unseen::Check(CheckName::Osds),
                                Ending::Recovered,
                                cause.to_owned(),
                            )],
                        ),
                    )
                },
            ),
            (
                "osds-flapping",
                "[prod] osd.4 on node3 is flapping: went down 7 times in 17 min",
                alert(
                    Kind::Updated,
                    osds(
                        vec![flapping(OsdId(4), NOW, 7, None, down("node3"))],
                        vec![],
                        vec![],
                    ),
                ),
            ),
            (
                "osds-flapping-among-others",
                "[prod] 1 OSD down on node1: osd.2; 2 OSDs are flapping on node3: osd.4, osd.7",
                alert(
                    Kind::Updated,
                    osds(
                        vec![Item {
                            flapping: Some(Flapping {
                                first: at(BEGAN),
                                downs: 9,
                                up_since: None,
                                down_told: true,
                            }),
                            ..item(OsdId(2), "2026-11-23T02:21:00Z", down("node1"))
                        }],
                        vec![
                            flapping(
                                OsdId(4),
                                "2026-11-23T02:28:00Z",
                                7,
                                Some(NOW),
                                down("node3"),
                            ),
                            flapping(OsdId(7), "2026-11-23T02:30:00Z", 3, None, down("node3")),
                        ],
                        vec![calm(OsdId(12), 5, down("node5"))],
                    ),
                ),
            ),
            (
                "nodes-flapping-another-down",
                "[prod] 15 nodes are flapping, new: node15; down: node18.storage.example.org",
                alert(
                    Kind::Updated,
                    nodes(
                        vec![flapping(
                            "node15".to_owned(),
                            "2026-11-23T02:30:00Z",
                            3,
                            None,
                            Absence::Left,
                        )],
                        (1..15)
                            .map(|number| {
                                let name = format!("node{number:02}");
                                flapping(name, BEGAN, 3, Some(NOW), Absence::Left)
                            })
                            .chain([item(
                                "node18.storage.example.org".to_owned(),
                                BEGAN,
                                Absence::Failed,
                            )])
                            .collect(),
                        vec![],
                    ),
                ),
            ),
            (
                "osds-calm",
                "[prod] all OSDs are up and calm again",
                alert(
                    Kind::Cleared,
                    osds(
                        vec![],
                        vec![],
                        vec![
                            over(OsdId(1), Ending::Recovered, down("node1")),
                            calm(OsdId(4), 7, down("node3")),
                        ],
                    ),
                ),
            ),
            (
                "nodes-flapping",
                "[prod] node5 is flapping: went down 3 times in 14 min; node down: node4",
                alert(
                    Kind::Updated,
                    nodes(
                        vec![flapping(
                            "node5".to_owned(),
                            "2026-11-23T02:28:00Z",
                            3,
                            None,
                            Absence::Failed,
                        )],
                        vec![item("node4".to_owned(), BEGAN, Absence::Left)],
                        vec![],
                    ),
                ),
            ),
            (
                "nodes-flapping-reminder",
                "[prod] still flapping: node5, went down 30 times in 17 min",
                alert(
                    Kind::Reminder,
                    nodes(
                        vec![],
                        vec![flapping(
                            "node5".to_owned(),
                            NOW,
                            30,
                            Some(NOW),
                            Absence::Failed,
                        )],
                        vec![],
                    ),
                ),
            ),
            (
                "nodes-flapping-never-told",
                "[prod] node was flapping: node5 (17 min)",
                Alert {
                    never_told: true,
                    ..alert(
                        Kind::Cleared,
                        nodes(
                            vec![],
                            vec![],
                            vec![calm("node5".to_owned(), 3, Absence::Failed)],
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

    fn all_examples() -> impl Iterator<Item = (&'static str, &'static str, Alert)> {
        examples().into_iter().chain(of_one_cause())
    }

    /// Mails about one cause and what it has brought down, and about what cannot be seen.
    fn of_one_cause() -> Vec<(&'static str, &'static str, Alert)> {
        let nodes = |new, still, over| Report::Nodes(change(new, still, over));
        let osds = |new, still, over| Report::Osds(change(new, still, over));
        let blind = |new, still, over| Report::Blind(change(new, still, over));
        let failed = |node: &str, since| item(node.to_owned(), since, Absence::Failed);
        let back = |node: &str| over(node.to_owned(), Ending::Recovered, Absence::Failed);
        let on = |host: &str| osd(Some(host), "down", false, false);
        let with = |node: &str, osds: std::ops::RangeInclusive<i64>| {
            (node.to_owned(), osds.map(OsdId).collect())
        };
        let under = |circumstances, alert| Alert {
            circumstances,
            ..alert
        };
        let none = Circumstances::default;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let leader = "2 of 3 servers are gone: node2 (failed), node3 (failed)";
        vec![
            (
                "node-with-osds-raised",
                "[prod] node down: node3",
                under(
                    Circumstances {
                        nodes: 5,
                        of_nodes: [with("node3", 24..=35)].into(),
                        ..none()
                    },
                    alert(Kind::Raised, nodes(vec![failed("node3", BEGAN)], vec![], vec![])),
                ),
            ),
            (
                "nodes-with-osds-updated",
                "[prod] rack r2 and 1 more node down: node3, node4, node9",
                under(
                    Circumstances {
                        nodes: 9,
                        of_nodes: [
                            with("node3", 24..=35),
                            with("node4", 36..=47),
                            with("node9", 90..=90),
                            with("node5", 50..=51),
                        ]
                        .into(),
                        racks_down: [("r2".to_owned(), names(&["node3", "node4"]))].into(),
                        ..none()
                    },
                    alert(
                        Kind::Updated,
                        nodes(
                            vec![failed("node4", NOW), failed("node9", NOW)],
                            vec![failed("node3", BEGAN)],
                            vec![back("node5")],
                        ),
                    ),
                ),
            ),
            (
                "rack-down",
                "[prod] racks r1, r2 down: node1, node2, node3, node4",
                under(
                    Circumstances {
                        nodes: 8,
                        racks_down: [
                            ("r1".to_owned(), names(&["node1", "node2"])),
                            ("r2".to_owned(), names(&["node3", "node4"])),
                        ]
                        .into(),
                        of_nodes: (1..=4)
                            .map(|number| {
                                with(&format!("node{number}"), 10 * number..=10 * number + 9)
                            })
                            .collect(),
                        ..none()
                    },
                    alert(
                        Kind::Raised,
                        nodes(
                            (1..=4)
                                .map(|number| failed(&format!("node{number}"), BEGAN))
                                .collect(),
                            vec![],
                            vec![],
                        ),
                    ),
                ),
            ),
            (
                "majority-down",
                "[prod] 11 of 20 nodes down: node10 and 10 more",
                under(
                    Circumstances {
                        nodes: 20,
                        osds_follow: true,
                        ..none()
                    },
                    alert(
                        Kind::Raised,
                        nodes(
                            (10..=20)
                                .map(|number| failed(&format!("node{number}"), BEGAN))
                                .collect(),
                            vec![],
                            vec![],
                        ),
                    ),
                ),
            ),
            (
                "node-back-without-osds",
                "[prod] all nodes are up again, 3 OSDs not yet",
                under(
                    Circumstances {
                        nodes: 5,
                        of_nodes: [with("node3", 24..=26)].into(),
                        ..none()
                    },
                    alert(Kind::Cleared, nodes(vec![], vec![], vec![back("node3")])),
                ),
            ),
            (
                "osds-cleared-but-for-a-node",
                "[prod] all other OSDs are up again (down: 12 with node3)",
                under(
                    Circumstances {
                        of_nodes: [with("node3", 24..=35)].into(),
                        ..none()
                    },
                    alert(
                        Kind::Cleared,
                        osds(
                            vec![],
                            vec![],
                            vec![over(OsdId(4), Ending::Recovered, on("node1"))],
                        ),
                    ),
                ),
            ),
            (
                "host-dark",
                "[prod] all 3 OSDs down on node3, which is alive: osd.4, osd.5, osd.6",
                under(
                    Circumstances {
                        dark: [("node3".to_owned(), "node3".to_owned())].into(),
                        ..none()
                    },
                    alert(
                        Kind::Raised,
                        osds(
                            (4..=6).map(|id| item(OsdId(id), BEGAN, on("node3"))).collect(),
                            vec![],
                            vec![],
                        ),
                    ),
                ),
            ),
            (
                "blind-frozen",
                "[prod] petanotify cannot see capacity, osds; Consul cannot elect a leader",
                under(
                    Circumstances {
                        last_known: [
                            (
                                CheckName::Capacity,
                                Known::Text("storage 41 % full, 3.29 TiB of 8.00 TiB".to_owned()),
                            ),
                            (
                                CheckName::Osds,
                                Known::Text("13 of 48 OSDs down (12 with node3): osd.4/node1, osd.24/node3, osd.25/node3, \
                                 osd.26/node3, osd.27/node3 and 8 more"
                                    .to_owned()),
                            ),
                        ]
                        .into(),
                        ..none()
                    },
                    alert(
                        Kind::Updated,
                        blind(
                            vec![item(Unseen::Leader, NOW, leader.to_owned())],
                            vec![
                                item(
                                    Unseen::Check(CheckName::Capacity),
                                    BEGAN,
                                    "ceph status: timed out".to_owned(),
                                ),
                                item(
                                    Unseen::Check(CheckName::Osds),
                                    BEGAN,
                                    "ceph osd tree: timed out".to_owned(),
                                ),
                            ],
                            vec![],
                        ),
                    ),
                ),
            ),
            (
                "no-leader-raised",
                "[prod] Consul cannot elect a leader: 2 of 3 servers are gone",
                under(
                    Circumstances {
                        leaderless: Some(Servers {
                            known: 3,
                            gone: 2,
                            named: ["node2", "node3"]
                                .map(|node| (node.to_owned(), Absence::Failed))
                                .into(),
                        }),
                        ..none()
                    },
                    alert(
                        Kind::Raised,
                        blind(
                            vec![item(Unseen::Leader, BEGAN, leader.to_owned())],
                            vec![],
                            vec![],
                        ),
                    ),
                ),
            ),
            (
                "no-leader-cleared",
                "[prod] Consul has a leader again",
                alert(
                    Kind::Cleared,
                    blind(
                        vec![],
                        vec![],
                        vec![over(Unseen::Leader, Ending::Recovered, leader.to_owned())],
                    ),
                ),
            ),
        ]
    }

    pub(super) fn sender() -> Sender {
        Sender {
            from: "PetaSAN <storage@example.org>".parse().unwrap(),
            zone: TimeZone::UTC,
            node: "node1".to_owned(),
            now: at(NOW),
            html: false,
            words: english(),
        }
    }

    fn english() -> Arc<Words> {
        Arc::new(Words::of(Language::English))
    }

    /// What is told of what else is wrong, in English.
    pub(crate) fn elsewhere(alert: &Alert) -> Vec<String> {
        let others = alert.elsewhere.iter();
        others
            .map(|other| standing::elsewhere(&english(), other))
            .collect()
    }

    /// The subject in English.
    pub(crate) fn subject(alert: &Alert) -> String {
        super::subject(alert, &english())
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

    pub(super) fn entry_to(alert: &Alert, to: &str) -> Entry {
        let recipient = Recipient::of_everything(to.parse().unwrap());
        let mut queue = Queue::default();
        queue.add(alert.clone(), &[recipient], Recovery::Told);
        queue.iter().next().unwrap().clone()
    }

    #[test]
    fn subjects_tell_cluster_what_and_where() {
        for (name, expected, alert) in all_examples() {
            assert_eq!(subject(&alert), expected, "{name}");
        }
    }

    #[test]
    fn mails_are_the_golden_ones() {
        for (name, _, alert) in all_examples() {
            assert_golden(&format!("{name}.eml"), &composed(&alert));
        }
    }

    /// The mail as a reader sees it: the subject, then the text.
    fn read_in(alert: &Alert, words: &Arc<Words>) -> String {
        let entry = entry_to(alert, "ops@example.org");
        let sender = Sender {
            now: alert.raised,
            words: Arc::clone(words),
            ..sender()
        };
        let (text, _) = parts(&entry, None, &sender);
        format!("{}\n\n{text}", super::subject(alert, words))
    }

    #[test]
    fn mails_in_other_languages_are_the_golden_ones() {
        const NAMES: [&str; 19] = [
            "blind-frozen",
            "blind-cleared-others-not-told",
            "no-leader-raised",
            "health-updated",
            "health-muted",
            "capacity-critical",
            "capacity-cleared",
            "osds-raised",
            "osds-updated",
            "osds-at-work",
            "osds-cleared-others-held-back",
            "osds-flapping-among-others",
            "many-osds-updated",
            "node-with-osds-raised",
            "nodes-with-osds-updated",
            "nodes-reminder",
            "nodes-flapping",
            "nodes-never-told",
            "host-dark",
        ];
        for language in [Language::German, Language::Chinese] {
            let words = Arc::new(Words::of(language));
            let examples = || all_examples().filter(|(name, _, _)| NAMES.contains(name));
            assert_eq!(examples().count(), NAMES.len());
            for (name, _, alert) in examples() {
                let name = format!("{name}.{}.txt", language.as_str());
                assert_golden(&name, &read_in(&alert, &words));
            }
        }
    }

    #[test]
    fn subjects_fit_in_every_language() {
        for language in Language::ALL {
            let words = Words::of(language);
            for (name, _, alert) in all_examples() {
                let subject = super::subject(&alert, &words);
                let shown = format!("{name} in {}: {subject}", language.as_str());
                assert!(subject.chars().count() <= SUBJECT_CHARS, "{shown}");
                assert!(!subject.contains('…'), "{shown}");
            }
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
        let rest = "... and 100 OSDs on 20 more hosts; all of them: ceph osd tree down";
        assert!(mail.contains(rest), "{mail}");
        assert!(mail.lines().count() < 70);
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
    fn where_nothing_that_flaps_is_new_none_is_called_so() {
        let node = |number: u32| format!("storage-node-{number}");
        let flaps = (1..6).map(|number| flapping(node(number), NOW, 3, None, Absence::Failed));
        let new = item(node(8), NOW, Absence::Failed);
        let report = Report::Nodes(change(vec![new], flaps.collect(), vec![]));
        assert_eq!(
            subject(&alert(Kind::Updated, report)),
            "[prod] node down: storage-node-8; 5 nodes are flapping"
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
        unprintable.elsewhere = vec![Elsewhere::Text("a\rb\nc\u{1b}\0".to_owned())];
        let empty = alert(Kind::Raised, nothing());
        for (alert, told) in [
            (old, "Date: Thu, 01 Jan 1970 00:00:00 +0000\n"),
            (last, "mail 4294967296\n"),
            (unprintable, "\n  a b c??\n"),
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
