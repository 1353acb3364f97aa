//! A cluster in a temporary folder: Ceph, Consul and a mail server to be scripted, a configuration, a state, and
//! the built petanotify to be run in the midst of them. When a test fails, all of it is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use crate::ceph::Ceph;
use crate::consul::Consul;
use crate::relay::{Mail, Relay};

/// No run may take longer; a pass has 50 s for mail and the checks have deadlines of their own.
pub(crate) const LIMIT: Duration = Duration::from_secs(75);

/// A user without rights, whom the tests become where root would be let through.
const NOBODY: u32 = 65534;

/// A file that another thread's child holds open for writing cannot be executed (ETXTBSY): taken for reading while a
/// child is started, for writing while a program is written.
static PROGRAMS: RwLock<()> = RwLock::new(());

/// How a run ended and what it said.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Asserts the exit status, and that nothing panicked.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit status; stderr:\n{}",
            self.stderr
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Asserts that one line of stderr holds all of these, in whatever order and case.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        assert!(
            self.line_with(parts).is_some(),
            "no line says {parts:?}; stderr:\n{}",
            self.stderr
        );
        self
    }

    /// Asserts that it said nothing at all.
    #[track_caller]
    pub(crate) fn is_silent(&self) -> &Self {
        assert_eq!((self.stdout.as_str(), self.stderr.as_str()), ("", ""));
        self
    }

    /// Asserts that it said nothing but one line with these words, if any.
    #[track_caller]
    pub(crate) fn is_silent_but(&self, words: &str) -> &Self {
        let lines = self.stderr.lines().filter(|line| !line.contains(words));
        assert_eq!(
            (self.stdout.as_str(), lines.count()),
            ("", 0),
            "{}",
            self.stderr
        );
        self
    }

    /// The first line of stderr that holds all of these.
    pub(crate) fn line_with(&self, parts: &[&str]) -> Option<&str> {
        self.stderr.lines().find(|line| {
            let line = line.to_lowercase();
            parts.iter().all(|part| line.contains(&part.to_lowercase()))
        })
    }

    /// The one JSON document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}\n{}", self.stdout, self.stderr))
    }
}

/// A petanotify that is at work.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    started: Instant,
}

impl Running {
    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) -> Run {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Asks it to end, as systemd does.
    pub(crate) fn terminate(self) -> Run {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.wait()
    }

    /// Waits for its end, and fails the test if that does not come.
    pub(crate) fn wait(mut self) -> Run {
        while self.child.try_wait().unwrap().is_none() {
            if self.started.elapsed() > LIMIT {
                self.child.kill().unwrap();
                let stderr = self.stderr.take().unwrap().join().unwrap();
                panic!("petanotify did not end within {LIMIT:?}; stderr:\n{stderr}");
            }
            thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait().unwrap();
        Run {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: self.stderr.take().unwrap().join().unwrap(),
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The whole bench. Each test has its own.
pub(crate) struct Cluster {
    folder: TempDir,
    pub(crate) ceph: Ceph,
    pub(crate) consul: Consul,
    pub(crate) relay: Relay,
    settings: BTreeMap<String, BTreeMap<String, String>>,
    /// The keys of each.
    further_relays: Vec<String>,
    recipients: Vec<String>,
    environment: BTreeMap<String, String>,
    flags: bool,
    nobody: bool,
    history: Mutex<String>,
}

impl Cluster {
    /// Five nodes and four OSDs, all well; one recipient; a mail server without TLS.
    pub(crate) fn new() -> Self {
        let consul = Consul::start();
        consul.five_nodes();
        Self::with_consul(consul)
    }

    /// A PetaSAN node as it is: Consul knows the mail settings and the followers, the configuration is empty but
    /// for where Consul is, which the environment says.
    pub(crate) fn petasan() -> Self {
        let mut cluster = Self::new();
        cluster.settings.clear();
        cluster.recipients.clear();
        cluster.write_settings();
        let address = cluster.consul.address();
        cluster.env("CONSUL_HTTP_ADDR", &address);
        cluster
    }

    pub(crate) fn with_consul(consul: Consul) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("petanotify-")
            .tempdir()
            .unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let ceph = {
            let _nobody_starts = PROGRAMS.write();
            Ceph::install(folder.path())
        };
        let relay = Relay::start();
        for name in ["home", "state"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut cluster = Self {
            folder,
            ceph,
            consul,
            relay,
            settings: BTreeMap::new(),
            further_relays: Vec::new(),
            recipients: Vec::new(),
            environment: BTreeMap::new(),
            flags: true,
            nobody: false,
            history: Mutex::new(String::new()),
        };
        cluster.set("cluster.name", "\"prod\"");
        cluster.set("ceph.timeout", "\"10s\"");
        cluster.set(
            "consul.address",
            &format!("\"http://{}\"", cluster.consul.address()),
        );
        cluster.set("consul.timeout", "\"10s\"");
        cluster.set("smtp.host", "\"127.0.0.1\"");
        cluster.set("smtp.port", &cluster.relay.port().to_string());
        cluster.set("smtp.security", "\"none\"");
        cluster.set("smtp.from", "\"PetaSAN <storage@example.org>\"");
        cluster.set("smtp.timeout", "\"10s\"");
        cluster.recipients(&["ops@example.org"]);
        cluster
    }

    /// Sets a key, such as `smtp.port`, to a TOML value, and writes the configuration.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let (section, name) = key.rsplit_once('.').unwrap();
        self.settings
            .entry(section.to_owned())
            .or_default()
            .insert(name.to_owned(), value.to_owned());
        self.write_settings();
    }

    /// Leaves a key out of the configuration.
    pub(crate) fn unset(&mut self, key: &str) {
        let (section, name) = key.rsplit_once('.').unwrap();
        self.settings.get_mut(section).unwrap().remove(name);
        self.write_settings();
    }

    /// Leaves out a whole section.
    pub(crate) fn unset_section(&mut self, section: &str) {
        self.settings.remove(section);
        self.write_settings();
    }

    /// Names the recipients, each for all checks.
    pub(crate) fn recipients(&mut self, addresses: &[&str]) {
        self.recipients = addresses
            .iter()
            .map(|address| format!("address = \"{address}\""))
            .collect();
        self.write_settings();
    }

    /// Names one more recipient, for these checks only, as a TOML list.
    pub(crate) fn recipient_for(&mut self, address: &str, checks: &str) {
        self.recipients
            .push(format!("address = \"{address}\"\nchecks = {checks}"));
        self.write_settings();
    }

    /// Names one more recipient with these further lines.
    pub(crate) fn recipient_with(&mut self, address: &str, keys: &str) {
        self.recipients
            .push(format!("address = \"{address}\"\n{keys}"));
        self.write_settings();
    }

    /// Names one more mail server, without TLS, to be tried after those before; `keys` are further lines.
    pub(crate) fn further_relay(&mut self, relay: &Relay, keys: &str) {
        let port = relay.port();
        self.further_relays.push(format!(
            "host = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\ntimeout = \"10s\"\n{keys}"
        ));
        self.write_settings();
    }

    /// Leaves out all mail servers but the first.
    pub(crate) fn no_further_relays(&mut self) {
        self.further_relays.clear();
        self.write_settings();
    }

    fn write_settings(&self) {
        let mut text = String::new();
        for (section, keys) in &self.settings {
            let _ = writeln!(text, "[{section}]");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        for relay in &self.further_relays {
            let _ = writeln!(text, "[[smtp.relay]]\n{relay}");
        }
        for recipient in &self.recipients {
            let _ = writeln!(text, "[[recipient]]\n{recipient}");
        }
        self.write_config(&text);
    }

    /// Writes the configuration as it is given, broken or not.
    pub(crate) fn write_config(&self, text: impl AsRef<[u8]>) {
        fs::write(self.config_file(), text).unwrap();
    }

    /// Writes the configuration as it stands with this before and that after it.
    pub(crate) fn write_config_around(&self, before: &str, after: &str) {
        self.write_settings();
        let text = fs::read_to_string(self.config_file()).unwrap();
        self.write_config(format!("{before}{text}{after}"));
    }

    /// Sets a variable of petanotify's environment.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// From now on runs go without `--config` and `--state`.
    pub(crate) fn without_flags(&mut self) {
        self.flags = false;
    }

    /// From now on runs are those of a user without rights, as far as the tests may choose (root may).
    pub(crate) fn as_nobody(&mut self) {
        self.nobody = rustix::process::geteuid().is_root();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the folder with this content.
    pub(crate) fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A program beside the `ceph` of this cluster.
    pub(crate) fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join("bin").join(name);
        self.install(&path, text);
        path
    }

    /// Puts a program in place that nobody may be about to start meanwhile.
    pub(crate) fn install(&self, path: &Path, script: &str) {
        let _nobody_starts = PROGRAMS.write();
        fs::write(path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.path().join("petanotify.toml")
    }

    pub(crate) fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.state_folder().join("state.json")
    }

    /// The names in the state folder, sorted; none where there is no folder.
    pub(crate) fn state_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.state_folder()).into_iter().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The state as it is on disk.
    #[track_caller]
    pub(crate) fn state(&self) -> Value {
        let text = fs::read_to_string(self.state_file()).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in the state:\n{text}"))
    }

    /// Everything that stands in any file of the state folder.
    pub(crate) fn all_state(&self) -> String {
        let mut all = String::new();
        for name in self.state_names() {
            let path = self.state_folder().join(&name);
            if path.is_file() {
                let content = fs::read(&path).unwrap_or_default();
                let _ = writeln!(all, "--- {name}\n{}", String::from_utf8_lossy(&content));
            }
        }
        all
    }

    /// Makes all that the state remembers so much older.
    pub(crate) fn let_pass(&self, time: SignedDuration) {
        self.change_state(|value| {
            if let Value::String(text) = value {
                // A look at the storage is a time and two numbers.
                let (first, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
                if let Ok(then) = first.parse::<Timestamp>() {
                    *text = format!("{}{rest}", then - time);
                }
            }
        });
    }

    /// Sets how often every queued mail was tried.
    pub(crate) fn set_attempts(&self, attempts: u64) {
        self.change_state(|value| {
            if let Value::Object(entry) = value
                && entry.contains_key("attempts")
            {
                entry.insert("attempts".to_owned(), attempts.into());
            }
        });
    }

    fn change_state(&self, change: impl Fn(&mut Value)) {
        fn walk(value: &mut Value, change: &impl Fn(&mut Value)) {
            change(value);
            match value {
                Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
                Value::Object(entries) => {
                    entries.values_mut().for_each(|entry| walk(entry, change))
                }
                _ => {}
            }
        }
        let mut state = self.state();
        walk(&mut state, &change);
        state.as_object_mut().unwrap().remove("checksum");
        let sealed = petanotify::seal::sealed(&state).unwrap();
        fs::write(self.state_file(), sealed).unwrap();
    }

    /// What `queue list --json` tells of the mails that wait.
    #[track_caller]
    pub(crate) fn queue(&self) -> Vec<Value> {
        let run = self.run(&["queue", "list", "--json"]);
        run.exits(0);
        let document = run.json();
        assert_eq!(document["version"], 1);
        document["messages"].as_array().expect("messages").clone()
    }

    /// One pass.
    #[track_caller]
    pub(crate) fn check(&self) -> Run {
        self.run(&["check"])
    }

    /// One pass that must end so; the mails that arrived during it.
    #[track_caller]
    pub(crate) fn pass(&self, code: i32) -> Vec<Mail> {
        self.relay.take_mails();
        self.check().exits(code);
        self.relay.take_mails()
    }

    /// The subjects of the mails that one pass brings, sorted. It must end with 0.
    #[track_caller]
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mut subjects: Vec<String> = self.pass(0).iter().map(Mail::subject).collect();
        subjects.sort();
        subjects
    }

    /// One pass in a shell that has carried out `preparation` before, such as `umask 0`.
    #[track_caller]
    pub(crate) fn check_after(&self, preparation: &str) -> Run {
        self.run_after(preparation, &["check"])
    }

    /// Runs petanotify from a shell that has carried out `preparation` before.
    #[track_caller]
    pub(crate) fn run_after(&self, preparation: &str, arguments: &[&str]) -> Run {
        let petanotify = self.command(arguments);
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(format!("{preparation}; exec \"$@\""))
            .arg("sh");
        shell
            .arg(petanotify.get_program())
            .args(petanotify.get_args());
        shell
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        shell.envs(
            petanotify
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = Self::spawn(shell).wait();
        self.remember(&[&[preparation], arguments].concat(), &run);
        run
    }

    /// Runs petanotify to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = self.start(arguments).wait();
        self.remember(arguments, &run);
        run
    }

    /// Lets petanotify run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::spawn(command)
    }

    /// Waits until a pass has a child with this word among its arguments.
    pub(crate) fn wait_for_child_of(&self, pass: &Running, word: &str) -> rustix::process::Pid {
        let parent = pass.child.id();
        let started = Instant::now();
        while started.elapsed() < LIMIT {
            for entry in fs::read_dir("/proc").unwrap().flatten() {
                let Ok(id) = entry.file_name().to_string_lossy().parse::<i32>() else {
                    continue;
                };
                let read = |name| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
                let is_child = read("status").contains(&format!("\nPPid:\t{parent}\n"));
                if is_child && read("cmdline").split('\0').any(|argument| argument == word) {
                    return rustix::process::Pid::from_raw(id).unwrap();
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("no child {word} of {parent}\n{}", self.report());
    }

    /// Runs a command that `command` has made, its outputs changed or not.
    pub(crate) fn spawn(mut command: Command) -> Running {
        let _nobody_writes = PROGRAMS.read();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child
            .stdout
            .take()
            .map_or_else(|| thread::spawn(String::new), reader);
        let stderr = child
            .stderr
            .take()
            .map_or_else(|| thread::spawn(String::new), reader);
        Running {
            child,
            stdout: Some(stdout),
            stderr: Some(stderr),
            started: Instant::now(),
        }
    }

    /// The built petanotify with these arguments in the cluster's environment and in no other.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binary());
        command
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
            .env("PATH", self.ceph.bin())
            .env("HOME", self.folder.path().join("home"))
            .env("LANG", "C.UTF-8");
        command.envs(&self.environment);
        if self.flags {
            command
                .arg("--config")
                .arg(self.config_file())
                .arg("--state")
                .arg(self.state_file());
        }
        if self.nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(arguments);
        command
    }

    /// A user without rights may not be let into the folder where the binary was built, so has a copy.
    fn binary(&self) -> PathBuf {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_petanotify"));
        if !self.nobody {
            return built;
        }
        let copy = self.folder.path().join("bin/petanotify");
        if !copy.exists() {
            let _nobody_starts = PROGRAMS.write();
            fs::copy(built, &copy).unwrap();
        }
        copy
    }

    fn remember(&self, arguments: &[&str], run: &Run) {
        let mut history = self.history.lock().unwrap();
        let _ = writeln!(
            history,
            "$ petanotify {}\nexit {:?} signal {:?}\nstdout:\n{}stderr:\n{}",
            arguments.join(" "),
            run.code,
            run.signal,
            run.stdout,
            run.stderr
        );
    }

    /// All that could explain a failure.
    fn report(&self) -> String {
        let config = fs::read(self.config_file()).unwrap_or_default();
        let mut report = format!(
            "\n===== runs\n{}\n===== configuration\n{}\n===== environment\n{:?}\n===== ceph\n{}\n===== consul\n{}\n===== relay\n{}\n===== state\n{}",
            self.history
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
            String::from_utf8_lossy(&config),
            self.environment,
            self.ceph.calls().join("\n"),
            self.consul.report(),
            self.relay.report(),
            self.all_state(),
        );
        for name in self.state_names() {
            let Ok(data) = fs::symlink_metadata(self.state_folder().join(&name)) else {
                continue;
            };
            let _ = writeln!(
                report,
                "{:o} {} {} {name}",
                data.mode(),
                data.uid(),
                data.len()
            );
        }
        report
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", self.report());
        }
    }
}

/// Reads an output to its end, but no more of it than a person would.
fn reader(mut output: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.by_ref().take(4 << 20).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut output, &mut std::io::sink());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether `text` is like `pattern`, in which `*` stands for anything.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let middle: &str = middle;
            let Some(at) = rest.find(middle) else {
                return false;
            };
            rest = &rest[at + middle.len()..];
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// What a file's permissions are.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .permissions()
        .mode()
        & 0o7777
}
