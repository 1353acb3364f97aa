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
use super::stream::{Stream, Unsaid, Wait};
use super::tls::Tls;
use super::verdict::{Cause, Failure, Fault, Stage, bare_host};
use crate::settings::{Login, Relay, Security};

/// Longest wait for the server's goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long the answers to several commands at once are waited for, as a share of the time that is left. A server that
/// can't do what it offers may say nothing at all, and the mails must still go out one command at a time.
const GROUP_SHARE: u32 = 3;

/// How commands go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Each after the answer to the one before.
    LockStep,
    /// Several at once (RFC 2920), if the server offers it. The first mail of a connection still goes in lock-step, so
    /// that a mail which goes alone depends on nothing but the oldest SMTP.
    Pipelined,
}

/// A command before a mail's text.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    stage: Stage,
    line: String,
}

impl Command {
    fn new(stage: Stage, command: impl Display) -> Command {
        Command {
            stage,
            line: command.to_string(),
        }
    }

    fn expected(&self) -> Severity {
        match self.stage {
            Stage::Data => Severity::PositiveIntermediate,
            _ => Severity::PositiveCompletion,
        }
    }
}

fn lines(commands: &[Command]) -> Vec<u8> {
    let lines: String = commands.iter().map(|c| c.line.as_str()).collect();
    lines.into_bytes()
}

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
    /// The shortest time in which the server answered so far.
    round_trip: Duration,
    /// For each step.
    timeout: Duration,
    /// For all of them.
    deadline: Instant,
    /// What the server can do: the lines of its last answer to EHLO but the first.
    extensions: Vec<String>,
    pace: Pace,
    /// The server has taken a mail over this connection.
    proven: bool,
    /// The commands for the next mail that have gone out already and whose answers are still to be read. All but that
    /// mail's text, now, would be taken for a part of it.
    ahead: Option<Vec<Command>>,
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
        pace: Pace,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        Connection::open_watched(relay, tls, pace, deadline, |_| {})
    }

    /// The same, with a look at the stream once it is connected, and again each time something has been agreed on.
    pub(super) fn open_watched(
        relay: &Relay,
        tls: Option<&Tls>,
        pace: Pace,
        deadline: Instant,
        mut watch: impl FnMut(&Stream),
    ) -> Result<Connection, Failure> {
        if relay.login.is_some() && relay.security == Security::None && !relay.allow_plain_login {
            let words = "without TLS the password would be readable on the way, so it was not sent";
            return Err(Fault::new(Cause::PlainLogin, words).at(Stage::Login));
        }
        let stream = dial(relay, deadline).map_err(|fault| fault.at(Stage::Connect))?;
        let mut connection = Connection {
            round_trip: stream.round_trip(),
            stream,
            timeout: relay.timeout,
            deadline,
            extensions: Vec::new(),
            pace,
            proven: false,
            ahead: None,
            in_transaction: false,
            over: false,
        };
        watch(&connection.stream);
        let hello = domain::hello_name(&rustix::system::uname().nodename().to_string_lossy());
        if relay.security == Security::Tls {
            connection.secure(tls)?;
            watch(&connection.stream);
        }
        connection.greeting()?;
        connection.ehlo(&hello)?;
        if relay.security == Security::Starttls {
            connection.starttls()?;
            connection.secure(tls)?;
            watch(&connection.stream);
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

    /// Whether this mail can be handed over now: unless another one was announced to the server already.
    pub(super) fn can_take(&self, mail: &Mail) -> bool {
        (self.ahead.as_ref()).is_none_or(|ahead| self.commands(mail).is_ok_and(|c| c == *ahead))
    }

    /// Hands over a mail that the connection can take; the words with which the server took it. Where several commands
    /// may go out at once, those for the `upcoming` one leave together with this one's text.
    pub(super) fn hand_over(
        &mut self,
        mail: &Mail,
        upcoming: Option<&Mail>,
        deadline: Instant,
    ) -> Result<String, Failure> {
        self.deadline = deadline;
        let mut commands = self.commands(mail)?;
        let announced = self.ahead.take().is_some();
        if self.in_transaction && !announced {
            commands.insert(0, Command::new(Stage::Rset, Rset));
        }
        self.in_transaction = true;
        if announced {
            self.hear_group(&commands)?;
        } else if self.pipelines() {
            self.say_group(&commands)?;
            self.hear_group(&commands)?;
        } else {
            for command in &commands {
                self.step(command.stage, command.line.as_bytes(), command.expected())?;
            }
            self.expect_silence(Stage::Data, UNASKED)?;
        }
        let upcoming = upcoming.filter(|_| self.pipelines());
        self.send_text(mail, upcoming.and_then(|mail| self.commands(mail).ok()))
    }

    /// The commands before the mail's text.
    fn commands(&self, mail: &Mail) -> Result<Vec<Command>, Failure> {
        let parameters = self
            .mail_parameters(mail)
            .map_err(|fault| fault.at(Stage::Mail))?;
        Ok(vec![
            Command::new(
                Stage::Mail,
                MailFrom::new(Some(mail.from.clone()), parameters),
            ),
            Command::new(Stage::Rcpt, Rcpt::new(mail.to.clone(), Vec::new())),
            Command::new(Stage::Data, Data),
        ])
    }

    /// Whether several commands may go out at once by now.
    fn pipelines(&self) -> bool {
        self.pace == Pace::Pipelined && self.proven && self.offers("PIPELINING")
    }

    fn say_group(&mut self, commands: &[Command]) -> Result<(), Failure> {
        let first = commands.first().map_or(Stage::Mail, |c| c.stage);
        self.expect_silence(first, UNASKED)?;
        let wait = self.wait();
        self.stream.say(&lines(commands), wait).map_err(|unsaid| {
            self.over = true;
            unsaid.fault.at(first).while_pipelining()
        })
    }

    /// Takes the answers to commands that went out together. What the first refusal says counts: those behind it follow
    /// from it.
    fn hear_group(&mut self, commands: &[Command]) -> Result<(), Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let wait = Wait::new(self.timeout.min(left / GROUP_SHARE), self.deadline);
        let mut refusal = None;
        for command in commands {
            let answer = self.stream.hear(wait);
            let answer = answer.and_then(|answer| judge(answer, command.expected()));
            let Err(fault) = answer else {
                // It has accepted neither sender nor recipient and wants a text all the same. RFC 2920, section 3.1, would
                // give it an empty one; nothing can come of it if the text never ends.
                self.over = refusal.is_some() && command.stage == Stage::Data;
                continue;
            };
            self.over = breaks(&fault);
            let is_reply = matches!(fault.cause, Cause::Reply(_));
            let failure = fault.at(command.stage).while_pipelining();
            if !is_reply {
                return Err(failure);
            }
            let refusal = refusal.get_or_insert(failure);
            if self.over {
                return Err(refusal.clone());
            }
        }
        match refusal {
            Some(failure) => Err(failure),
            None => self
                .expect_silence(Stage::Data, UNASKED)
                .map_err(Failure::while_pipelining),
        }
    }

    /// Sends the text, with the commands for the next mail behind it, and takes the answer to the text's end.
    fn send_text(&mut self, mail: &Mail, ahead: Option<Vec<Command>>) -> Result<String, Failure> {
        let behind = ahead.as_deref().map(lines).unwrap_or_default();
        let mut said = data_lines(mail.message, behind.len());
        let end = said.len();
        said.extend(behind);
        let wait = self.wait();
        let answer = match self.stream.say(&said, wait) {
            Ok(()) => self
                .stream
                .hear(wait)
                .map_err(|fault| fault.at(Stage::EndOfData)),
            Err(Unsaid { sent, fault }) => {
                let heard_out = sent >= end;
                // Perhaps it has said why it would not hear the text out.
                match self.stream.hear(wait) {
                    Ok(answer) if heard_out || !answer.is_positive() => Ok(answer),
                    _ if heard_out => Err(fault.at(Stage::EndOfData)),
                    _ => Err(fault.at(Stage::Text)),
                }
            }
        };
        let answer = answer.and_then(|answer| {
            judge(answer, Severity::PositiveCompletion).map_err(|fault| fault.at(Stage::EndOfData))
        });
        self.over = answer.as_ref().is_err_and(|failure| breaks(&failure.fault));
        let answer = match ahead {
            None => answer,
            Some(commands) => {
                self.ahead = Some(commands);
                answer.map_err(Failure::while_pipelining)
            }
        }?;
        self.in_transaction = false;
        self.proven = true;
        Ok(words_of(&answer))
    }

    /// How far the server is: the shortest time in which it answered so far. That of one answer alone, be it TCP's when it
    /// connected, tells as well how busy both machines are.
    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Asks whether a mail from this sender to this recipient would be taken, and calls it off again: no text is sent. The
    /// words with which the server agreed.
    pub(super) fn would_take(&mut self, mail: &Mail) -> Result<String, Failure> {
        let parameters = self
            .mail_parameters(mail)
            .map_err(|fault| fault.at(Stage::Mail))?;
        let from = MailFrom::new(Some(mail.from.clone()), parameters);
        self.command(Stage::Mail, from)?;
        let answer = self.command(Stage::Rcpt, Rcpt::new(mail.to.clone(), Vec::new()));
        // What the server said of the recipient counts more than what it makes of this.
        if !self.over {
            let cleared = self.command(Stage::Rset, Rset);
            self.over |= cleared.is_err();
        }
        answer.map(|answer| words_of(&answer))
    }

    /// Whether nothing more can be said over it.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// What MAIL must announce (RFC 6531, RFC 6152, RFC 1870), if the server can do it.
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
        if let Some(mut words) = self.extension("SIZE").next() {
            let size = mail.message.len();
            // None, or 0, means that it names no limit.
            let limit = words.next().and_then(|limit| limit.parse::<usize>().ok());
            if let Some(limit @ 1..) = limit
                && size > limit
            {
                let words =
                    format!("the mail has {size} bytes and the server takes at most {limit}");
                return Err(Fault::new(Cause::TooLarge, words));
            }
            parameters.push(MailParameter::Size(size));
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
        let asked = Instant::now();
        let answer = match self.stream.say(said, wait) {
            Ok(()) => self.stream.hear(wait),
            Err(unsaid) => Err(unsaid.fault),
        };
        if !said.is_empty() && answer.is_ok() {
            self.round_trip = self.round_trip.min(asked.elapsed());
        }
        let answer = answer.and_then(|answer| judge(answer, expected));
        self.over = answer.as_ref().is_err_and(breaks);
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
        // Where a mail was announced that does not come, the server takes whatever is said for its text, and gives up on
        // it when the connection ends before the text does.
        if !self.over && self.ahead.is_none() {
            let wait = Wait::new(GOODBYE, Instant::now() + GOODBYE);
            if self.stream.say(Quit.to_string().as_bytes(), wait).is_ok() {
                // Whatever it answers, we are gone.
                let _ = self.stream.hear(wait);
            }
        }
    }
}

/// Whether nothing more can be said after it.
fn breaks(fault: &Fault) -> bool {
    !matches!(fault.cause, Cause::Reply(code) if code != 421)
}

fn dial(relay: &Relay, deadline: Instant) -> Result<Stream, Fault> {
    Stream::dial(&ascii_host(relay)?, relay.port, relay.timeout, deadline)
}

/// The server's name as it is looked up.
pub(super) fn ascii_host(relay: &Relay) -> Result<String, Fault> {
    domain::to_ascii(bare_host(&relay.host))
        .ok_or_else(|| Fault::new(Cause::Unresolved, "smtp.host is no domain name"))
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

/// The message as it follows DATA, up to the single dot (RFC 5321, section 4.5.2), with every line end made CRLF. There is room for
/// so many bytes `behind` it.
fn data_lines(message: &[u8], behind: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len() + 64 + behind);
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
            let made = data_lines(message.as_bytes(), 0);
            assert_eq!(String::from_utf8_lossy(&made), data, "{message:?}");
        }
    }
}
