//! The part of the key-value store that several petanotify share: read with all that a check-and-set needs, written by
//! transactions, of which each is carried out as a whole or not at all.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Repeat};
use super::http::Answer;
use super::lock::{SessionId, understood};
use super::{Agent, found, key_policy, path_of, write_policy};
use crate::output::Log;

/// Consul carries out so many steps in one transaction (`maxTxnOps`).
pub const MOST_STEPS: usize = 64;

/// So many bytes may all values of one transaction have together, so that the request stays below Consul's 512 KiB
/// (`txn_max_req_len`): base64 makes four bytes of three, and 16 KiB are left for keys and what stands around them.
pub const MOST_BYTES: usize = (512 - 16) * 1024 / 4 * 3;

/// One key with what it takes to change it safely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Its value; empty where it has none.
    pub value: Vec<u8>,
    /// Raised by each change of the key; never 0.
    pub modify_index: u64,
    /// How often the lock was taken.
    pub lock_index: u64,
    /// The session that holds the key as a lock.
    pub session: Option<SessionId>,
}

/// How sure what is read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// What the leader knows after it has made sure that it still is one (`consistent`).
    Consistent,
    /// What the server that is asked knew last, which needs no leader (`stale`).
    Stale,
}

/// One step of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Goes on only if `session` holds the lock that `key` is.
    CheckSession {
        /// The lock.
        key: String,
        /// Who must hold it.
        session: SessionId,
    },
    /// Goes on only if `key` is there and was not changed since.
    CheckIndex {
        /// What was read.
        key: String,
        /// [`Entry::modify_index`] of then.
        index: u64,
    },
    /// Writes a value whatever is there.
    Set {
        /// The whole key.
        key: String,
        /// Its new value.
        value: Vec<u8>,
    },
    /// Writes a value only if the key was not changed since.
    Cas {
        /// The whole key.
        key: String,
        /// [`Entry::modify_index`] of what was read; 0 where there must be no such key.
        index: u64,
        /// Its new value.
        value: Vec<u8>,
    },
    /// Removes a key, if it is there.
    Delete {
        /// The whole key.
        key: String,
    },
    /// Removes all keys that begin so.
    DeleteTree {
        /// The beginning, usually a folder with its slash.
        prefix: String,
    },
}

impl Step {
    fn key(&self) -> &str {
        match self {
            Step::CheckSession { key, .. }
            | Step::CheckIndex { key, .. }
            | Step::Set { key, .. }
            | Step::Cas { key, .. }
            | Step::Delete { key } => key,
            Step::DeleteTree { prefix } => prefix,
        }
    }

    fn operation(&self) -> Operation<'_> {
        let operation = |verb| Operation {
            verb,
            key: self.key(),
            value: None,
            index: None,
            session: None,
        };
        match self {
            Step::CheckSession { session, .. } => Operation {
                session: Some(session.as_str()),
                ..operation("check-session")
            },
            Step::CheckIndex { index, .. } => Operation {
                index: Some(*index),
                ..operation("check-index")
            },
            Step::Set { value, .. } => Operation {
                value: Some(BASE64_STANDARD.encode(value)),
                ..operation("set")
            },
            Step::Cas { index, value, .. } => Operation {
                value: Some(BASE64_STANDARD.encode(value)),
                index: Some(*index),
                ..operation("cas")
            },
            Step::Delete { .. } => operation("delete"),
            Step::DeleteTree { .. } => operation("delete-tree"),
        }
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transacted {
    /// Each step was carried out.
    Done,
    /// None was, because what a step checks was not so: the lock is lost, or somebody else has written. In Consul's words.
    Refused(String),
}

impl Agent {
    /// Reads all keys that begin with `prefix`: `GET /v1/kv/PREFIX?recurse`. None where there are none, or where the token may
    /// see none, of which Consul says nothing.
    ///
    /// # Errors
    /// See [`Failure`]; `NoQuorum` too where no server is left that could answer a stale read.
    pub fn read_tree(
        &self,
        prefix: &str,
        freshness: Freshness,
        log: &Log,
    ) -> Result<Vec<Entry>, Failure> {
        self.read_entries(
            &format!("{}?recurse&", path_of(prefix)),
            prefix,
            freshness,
            log,
        )
    }

    /// The names of all keys that begin with `prefix`, without their values: `GET /v1/kv/PREFIX?keys`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn key_names(&self, prefix: &str, log: &Log) -> Result<Vec<String>, Failure> {
        let path = format!("{}?keys&consistent", path_of(prefix));
        let answer = self.ask_leader(Repeat::Harmless, || self.http.get(&path, log))?;
        match found(answer, &key_policy(prefix)).map_err(Failure::Refused)? {
            None => Ok(Vec::new()),
            Some(answer) => understood(&answer),
        }
    }

    /// Reads one key: `GET /v1/kv/KEY`. `None` if there is none.
    ///
    /// # Errors
    /// See [`Failure`]; `NoQuorum` too where no server is left that could answer a stale read.
    pub fn read_entry(
        &self,
        key: &str,
        freshness: Freshness,
        log: &Log,
    ) -> Result<Option<Entry>, Failure> {
        let entries = self.read_entries(&format!("{}?", path_of(key)), key, freshness, log)?;
        Ok(entries.into_iter().next())
    }

    fn read_entries(
        &self,
        question: &str,
        key: &str,
        freshness: Freshness,
        log: &Log,
    ) -> Result<Vec<Entry>, Failure> {
        let policy = key_policy(key);
        let answer = match freshness {
            Freshness::Consistent => {
                let path = format!("{question}consistent");
                self.ask_leader(Repeat::Harmless, || self.http.get(&path, log))?
            }
            Freshness::Stale => {
                self.not_silent().map_err(Failure::Unreachable)?;
                let answer = self.ask_any_server(&format!("{question}stale"), log);
                let answer = answer.map_err(|silence| Failure::Unreachable(silence.into()))?;
                if super::lacks_leader(&answer) {
                    return Err(Failure::NoQuorum(answer.refused(&policy)));
                }
                answer
            }
        };
        match found(answer, &policy).map_err(Failure::Refused)? {
            None => Ok(Vec::new()),
            Some(answer) => {
                parse_entries(&answer.body).map_err(|error| Failure::Refused(answer.error(error)))
            }
        }
    }

    /// Carries out all steps or none: `PUT /v1/txn`. At most [`MOST_STEPS`], with values of at most [`MOST_BYTES`] in all.
    ///
    /// # Errors
    /// See [`Failure`]. After `NoQuorum` nobody knows whether it was carried out.
    pub fn transact(&self, steps: &[Step], log: &Log) -> Result<Transacted, Failure> {
        let body = serde_json::to_vec(&request(steps))
            .map_err(|error| Failure::Refused(anyhow::Error::new(error)))?;
        let answer = self.ask_leader(Repeat::IfUnsent, || self.http.put("/v1/txn", &body, log))?;
        judge(&answer, steps)
    }
}

/// The document that `PUT /v1/txn` wants.
pub(super) fn request(steps: &[Step]) -> impl Serialize + '_ {
    let operations = steps.iter().map(|step| Wrapped {
        kv: step.operation(),
    });
    operations.collect::<Vec<_>>()
}

/// What the answer of `PUT /v1/txn` says.
fn judge(answer: &Answer, steps: &[Step]) -> Result<Transacted, Failure> {
    match answer.status {
        200 => return Ok(Transacted::Done),
        409 => {}
        _ => {
            let first = steps.first().map_or("", Step::key);
            return Err(Failure::Refused(answer.refused(&write_policy(first))));
        }
    }
    let conflict: Conflict = understood(answer)?;
    let errors = conflict.errors.unwrap_or_default();
    // Access control refuses single steps, in an answer that looks as if somebody else had written.
    let denied = errors
        .iter()
        .find(|error| error.what.contains("Permission denied"));
    if let Some(denied) = denied {
        let key = steps.get(denied.op_index).map_or("", Step::key);
        let what = format!("{key}: {}", denied.what);
        return Err(Failure::Refused(answer.hides(&what, &write_policy(key))));
    }
    let words: Vec<String> = errors.into_iter().map(|error| error.what).collect();
    Ok(Transacted::Refused(words.join("; ")))
}

/// Reads the answer of `GET /v1/kv/…`.
///
/// # Errors
/// It is no list of keys, or the value of one is no valid base64.
fn parse_entries(body: &[u8]) -> anyhow::Result<Vec<Entry>> {
    let stored: Vec<Stored> = super::parse(body)?;
    stored
        .into_iter()
        .map(|stored| {
            let value = BASE64_STANDARD.decode(stored.value.unwrap_or_default());
            Ok(Entry {
                value: value
                    .map_err(|error| anyhow::anyhow!("the value of {}: {error}", stored.key))?,
                key: stored.key,
                modify_index: stored.modify_index,
                lock_index: stored.lock_index,
                session: stored.session.as_deref().and_then(SessionId::parse),
            })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    key: String,
    value: Option<String>,
    modify_index: u64,
    lock_index: u64,
    session: Option<String>,
}

#[derive(Serialize)]
struct Wrapped<'a> {
    #[serde(rename = "KV")]
    kv: Operation<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Operation<'a> {
    verb: &'static str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Conflict {
    errors: Option<Vec<Mistake>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mistake {
    #[serde(default)]
    op_index: usize,
    #[serde(default)]
    what: String,
}
