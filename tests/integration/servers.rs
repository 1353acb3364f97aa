//! Consul's servers, which all agents of a stand-in have in common: keys with their indexes, sessions, locks and transactions.
//! They answer as Consul 1.8.7 did, see `recorded.rs`; but no session ends by itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::consul::Request;

#[derive(Default)]
pub(crate) struct Servers {
    /// Raised by each request that may write.
    index: u64,
    entries: BTreeMap<String, Entry>,
    sessions: BTreeMap<String, Session>,
    /// Until when nobody gets these locks.
    delays: BTreeMap<String, Instant>,
    /// Two of three servers are gone.
    pub(crate) leaderless: bool,
}

#[derive(Clone)]
struct Entry {
    /// As the API shows it, base64 mostly.
    value: String,
    created: u64,
    modified: u64,
    locked: u64,
    session: Option<String>,
}

impl Entry {
    fn document(&self, key: &str, with_value: bool) -> Value {
        let value = Some(&self.value).filter(|value| with_value && !value.is_empty());
        let mut document = json!({"LockIndex": self.locked, "Key": key, "Flags": 0, "Value": value,
            "CreateIndex": self.created, "ModifyIndex": self.modified});
        if let Some(session) = &self.session {
            document["Session"] = json!(session);
        }
        document
    }
}

struct Session {
    wanted: Value,
    node: String,
    lock_delay: Duration,
    created: u64,
}

/// What is said in place of a result: status and words.
type Refusal = (u16, String);

impl Servers {
    /// Sets a key to what the API is to show as its value, base64 or not.
    pub(crate) fn put_base64(&mut self, key: &str, value: &str) {
        self.index += 1;
        self.set(key, value.to_owned());
    }

    /// Sets a key to a text.
    pub(crate) fn put(&mut self, key: &str, text: &str) {
        self.put_base64(key, &STANDARD.encode(text));
    }

    /// What a key holds.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let value = STANDARD.decode(&self.entries.get(key)?.value).unwrap();
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// The keys that begin so.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.entries.keys().filter(|key| key.starts_with(prefix));
        keys.cloned().collect()
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.entries.remove(key);
    }

    /// Gives a lock to a session of this node, whoever had it.
    pub(crate) fn give_lock(&mut self, key: &str, node: &str) {
        self.index += 1;
        let session = self.create_session(json!({"LockDelay": "0s"}), node);
        if !self.entries.contains_key(key) {
            self.set(key, String::new());
        }
        let index = self.index;
        let entry = self.entries.get_mut(key).unwrap();
        entry.session = Some(session);
        entry.locked += 1;
        entry.modified = index;
    }

    /// The session that holds a lock.
    #[track_caller]
    pub(crate) fn lock_of(&self, key: &str) -> String {
        self.holder(key).expect("a lock that is held").to_owned()
    }

    /// Ends all sessions of a node, as when its machine is dead, or it makes no passes any more.
    pub(crate) fn end_sessions_of(&mut self, node: &str) {
        self.index += 1;
        let sessions = self.sessions.iter();
        let ended = sessions.filter(|(_, session)| session.node == node);
        for id in ended.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.end_session(&id);
        }
    }

    /// What comes of a request to the agent of `node`, about a key or a session or with a transaction.
    pub(crate) fn answer(&mut self, request: &Request, node: &str) -> (u16, String) {
        let is_read = request.method == "GET";
        if self.leaderless && !(is_read && request.is_stale()) {
            return (500, "No cluster leader".to_owned());
        }
        if !is_read {
            self.index += 1;
        }
        let parts: Vec<&str> = request.path.splitn(5, '/').collect();
        let answer = match (request.method.as_str(), &parts[1..]) {
            ("PUT", ["v1", "txn"]) => return self.transact(&request.json()),
            ("PUT", ["v1", "session", "create"]) => {
                Ok(json!({"ID": self.create_session(request.json(), node)}))
            }
            ("PUT", ["v1", "session", "renew" | "info", id]) => match self.session(id) {
                Some(session) => Ok(json!([session])),
                None => Err((404, format!("Session id '{id}' not found"))),
            },
            ("GET", ["v1", "session", "info", id]) => Ok(Value::from_iter(self.session(id))),
            ("PUT", ["v1", "session", "destroy", id]) => {
                self.end_session(id);
                Ok(json!(true))
            }
            (method, ["v1", "kv", ..]) => {
                let key = request.path.trim_start_matches("/v1/kv/");
                match method {
                    "GET" => self.read(request, key),
                    "PUT" => self.write(request, key).map(Value::from),
                    "DELETE" => {
                        let recurse = request.asks("recurse");
                        let is_meant =
                            |name: &str| name == key || (recurse && name.starts_with(key));
                        self.entries.retain(|name, _| !is_meant(name));
                        Ok(json!(true))
                    }
                    _ => Err((405, String::new())),
                }
            }
            _ => Err((404, String::new())),
        };
        match answer {
            Ok(Value::String(raw)) => (200, raw),
            Ok(document) => (200, document.to_string()),
            Err(refusal) => refusal,
        }
    }

    fn read(&self, request: &Request, key: &str) -> Result<Value, Refusal> {
        let is_tree = request.asks("recurse") || request.asks("keys");
        let is_wanted = |name: &str| name == key || (is_tree && name.starts_with(key));
        let found = self.entries.iter().filter(|(name, _)| is_wanted(name));
        let found: Vec<(&String, &Entry)> = found.collect();
        let Some((_, first)) = found.first() else {
            return Err((404, String::new()));
        };
        if request.asks("raw") {
            let raw = STANDARD.decode(&first.value).unwrap_or_default();
            return Ok(Value::String(String::from_utf8_lossy(&raw).into_owned()));
        }
        let found = found.into_iter();
        Ok(match request.asks("keys") {
            true => found.map(|(name, _)| json!(name)).collect(),
            false => found
                .map(|(name, entry)| entry.document(name, true))
                .collect(),
        })
    }

    fn write(&mut self, request: &Request, key: &str) -> Result<bool, Refusal> {
        let value = STANDARD.encode(&request.body);
        if let Some(index) = request.option("cas") {
            let is_current = self.modified(key) == index.parse().unwrap_or(u64::MAX);
            if is_current {
                self.set(key, value);
            }
            return Ok(is_current);
        }
        if let Some(session) = request.option("acquire") {
            if !self.sessions.contains_key(session) {
                return Err((500, format!("invalid session \"{session}\"")));
            }
            let holder = self.holder(key).map(str::to_owned);
            let is_free = holder.is_none() && !self.is_delayed(key);
            let is_ours = holder.as_deref() == Some(session);
            if is_free || is_ours {
                self.set(key, value);
                let index = self.index;
                let entry = self.entries.get_mut(key).unwrap();
                if is_free {
                    entry.session = Some(session.to_owned());
                    entry.locked += 1;
                    entry.modified = index;
                }
            }
            return Ok(is_free || is_ours);
        }
        if let Some(session) = request.option("release") {
            let is_ours = self.holder(key) == Some(session);
            if is_ours {
                self.set(key, value);
                self.free(key);
            }
            return Ok(is_ours);
        }
        self.set(key, value);
        Ok(true)
    }

    /// Writes a value; who writes what is there already changes nothing.
    fn set(&mut self, key: &str, value: String) {
        let index = self.index;
        let entry = self.entries.entry(key.to_owned()).or_insert(Entry {
            value: value.clone(),
            created: index,
            modified: index,
            locked: 0,
            session: None,
        });
        if entry.value != value {
            entry.value = value;
            entry.modified = index;
        }
    }

    fn modified(&self, key: &str) -> u64 {
        self.entries.get(key).map_or(0, |entry| entry.modified)
    }

    fn holder(&self, key: &str) -> Option<&str> {
        self.entries.get(key)?.session.as_deref()
    }

    fn is_delayed(&self, key: &str) -> bool {
        self.delays
            .get(key)
            .is_some_and(|until| Instant::now() < *until)
    }

    fn free(&mut self, key: &str) {
        let entry = self.entries.get_mut(key).unwrap();
        entry.session = None;
        entry.modified = self.index;
    }

    fn create_session(&mut self, wanted: Value, node: &str) -> String {
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.index);
        let delay = wanted["LockDelay"]
            .as_str()
            .and_then(|delay| delay.strip_suffix('s'));
        let session = Session {
            node: node.to_owned(),
            lock_delay: Duration::from_secs_f64(delay.unwrap().parse().unwrap()),
            created: self.index,
            wanted,
        };
        self.sessions.insert(id.clone(), session);
        id
    }

    fn session(&self, id: &str) -> Option<Value> {
        let session = self.sessions.get(id)?;
        Some(
            json!({"ID": id, "Name": session.wanted["Name"], "Node": session.node,
            "LockDelay": u64::try_from(session.lock_delay.as_nanos()).unwrap(), "Behavior": session.wanted["Behavior"],
            "TTL": session.wanted["TTL"], "NodeChecks": ["serfHealth"], "ServiceChecks": null,
            "CreateIndex": session.created, "ModifyIndex": session.created}),
        )
    }

    fn end_session(&mut self, id: &str) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        let held = |entry: &Entry| entry.session.as_deref() == Some(id);
        let keys = self.entries.iter().filter(|(_, entry)| held(entry));
        for key in keys.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.free(&key);
            self.delays.insert(key, Instant::now() + session.lock_delay);
        }
    }

    /// All steps are tried, and none is carried out if one fails.
    fn transact(&mut self, steps: &Value) -> (u16, String) {
        let before = self.entries.clone();
        let mut results = Vec::new();
        let mut errors = Vec::new();
        for (place, step) in steps.as_array().unwrap().iter().enumerate() {
            match self.step(&step["KV"]) {
                Ok(result) => results.extend(result.map(|result| json!({"KV": result}))),
                Err(what) => errors.push(json!({"OpIndex": place, "What": what})),
            }
        }
        if errors.is_empty() {
            return (200, json!({"Results": results, "Errors": null}).to_string());
        }
        self.entries = before;
        (409, json!({"Results": null, "Errors": errors}).to_string())
    }

    fn step(&mut self, step: &Value) -> Result<Option<Value>, String> {
        let key = step["Key"].as_str().unwrap();
        let value = || step["Value"].as_str().unwrap_or_default().to_owned();
        let index = self.modified(key);
        let is_there = self.entries.contains_key(key);
        match step["Verb"].as_str().unwrap() {
            "check-session" if !is_there => {
                return Err(format!(
                    "failed to check session, key \"{key}\" doesn't exist"
                ));
            }
            "check-session" => {
                let (holder, wanted) = (self.holder(key), step["Session"].as_str());
                if holder != wanted {
                    let (holder, wanted) = (holder.unwrap_or_default(), wanted.unwrap_or_default());
                    return Err(format!(
                        "failed session check for key \"{key}\", current session \"{holder}\" != \"{wanted}\""
                    ));
                }
            }
            "check-index" if !is_there => {
                return Err(format!(
                    "failed to check index, key \"{key}\" doesn't exist"
                ));
            }
            "check-index" if step["Index"] != index => {
                let wanted = &step["Index"];
                return Err(format!(
                    "failed index check for key \"{key}\", current modify index {index} != {wanted}"
                ));
            }
            "check-index" => {}
            "check-not-exists" if is_there => return Err(format!("key \"{key}\" exists")),
            "check-not-exists" => return Ok(None),
            "cas" if step["Index"] != index => {
                return Err(format!("failed to set key \"{key}\", index is stale"));
            }
            "set" | "cas" => self.set(key, value()),
            "delete" => {
                self.entries.remove(key);
                return Ok(None);
            }
            "delete-tree" => {
                self.entries.retain(|name, _| !name.starts_with(key));
                return Ok(None);
            }
            verb => return Err(format!("unknown operation \"{verb}\"")),
        }
        Ok(Some(self.entries[key].document(key, false)))
    }
}
