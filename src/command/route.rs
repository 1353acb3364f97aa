//! The ways of a mail by today's settings: mail servers, fallback, sender, recipients.

use std::sync::Arc;

use lettre::message::Mailbox;

use super::Context;
use super::observe::{self, Keep};
use crate::message::Sender;
use crate::queue::Recovery;
use crate::settings::petasan::{self, Import};
use crate::settings::ways::{self, Ways};
use crate::settings::{Recipient, petasan_cache};
use crate::test_message::place;

/// How a mail would leave, and who would get one.
#[derive(Debug, Clone)]
pub struct Route {
    /// How it can leave.
    pub ways: Ways,
    /// Who is told.
    pub recipients: Vec<Recipient>,
}

impl Route {
    /// What the file leaves to PetaSAN is read from Consul, as a pass does.
    pub fn asked(context: &Context, keep: Keep) -> Route {
        Route::by(context, observe::import_alone(context, keep).as_ref())
    }

    /// What the file leaves to PetaSAN is what the last pass has kept: the cluster is not asked.
    pub fn remembered(context: &Context) -> Route {
        let mut import = None;
        if observe::needs_import(&context.settings) {
            match petasan_cache::read(&context.import_cache()) {
                Ok(cached) => import = cached.map(|cached| cached.import),
                Err(error) => context.log.warning(format!("{error:#}")),
            }
        }
        Route::by(context, import.as_ref())
    }

    /// What the file leaves to PetaSAN is this import's.
    pub fn by(context: &Context, import: Option<&Import>) -> Route {
        Route {
            ways: ways::ways(&context.settings, import),
            recipients: petasan::recipients(&context.settings, import),
        }
    }

    /// The ways out, with a warning for each that is not as it should be; without any, what is missing goes to the log as an
    /// error.
    pub fn usable_ways(&self, context: &Context) -> Option<&Ways> {
        if self.ways.is_empty() {
            let missing = self.missing();
            context.log.error(format!("mail is not set up: {missing}"));
            return None;
        }
        self.warn(context);
        Some(&self.ways)
    }

    /// What is missing for mail to leave.
    pub fn missing(&self) -> String {
        self.ways.missing.join("; and ")
    }

    /// Says which way is closed, and where the mail server could be anybody.
    pub fn warn(&self, context: &Context) {
        for missing in &self.ways.missing {
            let warning = format!("a way out is closed: {missing}");
            context.log.warning(warning);
        }
        for relay in self.ways.relays.iter().filter(|relay| !relay.verify) {
            context.log.warning(format!(
                "{}.verify is false: the certificate of the mail server {} is not verified",
                relay.section,
                place(relay)
            ));
        }
    }
}

/// What a mail that leaves now says of its sender.
pub fn sender(context: &Context, from: Mailbox) -> Sender {
    Sender {
        from,
        zone: context.zone.clone(),
        node: node_name(),
        now: context.now,
        html: context.settings.mail.html,
        words: Arc::clone(&context.words),
    }
}

/// Whether recipients want to know that all is well again.
pub fn recovery(context: &Context) -> Recovery {
    match context.settings.notify.recovery {
        true => Recovery::Told,
        false => Recovery::Untold,
    }
}

/// The name of this machine.
fn node_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
