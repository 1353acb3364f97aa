//! The session against scripted servers on loopback.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Delivery, Outgoing, Session};
use crate::output::{Log, Priority};
use crate::settings::{Login, Relay, Secret, Security};

use Step::*;

/// A limit that a sound run stays far below.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a session waits for a server that is meant to hang.
const SHORT: Duration = Duration::from_millis(300);

const MESSAGE: &[u8] = b"Subject: test\r\n\r\n.leading dot\r\nlast line\r\n";

/// One of [`Delivery`]'s kinds, and what it must say.
type Expected = (fn(String) -> Delivery, &'static str);

/// What the server does next on a connection.
#[derive(Clone)]
enum Step {
    Say(&'static str),
    /// Reads a line, which must begin so.
    Hear(&'static str),
    /// Reads so many bytes.
    Read(usize),
    /// Reads up to the end of data.
    HearData,
    /// Lets the client begin a TLS handshake.
    Tls(Arc<ServerConfig>),
    /// Waits until the client goes away.
    Hang,
    /// Repeats this byte at a pace that keeps every read(2) from timing out.
    Dribble(u8),
    /// Says these bytes.
    Raw(&'static [u8]),
    /// Says these bytes one by one.
    Piecemeal(&'static [u8]),
    /// Throws away what has come in.
    Forget,
    /// Waits for the test to come to the same point.
    Meet(Arc<Barrier>),
    /// Repeats these bytes as fast as they are taken.
    Flood(&'static [u8]),
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn both(&mut self) -> &mut dyn ReadWrite {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.as_mut(),
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A server that takes as many connections as it has scripts, and then no more.
struct Server {
    port: u16,
    heard: Receiver<Vec<String>>,
}

impl Server {
    fn start(scripts: Vec<Vec<Step>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, heard) = channel();
        thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                tell.send(play(stream, script)).ok();
            }
        });
        Server { port, heard }
    }

    /// What was heard on the next connection, once it has ended.
    fn transcript(&self) -> Vec<String> {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }
}

fn play(stream: TcpStream, script: Vec<Step>) -> Vec<String> {
    let mut heard = Vec::new();
    let mut stream = Stream::Plain(stream);
    for step in script {
        match step {
            Say(line) => {
                if stream
                    .both()
                    .write_all(format!("{line}\r\n").as_bytes())
                    .is_err()
                {
                    heard.push(format!("could not say {line}"));
                }
            }
            Read(bytes) => {
                let mut text = vec![0; bytes];
                stream.both().read_exact(&mut text).unwrap();
            }
            Hear(start) => {
                let line = read_until(stream.both(), "\r\n");
                let expected = line.starts_with(start);
                heard.push(line);
                if !expected {
                    heard.push(format!("instead of {start}"));
                    break;
                }
            }
            HearData => heard.push(read_until(stream.both(), "\r\n.\r\n")),
            Tls(config) => {
                let Stream::Plain(tcp) = stream else {
                    panic!("TLS twice")
                };
                let connection = ServerConnection::new(config).unwrap();
                let mut tls = StreamOwned::new(connection, tcp);
                if let Err(error) = tls.conn.complete_io(&mut tls.sock) {
                    heard.push(format!("TLS: {error}"));
                    tls.sock.shutdown(Shutdown::Both).ok();
                    return heard;
                }
                stream = Stream::Tls(Box::new(tls));
            }
            Hang => while stream.both().read(&mut [0]).is_ok_and(|n| n > 0) {},
            Dribble(byte) => {
                while stream.both().write_all(&[byte]).is_ok() {
                    thread::sleep(SHORT / 10);
                }
            }
            Raw(bytes) => stream.both().write_all(bytes).unwrap(),
            Piecemeal(bytes) => {
                for byte in bytes {
                    stream.both().write_all(&[*byte]).unwrap();
                    thread::yield_now();
                }
            }
            Forget => {
                let Stream::Plain(tcp) = &mut stream else {
                    panic!("what TLS holds is out of sight")
                };
                tcp.set_nonblocking(true).unwrap();
                while tcp.read(&mut [0]).is_ok_and(|n| n > 0) {}
                tcp.set_nonblocking(false).unwrap();
            }
            Meet(point) => drop(point.wait()),
            Flood(bytes) => while stream.both().write_all(bytes).is_ok() {},
        }
    }
    heard
}

fn read_until(stream: &mut dyn ReadWrite, end: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(end.as_bytes()) {
        match stream.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            _ => {
                text.extend_from_slice(b"<end>");
                break;
            }
        }
    }
    let text = String::from_utf8(text).unwrap();
    text.strip_suffix("\r\n").unwrap_or(&text).to_owned()
}

fn relay(port: u16) -> Relay {
    Relay {
        section: "smtp".to_owned(),
        host: "localhost".to_owned(),
        port,
        security: Security::None,
        from: "storage@example.org".parse().unwrap(),
        login: None,
        allow_plain_login: false,
        ca_file: None,
        verify: true,
        timeout: PATIENCE,
        connections: 1,
    }
}

fn login() -> Option<Login> {
    Some(Login {
        username: "storage".to_owned(),
        password: Secret::new("s3cret/pass"),
    })
}

fn session(relay: Relay) -> Session {
    Session::new(relay, Log::new(Priority::Error, false))
}

fn far() -> Instant {
    Instant::now() + 2 * PATIENCE
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn send(session: &mut Session, to: &str) -> Delivery {
    send_from(session, "storage@example.org", &address(to), MESSAGE, far())
}

fn send_from(
    session: &mut Session,
    from: &str,
    to: &Address,
    message: &[u8],
    deadline: Instant,
) -> Delivery {
    let mail = Outgoing {
        from: &address(from),
        to,
        message,
    };
    session.send(&mail, None, deadline)
}

#[track_caller]
fn assert_words(delivery: &Delivery, kind: fn(String) -> Delivery, pieces: &[&str]) {
    assert_eq!(
        std::mem::discriminant(delivery),
        std::mem::discriminant(&kind(String::new())),
        "{delivery:?}"
    );
    for piece in pieces {
        assert!(delivery.words().contains(piece), "{piece}: {delivery:?}");
    }
}

#[track_caller]
fn assert_sent(session: &mut Session, to: &str) {
    let delivery = send(session, to);
    assert_words(&delivery, Delivery::Accepted, &["queued as A1"]);
}

fn greeted() -> Vec<Step> {
    talk("S 220 mail.example ready | C EHLO  | S 250 mail.example")
}

fn greeted_then(lines: &'static str) -> Vec<Step> {
    [greeted(), talk(lines)].concat()
}

fn one_mail() -> Vec<Step> {
    [
        talk("C MAIL FROM:<storage@example.org> | S 250 ok | C RCPT TO: | S 250 ok"),
        talk("C DATA | S 354 go on | C . | S 250 2.0.0 queued as A1"),
    ]
    .concat()
}

/// The first steps of a mail: two each for MAIL, RCPT, DATA and the message.
fn mail_steps(count: usize) -> Vec<Step> {
    one_mail()[..count].to_vec()
}

fn mail_then(count: usize, lines: &'static str) -> Vec<Step> {
    [mail_steps(count), talk(lines)].concat()
}

fn goodbye() -> Vec<Step> {
    talk("C QUIT | S 221 bye")
}

fn script(parts: &[Vec<Step>]) -> Vec<Step> {
    parts.concat()
}

/// Steps in short: `S 220 hello | C EHLO` says the one and hears the other; `C .` hears up to the end of data.
fn talk(lines: &'static str) -> Vec<Step> {
    let steps = lines.split(" | ").map(|line| match line.split_at(2) {
        ("C ", ".") => HearData,
        ("C ", start) => Hear(start),
        ("S ", line) => Say(line),
        _ => panic!("{line}: neither side says it"),
    });
    steps.collect()
}

#[test]
fn mails_share_one_connection() {
    let server = Server::start(vec![script(&[
        greeted(),
        one_mail(),
        one_mail(),
        goodbye(),
    ])]);
    let mut session = session(relay(server.port));
    for to in ["a@example.org", "b@example.org"] {
        assert_eq!(
            send(&mut session, to),
            Delivery::Accepted("250 2.0.0 queued as A1".to_owned())
        );
    }
    session.close();
    let heard = server.transcript();
    let data = "Subject: test\r\n\r\n..leading dot\r\nlast line\r\n.";
    assert_eq!(
        heard[1..],
        [
            "MAIL FROM:<storage@example.org>",
            "RCPT TO:<a@example.org>",
            "DATA",
            data,
            "MAIL FROM:<storage@example.org>",
            "RCPT TO:<b@example.org>",
            "DATA",
            data,
            "QUIT"
        ]
    );
}

#[test]
fn a_refused_mail_does_not_hold_up_the_next() {
    let refusals: [(Vec<Step>, Expected); 6] = [
        (
            talk("C MAIL | S 452 no space"),
            (Delivery::Deferred, "MAIL: 452 no space"),
        ),
        (
            talk("C MAIL | S 250 ok | C RCPT | S 550-5.1.1 no | S 550 5.1.1 such user"),
            (Delivery::Refused, "RCPT: 550 5.1.1 no such user"),
        ),
        (
            talk("C MAIL | S 250 ok | C RCPT | S 450 later"),
            (Delivery::Deferred, "RCPT: 450 later"),
        ),
        (
            talk("C MAIL | S 250 ok | C RCPT | S 250 ok | C DATA | S 554 no valid recipients"),
            (Delivery::Refused, "DATA: 554 no valid recipients"),
        ),
        (
            mail_then(7, "S 552 too big"),
            (Delivery::Refused, "end of data: 552 too big"),
        ),
        (
            mail_then(7, "S 451 try again"),
            (Delivery::Deferred, "end of data: 451 try again"),
        ),
    ];
    for (refusal, (kind, words)) in refusals {
        let server = Server::start(vec![script(&[
            greeted(),
            refusal,
            talk("C RSET | S 250 ok"),
            one_mail(),
            goodbye(),
        ])]);
        let mut session = session(relay(server.port));
        assert_words(&send(&mut session, "a@example.org"), kind, &[words]);
        assert_sent(&mut session, "b@example.org");
        session.close();
        assert_eq!(server.transcript().last().unwrap(), "QUIT");
    }
}

#[test]
fn a_failing_rset_costs_only_the_connection() {
    for answer in [
        vec![Say("500 what?")],
        vec![Say("421 closing")],
        vec![Say("garbage")],
        vec![],
    ] {
        let server = Server::start(vec![
            script(&[
                greeted(),
                talk("C MAIL | S 250 ok | C RCPT | S 550 no | C RSET"),
                answer,
            ]),
            script(&[greeted(), one_mail(), goodbye()]),
        ]);
        let mut session = session(relay(server.port));
        assert_words(&send(&mut session, "a@example.org"), Delivery::Refused, &[]);
        assert_sent(&mut session, "b@example.org");
        session.close();
        server.transcript();
        assert_eq!(server.transcript().last().unwrap(), "QUIT");
    }
}

#[test]
fn a_kept_connection_that_the_server_ended_is_replaced_once() {
    for end in [
        vec![],
        vec![Say("421 4.4.2 timeout")],
        talk("C MAIL | S 421 4.7.0 too many mails"),
        vec![Hear("MAIL")],
    ] {
        let ends_by_itself = !end.iter().any(|step| matches!(step, Hear(_)));
        let server = Server::start(vec![
            script(&[greeted(), one_mail(), end]),
            script(&[greeted(), one_mail(), goodbye()]),
        ]);
        let mut session = session(relay(server.port));
        assert_sent(&mut session, "a@example.org");
        let ended = ends_by_itself.then(|| server.transcript());
        assert_sent(&mut session, "b@example.org");
        session.close();
        let heard = ended.unwrap_or_else(|| server.transcript());
        assert!(!heard.contains(&"RCPT TO:<b@example.org>".to_owned()));
        let heard = server.transcript();
        assert!(heard.contains(&"RCPT TO:<b@example.org>".to_owned()));
        assert_eq!(heard.last().unwrap(), "QUIT");
    }
    let server = Server::start(vec![
        script(&[greeted(), one_mail(), vec![]]),
        greeted_then("C MAIL | S 421 overloaded"),
        script(&[greeted(), one_mail(), goodbye()]),
    ]);
    let mut session = session(relay(server.port));
    send(&mut session, "a@example.org");
    assert_words(
        &send(&mut session, "b@example.org"),
        Delivery::RelayDown,
        &["MAIL: 421 overloaded"],
    );
}

#[test]
fn what_holds_for_every_mail_is_asked_once() {
    let faults: [(Vec<Step>, &str); 12] = [
        (
            vec![Say("421 too many connections")],
            "greeting: 421 too many connections",
        ),
        (vec![Say("554 no mail here")], "greeting: 554 no mail here"),
        (vec![Say("450 busy")], "greeting: 450 busy"),
        (vec![], "greeting: the server closed the connection"),
        (
            vec![Say("HTTP/1.1 400 Bad Request")],
            "greeting: no SMTP reply: HTTP/1.1 400 Bad Request; is that a mail server? check smtp.host and smtp.port",
        ),
        (
            talk("S 220 hello | C EHLO | S 502 not known"),
            "EHLO: 502 not known",
        ),
        (
            talk("S 220 hello | C EHLO | S 550 bad name"),
            "EHLO: 550 bad name",
        ),
        (
            greeted_then("C MAIL | S 550 5.7.1 sender not allowed"),
            "MAIL: 550 5.7.1 sender not allowed; check smtp.from",
        ),
        (
            greeted_then("C MAIL | S 530 5.7.0 Authentication required"),
            "MAIL: 530 5.7.0 Authentication required; the server wants a login: set smtp.username",
        ),
        (
            greeted_then("C MAIL | S 530 5.7.0 Must issue a STARTTLS command first"),
            r#"set smtp.security = "starttls""#,
        ),
        (
            greeted_then("C MAIL"),
            "MAIL: the server closed the connection",
        ),
        (
            greeted_then("C MAIL | S 250 ok | C RCPT | S 421 shutting down"),
            "RCPT: 421 shutting down",
        ),
    ];
    for (fault, words) in faults {
        let server = Server::start(vec![fault]);
        let mut session = session(relay(server.port));
        let first = send(&mut session, "a@example.org");
        assert_words(&first, Delivery::RelayDown, &[words]);
        assert!(first.words().starts_with("localhost:"), "{first:?}");
        // The server takes no second connection: another attempt would be told as one that was refused.
        assert_eq!(send(&mut session, "b@example.org"), first);
    }
}

#[test]
fn a_hang_ends_at_every_stage() {
    let refused_then_reset = talk("C MAIL | S 452 no space | C RSET");
    let stages: [(Vec<Step>, Expected); 9] = [
        (
            vec![],
            (
                Delivery::RelayDown,
                "at greeting; if the server expects TLS",
            ),
        ),
        (
            talk("S 220 hello | C EHLO"),
            (Delivery::RelayDown, "at EHLO"),
        ),
        (
            talk("S 220 hello | C EHLO | S 250-mail.example"),
            (Delivery::RelayDown, "at EHLO"),
        ),
        (
            script(&[login_offered("250 AUTH PLAIN"), vec![Hear("AUTH")]]),
            (Delivery::RelayDown, "at login"),
        ),
        (greeted_then("C MAIL"), (Delivery::RelayDown, "at MAIL")),
        (
            [greeted(), mail_steps(3)].concat(),
            (Delivery::RelayDown, "at RCPT"),
        ),
        (
            [greeted(), mail_steps(5)].concat(),
            (Delivery::RelayDown, "at DATA"),
        ),
        (
            [greeted(), mail_steps(7)].concat(),
            (
                Delivery::InDoubt,
                "at end of data; it may have been accepted",
            ),
        ),
        (
            [greeted(), refused_then_reset].concat(),
            (Delivery::RelayDown, "at RSET"),
        ),
    ];
    thread::scope(|scope| {
        for (before, (kind, stage)) in stages {
            for end in [Hang, Dribble(b'2')] {
                let script = [before.clone(), vec![end]].concat();
                let login = script.iter().any(|step| matches!(step, Hear("AUTH")));
                scope.spawn(move || {
                    let server = Server::start(vec![script]);
                    let relay = Relay {
                        timeout: SHORT,
                        ..relay(server.port)
                    };
                    let mut session = session(if login { with_login(relay) } else { relay });
                    if stage == "at RSET" {
                        send(&mut session, "first@example.org");
                    }
                    let first = send(&mut session, "a@example.org");
                    assert_words(&first, kind, &["no answer within 0.3s", stage]);
                    assert_eq!(
                        send(&mut session, "b@example.org"),
                        Delivery::RelayDown(first.words().to_owned())
                    );
                });
            }
        }
    });
}

#[test]
fn endless_answers_end() {
    for (flood, words) in [
        (&b"220-welcome\r\n"[..], "more than 64 KiB"),
        (b"220-", "a line of more than 2000 bytes: 220-220-"),
        (b"\n", "no SMTP reply"),
    ] {
        let server = Server::start(vec![vec![Flood(flood)]]);
        let mut session = session(relay(server.port));
        assert_words(
            &send(&mut session, "a@example.org"),
            Delivery::RelayDown,
            &["greeting: ", words],
        );
    }
}

#[test]
fn answers_may_be_odd() {
    let server = Server::start(vec![script(&[
        vec![
            // Latin-1, bare LF, one line longer than the RFC has it, a code alone.
            Raw(b"220-Gr\xfc\xdf Gott\n220 ready\n"),
            Hear("EHLO"),
            Raw(
                [&b"250-"[..], [b'x'; 1900].as_slice(), b"\r\n250 8bitmime\n"]
                    .concat()
                    .leak(),
            ),
            Hear("MAIL FROM:<storage@example.org> BODY=8BITMIME"),
            Raw(b"250\n"),
            Hear("RCPT"),
            Raw(b"250\r\n"),
            Hear("DATA"),
            Raw(b"354-\r\n354 go\r\n"),
            HearData,
            Raw(b"250 Nachricht f\xfcr Sie angenommen\r\n"),
            Hear("MAIL"),
            Raw(b"550-5.7.1 Nein\r\n550-5.7.1  \xfc\x1b[2J\r\n550 5.7.11 nie\r\n"),
        ],
        goodbye(),
    ])]);
    let mut session = session(relay(server.port));
    let first = send_from(
        &mut session,
        "storage@example.org",
        &address("a@example.org"),
        "Subject: x\r\n\r\nüber\r\n".as_bytes(),
        far(),
    );
    assert_eq!(
        first,
        Delivery::Accepted("250 Nachricht f\u{fffd}r Sie angenommen".to_owned())
    );
    assert_words(
        &send(&mut session, "b@example.org"),
        Delivery::RelayDown,
        &["MAIL: 550 5.7.1 Nein \u{fffd} [2J 5.7.11 nie"],
    );
    drop(session);
    assert_eq!(server.transcript().last().unwrap(), "QUIT");
}

#[test]
fn answers_that_nobody_asked_for_are_not_taken_for_success() {
    for (script, kind, words) in [
        (
            [
                greeted(),
                mail_steps(5),
                vec![Raw(b"354 go on\r\n250 queued\r\n"), Hear("<end>")],
            ]
            .concat(),
            Delivery::Deferred as fn(String) -> Delivery,
            "DATA: the server spoke unasked: 250 queued",
        ),
        (
            vec![
                Say("220 hello"),
                Hear("EHLO"),
                Raw(b"250 hello\r\n250 ok\r\n"),
                Hear("<end>"),
            ],
            Delivery::RelayDown,
            "MAIL: the server spoke unasked: 250 ok",
        ),
    ] {
        let server = Server::start(vec![script]);
        let mut session = session(relay(server.port));
        assert_words(&send(&mut session, "a@example.org"), kind, &[words]);
        assert_eq!(server.transcript().last().unwrap(), "<end>");
    }
}

#[test]
fn the_deadline_holds_where_the_step_has_time() {
    let server = Server::start(vec![[greeted(), vec![Hear("MAIL"), Hang]].concat()]);
    let mut session = session(relay(server.port));
    let delivery = send_from(
        &mut session,
        "storage@example.org",
        &address("a@example.org"),
        MESSAGE,
        Instant::now() + SHORT,
    );
    assert_words(
        &delivery,
        Delivery::RelayDown,
        &["its time in this pass ended", "at MAIL"],
    );
}

#[test]
fn a_deadline_in_the_past_tries_nothing() {
    let mut session = session(relay(1));
    let delivery = send_from(
        &mut session,
        "storage@example.org",
        &address("a@example.org"),
        MESSAGE,
        Instant::now(),
    );
    assert_words(&delivery, Delivery::RelayDown, &["not tried"]);
}

#[test]
fn a_connection_lost_with_the_mail_is_no_end_of_the_pass() {
    let cases: [(usize, Expected); 3] = [
        (
            3,
            (Delivery::Deferred, "RCPT: the server closed the connection"),
        ),
        (
            5,
            (Delivery::Deferred, "DATA: the server closed the connection"),
        ),
        (
            7,
            (
                Delivery::InDoubt,
                "end of data: the server closed the connection; it may have been accepted",
            ),
        ),
    ];
    for (steps, (kind, words)) in cases {
        let server = Server::start(vec![
            [greeted(), mail_steps(steps)].concat(),
            script(&[greeted(), one_mail(), goodbye()]),
        ]);
        let mut session = session(relay(server.port));
        assert_words(&send(&mut session, "a@example.org"), kind, &[words]);
        server.transcript();
        assert_sent(&mut session, "b@example.org");
        session.close();
        let heard = server.transcript();
        assert!(heard.contains(&"RCPT TO:<b@example.org>".to_owned()));
        assert!(!heard.contains(&"RCPT TO:<a@example.org>".to_owned()));
    }
}

#[test]
fn answers_that_cannot_come_there_are_not_taken_for_success() {
    let cases: [(Vec<Step>, Expected); 2] = [
        (
            [greeted(), mail_steps(5), vec![Say("250 ok"), Hang]].concat(),
            (Delivery::Deferred, "DATA: unexpected answer: 250 ok"),
        ),
        (
            [greeted(), mail_steps(7), vec![Say("354 more"), Hang]].concat(),
            (
                Delivery::InDoubt,
                "end of data: unexpected answer: 354 more",
            ),
        ),
    ];
    for (script, (kind, words)) in cases {
        let server = Server::start(vec![script]);
        let mut session = session(relay(server.port));
        assert_words(&send(&mut session, "a@example.org"), kind, &[words]);
    }
}

#[test]
fn nothing_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut session = session(relay(port));
    assert_eq!(
        send(&mut session, "a@example.org"),
        Delivery::RelayDown(format!(
            "localhost:{port}: connect: Connection refused; nothing listens there: check smtp.host and smtp.port"
        ))
    );
}

fn login_offered(mechanisms: &'static str) -> Vec<Step> {
    vec![
        Say("220 mail.example ready"),
        Hear("EHLO "),
        Say("250-mail.example"),
        Say(mechanisms),
    ]
}

fn with_login(relay: Relay) -> Relay {
    Relay {
        login: login(),
        allow_plain_login: true,
        ..relay
    }
}

fn plain_login(port: u16) -> Relay {
    with_login(relay(port))
}

#[test]
fn logs_in_by_plain_or_login() {
    let plain = STANDARD.encode("\0storage\0s3cret/pass");
    let server = Server::start(vec![script(&[
        login_offered("250 AUTH LOGIN PLAIN"),
        talk("C AUTH PLAIN  | S 235 welcome"),
        one_mail(),
        goodbye(),
    ])]);
    let mut by_plain = session(plain_login(server.port));
    assert_sent(&mut by_plain, "a@example.org");
    drop(by_plain);
    assert_eq!(server.transcript()[1], format!("AUTH PLAIN {plain}"));

    let server = Server::start(vec![script(&[
        login_offered("250 auth login"),
        talk("C AUTH LOGIN | S 334 VXNlcm5hbWU6 | C  | S 334 UGFzc3dvcmQ6 | C  | S 235 welcome"),
        one_mail(),
        goodbye(),
    ])]);
    let mut by_login = session(plain_login(server.port));
    assert_sent(&mut by_login, "a@example.org");
    drop(by_login);
    assert_eq!(
        server.transcript()[1..4],
        [
            "AUTH LOGIN".to_owned(),
            STANDARD.encode("storage"),
            STANDARD.encode("s3cret/pass")
        ]
    );
}

#[test]
fn login_faults() {
    let faults: [(Vec<Step>, &[&str]); 7] = [
        (
            script(&[
                login_offered("250 AUTH PLAIN"),
                vec![
                    Hear("AUTH"),
                    Say("535-5.7.8 s3cret/pass is not it, nor is"),
                    Say("535 5.7.8 AHN0b3JhZ2UAczNjcmV0L3Bhc3M= or AHN0b3JhZ2UAczNj"),
                ],
                goodbye(),
            ]),
            &[
                "login: 535 5.7.8 *** is not it, nor is *** or ***; check smtp.username and the password",
            ],
        ),
        (
            script(&[
                login_offered("250 AUTH LOGIN"),
                talk("C AUTH | S 334 VXNlcm5hbWU6 | C  | S 334 UGFzc3dvcmQ6 | C  | S 535 no"),
                goodbye(),
            ]),
            &["login: 535 no; check smtp.username and the password"],
        ),
        (
            script(&[
                login_offered("250 AUTH PLAIN"),
                talk("C AUTH | S 454 4.7.0 no answer from the directory"),
                goodbye(),
            ]),
            &["login: 454 4.7.0 no answer from the directory"],
        ),
        (
            script(&[login_offered("250 SIZE"), goodbye()]),
            &["login: the server offers no login (AUTH); many offer it only with TLS"],
        ),
        (
            script(&[login_offered("250 AUTH CRAM-MD5 SCRAM-SHA-256"), goodbye()]),
            &["login: the server offers only CRAM-MD5 SCRAM-SHA-256; PLAIN and LOGIN"],
        ),
        (
            script(&[login_offered("250 AUTH PLAIN"), vec![Hear("AUTH")]]),
            &["login: the server closed the connection"],
        ),
        (
            script(&[login_offered("250 AUTH PLAIN"), talk("C AUTH | S 334 ")]),
            &["login: unexpected answer: 334"],
        ),
    ];
    for (script, pieces) in faults {
        let said_goodbye = matches!(script.last(), Some(Say("221 bye")));
        let server = Server::start(vec![script]);
        let mut session = session(plain_login(server.port));
        let delivery = send(&mut session, "a@example.org");
        assert_words(&delivery, Delivery::RelayDown, pieces);
        let heard = server.transcript();
        if said_goodbye {
            assert_eq!(heard.last().unwrap(), "QUIT");
        }
    }
}

#[test]
fn a_login_never_goes_out_in_the_clear_unasked() {
    let server = Server::start(vec![]);
    let mut session = session(Relay {
        login: login(),
        ..relay(server.port)
    });
    assert_words(
        &send(&mut session, "a@example.org"),
        Delivery::RelayDown,
        &["login: ", "smtp.allow_plain_login = true"],
    );
}

#[test]
fn addresses_and_texts_beyond_ascii() {
    let server = Server::start(vec![script(&[
        talk("S 220 hello | C EHLO | S 250-mail.example | S 250-8BITMIME | S 250 SMTPUTF8"),
        vec![
            Hear("MAIL FROM:<storage@xn--mnchen-3ya.example> SMTPUTF8 BODY=8BITMIME"),
            Say("250 ok"),
            Hear("RCPT TO:<jürgen@xn--mnchen-3ya.example>"),
            Say("250 ok"),
            Hear("DATA"),
            Say("354 go on"),
            HearData,
            Say("250 ok"),
        ],
        goodbye(),
    ])]);
    let mut able = session(relay(server.port));
    let delivery = send_from(
        &mut able,
        "storage@münchen.example",
        &address("jürgen@münchen.example"),
        "Subject: x\r\n\r\nüber\r\n".as_bytes(),
        far(),
    );
    drop(able);
    assert_words(&delivery, Delivery::Accepted, &[]);
    assert_eq!(server.transcript().last().unwrap(), "QUIT");

    let server = Server::start(vec![script(&[greeted(), one_mail(), goodbye()])]);
    let mut unable = session(relay(server.port));
    assert_words(
        &send(&mut unable, "jürgen@example.org"),
        Delivery::Refused,
        &["jürgen@example.org is not ASCII and the server offers no SMTPUTF8"],
    );
    let delivery = send_from(
        &mut unable,
        "storage@example.org",
        &address("a@example.org"),
        "Subject: x\r\n\r\nüber\r\n".as_bytes(),
        far(),
    );
    assert_words(&delivery, Delivery::Refused, &["8BITMIME"]);
    assert_sent(&mut unable, "a@münchen.example");
    drop(unable);
    assert_eq!(server.transcript()[2], "RCPT TO:<a@xn--mnchen-3ya.example>");
}

#[test]
fn an_address_cannot_bring_a_command_of_its_own() {
    let server = Server::start(vec![]);
    let mut session = session(relay(server.port));
    let delivery = send_from(
        &mut session,
        "storage@example.org",
        &Address::new_dangerous("a", "example.org>\r\nRCPT TO:<b@example.org"),
        MESSAGE,
        far(),
    );
    assert_words(&delivery, Delivery::Refused, &["control character"]);
}

/// A server certificate for `names`, and the file that makes it trusted.
struct Certificate {
    config: Arc<ServerConfig>,
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

fn certificate(names: &[&str], adjust: impl FnOnce(&mut rcgen::CertificateParams)) -> Certificate {
    certificate_for(rustls::ALL_VERSIONS, names, adjust)
}

fn certificate_for(
    versions: &[&'static rustls::SupportedProtocolVersion],
    names: &[&str],
    adjust: impl FnOnce(&mut rcgen::CertificateParams),
) -> Certificate {
    let mut parameters = rcgen::CertificateParams::new(
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    // Authorities are told apart by their names.
    parameters.distinguished_name.push(
        rcgen::DnType::CommonName,
        format!("test of {}", names.join(" ")),
    );
    adjust(&mut parameters);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    let other = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
    std::fs::write(
        &ca_file,
        format!("{}{}", other.cert.pem(), certificate.pem()),
    )
    .unwrap();
    Certificate {
        config: Arc::new(config),
        ca_file,
        _folder: folder,
    }
}

fn starttls(config: &Arc<ServerConfig>) -> Vec<Step> {
    vec![
        Say("220 hello"),
        Hear("EHLO"),
        Say("250-mail.example"),
        Say("250 STARTTLS"),
        Hear("STARTTLS"),
        Say("220 go on"),
        Tls(Arc::clone(config)),
    ]
}

fn after_starttls() -> Vec<Step> {
    talk("C EHLO | S 250-mail.example | S 250 AUTH PLAIN | C AUTH PLAIN | S 235 ok")
}

#[test]
fn mail_goes_over_starttls_and_tls() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let made = certificate_for(&[version], &["localhost"], |_| ());
        let begun = [
            (Security::Starttls, starttls(&made.config)),
            (
                Security::Tls,
                vec![Tls(Arc::clone(&made.config)), Say("220 hello")],
            ),
        ];
        for (security, begun) in begun {
            let server = Server::start(vec![script(&[
                begun,
                after_starttls(),
                one_mail(),
                one_mail(),
                goodbye(),
            ])]);
            let mut session = session(Relay {
                security,
                login: login(),
                ca_file: Some(made.ca_file.clone()),
                ..relay(server.port)
            });
            for to in ["a@example.org", "b@example.org"] {
                assert_sent(&mut session, to);
            }
            drop(session);
            assert_eq!(server.transcript().last().unwrap(), "QUIT");
        }
    }
}

#[test]
fn answers_slipped_in_behind_starttls_are_not_believed() {
    let made = certificate(&["localhost"], |_| ());
    let server = Server::start(vec![vec![
        Say("220 hello"),
        Hear("EHLO"),
        Say("250-mail.example"),
        Say("250 STARTTLS"),
        Hear("STARTTLS"),
        // Enough to see a mail through.
        Raw(b"220 go on\r\n250 mail.example\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n221 bye\r\n"),
        Tls(Arc::clone(&made.config)),
        Hang,
    ]]);
    let mut session = session(Relay {
        security: Security::Starttls,
        ca_file: Some(made.ca_file.clone()),
        ..relay(server.port)
    });
    let delivery = send(&mut session, "a@example.org");
    assert_words(
        &delivery,
        Delivery::RelayDown,
        &[
            "STARTTLS: the server sent more than its answer to STARTTLS",
            "250 mail.example",
        ],
    );
    assert_eq!(send(&mut session, "b@example.org"), delivery);
    drop(session);
    let heard = server.transcript();
    assert!(heard.last().unwrap().starts_with("TLS: "), "{heard:?}");
}

#[test]
fn without_verification_any_certificate_will_do() {
    let made = certificate(&["other.example"], |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let server = Server::start(vec![script(&[
        starttls(&made.config),
        after_starttls(),
        one_mail(),
        goodbye(),
    ])]);
    let mut session = session(Relay {
        security: Security::Starttls,
        login: login(),
        verify: false,
        ..relay(server.port)
    });
    assert_sent(&mut session, "a@example.org");
}

#[test]
fn certificates_that_are_not_trusted() {
    let mine = certificate(&["localhost"], |_| ());
    let elsewhere = certificate(&["mail.example.org", "mx.example.org"], |_| ());
    let expired = certificate(&["localhost"], |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    let early = certificate(&["localhost"], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(3001, 1, 1);
    });
    let authority = certificate(&["localhost"], |parameters| {
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let renewed = certificate(&["localhost"], |_| ());
    let faults: [(&Certificate, Option<&PathBuf>, &[&str]); 6] = [
        (
            &renewed,
            Some(&mine.ca_file),
            &["TLS: ", "BadSignature", "out of date?"],
        ),
        (
            &mine,
            Some(&elsewhere.ca_file),
            &[
                "TLS: ",
                "UnknownIssuer",
                "smtp.ca_file, or set smtp.verify = false",
            ],
        ),
        (
            &elsewhere,
            Some(&elsewhere.ca_file),
            &[
                "TLS: ",
                "not valid for name \"localhost\"",
                "mail.example.org",
                "mx.example.org",
                "set smtp.host to a name in the certificate",
            ],
        ),
        (
            &expired,
            Some(&expired.ca_file),
            &["TLS: ", "certificate expired ", " days ago; renew"],
        ),
        (
            &early,
            Some(&early.ca_file),
            &["TLS: ", "certificate not valid yet, only in ", "clock"],
        ),
        (
            &authority,
            Some(&authority.ca_file),
            &["TLS: ", "CaUsedAsEndEntity", "(CA:TRUE)"],
        ),
    ];
    for (made, ca_file, pieces) in faults {
        for security in [Security::Starttls, Security::Tls] {
            let script = if security == Security::Tls {
                vec![Tls(Arc::clone(&made.config)), Say("220 hello"), Hang]
            } else {
                starttls(&made.config)
            };
            let server = Server::start(vec![script]);
            let mut session = session(Relay {
                security,
                ca_file: ca_file.cloned(),
                ..relay(server.port)
            });
            let delivery = send(&mut session, "a@example.org");
            assert_words(&delivery, Delivery::RelayDown, pieces);
            assert_eq!(send(&mut session, "b@example.org"), delivery);
        }
    }
}

#[test]
fn tls_where_there_is_none() {
    let made = certificate(&["localhost"], |_| ());
    let faults: [(Security, Vec<Step>, &[&str]); 7] = [
        (
            Security::Starttls,
            greeted(),
            &["STARTTLS: not offered by the server; set smtp.security = \"tls\""],
        ),
        (
            Security::Starttls,
            [
                starttls(&made.config)[..5].to_vec(),
                vec![Say("454 4.7.0 TLS not available")],
            ]
            .concat(),
            &["STARTTLS: 454 4.7.0 TLS not available"],
        ),
        (
            Security::Starttls,
            starttls(&made.config)[..5].to_vec(),
            &["STARTTLS: the server closed the connection"],
        ),
        (
            Security::Starttls,
            starttls(&made.config)[..6].to_vec(),
            &["TLS: "],
        ),
        (
            Security::Tls,
            vec![Say("220 plain text here"), Hang],
            &["TLS: ", "set smtp.security = \"starttls\""],
        ),
        (Security::Tls, vec![], &["TLS"]),
        (
            Security::Starttls,
            vec![Tls(Arc::clone(&made.config))],
            &["no answer within 0.3s at greeting; if the server expects TLS"],
        ),
    ];
    for (security, script, pieces) in faults {
        let server = Server::start(vec![script]);
        let mut session = session(Relay {
            security,
            timeout: if pieces[0].starts_with("no answer") {
                SHORT
            } else {
                PATIENCE
            },
            ca_file: Some(made.ca_file.clone()),
            ..relay(server.port)
        });
        let delivery = send(&mut session, "a@example.org");
        assert_words(&delivery, Delivery::RelayDown, pieces);
        assert_eq!(send(&mut session, "b@example.org"), delivery);
    }
}

#[test]
fn a_hang_in_the_tls_handshake_ends() {
    let made = certificate(&["localhost"], |_| ());
    // The header of a record whose 16 KiB never come.
    let begun = Raw(b"\x16\x03\x03\x40\x00");
    let before = starttls(&made.config)[..6].to_vec();
    for (security, script) in [
        (Security::Tls, vec![Hang]),
        (Security::Tls, vec![Read(1), begun.clone(), Dribble(0)]),
        (Security::Starttls, [before.clone(), vec![Hang]].concat()),
        (
            Security::Starttls,
            [before, vec![Read(1), begun, Dribble(0)]].concat(),
        ),
    ] {
        let server = Server::start(vec![script]);
        let mut session = session(Relay {
            security,
            timeout: SHORT,
            verify: false,
            ..relay(server.port)
        });
        assert_words(
            &send(&mut session, "a@example.org"),
            Delivery::RelayDown,
            &["no answer within 0.3s at TLS"],
        );
    }
}

#[test]
fn authorities_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").unwrap();
    let broken = folder.path().join("broken.pem");
    std::fs::write(
        &broken,
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for (ca_file, words) in [
        (
            folder.path().join("absent.pem"),
            "absent.pem: No such file or directory",
        ),
        (empty, "no certificate in smtp.ca_file"),
        (broken, "cannot use smtp.ca_file"),
    ] {
        let server = Server::start(vec![]);
        let mut session = session(Relay {
            security: Security::Tls,
            ca_file: Some(ca_file),
            ..relay(server.port)
        });
        assert_words(
            &send(&mut session, "a@example.org"),
            Delivery::RelayDown,
            &[words],
        );
    }
}

#[test]
fn closing_does_not_wait_for_a_server_that_says_nothing() {
    let server = Server::start(vec![script(&[
        greeted(),
        one_mail(),
        vec![Hear("QUIT"), Hang],
    ])]);
    let mut session = session(relay(server.port));
    send(&mut session, "a@example.org");
    let started = Instant::now();
    session.close();
    // The server's patience is twenty times as long.
    assert!(started.elapsed() < PATIENCE / 2);
}

/// Greeted by a server that can do pipelining, and one mail handed over.
fn warmed_up() -> Vec<Step> {
    let greeted =
        talk("S 220 mail.example ready | C EHLO  | S 250-mail.example | S 250 PIPELINING");
    script(&[greeted, one_mail_in_lock_step()])
}

/// Whatever is not said after the answer to what was said before is not heard.
fn one_mail_in_lock_step() -> Vec<Step> {
    let steps = one_mail().into_iter();
    steps
        .flat_map(|step| match step {
            Say(_) => vec![Forget, step],
            step => vec![step],
        })
        .collect()
}

/// What the next mail begins with, in one go.
fn envelope() -> Vec<Step> {
    talk("C MAIL FROM:<storage@example.org> | C RCPT TO: | C DATA")
}

/// A mail's envelope in one go, and the answers to it.
fn group() -> Vec<Step> {
    script(&[envelope(), talk("S 250 ok | S 250 ok | S 354 go on")])
}

/// Sends each of these with the next in view.
fn send_all(session: &mut Session, recipients: &[&str], message: &[u8]) -> Vec<Delivery> {
    let from = address("storage@example.org");
    let recipients: Vec<Address> = recipients.iter().map(|to| address(to)).collect();
    let mails: Vec<Outgoing> = (recipients.iter())
        .map(|to| Outgoing {
            from: &from,
            to,
            message,
        })
        .collect();
    (mails.iter().enumerate())
        .map(|(number, mail)| session.send(mail, mails.get(number + 1), far()))
        .collect()
}

const THREE: [&str; 3] = ["a@example.org", "b@example.org", "c@example.org"];

/// The recipients that were named to the server, and the ends of texts.
fn outline(heard: &[String]) -> Vec<String> {
    (heard.iter())
        .filter_map(|line| match line.strip_prefix("RCPT TO:<") {
            Some(to) => Some(to.trim_end_matches("@example.org>").to_owned()),
            None if line.ends_with("\r\n.") => Some(".".to_owned()),
            None => None,
        })
        .collect()
}

#[test]
fn the_next_envelope_travels_with_the_text() {
    // However the answers to a text and to the envelope behind it are cut into packets.
    let answers: [Vec<Step>; 3] = [
        talk("S 250 queued as A1 | S 250 ok | S 250 ok | S 354 go on"),
        vec![Raw(
            b"250 queued as A1\r\n250-o\r\n250 k\r\n250 ok\r\n354 go on\r\n",
        )],
        vec![Piecemeal(
            b"250 queued as A1\r\n250 ok\r\n250 ok\r\n354 go on\r\n",
        )],
    ];
    for answer in answers {
        let server = Server::start(vec![script(&[
            warmed_up(),
            group(),
            vec![HearData],
            envelope(),
            answer,
            talk("C . | S 250 queued as A1"),
            goodbye(),
        ])]);
        let mut session = session(relay(server.port));
        for delivery in send_all(&mut session, &THREE, MESSAGE) {
            assert_words(&delivery, Delivery::Accepted, &["queued as A1"]);
        }
        session.close();
        let heard = server.transcript();
        assert_eq!(heard.last().unwrap(), "QUIT");
        assert_eq!(outline(&heard), ["a", ".", "b", ".", "c", "."]);
    }
}

#[test]
fn a_mail_is_answered_for_before_the_next_one_is_looked_at() {
    let point = Arc::new(Barrier::new(2));
    let server = Server::start(vec![script(&[
        warmed_up(),
        group(),
        vec![HearData],
        envelope(),
        vec![Say("250 queued as A1"), Meet(Arc::clone(&point))],
        talk("S 250 ok | S 250 ok | S 354 go on | C . | S 250 queued as A1"),
        goodbye(),
    ])]);
    let mut session = session(relay(server.port));
    let from = address("storage@example.org");
    let [a, b, c] = THREE.map(address);
    let [a, b, c] = [&a, &b, &c].map(|to| Outgoing {
        from: &from,
        to,
        message: MESSAGE,
    });
    session.send(&a, Some(&b), far());
    let second = session.send(&b, Some(&c), far());
    assert_words(&second, Delivery::Accepted, &[]);
    point.wait();
    assert_words(&session.send(&c, None, far()), Delivery::Accepted, &[]);
}

#[test]
fn without_the_servers_offer_all_goes_in_lock_step() {
    let server = Server::start(vec![script(&[
        greeted(),
        one_mail(),
        one_mail(),
        one_mail(),
        goodbye(),
    ])]);
    let mut session = session(relay(server.port));
    for delivery in send_all(&mut session, &THREE, MESSAGE) {
        assert_words(&delivery, Delivery::Accepted, &[]);
    }
}

#[test]
fn a_refusal_among_several_answers_concerns_one_mail() {
    let group_refused: [(&str, Expected); 6] = [
        (
            "S 452 4.3.1 no space | S 503 MAIL first | S 503 RCPT first",
            (Delivery::Deferred, "MAIL: 452 4.3.1 no space"),
        ),
        (
            "S 552 5.3.4 too big | S 503 MAIL first | S 503 RCPT first",
            (Delivery::Refused, "MAIL: 552 5.3.4 too big"),
        ),
        (
            "S 250 ok | S 550-5.1.1 no | S 550 5.1.1 such user | S 554 5.5.1 no valid recipients",
            (Delivery::Refused, "RCPT: 550 5.1.1 no such user"),
        ),
        (
            "S 250 ok | S 450 later | S 503 RCPT first",
            (Delivery::Deferred, "RCPT: 450 later"),
        ),
        (
            "S 250 ok | S 250 ok | S 451 not now",
            (Delivery::Deferred, "DATA: 451 not now"),
        ),
        (
            "S 250 ok | S 250 ok | S 554 never",
            (Delivery::Refused, "DATA: 554 never"),
        ),
    ];
    for (answers, (kind, words)) in group_refused {
        let server = Server::start(vec![script(&[
            warmed_up(),
            group(),
            vec![HearData],
            envelope(),
            talk("S 250 queued as A1"),
            talk(answers),
            vec![Hear("RSET")],
            envelope(),
            talk("S 250 reset | S 250 ok | S 250 ok | S 354 go on | C . | S 250 queued as A1"),
            goodbye(),
        ])]);
        let mut session = session(relay(server.port));
        let recipients = [
            "a@example.org",
            "b@example.org",
            "x@example.org",
            "c@example.org",
        ];
        let deliveries = send_all(&mut session, &recipients, MESSAGE);
        session.close();
        for (to, delivery) in recipients.iter().zip(&deliveries) {
            match *to {
                "x@example.org" => assert_words(delivery, kind, &[words]),
                _ => assert_words(delivery, Delivery::Accepted, &[]),
            }
        }
        assert_eq!(server.transcript().last().unwrap(), "QUIT");
    }
}

#[test]
fn a_refused_text_does_not_concern_the_envelope_behind_it() {
    for (answer, kind) in [
        (
            "552 5.3.4 too big",
            Delivery::Refused as fn(String) -> Delivery,
        ),
        ("451 4.3.0 not now", Delivery::Deferred),
    ] {
        let server = Server::start(vec![script(&[
            warmed_up(),
            group(),
            vec![HearData],
            envelope(),
            vec![Say(answer)],
            talk("S 250 ok | S 250 ok | S 354 go on | C . | S 250 queued as A1"),
            goodbye(),
        ])]);
        let mut session = session(relay(server.port));
        let deliveries = send_all(&mut session, &THREE, MESSAGE);
        assert_words(&deliveries[1], kind, &["end of data: ", answer]);
        assert_words(&deliveries[2], Delivery::Accepted, &[]);
    }
}

#[test]
fn a_text_wanted_for_a_refused_mail_never_ends() {
    let refused = talk("S 250 ok | S 550 no such user | S 354 go on | C <end>");
    let server = Server::start(vec![
        script(&[warmed_up(), envelope(), refused]),
        script(&[greeted(), one_mail(), goodbye()]),
    ]);
    let mut session = session(relay(server.port));
    let deliveries = send_all(&mut session, &THREE, MESSAGE);
    assert_words(
        &deliveries[1],
        Delivery::Refused,
        &["RCPT: 550 no such user"],
    );
    assert_words(&deliveries[2], Delivery::Accepted, &[]);
    assert_eq!(server.transcript().last().unwrap(), "<end>");
}

#[test]
fn a_mail_announced_that_does_not_come_is_not_delivered() {
    let announced = || {
        let text_and_envelope = script(&[group(), vec![HearData], envelope()]);
        let answers = talk("S 250 queued as A1 | S 250 ok | S 250 ok | S 354 go on | C <end>");
        script(&[warmed_up(), text_and_envelope, answers])
    };
    let from = address("storage@example.org");
    let [a, b, c] = THREE.map(address);
    let [a, b, c] = [&a, &b, &c].map(|to| Outgoing {
        from: &from,
        to,
        message: MESSAGE,
    });
    let longer = Outgoing {
        message: "Subject: ü\r\n\r\n".as_bytes(),
        ..c
    };

    let server = Server::start(vec![announced()]);
    let mut nobody_comes = session(relay(server.port));
    nobody_comes.send(&a, Some(&b), far());
    nobody_comes.send(&b, Some(&c), far());
    nobody_comes.close();
    let heard = server.transcript();
    assert_eq!(outline(&heard), ["a", ".", "b", ".", "c"]);
    assert_eq!(heard.last().unwrap(), "<end>", "it would be text");

    // Another recipient, or the same with a text for which MAIL must say more.
    let able = || {
        let greeted = talk("S 220 hello | C EHLO  | S 250-mail.example | S 250 8BITMIME");
        script(&[greeted, one_mail(), goodbye()])
    };
    for (other, name) in [(a, "a"), (longer, "c")] {
        let announced = announced().into_iter().map(|step| match step {
            Say("250 PIPELINING") => Raw(b"250-8BITMIME\r\n250 PIPELINING\r\n"),
            step => step,
        });
        let server = Server::start(vec![announced.collect(), able()]);
        let mut session = session(relay(server.port));
        session.send(&a, Some(&b), far());
        session.send(&b, Some(&c), far());
        assert_words(&session.send(&other, None, far()), Delivery::Accepted, &[]);
        session.close();
        assert_eq!(outline(&server.transcript()), ["a", ".", "b", ".", "c"]);
        assert_eq!(outline(&server.transcript()), [name, "."]);
    }
}

#[test]
fn a_mail_that_the_server_cannot_take_is_not_announced() {
    let greeted = talk(
        "S 220 mail.example ready | C EHLO  | S 250-mail.example | S 250-SIZE 100 | S 250 PIPELINING",
    );
    let server = Server::start(vec![script(&[
        greeted,
        one_mail(),
        group(),
        talk("C . | S 250 queued as A1"),
        group(),
        talk("C . | S 250 queued as A1"),
        goodbye(),
    ])]);
    let mut session = session(relay(server.port));
    let from = address("storage@example.org");
    let to = address("a@example.org");
    let good = Outgoing {
        from: &from,
        to: &to,
        message: MESSAGE,
    };
    let unfit = [
        (
            Outgoing {
                message: "Subject: x\r\n\r\nüber\r\n".as_bytes(),
                ..good
            },
            "8BITMIME",
        ),
        (
            Outgoing {
                message: &[b'x'; 101],
                ..good
            },
            "MAIL: the mail has 101 bytes and the server takes at most 100",
        ),
    ];
    session.send(&good, Some(&good), far());
    for (unfit, words) in unfit {
        assert_words(
            &session.send(&good, Some(&unfit), far()),
            Delivery::Accepted,
            &[],
        );
        let delivery = session.send(&unfit, Some(&good), far());
        assert_words(&delivery, Delivery::Refused, &[words]);
    }
    session.close();
    assert_eq!(server.transcript().last().unwrap(), "QUIT");
}

#[test]
fn a_server_that_ends_the_connection_after_so_many_mails_is_not_distrusted() {
    let limited = || {
        script(&[
            warmed_up(),
            group(),
            vec![HearData],
            envelope(),
            talk("S 250 queued as A1 | S 421 4.7.0 too many mails"),
        ])
    };
    let server = Server::start(vec![
        limited(),
        limited(),
        script(&[warmed_up(), goodbye()]),
    ]);
    let mut session = session(relay(server.port));
    let recipients = [
        "a@example.org",
        "b@example.org",
        "c@example.org",
        "d@example.org",
    ];
    let recipients = [recipients, recipients].concat();
    for delivery in send_all(&mut session, &recipients[..5], MESSAGE) {
        assert_words(&delivery, Delivery::Accepted, &[]);
    }
}

#[test]
fn a_421_among_several_answers_means_what_it_means_alone() {
    for answers in [
        "S 250 ok | S 421 shutting down",
        "S 250 ok | S 250 ok | S 421 shutting down",
    ] {
        let server = Server::start(vec![script(&[warmed_up(), envelope(), talk(answers)])]);
        let mut session = session(relay(server.port));
        let deliveries = send_all(&mut session, &THREE, MESSAGE);
        for delivery in &deliveries[1..] {
            assert_words(delivery, Delivery::RelayDown, &["421 shutting down"]);
        }
    }
}

/// A relay whose steps time out soon.
fn impatient(port: u16) -> Relay {
    Relay {
        timeout: SHORT,
        ..relay(port)
    }
}

#[test]
fn a_server_that_cannot_do_the_pipelining_it_offers_gets_one_command_at_a_time() {
    let lies: [Vec<Step>; 10] = [
        // Throws away what came behind the first command.
        talk("S 250 ok | C <end>"),
        vec![Hang],
        vec![Dribble(b'2')],
        talk("S 250 ok | S 250 ok"),
        vec![],
        talk("S 501 5.5.4 syntax | C <end>"),
        talk("S 250 ok | S 503 5.5.1 MAIL first | S 503 5.5.1 RCPT first"),
        talk("S 500 what? | S 500 what? | S 500 what?"),
        talk("S 250 ok | S 354 go on"),
        vec![Raw(b"250 ok\r\n250 ok\r\n354 go on\r\n250 queued\r\n")],
    ];
    thread::scope(|scope| {
        for lie in lies {
            // It still says that it can.
            let then = script(&[warmed_up(), one_mail_in_lock_step(), goodbye()]);
            let lying = script(&[warmed_up(), envelope(), lie]);
            scope.spawn(|| {
                let server = Server::start(vec![lying, then]);
                let mut session = session(impatient(server.port));
                for delivery in send_all(&mut session, &THREE, MESSAGE) {
                    assert_words(&delivery, Delivery::Accepted, &[]);
                }
                session.close();
                assert_eq!(outline(&server.transcript()), ["a", ".", "b"]);
                let heard = server.transcript();
                assert_eq!(outline(&heard), ["b", ".", "c", "."]);
                assert_eq!(heard.last().unwrap(), "QUIT");
            });
        }
    });
}

#[test]
fn what_becomes_of_a_text_that_went_with_the_next_envelope() {
    // What follows text and envelope; whether the mail counts as taken.
    let ends: [(Vec<Step>, Expected); 6] = [
        (
            vec![Hang],
            (
                Delivery::InDoubt,
                "no answer within 0.3s at end of data; it may have been",
            ),
        ),
        (
            vec![],
            (
                Delivery::InDoubt,
                "end of data: the server closed the connection; it may",
            ),
        ),
        (
            vec![Say("garbage")],
            (
                Delivery::InDoubt,
                "end of data: no SMTP reply: garbage; it may",
            ),
        ),
        (
            vec![Say("354 more")],
            (
                Delivery::InDoubt,
                "end of data: unexpected answer: 354 more",
            ),
        ),
        (
            talk("S 250 queued as A1 | C <end>"),
            (Delivery::Accepted, "queued as A1"),
        ),
        (
            talk("S 250 queued as A1"),
            (Delivery::Accepted, "queued as A1"),
        ),
    ];
    thread::scope(|scope| {
        for (end, (kind, words)) in ends {
            let broken = script(&[warmed_up(), group(), vec![HearData], envelope(), end]);
            let then = script(&[warmed_up(), one_mail_in_lock_step(), goodbye()]);
            scope.spawn(move || {
                let server = Server::start(vec![broken, then]);
                let mut session = session(impatient(server.port));
                let recipients = [
                    "a@example.org",
                    "b@example.org",
                    "c@example.org",
                    "d@example.org",
                ];
                let deliveries = send_all(&mut session, &recipients, MESSAGE);
                session.close();
                assert_words(&deliveries[1], kind, &[words]);
                for delivery in &deliveries[2..] {
                    assert_words(delivery, Delivery::Accepted, &[]);
                }
                assert_eq!(outline(&server.transcript()), ["a", ".", "b", ".", "c"]);
                assert_eq!(outline(&server.transcript()), ["c", ".", "d", "."]);
            });
        }
    });
}

#[test]
fn after_pipelining_was_given_up_silence_ends_the_pass() {
    let server = Server::start(vec![
        script(&[warmed_up(), envelope(), vec![Hang]]),
        talk("S 220 hello | C EHLO  | S 250-mail.example | S 250 PIPELINING | C MAIL | C <end>"),
    ]);
    let mut session = session(impatient(server.port));
    let deliveries = send_all(&mut session, &THREE, MESSAGE);
    for delivery in &deliveries[1..] {
        assert_words(
            delivery,
            Delivery::RelayDown,
            &["no answer within 0.3s at MAIL"],
        );
    }
}

#[test]
fn silence_while_pipelining_leaves_time_for_lock_step() {
    let server = Server::start(vec![
        script(&[warmed_up(), envelope(), vec![Hang]]),
        script(&[greeted(), one_mail(), goodbye()]),
    ]);
    // With more patience than there is time.
    let mut session = session(relay(server.port));
    assert_sent(&mut session, "a@example.org");
    let deadline = Instant::now() + 10 * SHORT;
    let delivery = send_from(
        &mut session,
        "storage@example.org",
        &address("b@example.org"),
        MESSAGE,
        deadline,
    );
    assert_words(&delivery, Delivery::Accepted, &[]);
}

/// More than all the buffers on the way hold.
const HUGE: usize = 16 << 20;

#[test]
fn a_text_that_did_not_leave_to_its_end_is_not_in_doubt() {
    let message = vec![b'x'; HUGE];
    let attempt = |end: Vec<Step>| {
        let server = Server::start(vec![script(&[greeted(), mail_steps(6), end])]);
        let mut session = session(impatient(server.port));
        let to = address("a@example.org");
        send_from(&mut session, "storage@example.org", &to, &message, far())
    };
    let point = Arc::new(Barrier::new(2));
    let unheard = attempt(vec![Meet(Arc::clone(&point))]);
    point.wait();
    let told = "no answer within 0.3s at text";
    assert_words(&unheard, Delivery::RelayDown, &[told]);
    assert_words(&attempt(vec![]), Delivery::Deferred, &["text: "]);
    // Said before the text is heard out, and then the connection is closed.
    let early = vec![Read(1000), Say("552 5.3.4 too big")];
    let told = "end of data: 552 5.3.4 too big";
    assert_words(&attempt(early), Delivery::Refused, &[told]);
}

#[test]
fn the_size_is_announced_and_the_limit_kept() {
    // The limit that is offered; MAIL, or why there is none. A limit of 0 is none, and so is one that can't be read.
    let cases: [(&str, Expected); 5] = [
        ("250 SIZE", (Delivery::Accepted, "BODY=8BITMIME SIZE=44")),
        ("250 SIZE 0", (Delivery::Accepted, "BODY=8BITMIME SIZE=44")),
        ("250 size 44", (Delivery::Accepted, "BODY=8BITMIME SIZE=44")),
        (
            "250 SIZE 99999999999999999999",
            (Delivery::Accepted, "BODY=8BITMIME SIZE=44"),
        ),
        (
            "250 SIZE 43",
            (
                Delivery::Refused,
                "MAIL: the mail has 44 bytes and the server takes at most 43",
            ),
        ),
    ];
    // The dots that hide others are not counted (RFC 1870, section 3).
    let message = "Subject: x\r\n\r\n.über.\r\n..\r\nlast line of it\r\n".as_bytes();
    for (offer, (kind, words)) in cases {
        let greeted = vec![
            Say("220 hello"),
            Hear("EHLO"),
            Say("250-mail.example"),
            Say("250-8BITMIME"),
            Say(offer),
        ];
        let accepted = kind(String::new()) == Delivery::Accepted(String::new());
        let mail = if accepted { one_mail() } else { vec![] };
        let server = Server::start(vec![script(&[greeted, mail, goodbye()])]);
        let mut session = session(relay(server.port));
        let to = address("a@example.org");
        let delivery = send_from(&mut session, "storage@example.org", &to, message, far());
        session.close();
        let heard = server.transcript();
        if accepted {
            assert_words(&delivery, kind, &[]);
            assert_eq!(heard[1], format!("MAIL FROM:<storage@example.org> {words}"));
        } else {
            assert_words(&delivery, kind, &[words]);
            assert_eq!(heard[1..], ["QUIT"]);
        }
    }
}

#[test]
fn pipelined_over_tls_too() {
    let made = certificate(&["localhost"], |_| ());
    let server = Server::start(vec![script(&[
        starttls(&made.config),
        talk("C EHLO | S 250-mail.example | S 250 PIPELINING"),
        one_mail(),
        group(),
        vec![HearData],
        envelope(),
        talk("S 250 queued as A1 | S 250 ok | S 250 ok | S 354 go on | C . | S 250 queued as A1"),
        goodbye(),
    ])]);
    let mut session = session(Relay {
        security: Security::Starttls,
        ca_file: Some(made.ca_file.clone()),
        ..relay(server.port)
    });
    for delivery in send_all(&mut session, &THREE, MESSAGE) {
        assert_words(&delivery, Delivery::Accepted, &[]);
    }
    session.close();
    assert_eq!(server.transcript().last().unwrap(), "QUIT");
}
