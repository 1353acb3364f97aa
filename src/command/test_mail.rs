//! `petanotify test-mail`: one mail to each address, past the queue. Takes no lock and writes nothing.

use std::time::{Duration, Instant};

use lettre::Address;
use serde::Serialize;

use super::check::NAMELESS;
use super::observe::{self, Keep};
use super::route::{Route, sender};
use super::{Context, Done, Stop, print, print_json};
use crate::check::CheckName;
use crate::cli;
use crate::settings::Security;
use crate::smtp::{Delivery, Outgoing, Session};
use crate::test_message::{Test, place, security};
use crate::text::one_line;

/// One mail may take as long as all the mails of a pass.
const MAIL_TIME: Duration = Duration::from_secs(50);

/// Sends a test mail to each of the addresses, or to every recipient.
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
    let Some(relay) = route.usable_relay(context) else {
        return Ok(Done::Incomplete);
    };
    if addresses.is_empty() {
        return Ok(Done::Incomplete);
    }
    let cluster = cluster(context);
    let sender = sender(context, relay.from.clone());
    let test = Test {
        cluster: &cluster,
        relay,
        sender: &sender,
        checks: &context.settings.checks,
        recipients: &route.recipients,
        made: context.now,
    };
    let from = relay.from.to_string();
    let login = relay.login.as_ref().map(|login| login.username.as_str());
    if !options.format.json {
        let login = match login {
            Some(username) => format!("login as {username}"),
            None => "no login".to_owned(),
        };
        let way = format!(
            "through {}, {}, {login}, from {from}",
            place(relay),
            security(relay)
        );
        print(&format!("{}\n", one_line(&way)))?;
    }
    let mut session = Session::new(relay.clone(), context.log.clone());
    let mut mails = Vec::new();
    let progress = context.log.counting("tried", addresses.len(), "mail");
    for (tried, to) in addresses.iter().enumerate() {
        progress.reached(tried);
        let delivery = match test.compose(to) {
            Ok(mail) => {
                let mail = Outgoing {
                    from: &relay.from.email,
                    to,
                    message: &mail,
                };
                session.send(&mail, None, Instant::now() + MAIL_TIME)
            }
            Err(error) => Delivery::Refused(format!("{error:#}")),
        };
        let mail = Mail {
            to: to.to_string(),
            outcome: Outcome::of(&delivery),
            answer: one_line(delivery.words()),
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
    session.close();
    drop(progress);
    let accepted = mails.iter().all(|mail| mail.outcome == Outcome::Accepted);
    if options.format.json {
        print_json(&Document {
            version: 1,
            server: place(relay),
            security: relay.security,
            verify: relay.verify,
            login,
            from,
            subject: test.subject(),
            mails,
        })?;
    }
    Ok(if accepted {
        Done::Complete
    } else {
        Done::Incomplete
    })
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

/// The document of `test-mail --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    server: String,
    security: Security,
    verify: bool,
    login: Option<&'a str>,
    from: String,
    subject: String,
    mails: Vec<Mail>,
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
