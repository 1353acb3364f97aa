//! The mail that `test-mail` sends: which way it went, and what would come to this address. Pure.

use std::time::SystemTime;

use anyhow::Context;
use jiff::Timestamp;
use lettre::Address;
use lettre::message::{Mailbox, Message};

use crate::check::CheckName;
use crate::facts::HealthSeverity;
use crate::message::body::Body;
use crate::message::document::{Document, Tone};
use crate::message::html::look::Mood;
use crate::message::html::{self, Head};
use crate::message::{
    Sender, auto_submitted, checks, commands, envelope, fitted, in_subject, made_by, phrases, plain,
};
use crate::queue::MailId;
use crate::say;
use crate::settings::ways::Command;
use crate::settings::{Checks, Hold, Recipient, Relay, Security};
use crate::severity::Severity;
use crate::text::{columns, one_line, pad};
use crate::wording;
use crate::words::Words;

/// A way out that is tested.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// Through a mail server.
    Server(&'a Relay),
    /// Through the command of the fallback.
    Fallback(&'a Command),
}

impl<'a> Way<'a> {
    /// The sender of mails that leave so.
    pub fn from(self) -> &'a Mailbox {
        match self {
            Way::Server(relay) => &relay.from,
            Way::Fallback(command) => &command.from,
        }
    }

    /// In one line.
    pub fn in_words(self) -> String {
        let from = self.from();
        let words = match self {
            Way::Server(relay) => {
                let login = match &relay.login {
                    Some(login) => format!("login as {}", login.username),
                    None => "no login".to_owned(),
                };
                let (place, security) = (place(relay), security(relay));
                format!("{place}, {security}, {login}, from {from}")
            }
            Way::Fallback(command) => format!("the fallback {}, from {from}", typed(command)),
        };
        one_line(&words)
    }
}

/// What the mails of one test through one way have in common.
#[derive(Debug, Clone, Copy)]
pub struct Test<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The way out.
    pub way: Way<'a>,
    /// Its place among all that are tested; the first is 1.
    pub number: u32,
    /// How many are tested in all.
    pub ways: usize,
    /// The sender.
    pub sender: &'a Sender,
    /// Which checks are on.
    pub checks: &'a Checks,
    /// Who is told of alerts.
    pub recipients: &'a [Recipient],
    /// When the test was made.
    pub made: Timestamp,
}

impl Test<'_> {
    /// The subject alone says that it is a test.
    pub fn subject(&self) -> String {
        let words = &self.sender.words;
        let title = match self.ways {
            1 => say!(words, "test-title"),
            ways => say!(
                words,
                "test-one-of-ways-title",
                number = self.number,
                ways = ways
            ),
        };
        let (cluster, title) = fitted(self.cluster, [title]);
        in_subject(&cluster, &title)
    }

    /// Makes the mail to this address, ready for the DATA command but for dot-stuffing.
    ///
    /// # Errors
    /// The library refuses the parts; with an address that it has itself parsed that does not happen.
    pub fn compose(&self, to: &Address) -> anyhow::Result<Vec<u8>> {
        let mail = Message::builder()
            .envelope(envelope(&self.sender.from, to)?)
            .from(self.sender.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(self.subject())
            .date(SystemTime::from(self.made))
            .message_id(Some(self.message_id(to)))
            .raw_header(auto_submitted());
        self.body(to)
            .put_into(mail, &self.mail_id(to))
            .with_context(|| format!("cannot compose the test mail to {to}"))
    }

    /// Each test is a mail of its own: a mailbox may swallow one that bears the id of another.
    fn message_id(&self, to: &Address) -> String {
        format!("<{}.{}@petanotify.test>", self.name(), self.mail_id(to))
    }

    fn mail_id(&self, to: &Address) -> MailId {
        MailId::new(&self.name(), self.number - 1, Some(to))
    }

    fn name(&self) -> String {
        format!("test-{}", self.made.strftime("%Y%m%dT%H%M%S%.3fZ"))
    }

    fn body(&self, to: &Address) -> Body {
        let words = &self.sender.words;
        let document = self.document(to);
        let html = || {
            let subject = self.subject();
            let cluster = wording::name(self.cluster);
            let head = Head {
                subject: &subject,
                cluster: &cluster,
                kind: &say!(words, "kind-test"),
                headline: &say!(words, "test-headline"),
                when: &wording::time(self.made, &self.sender.zone),
                mood: Mood::Neutral,
            };
            html::draw(&head, &document, None, words)
        };
        let html = if self.sender.html { html() } else { None };
        Body::new(plain::draw(&document, words), html)
    }

    fn document(&self, to: &Address) -> Document {
        let words = &self.sender.words;
        let labels = [
            say!(words, "test-server"),
            say!(words, "test-security"),
            say!(words, "test-login"),
            say!(words, "test-command"),
            say!(words, "test-sender"),
        ];
        let width = labels.iter().map(|label| columns(label)).max().unwrap_or(0);
        let row = |label: &str, value: &str| format!("{}  {value}", pad(label, width));
        let [server, security, login, command, sender] = &labels;
        let mut way = match self.way {
            Way::Server(relay) => vec![
                row(server, &one_line(&place(relay))),
                row(security, &security_told(relay, words)),
                row(login, &login_told(relay, words)),
            ],
            Way::Fallback(way) => vec![row(command, &one_line(&typed(way)))],
        };
        way.push(row(sender, &one_line(&self.sender.from.to_string())));
        let mut text = Document::default();
        text.paragraph(&say!(
            words,
            "test-sentence",
            cluster = wording::name(self.cluster),
            node = wording::name(&self.sender.node),
            time = wording::time(self.made, &self.sender.zone)
        ));
        text.section(Tone::Neutral, &say!(words, "heading-test-way"), way);
        match self.recipient(to) {
            Some(recipient) => {
                let lines = self.checks.names().map(|check| {
                    let wanted = recipient.checks.contains(&check);
                    let what = match (wanted, raised_when(check, self.checks, words)) {
                        (true, Some(when)) => when,
                        (true, None) => say!(words, "test-check-off", check = check.as_str()),
                        (false, _) => say!(words, "test-check-not-told"),
                    };
                    checks::row(words, &checks::name(words, check), &what)
                });
                let heading = say!(words, "heading-test-checks");
                text.section(Tone::Neutral, &heading, lines);
                if let Some(when) = when_it_comes(recipient, words) {
                    text.paragraph(&when);
                }
            }
            None => text.paragraph(&say!(words, "test-nothing-comes-sentence")),
        }
        text.section(
            Tone::Neutral,
            &say!(words, "heading-look-closer"),
            commands(&["petanotify status", "petanotify config show"]),
        );
        text.footer(vec![
            made_by(words, &self.sender.node),
            say!(words, "test-mail"),
        ]);
        text
    }

    /// Which checks' alerts come to this address.
    pub fn checks_for(&self, to: &Address) -> Vec<CheckName> {
        let Some(recipient) = self.recipient(to) else {
            return Vec::new();
        };
        CheckName::ALL
            .into_iter()
            .filter(|check| recipient.checks.contains(check))
            .filter(|check| self.checks.has(*check))
            .collect()
    }

    /// Mail servers that tell apart upper and lower case before the @ are unheard of.
    fn recipient(&self, to: &Address) -> Option<&Recipient> {
        let same = |r: &&Recipient| {
            let address: &str = r.address.as_ref();
            address.eq_ignore_ascii_case(to.as_ref())
        };
        self.recipients.iter().find(same)
    }
}

/// Of the alerts that come, which do so, and when; `None` where all of them come at once.
fn when_it_comes(recipient: &Recipient, words: &Words) -> Option<String> {
    match (recipient.severity, recipient.quiet_hours) {
        (Severity::Critical, _) => Some(say!(words, "test-critical-alone-sentence")),
        (Severity::Warning, Some(hours)) => Some(say!(
            words,
            "test-quiet-hours-sentence",
            hours = hours.to_string()
        )),
        (Severity::Warning, None) => None,
    }
}

/// What it takes for an alert of this check; `None` where it is off.
fn raised_when(check: CheckName, checks: &Checks, words: &Words) -> Option<String> {
    let held = |hold| held(hold, words);
    match check {
        CheckName::Capacity => checks.capacity.map(|limits| {
            say!(
                words,
                "test-when-full",
                warn = phrases::threshold(words, limits.warn_percent),
                critical = phrases::threshold(words, limits.critical_percent)
            )
        }),
        CheckName::Nodes => checks.nodes.map(|hold| match held(hold) {
            None => say!(words, "test-when-node"),
            Some(held) => say!(words, "test-when-node-held", held = held),
        }),
        CheckName::Osds => checks.osds.map(|hold| match held(hold) {
            None => say!(words, "test-when-osd"),
            Some(held) => say!(words, "test-when-osd-held", held = held),
        }),
        CheckName::Health => {
            checks
                .health
                .as_ref()
                .map(|rules| match (rules.scope.level, held(rules.hold)) {
                    (HealthSeverity::Error, None) => say!(words, "test-when-error"),
                    (HealthSeverity::Error, Some(held)) => {
                        say!(words, "test-when-error-held", held = held)
                    }
                    (HealthSeverity::Warning, None) => say!(words, "test-when-warning"),
                    (HealthSeverity::Warning, Some(held)) => {
                        say!(words, "test-when-warning-held", held = held)
                    }
                })
        }
    }
}

/// For how long it must be so; `None` where the first pass tells it.
fn held(hold: Hold, words: &Words) -> Option<String> {
    let length = hold.time.map(|time| phrases::duration(words, time));
    match (hold.passes, length) {
        (0 | 1, None) => None,
        (0 | 1, Some(length)) => Some(say!(words, "test-held-time", length = length)),
        (passes, None) => Some(say!(words, "test-held-passes", passes = passes)),
        (passes, Some(length)) => Some(say!(
            words,
            "test-held-both",
            passes = passes,
            length = length
        )),
    }
}

/// `mail.example.org:587`, with an IPv6 address in brackets.
pub fn place(relay: &Relay) -> String {
    let Relay { host, port, .. } = relay;
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The command as one would type it.
fn typed(command: &Command) -> String {
    command.words.join(" ")
}

/// How the way to the server is secured.
pub fn security(relay: &Relay) -> &'static str {
    match (relay.security, relay.verify) {
        (Security::Starttls, true) => "STARTTLS, certificate verified",
        (Security::Starttls, false) => "STARTTLS, certificate not verified",
        (Security::Tls, true) => "TLS, certificate verified",
        (Security::Tls, false) => "TLS, certificate not verified",
        (Security::None, _) => "no TLS",
    }
}

/// The same in the mail.
fn security_told(relay: &Relay, words: &Words) -> String {
    match (relay.security, relay.verify) {
        (Security::Starttls, true) => say!(words, "test-starttls"),
        (Security::Starttls, false) => say!(words, "test-starttls-unverified"),
        (Security::Tls, true) => say!(words, "test-tls"),
        (Security::Tls, false) => say!(words, "test-tls-unverified"),
        (Security::None, _) => say!(words, "test-no-tls"),
    }
}

/// Whether petanotify logs in; the name is nothing for a mail that may go to anybody.
fn login_told(relay: &Relay, words: &Words) -> String {
    match relay.login {
        Some(_) => say!(words, "test-logs-in"),
        None => say!(words, "test-no-login"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::check::capacity::Limits;
    use crate::message::html::tests::assert_golden;
    use crate::settings::{Login, Secret};
    use crate::words::{Language, Words};

    fn relay() -> Relay {
        Relay {
            section: "smtp".to_owned(),
            host: "mail.example.org".to_owned(),
            port: 587,
            security: Security::Starttls,
            from: "PetaSAN <storage@example.org>".parse().unwrap(),
            login: Some(Login {
                username: "hidden-name".to_owned(),
                password: Secret::new("hidden-password"),
            }),
            allow_plain_login: false,
            ca_file: None,
            verify: true,
            timeout: Duration::from_secs(30),
            connections: 1,
        }
    }

    fn checks() -> Checks {
        Checks {
            capacity: Some(Limits {
                warn_percent: 60.0,
                critical_percent: 85.5,
                clear_margin_percent: 2.0,
            }),
            nodes: Some(Hold {
                passes: 3,
                ..Hold::default()
            }),
            osds: None,
            ..Checks::default()
        }
    }

    fn with_test<T>(way: Way<'_>, cluster: &str, ask: impl Fn(Test<'_>) -> T) -> T {
        let made: Timestamp = "2026-11-23T05:20:45.123Z".parse().unwrap();
        let sender = Sender {
            from: way.from().clone(),
            zone: TimeZone::UTC,
            node: "node1".to_owned(),
            now: made,
            html: false,
            words: Arc::new(Words::of(Language::English)),
        };
        let recipients = [Recipient {
            checks: vec![CheckName::Capacity, CheckName::Osds],
            ..Recipient::of_everything("Ops@example.org".parse().unwrap())
        }];
        ask(Test {
            cluster,
            way,
            number: 1,
            ways: 1,
            sender: &sender,
            checks: &checks(),
            recipients: &recipients,
            made,
        })
    }

    fn mail(relay: &Relay, cluster: &str, to: &str) -> String {
        let to = to.parse().unwrap();
        with_test(Way::Server(relay), cluster, |test| {
            String::from_utf8(test.compose(&to).unwrap()).unwrap()
        })
    }

    #[test]
    fn the_whole_mail() {
        let id = MailId::new(
            "test-20261123T052045.123Z",
            0,
            Some(&"ops@example.org".parse().unwrap()),
        );
        let expected = format!(
            "From: PetaSAN <storage@example.org>\r\n\
             To: ops@example.org\r\n\
             Subject: [prod] test mail from petanotify\r\n\
             Date: Mon, 23 Nov 2026 05:20:45 +0000\r\n\
             Message-ID: <test-20261123T052045.123Z.{id}@petanotify.test>\r\n\
             Auto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 7bit\r\n\
             \r\n\
             This is a test. It says nothing about the storage of cluster prod.\r\n\
             Somebody ran \"petanotify test-mail\" on node1 at 2026-11-23 05:20 UTC,\r\n\
             and this mail has arrived, so alerts can.\r\n\
             \r\n\
             Which way it went:\r\n\
             \x20 server    mail.example.org:587\r\n\
             \x20 security  STARTTLS, certificate verified\r\n\
             \x20 login     yes\r\n\
             \x20 sender    PetaSAN <storage@example.org>\r\n\
             \r\n\
             What comes to this address:\r\n\
             \x20 capacity  when the storage is over 60 %, and over 85.5 % full\r\n\
             \x20 nodes     nothing: this recipient is not told of it\r\n\
             \x20 osds      nothing: checks.osds is turned off\r\n\
             \r\n\
             Look closer with:\r\n\
             \x20 petanotify status\r\n\
             \x20 petanotify config show\r\n\
             \r\n\
             -- \r\n\
             petanotify {} on node1\r\n\
             test mail\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(mail(&relay(), "prod", "ops@example.org"), expected);
    }

    #[test]
    fn it_wears_the_same_dress_as_alerts() {
        let to = "ops@example.org".parse().unwrap();
        let mail = with_test(Way::Server(&relay()), "prod", |test| {
            let sender = Sender {
                html: true,
                ..test.sender.clone()
            };
            Test {
                sender: &sender,
                ..test
            }
            .compose(&to)
            .unwrap()
        });
        let mail = mailparse::parse_mail(&mail).unwrap();
        let [plain, html] = mail.subparts.as_slice() else {
            panic!("{} parts", mail.subparts.len());
        };
        assert!(plain.get_body().unwrap().starts_with("This is a test."));
        let html = html.get_body().unwrap().replace("\r\n", "\n");
        assert_golden("test-mail.html", &html);
    }

    #[test]
    fn it_is_in_the_language_of_the_mails() {
        for language in [Language::German, Language::Chinese] {
            let text = with_test(Way::Server(&relay()), "prod", |test| {
                let sender = Sender {
                    words: Arc::new(Words::of(language)),
                    ..test.sender.clone()
                };
                let test = Test {
                    sender: &sender,
                    ..test
                };
                let to = "ops@example.org".parse().unwrap();
                let text = plain::draw(&test.document(&to), &sender.words);
                format!("{}\n\n{text}", test.subject())
            });
            assert_golden(&format!("test-mail.{}.txt", language.as_str()), &text);
        }
    }

    #[test]
    fn its_subject_is_as_long_as_any() {
        let subject = with_test(Way::Server(&relay()), &"c".repeat(64), |test| {
            Test { ways: 2, ..test }.subject()
        });
        assert!(subject.chars().count() <= 78, "{subject}");
        assert!(
            subject.ends_with("] test mail from petanotify, way 1 of 2"),
            "{subject}"
        );
    }

    #[test]
    fn of_several_ways_each_is_a_mail_of_its_own() {
        let to: Address = "ops@example.org".parse().unwrap();
        let command = Command {
            words: vec!["/usr/sbin/sendmail".to_owned(), "-t".to_owned()],
            from: "storage@example.org".parse().unwrap(),
            after: Duration::ZERO,
            timeout: Duration::from_secs(20),
        };
        let relay = relay();
        let mail = |way: Way<'_>, number: u32| {
            let mail = with_test(way, "prod", |test| {
                let ways = 2;
                let test = Test {
                    number,
                    ways,
                    ..test
                };
                test.compose(&to).unwrap()
            });
            String::from_utf8(mail).unwrap()
        };
        let first = mail(Way::Server(&relay), 1);
        let second = mail(Way::Fallback(&command), 2);
        assert!(first.contains("Subject: [prod] test mail from petanotify, way 1 of 2\r\n"));
        assert!(second.contains("Subject: [prod] test mail from petanotify, way 2 of 2\r\n"));
        let way = "Which way it went:\r\n\x20 command   /usr/sbin/sendmail -t\r\n\x20 sender    storage@example.org\r\n\r\n";
        assert!(second.contains(way), "{second}");
        let id = |mail: &str| {
            let line = mail.lines().find(|line| line.starts_with("Message-ID"));
            line.unwrap().to_owned()
        };
        assert_ne!(id(&first), id(&second));
    }

    #[test]
    fn who_is_no_recipient_is_told_so() {
        let text = mail(&relay(), "prod", "guest@example.org");
        assert!(text.contains("No alert comes to this address"), "{text}");
        assert!(!text.contains("What comes"), "{text}");
        let checks = |to: &str| {
            let to = to.parse().unwrap();
            with_test(Way::Server(&relay()), "prod", |test| test.checks_for(&to))
        };
        assert_eq!(checks("guest@example.org"), []);
        assert_eq!(checks("OPS@example.org"), [CheckName::Capacity]);
    }

    #[test]
    fn no_name_changes_a_header() {
        let text = mail(&relay(), "x\r\nBcc: evil@example.org", "ops@example.org");
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("\r\nSubject: [x??Bcc: evil@example.org] test mail from petanotify\r\n")
        );
        assert!(!head.contains("\r\nBcc"), "{head}");
    }

    #[test]
    fn the_way_is_told_in_words() {
        for (tls, verify, words) in [
            (Security::Starttls, true, "STARTTLS, certificate verified"),
            (
                Security::Starttls,
                false,
                "STARTTLS, certificate not verified",
            ),
            (Security::Tls, true, "TLS, certificate verified"),
            (Security::Tls, false, "TLS, certificate not verified"),
            (Security::None, true, "no TLS"),
            (Security::None, false, "no TLS"),
        ] {
            let relay = Relay {
                security: tls,
                verify,
                ..relay()
            };
            assert_eq!(security(&relay), words);
        }
        for (host, expected) in [("h", "h:587"), ("::1", "[::1]:587"), ("[::1]", "[::1]:587")] {
            let relay = Relay {
                host: host.to_owned(),
                ..relay()
            };
            assert_eq!(place(&relay), expected);
        }
        let without = Relay {
            login: None,
            ..relay()
        };
        assert!(mail(&without, "prod", "ops@example.org").contains("login     none\r\n"));
        let text = mail(&relay(), "prod", "ops@example.org");
        assert!(!text.contains("hidden"), "{text}");
    }
}
