//! A mail server on loopback that does as the test says, and remembers all it was told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailparse::{MailHeaderMap, ParsedMail};
use rustls::ServerConfig;

use crate::wire::{Closed, Wire};

/// How the relay speaks TLS.
#[derive(Clone)]
pub(crate) enum Tls {
    /// Not at all: `STARTTLS` is neither offered nor understood.
    None,
    /// After `STARTTLS`, which `offered: false` leaves out of the answer to `EHLO`, as an attacker in between would.
    Upgrade {
        config: Arc<ServerConfig>,
        offered: bool,
    },
    /// From the first byte on.
    Implicit(Arc<ServerConfig>),
}

/// A point of the dialogue at which the relay can be told to misbehave: its answer to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The answer to the whole message.
    End,
    Quit,
}

impl Stage {
    pub(crate) const ALL: [Self; 9] = [
        Self::Greeting,
        Self::Ehlo,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::End,
        Self::Quit,
    ];
}

/// What the relay does in place of its usual answer.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Says this instead: code and text. With 421 it hangs up afterwards.
    Reply(String),
    /// Says nothing, until the client leaves.
    Hang,
    /// Hangs up. After the message this means: it was not taken.
    Drop,
    /// Takes the message for good, then hangs up before it has said so.
    TakeAndDrop,
    /// Takes the message for good, then never says so.
    TakeAndHang,
    /// One byte a second of an answer without an end.
    Drip,
    /// An answer without an end, as fast as it is read.
    Flood,
    /// Bytes that are no SMTP.
    Garbage,
    /// The usual answer, so much later.
    Late(Duration),
    /// The usual answer, and what has come in meanwhile is thrown away.
    Forget,
}

/// What more may come behind in the same packet, if the relay offers pipelining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Behind {
    Command,
    Text,
}

/// A fault that says `text`, code first.
pub(crate) fn says(text: &str) -> Fault {
    Fault::Reply(text.to_owned())
}

/// One connection, as far as it got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) secured: bool,
    /// The user who logged in.
    pub(crate) login: Option<String>,
    /// Every command line, credentials included.
    pub(crate) commands: Vec<String>,
}

/// A message that came in whole.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The index of the connection it came over.
    pub(crate) connection: usize,
    /// Whether the relay keeps it: taken for good, whether the client was told so or not.
    pub(crate) kept: bool,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// The message without the dots of transparency and without the closing one.
    pub(crate) raw: Vec<u8>,
}

impl Mail {
    pub(crate) fn parsed(&self) -> ParsedMail<'_> {
        mailparse::parse_mail(&self.raw).unwrap()
    }

    /// The decoded value of the only header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values = self.parsed().headers.get_all_values(name);
        assert!(
            values.len() <= 1,
            "{name} is there {} times: {values:?}",
            values.len()
        );
        values.into_iter().next()
    }

    pub(crate) fn subject(&self) -> String {
        self.header("Subject").expect("a mail without a subject")
    }

    pub(crate) fn id(&self) -> String {
        self.header("Message-ID")
            .expect("a mail without a Message-ID")
    }

    /// The plain text, decoded.
    pub(crate) fn text(&self) -> String {
        fn plain(part: &ParsedMail<'_>) -> Option<String> {
            if part.subparts.is_empty() {
                return (part.ctype.mimetype == "text/plain").then(|| part.get_body().unwrap());
            }
            part.subparts.iter().find_map(plain)
        }
        plain(&self.parsed()).expect("a mail without plain text")
    }
}

#[derive(Default)]
struct Log {
    connections: Vec<Connection>,
    mails: Vec<Mail>,
}

struct Script {
    tls: Tls,
    /// User and password; `AUTH` is offered only with it.
    login: Option<(String, String)>,
    mechanisms: String,
    /// Each with how often the stage still goes well before it.
    faults: HashMap<Stage, (usize, Fault)>,
    recipients: HashMap<String, String>,
    /// The longest message in bytes, as told in the answer to `EHLO`.
    size: usize,
    /// What goes wrong where more has come in than is answered at once.
    lies: HashMap<Behind, Fault>,
    /// Mails taken on one connection before it is ended with 421.
    per_connection: usize,
}

impl Script {
    /// What is to go wrong at this stage, this time.
    fn fault(&mut self, stage: Stage) -> Option<Fault> {
        let (times, fault) = self.faults.get_mut(&stage)?;
        if *times == 0 {
            return Some(fault.clone());
        }
        *times -= 1;
        None
    }
}

const SIZE: usize = 10 << 20;

struct Shared {
    script: Mutex<Script>,
    log: Mutex<Log>,
    changed: Condvar,
    closing: AtomicBool,
}

/// The mail server. It listens from `start` until it is dropped.
pub(crate) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Relay {
    /// A relay without TLS and login that takes everything.
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1")
    }

    /// The same at another address of this machine.
    pub(crate) fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Script {
                tls: Tls::None,
                login: None,
                mechanisms: "PLAIN LOGIN".to_owned(),
                faults: HashMap::new(),
                recipients: HashMap::new(),
                size: SIZE,
                lies: HashMap::new(),
                per_connection: usize::MAX,
            }),
            log: Mutex::default(),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || Dialogue::open(stream, shared));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn speak(&self, tls: Tls) {
        self.shared.script.lock().unwrap().tls = tls;
    }

    /// From now on only this user may send.
    pub(crate) fn require_login(&self, user: &str, password: &str) {
        self.shared.script.lock().unwrap().login = Some((user.to_owned(), password.to_owned()));
    }

    /// The mechanisms that `AUTH` offers, blank-separated; none at all when empty.
    pub(crate) fn offer_mechanisms(&self, mechanisms: &str) {
        mechanisms.clone_into(&mut self.shared.script.lock().unwrap().mechanisms);
    }

    /// From now on misbehaves at this stage, in every connection.
    pub(crate) fn fault(&self, stage: Stage, fault: Fault) {
        self.fault_after(0, stage, fault);
    }

    /// The same once the stage has gone well so many times.
    pub(crate) fn fault_after(&self, times: usize, stage: Stage, fault: Fault) {
        self.shared
            .script
            .lock()
            .unwrap()
            .faults
            .insert(stage, (times, fault));
    }

    /// Answers `RCPT TO` this address so.
    pub(crate) fn refuse(&self, recipient: &str, reply: &str) {
        self.shared
            .script
            .lock()
            .unwrap()
            .recipients
            .insert(recipient.to_owned(), reply.to_owned());
    }

    /// From now on says that it takes no longer messages.
    pub(crate) fn offer_size(&self, bytes: usize) {
        self.shared.script.lock().unwrap().size = bytes;
    }

    /// From now on can't do the pipelining it offers: misbehaves when it comes to answer a command or a text and something
    /// else has come in behind it.
    pub(crate) fn lie(&self, behind: Behind, fault: Fault) {
        self.shared
            .script
            .lock()
            .unwrap()
            .lies
            .insert(behind, fault);
    }

    /// Ends every connection with 421 once it has brought so many mails.
    pub(crate) fn allow_per_connection(&self, mails: usize) {
        self.shared.script.lock().unwrap().per_connection = mails;
    }

    /// Behaves again, at every stage and to every recipient.
    pub(crate) fn heal(&self) {
        let mut script = self.shared.script.lock().unwrap();
        script.faults.clear();
        script.recipients.clear();
        script.lies.clear();
        script.size = SIZE;
        script.per_connection = usize::MAX;
    }

    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.shared.log.lock().unwrap().connections.clone()
    }

    /// The mails the relay keeps, in the order in which they came.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.shared
            .log
            .lock()
            .unwrap()
            .mails
            .iter()
            .filter(|mail| mail.kept)
            .cloned()
            .collect()
    }

    /// Every message that came in whole, those included that were refused or never answered.
    pub(crate) fn seen(&self) -> Vec<Mail> {
        self.shared.log.lock().unwrap().mails.clone()
    }

    /// The mails kept since the last call, and forgets them.
    pub(crate) fn take_mails(&self) -> Vec<Mail> {
        let mails = std::mem::take(&mut self.shared.log.lock().unwrap().mails);
        mails.into_iter().filter(|mail| mail.kept).collect()
    }

    /// Waits until a client has got so far that the log fulfils `condition`.
    pub(crate) fn wait_for(&self, condition: impl Fn(&[Connection], &[Mail]) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        let mut log = self.shared.log.lock().unwrap();
        while !condition(&log.connections, &log.mails) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the relay waited in vain; it saw {:?}",
                log.connections
            );
            (log, _) = self.shared.changed.wait_timeout(log, left).unwrap();
        }
    }

    /// All that happened, to be read by a person.
    pub(crate) fn report(&self) -> String {
        let log = self.shared.log.lock().unwrap();
        let mut report = String::new();
        for (number, connection) in log.connections.iter().enumerate() {
            let tls = if connection.secured { "TLS" } else { "plain" };
            let _ = writeln!(
                report,
                "connection {number} ({tls}): {}",
                connection.commands.join(" | ")
            );
        }
        for mail in &log.mails {
            let kept = if mail.kept { "kept" } else { "not kept" };
            let raw = String::from_utf8_lossy(&mail.raw);
            let _ = writeln!(
                report,
                "mail over {} from <{}> to {:?}, {kept}:\n{raw}",
                mail.connection, mail.from, mail.to
            );
        }
        report
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that the port is free again.
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection being served.
struct Dialogue {
    wire: Wire,
    shared: Arc<Shared>,
    number: usize,
    from: Option<String>,
    to: Vec<String>,
    taken: usize,
}

/// What became of a command.
#[derive(PartialEq, Eq)]
enum Answered {
    Usual,
    Otherwise,
}

impl Dialogue {
    fn open(stream: TcpStream, shared: Arc<Shared>) {
        let number = {
            let mut log = shared.log.lock().unwrap();
            log.connections.push(Connection::default());
            shared.changed.notify_all();
            log.connections.len() - 1
        };
        let wire = Wire::new(stream);
        let mut dialogue = Self {
            wire,
            shared,
            number,
            from: None,
            to: Vec::new(),
            taken: 0,
        };
        let _ = dialogue.run();
    }

    fn run(&mut self) -> Result<(), Closed> {
        let tls = self.shared.script.lock().unwrap().tls.clone();
        if let Tls::Implicit(config) = &tls {
            self.secure(config)?;
        }
        self.answer(Stage::Greeting, "220 relay.test ESMTP stand-in")?;
        loop {
            let line = String::from_utf8_lossy(&self.wire.line()?).into_owned();
            self.note(|connection| connection.commands.push(line.clone()));
            let verb = line
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.greet(&tls)?,
                "HELO" => self.say("250 relay.test")?,
                "STARTTLS" => self.start_tls(&tls)?,
                "AUTH" => self.log_in(&line)?,
                "MAIL" => self.mail(&line)?,
                "RCPT" => self.rcpt(&line)?,
                "DATA" => self.data()?,
                "RSET" => {
                    self.forget();
                    self.say("250 2.0.0 as if nothing had been")?;
                }
                "NOOP" => self.say("250 2.0.0 here")?,
                "QUIT" => {
                    self.answer(Stage::Quit, "221 2.0.0 bye")?;
                    return Err(self.wire.drop_connection());
                }
                _ => self.say("500 5.5.2 what is that?")?,
            }
        }
    }

    fn greet(&mut self, tls: &Tls) -> Result<(), Closed> {
        self.forget();
        let mut words = vec![
            "relay.test".to_owned(),
            "8BITMIME".to_owned(),
            "PIPELINING".to_owned(),
            format!("SIZE {}", self.shared.script.lock().unwrap().size),
        ];
        if matches!(tls, Tls::Upgrade { offered: true, .. }) && !self.wire.is_secured() {
            words.push("STARTTLS".to_owned());
        }
        {
            let script = self.shared.script.lock().unwrap();
            if script.login.is_some() && !script.mechanisms.is_empty() {
                words.push(format!("AUTH {}", script.mechanisms));
            }
        }
        let last = words.pop().unwrap();
        let first: String = words.iter().map(|word| format!("250-{word}\r\n")).collect();
        self.answer(Stage::Ehlo, &format!("{first}250 {last}"))?;
        Ok(())
    }

    fn start_tls(&mut self, tls: &Tls) -> Result<(), Closed> {
        let Tls::Upgrade { config, .. } = tls else {
            return self.say("502 5.5.1 no TLS here");
        };
        if self.answer(Stage::StartTls, "220 2.0.0 go ahead")? == Answered::Usual {
            self.secure(config)?;
            self.forget();
        }
        Ok(())
    }

    fn secure(&mut self, config: &Arc<ServerConfig>) -> Result<(), Closed> {
        self.wire.secure(config)?;
        self.note(|connection| connection.secured = true);
        Ok(())
    }

    fn log_in(&mut self, line: &str) -> Result<(), Closed> {
        let Some((user, password)) = self.shared.script.lock().unwrap().login.clone() else {
            return self.say("503 5.5.1 no login here");
        };
        let mut words = line.split(' ').skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next().map(ToOwned::to_owned);
        let given = match mechanism.as_str() {
            "PLAIN" => {
                let answer = match initial {
                    Some(initial) => initial,
                    None => self.ask("334 ")?,
                };
                let decoded = STANDARD.decode(answer).unwrap_or_default();
                let mut parts = decoded
                    .split(|byte| *byte == 0)
                    .skip(1)
                    .map(|part| String::from_utf8_lossy(part).into_owned());
                (
                    parts.next().unwrap_or_default(),
                    parts.next().unwrap_or_default(),
                )
            }
            "LOGIN" => {
                let name = match initial {
                    Some(initial) => initial,
                    None => self.ask("334 VXNlcm5hbWU6")?,
                };
                let secret = self.ask("334 UGFzc3dvcmQ6")?;
                let plain = |text: String| {
                    String::from_utf8_lossy(&STANDARD.decode(text).unwrap_or_default()).into_owned()
                };
                (plain(name), plain(secret))
            }
            _ => return self.say("504 5.5.4 unknown mechanism"),
        };
        if given == (user, password) {
            if self.answer(Stage::Auth, "235 2.7.0 welcome")? == Answered::Usual {
                self.note(|connection| connection.login = Some(given.0));
            }
            Ok(())
        } else {
            self.answer(Stage::Auth, "535 5.7.8 authentication credentials invalid")?;
            Ok(())
        }
    }

    fn mail(&mut self, line: &str) -> Result<(), Closed> {
        let (must_log_in, worn_out) = {
            let script = self.shared.script.lock().unwrap();
            (script.login.is_some(), self.taken >= script.per_connection)
        };
        if worn_out {
            self.say("421 4.7.0 too many mails on one connection")?;
            return Err(self.wire.drop_connection());
        }
        if must_log_in && self.connection().login.is_none() {
            return self.say("530 5.7.0 authentication required");
        }
        if self.from.is_some() {
            return self.say("503 5.5.1 nested MAIL");
        }
        if self.answer(Stage::Mail, "250 2.1.0 fine")? == Answered::Usual {
            self.from = Some(address_in(line));
        }
        Ok(())
    }

    fn rcpt(&mut self, line: &str) -> Result<(), Closed> {
        if self.from.is_none() {
            return self.say("503 5.5.1 MAIL first");
        }
        let address = address_in(line);
        let refusal = self
            .shared
            .script
            .lock()
            .unwrap()
            .recipients
            .get(&address)
            .cloned();
        if let Some(refusal) = refusal {
            return self.say(&refusal);
        }
        if self.answer(Stage::Rcpt, "250 2.1.5 fine")? == Answered::Usual {
            self.to.push(address);
        }
        Ok(())
    }

    fn data(&mut self) -> Result<(), Closed> {
        if self.to.is_empty() {
            return self.say("503 5.5.1 RCPT first");
        }
        if self.answer(Stage::Data, "354 go on")? == Answered::Otherwise {
            return Ok(());
        }
        let body = if self.wire.starts_with(b".\r\n")? {
            Vec::new()
        } else {
            self.wire.until(b"\r\n.\r\n")?
        };
        let fault = self.fault(Stage::End, Behind::Text);
        let kept = matches!(
            fault,
            None | Some(Fault::TakeAndDrop | Fault::TakeAndHang | Fault::Late(_) | Fault::Forget)
        );
        let mail = Mail {
            connection: self.number,
            kept,
            from: self.from.clone().unwrap_or_default(),
            to: self.to.clone(),
            raw: undotted(&body),
        };
        self.shared.log.lock().unwrap().mails.push(mail);
        self.shared.changed.notify_all();
        self.taken += usize::from(kept);
        self.answer_with(fault, "250 2.0.0 taken")?;
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    fn ask(&mut self, question: &str) -> Result<String, Closed> {
        self.say(question)?;
        let line = String::from_utf8_lossy(&self.wire.line()?).into_owned();
        self.note(|connection| connection.commands.push(line.clone()));
        Ok(line)
    }

    fn say(&mut self, reply: &str) -> Result<(), Closed> {
        self.wire.send(format!("{reply}\r\n").as_bytes())?;
        if reply.starts_with("421") {
            return Err(self.wire.drop_connection());
        }
        Ok(())
    }

    /// Says the usual, unless the script knows better for this stage.
    fn answer(&mut self, stage: Stage, usual: &str) -> Result<Answered, Closed> {
        let fault = self.fault(stage, Behind::Command);
        self.answer_with(fault, usual)
    }

    /// What is to go wrong now.
    fn fault(&self, stage: Stage, behind: Behind) -> Option<Fault> {
        let mut script = self.shared.script.lock().unwrap();
        let fault = script.fault(stage);
        let lie = || script.lies.get(&behind).cloned();
        fault.or_else(|| lie().filter(|_| self.wire.has_more()))
    }

    fn answer_with(&mut self, fault: Option<Fault>, usual: &str) -> Result<Answered, Closed> {
        match fault {
            None => self.say(usual)?,
            Some(Fault::Late(delay)) => {
                thread::sleep(delay);
                self.say(usual)?;
            }
            Some(Fault::Forget) => {
                self.wire.forget();
                self.say(usual)?;
            }
            Some(Fault::Reply(reply)) => {
                self.say(&reply)?;
                return Ok(Answered::Otherwise);
            }
            Some(Fault::Hang | Fault::TakeAndHang) => return Err(self.wire.hang()),
            Some(Fault::Drop | Fault::TakeAndDrop) => return Err(self.wire.drop_connection()),
            Some(Fault::Drip) => return Err(self.wire.drip(b"250-never the last line\r\n")),
            Some(Fault::Flood) => {
                return Err(self
                    .wire
                    .flood("250-never the last line\r\n".repeat(1000).as_bytes()));
            }
            Some(Fault::Garbage) => {
                self.wire
                    .send(b"\x16\x03\x01\xff\xfe\x00 <html>not a mail server</html>\r\n\r\n")?;
                return Ok(Answered::Otherwise);
            }
        }
        Ok(Answered::Usual)
    }

    fn connection(&self) -> Connection {
        self.shared.log.lock().unwrap().connections[self.number].clone()
    }

    fn note(&self, change: impl FnOnce(&mut Connection)) {
        change(&mut self.shared.log.lock().unwrap().connections[self.number]);
        self.shared.changed.notify_all();
    }
}

/// What stands between the angle brackets.
fn address_in(line: &str) -> String {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line.find('>').unwrap_or(line.len());
    line.get(start..end).unwrap_or_default().to_owned()
}

/// Takes off the dot that RFC 5321, 4.5.2, puts before a line that begins with one.
fn undotted(body: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut rest = body;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    let undotted: Vec<&[u8]> = lines
        .into_iter()
        .map(|line| line.strip_prefix(b".").unwrap_or(line))
        .collect();
    let mut message = undotted.join(&b"\r\n"[..]);
    message.extend_from_slice(b"\r\n");
    message
}
