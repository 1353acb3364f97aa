//! Sessions, and the locks that are held by them: what Consul's guide on leader election is made of.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::failure::{Failure, Repeat};
use super::http::Answer;
use super::{Agent, path_of, write_policy};
use crate::output::Log;

/// What a token needs to create, renew and end a session of its node. Who may do that may see each session as well.
pub const SESSION_WRITE: &str = r#"session_prefix "" { policy = "write" }"#;

/// The id of a session: a UUID, so that it can stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// Takes what was written down as one; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_uuid = text.len() == 36
            && text
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        is_uuid.then(|| SessionId(text.to_owned()))
    }

    /// As Consul writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Agent {
    /// Creates a session of the agent's node: `PUT /v1/session/create`. It ends, and with it the locks it holds are released,
    /// when it is not renewed in time or the node has failed by the gossip (check `serfHealth`, which Consul adds by itself).
    ///
    /// Consul takes a `ttl` of 10 s to 24 h and ends the session between once and twice that after the last renewal (by 1.8
    /// always at twice). After it has ended nobody can take its locks for `lock_delay`.
    ///
    /// # Errors
    /// See [`Failure`]; `Refused` too while Consul does not know the agent's node yet.
    pub fn create_session(
        &self,
        name: &str,
        ttl: Duration,
        lock_delay: Duration,
        log: &Log,
    ) -> Result<SessionId, Failure> {
        let wanted = serde_json::json!({
            "Name": name,
            "TTL": format!("{}s", ttl.as_secs_f64()),
            "LockDelay": format!("{}s", lock_delay.as_secs_f64()),
            "Behavior": "release",
        });
        // Of two that were created the one that nobody knows of ends by itself.
        let answer = self.put("/v1/session/create", wanted.to_string().as_bytes(), log)?;
        if answer.status != 200 {
            return Err(Failure::Refused(answer.refused(SESSION_WRITE)));
        }
        let created: Created = understood(&answer)?;
        SessionId::parse(&created.id)
            .ok_or_else(|| Failure::Refused(answer.error("the session's id is no UUID")))
    }

    /// Renews a session: `PUT /v1/session/renew/ID`. `false` if there is none any more.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn renew_session(&self, session: &SessionId, log: &Log) -> Result<bool, Failure> {
        let path = format!("/v1/session/renew/{session}");
        let answer = self.put(&path, &[], log)?;
        match answer.status {
            200 => Ok(true),
            404 if answer.words().contains("not found") => Ok(false),
            _ => Err(Failure::Refused(answer.refused(SESSION_WRITE))),
        }
    }

    /// Ends a session, and releases its locks: `PUT /v1/session/destroy/ID`. One that has ended is no error.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn destroy_session(&self, session: &SessionId, log: &Log) -> Result<(), Failure> {
        let path = format!("/v1/session/destroy/{session}");
        let answer = self.put(&path, &[], log)?;
        match answer.status {
            200 => Ok(()),
            _ => Err(Failure::Refused(answer.refused(SESSION_WRITE))),
        }
    }

    /// The node whose agent created a session: `GET /v1/session/info/ID`. `None` if there is no such session any more.
    ///
    /// # Errors
    /// See [`Failure`]; `Refused` too if the token may not see sessions, which Consul does not say by itself.
    pub fn session_node(&self, session: &SessionId, log: &Log) -> Result<Option<String>, Failure> {
        let path = format!("/v1/session/info/{session}?consistent");
        let answer = self.ask_leader(Repeat::Harmless, || self.http.get(&path, log))?;
        if answer.status != 200 {
            return Err(Failure::Refused(answer.refused(SESSION_WRITE)));
        }
        let sessions: Option<Vec<Session>> = understood(&answer)?;
        let session = sessions.unwrap_or_default().into_iter().next();
        // Of one that the token may not see Consul says that there is none.
        if session.is_none() && (answer.filtered || self.hides("session", "any", log)) {
            let what = "the token may not see whose session it is";
            return Err(Failure::Refused(answer.hides(what, SESSION_WRITE)));
        }
        Ok(session.map(|session| session.node))
    }

    /// Takes the lock that `key` is, and writes `value` there: `PUT /v1/kv/KEY?acquire=ID`. `true` as well if the session holds
    /// it already; `false` if another one holds it, its lock-delay is not over, or this session has ended.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn acquire(
        &self,
        key: &str,
        session: &SessionId,
        value: &[u8],
        log: &Log,
    ) -> Result<bool, Failure> {
        let path = format!("{}?acquire={session}", path_of(key));
        let answer = self.put(&path, value, log)?;
        if answer.status == 500 && answer.words().contains("invalid session") {
            return Ok(false);
        }
        if answer.status != 200 {
            return Err(Failure::Refused(answer.refused(&write_policy(key))));
        }
        understood(&answer)
    }

    /// Asks the leader for a change which does the same when it is carried out twice.
    fn put(&self, path: &str, body: &[u8], log: &Log) -> Result<Answer, Failure> {
        self.ask_leader(Repeat::Harmless, || self.http.put(path, body, log))
    }
}

/// The answer as what it should be.
pub(super) fn understood<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let what =
            format_args!("cannot make sense of the answer: {error}; is this a Consul agent?");
        Failure::Refused(answer.error(what))
    })
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "ID")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Session {
    node: String,
}
