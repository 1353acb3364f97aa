//! `petanotify test-mail`: one mail to each address in every way out, past the queue. Takes no lock and writes nothing.

use std::time::{Duration, Instant};

use lettre::Address;
use serde::Serialize;

use super::check::NAMELESS;
use super::observe::{self, Keep};
use super::route::{Route, sender};
use super::{Context, Done, Stop, print, print_json};
use crate::check::CheckName;
use crate::cli;
use crate::fallback::{self, Handover};
use crate::output::Log;
use crate::settings::Security;
use crate::settings::ways::Command;
use crate::smtp::{Delivery, Outgoing, Session};
use crate::test_message::{Test, Way, place};
use crate::text::one_line;

/// One mail may take as long as all the mails of a pass.
const MAIL_TIME: Duration = Duration::from_secs(50);

/// Sends a test mail to each of the addresses, or to every recipient, in every way out.
///
/// # Errors
/// Standard output can't be written.
pub fn test_mail(context: &Context, options: &cli::TestMail) -> Result<Done, Stop> {
    let route = Route::asked(context, Keep::No);
    let mut addresses: Vec<Address> = Vec::new();
    for address in &options.addresses {
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
    if addresses.is_empty() {
        let recipients = route.recipients.iter();
        addresses.extend(recipients.map(|recipient| recipient.address.clone()));
    }
    if addresses.is_empty() {
        context.log.error(
            "nobody is to be told: the configuration has no [[recipient]] and PetaSAN no user with an e-mail address \
             who is to be notified; name an address: petanotify test-mail ops@example.org",
        );
    }
    let Some(ways) = route.usable_ways(context) else {
        return Ok(Done::Incomplete);
    };
    if addresses.is_empty() {
        return Ok(Done::Incomplete);
    }
    let cluster = cluster(context);
    let servers = ways.relays.iter().map(Way::Server);
    let list: Vec<Way> = servers
        .chain(ways.fallback.as_ref().map(Way::Fallback))
        .collect();
    let mut reports = Vec::new();
    for (number, way) in (1..).zip(&list) {
        let test = Test {
            cluster: &cluster,
            way: *way,
            number,
            ways: list.len(),
            sender: &sender(context, way.from().clone()),
            checks: &context.settings.checks,
            recipients: &route.recipients,
            made: context.now,
        };
        if !options.format.json {
            print(&format!("through {}\n", way.in_words()))?;
        }
        let mails = send_all(context, options, &test, &addresses)?;
        reports.push(Report::of(&test, mails));
    }
    let mut mails = reports.iter().flat_map(|report| &report.mails);
    let accepted = mails.all(|mail| mail.outcome == Outcome::Accepted);
    if options.format.json {
        print_json(&Document::of(reports, ways.fallback.is_some()))?;
    }
    Ok(if accepted && ways.missing.is_empty() {
        Done::Complete
    } else {
        Done::Incomplete
    })
}

/// Sends one mail to each of the addresses, and tells of each.
fn send_all(
    context: &Context,
    options: &cli::TestMail,
    test: &Test,
    addresses: &[Address],
) -> Result<Vec<Mail>, Stop> {
    let mut out = match test.way {
        Way::Server(relay) => {
            Out::Server(Box::new(Session::new(relay.clone(), context.log.clone())))
        }
        Way::Fallback(command) => Out::Fallback(command),
    };
    let mut mails = Vec::new();
    let progress = context.log.counting("tried", addresses.len(), "mail");
    for (tried, to) in addresses.iter().enumerate() {
        progress.reached(tried);
        let (outcome, answer) = match test.compose(to) {
            Ok(mail) => out.send(&test.sender.from.email, to, &mail, &context.log),
            Err(error) => (Outcome::Refused, format!("{error:#}")),
        };
        let mail = Mail {
            to: to.to_string(),
            outcome,
            answer: one_line(&answer),
            checks: test.checks_for(to),
        };
        let (outcome, answer) = (mail.outcome.in_words(), &mail.answer);
        if mail.outcome != Outcome::Accepted {
            context
                .log
                .error(format!("test mail to {to} {outcome}: {answer}"));
        } else if !options.format.json {
            progress.aside(|| print(&format!("{outcome}  {to}  {answer}\n")))?;
        }
        mails.push(mail);
    }
    Ok(mails)
}

/// A way out, in use.
enum Out<'a> {
    Server(Box<Session>),
    Fallback(&'a Command),
}

impl Out<'_> {
    /// What became of the mail, and in which words.
    fn send(&mut self, from: &Address, to: &Address, mail: &[u8], log: &Log) -> (Outcome, String) {
        match self {
            Out::Server(session) => {
                let mail = Outgoing {
                    from,
                    to,
                    message: mail,
                };
                let delivery = session.send(&mail, None, Instant::now() + MAIL_TIME);
                (Outcome::of(&delivery), delivery.words().to_owned())
            }
            Out::Fallback(command) => match fallback::send(command, mail, MAIL_TIME, log) {
                Handover::Taken => (Outcome::Accepted, "exit status 0".to_owned()),
                Handover::Failed(words) => (Outcome::Deferred, words),
                Handover::Unusable(words) => (Outcome::NotSent, words),
            },
        }
    }
}

/// The cluster's name as a pass would have it, but what the last pass knew is good enough.
fn cluster(context: &Context) -> String {
    let known = || match context.store.read(context.now) {
        Ok(loaded) => loaded.state.cluster,
        Err(error) => {
            context.log.warning(format!("{error:#}"));
            None
        }
    };
    (context.settings.cluster_name.clone())
        .or_else(known)
        .or_else(|| observe::datacenter(context))
        .unwrap_or_else(|| NAMELESS.to_owned())
}

/// The document of `test-mail --json`: first of all the first mail server, as if there were no other way.
#[derive(Serialize)]
struct Document {
    version: u32,
    #[serde(flatten)]
    first: Report,
    further: Vec<Report>,
    fallback: Option<Report>,
}

impl Document {
    fn of(mut reports: Vec<Report>, with_fallback: bool) -> Self {
        let fallback = reports.pop_if(|_| with_fallback);
        let mut servers = reports.into_iter();
        Document {
            version: 1,
            first: servers.next().unwrap_or_default(),
            further: servers.collect(),
            fallback,
        }
    }
}

/// What came of one way.
#[derive(Default, Serialize)]
struct Report {
    /// These four are those of a mail server, and this one of the fallback.
    server: Option<String>,
    security: Option<Security>,
    verify: Option<bool>,
    login: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    from: Option<String>,
    subject: Option<String>,
    mails: Vec<Mail>,
}

impl Report {
    fn of(test: &Test, mails: Vec<Mail>) -> Self {
        let way = match test.way {
            Way::Server(relay) => Report {
                server: Some(place(relay)),
                security: Some(relay.security),
                verify: Some(relay.verify),
                login: relay.login.as_ref().map(|login| login.username.clone()),
                ..Report::default()
            },
            Way::Fallback(command) => Report {
                command: Some(command.words.clone()),
                ..Report::default()
            },
        };
        Report {
            from: Some(test.sender.from.to_string()),
            subject: Some(test.subject()),
            mails,
            ..way
        }
    }
}

#[derive(Serialize)]
struct Mail {
    to: String,
    outcome: Outcome,
    answer: String,
    checks: Vec<CheckName>,
}

/// What the server made of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Accepted,
    Refused,
    Deferred,
    NotSent,
}

impl Outcome {
    fn of(delivery: &Delivery) -> Outcome {
        match delivery {
            Delivery::Accepted(_) => Outcome::Accepted,
            Delivery::Refused(_) => Outcome::Refused,
            Delivery::Deferred(_) | Delivery::InDoubt(_) => Outcome::Deferred,
            Delivery::RelayDown(_) => Outcome::NotSent,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
            Outcome::Deferred => "deferred",
            Outcome::NotSent => "not sent",
        }
    }
}
