//! The edge to Consul: which nodes the cluster has (its key-value store) and which of them are alive (the agent's gossip); and
//! what several petanotify share there: sessions, locks and keys that are written by transactions.

mod failure;
mod http;
mod lock;
#[cfg(test)]
mod tests;
mod tree;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::borrowed::Text;
use crate::facts::{Absence, Membership, Presence};
use crate::output::Log;
use crate::settings::{self, HaMode};
use crate::trouble::{Case, Trouble};
pub use failure::Failure;
use http::{Answer, Http, Silence, must_contain};
pub use lock::{SESSION_WRITE, SessionId};
pub use tree::{Entry, Freshness, MOST_BYTES, MOST_STEPS, Step, Transacted};

/// Without a leader Consul keeps a read waiting for 7 s before it says so (`rpc_hold_timeout`). With a deadline shorter than this
/// its silence must be taken for the same.
const LEADER_HOLD: Duration = Duration::from_secs(8);

/// A client agent that meets a dead server says so, and asks the next one only when it is asked again. Five servers are the most
/// that Consul advises.
const STALE_ATTEMPTS: u32 = 5;

/// What a token needs to see members and what they are called.
const NODE_POLICY: &str = r#"node_prefix "" { policy = "read" }"#;

const LEFT_OUT: &str = "Consul's access control has left out a part";

/// The Consul agent, to be asked within one pass.
pub struct Agent {
    http: Http,
    timeout: Duration,
    leaderless: AtomicBool,
}

/// What the agent's gossip knows of all nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Name of the datacenter (tag `dc`).
    pub datacenter: Option<String>,
    /// By exact name. Where several members bear one name, one that is alive counts, else the most telling state.
    pub presence: BTreeMap<String, Presence>,
    /// Whether access control lists are in force (tag `acls`), which may hide members.
    pub acls: bool,
    /// The names of those that are servers (tag `role`).
    pub servers: BTreeSet<String>,
}

impl Members {
    /// Whether a member of this name is alive.
    pub fn is_alive(&self, name: &str) -> bool {
        self.presence.get(name) == Some(&Presence::Alive)
    }
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of its node.
    pub node: String,
    /// Consul's release, e.g. `1.8.7`.
    pub version: String,
    /// The name of its datacenter.
    pub datacenter: Option<String>,
}

/// What lies below a prefix of the key-value store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// In Consul's order; none where the prefix does not exist.
    pub entries: Vec<Key>,
    /// Consul has no leader: the entries are what the answering server knew last.
    pub leaderless: bool,
}

/// One entry of the key-value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The whole key.
    pub key: String,
    /// Its value, or why it can't be read.
    pub value: Result<Vec<u8>, String>,
}

impl Agent {
    /// Prepares to ask; nothing is sent yet.
    ///
    /// # Errors
    /// `consul.address` is none that can be asked, or a file of the TLS settings can't be read.
    pub fn new(settings: &settings::Consul) -> anyhow::Result<Self> {
        Ok(Agent {
            http: Http::new(settings)?,
            timeout: settings.timeout,
            leaderless: AtomicBool::new(false),
        })
    }

    /// Asks which nodes the gossip knows: `GET /v1/agent/members`.
    ///
    /// # Errors
    /// No answer, one that can't be understood, or one from which access control lists have taken members away.
    pub fn members(&self, log: &Log) -> anyhow::Result<Members> {
        self.not_silent()?;
        let answer = self.http.get("/v1/agent/members", log)?;
        if answer.status != 200 {
            return Err(answer.refused(NODE_POLICY));
        }
        if answer.filtered {
            return Err(answer.hides(LEFT_OUT, NODE_POLICY));
        }
        let members =
            parse_members(&answer.body).map_err(|error| answer.error(format_args!("{error:#}")))?;
        // The agent that answers is a member itself and alive.
        if !members
            .presence
            .values()
            .any(|&presence| presence == Presence::Alive)
        {
            return Err(answer.hides(
                "no member is alive, not even this agent, so its access control hides them",
                NODE_POLICY,
            ));
        }
        Ok(members)
    }

    /// Reads all keys below `prefix`: `GET /v1/kv/PREFIX?recurse`. Where Consul has no leader the same is asked with `stale`.
    ///
    /// # Errors
    /// No answer, one that can't be understood, or one from which access control lists have taken keys away.
    pub fn keys(&self, prefix: &str, log: &Log) -> anyhow::Result<Keys> {
        let path = format!("{}?recurse", path_of(prefix));
        let policy = key_policy(prefix);
        let entries = match self.read(&path, &policy, log)? {
            Some(answer) => {
                parse_keys(&answer.body).map_err(|error| answer.error(format_args!("{error:#}")))?
            }
            None => Vec::new(),
        };
        let leaderless = self.leaderless.load(Ordering::Relaxed);
        // Of keys that the token may not see a list says nothing, not even that there are some.
        if entries.is_empty() && !leaderless && self.hides("key", prefix, log) {
            return Err(anyhow!(Trouble::new(
                Case::NotAllowed,
                format!("Consul: the token may not see what lies below {prefix}"),
                must_contain(&policy),
            )));
        }
        Ok(Keys {
            entries,
            leaderless,
        })
    }

    /// Reads one key; `None` if it does not exist.
    ///
    /// # Errors
    /// No answer, or one that can't be understood.
    pub fn key(&self, key: &str, log: &Log) -> anyhow::Result<Option<Vec<u8>>> {
        let policy = key_policy(key);
        let Some(answer) = self.read(&path_of(key), &policy, log)? else {
            return Ok(None);
        };
        let entries: Vec<Listed<'_>> =
            parse(&answer.body).map_err(|error| answer.error(format_args!("{error:#}")))?;
        let Some(entry) = entries.first() else {
            return Ok(None);
        };
        match entry.decoded() {
            Ok(value) => Ok(Some(value.unwrap_or_default())),
            Err(reason) => Err(answer.error(reason)),
        }
    }

    /// Asks the agent who it is: `GET /v1/agent/self`. `None` where the token may not see that: a session shows as much.
    ///
    /// # Errors
    /// No answer, or one that can't be understood.
    pub fn identity(&self, log: &Log) -> anyhow::Result<Option<Identity>> {
        self.not_silent()?;
        let answer = self.http.get("/v1/agent/self", log)?;
        match answer.status {
            200 => {}
            401 | 403 => return Ok(None),
            _ => return Err(answer.refused("")),
        }
        let itself: Itself = serde_json::from_slice(&answer.body)
            .map_err(|error| answer.error(format_args!("cannot make sense of it: {error}")))?;
        Ok(Some(Identity {
            node: itself.config.node_name,
            version: itself.config.version,
            datacenter: itself.config.datacenter,
        }))
    }

    /// Asks who leads the servers: `GET /v1/status/leader`. `None` while nobody does.
    ///
    /// # Errors
    /// No answer, or one that can't be understood.
    pub fn leader(&self, log: &Log) -> anyhow::Result<Option<String>> {
        self.not_silent()?;
        let answer = self.http.get("/v1/status/leader", log)?;
        if lacks_leader(&answer) {
            return Ok(None);
        }
        if answer.status != 200 {
            return Err(answer.refused(NODE_POLICY));
        }
        let leader: String = serde_json::from_slice(&answer.body)
            .map_err(|error| answer.error(format_args!("cannot make sense of it: {error}")))?;
        Ok(Some(leader).filter(|leader| !leader.is_empty()))
    }

    /// Sets aside, as unreadable, the nodes that are missing only because the token may not see them: old releases of Consul
    /// leave members out without a word. Asks nothing where no node is missing or no access control lists are in force.
    pub fn set_hidden_aside(
        &self,
        prefix: &str,
        members: &Members,
        membership: &mut Membership,
        log: &Log,
    ) {
        let missing: Vec<&str> = membership
            .nodes
            .iter()
            .filter(|&(_, &presence)| presence == Presence::Down(Absence::Missing))
            .map(|(name, _)| name.as_str())
            .collect();
        if missing.is_empty() || !members.acls || self.http.silences() > 0 {
            return;
        }
        match self.hidden("node", &missing, log) {
            Ok(hidden) => {
                for name in hidden {
                    if membership.nodes.remove(&name).is_some() {
                        membership.unreadable.insert(
                            format!("{prefix}{name}"),
                            format!(
                                "the token may not see whether it is alive: its policy must contain {NODE_POLICY}"
                            ),
                        );
                    }
                }
            }
            // Such a question is answered since Consul 1.7. Without an answer the members count as they are.
            Err(error) => log.debug(format_args!("{error:#}")),
        }
    }

    /// Whether the token may not see what bears this name. Where there is no access control, that is not answered.
    fn hides(&self, resource: &str, name: &str, log: &Log) -> bool {
        let hidden = self.hidden(resource, &[name], log);
        hidden.is_ok_and(|hidden| !hidden.is_empty())
    }

    /// Those of `names` that the token may not see.
    fn hidden(&self, resource: &str, names: &[&str], log: &Log) -> anyhow::Result<Vec<String>> {
        let questions: Vec<Question<'_>> = names
            .iter()
            .map(|name| Question {
                resource,
                access: "read",
                segment: name,
            })
            .collect();
        let questions = serde_json::to_string(&questions)?;
        let answer = self
            .http
            .post("/v1/internal/acl/authorize", &questions, log)?;
        if answer.status != 200 {
            return Err(answer.error(answer.status));
        }
        let verdicts: Vec<Verdict> =
            serde_json::from_slice(&answer.body).map_err(|error| answer.error(error))?;
        Ok(verdicts
            .into_iter()
            .filter(|verdict| !verdict.allow)
            .map(|verdict| verdict.segment)
            .collect())
    }

    /// Reads a path of the key-value store; `None` where nothing is there.
    fn read(&self, path: &str, policy: &str, log: &Log) -> anyhow::Result<Option<Answer>> {
        self.not_silent()?;
        if !self.leaderless.load(Ordering::Relaxed) {
            match self.http.get(path, log) {
                Ok(answer) if !lacks_leader(&answer) => return found(answer, policy),
                Err(Silence::Timeout(_)) if self.timeout < LEADER_HOLD => {}
                Err(silence) => return Err(silence.into()),
                Ok(_) => {}
            }
        }
        let separator = if path.contains('?') { '&' } else { '?' };
        let answer = self.ask_any_server(&format!("{path}{separator}stale"), log)?;
        let found = found(answer, policy)?;
        self.leaderless.store(true, Ordering::Relaxed);
        Ok(found)
    }

    /// `GET` of a path that a server may answer which has no leader.
    fn ask_any_server(&self, stale: &str, log: &Log) -> Result<Answer, Silence> {
        let mut answer = self.http.get(stale, log)?;
        for _ in 1..STALE_ATTEMPTS {
            if !lacks_leader(&answer) {
                break;
            }
            answer = self.http.get(stale, log)?;
        }
        Ok(answer)
    }

    /// An agent that hangs would otherwise use up the time of each question of the pass. One that kept silent only because it
    /// looked for a leader has an answer to what needs none.
    fn not_silent(&self) -> anyhow::Result<()> {
        let leaderless = self.leaderless.load(Ordering::Relaxed);
        if self.http.silences() > u32::from(leaderless) {
            return Err(anyhow!(
                "Consul: not asked, as the agent did not answer an earlier question of this pass"
            ));
        }
        Ok(())
    }
}

/// What an answer of the key-value store holds; `None` where nothing is there.
fn found(answer: Answer, policy: &str) -> anyhow::Result<Option<Answer>> {
    match answer.status {
        200 if answer.filtered => Err(answer.hides(LEFT_OUT, policy)),
        200 => Ok(Some(answer)),
        // Another server, which does not know the path at all, has something to say about it.
        404 if answer.words().is_empty() => Ok(None),
        _ => Err(answer.refused(policy)),
    }
}

/// The smallest policy with which a token may see the members and read these keys, and share what is below `ha.prefix` with
/// other nodes in the way that `ha.mode` says, in the language of Consul's policies.
pub fn smallest_policy(keys: &[&str], ha: &settings::Ha) -> String {
    let mut rules = vec![NODE_POLICY.to_owned()];
    for key in keys {
        let rule = key_policy(key);
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    let session = match ha.mode {
        HaMode::Auto | HaMode::Off => None,
        // Where PetaSAN's leader does not run petanotify a lock of our own decides.
        HaMode::Consul | HaMode::Petasan => Some(SESSION_WRITE),
    };
    if let Some(session) = session {
        rules.push(folder_policy(&ha.prefix));
        rules.push(session.to_owned());
    }
    rules.join(" ")
}

/// What a token needs to read `key`. One rule for the whole top folder covers all that is ever asked on a PetaSAN cluster.
fn key_policy(key: &str) -> String {
    let folder = key.split_inclusive('/').next().unwrap_or_default();
    format!("key_prefix {folder:?} {{ policy = \"read\" }}")
}

/// What a token needs to write `key`: the folder that its own folder lies in, which is that of all keys that petanotify shares.
fn write_policy(key: &str) -> String {
    let mut folders = key.rmatch_indices('/').map(|(at, _)| &key[..=at]);
    let own = folders.next().unwrap_or(key);
    folder_policy(folders.next().unwrap_or(own))
}

fn folder_policy(folder: &str) -> String {
    format!("key_prefix {folder:?} {{ policy = \"write\" }}")
}

/// Whether a read failed because the servers have no leader, or because the one they had can't be reached.
fn lacks_leader(answer: &Answer) -> bool {
    if answer.status != 500 {
        return false;
    }
    let words = answer.words().to_ascii_lowercase();
    words.contains("leader") || words.contains("rpc error")
}

/// The path of a key, its bytes escaped as RFC 3986, section 2.1 demands; a slash separates folders.
fn path_of(key: &str) -> String {
    let mut path = String::from("/v1/kv/");
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing into a String can't fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

fn parse<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> anyhow::Result<T> {
    // Go writes an empty list as null.
    read_json::<Option<T>>(body)
        .map(Option::unwrap_or_default)
        .map_err(|error| {
            anyhow!("cannot make sense of the answer: {error}; is this a Consul agent?")
        })
}

/// Looks for invalid UTF-8 once in the whole text rather than in each of its thousands of strings.
fn read_json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> serde_json::Result<T> {
    match str::from_utf8(text) {
        Ok(text) => serde_json::from_str(text),
        // Where nobody reads it, it does no harm.
        Err(_) => serde_json::from_slice(text),
    }
}

/// Reads the answer of `GET /v1/agent/members`.
///
/// # Errors
/// It is no list of members.
pub fn parse_members(body: &[u8]) -> anyhow::Result<Members> {
    let list: Vec<Member<'_>> = parse(body)?;
    let mut members = Members::default();
    for member in list {
        let tags = member.tags.unwrap_or_default();
        members.acls |= tags.acls.is_some_and(|Text(acls)| acls != "0");
        if members.datacenter.is_none() {
            let named = tags.dc.filter(|Text(dc)| !dc.is_empty());
            members.datacenter = named.map(|Text(dc)| dc.into_owned());
        }
        if tags.role.is_some_and(|Text(role)| role == "consul") {
            members.servers.insert(member.name.clone().into_owned());
        }
        // The numbers are those of hashicorp/serf, serf.MemberStatus.
        let presence = match member.status {
            1 => Presence::Alive,
            2 => Presence::Down(Absence::Leaving),
            3 => Presence::Down(Absence::Left),
            4 => Presence::Down(Absence::Failed),
            _ => Presence::Down(Absence::Missing),
        };
        members
            .presence
            .entry(member.name.into_owned())
            .and_modify(|known| {
                if rank(presence) < rank(*known) {
                    *known = presence;
                }
            })
            .or_insert(presence);
    }
    Ok(members)
}

/// Of several members with one name, the state of the lowest rank counts.
fn rank(presence: Presence) -> u8 {
    match presence {
        Presence::Alive => 0,
        Presence::Down(Absence::Failed) => 1,
        Presence::Down(Absence::Leaving) => 2,
        Presence::Down(Absence::Left) => 3,
        Presence::Down(Absence::Missing) => 4,
    }
}

/// Reads the answer of `GET /v1/kv/PREFIX?recurse`.
///
/// # Errors
/// It is no list of keys. A key whose value can't be read is none.
pub fn parse_keys(body: &[u8]) -> anyhow::Result<Vec<Key>> {
    let entries: Vec<Listed<'_>> = parse(body)?;
    Ok(entries
        .into_iter()
        .map(|entry| Key {
            value: match entry.decoded() {
                Ok(Some(value)) => Ok(value),
                Ok(None) => Err("it has no value".to_owned()),
                Err(reason) => Err(reason),
            },
            key: entry.key.into_owned(),
        })
        .collect())
}

/// Judges which of the nodes listed below `prefix` are alive. Names are compared exactly.
///
/// A node's name is the field `name` of its value. The prefix itself, folders and keys in folders below it are no nodes.
pub fn membership(prefix: &str, keys: &Keys, members: &Members) -> Membership {
    let servers = || {
        let servers = members.servers.iter();
        let servers = servers.map(|name| (name.clone(), presence_of(members, name)));
        servers.collect()
    };
    let mut membership = Membership {
        leaderless: keys.leaderless.then(servers),
        ..Membership::default()
    };
    for entry in &keys.entries {
        let Some(rest) = entry.key.strip_prefix(prefix) else {
            continue;
        };
        if rest.is_empty() || rest.contains('/') {
            continue;
        }
        let name = match &entry.value {
            Ok(value) => node_name(value),
            Err(reason) => Err(reason.clone()),
        };
        match name {
            Ok(name) => {
                let presence = presence_of(members, &name);
                membership.nodes.insert(name, presence);
            }
            Err(reason) => {
                membership.unreadable.insert(entry.key.clone(), reason);
            }
        }
    }
    membership
}

fn presence_of(members: &Members, name: &str) -> Presence {
    let known = members.presence.get(name).copied();
    known.unwrap_or(Presence::Down(Absence::Missing))
}

fn node_name(value: &[u8]) -> Result<String, String> {
    match read_json(value) {
        Ok(Node { name: None }) => Err("its value has no name".to_owned()),
        Ok(Node { name: Some(name) }) => match name {
            Maybe::Text(name) if name.is_empty() => Err("its name is empty".to_owned()),
            Maybe::Text(name) => Ok(name.into_owned()),
            Maybe::Other(_) => Err("its name is no text".to_owned()),
        },
        Err(error) if error.is_data() => Err("its value has no name".to_owned()),
        Err(error) => Err(format!("its value is no JSON: {error}")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Itself {
    config: ItsConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ItsConfig {
    node_name: String,
    version: String,
    datacenter: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Member<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    tags: Option<Tags<'a>>,
    status: i64,
}

#[derive(Default, Deserialize)]
struct Tags<'a> {
    #[serde(borrow)]
    dc: Option<Text<'a>>,
    #[serde(borrow)]
    acls: Option<Text<'a>>,
    #[serde(borrow)]
    role: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Option<Maybe<'a>>,
}

impl Listed<'_> {
    /// The value; `None` where the key has none.
    fn decoded(&self) -> Result<Option<Vec<u8>>, String> {
        match &self.value {
            None => Ok(None),
            Some(Maybe::Text(text)) => BASE64_STANDARD
                .decode(text.as_bytes())
                .map(Some)
                .map_err(|error| format!("its value is no valid base64: {error}")),
            Some(Maybe::Other(_)) => {
                Err("its value is no valid base64 but another kind of JSON".to_owned())
            }
        }
    }
}

/// The value of a node's key. Derived, a list would do as well.
struct Node<'a> {
    name: Option<Maybe<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a node")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
                let mut node = Node { name: None };
                while let Some(Text(field)) = map.next_key()? {
                    if field == "name" {
                        node.name = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(node)
            }
        }

        deserializer.deserialize_map(NodeVisitor)
    }
}

/// What should be a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Maybe<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Other(IgnoredAny),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    resource: &'a str,
    access: &'a str,
    segment: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Verdict {
    segment: String,
    allow: bool,
}
