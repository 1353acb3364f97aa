//! What a failure in the dialogue means for the mail and for the others, and how it is told. No I/O.

use std::fmt;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::CertificateError::{ExpiredContext, NotValidYetContext};

use super::Delivery;
use crate::settings::{Login, Relay, Security};
use crate::text::fit;
use crate::trouble::{Case, Trouble};

/// The most of the server's words that is quoted, in characters.
const WORDS_MAX: usize = 400;

/// A run of so many base64 characters that occurs in an encoded password is taken for a piece of it.
const ENCODED_PIECE_MIN: usize = 8;

/// Where in the dialogue we were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// From the name to the TCP connection.
    Connect,
    /// The TLS handshake, be it the first thing or after STARTTLS.
    Tls,
    Greeting,
    Ehlo,
    Starttls,
    Login,
    Rset,
    Mail,
    Rcpt,
    Data,
    /// The message, until the last of it has left.
    Text,
    /// The answer to the message's end.
    EndOfData,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Connect => "connect",
            Stage::Tls => "TLS",
            Stage::Greeting => "greeting",
            Stage::Ehlo => "EHLO",
            Stage::Starttls => "STARTTLS",
            Stage::Login => "login",
            Stage::Rset => "RSET",
            Stage::Mail => "MAIL",
            Stage::Rcpt => "RCPT",
            Stage::Data => "DATA",
            Stage::Text => "text",
            Stage::EndOfData => "end of data",
        })
    }
}

/// A step that did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) fault: Fault,
    /// More than one answer was to come, and none that can be believed did: perhaps the server only says that it can do
    /// pipelining.
    pub(super) out_of_step: bool,
}

impl Failure {
    /// That it happened while more than one answer was to come, if it is one that pipelining may be to blame for.
    pub(super) fn while_pipelining(self) -> Failure {
        let lost_track = match self.fault.cause {
            // Syntax and sequence of the commands (RFC 5321, section 4.2.2), when just the same were fine one by one.
            Cause::Reply(code) => matches!(code, 500 | 502 | 503),
            _ => true,
        };
        Failure {
            out_of_step: lost_track,
            ..self
        }
    }

    /// Whether a mail that only began over a kept connection may do better over a new one.
    pub(super) fn wants_fresh_connection(&self) -> bool {
        match self.stage {
            Stage::Rset => !self.fault.is_silence(),
            Stage::Mail => self.fault.is_hang_up(),
            _ => false,
        }
    }

    /// Whether the server may have taken the mail.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.stage == Stage::EndOfData && !matches!(self.fault.cause, Cause::Reply(_))
    }
}

/// What went wrong, in the other side's words where it had any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    pub(super) words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A reply with this code, 400 to 599.
    Reply(u16),
    /// The server closed the connection.
    Lost,
    /// No answer in time.
    Silence,
    /// Bytes that are no SMTP reply, or a reply that can't come here.
    Garbled,
    /// The name has no address, or no name server answers.
    Unresolved,
    /// No TCP connection.
    Unreachable(io::ErrorKind),
    /// No agreement on TLS, or a certificate that is not trusted.
    Tls,
    /// The server offers no STARTTLS.
    NoStarttls,
    /// The server offers no login.
    NoLogin,
    /// The server offers only logins that we can't do.
    NoCommonLogin,
    /// The login would go out without TLS.
    PlainLogin,
    /// A sender that the server has no extension for.
    UnsupportedSender,
    /// A recipient or text that the server has no extension for.
    UnsupportedMail,
    /// A mail longer than the server says that it takes.
    TooLarge,
    /// Something on this side, e.g. `ca_file` can't be read.
    Local,
}

impl Fault {
    pub(super) fn new(cause: Cause, words: impl Into<String>) -> Fault {
        Fault {
            cause,
            words: words.into(),
        }
    }

    pub(super) fn at(self, stage: Stage) -> Failure {
        Failure {
            stage,
            fault: self,
            out_of_step: false,
        }
    }

    /// No answer within `limit`.
    pub(super) fn silence(limit: Duration) -> Fault {
        Fault::new(
            Cause::Silence,
            format!("no answer within {}", seconds(limit)),
        )
    }

    /// No answer within `spent`, and then the whole time was over.
    pub(super) fn silence_until_pass_over(spent: Duration) -> Fault {
        Fault::new(
            Cause::Silence,
            format!(
                "its time in this pass ended {} into the wait for an answer",
                seconds(spent)
            ),
        )
    }

    /// Something that is no reply, or longer than one may be.
    pub(super) fn no_reply(heard: &str) -> Fault {
        Fault::new(Cause::Garbled, format!("no SMTP reply: {heard}"))
    }

    /// The deadline had passed before anything was tried.
    pub(super) fn no_time_left() -> Fault {
        Fault::new(Cause::Local, "not tried, its time in this pass is over")
    }

    pub(super) fn is_silence(&self) -> bool {
        self.cause == Cause::Silence
    }

    /// Whether the server has gone away or is about to (421, RFC 5321, section 3.8).
    pub(super) fn is_hang_up(&self) -> bool {
        matches!(
            self.cause,
            Cause::Lost | Cause::Garbled | Cause::Tls | Cause::Unreachable(_) | Cause::Reply(421)
        )
    }

    /// Reads a socket's error, except that its time is up: how long was waited, it does not know.
    pub(super) fn from_io(error: &io::Error) -> Fault {
        use io::ErrorKind::*;
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Fault::from_tls(error);
        }
        let words = without_os_number(&error.to_string());
        match error.kind() {
            UnexpectedEof if words.contains("handshake") => Fault::new(
                Cause::Tls,
                "the server closed the connection in the TLS handshake",
            ),
            UnexpectedEof => Fault::new(Cause::Lost, "the server closed the connection"),
            ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected => {
                Fault::new(Cause::Lost, words)
            }
            kind => Fault::new(Cause::Unreachable(kind), words),
        }
    }

    /// rustls tells a certificate's age in seconds beside two Unix times.
    pub(super) fn from_tls(error: &rustls::Error) -> Fault {
        let words = match error {
            rustls::Error::InvalidCertificate(ExpiredContext { time, not_after }) => format!(
                "invalid peer certificate: certificate expired {} ago",
                rough_age(time.as_secs().saturating_sub(not_after.as_secs()))
            ),
            rustls::Error::InvalidCertificate(NotValidYetContext { time, not_before }) => format!(
                "invalid peer certificate: certificate not valid yet, only in {}",
                rough_age(not_before.as_secs().saturating_sub(time.as_secs()))
            ),
            _ => error.to_string(),
        };
        Fault::new(Cause::Tls, words)
    }
}

/// `Connection refused (os error 111)` without the number.
pub(super) fn without_os_number(words: &str) -> String {
    words
        .split_once(" (os error ")
        .map_or(words, |(text, _)| text)
        .to_owned()
}

fn rough_age(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `30s`, or `0.3s` where tenths matter.
fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths.is_multiple_of(10) || tenths >= 100 {
        format!("{}s", (tenths + 5) / 10)
    } else {
        format!("{}.{}s", tenths / 10, tenths % 10)
    }
}

/// What the failure means for the mail, in the words for the admin.
pub(super) fn classify(failure: &Failure, relay: &Relay) -> Delivery {
    let told = tell(failure, relay);
    if failure.is_in_doubt() {
        return Delivery::InDoubt(format!(
            "{told}; it may have been accepted all the same, the next attempt carries the same Message-ID"
        ));
    }
    match (failure.stage, failure.fault.cause) {
        (_, Cause::UnsupportedMail | Cause::TooLarge) => Delivery::Refused(told),
        // Too large for the server as a whole (RFC 1870, section 6.1), unlike its other refusals at this point.
        (Stage::Mail, Cause::Reply(552)) => Delivery::Refused(told),
        // The session as a whole is over (421), or nobody may send anything without a login or TLS (530, RFC 4954,
        // section 6; RFC 3207, section 4).
        (_, Cause::Reply(421 | 530)) => Delivery::RelayDown(told),
        (Stage::Mail | Stage::Rcpt | Stage::Data | Stage::EndOfData, Cause::Reply(400..=499)) => {
            Delivery::Deferred(told)
        }
        (Stage::Rcpt | Stage::Data | Stage::EndOfData, Cause::Reply(_)) => Delivery::Refused(told),
        (Stage::Rcpt | Stage::Data | Stage::Text, _) if failure.fault.is_hang_up() => {
            Delivery::Deferred(told)
        }
        _ => Delivery::RelayDown(told),
    }
}

/// The failure in words for the admin, with what to do about it.
fn tell(failure: &Failure, relay: &Relay) -> String {
    told_apart(failure, relay).to_string()
}

/// The same, with what to do about it kept apart.
pub(super) fn told_apart(failure: &Failure, relay: &Relay) -> Trouble {
    let Failure { stage, fault, .. } = failure;
    let words = quote(&fault.words, relay.login.as_ref());
    let place = place(relay);
    Trouble {
        case: match fault.cause {
            Cause::Unresolved | Cause::Unreachable(_) | Cause::Silence => Case::Unreachable,
            _ => Case::Other,
        },
        words: match fault.cause {
            Cause::Silence => format!("{place}: {words} at {stage}"),
            _ => format!("{place}: {stage}: {words}"),
        },
        // They speak of the first server's keys.
        advice: hint(*stage, fault, relay)
            .map(|hint| hint.replace("smtp.", &format!("{}.", relay.section))),
    }
}

/// `mail.example.org:587`, with an IPv6 address in brackets.
pub(super) fn place(relay: &Relay) -> String {
    let host = bare_host(&relay.host);
    if host.contains(':') {
        format!("[{host}]:{}", relay.port)
    } else {
        format!("{host}:{}", relay.port)
    }
}

/// The host without the brackets that an IPv6 address may be written in.
pub(super) fn bare_host(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// One line of the server's words, without the password, however encoded.
pub(super) fn quote(words: &str, login: Option<&Login>) -> String {
    let masked = login.map_or_else(|| words.to_owned(), |login| mask(words, login));
    fit(&masked, WORDS_MAX)
}

const MASK: &str = "***";

fn mask(words: &str, login: &Login) -> String {
    let password = login.password.reveal();
    if password.is_empty() {
        return words.to_owned();
    }
    // As they go out in AUTH PLAIN and AUTH LOGIN, the longer first: it may end with the other. A server may quote
    // them cut short.
    let encoded = [
        STANDARD.encode(format!("\0{}\0{password}", login.username)),
        STANDARD.encode(password),
    ];
    let mut masked = words.to_owned();
    for form in &encoded {
        masked = masked.replace(form.as_str(), MASK);
    }
    masked = masked.replace(password, MASK);
    let mut rest = masked.as_str();
    let mut safe = String::with_capacity(masked.len());
    while !rest.is_empty() {
        let run_ends = rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(run_ends);
        let piece = run.trim_end_matches('=');
        if piece.len() >= ENCODED_PIECE_MIN && encoded.iter().any(|form| form.contains(piece)) {
            safe.push_str(MASK);
        } else {
            safe.push_str(run);
        }
        let between = tail.find(is_base64).unwrap_or(tail.len());
        safe.push_str(&tail[..between]);
        rest = &tail[between..];
    }
    safe
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

const TRY_TLS: &str = r#"if the server expects TLS from the first byte there (as at port 465), set smtp.security = "tls""#;
const TRY_STARTTLS: &str = r#"set smtp.security = "starttls""#;
const SET_LOGIN: &str = "the server wants a login: set smtp.username and smtp.password_file";
const CHECK_LOGIN: &str = "check smtp.username and the password";

/// What to do about it, where causes can be told apart.
fn hint(stage: Stage, fault: &Fault, relay: &Relay) -> Option<&'static str> {
    let words = fault.words.to_lowercase();
    match (stage, fault.cause) {
        (_, Cause::Unresolved) if words.contains("temporary") || words.contains("name lookup") => {
            Some("no name server answers this node; smtp.host may be an IP address as well")
        }
        (_, Cause::Unresolved) => Some("check smtp.host"),
        (_, Cause::Unreachable(io::ErrorKind::ConnectionRefused)) => {
            Some("nothing listens there: check smtp.host and smtp.port")
        }
        (_, Cause::Unreachable(_)) => Some("check smtp.host and this node's routes and firewall"),
        (Stage::Connect, Cause::Silence) => {
            Some("check smtp.host, smtp.port and the firewalls on the way")
        }
        (Stage::Greeting, Cause::Silence) if relay.security != Security::Tls => Some(TRY_TLS),
        (Stage::Greeting | Stage::Ehlo, Cause::Garbled) => {
            // An alert or a handshake record of TLS (RFC 8446, section 5.1).
            if relay.security != Security::Tls && words.contains(['\u{15}', '\u{16}']) {
                Some(TRY_TLS)
            } else {
                Some("is that a mail server? check smtp.host and smtp.port")
            }
        }
        (Stage::Greeting, Cause::Lost)
            if relay.security != Security::Tls && relay.port == Security::Tls.default_port() =>
        {
            Some(TRY_TLS)
        }
        (_, Cause::NoStarttls) => Some(
            r#"set smtp.security = "tls" if it has a port for that (465), or "none" if the way to it is trusted"#,
        ),
        (_, Cause::Tls) => tls_hint(&words, relay.security),
        (_, Cause::NoLogin) if relay.security == Security::None => Some(
            r#"many offer it only with TLS: set smtp.security = "starttls", or no smtp.username"#,
        ),
        (_, Cause::NoLogin) => Some("set no smtp.username if this server needs none"),
        (_, Cause::PlainLogin) => Some(
            r#"set smtp.security to "starttls" or "tls", or smtp.allow_plain_login = true if the way to it is trusted"#,
        ),
        (_, Cause::UnsupportedSender) => Some("choose an smtp.from in ASCII"),
        (_, Cause::Reply(530 | 538)) if words.contains("tls") || words.contains("encrypt") => {
            Some(TRY_STARTTLS)
        }
        (Stage::Login, Cause::Reply(500..=599)) => Some(CHECK_LOGIN),
        (Stage::Mail | Stage::Rcpt | Stage::Data, Cause::Reply(code @ 500..=599))
            if code == 530 || words.contains("authenti") =>
        {
            relay.login.is_none().then_some(SET_LOGIN)
        }
        (Stage::Mail, Cause::Reply(500..=551 | 553..=599)) => {
            Some("check smtp.from: may it send through this server?")
        }
        (Stage::Rcpt, Cause::Reply(_)) if words.contains("relay") => {
            Some(if relay.login.is_none() {
                "the server passes mail on for known senders only: set smtp.username, or allow this node there"
            } else {
                "the server does not pass mail on for this login"
            })
        }
        _ => None,
    }
}

/// By rustls' own texts, which are what the admin reads.
fn tls_hint(words: &str, security: Security) -> Option<&'static str> {
    let says = |text: &str| words.contains(text);
    if says("invalidcontenttype") && security == Security::Tls {
        Some(
            r#"the server does not speak TLS from the first byte there: set smtp.security = "starttls", or the port for TLS (465)"#,
        )
    } else if says("unknownissuer") {
        Some(
            "self-signed, or by an authority unknown here: name it in smtp.ca_file, or set smtp.verify = false",
        )
    } else if says("badsignature") || says("forpublickey") {
        Some(
            "an authority of that name is known here with another key: is smtp.ca_file out of date?",
        )
    } else if says("not valid for name") {
        Some("set smtp.host to a name in the certificate, or smtp.verify = false")
    } else if says("causedasendentity") {
        Some(
            "the certificate is an authority's own (CA:TRUE): give the server one of its own, or set smtp.verify = false",
        )
    } else if says("not valid yet") {
        Some("is this node's clock right?")
    } else if says("expired") {
        Some("renew the server's certificate (or is this node's clock wrong?)")
    } else if says("protocolversion") || says("handshakefailure") || says("incompatible") {
        Some("the server must offer TLS 1.2 or 1.3")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::settings::Secret;

    fn relay(security: Security, login: bool) -> Relay {
        Relay {
            section: "smtp".to_owned(),
            host: "mail.example.org".to_owned(),
            port: security.default_port(),
            security,
            from: "storage@example.org".parse().unwrap(),
            login: login.then(|| Login {
                username: "storage".to_owned(),
                password: Secret::new("s3cret/pass"),
            }),
            allow_plain_login: false,
            ca_file: None,
            verify: true,
            timeout: Duration::from_secs(30),
            connections: 1,
        }
    }

    fn told(stage: Stage, cause: Cause, words: &str) -> Delivery {
        let failure = Fault::new(cause, words).at(stage);
        classify(&failure, &relay(Security::Starttls, false))
    }

    #[test]
    fn codes_mean_what_their_stage_makes_them() {
        use Stage::*;
        let accepted_kinds: [(Stage, [char; 5]); 11] = [
            // For 421, 450, 530, 550, and a connection that was lost: down, later, refused, in doubt.
            (Connect, ['d'; 5]),
            (Tls, ['d'; 5]),
            (Greeting, ['d'; 5]),
            (Ehlo, ['d'; 5]),
            (Starttls, ['d'; 5]),
            (Login, ['d'; 5]),
            (Rset, ['d'; 5]),
            (Mail, ['d', 'l', 'd', 'd', 'd']),
            (Rcpt, ['d', 'l', 'd', 'r', 'l']),
            (Data, ['d', 'l', 'd', 'r', 'l']),
            (EndOfData, ['d', 'l', 'd', 'r', '?']),
        ];
        let causes = [
            Cause::Reply(421),
            Cause::Reply(450),
            Cause::Reply(530),
            Cause::Reply(550),
            Cause::Lost,
        ];
        for (stage, kinds) in accepted_kinds {
            for (cause, kind) in causes.into_iter().zip(kinds) {
                let found = match told(stage, cause, "words") {
                    Delivery::Accepted(_) => 'a',
                    Delivery::Refused(_) => 'r',
                    Delivery::Deferred(_) => 'l',
                    Delivery::InDoubt(_) => '?',
                    Delivery::RelayDown(_) => 'd',
                };
                assert_eq!(found, kind, "{stage:?} {cause:?}");
            }
        }
    }

    #[test]
    fn silence_holds_for_every_mail() {
        use Stage::*;
        for stage in [
            Connect, Tls, Greeting, Ehlo, Starttls, Login, Rset, Mail, Rcpt, Data,
        ] {
            let failure = Fault::silence(Duration::from_secs(30)).at(stage);
            assert!(matches!(
                classify(&failure, &relay(Security::None, false)),
                Delivery::RelayDown(words) if words.contains(&format!("no answer within 30s at {stage}"))
            ));
        }
        assert_eq!(
            classify(
                &Fault::silence(Duration::from_secs(30)).at(EndOfData),
                &relay(Security::None, false)
            ),
            Delivery::InDoubt(
                "mail.example.org:25: no answer within 30s at end of data; \
                 it may have been accepted all the same, the next attempt carries the same Message-ID"
                    .to_owned()
            )
        );
    }

    #[test]
    fn hints_fit_the_cause() {
        use Security::{None as Plain, Starttls as Upgrade, Tls as Wrapped};
        use io::ErrorKind::{ConnectionRefused, HostUnreachable};
        let table: [(Stage, Cause, &str, Relay, Option<&str>); 28] = [
            (
                Stage::Connect,
                Cause::Unresolved,
                "failed to lookup address information: Name or service not known",
                relay(Plain, false),
                Some("check smtp.host"),
            ),
            (
                Stage::Connect,
                Cause::Unresolved,
                "failed to lookup address information: Temporary failure in name resolution",
                relay(Plain, false),
                Some("no name server answers this node; smtp.host may be an IP address as well"),
            ),
            (
                Stage::Connect,
                Cause::Unresolved,
                "name lookup: no answer within 30s",
                relay(Plain, false),
                Some("no name server answers this node; smtp.host may be an IP address as well"),
            ),
            (
                Stage::Connect,
                Cause::Unreachable(ConnectionRefused),
                "Connection refused",
                relay(Plain, false),
                Some("nothing listens there: check smtp.host and smtp.port"),
            ),
            (
                Stage::Connect,
                Cause::Unreachable(HostUnreachable),
                "No route to host",
                relay(Plain, false),
                Some("check smtp.host and this node's routes and firewall"),
            ),
            (
                Stage::Connect,
                Cause::Silence,
                "no answer within 30s",
                relay(Plain, false),
                Some("check smtp.host, smtp.port and the firewalls on the way"),
            ),
            (
                Stage::Greeting,
                Cause::Silence,
                "no answer within 30s",
                relay(Upgrade, false),
                Some(TRY_TLS),
            ),
            (
                Stage::Greeting,
                Cause::Silence,
                "no answer within 30s",
                relay(Wrapped, false),
                None,
            ),
            (
                Stage::Greeting,
                Cause::Garbled,
                "no SMTP reply: \u{15}\u{3}\u{1}",
                relay(Upgrade, false),
                Some(TRY_TLS),
            ),
            (
                Stage::Greeting,
                Cause::Garbled,
                "no SMTP reply: SSH-2.0-OpenSSH_9.2",
                relay(Upgrade, false),
                Some("is that a mail server? check smtp.host and smtp.port"),
            ),
            (
                Stage::Greeting,
                Cause::Reply(554),
                "554 no",
                relay(Upgrade, false),
                None,
            ),
            (
                Stage::Starttls,
                Cause::NoStarttls,
                "not offered by the server",
                relay(Upgrade, false),
                Some(
                    r#"set smtp.security = "tls" if it has a port for that (465), or "none" if the way to it is trusted"#,
                ),
            ),
            (
                Stage::Tls,
                Cause::Tls,
                "received corrupt message of type InvalidContentType",
                relay(Wrapped, false),
                Some(
                    r#"the server does not speak TLS from the first byte there: set smtp.security = "starttls", or the port for TLS (465)"#,
                ),
            ),
            (
                Stage::Tls,
                Cause::Tls,
                "received corrupt message of type InvalidContentType",
                relay(Upgrade, false),
                None,
            ),
            (
                Stage::Tls,
                Cause::Tls,
                "received fatal alert: ProtocolVersion",
                relay(Wrapped, false),
                Some("the server must offer TLS 1.2 or 1.3"),
            ),
            (
                Stage::Login,
                Cause::NoLogin,
                "the server offers no login (AUTH)",
                relay(Plain, true),
                Some(
                    r#"many offer it only with TLS: set smtp.security = "starttls", or no smtp.username"#,
                ),
            ),
            (
                Stage::Login,
                Cause::NoLogin,
                "the server offers no login (AUTH)",
                relay(Upgrade, true),
                Some("set no smtp.username if this server needs none"),
            ),
            (
                Stage::Login,
                Cause::Reply(535),
                "535 no",
                relay(Upgrade, true),
                Some(CHECK_LOGIN),
            ),
            (
                Stage::Login,
                Cause::Reply(454),
                "454 later",
                relay(Upgrade, true),
                None,
            ),
            (
                Stage::Login,
                Cause::Reply(538),
                "538 Encryption required",
                relay(Plain, true),
                Some(TRY_STARTTLS),
            ),
            (
                Stage::Mail,
                Cause::Reply(530),
                "530 5.7.0 Authentication required",
                relay(Upgrade, false),
                Some(SET_LOGIN),
            ),
            (
                Stage::Mail,
                Cause::Reply(550),
                "550 5.7.1 Authentication required",
                relay(Upgrade, false),
                Some(SET_LOGIN),
            ),
            (
                Stage::Mail,
                Cause::Reply(530),
                "530 5.7.0 Must issue a STARTTLS command first",
                relay(Plain, false),
                Some(TRY_STARTTLS),
            ),
            (
                Stage::Mail,
                Cause::Reply(553),
                "553 5.7.1 Sender address rejected: not owned by user storage",
                relay(Upgrade, true),
                Some("check smtp.from: may it send through this server?"),
            ),
            (
                Stage::Rcpt,
                Cause::Reply(554),
                "554 5.7.1 <a@b.example>: Relay access denied",
                relay(Upgrade, false),
                Some(
                    "the server passes mail on for known senders only: set smtp.username, or allow this node there",
                ),
            ),
            (
                Stage::Rcpt,
                Cause::Reply(454),
                "454 4.7.1 <a@b.example>: Relay access denied",
                relay(Upgrade, true),
                Some("the server does not pass mail on for this login"),
            ),
            (
                Stage::Rcpt,
                Cause::Reply(550),
                "550 5.1.1 no such user",
                relay(Upgrade, true),
                None,
            ),
            (
                Stage::Data,
                Cause::Reply(451),
                "451 later",
                relay(Upgrade, false),
                None,
            ),
        ];
        for (stage, cause, words, relay, expected) in table {
            assert_eq!(
                hint(stage, &Fault::new(cause, words), &relay),
                expected,
                "{stage:?} {cause:?} {words}"
            );
        }
    }

    #[test]
    fn a_hint_names_the_keys_of_the_server_it_is_about() {
        let second = Relay {
            section: "smtp.relay[0]".to_owned(),
            ..relay(Security::Starttls, false)
        };
        let failure =
            Fault::new(Cause::Reply(550), "550 5.7.1 Authentication required").at(Stage::Mail);
        let told = classify(&failure, &second);
        let keys = "set smtp.relay[0].username and smtp.relay[0].password_file";
        assert!(told.words().ends_with(keys), "{told}");
    }

    #[test]
    fn sockets_errors_are_told_apart() {
        use io::ErrorKind::*;
        let closed = "the server closed the connection";
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        for (error, cause, words) in [
            (
                io::Error::from_raw_os_error(111),
                Cause::Unreachable(ConnectionRefused),
                "Connection refused",
            ),
            (
                io::Error::from_raw_os_error(104),
                Cause::Lost,
                "Connection reset by peer",
            ),
            (io::Error::from_raw_os_error(32), Cause::Lost, "Broken pipe"),
            (
                io::Error::new(UnexpectedEof, "peer closed without close_notify"),
                Cause::Lost,
                closed,
            ),
            (
                io::Error::new(UnexpectedEof, "tls handshake eof"),
                Cause::Tls,
                "the server closed the connection in the TLS handshake",
            ),
            (
                io::Error::new(InvalidData, unknown),
                Cause::Tls,
                "invalid peer certificate: UnknownIssuer",
            ),
        ] {
            assert_eq!(
                Fault::from_io(&error),
                Fault::new(cause, words),
                "{error:?}"
            );
        }
    }

    #[test]
    fn the_password_is_never_quoted() {
        let login = relay(Security::Tls, true).login.unwrap();
        let plain = STANDARD.encode("\0storage\0s3cret/pass");
        let encoded = STANDARD.encode("s3cret/pass");
        for (words, quoted) in [
            ("535 no".to_owned(), "535 no"),
            ("501 what is s3cret/pass?".to_owned(), "501 what is ***?"),
            (format!("501 AUTH PLAIN {plain}"), "501 AUTH PLAIN ***"),
            (
                format!("501 AUTH PLAIN {}", &plain[..20]),
                "501 AUTH PLAIN ***",
            ),
            (format!("501 {encoded}?"), "501 ***?"),
            (format!("501 {}... cut", &encoded[..10]), "501 ***... cut"),
            ("501 bad\r\nline\u{1b}[2J".to_owned(), "501 bad line [2J"),
            (
                "550 authentication unsuccessful".to_owned(),
                "550 authentication unsuccessful",
            ),
        ] {
            assert_eq!(quote(&words, Some(&login)), quoted);
        }
        let empty = Login {
            password: Secret::new(""),
            ..login
        };
        assert_eq!(quote("535 no", Some(&empty)), "535 no");
        assert_eq!(
            quote(&"ü".repeat(500), None),
            format!("{}...", "ü".repeat(397))
        );
    }

    #[test]
    fn times_and_places_are_short() {
        for (millis, text) in [
            (300, "0.3s"),
            (1000, "1s"),
            (1250, "1.3s"),
            (30_000, "30s"),
            (12_400, "12s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
        for (seconds, text) in [(90, "1 min"), (7200, "2 h"), (1_123_200, "13 days")] {
            assert_eq!(rough_age(seconds), text);
        }
        for (host, text) in [
            ("mail.example.org", "mail.example.org:25"),
            ("10.0.0.1", "10.0.0.1:25"),
            ("fd00::1", "[fd00::1]:25"),
            ("[fd00::1]", "[fd00::1]:25"),
        ] {
            let relay = Relay {
                host: host.to_owned(),
                ..relay(Security::None, false)
            };
            assert_eq!(place(&relay), text);
        }
    }
}
