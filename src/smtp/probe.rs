//! Goes with a mail server as far as one can without sending a mail, and notes what came of each step.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use lettre::Address;
use rustls::ProtocolVersion;

use super::Outgoing;
use super::certificate::Certificate;
use super::dialogue::{Connection, Mail, Pace, ascii_host};
use super::stream::{Stream, Wait};
use super::tls::Tls;
use super::verdict::{Cause, Failure, Stage, quote, told_apart};
use crate::output::Log;
use crate::settings::{Relay, Security};
use crate::trouble::Trouble;

/// What came of asking a mail server. Steps that were not reached are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// The addresses of its name.
    pub addresses: Vec<IpAddr>,
    /// Which address and port took the connection, and how long that took.
    pub connected: Option<(SocketAddr, Duration)>,
    /// What was agreed on in the TLS handshake.
    pub tls: Option<Handshake>,
    /// It has greeted us, and logged us in if the settings want that.
    pub ready: bool,
    /// Each recipient that was asked about.
    pub recipients: Vec<(Address, Answer)>,
    /// Where it ended before its end, and why.
    pub failure: Option<(Step, Trouble)>,
}

/// The outcome of a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// E.g. `TLS 1.3`.
    pub version: String,
    /// The server's certificate, or why it can't be read.
    pub certificate: Result<Certificate, String>,
}

/// What the server said about a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A mail would be taken; its words.
    Accepted(String),
    /// Not now (4xx), as greylisting does.
    Deferred(Trouble),
    /// Not at all.
    Refused(Trouble),
}

/// A step, as an admin would name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Looking up the name.
    Resolve,
    /// From there to the server's greeting.
    Connect,
    /// The TLS handshake, with STARTTLS where that leads to it.
    Tls,
    /// The login.
    Login,
    /// The sender.
    Sender,
}

impl Probe {
    fn fail(mut self, failure: &Failure, relay: &Relay) -> Probe {
        let step = match (failure.stage, failure.fault.cause) {
            (Stage::Connect, Cause::Unresolved) => Step::Resolve,
            // Once TLS stands, what is said next leads to the login.
            (Stage::Connect | Stage::Greeting | Stage::Ehlo, _) => match self.tls {
                None => Step::Connect,
                Some(_) => Step::Login,
            },
            (Stage::Starttls | Stage::Tls, _) => Step::Tls,
            (Stage::Login, _) => Step::Login,
            _ => Step::Sender,
        };
        self.failure = Some((step, told_apart(failure, relay)));
        self
    }
}

/// Connects, logs in and asks about each recipient, within `relay.timeout` for each step and until `deadline`. Nothing is
/// sent.
pub fn probe(relay: &Relay, recipients: &[Address], deadline: Instant, log: &Log) -> Probe {
    let begun = Instant::now();
    let mut probe = Probe::default();
    let addresses = ascii_host(relay).and_then(|host| {
        let wait = Wait::new(relay.timeout, deadline);
        Stream::addresses(&host, relay.port, wait)
    });
    match addresses {
        Ok(addresses) => probe.addresses = addresses.iter().map(SocketAddr::ip).collect(),
        Err(fault) => return probe.fail(&fault.at(Stage::Connect), relay),
    }
    let tls = match relay.security {
        Security::None => None,
        Security::Starttls | Security::Tls => match Tls::new(relay) {
            Ok(tls) => Some(tls),
            Err(fault) => return probe.fail(&fault.at(Stage::Tls), relay),
        },
    };
    let pace = Pace::LockStep;
    let opened = Connection::open_watched(relay, tls.as_ref(), pace, deadline, |stream| {
        probe.connected = stream.peer().map(|peer| (peer, stream.round_trip()));
        probe.tls = handshake(stream);
    });
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(failure) => return probe.fail(&failure, relay),
    };
    probe.ready = true;
    for to in recipients {
        let mail = Outgoing {
            from: &relay.from.email,
            to,
            message: b"",
        };
        let outcome = Mail::new(&mail).and_then(|mail| connection.would_take(&mail));
        let answer = match outcome {
            Ok(words) => Answer::Accepted(quote(&words, relay.login.as_ref())),
            Err(failure) => {
                let trouble = told_apart(&failure, relay);
                match (failure.stage, failure.fault.cause) {
                    // 421 and 530 are not about the recipient: see `classify`.
                    (Stage::Rcpt, Cause::Reply(400..=420 | 422..=499)) => Answer::Deferred(trouble),
                    (Stage::Rcpt, Cause::Reply(code)) if !matches!(code, 421 | 530) => {
                        Answer::Refused(trouble)
                    }
                    (_, Cause::UnsupportedMail) => Answer::Refused(trouble),
                    _ => return probe.fail(&failure, relay),
                }
            }
        };
        probe.recipients.push((to.clone(), answer));
        if connection.is_over() {
            break;
        }
    }
    log.info(format_args!(
        "smtp {}: probed, nothing sent: {} ms",
        super::place(relay),
        begun.elapsed().as_millis()
    ));
    probe
}

fn handshake(stream: &Stream) -> Option<Handshake> {
    let tls = stream.tls()?;
    let version = match tls.protocol_version()? {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let certificate = match tls.peer_certificates() {
        Some([first, ..]) => Certificate::parse(first),
        _ => Err("the server has shown none".to_owned()),
    };
    Some(Handshake {
        version,
        certificate,
    })
}
