//! Runs a program under a deadline: it is never waited for longer, and never more is kept of what it prints than allowed.
//!
//! Threads of our own read the two pipes and wait for the end, because one system call that waits for all three (a pidfd in
//! poll(2)) is missing from the kernels of older PetaSAN releases.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// What a pipe holds by default (pipe(7)), so that one read empties it.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that may be on their way from the readers; with them memory stays bounded even when we are slower than the program.
const CHUNKS_UNDER_WAY: usize = 4;

/// The readers and the waiter keep nothing of size on their stack.
const THREAD_STACK_BYTES: usize = 64 * 1024;

/// After the program's own end its pipes are empty within this time, unless a process it left behind holds them open.
const PAUSE: Duration = Duration::from_millis(20);

/// So long may a process that outlives the program, e.g. a filter in a wrapper script, take to pass on the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A killed process is gone at once, unless it hangs in the kernel, e.g. on a dead NFS server; then nobody can end it.
const REAP: Duration = Duration::from_secs(2);

/// What a run may use up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the start to the last byte.
    pub(super) time: Duration,
    /// Of standard output; beyond it the program is ended.
    pub(super) stdout_bytes: usize,
    /// Of standard error, whose end is kept.
    pub(super) stderr_tail_bytes: usize,
    /// Of standard error in all; beyond it the program is ended.
    pub(super) stderr_bytes: usize,
}

/// What became of a run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) end: End,
    /// All of it, unless the run was cut short.
    pub(super) stdout: Vec<u8>,
    /// The last part of it.
    pub(super) stderr: Vec<u8>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Exit(ExitStatus),
    /// By us, because the time was up.
    Deadline,
    /// By us, because it printed more than allowed on this stream.
    TooLong(Stream),
}

/// One of the two streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

enum Event {
    Chunk(Stream, Vec<u8>),
    Closed(Stream),
    Exited { success: bool },
}

/// Runs `command` in a process group of its own, with an empty standard input, and ends the whole group afterwards in any case.
///
/// `is_answer` says whether a standard output is whole. It is asked only where the program ended well and something it started
/// still holds the pipe open: then a whole answer is used at once.
///
/// # Errors
/// The program can't be started, or its exit status is kept from us.
pub(super) fn run(
    command: &mut Command,
    limits: Limits,
    is_answer: impl Fn(&[u8]) -> bool,
) -> io::Result<Run> {
    let started = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let mut group = Group { leader: child };
    let events = match group.watch() {
        Ok(events) => events,
        Err(error) => {
            group.kill();
            let _ = group.leader.wait();
            return Err(error);
        }
    };

    let mut collected = Collected::default();
    let cut_short = collected.collect(&events, limits, started, is_answer);
    group.kill();
    let status = if collected.exited || wait_for_exit(&events) {
        Some(group.leader.wait()?)
    } else {
        None
    };
    Ok(Run {
        end: cut_short.or(status.map(End::Exit)).unwrap_or(End::Deadline),
        stdout: collected.stdout,
        stderr: collected.stderr,
    })
}

#[derive(Default)]
struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    stderr_seen: usize,
    stdout_closed: bool,
    stderr_closed: bool,
    exited: bool,
}

impl Collected {
    /// Adds a chunk; says whether the stream is still within its limit.
    fn add(&mut self, stream: Stream, chunk: &[u8], limits: Limits) -> bool {
        match stream {
            Stream::Stdout => {
                self.stdout.extend_from_slice(chunk);
                self.stdout.len() <= limits.stdout_bytes
            }
            Stream::Stderr => {
                self.stderr.extend_from_slice(chunk);
                let excess = self.stderr.len().saturating_sub(limits.stderr_tail_bytes);
                self.stderr.drain(..excess);
                self.stderr_seen += chunk.len();
                self.stderr_seen <= limits.stderr_bytes
            }
        }
    }

    /// Collects until the program is through; `Some` where it had to be cut short.
    fn collect(
        &mut self,
        events: &Receiver<Event>,
        limits: Limits,
        started: Instant,
        is_answer: impl Fn(&[u8]) -> bool,
    ) -> Option<End> {
        let mut succeeded = false;
        let mut last_words: Option<Instant> = None;
        let mut judged_bytes = 0;
        loop {
            if self.exited && self.stdout_closed && self.stderr_closed {
                return None;
            }
            let mut patience = limits.time.saturating_sub(started.elapsed());
            if let Some(since) = last_words {
                patience = patience.min(LAST_WORDS.saturating_sub(since.elapsed()));
            }
            if patience.is_zero() {
                return (!self.exited).then_some(End::Deadline);
            }
            let wait = if self.exited {
                patience.min(PAUSE)
            } else {
                patience
            };
            match events.recv_timeout(wait) {
                Ok(Event::Chunk(stream, chunk)) => {
                    if !self.add(stream, &chunk, limits) {
                        return Some(End::TooLong(stream));
                    }
                }
                Ok(Event::Closed(Stream::Stdout)) => self.stdout_closed = true,
                Ok(Event::Closed(Stream::Stderr)) => self.stderr_closed = true,
                Ok(Event::Exited { success }) => {
                    self.exited = true;
                    succeeded = success;
                    last_words = Some(Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {
                    if succeeded && self.stdout.len() > judged_bytes {
                        judged_bytes = self.stdout.len();
                        if is_answer(&self.stdout) {
                            return None;
                        }
                    }
                }
                // Every thread is through, and with them the program.
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

fn wait_for_exit(events: &Receiver<Event>) -> bool {
    let killed = Instant::now();
    loop {
        match events.recv_timeout(REAP.saturating_sub(killed.elapsed())) {
            Ok(Event::Exited { .. }) => return true,
            Ok(Event::Chunk(..) | Event::Closed(_)) if killed.elapsed() < REAP => {}
            Ok(_) | Err(_) => return false,
        }
    }
}

/// The program and whatever it started in its process group. The leader is reaped only after the group was killed: until then its
/// id can't go to a stranger.
struct Group {
    leader: Child,
}

impl Group {
    fn watch(&mut self) -> io::Result<Receiver<Event>> {
        let (events, receiver) = mpsc::sync_channel(CHUNKS_UNDER_WAY);
        let pid = Pid::from_child(&self.leader);
        if let Some(stdout) = self.leader.stdout.take() {
            let events = events.clone();
            start("ceph-stdout", move || {
                forward(stdout, Stream::Stdout, &events);
            })?;
        }
        if let Some(stderr) = self.leader.stderr.take() {
            let events = events.clone();
            start("ceph-stderr", move || {
                forward(stderr, Stream::Stderr, &events);
            })?;
        }
        start("ceph-exit", move || {
            // Nobody listens any more once the run was cut short and the program could not be ended.
            let _ = events.send(Event::Exited {
                success: await_exit(pid),
            });
        })?;
        Ok(receiver)
    }

    fn kill(&self) {
        // ESRCH: there is nobody left to end.
        let _ = kill_process_group(Pid::from_child(&self.leader), Signal::KILL);
    }
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(THREAD_STACK_BYTES)
        .spawn(body)
        .map(drop)
}

/// Passes on what a pipe holds until its other end is closed or nobody listens. A process outside the group may hold it open for
/// ever; the thread then ends with petanotify.
fn forward(mut pipe: impl Read, stream: Stream, events: &SyncSender<Event>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let chunk = buffer[..count].to_vec();
                if events.send(Event::Chunk(stream, chunk)).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let _ = events.send(Event::Closed(stream));
}

/// Waits for the end without reaping; says whether it was a success.
fn await_exit(pid: Pid) -> bool {
    loop {
        match waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        ) {
            Ok(status) => return status.is_some_and(|status| status.exit_status() == Some(0)),
            Err(rustix::io::Errno::INTR) => {}
            // ECHILD: whoever started petanotify has SIGCHLD ignored, so that the kernel itself reaps.
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LIMITS: Limits = Limits {
        time: Duration::from_secs(30),
        stdout_bytes: 1024 * 1024,
        stderr_tail_bytes: 1024,
        stderr_bytes: 1024 * 1024,
    };

    fn shell(script: &str, limits: Limits, is_answer: impl Fn(&[u8]) -> bool) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(&mut command, limits, is_answer).unwrap()
    }

    fn short(time_ms: u64) -> Limits {
        Limits {
            time: Duration::from_millis(time_ms),
            ..LIMITS
        }
    }

    /// Waits until no process has `marker` among its arguments; false after ten seconds.
    fn is_gone(marker: &str) -> bool {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            let alive = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
                std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                    line.split(|&byte| byte == 0)
                        .any(|arg| arg == marker.as_bytes())
                })
            });
            if !alive {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    #[test]
    fn both_streams_and_the_status_are_collected() {
        let run = shell("echo out; echo err >&2; exit 3", LIMITS, |_| false);
        assert_eq!(run.stdout, b"out\n");
        assert_eq!(run.stderr, b"err\n");
        assert!(matches!(run.end, End::Exit(status) if status.code() == Some(3)));
    }

    #[test]
    fn standard_input_is_empty() {
        let run = shell("cat; echo done", LIMITS, |_| false);
        assert_eq!(run.stdout, b"done\n");
    }

    #[test]
    fn the_deadline_ends_the_program_and_its_children() {
        let run = shell("sleep 611.25 & sleep 611.25", short(300), |_| false);
        assert_eq!(run.end, End::Deadline);
        assert!(is_gone("611.25"));
    }

    #[test]
    fn a_program_that_never_stops_printing_meets_the_deadline_too() {
        let limits = Limits {
            stderr_bytes: usize::MAX,
            ..short(300)
        };
        let run = shell("yes >&2", limits, |_| false);
        assert_eq!(run.end, End::Deadline);
        assert_eq!(run.stderr.len(), limits.stderr_tail_bytes);
    }

    #[test]
    fn endless_output_is_cut_off() {
        let run = shell("yes 622.25", LIMITS, |_| false);
        assert_eq!(run.end, End::TooLong(Stream::Stdout));
        assert!(run.stdout.len() <= LIMITS.stdout_bytes + CHUNK_BYTES);
        assert!(is_gone("622.25"));
        let run = shell("yes 623.25 >&2", LIMITS, |_| false);
        assert_eq!(run.end, End::TooLong(Stream::Stderr));
        assert!(is_gone("623.25"));
    }

    #[test]
    fn the_end_of_standard_error_is_kept() {
        let run = shell("seq 1 2000 >&2; exit 1", LIMITS, |_| false);
        assert_eq!(run.stderr.len(), LIMITS.stderr_tail_bytes);
        assert!(run.stderr.ends_with(b"\n1999\n2000\n"));
    }

    #[test]
    fn a_whole_answer_is_used_although_a_child_in_another_session_holds_the_pipe() {
        let started = Instant::now();
        let run = shell("setsid sleep 633.25 & echo whole", LIMITS, |stdout| {
            stdout == b"whole\n"
        });
        assert!(matches!(run.end, End::Exit(status) if status.success()));
        assert_eq!(run.stdout, b"whole\n");
        assert!(started.elapsed() < LIMITS.time);
        end_stray("633.25");
    }

    #[test]
    fn a_failure_is_told_although_a_child_holds_the_pipes() {
        let started = Instant::now();
        let run = shell("sleep 644.25 & echo broken >&2; exit 5", LIMITS, |_| false);
        assert!(matches!(run.end, End::Exit(status) if status.code() == Some(5)));
        assert_eq!(run.stderr, b"broken\n");
        assert!(started.elapsed() < LIMITS.time);
        assert!(is_gone("644.25"));
    }

    #[test]
    fn what_a_filter_behind_the_program_prints_is_waited_for() {
        let script = "{ sleep 0.3; echo late; } & exit 0";
        let run = shell(script, LIMITS, |stdout| stdout == b"late\n");
        assert_eq!(run.stdout, b"late\n");
    }

    #[test]
    fn no_zombie_is_left() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$; exit 0"]);
        let run = run(&mut command, LIMITS, |_| false).unwrap();
        let pid = String::from_utf8(run.stdout).unwrap();
        assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let mut command = Command::new("/nonexistent/ceph");
        let error = run(&mut command, LIMITS, |_| false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    /// Ends a process that has left the group, which the product must not and cannot do.
    fn end_stray(marker: &str) {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_string_lossy().parse().ok();
            let is_it = std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                line.split(|&byte| byte == 0)
                    .any(|arg| arg == marker.as_bytes())
            });
            if let Some(pid) = pid.and_then(Pid::from_raw).filter(|_| is_it) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}
