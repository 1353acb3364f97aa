//! The mail server's edge: hands one mail at a time to the relay and says what became of it.
//!
//! `dialogue` speaks SMTP over a `stream` that never waits longer than a step may last; `verdict` says what a failure
//! means. Everything runs in the caller's thread.
//!
//! # How a mail leaves within one round trip
//! The first mail of a connection goes in lock-step: each command after the answer to the one before. If the server has
//! taken it and offers PIPELINING (RFC 2920), the second mail's MAIL, RCPT and DATA go out at once, and from then on each
//! mail's text takes with it the commands for the next one:
//!
//! ```text
//! C: text 2 . MAIL 3 RCPT 3 DATA 3
//! S: 250 taken                        <- `send` returns, the caller writes down that mail 2 is sent
//! S: 250 sender 250 recipient 354 go on
//! C: text 3 . MAIL 4 RCPT 4 DATA 4
//! ```
//!
//! At most one mail is on its way with its answer unseen. When anything but plain replies comes back while several are to
//! come, the server perhaps can't do what it offers: then a fresh connection goes on in lock-step until the session ends,
//! with the same mail unless that one is in doubt.

pub mod certificate;
mod dialogue;
mod domain;
#[cfg(test)]
mod loopback_tests;
pub mod probe;
mod stream;
mod tls;
mod verdict;

use std::fmt;
use std::time::{Duration, Instant};

use lettre::Address;

use crate::output::Log;
use crate::settings::{Relay, Security};

use dialogue::{Connection, Mail, Pace};
use tls::Tls;
use verdict::{Failure, Fault, Stage, classify, place, quote};

/// One mail to hand over.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Who is told if it can't be delivered later on (the envelope's sender).
    pub from: &'a Address,
    /// Whom it is for.
    pub to: &'a Address,
    /// The whole mail, header and body, with CRLF line ends.
    pub message: &'a [u8],
}

/// What became of one mail. The texts name the server, the stage, the server's own words and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The server took responsibility for it (2xx after the end of data); its words.
    Accepted(String),
    /// Refused for this recipient or message: 5xx to RCPT, DATA or the end of data, or an address or text that the
    /// server has no extension for.
    Refused(String),
    /// Try later: 4xx to MAIL, RCPT, DATA or the end of data, or a connection lost in the middle of this mail's
    /// dialogue. The server does not have it.
    Deferred(String),
    /// Nobody knows: it was sent to its end, and no answer was seen. It counts as failed, but to hand it to another
    /// server at once would most likely repeat it.
    InDoubt(String),
    /// The relay can't be used now: not reached, no TLS, login refused, 5xx to EHLO or MAIL, 421 or 530 anywhere, no
    /// answer in time. What is said here holds for every other mail.
    RelayDown(String),
}

impl Delivery {
    /// What is to be told, without saying which kind it is.
    pub fn words(&self) -> &str {
        match self {
            Delivery::Accepted(words)
            | Delivery::Refused(words)
            | Delivery::Deferred(words)
            | Delivery::InDoubt(words)
            | Delivery::RelayDown(words) => words,
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Delivery::Accepted(_) => "accepted",
            Delivery::Refused(_) => "refused",
            Delivery::Deferred(_) => "deferred",
            Delivery::InDoubt(_) => "in doubt",
            Delivery::RelayDown(_) => "not sent",
        };
        write!(f, "{kind}: {}", self.words())
    }
}

/// The mails of one pass over one connection, which is opened with the first mail.
pub struct Session {
    relay: Relay,
    log: Log,
    /// Made with the first connection that needs it: loading the system's certificates takes its time.
    tls: Option<Tls>,
    connection: Option<Connection>,
    round_trip: Option<Duration>,
    pace: Pace,
    /// How often the server has broken off in the middle of a mail.
    hang_ups: u32,
    /// Why no further mail is tried in this pass.
    down: Option<String>,
}

impl Session {
    /// A session that has not connected yet.
    pub fn new(relay: Relay, log: Log) -> Session {
        Session {
            relay,
            log,
            tls: None,
            connection: None,
            round_trip: None,
            pace: Pace::Pipelined,
            hang_ups: 0,
            down: None,
        }
    }

    /// Hands over one mail and waits for the server's answer, for `relay.timeout` at each step and until `deadline`.
    ///
    /// `upcoming` is the mail that is to be sent next, if that is known: its envelope may go out together with this mail's
    /// text. Nothing of its text does, so that this mail can be written down as sent before. Nothing is delivered twice or
    /// by mistake if another mail comes next, or none; it costs the connection.
    ///
    /// After the first [`RelayDown`](Delivery::RelayDown), and after an answer that never came, nothing is tried any more:
    /// later mails get the same answer at once. A deadline that has passed already is `RelayDown` too.
    pub fn send(
        &mut self,
        mail: &Outgoing,
        upcoming: Option<&Outgoing>,
        deadline: Instant,
    ) -> Delivery {
        let to = mail.to;
        if let Some(cause) = &self.down {
            return Delivery::RelayDown(cause.clone());
        }
        let started = Instant::now();
        let upcoming = upcoming.and_then(|mail| Mail::new(mail).ok());
        let outcome =
            Mail::new(mail).and_then(|mail| self.transact(&mail, upcoming.as_ref(), deadline));
        self.connection.take_if(|connection| connection.is_over());
        let delivery = match outcome {
            Ok(answer) => Delivery::Accepted(quote(&answer, self.relay.login.as_ref())),
            Err(failure) => {
                let delivery = classify(&failure, &self.relay);
                // What pipelining may be to blame for says nothing about the server without it.
                let counts = !failure.out_of_step;
                let hung_up = counts && failure.fault.is_hang_up();
                self.hang_ups += u32::from(hung_up);
                // A server that breaks off once may dislike that mail; one that does so again would be dialled, and
                // perhaps sent what it has taken already, for every mail that waits.
                let hopeless = hung_up && self.hang_ups > 1;
                if matches!(delivery, Delivery::RelayDown(_))
                    || (counts && failure.fault.is_silence())
                    || hopeless
                {
                    self.down = Some(delivery.words().to_owned());
                }
                delivery
            }
        };
        // All but the server's own words of acceptance name the server already.
        let whence = match &delivery {
            Delivery::Accepted(_) => format!(" {}", place(&self.relay)),
            _ => String::new(),
        };
        self.log.info(format_args!(
            "smtp{whence}: mail to {to} {delivery}: {} ms",
            started.elapsed().as_millis()
        ));
        delivery
    }

    /// A round trip to the server: the shortest time in which it answered over the last connection. `None` before the first.
    pub fn round_trip(&self) -> Option<Duration> {
        let now = self.connection.as_ref().map(Connection::round_trip);
        now.or(self.round_trip)
    }

    /// Says goodbye to the server, waiting a second at most. Dropping the session does the same.
    pub fn close(self) {}

    fn transact(
        &mut self,
        mail: &Mail,
        upcoming: Option<&Mail>,
        deadline: Instant,
    ) -> Result<String, Failure> {
        if deadline <= Instant::now() {
            return Err(Fault::no_time_left().at(Stage::Connect));
        }
        self.connection.take_if(|kept| !kept.can_take(mail));
        if let Some(kept) = &mut self.connection {
            match kept.hand_over(mail, upcoming, deadline) {
                Err(failure) if failure.out_of_step => {
                    self.pace = Pace::LockStep;
                    let told = classify(&failure, &self.relay);
                    self.log.info(format_args!(
                        "smtp: from here on without pipelining, which may be why: {}",
                        told.words()
                    ));
                    if failure.is_in_doubt() {
                        return Err(failure);
                    }
                }
                // The server tired of the connection between two mails; a fresh one may do.
                Err(failure) if failure.wants_fresh_connection() => {}
                outcome => return outcome,
            }
        }
        // The old one says goodbye before the new one is opened: some servers allow only one at a time.
        self.connection = None;
        self.connect(deadline)?.hand_over(mail, upcoming, deadline)
    }

    fn connect(&mut self, deadline: Instant) -> Result<&mut Connection, Failure> {
        let started = Instant::now();
        if self.tls.is_none() && self.relay.security != Security::None {
            let tls = Tls::new(&self.relay).map_err(|fault| fault.at(Stage::Tls))?;
            self.tls = Some(tls);
        }
        let connection = Connection::open(&self.relay, self.tls.as_ref(), self.pace, deadline)?;
        self.round_trip = Some(connection.round_trip());
        self.log
            .info(connected_line(&self.relay, started.elapsed().as_millis()));
        Ok(self.connection.insert(connection))
    }
}

fn connected_line(relay: &Relay, took_ms: u128) -> String {
    let tls = match (relay.security, relay.verify) {
        (Security::None, _) => "no TLS",
        (Security::Starttls | Security::Tls, true) => "TLS",
        (Security::Starttls | Security::Tls, false) => "TLS without verification",
    };
    let login = relay.login.as_ref().map_or_else(
        || "no login".to_owned(),
        |login| format!("logged in as {}", login.username),
    );
    format!(
        "smtp {}: connected, {tls}, {login}: {took_ms} ms",
        place(relay)
    )
}
