//! The byte stream to the relay, plain or TLS: dialling, commands out, replies in, all within bounds of time and size.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use lettre::transport::smtp::response::Response;
use rustls::ClientConnection;

use super::tls::Tls;
use super::verdict::{Cause, Fault, without_os_number};

/// Longest line of a reply, in bytes. RFC 5321, section 4.5.3.1.5, has 512; some servers say more.
const LINE_MAX: u64 = 2000;

/// Longest reply, in bytes.
const REPLY_MAX: usize = 64 * 1024;

/// How long one step of the dialogue may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    begun: Instant,
    timeout: Duration,
    deadline: Instant,
}

impl Wait {
    /// A step that begins now and lasts `timeout`, or until `deadline` if that comes first.
    pub(super) fn new(timeout: Duration, deadline: Instant) -> Wait {
        Wait {
            begun: Instant::now(),
            timeout,
            deadline,
        }
    }

    fn left(&self) -> Duration {
        let now = Instant::now();
        self.timeout
            .saturating_sub(now.saturating_duration_since(self.begun))
            .min(self.deadline.saturating_duration_since(now))
    }

    /// What to say when the time is over.
    fn over(&self) -> Fault {
        if self.timeout <= self.deadline.saturating_duration_since(self.begun) {
            Fault::silence(self.timeout)
        } else {
            Fault::silence_until_pass_over(self.begun.elapsed())
        }
    }

    fn fault(&self, error: &io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.over(),
            _ => Fault::from_io(error),
        }
    }
}

/// Something that could not be said to its end.
#[derive(Debug)]
pub(super) struct Unsaid {
    /// So many bytes of it are on their way, at most.
    pub(super) sent: usize,
    pub(super) fault: Fault,
}

/// A connection to the server.
pub(super) struct Stream {
    channel: BufReader<Channel>,
    round_trip: Duration,
}

impl Stream {
    /// Tries the server's addresses in the resolver's order until one takes the connection, each for `timeout`.
    pub(super) fn dial(
        host: &str,
        port: u16,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Stream, Fault> {
        let addresses = Stream::addresses(host, port, Wait::new(timeout, deadline))?;
        let mut last_fault = Fault::new(Cause::Unresolved, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let is_last = tried + 1 == addresses.len();
            let wait = Wait::new(patience(timeout, deadline, is_last), deadline);
            match Stream::connect(address, wait) {
                Ok(stream) => return Ok(stream),
                Err(fault) => last_fault = fault,
            }
        }
        Err(last_fault)
    }

    /// Looks up the server's addresses, in the resolver's order.
    pub(super) fn addresses(host: &str, port: u16, wait: Wait) -> Result<Vec<SocketAddr>, Fault> {
        let name = host.to_owned();
        let lookup = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
        let mut addresses = resolve(lookup, wait)?;
        addresses.dedup();
        Ok(addresses)
    }

    fn connect(address: &SocketAddr, wait: Wait) -> Result<Stream, Fault> {
        let left = wait.left();
        if left.is_zero() {
            return Err(wait.over());
        }
        let begun = Instant::now();
        let tcp = TcpStream::connect_timeout(address, left).map_err(|error| wait.fault(&error))?;
        let round_trip = begun.elapsed();
        // A message is one write: nothing is gained by holding its last part back until the rest is acknowledged.
        tcp.set_nodelay(true).map_err(|error| wait.fault(&error))?;
        let socket = Socket { tcp, wait };
        Ok(Stream {
            channel: BufReader::new(Channel { socket, tls: None }),
            round_trip,
        })
    }

    /// How long TCP took to connect.
    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Makes the TLS handshake.
    pub(super) fn secure(&mut self, tls: &Tls, wait: Wait) -> Result<(), Fault> {
        let mut connection = tls.connection().map_err(|error| Fault::from_tls(&error))?;
        let channel = self.channel.get_mut();
        channel.socket.wait = wait;
        while connection.is_handshaking() {
            connection
                .complete_io(&mut channel.socket)
                .map_err(|error| wait.fault(&error))?;
        }
        channel.tls = Some(connection);
        Ok(())
    }

    /// Which of the server's addresses has taken the connection.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.channel.get_ref().socket.tcp.peer_addr().ok()
    }

    /// The TLS connection, once there is one.
    pub(super) fn tls(&self) -> Option<&ClientConnection> {
        self.channel.get_ref().tls.as_ref()
    }

    /// What the server has said beyond its last answer, as far as it has been read.
    pub(super) fn unread(&self) -> &[u8] {
        self.channel.buffer()
    }

    /// Says something.
    pub(super) fn say(&mut self, words: &[u8], wait: Wait) -> Result<(), Unsaid> {
        let channel = self.channel.get_mut();
        channel.socket.wait = wait;
        let mut sent = 0;
        while sent < words.len() {
            match channel.write(&words[sent..]) {
                Ok(0) => return Err(unsaid(sent, &io::ErrorKind::WriteZero.into(), wait)),
                Ok(more) => sent += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unsaid(sent, &error, wait)),
            }
        }
        // How much of what TLS has taken has left, it does not tell.
        channel.flush().map_err(|error| unsaid(sent, &error, wait))
    }

    /// Reads an answer: a reply of one or more lines (RFC 5321, section 4.2.1).
    pub(super) fn hear(&mut self, wait: Wait) -> Result<Response, Fault> {
        self.channel.get_mut().socket.wait = wait;
        let mut reply = String::new();
        loop {
            let line = self.read_line(wait)?;
            let (code_and_more, text) = match line.as_bytes() {
                [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9'] => (line.as_str(), ""),
                [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-', ..] => line.split_at(4),
                _ => return Err(Fault::no_reply(&line)),
            };
            let is_last = !code_and_more.ends_with('-');
            // A code alone is a reply too; lettre wants the space after it.
            reply.push_str(&format!("{code_and_more:<4}{text}\r\n"));
            if reply.len() > REPLY_MAX {
                return Err(Fault::no_reply("an answer of more than 64 KiB"));
            }
            if is_last {
                // All that can be wrong by now is a code that changes from line to line.
                return reply.parse().map_err(|_| Fault::no_reply(&reply));
            }
        }
    }

    /// A line without its end, which may be a bare LF, in whatever characters.
    fn read_line(&mut self, wait: Wait) -> Result<String, Fault> {
        let mut line = Vec::new();
        (&mut self.channel)
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|error| wait.fault(&error))?;
        let text = String::from_utf8_lossy(&line);
        match text.strip_suffix('\n') {
            Some(text) => Ok(text.strip_suffix('\r').unwrap_or(text).to_owned()),
            None if line.len() as u64 == LINE_MAX => {
                let told = format!("a line of more than {LINE_MAX} bytes: {text}");
                Err(Fault::no_reply(&told))
            }
            // The beginning of a reply, or nothing at all.
            None if text.chars().take(3).all(|c| c.is_ascii_digit()) => {
                Err(Fault::new(Cause::Lost, "the server closed the connection"))
            }
            None => Err(Fault::no_reply(&text)),
        }
    }
}

fn unsaid(sent: usize, error: &io::Error, wait: Wait) -> Unsaid {
    Unsaid {
        sent,
        fault: wait.fault(error),
    }
}

/// How long one address of the server is waited for. Unless it is the last, half of the time left is for the others:
/// a server must not stay out of reach because its first address is dead.
fn patience(timeout: Duration, deadline: Instant, is_last: bool) -> Duration {
    if is_last {
        timeout
    } else {
        timeout.min(deadline.saturating_duration_since(Instant::now()) / 2)
    }
}

/// Looks the name up. The system's resolver takes no deadline, so it works on a thread of its own, which is left to
/// itself when the time is over; the end of the process ends it.
fn resolve(
    lookup: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    wait: Wait,
) -> Result<Vec<SocketAddr>, Fault> {
    let (tell, told) = channel();
    thread::Builder::new()
        .name("resolver".to_owned())
        // Nobody listens any more when the time is over.
        .spawn(move || tell.send(lookup()).unwrap_or_default())
        .map_err(|error| Fault::new(Cause::Local, format!("cannot start a thread: {error}")))?;
    match told.recv_timeout(wait.left()) {
        Ok(found) => found
            .map_err(|error| Fault::new(Cause::Unresolved, without_os_number(&error.to_string()))),
        Err(RecvTimeoutError::Timeout) => Err(Fault::new(
            Cause::Unresolved,
            format!("name lookup: {}", wait.over().words),
        )),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Fault::new(Cause::Local, "the name lookup broke off"))
        }
    }
}

/// The socket, with TLS over it once that is agreed.
struct Channel {
    socket: Socket,
    tls: Option<ClientConnection>,
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).read(buffer),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(buffer),
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(tls) => rustls::Stream::new(tls, &mut self.socket).flush(),
        }
    }
}

/// A socket whose every call ends with the step's time: a timeout set once holds for each call anew, so a server that
/// says a byte now and then could make a step last for ever.
struct Socket {
    tcp: TcpStream,
    wait: Wait,
}

impl Socket {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.wait.left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.set_read_timeout(self.left()?)?;
        self.tcp.read(buffer).map_err(timed_out)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(self.left()?)?;
        self.tcp.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// A socket's timeout comes as `WouldBlock`, at which rustls would go on with something else.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_dead_address_leaves_time_for_the_next() {
        let second = Duration::from_secs(1);
        let deadline = Instant::now() + 40 * second;
        assert_eq!(patience(30 * second, deadline, true), 30 * second);
        assert!(patience(30 * second, deadline, false) <= 20 * second);
        assert_eq!(patience(10 * second, deadline, false), 10 * second);
    }

    #[test]
    fn a_name_server_that_does_not_answer_is_given_up() {
        let (release, released) = channel::<()>();
        let lookup = move || {
            released.recv().ok();
            Ok(Vec::new())
        };
        let limit = Duration::from_millis(300);
        let far = Instant::now() + 100 * limit;
        let fault = resolve(lookup, Wait::new(limit, far)).unwrap_err();
        assert_eq!(fault.cause, Cause::Unresolved);
        assert_eq!(fault.words, "name lookup: no answer within 0.3s");
        drop(release);
    }
}
