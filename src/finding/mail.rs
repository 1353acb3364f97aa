//! Mail: what PetaSAN fills in, how far each mail server lets a mail come, and whether everything is told to somebody.

use std::path::Path;

use jiff::Timestamp;
use lettre::Address;

use super::{Finding, Section};
use crate::check::CheckName;
use crate::settings::petasan::Import;
use crate::settings::ways::Command;
use crate::settings::{Checks, Recipient, Relay, Security};
use crate::severity::Severity;
use crate::smtp::certificate::Certificate;
use crate::smtp::probe::{Answer, Handshake, Probe, Step};
use crate::trouble::Trouble;
use crate::wording;

/// A certificate that ends sooner is worth a word: Let's Encrypt renews 30 days before the end.
const RENEW_DAYS: i64 = 14;

const SECONDS_A_DAY: i64 = 24 * 3600;

/// What is known of PetaSAN's mail settings.
#[derive(Debug, Clone)]
pub enum Imported {
    /// The configuration leaves nothing to PetaSAN.
    NotNeeded,
    /// Just read, with what was odd about it.
    Read(Import, Vec<String>),
    /// It cannot be read now, for this reason; a pass goes on with what was read then.
    Kept(Import, Timestamp, String),
    /// It cannot be read, for this reason, and nothing is kept.
    Missing(String),
}

impl Imported {
    /// What a pass would go by.
    pub fn import(&self) -> Option<&Import> {
        match self {
            Imported::Read(import, _) | Imported::Kept(import, ..) => Some(import),
            Imported::NotNeeded | Imported::Missing(_) => None,
        }
    }
}

/// What the configuration leaves to PetaSAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The mail server.
    pub server: bool,
    /// The recipients.
    pub recipients: bool,
}

/// The findings about PetaSAN's settings.
pub fn judge_import(imported: &Imported, wanted: Wanted) -> Vec<Finding> {
    let mend = "Mend Consul, or set smtp.host, smtp.from and [[recipient]] in the configuration.";
    match imported {
        Imported::NotNeeded => vec![Finding::ok(
            Section::Petasan,
            "settings",
            "not used: mail server and recipients are in the configuration",
        )],
        Imported::Read(import, odd) => {
            let told = Finding::ok(Section::Petasan, "settings", found(import, wanted));
            let odd = odd.iter().map(|what| {
                let advice = "Mend it in PetaSAN's web interface.";
                Finding::warning(Section::Petasan, "settings", what, advice)
            });
            [told].into_iter().chain(odd).collect()
        }
        Imported::Kept(import, read, cause) => vec![Finding::warning(
            Section::Petasan,
            "settings",
            format!(
                "cannot be read now; a pass goes on with those of {read}: {}: {cause}",
                found(import, wanted)
            ),
            mend,
        )],
        Imported::Missing(cause) => vec![Finding::failed(
            Section::Petasan,
            "settings",
            format!("cannot be read, and none are kept from before: {cause}"),
            mend,
        )],
    }
}

fn found(import: &Import, wanted: Wanted) -> String {
    let mut words = Vec::new();
    if wanted.server {
        words.push(match &import.smtp {
            Ok(smtp) => format!("mail server {}:{}", smtp.host, smtp.port),
            Err(reason) => reason.clone(),
        });
    }
    if wanted.recipients {
        let followers = import.followers.iter().map(ToString::to_string);
        let followers: Vec<String> = followers.collect();
        words.push(match followers.as_slice() {
            [] => "no user who is to be notified".to_owned(),
            some => format!("users to notify: {}", wording::list_some(some, 5)),
        });
    }
    words.join("; ")
}

/// The finding that there is no way out for mail.
pub fn no_relay(missing: &str) -> Finding {
    let set = "Set it in PetaSAN's web interface, or in the configuration:\n  [smtp]\n  \
               host = \"mail.example.org\"\n  from = \"storage@example.org\"";
    let words = format!("mail is not set up: {missing}");
    Finding::failed(Section::Mail, "server", words, set)
}

/// The finding about the command that takes what no server does, and where its program lies. It is not run: it would mail.
pub fn judge_fallback(command: &Command, program: Option<&Path>) -> Finding {
    match program {
        Some(path) => {
            let found = format!("{}; test-mail tries it", path.display());
            Finding::ok(Section::Mail, "fallback", found)
        }
        None => {
            let name = command.words.first().map_or("", String::as_str);
            let words = format!("there is no program {name} that this user may run");
            let advice = "Install it, or set fallback.command.";
            Finding::failed(Section::Mail, "fallback", words, advice)
        }
    }
}

/// The findings about recipients: that there are any, and that each check that is on is told to somebody.
pub fn judge_recipients(recipients: &[Recipient], checks: &Checks) -> Vec<Finding> {
    let add = "Name somebody in PetaSAN's web interface, or in the configuration:\n  [[recipient]]\n  \
               address = \"ops@example.org\"";
    if recipients.is_empty() {
        let nobody = "nobody is to be told of anything";
        return vec![Finding::failed(Section::Mail, "recipients", nobody, add)];
    }
    let is_on = |check: &CheckName| match check {
        CheckName::Capacity => checks.capacity.is_some(),
        CheckName::Nodes => checks.nodes.is_some(),
        CheckName::Osds => checks.osds.is_some(),
        CheckName::Health => checks.health.is_some(),
    };
    let untold = CheckName::ALL
        .into_iter()
        .filter(is_on)
        .filter_map(|check| {
            let told = recipients.iter().filter(|r| r.checks.contains(&check));
            let words = match told.map(|recipient| recipient.severity).min() {
                Some(Severity::Warning) => return None,
                Some(Severity::Critical) => {
                    format!(
                        "nobody is told of warnings of the check {check}, only of what is critical"
                    )
                }
                None => format!("nobody is told of the check {check}"),
            };
            Some(Finding::warning(Section::Mail, "recipients", words, add))
        });
    untold.collect()
}

/// The findings about a mail server that was asked about these recipients.
pub fn judge(relay: &Relay, probe: &Probe, asked: &[Address], now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let failed_at = probe.failure.as_ref().map(|(step, _)| *step);
    if !probe.addresses.is_empty() {
        let addresses: Vec<String> = probe.addresses.iter().map(ToString::to_string).collect();
        let detail = format!("{}: {}", relay.host, addresses.join(", "));
        findings.push(Finding::ok(Section::Mail, "resolve", detail));
    }
    if let Some((peer, took)) = probe.connected
        && failed_at != Some(Step::Connect)
    {
        let took = match took.as_millis() {
            0 => "less than 1 ms".to_owned(),
            ms => format!("{ms} ms"),
        };
        let detail = format!("{peer} in {took}");
        findings.push(Finding::ok(Section::Mail, "connect", detail));
    }
    match (&probe.tls, relay.security) {
        (Some(handshake), _) => findings.push(tls(relay, handshake, now)),
        (None, Security::None) if probe.connected.is_some() => findings.push(no_tls(relay)),
        _ => {}
    }
    if probe.ready {
        let detail = match &relay.login {
            Some(login) => format!("as {}", login.username),
            None => "none (no smtp.username)".to_owned(),
        };
        findings.push(Finding::ok(Section::Mail, "login", detail));
    }
    findings.extend(
        (probe.recipients.iter()).map(|(address, answer)| recipient(relay, address, answer)),
    );
    if let Some((step, trouble)) = &probe.failure {
        findings.push(failure(relay, *step, trouble));
    }
    // The server has said goodbye in the midst of it, and no step failed.
    let unasked = asked.get(probe.recipients.len()..).unwrap_or_default();
    if probe.ready && probe.failure.is_none() && !unasked.is_empty() {
        let unasked: Vec<String> = unasked.iter().map(ToString::to_string).collect();
        findings.push(Finding::warning(
            Section::Mail,
            "recipient",
            format!(
                "not asked about, for the server closed the connection: {}",
                unasked.join(", ")
            ),
            "Try one for real:\n  petanotify test-mail",
        ));
    }
    findings
}

fn failure(relay: &Relay, step: Step, trouble: &Trouble) -> Finding {
    let name = match step {
        Step::Resolve => "resolve",
        Step::Connect => "connect",
        Step::Tls => "tls",
        Step::Login => "login",
        Step::Sender => "sender",
    };
    let by_hand = match relay.security {
        Security::None => format!("  nc {} {}", relay.host, relay.port),
        Security::Tls => format!("  openssl s_client -connect {}:{}", relay.host, relay.port),
        Security::Starttls => format!(
            "  openssl s_client -starttls smtp -connect {}:{}",
            relay.host, relay.port
        ),
    };
    let advice = match (&trouble.advice, step) {
        (Some(advice), Step::Tls) => format!("{advice}\n{by_hand}"),
        (Some(advice), Step::Resolve) => format!("{advice}\n  getent hosts {}", relay.host),
        (Some(advice), _) => advice.clone(),
        (None, Step::Sender) => format!(
            "May {} send through this server? Ask those who run it, with its words.",
            relay.from.email
        ),
        (None, _) => format!("See what it says by hand:\n{by_hand}"),
    };
    Finding::failed(Section::Mail, name, &trouble.words, advice)
}

fn no_tls(relay: &Relay) -> Finding {
    match &relay.login {
        Some(_) => Finding::warning(
            Section::Mail,
            "tls",
            "none: password and mails can be read on the way",
            "Choose TLS or STARTTLS in PetaSAN's mail settings, or in the configuration:\n  security = \"starttls\"",
        ),
        None => Finding::ok(
            Section::Mail,
            "tls",
            "none (smtp.security): mails can be read on the way",
        ),
    }
}

fn tls(relay: &Relay, handshake: &Handshake, now: Timestamp) -> Finding {
    let version = &handshake.version;
    let certificate = match &handshake.certificate {
        Ok(certificate) => certificate,
        Err(reason) => {
            return Finding::warning(
                Section::Mail,
                "tls",
                format!("{version}; the certificate cannot be read: {reason}"),
                "Look at it:\n  openssl s_client",
            );
        }
    };
    let host = relay.host.trim_matches(['[', ']']);
    let name = match certificate.name_for(host) {
        Some(name) => name.to_owned(),
        None => format!("{}, not for {host}", certificate.subject),
    };
    let days = days_left(certificate, now);
    let ends = match days {
        0.. => format!(
            "{} left",
            wording::count(usize::try_from(days).unwrap_or(0), "day")
        ),
        _ => format!("expired on {}", certificate.expires.strftime("%Y-%m-%d")),
    };
    let detail = format!(
        "{version}, certificate for {name}, by {}, {ends}",
        certificate.issuer
    );
    if !relay.verify {
        return Finding::warning(
            Section::Mail,
            "tls",
            format!(
                "{detail}; not verified (smtp.verify = false), so anybody could pose as the server"
            ),
            "Name the authority that signed it, and take out verify = false:\n  ca_file = \"/etc/petanotify/mail-ca.pem\"",
        );
    }
    match days < RENEW_DAYS {
        true => Finding::warning(
            Section::Mail,
            "tls",
            detail,
            "Have it renewed: once it has expired, no mail leaves.",
        ),
        false => Finding::ok(Section::Mail, "tls", detail),
    }
}

/// Whole days until the certificate ends; below 0 it has.
fn days_left(certificate: &Certificate, now: Timestamp) -> i64 {
    let seconds = certificate.expires.as_second() - now.as_second();
    seconds.div_euclid(SECONDS_A_DAY)
}

fn recipient(relay: &Relay, address: &Address, answer: &Answer) -> Finding {
    let name = "recipient";
    match answer {
        Answer::Accepted(words) => Finding::ok(Section::Mail, name, format!("{address}: {words}")),
        Answer::Deferred(trouble) => Finding::warning(
            Section::Mail,
            name,
            format!("{address}: {}", trouble.words),
            "Not now, the server says; a mail would be tried again every minute. If it lasts, ask those who run it.",
        ),
        Answer::Refused(trouble) => {
            let advice = match &trouble.advice {
                Some(advice) => advice.clone(),
                None => format!(
                    "Does {address} exist, and does {} take mail for it?",
                    relay.host
                ),
            };
            Finding::failed(
                Section::Mail,
                name,
                format!("{address}: {}", trouble.words),
                advice,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::super::Outcome;
    use super::*;
    use crate::settings::{Login, Secret};
    use crate::trouble::Case;

    fn relay() -> Relay {
        Relay {
            section: "smtp".to_owned(),
            connections: 1,
            host: "mail.example.org".to_owned(),
            port: 587,
            security: Security::Starttls,
            from: "storage@example.org".parse().unwrap(),
            login: Some(Login {
                username: "storage".to_owned(),
                password: Secret::new("topsecret"),
            }),
            allow_plain_login: false,
            ca_file: None,
            verify: true,
            timeout: Duration::from_secs(30),
        }
    }

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn asked() -> Vec<Address> {
        vec!["ops@example.org".parse().unwrap()]
    }

    fn probe() -> Probe {
        Probe {
            addresses: vec!["192.0.2.7".parse().unwrap()],
            connected: Some(("192.0.2.7:587".parse().unwrap(), Duration::from_millis(3))),
            tls: Some(Handshake {
                version: "TLS 1.3".to_owned(),
                certificate: Ok(Certificate {
                    subject: "mail".to_owned(),
                    names: vec!["*.example.org".to_owned()],
                    issuer: "R3".to_owned(),
                    expires: "2026-12-25T11:59:59Z".parse().unwrap(),
                }),
            }),
            ready: true,
            recipients: vec![(
                asked().remove(0),
                Answer::Accepted("250 2.1.5 Ok".to_owned()),
            )],
            failure: None,
        }
    }

    fn lines(findings: &[Finding]) -> Vec<String> {
        let line = |f: &Finding| format!("{:?} {}: {}", f.outcome, f.name, f.detail);
        findings.iter().map(line).collect()
    }

    fn judged(probe: &Probe) -> Vec<Finding> {
        judge(&relay(), probe, &asked(), now())
    }

    fn trouble() -> Trouble {
        Trouble::new(Case::Other, "mail.example.org:587: TLS: no", "renew it")
    }

    #[test]
    fn a_fallback_is_a_program_that_is_there() {
        let command = Command {
            words: vec!["/usr/sbin/sendmail".to_owned(), "-t".to_owned()],
            from: "storage@example.org".parse().unwrap(),
            after: std::time::Duration::ZERO,
            timeout: std::time::Duration::from_secs(20),
        };
        let path = Path::new("/usr/sbin/sendmail");
        assert_eq!(judge_fallback(&command, Some(path)).outcome, Outcome::Ok);
        let missing = judge_fallback(&command, None);
        assert_eq!(missing.outcome, Outcome::Failed);
        assert!(missing.detail.contains("/usr/sbin/sendmail"));
    }

    #[test]
    fn each_step_is_a_line() {
        assert_eq!(
            lines(&judged(&probe())),
            [
                "Ok resolve: mail.example.org: 192.0.2.7",
                "Ok connect: 192.0.2.7:587 in 3 ms",
                "Ok tls: TLS 1.3, certificate for *.example.org, by R3, 31 days left",
                "Ok login: as storage",
                "Ok recipient: ops@example.org: 250 2.1.5 Ok",
            ]
        );
    }

    #[test]
    fn the_steps_before_the_one_that_failed_are_told_and_none_behind_it() {
        let done = probe();
        for (step, probe, lines_told) in [
            (Step::Resolve, Probe::default(), &["Failed resolve"][..]),
            (
                Step::Connect,
                Probe {
                    addresses: done.addresses.clone(),
                    connected: done.connected,
                    ..Probe::default()
                },
                &["Ok resolve", "Failed connect"],
            ),
            (
                Step::Tls,
                Probe {
                    tls: None,
                    ready: false,
                    recipients: Vec::new(),
                    ..done.clone()
                },
                &["Ok resolve", "Ok connect", "Failed tls"],
            ),
            (
                Step::Login,
                Probe {
                    ready: false,
                    recipients: Vec::new(),
                    ..done.clone()
                },
                &["Ok resolve", "Ok connect", "Ok tls", "Failed login"],
            ),
            (
                Step::Sender,
                Probe {
                    recipients: Vec::new(),
                    ..done.clone()
                },
                &[
                    "Ok resolve",
                    "Ok connect",
                    "Ok tls",
                    "Ok login",
                    "Failed sender",
                ],
            ),
        ] {
            let failed = Probe {
                failure: Some((step, trouble())),
                ..probe
            };
            let findings = judged(&failed);
            let told = lines(&findings);
            let heads: Vec<&str> = told.iter().map(|l| l.split(':').next().unwrap()).collect();
            assert_eq!(heads, lines_told, "{step:?}");
            let advice = findings.last().unwrap().advice.as_deref().unwrap();
            assert!(advice.starts_with("Renew it"), "{advice}");
        }
    }

    #[test]
    fn a_certificate_is_worth_a_word_from_the_fourteenth_day_on() {
        for (now, days, outcome) in [
            ("2026-12-11T11:59:59Z", "14 days left", Outcome::Ok),
            ("2026-12-11T12:00:00Z", "13 days left", Outcome::Warning),
            ("2026-12-24T11:59:59Z", "1 day left", Outcome::Warning),
            ("2026-12-25T11:59:59Z", "0 days left", Outcome::Warning),
            (
                "2026-12-25T12:00:00Z",
                "expired on 2026-12-25",
                Outcome::Warning,
            ),
        ] {
            let findings = judge(&relay(), &probe(), &asked(), now.parse().unwrap());
            let tls = &findings[2];
            assert!(tls.detail.ends_with(days), "{}", tls.detail);
            assert_eq!(tls.outcome, outcome, "{now}");
        }
    }

    #[test]
    fn what_works_without_being_safe_is_a_warning() {
        let unverified = Relay {
            verify: false,
            host: "localhost".to_owned(),
            ..relay()
        };
        let tls = judge(&unverified, &probe(), &asked(), now()).remove(2);
        assert_eq!(tls.outcome, Outcome::Warning);
        assert!(
            tls.detail
                .contains("certificate for mail, not for localhost")
        );
        assert!(tls.detail.contains("not verified"));

        let plain = Relay {
            security: Security::None,
            ..relay()
        };
        let without = Probe {
            tls: None,
            ..probe()
        };
        let tls = judge(&plain, &without, &asked(), now()).remove(2);
        assert_eq!((tls.name, tls.outcome), ("tls", Outcome::Warning));
        let nobody = Relay {
            login: None,
            ..plain
        };
        let findings = judge(&nobody, &without, &asked(), now());
        assert_eq!(findings[2].outcome, Outcome::Ok);
        assert_eq!(findings[3].detail, "none (no smtp.username)");
    }

    #[test]
    fn a_recipient_is_refused_or_deferred_by_name() {
        let with = |answer| Probe {
            recipients: vec![(asked().remove(0), answer)],
            ..probe()
        };
        let words = |case| Trouble {
            advice: None,
            ..Trouble::new(case, "550 no such user", "")
        };
        let refused = judged(&with(Answer::Refused(words(Case::Other)))).remove(4);
        assert_eq!(refused.outcome, Outcome::Failed);
        assert_eq!(refused.detail, "ops@example.org: 550 no such user");
        assert!(refused.advice.unwrap().contains("ops@example.org exist"));
        let deferred = judged(&with(Answer::Deferred(words(Case::Other)))).remove(4);
        assert_eq!(deferred.outcome, Outcome::Warning);
    }

    #[test]
    fn recipients_that_were_not_asked_about_are_named() {
        let cut = Probe {
            recipients: Vec::new(),
            ..probe()
        };
        let last = judged(&cut).pop().unwrap();
        assert_eq!(last.outcome, Outcome::Warning);
        assert!(last.detail.ends_with("connection: ops@example.org"));
    }

    #[test]
    fn a_check_that_nobody_is_told_of_is_a_warning() {
        let checks = Checks {
            osds: None,
            ..Checks::default()
        };
        let told = |checks: &[CheckName]| Recipient {
            checks: checks.to_vec(),
            ..Recipient::of_everything(asked().remove(0))
        };
        let nobody = judge_recipients(&[], &checks);
        assert_eq!(nobody[0].outcome, Outcome::Failed);
        let some = judge_recipients(&[told(&[CheckName::Capacity])], &checks);
        assert_eq!(
            lines(&some),
            ["Warning recipients: nobody is told of the check nodes"]
        );
        let all = judge_recipients(&[told(&CheckName::ALL)], &checks);
        assert!(all.is_empty());
        let of_critical = Recipient {
            severity: Severity::Critical,
            ..told(&CheckName::ALL)
        };
        let by_day = told(&[CheckName::Nodes]);
        let found = judge_recipients(&[of_critical.clone(), by_day], &checks);
        let capacity = "Warning recipients: nobody is told of warnings of the check capacity, only of what is critical";
        assert_eq!(lines(&found), [capacity]);
        assert_eq!(judge_recipients(&[of_critical], &checks).len(), 2);
    }

    #[test]
    fn what_petasan_has_is_told_as_far_as_it_is_wanted() {
        let import = Import {
            smtp: Err("there is no mail server in PetaSAN's settings".to_owned()),
            followers: asked(),
        };
        let both = Wanted {
            server: true,
            recipients: true,
        };
        let read = Imported::Read(import.clone(), vec!["odd".to_owned()]);
        assert_eq!(
            lines(&judge_import(&read, both)),
            [
                "Ok settings: there is no mail server in PetaSAN's settings; users to notify: ops@example.org",
                "Warning settings: odd"
            ]
        );
        let only_recipients = Wanted {
            server: false,
            ..both
        };
        let kept = Imported::Kept(import, now(), "Consul is down".to_owned());
        assert_eq!(
            lines(&judge_import(&kept, only_recipients)),
            [
                "Warning settings: cannot be read now; a pass goes on with those of 2026-11-23T12:00:00Z: \
                 users to notify: ops@example.org: Consul is down"
            ]
        );
        let missing = Imported::Missing("Consul is down".to_owned());
        assert_eq!(judge_import(&missing, both)[0].outcome, Outcome::Failed);
        assert_eq!(
            judge_import(&Imported::NotNeeded, both)[0].outcome,
            Outcome::Ok
        );
    }
}
