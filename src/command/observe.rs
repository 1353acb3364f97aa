//! Asking the cluster: Ceph and Consul side by side, so that a pass takes hardly longer than the slowest answer.

use std::path::Path;
use std::thread;

use super::Context;
use crate::alert::Observed;
use crate::audience::Roll;
use crate::ceph::{self, Answers, Wanted};
use crate::consul::{self, Agent};
use crate::facts::Membership;
use crate::settings::Settings;
use crate::settings::petasan::{self, Import};
use crate::settings::petasan_cache::{self, Cached};

/// What a pass has seen.
#[derive(Debug)]
pub struct Sight {
    /// For the judge.
    pub observed: Observed,
    /// The Consul datacenter's name, if it was seen.
    pub datacenter: Option<String>,
    /// Mail settings of PetaSAN; `None` where the file leaves nothing to PetaSAN.
    pub import: Option<Result<Fresh, String>>,
}

/// What was just read from PetaSAN.
#[derive(Debug)]
pub struct Fresh {
    import: Import,
    /// Something in it was odd: somebody may be missing.
    is_odd: bool,
}

/// Asks all that is to be asked, Consul through `agent` if that has been asked something in this pass already. Failures are
/// part of the answer, none stops the others.
pub fn observe(context: &Context, agent: Option<&Agent>) -> Sight {
    let settings = &context.settings;
    let log = &context.log;
    let words = |error: anyhow::Error| format!("{error:#}");
    let wanted = Wanted {
        usage: settings.checks.capacity.is_some(),
        health: settings.checks.health.is_some(),
        osd_tree: settings.checks.osds.is_some(),
        ..Wanted::default()
    };
    let _progress = log.waiting("asking Ceph and Consul");
    thread::scope(|scope| {
        let asked = scope.spawn(|| ceph::ask(&settings.ceph, wanted, log));
        let (nodes, datacenter, import) = ask_consul(context, agent);
        let answers = asked.join().unwrap_or_else(|_| {
            let panicked = "internal error: the thread that asked panicked";
            Answers::failed(wanted, panicked)
        });
        let (capacity, maintenance) = match answers.status.map(|status| status.map_err(words)) {
            Some(Ok(status)) => (Some(Ok(status.usage)), Some(status.maintenance)),
            Some(Err(cause)) => (Some(Err(cause)), None),
            None => (None, None),
        };
        Sight {
            observed: Observed {
                capacity: capacity.filter(|_| wanted.usage),
                maintenance,
                nodes,
                osds: answers.osd_tree.map(|tree| tree.map_err(words)),
                health: answers.health.map(|health| health.map_err(words)),
            },
            datacenter,
            import,
        }
    })
}

type ConsulSight = (
    Option<Result<Membership, String>>,
    Option<String>,
    Option<Result<Fresh, String>>,
);

fn ask_consul(context: &Context, agent: Option<&Agent>) -> ConsulSight {
    let settings = &context.settings;
    let wants_nodes = settings.checks.nodes.is_some();
    let wants_import = needs_import(settings);
    if !asks_consul(settings) {
        return (None, None, None);
    }
    let own = match agent {
        Some(_) => Ok(None),
        None => Agent::new(&settings.consul).map(Some),
    };
    let own = match own {
        Ok(own) => own,
        Err(error) => {
            let cause = format!("{error:#}");
            return (
                wants_nodes.then(|| Err(cause.clone())),
                None,
                wants_import.then_some(Err(cause)),
            );
        }
    };
    let Some(agent) = agent.or(own.as_ref()) else {
        return (None, None, None);
    };
    let members = (wants_nodes || settings.cluster_name.is_none())
        .then(|| agent.members(&context.log).map_err(|e| format!("{e:#}")));
    let datacenter = match &members {
        Some(Ok(members)) => members.datacenter.clone(),
        _ => None,
    };
    let nodes = members.filter(|_| wants_nodes).map(|members| {
        let members = members?;
        let prefix = &settings.consul.nodes_prefix;
        let keys = agent.keys(prefix, &context.log).map_err(|e| format!("{e:#}"))?;
        if keys.leaderless {
            context.log.warning(
                "Consul has no leader (too few servers are alive): the list of nodes is the last one this agent knows, \
                 and may be stale; look with: consul operator raft list-peers -stale",
            );
        }
        let mut membership = consul::membership(prefix, &keys, &members);
        agent.set_hidden_aside(prefix, &members, &mut membership, &context.log);
        Ok(membership)
    });
    let import = wants_import.then(|| read_import(agent, context));
    (nodes, datacenter, import)
}

/// Whether a pass has anything to ask Consul.
pub fn asks_consul(settings: &Settings) -> bool {
    settings.checks.nodes.is_some() || needs_import(settings) || settings.cluster_name.is_none()
}

/// Whether the file leaves mail server or recipients to PetaSAN.
pub fn needs_import(settings: &Settings) -> bool {
    settings.relay_is_petasans() || settings.recipients.is_empty()
}

/// Asks PetaSAN for what the file leaves open, and for nothing else. What is odd about it goes to the log.
fn read_import(agent: &Agent, context: &Context) -> Result<Fresh, String> {
    let (import, odd) = import_now(agent, context)?;
    let is_odd = !odd.is_empty();
    for warning in odd {
        context.log.warning(warning);
    }
    Ok(Fresh { import, is_odd })
}

/// How far the recipients can be relied on that come of these settings and of what was read.
pub fn roll(settings: &Settings, read: Option<&Result<Fresh, String>>) -> Roll {
    match read {
        _ if !settings.recipients.is_empty() => Roll::Whole,
        Some(Ok(fresh)) if fresh.is_odd => Roll::Read,
        Some(Ok(_)) => Roll::Whole,
        Some(Err(_)) | None => Roll::Old,
    }
}

/// Asks PetaSAN for what the file leaves open, and for nothing else; with it comes what was odd about it.
///
/// # Errors
/// Consul can't be read, in words for the admin.
pub fn import_now(agent: &Agent, context: &Context) -> Result<(Import, Vec<String>), String> {
    let words = |error: anyhow::Error| format!("{error:#}");
    let config = match context.settings.relay_is_petasans() {
        false => None,
        true => agent
            .key(petasan::CONFIG_KEY, &context.log)
            .map_err(words)?,
    };
    let mut users = Vec::new();
    let mut odd = Vec::new();
    if context.settings.recipients.is_empty() {
        let keys = agent
            .keys(petasan::USERS_PREFIX, &context.log)
            .map_err(words)?;
        for key in keys.entries {
            match key.value {
                Ok(value) => users.push((key.key, value)),
                Err(reason) => odd.push(format!("the user {}: {reason}; skipped", key.key)),
            }
        }
    }
    let (import, warnings) = petasan::parse(config.as_deref(), &users);
    odd.extend(warnings);
    Ok((import, odd))
}

/// The import to go by: what was just read, else the last good one from the cache, with a warning. A fresh one is kept if
/// `keep` is set.
pub fn settle_import(
    context: &Context,
    read: Option<Result<Fresh, String>>,
    keep: Keep,
) -> Option<Import> {
    let path = context.import_cache();
    match read? {
        Ok(Fresh { import, .. }) => {
            // Settings that have become unusable do not displace the last good ones.
            let good = !context.settings.relay_is_petasans() || import.smtp.is_ok();
            if keep == Keep::Yes && good {
                match petasan_cache::write(&path, &import, context.now) {
                    Ok(Some(told)) => context.log.warning(told),
                    Ok(None) => {}
                    Err(error) => context.log.warning(format!("{error:#}")),
                }
            }
            Some(import)
        }
        Err(cause) => match cached(&path, context, keep) {
            Ok(Some(cached)) => {
                context.log.warning(format!(
                    "PetaSAN's mail settings cannot be read, going on with those of {}: {cause}",
                    cached.read
                ));
                Some(cached.import)
            }
            Ok(None) => {
                context.log.warning(format!(
                    "PetaSAN's mail settings cannot be read, and none are kept from before: {cause}"
                ));
                None
            }
            Err(error) => {
                context.log.warning(format!(
                    "PetaSAN's mail settings cannot be read: {cause}; {error:#}"
                ));
                None
            }
        },
    }
}

fn cached(path: &Path, context: &Context, keep: Keep) -> anyhow::Result<Option<Cached>> {
    match keep {
        Keep::Yes => petasan_cache::load(path, context.now),
        Keep::No => petasan_cache::read(path),
    }
}

/// Whether a fresh import is written to the cache, and a broken cache set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// A pass keeps it.
    Yes,
    /// Who only looks writes nothing.
    No,
}

/// Reads the import, and nothing else of the cluster, if the settings leave anything to it.
pub fn import_alone(context: &Context, keep: Keep) -> Option<Import> {
    if !needs_import(&context.settings) {
        return None;
    }
    let progress = context.log.waiting("asking Consul");
    let read = Agent::new(&context.settings.consul)
        .map_err(|e| format!("{e:#}"))
        .and_then(|agent| read_import(&agent, context));
    drop(progress);
    settle_import(context, Some(read), keep)
}

/// Asks Consul for the name of its datacenter, and for nothing else. A failure goes to the log.
pub fn datacenter(context: &Context) -> Option<String> {
    let members =
        Agent::new(&context.settings.consul).and_then(|agent| agent.members(&context.log));
    match members {
        Ok(members) => members.datacenter,
        Err(error) => {
            context.log.info(format!("{error:#}"));
            None
        }
    }
}
