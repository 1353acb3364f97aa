//! A Consul agent on loopback: what its servers keep, the members, and faults on demand.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::servers::Servers;
use crate::wire::{Closed, Wire};

pub(crate) const NODES: &str = "/v1/kv/PetaSAN/Nodes/";
pub(crate) const MEMBERS: &str = "/v1/agent/members";
pub(crate) const TRANSACTION: &str = "/v1/txn";

/// What the gossip knows about a member, by Consul's number.
#[derive(Clone, Copy)]
pub(crate) enum Member {
    Alive = 1,
    Leaving = 2,
    Left = 3,
    Failed = 4,
}

/// What the agent does in place of its usual answer to a path.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status and body.
    Status(u16, String),
    /// 200 and these bytes.
    Body(Vec<u8>),
    /// The headers of a 200, then nothing more.
    HangAfterHeaders,
    /// The headers and half of the body, then nothing more.
    HangHalfway,
    /// Nothing at all.
    Hang,
    /// Hangs up without an answer.
    Close,
    /// Hangs up halfway through the body.
    CloseHalfway,
    /// A body without an end.
    Flood,
    /// One byte a second, without an end.
    Drip,
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) connection: usize,
    pub(crate) method: String,
    /// The path, percent-decoded, without the query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Header names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn is_stale(&self) -> bool {
        self.asks("stale")
    }

    pub(crate) fn asks(&self, option: &str) -> bool {
        self.option(option).is_some()
    }

    /// The value of an option of the query; empty where it has none.
    pub(crate) fn option(&self, option: &str) -> Option<&str> {
        let mut options = self.query.split('&');
        let mut options = options
            .by_ref()
            .map(|part| part.split_once('=').unwrap_or((part, "")));
        options
            .find(|(name, _)| *name == option)
            .map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether it writes a key with this end, in a transaction.
    pub(crate) fn writes(&self, end: &str) -> bool {
        let steps = (self.path == TRANSACTION).then(|| self.json());
        let steps = steps.iter().flat_map(|steps| steps.as_array().unwrap());
        let mut steps = steps.map(|step| &step["KV"]);
        steps.any(|step| {
            matches!(step["Verb"].as_str(), Some("set" | "cas"))
                && text(&step["Key"]).ends_with(end)
        })
    }
}

/// Which reads of a path a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    All,
    /// Only those without `?stale`.
    Default,
}

/// What happens in the midst of other things, once.
struct Event {
    when: Box<dyn Fn(&Request) -> bool + Send>,
    what: Happening,
}

type Happening = Box<dyn FnOnce(&Mutex<Servers>) + Send>;

struct Script {
    members: String,
    faults: HashMap<String, (Reads, Fault)>,
    events: Vec<Event>,
    token: Option<String>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    requests: Vec<Request>,
}

struct Shared {
    /// The node whose agent it is.
    node: String,
    servers: Arc<Mutex<Servers>>,
    script: Mutex<Script>,
    log: Mutex<Log>,
    changed: Condvar,
    closing: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

/// The agent. It listens from `start` until it is dropped.
pub(crate) struct Consul {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Consul {
    /// An agent of an empty cluster.
    pub(crate) fn start() -> Self {
        Self::listen(None, "node1", Arc::default(), "[]".to_owned())
    }

    /// The same over HTTPS.
    pub(crate) fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::listen(Some(config), "node1", Arc::default(), "[]".to_owned())
    }

    /// The agent of another node, with the same servers.
    pub(crate) fn agent_of(&self, node: &str) -> Self {
        let members = self.shared.script.lock().unwrap().members.clone();
        Self::listen(None, node, Arc::clone(&self.shared.servers), members)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        node: &str,
        servers: Arc<Mutex<Servers>>,
        members: String,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            node: node.to_owned(),
            servers,
            script: Mutex::new(Script {
                members,
                faults: HashMap::new(),
                events: Vec::new(),
                token: None,
            }),
            log: Mutex::default(),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
            tls,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    let _ = serve(stream, &shared);
                });
            }
        });
        Self { address, shared }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Five nodes, all of them members and alive: recorded answers of a real cluster.
    pub(crate) fn five_nodes(&self) {
        let entries: Value =
            serde_json::from_str(include_str!("../fixtures/consul/kv-nodes.json")).unwrap();
        for entry in entries.as_array().unwrap() {
            self.put_base64(&text(&entry["Key"]), &text(&entry["Value"]));
        }
        self.recorded_members(include_str!("../fixtures/consul/members.all-alive.json"));
    }

    /// The members as an answer recorded elsewhere says.
    pub(crate) fn recorded_members(&self, answer: &str) {
        answer.clone_into(&mut self.shared.script.lock().unwrap().members);
    }

    /// The members of the datacenter `petasan`.
    pub(crate) fn members(&self, members: &[(&str, Member)]) {
        self.members_of("petasan", members);
    }

    pub(crate) fn members_of(&self, datacenter: &str, members: &[(&str, Member)]) {
        let list: Vec<Value> = members
            .iter()
            .map(|(name, state)| {
                json!({"Name": name, "Addr": "127.0.10.1", "Port": 8301, "Status": *state as u8,
                    "Tags": {"dc": datacenter, "role": "consul", "build": "1.8.7:"}})
            })
            .collect();
        self.shared.script.lock().unwrap().members = Value::Array(list).to_string();
    }

    /// Sets a key to a JSON value.
    pub(crate) fn put(&self, key: &str, value: &Value) {
        self.put_base64(key, &STANDARD.encode(value.to_string()));
    }

    /// Sets what the API shows as the value of a key, base64 or not.
    pub(crate) fn put_base64(&self, key: &str, value: &str) {
        self.servers().put_base64(key, value);
    }

    /// A user of PetaSAN's web interface; with `follows` one whom its service mails.
    pub(crate) fn put_user(&self, name: &str, email: &str, follows: bool) {
        let user = json!({"name": name, "user_name": name, "password": "5f4dcc3b5aa765d61d8327deb882cf99",
            "email": email, "role_id": 1, "notfiy": follows});
        self.put(&format!("PetaSAN/Users/{name}"), &user);
    }

    pub(crate) fn delete(&self, key: &str) {
        self.servers().delete(key);
    }

    /// From now on misbehaves when asked for `path`.
    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.fault_for(path, Reads::All, fault);
    }

    pub(crate) fn fault_for(&self, path: &str, reads: Reads, fault: Fault) {
        self.shared
            .script
            .lock()
            .unwrap()
            .faults
            .insert(path.to_owned(), (reads, fault));
    }

    /// The same for everything an agent can be asked for.
    pub(crate) fn fault_everywhere(&self, fault: &Fault) {
        self.fault("*", fault.clone());
    }

    /// What is to happen when such a request has come in, before it is carried out, and once.
    pub(crate) fn before(
        &self,
        when: impl Fn(&Request) -> bool + Send + 'static,
        what: impl FnOnce(&Mutex<Servers>) + Send + 'static,
    ) {
        self.shared.script.lock().unwrap().events.push(Event {
            when: Box::new(when),
            what: Box::new(what),
        });
    }

    /// What the servers keep.
    pub(crate) fn servers(&self) -> MutexGuard<'_, Servers> {
        self.shared.servers.lock().unwrap()
    }

    /// With two of three servers gone only `?stale` reads and what the agents know themselves are answered.
    pub(crate) fn lose_leader(&self) {
        self.servers().leaderless = true;
    }

    /// From now on answers 403 to whoever comes without this token.
    pub(crate) fn require_token(&self, token: &str) {
        self.shared.script.lock().unwrap().token = Some(token.to_owned());
    }

    pub(crate) fn heal(&self) {
        let mut script = self.shared.script.lock().unwrap();
        script.faults.clear();
        drop(script);
        self.servers().leaderless = false;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().requests.clone()
    }

    /// Waits until somebody has asked for `path`.
    pub(crate) fn wait_for_request(&self, path: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        let mut log = self.shared.log.lock().unwrap();
        while !log.requests.iter().any(|request| request.path == path) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nobody asked Consul for {path}");
            (log, _) = self.shared.changed.wait_timeout(log, left).unwrap();
        }
    }

    /// All that was asked, to be read by a person.
    pub(crate) fn report(&self) -> String {
        let mut report = String::new();
        for request in self.requests() {
            let _ = writeln!(
                report,
                "{} {} {}?{}",
                request.connection, request.method, request.path, request.query
            );
        }
        report
    }
}

impl Drop for Consul {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> Result<(), Closed> {
    let mut wire = Wire::new(stream);
    let connection = {
        let mut log = shared.log.lock().unwrap();
        log.connections += 1;
        log.connections
    };
    if let Some(config) = &shared.tls {
        wire.secure(config)?;
    }
    loop {
        let request = read(&mut wire, connection)?;
        {
            shared.log.lock().unwrap().requests.push(request.clone());
            shared.changed.notify_all();
        }
        let (fault, status, body) = shared.take(&request);
        match fault {
            None => respond(&mut wire, status, body.as_bytes(), body.len())?,
            Some(Fault::Status(status, body)) => {
                respond(&mut wire, status, body.as_bytes(), body.len())?
            }
            Some(Fault::Body(body)) => respond(&mut wire, 200, &body, body.len())?,
            Some(Fault::HangAfterHeaders) => {
                respond(&mut wire, 200, b"", 4096)?;
                return Err(wire.hang());
            }
            Some(Fault::HangHalfway) => {
                respond(
                    &mut wire,
                    status,
                    &body.as_bytes()[..body.len() / 2],
                    body.len(),
                )?;
                return Err(wire.hang());
            }
            Some(Fault::Hang) => return Err(wire.hang()),
            Some(Fault::Close) => return Err(wire.drop_connection()),
            Some(Fault::CloseHalfway) => {
                respond(
                    &mut wire,
                    status,
                    &body.as_bytes()[..body.len() / 2],
                    body.len(),
                )?;
                return Err(wire.drop_connection());
            }
            Some(Fault::Flood) => {
                respond(&mut wire, 200, b"[", usize::MAX / 2)?;
                return Err(wire.flood(&b"{\"Name\":\"node1\",\"Status\":1},".repeat(1000)));
            }
            Some(Fault::Drip) => {
                respond(&mut wire, 200, b"[", usize::MAX / 2)?;
                return Err(wire.drip(b" "));
            }
        }
        if request
            .headers
            .get("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
        {
            return Err(wire.drop_connection());
        }
    }
}

fn read(wire: &mut Wire, connection: usize) -> Result<Request, Closed> {
    // The first byte of a TLS handshake: an agent without TLS takes it for a bad request and says so.
    if wire.starts_with(b"\x16")? {
        respond(wire, 400, b"", 0)?;
        return Err(wire.drop_connection());
    }
    let line = String::from_utf8_lossy(&wire.line()?).into_owned();
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HashMap::new();
    loop {
        let line = String::from_utf8_lossy(&wire.line()?).into_owned();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let body = wire.exactly(length)?;
    Ok(Request {
        connection,
        method,
        path: percent_decoded(path),
        query: query.to_owned(),
        headers,
        body,
    })
}

fn respond(wire: &mut Wire, status: u16, body: &[u8], length: usize) -> Result<(), Closed> {
    let head = format!(
        "HTTP/1.1 {status} Stand-in\r\nContent-Type: application/json\r\nX-Consul-Index: 1\r\nContent-Length: {length}\r\n\r\n"
    );
    wire.send(&[head.as_bytes(), body].concat())
}

impl Shared {
    /// What becomes of a request.
    fn take(&self, request: &Request) -> (Option<Fault>, u16, String) {
        let event = {
            let events = &mut self.script.lock().unwrap().events;
            let due = events.iter().position(|event| (event.when)(request));
            due.map(|due| events.remove(due))
        };
        if let Some(event) = event {
            (event.what)(&self.servers);
        }
        let script = self.script.lock().unwrap();
        let fault = script.fault_for(request);
        let (status, body) = match fault {
            // What is refused is not carried out; what is only not answered is.
            Some(Fault::Status(..)) => (0, String::new()),
            _ => script.answer(request, &mut self.servers.lock().unwrap(), &self.node),
        };
        (fault, status, body)
    }
}

impl Script {
    fn fault_for(&self, request: &Request) -> Option<Fault> {
        let (reads, fault) = self
            .faults
            .get(&request.path)
            .or_else(|| self.faults.get("*"))?;
        (*reads == Reads::All || !request.is_stale()).then(|| fault.clone())
    }

    fn answer(&self, request: &Request, servers: &mut Servers, node: &str) -> (u16, String) {
        if let Some(token) = &self.token {
            let bearer = request
                .headers
                .get("authorization")
                .and_then(|value| value.strip_prefix("Bearer "));
            let given = request
                .headers
                .get("x-consul-token")
                .map(String::as_str)
                .or(bearer);
            if given != Some(token) {
                return (403, "Permission denied".to_owned());
            }
        }
        match request.path.as_str() {
            MEMBERS => (200, self.members.clone()),
            "/v1/agent/self" => {
                let itself = json!({"Config": {"NodeName": node, "Version": "1.8.7"}});
                (200, itself.to_string())
            }
            "/v1/status/leader" => {
                let leader = if servers.leaderless {
                    ""
                } else {
                    "127.0.10.2:8300"
                };
                (200, json!(leader).to_string())
            }
            _ => servers.answer(request, node),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hex = others
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &others[2..];
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
