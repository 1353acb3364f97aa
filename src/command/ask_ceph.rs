//! `petanotify ask-ceph`: asks the monitors through librados, in a process of its own, and speaks as the `ceph` CLI does.
//!
//! For petanotify itself, not for people. Standard output has one line for each question, in their order: the answer, or
//! nothing where there is none. Errors are on standard error, and the exit status is the first one's number.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::ExitCode;

use rustix::io::Errno;

use crate::ceph::Question;
use crate::ceph::via_librados::NO_LIBRARY;
use crate::cli::AskCeph;
use crate::librados::{Cluster, FILE, Librados};

/// What went wrong: an error number and the words for it.
type Failure = (Errno, String);

/// Asks all questions over one connection and prints the answers.
pub fn ask_ceph(options: &AskCeph) -> ExitCode {
    let librados = match Librados::load() {
        Ok(librados) => librados,
        Err(words) => {
            complain(&words);
            return ExitCode::from(NO_LIBRARY);
        }
    };
    if options.questions.is_empty() {
        let printed = writeln!(io::stdout(), "{FILE} {}", librados.version());
        return ExitCode::from(u8::from(printed.is_err()));
    }
    let mut first_error = None;
    let mut answers = Vec::new();
    match connect(&librados, options) {
        Ok(cluster) => {
            for question in &options.questions {
                match cluster.ask(&command(*question)) {
                    Ok(mut answer) => {
                        // Blanks of JSON: a text has them escaped.
                        for byte in answer
                            .iter_mut()
                            .filter(|byte| matches!(byte, b'\n' | b'\r'))
                        {
                            *byte = b' ';
                        }
                        answers.append(&mut answer);
                    }
                    Err((errno, words)) => {
                        let question = question.words().join(" ");
                        let name = errno_name(errno);
                        complain(&format!("{question}: Error {name}: {words}"));
                        first_error = first_error.or(Some(errno));
                    }
                }
                answers.push(b'\n');
            }
        }
        Err((errno, words)) => {
            complain(&words);
            first_error = Some(errno);
        }
    }
    if let Err(error) = io::stdout().write_all(&answers) {
        complain(&format!("cannot pass on the answer: {error}"));
        first_error = first_error.or(Some(Errno::PIPE));
    }
    let number = first_error.map_or(0, Errno::raw_os_error);
    ExitCode::from(u8::try_from(number).unwrap_or(u8::MAX))
}

fn complain(words: &str) {
    // Nobody is left to tell.
    let _ = writeln!(io::stderr(), "{words}");
}

/// What the monitors are asked.
fn command(question: Question) -> CString {
    match question {
        Question::Status => c"{\"prefix\":\"status\",\"format\":\"json\"}".to_owned(),
        Question::OsdTree => c"{\"prefix\":\"osd tree\",\"format\":\"json\"}".to_owned(),
        Question::TimeSyncStatus => {
            c"{\"prefix\":\"time-sync-status\",\"format\":\"json\"}".to_owned()
        }
    }
}

/// Sets up and connects as the CLI does: configuration file, then options, `$CEPH_ARGS` last.
fn connect<'a>(librados: &'a Librados, options: &AskCeph) -> Result<Cluster<'a>, Failure> {
    let initialise = |errno: Errno, what: &str| {
        let words = format!(
            "Error initializing cluster client: {} ({what})",
            describe(errno)
        );
        (errno, words)
    };
    let mut given = Given {
        conf: options.conf.clone().map(OsString::from),
        name: options.name.clone().map(OsString::from),
        ..Given::default()
    };
    given.take_up(env::var_os("CEPH_ARGS").unwrap_or_default());
    let text = |text: &OsStr, what: &str| {
        CString::new(text.as_bytes()).map_err(|_| initialise(Errno::INVAL, what))
    };
    let name = given.name.unwrap_or_else(|| "client.admin".into());
    let name = text(&name, "name")?;
    let cluster = text(
        given.cluster.as_deref().unwrap_or(OsStr::new("ceph")),
        "cluster",
    )?;
    let handle = librados.cluster(&cluster, &name).map_err(|errno| {
        let number = -errno.raw_os_error();
        let words = format!(
            "Error initializing cluster client: rados_initialize failed with error code: {number}"
        );
        (errno, words)
    })?;
    // As the CLI has it, so that librados's own words are heard.
    for option in [c"log_to_stderr", c"err_to_stderr", c"log_flush_on_exit"] {
        // Words that are not heard are missed, no more.
        let _ = handle.set(option, c"true");
    }
    let conf = given.conf.map(|conf| text(&conf, "conf")).transpose()?;
    handle
        .read_conf(conf.as_deref())
        .map_err(|errno| initialise(errno, "error calling conf_read_file"))?;
    if let Some(keyring) = &options.keyring {
        let keyring = text(keyring.as_os_str(), "keyring")?;
        handle
            .set(c"keyring", &keyring)
            .map_err(|errno| initialise(errno, "error setting keyring"))?;
    }
    handle
        .parse_arguments(&given.others)
        .map_err(|errno| initialise(errno, "error calling conf_parse_argv"))?;
    let seconds = CString::new(options.connect_timeout.to_string()).unwrap_or_default();
    for option in [c"client_mount_timeout", c"rados_mon_op_timeout"] {
        handle
            .set(option, &seconds)
            .map_err(|errno| initialise(errno, "error setting the time limit"))?;
    }
    handle.connect().map_err(|errno| {
        let words = format!("{} (error connecting to the cluster)", describe(errno));
        (errno, words)
    })?;
    Ok(handle)
}

/// What of the command line the library must be told before it reads its configuration file, and the rest.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    conf: Option<OsString>,
    name: Option<OsString>,
    cluster: Option<OsString>,
    others: Vec<CString>,
}

impl Given {
    /// Takes up what `$CEPH_ARGS` says. It displaces the options, because the CLI has it behind its own arguments.
    fn take_up(&mut self, arguments: OsString) {
        let arguments = arguments.into_vec();
        let mut words = arguments
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let equals = word.iter().position(|&byte| byte == b'=');
            let (option, value) = match equals {
                Some(at) if word.starts_with(b"--") => (&word[..at], Some(&word[at + 1..])),
                _ => (word, None),
            };
            let mut value = || -> Option<OsString> {
                let value = value.or_else(|| words.next())?;
                Some(OsStr::from_bytes(value).to_owned())
            };
            match option {
                b"-c" | b"--conf" => self.conf = value().or(self.conf.take()),
                b"-n" | b"--name" => self.name = value().or(self.name.take()),
                b"--id" | b"--user" => {
                    if let Some(id) = value() {
                        let mut name = OsString::from("client.");
                        name.push(id);
                        self.name = Some(name);
                    }
                }
                b"--cluster" => self.cluster = value().or(self.cluster.take()),
                // A word out of an environment variable has no NUL in it.
                _ => self.others.extend(CString::new(word)),
            }
        }
    }
}

/// The number and the words for it, in the shape that the CLI's Python binding gives them.
fn describe(errno: Errno) -> String {
    let number = errno.raw_os_error();
    let words = match errno {
        // These are the CLI's own; the advice goes by them.
        Errno::TIMEDOUT => "RADOS timed out".to_owned(),
        Errno::INVAL => "InvalidArgument: RADOS invalid argument".to_owned(),
        Errno::NOENT => "RADOS object not found".to_owned(),
        Errno::ACCESS => "RADOS permission denied".to_owned(),
        _ => {
            let words = io::Error::from_raw_os_error(number).to_string();
            let end = words.find(" (os error").unwrap_or(words.len());
            words[..end].to_owned()
        }
    };
    format!("[errno {number}] {words}")
}

/// As the CLI names the errors that monitors answer with.
fn errno_name(errno: Errno) -> String {
    let name = match errno {
        Errno::PERM => "EPERM",
        Errno::NOENT => "ENOENT",
        Errno::IO => "EIO",
        Errno::AGAIN => "EAGAIN",
        Errno::NOMEM => "ENOMEM",
        Errno::ACCESS => "EACCES",
        Errno::BUSY => "EBUSY",
        Errno::INVAL => "EINVAL",
        Errno::OPNOTSUPP => "EOPNOTSUPP",
        Errno::NOTCONN => "ENOTCONN",
        Errno::TIMEDOUT => "ETIMEDOUT",
        _ => return errno.raw_os_error().to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ceph_args_displace_the_options_and_the_rest_is_passed_on() {
        type Case<'a> = (&'a str, [Option<&'a str>; 3], &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            ("", [Some("/a.conf"), Some("client.x"), None], &[]),
            ("--id ops", [Some("/a.conf"), Some("client.ops"), None], &[]),
            (
                " -n client.y  -c /b.conf --cluster=other ",
                [Some("/b.conf"), Some("client.y"), Some("other")],
                &[],
            ),
            (
                "--name=client.z --mon-host=10.0.0.1 --keyring /k --debug_ms=0",
                [Some("/a.conf"), Some("client.z"), None],
                &["--mon-host=10.0.0.1", "--keyring", "/k", "--debug_ms=0"],
            ),
            // An option without its value says nothing.
            ("--conf", [Some("/a.conf"), Some("client.x"), None], &[]),
        ];
        for (arguments, [conf, name, cluster], others) in cases {
            let mut given = Given {
                conf: Some("/a.conf".into()),
                name: Some("client.x".into()),
                ..Given::default()
            };
            given.take_up(arguments.into());
            let expected = Given {
                conf: conf.map(OsString::from),
                name: name.map(OsString::from),
                cluster: cluster.map(OsString::from),
                others: others
                    .iter()
                    .map(|word| CString::new(*word).unwrap())
                    .collect(),
            };
            assert_eq!(given, expected, "{arguments:?}");
        }
    }
}
