//! The client's side of SMTP (RFC 5321), from the greeting to the goodbye.

use std::fmt::Display;
use std::str::SplitWhitespace;
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{
    Auth, Data, Ehlo, Mail as MailFrom, Quit, Rcpt, Rset, Starttls,
};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};

use super::Outgoing;
use super::domain;
use super::stream::{Stream, Wait};
use super::tls::Tls;
use super::verdict::{Cause, Failure, Fault, Stage, bare_host};
use crate::settings::{Login, Relay, Security};

/// Longest wait for the server's goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// One mail to hand over.
pub(super) struct Mail<'a> {
    /// Both with their domains in ASCII.
    from: Address,
    to: Address,
    message: &'a [u8],
}

impl<'a> Mail<'a> {
    pub(super) fn new(mail: &Outgoing<'a>) -> Result<Mail<'a>, Failure> {
        Ok(Mail {
            from: ascii_domain(mail.from, Cause::UnsupportedSender)
                .map_err(|fault| fault.at(Stage::Mail))?,
            to: ascii_domain(mail.to, Cause::UnsupportedMail)
                .map_err(|fault| fault.at(Stage::Rcpt))?,
            message: mail.message,
        })
    }
}

/// A connection that has been greeted, secured and logged in as the settings say. Dropping it says goodbye, if the
/// server is still there to hear it.
pub(super) struct Connection {
    stream: Stream,
    /// For each step.
    timeout: Duration,
    /// For all of them.
    deadline: Instant,
    /// What the server can do: the lines of its last answer to EHLO but the first.
    extensions: Vec<String>,
    /// A transaction was begun and not brought to its end.
    in_transaction: bool,
    /// The server has gone, or nobody knows any more what its next words will answer.
    over: bool,
}

impl Connection {
    /// Dials the server and makes it ready for mail. `tls` must be there unless `relay.security` is none.
    pub(super) fn open(
        relay: &Relay,
        tls: Option<&Tls>,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        if relay.login.is_some() && relay.security == Security::None && !relay.allow_plain_login {
            let words = "without TLS the password would be readable on the way, so it was not sent";
            return Err(Fault::new(Cause::PlainLogin, words).at(Stage::Login));
        }
        let mut connection = Connection {
            stream: dial(relay, deadline).map_err(|fault| fault.at(Stage::Connect))?,
            timeout: relay.timeout,
            deadline,
            extensions: Vec::new(),
            in_transaction: false,
            over: false,
        };
        let hello = domain::hello_name(&rustix::system::uname().nodename().to_string_lossy());
        if relay.security == Security::Tls {
            connection.secure(tls)?;
        }
        connection.greeting()?;
        connection.ehlo(&hello)?;
        if relay.security == Security::Starttls {
            connection.starttls()?;
            connection.secure(tls)?;
            // What was said without TLS does not count (RFC 3207, section 4.2).
            connection.ehlo(&hello)?;
        }
        if let Some(login) = &relay.login {
            connection.log_in(login)?;
        }
        Ok(connection)
    }

    fn greeting(&mut self) -> Result<(), Failure> {
        self.step(Stage::Greeting, b"", Severity::PositiveCompletion)
            .map(drop)
    }

    fn ehlo(&mut self, hello: &ClientId) -> Result<(), Failure> {
        let answer = self.command(Stage::Ehlo, Ehlo::new(hello.clone()))?;
        self.extensions = answer.message().skip(1).map(str::to_owned).collect();
        Ok(())
    }

    fn starttls(&mut self) -> Result<(), Failure> {
        if !self.offers("STARTTLS") {
            let words = "not offered by the server";
            return Err(Fault::new(Cause::NoStarttls, words).at(Stage::Starttls));
        }
        self.command(Stage::Starttls, Starttls)?;
        // Somebody on the way may have put them there, to be taken for answers that came through TLS (CVE-2011-0411).
        self.expect_silence(
            Stage::Starttls,
            "the server sent more than its answer to STARTTLS, before TLS protects what it says",
        )
    }

    fn secure(&mut self, tls: Option<&Tls>) -> Result<(), Failure> {
        let wait = self.wait();
        let secured = tls
            .ok_or_else(|| Fault::new(Cause::Local, "TLS is not set up"))
            .and_then(|tls| self.stream.secure(tls, wait));
        self.over = secured.is_err();
        secured.map_err(|fault| fault.at(Stage::Tls))
    }

    /// Logs in by PLAIN (RFC 4616), else by LOGIN, which asks for the name and then for the password.
    fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let mechanism = self.mechanism().map_err(|fault| fault.at(Stage::Login))?;
        let credentials =
            Credentials::new(login.username.clone(), login.password.reveal().to_owned());
        let mut auth = Auth::new(mechanism, credentials.clone(), None)
            .map_err(|error| Fault::new(Cause::Local, error.to_string()).at(Stage::Login))?;
        let questions = match mechanism {
            Mechanism::Login => 2,
            Mechanism::Plain | Mechanism::Xoauth2 => 0,
        };
        for _ in 0..questions {
            let said = auth.to_string();
            let question = self.step(
                Stage::Login,
                said.as_bytes(),
                Severity::PositiveIntermediate,
            )?;
            auth = Auth::new_from_response(mechanism, credentials.clone(), &question).map_err(
                |_| {
                    // It waits for an answer, and would take a goodbye for one.
                    self.over = true;
                    let words = format!("unknown question: {}", words_of(&question));
                    Fault::new(Cause::Garbled, words).at(Stage::Login)
                },
            )?;
        }
        self.command(Stage::Login, auth).map(drop)
    }

    fn mechanism(&self) -> Result<Mechanism, Fault> {
        let offered: Vec<&str> = self.extension("AUTH").flatten().collect();
        if offered.is_empty() {
            let words = "the server offers no login (AUTH)";
            return Err(Fault::new(Cause::NoLogin, words));
        }
        [Mechanism::Plain, Mechanism::Login]
            .into_iter()
            .find(|mechanism| {
                let name = mechanism.to_string();
                offered.iter().any(|word| word.eq_ignore_ascii_case(&name))
            })
            .ok_or_else(|| {
                let offered = offered.join(" ");
                let words = format!(
                    "the server offers only {offered}; PLAIN and LOGIN are what can be used"
                );
                Fault::new(Cause::NoCommonLogin, words)
            })
    }

    /// Begins with the next mail: clears away what the one before left behind, and says who sends this one.
    pub(super) fn begin(&mut self, mail: &Mail, deadline: Instant) -> Result<(), Failure> {
        self.deadline = deadline;
        let parameters = self
            .mail_parameters(mail)
            .map_err(|fault| fault.at(Stage::Mail))?;
        if self.in_transaction {
            self.command(Stage::Rset, Rset)?;
        }
        self.in_transaction = true;
        self.command(
            Stage::Mail,
            MailFrom::new(Some(mail.from.clone()), parameters),
        )
        .map(drop)
    }

    /// Says whom it is for and what it says. The words with which the server took it.
    pub(super) fn finish(&mut self, mail: &Mail) -> Result<String, Failure> {
        self.command(Stage::Rcpt, Rcpt::new(mail.to.clone(), Vec::new()))?;
        let data = Data.to_string();
        self.step(Stage::Data, data.as_bytes(), Severity::PositiveIntermediate)?;
        self.expect_silence(Stage::Data, UNASKED)?;
        let answer = self.step(
            Stage::EndOfData,
            &data_lines(mail.message),
            Severity::PositiveCompletion,
        )?;
        self.in_transaction = false;
        Ok(words_of(&answer))
    }

    /// How long TCP took to connect.
    pub(super) fn round_trip(&self) -> Duration {
        self.stream.round_trip()
    }

    /// Whether nothing more can be said over it.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// What MAIL must announce (RFC 6531, RFC 6152), if the server can do it.
    fn mail_parameters(&self, mail: &Mail) -> Result<Vec<MailParameter>, Fault> {
        let mut parameters = Vec::new();
        for (address, cause) in [
            (&mail.from, Cause::UnsupportedSender),
            (&mail.to, Cause::UnsupportedMail),
        ] {
            if address.user().is_ascii() {
                continue;
            }
            if !self.offers("SMTPUTF8") {
                let words = format!("{address} is not ASCII and the server offers no SMTPUTF8");
                return Err(Fault::new(cause, words));
            }
            if parameters.is_empty() {
                parameters.push(MailParameter::SmtpUtfEight);
            }
        }
        if !mail.message.is_ascii() {
            if !self.offers("8BITMIME") {
                let words = "the text is not ASCII and the server offers no 8BITMIME";
                return Err(Fault::new(Cause::UnsupportedMail, words));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.extension(keyword).next().is_some()
    }

    /// What follows an extension's keyword, on each line that begins with it.
    fn extension<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = SplitWhitespace<'a>> {
        self.extensions.iter().filter_map(move |line| {
            let mut words = line.split_whitespace();
            words.next()?.eq_ignore_ascii_case(keyword).then_some(words)
        })
    }

    /// A command that is done with one answer.
    fn command(&mut self, stage: Stage, command: impl Display) -> Result<Response, Failure> {
        let command = command.to_string();
        self.step(stage, command.as_bytes(), Severity::PositiveCompletion)
    }

    /// Says something, if there is anything to say, and takes the answer, which must be as `expected`.
    fn step(&mut self, stage: Stage, said: &[u8], expected: Severity) -> Result<Response, Failure> {
        self.expect_silence(stage, UNASKED)?;
        let wait = self.wait();
        let answer = self
            .stream
            .exchange(said, wait)
            .and_then(|answer| judge(answer, expected));
        self.over = match &answer {
            Ok(_) => false,
            Err(fault) => !matches!(fault.cause, Cause::Reply(code) if code != 421),
        };
        answer.map_err(|fault| fault.at(stage))
    }

    /// An answer that nobody asked for would be taken for the answer to what is said next.
    fn expect_silence(&mut self, stage: Stage, otherwise: &str) -> Result<(), Failure> {
        let unread = self.stream.unread();
        if unread.is_empty() {
            return Ok(());
        }
        self.over = true;
        let heard = String::from_utf8_lossy(unread);
        Err(Fault::new(Cause::Garbled, format!("{otherwise}: {heard}")).at(stage))
    }

    fn wait(&self) -> Wait {
        Wait::new(self.timeout, self.deadline)
    }
}

const UNASKED: &str = "the server spoke unasked";

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.over {
            let wait = Wait::new(GOODBYE, Instant::now() + GOODBYE);
            // Whatever it answers, we are gone.
            let _ = self.stream.exchange(Quit.to_string().as_bytes(), wait);
        }
    }
}

fn dial(relay: &Relay, deadline: Instant) -> Result<Stream, Fault> {
    let host = domain::to_ascii(bare_host(&relay.host))
        .ok_or_else(|| Fault::new(Cause::Unresolved, "smtp.host is no domain name"))?;
    Stream::dial(&host, relay.port, relay.timeout, deadline)
}

fn judge(answer: Response, expected: Severity) -> Result<Response, Fault> {
    let severity = answer.code().severity;
    if severity == expected {
        return Ok(answer);
    }
    let words = words_of(&answer);
    Err(match severity {
        Severity::TransientNegativeCompletion | Severity::PermanentNegativeCompletion => {
            Fault::new(Cause::Reply(answer.code().into()), words)
        }
        Severity::PositiveCompletion | Severity::PositiveIntermediate => {
            Fault::new(Cause::Garbled, format!("unexpected answer: {words}"))
        }
    })
}

/// Code and all lines of a reply. The enhanced status code, which every line begins with (RFC 2034), is told once.
fn words_of(answer: &Response) -> String {
    let status = answer
        .first_word()
        .filter(|word| word.contains('.') && word.chars().all(|c| c == '.' || c.is_ascii_digit()));
    let mut words = answer.code().to_string();
    for (number, line) in answer.message().enumerate() {
        let text = match line.split_once(' ') {
            Some((first, rest)) if number > 0 && Some(first) == status => rest.trim(),
            _ => line.trim(),
        };
        if !text.is_empty() {
            words.push(' ');
            words.push_str(text);
        }
    }
    words
}

/// The address with its domain in ASCII, which every server understands; `unfit` is what it is when that can't be.
fn ascii_domain(address: &Address, unfit: Cause) -> Result<Address, Fault> {
    let fault = |why| Fault::new(unfit, format!("{address}: {why}"));
    // A line end in an address would be a command of its own.
    if address.to_string().contains(char::is_control) {
        return Err(fault("control character in the address"));
    }
    let domain = domain::to_ascii(address.domain()).ok_or_else(|| fault("no domain name"))?;
    Ok(Address::new_dangerous(address.user(), domain))
}

/// The message as it follows DATA, up to the single dot (RFC 5321, section 4.5.2), with every line end made CRLF.
fn data_lines(message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len() + 64);
    let mut line_begins = true;
    let mut last = b'\0';
    for &byte in message {
        match byte {
            b'\n' if last == b'\r' => {}
            b'\r' | b'\n' => {
                data.extend_from_slice(b"\r\n");
                line_begins = true;
            }
            _ => {
                if line_begins && byte == b'.' {
                    data.push(b'.');
                }
                data.push(byte);
                line_begins = false;
            }
        }
        last = byte;
    }
    if !line_begins || data.is_empty() {
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(b".\r\n");
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_ends_with_a_single_dot_and_hides_all_others() {
        for (message, data) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
            (".\r\n..\r\nx.\r\n.y\r\n", "..\r\n...\r\nx.\r\n..y\r\n.\r\n"),
            // Bare line ends must not smuggle in the end of data.
            ("a\n.\nb\r.\rc", "a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n"),
            ("\n\r\r\n", "\r\n\r\n\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            let made = data_lines(message.as_bytes());
            assert_eq!(String::from_utf8_lossy(&made), data, "{message:?}");
        }
    }
}
