//! What goes to standard output and standard error: log lines, tables, JSON documents.
//!
//! `println!` panics on a closed pipe, so everything is written through [`write_stdout`] and [`Log`].

mod progress;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

pub use self::progress::{Look, Progress};
pub use crate::text::one_line;

use self::progress::LastLine;

/// How serious a log line is, in the numbers of syslog (RFC 5424, section 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Something that was to be done was not.
    Error = 3,
    /// Done, but not as it should be.
    Warning = 4,
    /// Worth knowing on an ordinary day, e.g. that an alert was raised.
    Notice = 5,
    /// What was run and how long it took.
    Info = 6,
    /// Every detail.
    Debug = 7,
}

/// Writes log lines to standard error, one per event.
#[derive(Debug, Clone)]
pub struct Log {
    shown: Priority,
    journal: bool,
    last_line: Arc<LastLine>,
}

impl Log {
    /// A log that shows lines up to and including `shown`, with priorities as prefix if `journal` is set.
    pub fn new(shown: Priority, journal: bool) -> Self {
        Log::with_progress(shown, journal, Look::Hidden)
    }

    /// Such a log for a terminal on which progress is shown below its lines, unless only errors are.
    pub fn with_progress(shown: Priority, journal: bool, look: Look) -> Self {
        let look = match shown {
            Priority::Error => Look::Hidden,
            _ => look,
        };
        Log {
            shown,
            journal,
            last_line: Arc::new(LastLine::new(look)),
        }
    }

    /// Shows that others are waited for, e.g. `asking Ceph`, until the answer is dropped.
    pub fn waiting(&self, what: &'static str) -> Progress {
        Progress::waiting(&self.last_line, what)
    }

    /// Shows how many things are done, e.g. `tried 120 of 1,000 mails`, until the answer is dropped.
    pub fn counting(&self, done: &'static str, all: usize, noun: &'static str) -> Progress {
        Progress::counting(&self.last_line, done, all, noun)
    }

    /// This log for a command that tells on standard output what became of each thing: only errors, unless more than is
    /// usual was asked for.
    pub fn leaving_the_account_to_stdout(&self) -> Self {
        let shown = match self.shown {
            Priority::Error | Priority::Warning | Priority::Notice => Priority::Error,
            more @ (Priority::Info | Priority::Debug) => more,
        };
        Log {
            shown,
            ..self.clone()
        }
    }

    /// Something that was to be done was not.
    pub fn error(&self, message: impl fmt::Display) {
        self.write(Priority::Error, &message);
    }

    /// Done, but not as it should be.
    pub fn warning(&self, message: impl fmt::Display) {
        self.write(Priority::Warning, &message);
    }

    /// Worth knowing on an ordinary day.
    pub fn notice(&self, message: impl fmt::Display) {
        self.write(Priority::Notice, &message);
    }

    /// What was run and how long it took.
    pub fn info(&self, message: impl fmt::Display) {
        self.write(Priority::Info, &message);
    }

    /// Every detail.
    pub fn debug(&self, message: impl fmt::Display) {
        self.write(Priority::Debug, &message);
    }

    /// A word to whoever sits there, not about what was done; in a log it has no place.
    pub fn hint(&self, message: &str) {
        if self.shown >= Priority::Notice && !self.journal {
            self.last_line.write_above(&format!("{message}\n"));
        }
    }

    fn write(&self, priority: Priority, message: &dyn fmt::Display) {
        if priority > self.shown {
            return;
        }
        let line = render_log_line(priority, self.journal, &message.to_string());
        self.last_line.write_above(&line);
    }
}

fn render_log_line(priority: Priority, journal: bool, message: &str) -> String {
    let one_line = one_line(message);
    if journal {
        return format!("<{}>{one_line}\n", priority as u8);
    }
    match priority {
        Priority::Error => format!("petanotify: error: {one_line}\n"),
        Priority::Warning => format!("petanotify: warning: {one_line}\n"),
        Priority::Notice | Priority::Info | Priority::Debug => format!("petanotify: {one_line}\n"),
    }
}

/// Whether standard error goes to the journal: systemd names the device and inode of the stream in `JOURNAL_STREAM`
/// (systemd.exec(5)), so that a redirected standard error is not mistaken for it.
pub fn stderr_is_journal(journal_stream: Option<&str>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino())
}

/// Writes to standard output. A reader that has gone away is no error: it has seen what it wanted.
///
/// # Errors
/// Any other failure, e.g. a full disk behind a redirection.
pub fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// How standard output looks: colours and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether escape sequences (ECMA-48) are used.
    pub color: bool,
    /// Whether signs beyond ASCII, such as ticks and blocks, can be shown.
    pub unicode: bool,
    /// Columns of the terminal; 80 where there is none.
    pub width: usize,
    /// Rows of the terminal; 60, a printed page, where there is none.
    pub height: usize,
}

impl Style {
    /// Strong.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// In the background.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Something is wrong.
    pub fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    /// All is well.
    pub fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Nobody knows.
    pub fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The style of standard output. Colours are used if `color` says so; where it leaves that open, on a terminal unless
/// `NO_COLOR` is set and not empty (no-color.org). Signs beyond ASCII are used where a person looks, if the `locale` has them:
/// what is piped reads the same everywhere.
pub fn style(color: Option<bool>, no_color: Option<&str>, locale: Option<&str>) -> Style {
    let terminal = stdout_is_terminal();
    let size = if terminal { terminal_size() } else { None };
    let (width, height) = size.unwrap_or((80, 60));
    Style {
        color: color.unwrap_or(terminal && no_color.is_none_or(str::is_empty)),
        unicode: (terminal || color == Some(true)) && locale.is_some_and(is_utf8),
        width,
        height,
    }
}

/// Whether a locale's name, e.g. `de_DE.UTF-8@euro`, tells of UTF-8 (setlocale(3)).
pub fn is_utf8(locale: &str) -> bool {
    let codeset = locale.split_once('.').map(|(_, codeset)| codeset);
    let codeset = codeset.and_then(|codeset| codeset.split('@').next());
    codeset.is_some_and(|codeset| {
        ["UTF-8", "UTF8"]
            .iter()
            .any(|utf8| codeset.eq_ignore_ascii_case(utf8))
    })
}

/// Columns and rows of standard output.
fn terminal_size() -> Option<(usize, usize)> {
    size_of(io::stdout())
}

fn stderr_columns() -> Option<usize> {
    size_of(io::stderr()).map(|(columns, _)| columns)
}

fn size_of(terminal: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_tells_whether_it_has_utf_8() {
        for (locale, utf8) in [
            ("en_US.UTF-8", true),
            ("C.utf8", true),
            ("de_DE.UTF-8@euro", true),
            ("C", false),
            ("POSIX", false),
            ("de_DE@euro", false),
            ("ja_JP.eucJP", false),
            ("", false),
        ] {
            assert_eq!(is_utf8(locale), utf8, "{locale:?}");
        }
    }
}
