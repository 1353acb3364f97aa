//! Asking the monitors through librados, without the CLI's Python: by a child process that is petanotify itself, so that
//! deadline, limits and error texts are the CLI's, and nothing that happens inside the library can take a pass with it.

use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, anyhow};

use super::{
    Answers, Printed, Question, Wanted, access, failed, health, last_line, parse_clocks,
    parse_status, run,
};
use crate::output::Log;
use crate::settings;
use crate::trouble::apart;

/// The name of the subcommand that the child is.
pub const SUBCOMMAND: &str = "ask-ceph";

/// The child's exit status where the library can't be used: `ELIBACC`, "can not access a needed shared library".
pub const NO_LIBRARY: u8 = 79;

/// What advice calls the child.
const BY_HAND: &str = "ceph status";

/// The library can't be loaded: the dynamic linker's words.
#[derive(Debug)]
pub struct NoLibrary(String);

impl fmt::Display for NoLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "librados cannot be used: {}", self.0)
    }
}

/// Asks one child all that is wanted.
///
/// # Errors
/// The library can't be loaded, so nothing was asked.
pub(super) fn ask(
    settings: &settings::Ceph,
    wanted: Wanted,
    log: &Log,
) -> Result<Answers, NoLibrary> {
    let questions: Vec<Question> = [
        wanted.status().then_some(Question::Status),
        wanted.osd_tree.then_some(Question::OsdTree),
        wanted.clocks.then_some(Question::TimeSyncStatus),
    ]
    .into_iter()
    .flatten()
    .collect();
    let started = Instant::now();
    let printed = match run_child(settings, &questions, log) {
        Ok(printed) if printed.status.code() == Some(i32::from(NO_LIBRARY)) => {
            return Err(NoLibrary(last_line(&printed.stderr).unwrap_or_default()));
        }
        Ok(printed) => Ok(printed),
        // An error can't be told twice; this can.
        Err(error) => Err(apart(&error)),
    };
    let took = started.elapsed().as_millis();
    log.info(format_args!("ceph, through librados: {took} ms"));
    let answer = |question| {
        let position = questions.iter().position(|asked| *asked == question)?;
        Some(match &printed {
            Ok(printed) => answer_to(settings, question, position, printed),
            Err(trouble) => Err(anyhow!(trouble.clone())),
        })
    };
    let (status, health) = match answer(Question::Status) {
        Some(answer) if wanted.health => {
            let both = answer
                .and_then(health::parse_status_and_health)
                .with_context(|| named(Question::Status));
            let (status, health) = health::split(both, &named(Question::Status));
            (Some(status), Some(health))
        }
        status => (
            status.map(|answer| read(answer, Question::Status, parse_status)),
            None,
        ),
    };
    Ok(Answers {
        status,
        health,
        osd_tree: answer(Question::OsdTree)
            .map(|answer| read(answer, Question::OsdTree, wanted.parse_tree())),
        clocks: answer(Question::TimeSyncStatus)
            .map(|answer| read(answer, Question::TimeSyncStatus, parse_clocks)),
    })
}

/// Whether librados can be loaded, in words: its version, or why not.
///
/// # Errors
/// It can't; the dynamic linker's words.
pub fn probe(settings: &settings::Ceph, log: &Log) -> Result<String, String> {
    let printed = run_child(settings, &[], log).map_err(|error| format!("{error:#}"))?;
    let line = |text: &str| last_line(text).unwrap_or_default();
    if printed.status.success() {
        Ok(line(&String::from_utf8_lossy(&printed.stdout)))
    } else {
        Err(line(&printed.stderr))
    }
}

fn run_child(
    settings: &settings::Ceph,
    questions: &[Question],
    log: &Log,
) -> anyhow::Result<Printed> {
    // Itself, also where the file has been replaced since by an upgrade.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("petanotify").arg(SUBCOMMAND);
    command.args(access(settings));
    command.args(questions.iter().map(|question| question.as_str()));
    let whole = |stdout: &[u8]| {
        let lines = stdout.iter().filter(|byte| **byte == b'\n').count();
        lines == questions.len().max(1)
    };
    run(&mut command, settings, BY_HAND, log, whole)
}

/// The answer's text out of what the child printed: one line for each question.
fn answer_to<'p>(
    settings: &settings::Ceph,
    question: Question,
    position: usize,
    printed: &'p Printed,
) -> anyhow::Result<&'p [u8]> {
    let line = printed.stdout.split(|byte| *byte == b'\n').nth(position);
    match line {
        Some(line) if !line.is_empty() => Ok(line),
        _ if printed.status.success() => Err(anyhow!("librados gave no answer")),
        _ => {
            let prefix = format!("{}: ", question.words().join(" "));
            let mut own = printed
                .stderr
                .lines()
                .filter_map(|line| line.strip_prefix(&prefix));
            let words = own.next_back().unwrap_or(&printed.stderr);
            Err(failed(settings, printed.status, b"", words))
        }
    }
}

fn read<T>(
    answer: anyhow::Result<&[u8]>,
    question: Question,
    parse: fn(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    answer.and_then(parse).with_context(|| named(question))
}

fn named(question: Question) -> String {
    format!("{}, through librados", question.typed())
}
