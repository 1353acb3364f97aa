//! The way of a mail by today's settings: mail server, sender, recipients.

use lettre::message::Mailbox;

use super::Context;
use super::observe::{self, Keep};
use crate::message::Sender;
use crate::queue::Recovery;
use crate::settings::petasan::{self, Import};
use crate::settings::{Recipient, Relay, petasan_cache};

/// How a mail would leave, and who would get one.
#[derive(Debug, Clone)]
pub struct Route {
    /// The mail server, or what is missing, in words for the admin.
    pub relay: Result<Relay, String>,
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
            relay: petasan::relay(&context.settings.smtp, import),
            recipients: petasan::recipients(&context.settings, import),
        }
    }

    /// The mail server, with a warning where it could be anybody; without one, what is missing goes to the log as an error.
    pub fn usable_relay(&self, context: &Context) -> Option<&Relay> {
        match &self.relay {
            Ok(relay) => {
                if !relay.verify {
                    context.log.warning(
                        "smtp.verify is false: the mail server's certificate is not verified",
                    );
                }
                Some(relay)
            }
            Err(missing) => {
                context.log.error(format!("mail is not set up: {missing}"));
                None
            }
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
