//! A line that tells a person at a terminal what takes so long, and leaves no trace when it is done.
//!
//! It is the last line of standard error: log lines are written above it. Where nobody looks, nothing is started and nothing
//! is drawn.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::text::fit;

/// What is done sooner needs no explanation.
const PATIENCE: Duration = Duration::from_secs(2);

/// Nobody reads faster.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(100);

/// To the first column, and everything from there on erased (ECMA-48, EL).
const ERASE: &str = "\r\x1b[K";

/// Whether and how progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nobody is there, or wants to see it.
    Hidden,
    /// On a terminal, with ASCII alone.
    Ascii,
    /// On a terminal that knows all signs.
    Unicode,
}

impl Look {
    /// How it is shown on standard error, which needs to be a terminal that can erase a line (`TERM`).
    pub fn on_stderr(term: Option<&str>, utf8: bool) -> Look {
        let erases = term.is_some_and(|term| term != "dumb");
        match (erases && io::stderr().is_terminal(), utf8) {
            (false, _) => Look::Hidden,
            (true, false) => Look::Ascii,
            (true, true) => Look::Unicode,
        }
    }
}

/// The last line of the terminal. Whoever writes to the terminal holds it.
#[derive(Debug)]
pub(super) struct LastLine {
    look: Look,
    drawn: Mutex<String>,
}

impl LastLine {
    pub(super) fn new(look: Look) -> Self {
        LastLine {
            look,
            drawn: Mutex::default(),
        }
    }

    /// Writes a whole line above it.
    pub(super) fn write_above(&self, line: &str) {
        let drawn = self.hold();
        if drawn.is_empty() {
            to_stderr(line);
        } else {
            to_stderr(&format!("{ERASE}{line}{drawn}"));
        }
    }

    fn draw(&self, line: String) {
        let mut drawn = self.hold();
        if *drawn != line {
            to_stderr(&format!("{ERASE}{line}"));
            *drawn = line;
        }
    }

    /// Lets something else be written to the terminal.
    fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut drawn = self.hold();
        erase(&mut drawn);
        write()
    }

    fn hold(&self) -> MutexGuard<'_, String> {
        // Whatever a panic left there is erased like anything else.
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn erase(drawn: &mut String) {
    if !drawn.is_empty() {
        to_stderr(ERASE);
        drawn.clear();
    }
}

fn to_stderr(text: &str) {
    // Nobody is left to be told when standard error is gone.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What is being done.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Task {
    /// Waiting for others.
    Waiting(&'static str),
    /// One thing after the other.
    Counting {
        done: &'static str,
        all: usize,
        noun: &'static str,
    },
}

impl Task {
    /// `asking Ceph and Consul … 7 s`, `tried 120 of 1,000 mails … 7 s`
    fn line(&self, reached: usize, elapsed: Duration, dots: &str) -> String {
        let seconds = elapsed.as_secs();
        match self {
            Task::Waiting(what) => format!("{what} {dots} {seconds} s"),
            Task::Counting { done, all, noun } => {
                let (reached, of) = (grouped(reached), grouped(*all));
                let plural = if *all == 1 { "" } else { "s" };
                format!("{done} {reached} of {of} {noun}{plural} {dots} {seconds} s")
            }
        }
    }
}

/// `1,000`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Something that may take long. It is shown from two seconds on until this is dropped.
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Shared>,
    drawer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    line: Arc<LastLine>,
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Now {
    reached: usize,
    over: bool,
}

impl Progress {
    pub(super) fn waiting(line: &Arc<LastLine>, what: &'static str) -> Self {
        Progress::begin(line, Task::Waiting(what))
    }

    pub(super) fn counting(
        line: &Arc<LastLine>,
        done: &'static str,
        all: usize,
        noun: &'static str,
    ) -> Self {
        Progress::begin(line, Task::Counting { done, all, noun })
    }

    fn begin(line: &Arc<LastLine>, task: Task) -> Self {
        let shared = Arc::new(Shared {
            line: Arc::clone(line),
            now: Mutex::default(),
            changed: Condvar::new(),
        });
        let dots = match line.look {
            Look::Hidden => None,
            Look::Ascii => Some("..."),
            Look::Unicode => Some("…"),
        };
        let drawer = dots.and_then(|dots| {
            let shared = Arc::clone(&shared);
            let begin = Instant::now();
            let draw = move || shared.draw_until_over(&task, begin, dots);
            // Without a thread to spare nothing is shown, and everything is done.
            thread::Builder::new().spawn(draw).ok()
        });
        Progress { shared, drawer }
    }

    /// So many things are done by now.
    pub fn reached(&self, number: usize) {
        self.shared.hold().reached = number;
    }

    /// Lets something be printed to standard output, which may be the same terminal.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.shared.line.aside(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.hold().over = true;
        self.shared.changed.notify_all();
        if let Some(drawer) = self.drawer.take() {
            let _ = drawer.join();
            self.shared.line.aside(|| ());
        }
    }
}

impl Shared {
    fn hold(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw_until_over(&self, task: &Task, begin: Instant, dots: &str) {
        let mut pause = PATIENCE;
        let mut now = self.hold();
        loop {
            let woken = self
                .changed
                .wait_timeout_while(now, pause, |now| !now.over)
                .unwrap_or_else(PoisonError::into_inner);
            now = woken.0;
            if now.over {
                return;
            }
            let line = task.line(now.reached, begin.elapsed(), dots);
            // One column stays free, for the cursor: in the last one it would go to the next line.
            let columns = super::stderr_columns().unwrap_or(80).saturating_sub(1);
            self.line.draw(fit(&line, columns));
            pause = BETWEEN_DRAWINGS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_is_done_how_far_and_how_long() {
        let mails = |all| Task::Counting {
            done: "tried",
            all,
            noun: "mail",
        };
        let cases = [
            (
                Task::Waiting("asking Ceph and Consul"),
                0,
                "asking Ceph and Consul … 7 s",
            ),
            (mails(1000), 120, "tried 120 of 1,000 mails … 7 s"),
            (mails(1), 0, "tried 0 of 1 mail … 7 s"),
        ];
        for (task, reached, line) in cases {
            assert_eq!(task.line(reached, Duration::from_millis(7900), "…"), line);
        }
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (100_000, "100,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
