//! What a person at a terminal sees: screens that fit it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use jiff::SignedDuration;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::cluster::{Cluster, Run};

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
