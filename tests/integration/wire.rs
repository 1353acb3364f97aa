//! One accepted connection of a stand-in, plain or under TLS, and how it is read, slowed down and hung up.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// No stand-in reads or writes for longer than this, so that no thread outlives its test for long.
const LONGEST: Duration = Duration::from_secs(120);

/// The other side is gone, or was sent away: nothing more is to be said on this connection.
#[derive(Debug)]
pub(crate) struct Closed;

impl From<io::Error> for Closed {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// A connection as the server sees it.
pub(crate) struct Wire {
    stream: Stream,
    unread: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    Gone,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        stream.set_write_timeout(Some(LONGEST)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: Stream::Plain(stream),
            unread: Vec::new(),
        }
    }

    pub(crate) fn is_secured(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Carries out the TLS handshake; bytes that were sent in plain text before it are dropped, as RFC 3207 demands.
    pub(crate) fn secure(&mut self, config: &Arc<ServerConfig>) -> Result<(), Closed> {
        let Stream::Plain(mut tcp) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(Closed);
        };
        self.unread.clear();
        let mut tls = ServerConnection::new(Arc::clone(config)).map_err(|_| Closed)?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut tcp) {
                // The alert that tells the client why is still to be sent.
                let _ = tls.write_tls(&mut tcp);
                let _ = error;
                return Err(Closed);
            }
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(tls, tcp)));
        Ok(())
    }

    /// Whether something has come in that was not read yet.
    pub(crate) fn has_more(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Throws away what has come in.
    pub(crate) fn forget(&mut self) {
        self.unread.clear();
    }

    /// The next line without its end.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>, Closed> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            self.fill()?;
        }
    }

    /// The next `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Closed> {
        while self.unread.len() < count {
            self.fill()?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// Everything up to and including `end`, without it.
    pub(crate) fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, Closed> {
        loop {
            if let Some(at) = self
                .unread
                .windows(end.len())
                .position(|window| window == end)
            {
                let mut taken: Vec<u8> = self.unread.drain(..at + end.len()).collect();
                taken.truncate(at);
                return Ok(taken);
            }
            self.fill()?;
        }
    }

    /// Whether `end` is what comes next; it is taken then.
    pub(crate) fn starts_with(&mut self, end: &[u8]) -> Result<bool, Closed> {
        while self.unread.len() < end.len() {
            if !end.starts_with(&self.unread) {
                return Ok(false);
            }
            self.fill()?;
        }
        let is_next = self.unread.starts_with(end);
        if is_next {
            self.unread.drain(..end.len());
        }
        Ok(is_next)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(bytes)?,
            Stream::Tls(tls) => {
                tls.write_all(bytes)?;
                tls.flush()?;
            }
            Stream::Gone => return Err(Closed),
        }
        Ok(())
    }

    /// Says nothing more, and waits until the other side has had enough.
    pub(crate) fn hang(&mut self) -> Closed {
        self.unread.clear();
        while self.fill().is_ok() {
            self.unread.clear();
        }
        Closed
    }

    /// Sends these bytes one a second, over and over, until the other side has had enough.
    pub(crate) fn drip(&mut self, bytes: &[u8]) -> Closed {
        loop {
            for byte in bytes {
                if self.send(&[*byte]).is_err() || self.is_left_within(Duration::from_secs(1)) {
                    return Closed;
                }
            }
        }
    }

    /// Sends these bytes over and over, as fast as they are taken.
    pub(crate) fn flood(&mut self, bytes: &[u8]) -> Closed {
        while self.send(bytes).is_ok() {}
        Closed
    }

    /// Hangs up, without TLS's good-bye.
    pub(crate) fn drop_connection(&mut self) -> Closed {
        if let Some(tcp) = self.tcp() {
            let _ = tcp.shutdown(Shutdown::Both);
        }
        self.stream = Stream::Gone;
        Closed
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match &self.stream {
            Stream::Plain(tcp) => Some(tcp),
            Stream::Tls(tls) => Some(&tls.sock),
            Stream::Gone => None,
        }
    }

    /// Waits for `pause` and tells whether the other side hung up meanwhile.
    fn is_left_within(&self, pause: Duration) -> bool {
        let Some(tcp) = self.tcp() else { return true };
        tcp.set_read_timeout(Some(pause)).unwrap();
        let left = match tcp.peek(&mut [0]) {
            Ok(0) => true,
            Ok(_) => {
                std::thread::sleep(pause);
                false
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        tcp.set_read_timeout(Some(LONGEST)).unwrap();
        left
    }

    fn fill(&mut self) -> Result<(), Closed> {
        let mut buffer = [0; 16 * 1024];
        let count = match &mut self.stream {
            Stream::Plain(tcp) => tcp.read(&mut buffer)?,
            Stream::Tls(tls) => tls.read(&mut buffer)?,
            Stream::Gone => 0,
        };
        if count == 0 {
            return Err(Closed);
        }
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}
