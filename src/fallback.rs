//! The last way out: gives one mail at a time to a command, as to `/usr/sbin/sendmail -t`, within a deadline.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitStatus};
use std::time::{Duration, Instant};

use crate::deadline::{self, End, LeftBehind, Limits};
use crate::output::Log;
use crate::settings::ways::Command;
use crate::text::one_line;

/// Of what the command says so much is read from the end; its last words tell why it failed.
const STDERR_TAIL_BYTES: usize = 4096;

/// The most of its words that is quoted, in characters, counted from the end.
const WORDS_MAX: usize = 300;

/// What became of a mail. The texts name the command and quote its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// Exit status 0: the command took responsibility for it.
    Taken,
    /// It failed for this mail; another one may do better.
    Failed(String),
    /// It can't be started or did not end in time: what is said here holds for every other mail of this pass.
    Unusable(String),
}

/// Hands over one mail and waits for the end of the command, for `command.timeout` and not longer than `time`.
///
/// `message` is the whole mail, header and body. The command gets it with the line ends of this machine, LF, as sendmail
/// expects it.
pub fn send(command: &Command, message: &[u8], time: Duration, log: &Log) -> Handover {
    let started = Instant::now();
    let time = time.min(command.timeout);
    let limits = Limits {
        time,
        // To end a command that has delivered and is talkative would be to deliver again.
        stdout_bytes: None,
        stderr_tail_bytes: STDERR_TAIL_BYTES,
        stderr_bytes: usize::MAX,
        left_behind: LeftBehind::GoOn,
    };
    let name = name(command);
    let (program, arguments) = command.words.split_first().unwrap_or((&name, &[]));
    let mut process = process::Command::new(program);
    process.args(arguments);
    log.debug(format_args!("{name}: {process:?}"));
    let run = deadline::run(&mut process, Some(with_lf(message)), limits, |_| true);
    let handover = match run {
        Err(error) => Handover::Unusable(format!("{name}: {}", cannot_run(&error))),
        Ok(run) => match run.end {
            End::Exit(status) if status.success() => Handover::Taken,
            End::Exit(status) => {
                let words = last_words(&run.stderr);
                Handover::Failed(format!("{name}: {}{words}", ended(status)))
            }
            End::Deadline | End::TooLong(_) => {
                let words = last_words(&run.stderr);
                let seconds = time.as_secs_f64();
                Handover::Unusable(format!(
                    "{name}: did not end within {seconds:.1} s, so it was ended (fallback.timeout){words}"
                ))
            }
        },
    };
    let outcome = match &handover {
        Handover::Taken => format!("{name}: mail taken"),
        Handover::Failed(words) | Handover::Unusable(words) => words.clone(),
    };
    let took = started.elapsed().as_millis();
    log.info(format_args!("{outcome}: {took} ms"));
    handover
}

/// How the command is called where it is spoken of.
pub fn name(command: &Command) -> String {
    let program = command.words.first().map_or("", String::as_str);
    format!("fallback {}", one_line(program))
}

fn cannot_run(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there; check fallback.command".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "it may not be run by this user; check fallback.command".to_owned()
        }
        _ => format!("cannot be run: {error}"),
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// What it said at the end, in one line behind a colon; nothing where it said nothing.
fn last_words(stderr: &[u8]) -> String {
    let words = one_line(&String::from_utf8_lossy(stderr));
    let excess = words.chars().count().saturating_sub(WORDS_MAX);
    match (words.is_empty(), excess) {
        (true, _) => String::new(),
        (false, 0) => format!(": {words}"),
        (false, excess) => {
            let end: String = words.chars().skip(excess).collect();
            format!(": ...{end}")
        }
    }
}

fn with_lf(message: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(message.len());
    let mut bytes = message.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if !(byte == b'\r' && bytes.peek() == Some(&b'\n')) {
            text.push(byte);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::output::Priority;

    const MAIL: &[u8] = b"To: ops@example.org\r\nSubject: down\r\n\r\n.\r\nbody\r\n";

    fn command(words: &[&str]) -> Command {
        Command {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            from: "storage@example.org".parse().unwrap(),
            after: Duration::ZERO,
            timeout: Duration::from_secs(20),
        }
    }

    fn hand_over(words: &[&str], time: Duration) -> Handover {
        let log = Log::new(Priority::Error, false);
        send(&command(words), MAIL, time, &log)
    }

    fn shell(script: &str) -> Handover {
        hand_over(&["sh", "-c", script], Duration::from_secs(30))
    }

    #[test]
    fn the_mail_is_given_with_the_line_ends_of_this_machine() {
        let expected = "To: ops@example.org\nSubject: down\n\n.\nbody\n";
        let script = format!("test \"$(cat; echo x)\" = '{expected}x'");
        assert_eq!(shell(&script), Handover::Taken);
        for (message, text) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\nb", "a\nb"),
            ("\r\r\n\r", "\r\n\r"),
        ] {
            assert_eq!(with_lf(message.as_bytes()), text.as_bytes(), "{message:?}");
        }
    }

    #[test]
    fn failures_are_told_in_the_commands_own_words() {
        let failed = |words: &str| Handover::Failed(words.to_owned());
        let unusable = |words: &str| Handover::Unusable(words.to_owned());
        for (found, expected) in [
            (shell("exit 75"), failed("fallback sh: exit status 75")),
            (
                shell("echo unheard; echo one >&2; echo two >&2; exit 67"),
                failed("fallback sh: exit status 67: one two"),
            ),
            (
                shell("kill -9 $$"),
                failed("fallback sh: ended by signal 9"),
            ),
            (
                hand_over(&["/nonexistent/sendmail", "-t"], Duration::from_secs(1)),
                unusable("fallback /nonexistent/sendmail: it is not there; check fallback.command"),
            ),
            (
                hand_over(&["/"], Duration::from_secs(1)),
                unusable("fallback /: it may not be run by this user; check fallback.command"),
            ),
            (
                hand_over(
                    &["sh", "-c", "echo busy >&2; sleep 661.25"],
                    Duration::from_millis(300),
                ),
                unusable(
                    "fallback sh: did not end within 0.3 s, so it was ended (fallback.timeout): busy",
                ),
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_talkative_command_has_delivered_all_the_same_and_is_quoted_in_part() {
        let loud = "yes | head -c 3000000; yes | head -c 3000000 >&2";
        assert_eq!(shell(loud), Handover::Taken);
        let Handover::Failed(words) = shell(&format!("{loud}; echo full >&2; exit 1")) else {
            panic!("it failed");
        };
        assert!(
            words.starts_with("fallback sh: exit status 1: ..."),
            "{words}"
        );
        assert!(words.ends_with(" full"), "{words}");
        assert!(words.len() < 400, "{words}");
    }
}
