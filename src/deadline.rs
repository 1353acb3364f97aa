//! Runs a program under a deadline: it is never waited for longer, and never more is kept of what it prints than allowed.
//!
//! One system call that waits for both pipes and for the end (a pidfd in poll(2)) is missing from the kernels of older PetaSAN
//! releases. Nearly always the end of a program closes its pipes, which poll(2) reports; for the rest we look now and then.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// What a pipe holds by default (pipe(7)), so that one read empties it.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the pipe for the answer shall hold, the most that Linux lets anybody have: with less, a long answer would have both sides
/// wait for each other dozens of times.
const PIPE_BYTES: usize = 1024 * 1024;

/// How often it is looked whether a program has ended whose pipes stay open.
const LOOK: Duration = Duration::from_millis(100);

/// A program whose pipes are closed has as good as ended; so it is first looked after this time, then after twice as long.
const FIRST_LOOK: Duration = Duration::from_micros(500);

/// After the program's own end its pipes are empty within this time, unless a process it left behind holds them open.
const PAUSE: Duration = Duration::from_millis(20);

/// So long may a process that outlives the program, e.g. a filter in a wrapper script, take to pass on the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A killed process is gone at once, unless it hangs in the kernel, e.g. on a dead NFS server; then nobody can end it.
const REAP: Duration = Duration::from_secs(2);

/// The thread that writes the input keeps nothing of size on its stack.
const THREAD_STACK_BYTES: usize = 64 * 1024;

/// What a run may use up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the start to the last byte.
    pub time: Duration,
    /// Of standard output; beyond it the program is ended. `None`: nobody reads it, so it may print what it likes.
    pub stdout_bytes: Option<usize>,
    /// Of standard error, whose end is kept.
    pub stderr_tail_bytes: usize,
    /// Of standard error in all; beyond it the program is ended.
    pub stderr_bytes: usize,
    /// What becomes of processes that the program leaves running although it ended well.
    pub left_behind: LeftBehind,
}

/// What becomes of processes that a program leaves running although it ended well. After any other end they are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftBehind {
    /// They are ended: nobody waits for them.
    Ended,
    /// They go on: a mail program may deliver in the background what it has taken.
    GoOn,
}

/// What became of a run.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// All of it, unless the run was cut short.
    pub stdout: Vec<u8>,
    /// The last part of it.
    pub stderr: Vec<u8>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exit(ExitStatus),
    /// By us, because the time was up.
    Deadline,
    /// By us, because it printed more than allowed on this stream.
    TooLong(Stream),
}

/// One of the two streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Runs `command` in a process group of its own, gives it `input` on its standard input, and ends the whole group afterwards,
/// but for what [`Limits::left_behind`] lets go on. It need not read its input.
///
/// `is_answer` says whether a standard output is whole. It is asked only where the program ended well and something it started
/// still holds the pipe open: then a whole answer is used at once.
///
/// # Errors
/// The program can't be started, its pipes can't be watched, or its exit status is kept from us.
pub fn run(
    command: &mut Command,
    input: Option<Vec<u8>>,
    limits: Limits,
    is_answer: impl Fn(&[u8]) -> bool,
) -> io::Result<Run> {
    let started = Instant::now();
    let pipe_if = |wanted| match wanted {
        true => Stdio::piped(),
        false => Stdio::null(),
    };
    let mut child = command
        .stdin(pipe_if(input.is_some()))
        .stdout(pipe_if(limits.stdout_bytes.is_some()))
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    if let Some(stdout) = &child.stdout {
        // A smaller one does as well.
        let _ = fcntl_setpipe_size(stdout, PIPE_BYTES);
    }
    let mut output = Output {
        stdout: Pipe::new(child.stdout.take()),
        stderr: Pipe::new(child.stderr.take()),
    };
    let mut group = Group {
        leader: child,
        ending: None,
    };
    let given = give(group.leader.stdin.take(), input);
    let cut_short = given.and_then(|()| output.collect(&mut group, limits, started, is_answer));
    let ended_well = matches!(cut_short, Ok(None)) && group.ending().is_some_and(|e| e.success);
    if !(ended_well && limits.left_behind == LeftBehind::GoOn) {
        group.kill();
    }
    let status = group.reap()?;
    Ok(Run {
        end: cut_short?
            .or(status.map(End::Exit))
            .unwrap_or(End::Deadline),
        stdout: output.stdout.bytes,
        stderr: output.stderr.bytes,
    })
}

/// Writes the input in a thread of its own, since the program may read it as slowly as it likes, or not to the end: its exit
/// status tells whether it had enough.
fn give(stdin: Option<ChildStdin>, input: Option<Vec<u8>>) -> io::Result<()> {
    let Some((mut stdin, input)) = stdin.zip(input) else {
        return Ok(());
    };
    let write = move || {
        let _ = stdin.write_all(&input);
    };
    let thread = thread::Builder::new().name("child-stdin".to_owned());
    let thread = thread.stack_size(THREAD_STACK_BYTES).spawn(write);
    thread.map(drop)
}

/// What a program prints.
struct Output {
    stdout: Pipe,
    stderr: Pipe,
}

impl Output {
    /// Collects until the program is through; `Some` where it had to be cut short.
    fn collect(
        &mut self,
        group: &mut Group,
        limits: Limits,
        started: Instant,
        is_answer: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Option<End>> {
        let mut judged_bytes = None;
        let mut look = FIRST_LOOK;
        loop {
            let ending = group.ending();
            let closed = self.stdout.is_closed() && self.stderr.is_closed();
            if closed && ending.is_some() {
                return Ok(None);
            }
            let mut patience = limits.time.saturating_sub(started.elapsed());
            if let Some(Ending { seen, .. }) = ending {
                patience = patience.min(LAST_WORDS.saturating_sub(seen.elapsed()));
            }
            if patience.is_zero() {
                return Ok(ending.is_none().then_some(End::Deadline));
            }
            let wait = match ending {
                Some(_) => PAUSE,
                None if closed => {
                    look = LOOK.min(2 * look);
                    look / 2
                }
                None => LOOK,
            };
            if self.read(patience.min(wait))? {
                let most = limits.stdout_bytes.unwrap_or(usize::MAX);
                if self.stdout.bytes.len() > most {
                    return Ok(Some(End::TooLong(Stream::Stdout)));
                }
                if self.stderr.seen_bytes > limits.stderr_bytes {
                    return Ok(Some(End::TooLong(Stream::Stderr)));
                }
                self.stderr.keep_tail(limits.stderr_tail_bytes);
            } else if ending.is_some_and(|ending| ending.success)
                && judged_bytes != Some(self.stdout.bytes.len())
            {
                judged_bytes = Some(self.stdout.bytes.len());
                if is_answer(&self.stdout.bytes) {
                    return Ok(None);
                }
            }
        }
    }

    /// Takes up what the pipes hold, waiting so long for the first of it; says whether there was anything, be it the end of one.
    fn read(&mut self, wait: Duration) -> io::Result<bool> {
        let mut pipes: Vec<&mut Pipe> = [&mut self.stdout, &mut self.stderr].into();
        pipes.retain(|pipe| !pipe.is_closed());
        let mut watched: Vec<PollFd<'_>> = pipes
            .iter()
            .filter_map(|pipe| pipe.end.as_ref())
            .map(|end| PollFd::new(end, PollFlags::IN))
            .collect();
        match poll(&mut watched, Timespec::try_from(wait).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = watched
            .iter()
            .map(|end| !end.revents().is_empty())
            .collect();
        for (pipe, _) in pipes.iter_mut().zip(&ready).filter(|(_, ready)| **ready) {
            pipe.read();
        }
        Ok(ready.contains(&true))
    }
}

/// Our end of a pipe and what came out of it. A process outside the group may hold the other end open for ever.
struct Pipe {
    /// `None` once the other end is closed.
    end: Option<OwnedFd>,
    bytes: Vec<u8>,
    seen_bytes: usize,
}

impl Pipe {
    fn new(end: Option<impl Into<OwnedFd>>) -> Self {
        Pipe {
            end: end.map(Into::into),
            bytes: Vec::new(),
            seen_bytes: 0,
        }
    }

    fn is_closed(&self) -> bool {
        self.end.is_none()
    }

    /// Takes up what is there; only for a pipe that has something, for it would wait.
    fn read(&mut self) {
        let Some(end) = &self.end else { return };
        self.bytes.reserve(CHUNK_BYTES);
        match rustix::io::read(end, spare_capacity(&mut self.bytes)) {
            Ok(count) if count > 0 => self.seen_bytes += count,
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => self.end = None,
        }
    }

    fn keep_tail(&mut self, most_bytes: usize) {
        let excess = self.bytes.len().saturating_sub(most_bytes);
        self.bytes.drain(..excess);
    }
}

/// How a program ended by itself.
#[derive(Clone, Copy)]
struct Ending {
    /// When that was seen.
    seen: Instant,
    success: bool,
}

/// The program and whatever it started in its process group. The leader is reaped only after the group was killed: until then its
/// id can't go to a stranger.
struct Group {
    leader: Child,
    ending: Option<Ending>,
}

impl Group {
    /// Whether the program has ended, without reaping it.
    fn ending(&mut self) -> Option<Ending> {
        if self.ending.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let success = match waitid(WaitId::Pid(Pid::from_child(&self.leader)), options) {
                Ok(None) | Err(Errno::INTR) => return None,
                Ok(Some(status)) => status.exit_status() == Some(0),
                // ECHILD: whoever started petanotify has SIGCHLD ignored, so that the kernel itself reaps.
                Err(_) => false,
            };
            let seen = Instant::now();
            self.ending = Some(Ending { seen, success });
        }
        self.ending
    }

    fn kill(&self) {
        // ESRCH: there is nobody left to end.
        let _ = kill_process_group(Pid::from_child(&self.leader), Signal::KILL);
    }

    /// The exit status of the program, which has ended or was killed; `None` where that takes too long.
    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let killed = Instant::now();
        let mut look = FIRST_LOOK;
        while self.ending().is_none() {
            if killed.elapsed() >= REAP {
                return Ok(None);
            }
            thread::sleep(look);
            look = LOOK.min(2 * look);
        }
        self.leader.wait().map(Some)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LIMITS: Limits = Limits {
        time: Duration::from_secs(30),
        stdout_bytes: Some(1024 * 1024),
        stderr_tail_bytes: 1024,
        stderr_bytes: 1024 * 1024,
        left_behind: LeftBehind::Ended,
    };

    fn shell(script: &str, limits: Limits, is_answer: impl Fn(&[u8]) -> bool) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(&mut command, None, limits, is_answer).unwrap()
    }

    fn short(time_ms: u64) -> Limits {
        Limits {
            time: Duration::from_millis(time_ms),
            ..LIMITS
        }
    }

    /// Whether a process has `marker` among its arguments.
    fn is_there(marker: &str) -> bool {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                line.split(|&byte| byte == 0)
                    .any(|arg| arg == marker.as_bytes())
            })
        })
    }

    /// Waits until no process has `marker` among its arguments; false after ten seconds.
    fn is_gone(marker: &str) -> bool {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            if !is_there(marker) {
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

    fn fed(script: &str, input: &[u8], limits: Limits) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(&mut command, Some(input.to_vec()), limits, |_| true).unwrap()
    }

    #[test]
    fn the_input_is_given_whole_and_need_not_be_read() {
        // More than a pipe holds, both ways at once.
        let input = b"0123456789abcde\n".repeat(20_000);
        let run = fed("cat", &input, LIMITS);
        assert_eq!(run.stdout, input);
        let run = fed("exit 0", &input, LIMITS);
        assert!(matches!(run.end, End::Exit(status) if status.success()));
        let run = fed("sleep 605.25", &input, short(300));
        assert_eq!(run.end, End::Deadline);
        assert!(is_gone("605.25"));
    }

    #[test]
    fn what_nobody_reads_may_be_endless() {
        let limits = Limits {
            stdout_bytes: None,
            ..LIMITS
        };
        let run = fed("seq 1 1000000; echo done >&2", b"", limits);
        assert!(matches!(run.end, End::Exit(status) if status.success()));
        assert_eq!(
            (run.stdout.len(), run.stderr.as_slice()),
            (0, &b"done\n"[..])
        );
    }

    #[test]
    fn what_goes_on_in_the_background_is_ended_unless_it_may_and_the_program_ended_well() {
        let go_on = Limits {
            left_behind: LeftBehind::GoOn,
            ..LIMITS
        };
        for (script, limits, marker, goes_on) in [
            ("sleep 655.25 & exit 0", go_on, "655.25", true),
            ("sleep 656.25 & exit 1", go_on, "656.25", false),
            ("sleep 657.25 & exit 0", LIMITS, "657.25", false),
        ] {
            let started = Instant::now();
            fed(script, b"", limits);
            assert!(started.elapsed() < limits.time);
            if goes_on {
                assert!(is_there(marker), "{script}");
                end_stray(marker);
            }
            assert!(is_gone(marker), "{script}");
        }
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
        // One read more than allowed, whatever the pipe held.
        assert!(run.stdout.len() <= 1024 * 1024 + PIPE_BYTES);
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
        let run = run(&mut command, None, LIMITS, |_| false).unwrap();
        let pid = String::from_utf8(run.stdout).unwrap();
        assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let mut command = Command::new("/nonexistent/ceph");
        let error = run(&mut command, None, LIMITS, |_| false).unwrap_err();
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
