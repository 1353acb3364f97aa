//! What a person at a terminal sees: screens that fit it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::ceph::{Behaviour, Question, recorded};
use crate::cluster::{Cluster, Run, Running};
use crate::relay::{Fault, Stage};

/// However slow the machine is, what is waited for has come by then.
const LIMIT: Duration = Duration::from_secs(60);

/// A terminal with somebody before it.
pub(crate) struct Terminal {
    keyboard: File,
    line: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let line = File::options().read(true).write(true).open(name).unwrap();
        let keyboard = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let (mut master, screen) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
            thread::spawn(move || {
                let mut piece = [0; 4096];
                // Reading fails once nobody has the terminal open any more.
                while let Ok(length @ 1..) = master.read(&mut piece) {
                    screen.lock().unwrap().extend_from_slice(&piece[..length]);
                }
            })
        };
        Terminal {
            keyboard,
            line,
            screen,
            reader,
        }
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Lets petanotify run with both outputs on the terminal.
    pub(crate) fn start(&self, cluster: &Cluster, arguments: &[&str]) -> Running {
        let mut command = cluster.command(arguments);
        command.stdout(self.line()).stderr(self.line());
        Cluster::spawn(command)
    }

    /// Waits until this has come.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let begin = Instant::now();
        loop {
            let screen = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
            if screen.contains(text) {
                return;
            }
            assert!(begin.elapsed() < LIMIT, "no {text} in {screen:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The terminal as an input or output of a command.
    pub(crate) fn line(&self) -> Stdio {
        Stdio::from(self.line.try_clone().unwrap())
    }

    /// All that ever came, with the line ends of a file.
    pub(crate) fn seen(self) -> String {
        drop(self.line);
        self.reader.join().unwrap();
        let screen = self.screen.lock().unwrap();
        String::from_utf8_lossy(&screen).replace("\r\n", "\n")
    }
}

/// What is left to see of what came: the carriage return goes back, and `ESC [ K` erases.
fn left_on_screen(seen: &str) -> String {
    let mut lines = Vec::new();
    for line in seen.lines() {
        let mut visible = String::new();
        for part in line.split_inclusive('\r') {
            match part.strip_prefix("\u{1b}[K") {
                // What follows a carriage return is always an erasure: else old text would shine through.
                Some(rest) => rest.clone_into(&mut visible),
                None => visible.push_str(part),
            }
        }
        lines.push(visible.replace('\r', ""));
    }
    lines.join("\n")
}

/// What a run shows on a terminal of this size.
#[track_caller]
fn shown(cluster: &Cluster, size: (u16, u16), arguments: &[&str]) -> (String, Run) {
    let terminal = Terminal::new(size.0, size.1);
    let mut command = cluster.command(arguments);
    command.stdout(terminal.line()).stderr(Stdio::piped());
    let run = Cluster::spawn(command).wait();
    (terminal.seen(), run)
}

fn all_bad() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "two-osds-down");
    cluster
        .consul
        .recorded_members(include_str!("../fixtures/consul/members.node5-failed.json"));
    cluster.set("checks.capacity.warn_percent", "0.001");
    cluster.set("checks.capacity.clear_margin_percent", "0.0");
    cluster.relay.refuse(
        "ops@example.org",
        "451 4.7.1 come back later, the mail server is busy for the time being",
    );
    cluster.check().exits(1);
    cluster
}

#[test]
fn the_status_fits_the_terminal_in_colour() {
    let mut cluster = all_bad();
    for (columns, rows) in [(60, 24), (80, 24), (200, 50)] {
        let (screen, run) = shown(&cluster, (columns, rows), &["status"]);
        assert_eq!(run.exits(0).stderr, "");
        assert!(
            screen.contains("\u{1b}[31m") && screen.contains('░'),
            "{screen}"
        );
        let (plain, _) = shown(&cluster, (columns, rows), &["status", "--color=never"]);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(plain.lines().count() < usize::from(rows), "{plain}");
        for line in plain.lines() {
            assert!(line.chars().count() <= usize::from(columns), "{line}");
        }
    }
    cluster.env("LANG", "C");
    let (ascii, _) = shown(&cluster, (80, 24), &["status"]);
    assert!(ascii.is_ascii() && ascii.contains("\u{1b}[31m"), "{ascii}");
    cluster.env("NO_COLOR", "1");
    let (plain, _) = shown(&cluster, (80, 24), &["status"]);
    let piped = cluster.run(&["status"]).exits(0).stdout.clone();
    assert_eq!(
        plain, piped,
        "the terminal's screen without colours and signs is what is piped"
    );
}

#[test]
fn a_mail_is_shown_as_a_person_reads_it_and_whole_where_that_is_wanted() {
    let mut cluster = all_bad();
    let id = cluster.state()["queue"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let piped = cluster.run(&["queue", "show", &id]).exits(0).stdout.clone();
    let (whole, _) = shown(&cluster, (80, 24), &["queue", "show", "--raw", &id]);
    assert_eq!(whole, piped);
    let (head, html) = piped.split_once("<!DOCTYPE html>").unwrap();
    assert!(html.contains("</html>"), "{piped}");
    let (screen, run) = shown(&cluster, (80, 24), &["queue", "show", &id]);
    assert_eq!(run.exits(0).stderr, "");
    let (head, _) = head.split_once("\n\n").unwrap();
    assert!(screen.starts_with(head), "{screen}");
    assert!(screen.contains("\n\nLook closer with:\n"), "{screen}");
    assert!(
        screen.contains("--raw prints it") && !screen.contains("<html"),
        "{screen}"
    );

    cluster.set("mail.html", "false");
    let piped = cluster.run(&["queue", "show", &id]).exits(0).stdout.clone();
    let (screen, _) = shown(&cluster, (80, 24), &["queue", "show", &id]);
    assert_eq!(screen.trim_end(), piped.trim_end());
    cluster
        .run(&["queue", "show", "--raw", "--json", &id])
        .exits(2);
}

#[test]
fn a_pass_that_is_long_ago_comes_first_and_with_what_to_do() {
    let cluster = Cluster::new();
    cluster.check().exits(0);
    let first_line = || {
        cluster
            .run(&["status"])
            .exits(0)
            .stdout
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(first_line(), "Cluster prod: all is well");
    cluster.let_pass(SignedDuration::from_mins(17));
    assert_eq!(first_line(), "Cluster prod: no pass for 17 min");
    let status = cluster.run(&["status"]).stdout;
    assert!(
        status.contains("systemctl status petanotify.timer"),
        "{status}"
    );
    let (screen, _) = shown(&cluster, (80, 24), &["status"]);
    assert!(screen.contains("\u{1b}[31m17 min ago"), "red:\n{screen}");
    assert!(
        !screen.contains("\u{1b}[32m"),
        "nothing old is green:\n{screen}"
    );
}

/// A cluster that answers only when it is told to.
fn slow() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.env("TERM", "xterm");
    cluster.set("ceph.timeout", "\"60s\"");
    let answer = Behaviour::Wait(recorded("18.2.7/status.healthy"));
    cluster.ceph.does(Question::Status, &answer);
    cluster
}

#[test]
fn a_pass_by_hand_tells_what_it_waits_for_and_leaves_no_trace_of_it() {
    let cluster = slow();
    let terminal = Terminal::new(80, 24);
    // With log lines in between: they stand above, whole.
    let pass = terminal.start(&cluster, &["-vv", "check"]);
    terminal.wait_for("asking Ceph and Consul … 3 s");
    cluster.ceph.release();
    pass.wait().exits(0);
    let seen = terminal.seen();
    let left = left_on_screen(&seen);
    assert!(!left.contains("asking"), "{left}");
    assert!(
        left.contains("petanotify: the pass took") && left.contains("all 5 nodes are up"),
        "{left}"
    );
    let cut = left
        .lines()
        .find(|line| !line.starts_with("petanotify: ") && line.contains("petanotify: "));
    assert_eq!(cut, None, "a log line begins in the middle of another");
}

#[test]
fn progress_is_for_those_who_look_and_want_to_see_it() {
    for (arguments, term) in [(&["-q", "check"][..], "xterm"), (&["check"], "dumb")] {
        let mut cluster = Cluster::new();
        cluster.env("TERM", term);
        cluster.ceph.does(Question::Status, &Behaviour::Hang);
        cluster.set("ceph.timeout", "\"3s\"");
        let terminal = Terminal::new(80, 24);
        terminal.start(&cluster, arguments).wait().exits(1);
        let seen = terminal.seen();
        assert!(seen.contains("no answer within 3 s"), "{seen}");
        assert!(
            !seen.contains("asking") && !seen.contains("\u{1b}[K"),
            "{seen}"
        );
    }
    let mut cluster = Cluster::new();
    cluster.env("TERM", "xterm");
    cluster.ceph.does(Question::Status, &Behaviour::Hang);
    cluster.set("ceph.timeout", "\"3s\"");
    let (screen, run) = shown(&cluster, (80, 24), &["check"]);
    assert!(!screen.contains("asking") && !run.exits(1).stderr.contains("asking"));
}

#[test]
fn mails_are_counted_while_they_are_sent() {
    let mut cluster = Cluster::new();
    cluster.env("TERM", "xterm");
    cluster.env("LANG", "C");
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.recipients(&["a@example.org", "b@example.org", "c@example.org"]);
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster.relay.heal();
    cluster
        .relay
        .fault(Stage::End, Fault::Late(Duration::from_millis(1200)));
    for arguments in [&["queue", "flush"][..], &["test-mail"]] {
        let terminal = Terminal::new(80, 24);
        let flush = terminal.start(&cluster, arguments);
        terminal.wait_for("\r\u{1b}[Ktried ");
        terminal.wait_for(" of 3 mails ... ");
        flush.wait().exits(0);
        let left = left_on_screen(&terminal.seen());
        assert!(!left.contains("tried"), "{left}");
        let told = ["sent  ", "accepted  "]
            .map(|word| left.lines().filter(|line| line.starts_with(word)).count());
        assert_eq!(
            told.iter().sum::<usize>(),
            3,
            "one whole line each:\n{left}"
        );
    }
}
