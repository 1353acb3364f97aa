//! The ways in which a mail can leave, with nothing left open: file and PetaSAN joined.

use std::time::Duration;

use lettre::message::Mailbox;

use super::petasan::{self, Import};
use super::{Relay, Server, Settings};

/// How mail can leave, first to last.
#[derive(Debug, Clone)]
pub struct Ways {
    /// The mail servers, in the order in which they are tried.
    pub relays: Vec<Relay>,
    /// The command that takes what no server did.
    pub fallback: Option<Command>,
    /// What each way lacks that is set up in part, or that nothing is set up at all; in words for the admin.
    pub missing: Vec<String>,
}

/// The command of `[fallback]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; never empty.
    pub words: Vec<String>,
    /// The sender.
    pub from: Mailbox,
    /// How long a mail waits for the mail servers first. Zero where there is none to wait for.
    pub after: Duration,
    /// After this the command and whatever it started are ended.
    pub timeout: Duration,
}

impl Ways {
    /// Whether mail can leave at all.
    pub fn is_empty(&self) -> bool {
        self.relays.is_empty() && self.fallback.is_none()
    }

    /// The sender of a mail that leaves in the first of the ways.
    pub fn first_sender(&self) -> Option<&Mailbox> {
        let relay = self.relays.first().map(|relay| &relay.from);
        relay.or(self.fallback.as_ref().map(|command| &command.from))
    }
}

/// The ways that the settings leave open. `import` is `None` where PetaSAN's settings could not be read or are not needed.
pub fn ways(settings: &Settings, import: Option<&Import>) -> Ways {
    let mut relays = Vec::new();
    let mut missing = Vec::new();
    let mut take = |relay: Result<Relay, String>| match relay {
        Ok(relay) => relays.push(relay),
        Err(words) => missing.push(words),
    };
    let imported = import.and_then(|import| import.smtp.as_ref().ok());
    let of_petasan = imported.map(|smtp| Mailbox::from(smtp.from.clone()));
    let first = &settings.smtp.first;
    let sender = first.from.clone().or(of_petasan);
    if settings.relay_is_petasans() {
        take(petasan::relay(first, import));
    } else if first.host.is_some() {
        take(complete(first, 0, first.from.as_ref()));
    }
    for (server, position) in settings.smtp.further.iter().zip(1..) {
        let sender = server.from.as_ref().or(sender.as_ref());
        take(complete(server, position, sender));
    }
    let nothing_to_wait_for = settings.smtp.further.is_empty()
        && first.host.is_none()
        && (!settings.relay_is_petasans() || import.is_some_and(|import| import.smtp.is_err()));
    let fallback = settings.fallback.as_ref().and_then(|fallback| {
        let sender = sender.or_else(|| relays.first().map(|relay| relay.from.clone()));
        let command = sender.map(|from| Command {
            words: fallback.command.clone(),
            from,
            after: match nothing_to_wait_for {
                true => Duration::ZERO,
                false => fallback.after,
            },
            timeout: fallback.timeout,
        });
        if command.is_none() {
            missing.push("fallback.command has no sender; set smtp.from".to_owned());
        }
        command
    });
    if fallback.is_some() && nothing_to_wait_for {
        // The only way is the one that is wanted.
        missing.clear();
    }
    Ways {
        relays,
        fallback,
        missing,
    }
}

/// The server of the file at this position, 0 for that of `[smtp]`.
fn complete(server: &Server, position: usize, from: Option<&Mailbox>) -> Result<Relay, String> {
    let section = &server.section;
    let host = server
        .host
        .clone()
        .ok_or_else(|| format!("{section} has no host"))?;
    let from = from.cloned().ok_or_else(|| {
        format!(
            "the configuration has {section}.host but no sender; set {section}.from, e.g. from = \"storage@example.org\""
        )
    })?;
    if let (Some(username), None) = (&server.username, &server.login) {
        return Err(format!(
            "there is no password for {section}.username {username:?}; name the file that holds it in \
             {section}.password_file, or give the service the credential {}",
            Server::credential(position)
        ));
    }
    Ok(Relay {
        section: section.clone(),
        host,
        port: server.port.unwrap_or(server.security.default_port()),
        security: server.security,
        from,
        login: server.login.clone(),
        allow_plain_login: server.allow_plain_login,
        ca_file: server.ca_file.clone(),
        verify: server.verify,
        timeout: server.timeout,
        connections: server.connections,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::settings::Security;
    use crate::settings::environment::Environment;
    use crate::settings::merge::merge;
    use crate::settings::petasan::ImportedSmtp;

    /// PetaSAN's settings as they are known; `Err` where they have no mail server.
    fn import(smtp: Result<(), &str>) -> Import {
        let smtp = smtp.map(|()| ImportedSmtp {
            host: "san".to_owned(),
            port: 25,
            security: Security::None,
            from: "san@example.org".parse().unwrap(),
            password: None,
        });
        Import {
            smtp: smtp.map_err(str::to_owned),
            followers: Vec::new(),
        }
    }

    /// The ways in a few words: each with its sender, the fallback with the minutes it waits.
    fn told(text: &str, import: Option<&Import>) -> (Vec<String>, usize) {
        let file = (std::path::Path::new("petanotify.toml"), text);
        let settings = merge(Some(file), &Environment::default()).unwrap().settings;
        let ways = ways(&settings, import);
        let relays = ways.relays.iter();
        let mut words: Vec<String> = relays
            .map(|relay| format!("{} {} {}", relay.section, relay.host, relay.from.email))
            .collect();
        words.extend(ways.fallback.map(|command| {
            let minutes = command.after.as_secs() / 60;
            format!("fallback {} {minutes}", command.from.email)
        }));
        (words, ways.missing.len())
    }

    const FIRST: &str = "[smtp]\nhost = \"a\"\nfrom = \"a@example.org\"\n";
    const FROM: &str = "[smtp]\nfrom = \"a@example.org\"\n";
    const SECOND: &str = "[[smtp.relay]]\nhost = \"b\"\n";
    const THIRD: &str = "[[smtp.relay]]\nhost = \"c\"\nfrom = \"c@example.org\"\n";
    const FALLBACK: &str = "[fallback]\ncommand = [\"sendmail\"]\n";

    #[test]
    fn ways_are_tried_in_the_order_of_the_file_and_have_a_sender() {
        let (set_up, not_set_up) = (import(Ok(())), import(Err("there is none")));
        type Case<'a> = (String, Option<&'a Import>, &'a [&'a str], usize);
        let table: &[Case<'_>] = &[
            (
                [FIRST, SECOND, THIRD, FALLBACK].concat(),
                None,
                &[
                    "smtp a a@example.org",
                    "smtp.relay[0] b a@example.org",
                    "smtp.relay[1] c c@example.org",
                    "fallback a@example.org 15",
                ],
                0,
            ),
            // The first is PetaSAN's, and so is the sender of all that have none.
            (
                [SECOND, FALLBACK].concat(),
                Some(&set_up),
                &[
                    "smtp san san@example.org",
                    "smtp.relay[0] b san@example.org",
                    "fallback san@example.org 15",
                ],
                0,
            ),
            // PetaSAN can't be asked: what has a sender goes on, and the fallback waits, for that may be over soon.
            (
                [SECOND, THIRD, FALLBACK].concat(),
                None,
                &["smtp.relay[1] c c@example.org", "fallback c@example.org 15"],
                2,
            ),
            // PetaSAN has no mail server.
            ([SECOND, FALLBACK].concat(), Some(&not_set_up), &[], 3),
            // The sender makes the file complete without PetaSAN.
            (
                [FROM, SECOND].concat(),
                Some(&set_up),
                &["smtp.relay[0] b a@example.org"],
                0,
            ),
            // Only a command: there is nothing that it could wait for.
            (
                [FROM, FALLBACK].concat(),
                None,
                &["fallback a@example.org 0"],
                0,
            ),
            (FALLBACK.to_owned(), Some(&not_set_up), &[], 2),
            (
                FALLBACK.to_owned(),
                Some(&set_up),
                &["smtp san san@example.org", "fallback san@example.org 15"],
                0,
            ),
            // A server that lacks something is one to wait for.
            (
                format!("{FIRST}username = \"u\"\n{FALLBACK}"),
                None,
                &["fallback a@example.org 15"],
                1,
            ),
        ];
        for (text, import, ways, missing) in table {
            let expected = ways.iter().map(|way| (*way).to_owned()).collect();
            assert_eq!(told(text, *import), (expected, *missing), "{text}");
        }
    }
}
