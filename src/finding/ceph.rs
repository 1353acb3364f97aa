//! Ceph: the command, its configuration and key, and whether each question is answered.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Finding, Outcome, Section, shell_word};
use crate::facts::{OsdTree, Usage};
use crate::machine::Readable;
use crate::settings;
use crate::trouble::{Case, Trouble};
use crate::wording;

/// The user whom Ceph's own tools take where none is named. He may do everything.
const ADMIN: &str = "client.admin";

/// The user whom petanotify's own advice makes.
const OWN: &str = "client.petanotify";

/// As whom the `ceph` command asks, and by which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `--conf`, or the usual place.
    pub conf: PathBuf,
    /// `--name`, or `client.admin`.
    pub name: String,
    /// Where the key is looked for, in this order; one where it is named.
    pub keyrings: Vec<PathBuf>,
}

impl Identity {
    /// By the settings and the environment. The words of `CEPH_ARGS` are put behind all others by the `ceph` command, so they
    /// win. The usual places are those of `ceph(8)` and `ceph-authtool(8)`.
    pub fn of(
        settings: &settings::Ceph,
        ceph_args: Option<&str>,
        ceph_conf: Option<&str>,
    ) -> Identity {
        let said = |names: &[&str]| option_in(ceph_args.unwrap_or_default(), names);
        let cluster = said(&["--cluster"]).unwrap_or_else(|| "ceph".to_owned());
        let id = said(&["--id", "--user", "-i"]).map(|id| format!("client.{id}"));
        let name = said(&["--name", "-n"])
            .or(id)
            .or_else(|| settings.name.clone())
            .unwrap_or_else(|| ADMIN.to_owned());
        let conf = said(&["--conf", "-c"])
            .map(PathBuf::from)
            .or_else(|| settings.conf.clone())
            .or_else(|| ceph_conf.map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(format!("/etc/ceph/{cluster}.conf")));
        let named = said(&["--keyring", "-k"])
            .map(PathBuf::from)
            .or_else(|| settings.keyring.clone());
        let usual = [
            format!("/etc/ceph/{cluster}.{name}.keyring"),
            format!("/etc/ceph/{cluster}.keyring"),
            "/etc/ceph/keyring".to_owned(),
            "/etc/ceph/keyring.bin".to_owned(),
        ];
        Identity {
            conf,
            name,
            keyrings: match named {
                Some(keyring) => vec![keyring],
                None => usual.map(PathBuf::from).to_vec(),
            },
        }
    }

    /// Where a key belongs that is made now.
    fn new_keyring(&self) -> (&str, PathBuf) {
        match (self.name.as_str(), self.keyrings.as_slice()) {
            (ADMIN, _) | (_, []) => (OWN, format!("/etc/ceph/ceph.{OWN}.keyring").into()),
            (name, [first, ..]) => (name, first.clone()),
        }
    }
}

/// The value of an option in blank-separated words, `--name VALUE` or `--name=VALUE`.
fn option_in(words: &str, names: &[&str]) -> Option<String> {
    let mut words = words.split_whitespace();
    let mut found = None;
    while let Some(word) = words.next() {
        if names.contains(&word) {
            found = words.next().or(found);
        } else if let Some((name, value)) = word.split_once('=')
            && names.contains(&name)
        {
            found = Some(value);
        }
    }
    found.map(str::to_owned)
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which way the monitors are asked.
    pub way: Way,
    /// The beginning of a line that asks as petanotify does, see [`by_hand`].
    pub by_hand: String,
    /// As whom it asks.
    pub identity: Identity,
    /// Whether [`Identity::conf`] can be read.
    pub conf: Readable,
    /// The first of [`Identity::keyrings`] that is there, and whether it can be read.
    pub keyring: Option<(PathBuf, Readable)>,
    /// The answers to the questions of a pass.
    pub answers: Vec<Asked>,
}

impl Seen {
    /// The OSD tree, if it was asked and answered.
    pub fn osd_tree(&self) -> Option<&OsdTree> {
        let answers = self.answers.iter();
        let mut answers = answers.filter_map(|asked| asked.answer.as_ref().ok());
        answers.find_map(|answer| match answer {
            Answer::OsdTree(tree) => Some(tree),
            Answer::Status(_) => None,
        })
    }
}

/// Which way the monitors are asked.
#[derive(Debug, Clone)]
pub enum Way {
    /// By the `ceph` command.
    Command(Program),
    /// By Ceph's library, in a child of our own: its file and version, or why it can't be loaded.
    Library(Result<String, String>),
}

/// The `ceph` command.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program and its first arguments, as set.
    pub words: Vec<String>,
    /// Where the program lies.
    pub path: Option<PathBuf>,
    /// Its release.
    pub version: Result<String, Trouble>,
    /// Why the library is not used, where that would be preferred.
    pub no_library: Option<String>,
}

/// A question that was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As in `ceph osd tree`.
    pub question: &'static str,
    /// How long it took.
    pub took: Duration,
    /// The answer.
    pub answer: Result<Answer, Trouble>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `ceph status`.
    Status(Usage),
    /// To `ceph osd tree`.
    OsdTree(OsdTree),
}

/// The findings. `owner` is the user whom a new keyring must belong to, unless that is root.
pub fn judge(seen: &Seen, owner: Option<&str>) -> Vec<Finding> {
    let (way, is_missing) = match &seen.way {
        Way::Command(program) => {
            let missing = |trouble: &Trouble| trouble.case == Case::NotInstalled;
            let is_missing = program.version.as_ref().is_err_and(missing);
            (binary(program, seen), is_missing)
        }
        Way::Library(found) => (library(found), found.is_err()),
    };
    let mut findings = vec![way];
    if is_missing {
        return findings;
    }
    let works = seen.answers.iter().any(|asked| asked.answer.is_ok());
    // What stands before `ceph` may ask as another user or on another machine.
    let key = match &seen.way {
        Way::Command(program) if program.words.len() > 1 => as_admin(seen, works, owner)
            .unwrap_or_else(|| {
                let name = &seen.identity.name;
                let who = format!(
                    "{name}, by the files that `{}` finds",
                    program.words.join(" ")
                );
                Finding::ok(Section::Ceph, "key", who)
            }),
        Way::Command(_) | Way::Library(_) => {
            findings.push(conf(seen, works));
            key(seen, works, owner)
        }
    };
    let no_key = (key.outcome == Outcome::Failed)
        .then(|| key.advice.clone())
        .flatten();
    findings.push(key);
    for asked in &seen.answers {
        findings.push(answered(asked, seen, no_key.as_deref(), owner));
    }
    findings
}

/// The finding where no check asks Ceph.
pub fn not_asked() -> Finding {
    let off = "not asked: checks.capacity and checks.osds are off";
    Finding::ok(Section::Ceph, "checks", off)
}

fn library(found: &Result<String, String>) -> Finding {
    match found {
        Ok(file) => Finding::ok(Section::Ceph, "library", file),
        Err(words) => Finding::failed(
            Section::Ceph,
            "library",
            words,
            "Install the package, or set ceph.via = \"cli\":\n  apt-get install librados2",
        ),
    }
}

fn binary(program: &Program, seen: &Seen) -> Finding {
    match &program.version {
        Ok(version) => {
            let mut words = program.words.clone();
            if let (Some(word), Some(path)) = (words.first_mut(), &program.path) {
                *word = path.display().to_string();
            }
            let mut detail = format!("{}, version {version}", words.join(" "));
            if let Some(why) = &program.no_library {
                detail.push_str(&format!("; not the library: {why}"));
            }
            Finding::ok(Section::Ceph, "binary", detail)
        }
        Err(trouble) if trouble.case == Case::NotInstalled => Finding::failed(
            Section::Ceph,
            "binary",
            &trouble.words,
            "Install the package, or name the command in ceph.command:\n  apt-get install ceph-common",
        ),
        Err(trouble) => {
            let by_hand = format!("Try it by hand:\n  {} --version", seen.by_hand);
            Finding::failed(Section::Ceph, "binary", &trouble.words, by_hand)
        }
    }
}

fn conf(seen: &Seen, works: bool) -> Finding {
    let path = seen.identity.conf.display().to_string();
    let word = shell_word(&path);
    match &seen.conf {
        Readable::Yes { .. } => Finding::ok(Section::Ceph, "conf", path),
        Readable::Missing if works => {
            let elsewhere = format!("not at {path}: ceph finds its configuration elsewhere");
            Finding::ok(Section::Ceph, "conf", elsewhere)
        }
        Readable::Missing => Finding::failed(
            Section::Ceph,
            "conf",
            format!("there is no {path}"),
            format!(
                "Copy it from a node of the cluster, or name it in ceph.conf:\n  scp NODE:/etc/ceph/ceph.conf {word}"
            ),
        ),
        Readable::No(reason) => Finding::failed(
            Section::Ceph,
            "conf",
            format!("cannot read {path}: {reason}"),
            format!("It holds no secret, so everybody may read it:\n  chmod 644 {word}"),
        ),
    }
}

fn key(seen: &Seen, works: bool, owner: Option<&str>) -> Finding {
    let Identity { name, keyrings, .. } = &seen.identity;
    match &seen.keyring {
        Some((path, Readable::Yes { by_everybody: true })) => Finding::warning(
            Section::Ceph,
            "key",
            format!(
                "{name}: everybody on this machine may read {}",
                path.display()
            ),
            format!(
                "Run:\n  chmod 600 {}",
                shell_word(&path.display().to_string())
            ),
        ),
        Some((path, Readable::Yes { .. })) => match as_admin(seen, works, owner) {
            Some(finding) => finding,
            None => {
                let detail = format!("{name}, {}", path.display());
                Finding::ok(Section::Ceph, "key", detail)
            }
        },
        Some((path, Readable::No(reason))) => {
            let detail = format!("cannot read {} ({name}): {reason}", path.display());
            let path = shell_word(&path.display().to_string());
            let advice = match owner {
                Some(owner) if name != ADMIN => {
                    format!(
                        "Give it to the user who reads it:\n  chown {owner} {path}\n  chmod 600 {path}"
                    )
                }
                _ => new_key(&seen.identity, owner),
            };
            Finding::failed(Section::Ceph, "key", detail, advice)
        }
        Some((_, Readable::Missing)) | None if works => {
            let elsewhere = format!("{name}; its key is where ceph.conf or the environment says");
            as_admin(seen, works, owner)
                .unwrap_or_else(|| Finding::ok(Section::Ceph, "key", elsewhere))
        }
        Some((_, Readable::Missing)) | None => {
            let places: Vec<String> = keyrings.iter().map(|k| k.display().to_string()).collect();
            let detail = format!(
                "{name} has no keyring: there is no {}",
                places.join(", no ")
            );
            Finding::failed(Section::Ceph, "key", detail, new_key(&seen.identity, owner))
        }
    }
}

/// The finding that a key which may do everything is used where one would do that can only look.
fn as_admin(seen: &Seen, works: bool, owner: Option<&str>) -> Option<Finding> {
    (works && seen.identity.name == ADMIN).then(|| {
        Finding::warning(
            Section::Ceph,
            "key",
            format!("{ADMIN} may do everything, and a key that can only look is enough"),
            new_key(&seen.identity, owner),
        )
    })
}

/// How to make a key that is just enough, in the place where it is looked for.
fn new_key(identity: &Identity, owner: Option<&str>) -> String {
    let (name, path) = identity.new_keyring();
    let path = shell_word(&path.display().to_string());
    let mut advice = format!(
        "On a node that has Ceph's admin key (then copy the file here):\n  \
         ceph auth get-or-create {name} mon 'allow r' -o {path}\n{}",
        private(&path, owner)
    );
    if identity.name != name {
        advice.push_str(&format!(
            "And in the configuration:\n  [ceph]\n  name = \"{name}\"\n"
        ));
    }
    advice
}

fn private(path: &str, owner: Option<&str>) -> String {
    let chown = owner.map(|owner| format!("  chown {owner} {path}\n"));
    format!("  chmod 600 {path}\n{}", chown.unwrap_or_default())
}

fn answered(asked: &Asked, seen: &Seen, no_key: Option<&str>, owner: Option<&str>) -> Finding {
    let name = asked.question;
    let took = wording::milliseconds(u64::try_from(asked.took.as_millis()).unwrap_or(u64::MAX));
    let trouble = match &asked.answer {
        Ok(answer) => return good(name, answer, &took),
        Err(trouble) => trouble,
    };
    let identity = &seen.identity;
    let advice = match trouble.case {
        Case::NotLetIn => no_key.map_or_else(|| another_key(identity, owner), str::to_owned),
        Case::NotAllowed if identity.name != ADMIN => format!(
            "Give the key the right to look, on a node that has Ceph's admin key:\n  ceph auth caps {} mon 'allow r'",
            identity.name
        ),
        Case::Unreachable => format!(
            "{}\n  grep mon_host {}\n  {} mon stat\n  systemctl status 'ceph-mon@*'",
            trouble
                .advice
                .as_deref()
                .unwrap_or("Look whether the monitors run:"),
            shell_word(&identity.conf.display().to_string()),
            seen.by_hand,
        ),
        Case::NotAllowed | Case::NotInstalled | Case::Other => {
            let by_hand = format!("  {} {name}", seen.by_hand);
            match &trouble.advice {
                Some(advice) => format!("{advice}\n{by_hand}"),
                None => format!("Try it by hand:\n{by_hand}"),
            }
        }
    };
    Finding::failed(Section::Ceph, name, &trouble.words, advice)
}

fn good(name: &'static str, answer: &Answer, took: &str) -> Finding {
    match answer {
        Answer::Status(usage) if !usage.mgr_available => Finding::warning(
            Section::Ceph,
            name,
            format!(
                "{took}; no manager is active, so the figures are stale and the capacity is unknown"
            ),
            "Start one on a node of the cluster:\n  systemctl start ceph-mgr.target",
        ),
        Answer::Status(usage) if usage.total_bytes == 0 => Finding::warning(
            Section::Ceph,
            name,
            format!("{took}; the cluster has no size yet, so the capacity is unknown"),
            "No OSD has ever reported:\n  ceph osd tree",
        ),
        Answer::Status(usage) => {
            let used = wording::bytes(usage.used_bytes);
            let total = wording::bytes(usage.total_bytes);
            Finding::ok(
                Section::Ceph,
                name,
                format!("{took}; {used} of {total} used"),
            )
        }
        Answer::OsdTree(tree) => {
            let all = wording::count(tree.up.len() + tree.down.len(), "OSD");
            let detail = format!("{took}; {all}, {} not up", tree.down.len());
            Finding::ok(Section::Ceph, name, detail)
        }
    }
}

/// The keyring can be read, and Ceph does not let it in.
fn another_key(identity: &Identity, owner: Option<&str>) -> String {
    if identity.name == ADMIN {
        return new_key(identity, owner);
    }
    let name = &identity.name;
    let (_, path) = identity.new_keyring();
    let path = shell_word(&path.display().to_string());
    format!(
        "Ceph knows another key for {name}, or gives it no right at the monitors. On a node that has Ceph's \
         admin key (the first line fails where {name} is unknown, and then is not needed):\n  \
         ceph auth caps {name} mon 'allow r'\n  \
         ceph auth get-or-create {name} mon 'allow r' -o {path}\n{}",
        private(&path, owner)
    )
}

/// The command with the options that petanotify gives it, to be typed.
pub fn by_hand(settings: &settings::Ceph) -> String {
    let mut words: Vec<String> = settings.command.iter().map(|w| shell_word(w)).collect();
    let mut option = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| format!("{name} {}", shell_word(&value))));
    };
    let shown = |path: &PathBuf| path.display().to_string();
    option("--conf", settings.conf.as_ref().map(shown));
    option("--name", settings.name.clone());
    option("--keyring", settings.keyring.as_ref().map(shown));
    words.join(" ")
}

/// The first of the places that is there.
pub fn first_there(
    places: &[PathBuf],
    readable: impl Fn(&Path) -> Readable,
) -> Option<(PathBuf, Readable)> {
    let looked = places.iter().map(|path| (path.clone(), readable(path)));
    let mut there = looked.filter(|(_, readable)| *readable != Readable::Missing);
    there.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Via;

    fn settings() -> settings::Ceph {
        settings::Ceph {
            command: vec!["ceph".to_owned()],
            conf: None,
            name: Some(OWN.to_owned()),
            keyring: None,
            via: Via::Cli,
            timeout: Duration::from_secs(20),
        }
    }

    fn program(version: Result<String, Trouble>) -> Program {
        Program {
            words: vec!["ceph".to_owned()],
            path: Some("/usr/bin/ceph".into()),
            version,
            no_library: None,
        }
    }

    const MINE: Readable = Readable::Yes {
        by_everybody: false,
    };

    /// All is well, and asked as client.petanotify.
    fn seen() -> Seen {
        let identity = Identity::of(&settings(), None, None);
        let usage = Usage {
            used_bytes: 1 << 40,
            total_bytes: 8 << 40,
            mgr_available: true,
        };
        let asked = |question, answer| Asked {
            question,
            took: Duration::from_millis(412),
            answer: Ok(answer),
        };
        Seen {
            way: Way::Command(program(Ok("16.2.15".to_owned()))),
            by_hand: by_hand(&settings()),
            conf: MINE,
            keyring: Some((identity.keyrings[0].clone(), MINE)),
            identity,
            answers: vec![
                asked("status", Answer::Status(usage)),
                asked("osd tree", Answer::OsdTree(OsdTree::default())),
            ],
        }
    }

    fn fail_all(seen: &mut Seen, case: Case) {
        for asked in &mut seen.answers {
            asked.answer = Err(Trouble::new(case, "exit 13: denied", "what now?"));
        }
    }

    fn advice<'a>(findings: &'a [Finding], name: &str) -> &'a str {
        let finding = findings.iter().find(|f| f.name == name);
        finding.and_then(|f| f.advice.as_deref()).unwrap_or("")
    }

    fn told(findings: &[Finding]) -> Vec<(&str, Outcome)> {
        findings.iter().map(|f| (f.name, f.outcome)).collect()
    }

    use Outcome::{Failed, Ok as Fine, Warning};

    #[test]
    fn who_asks_is_told_by_settings_and_environment() {
        let of = |settings: &settings::Ceph, args: Option<&str>| {
            let Identity {
                conf,
                name,
                keyrings,
            } = Identity::of(settings, args, None);
            let (conf, keyring) = (conf.display(), keyrings[0].display());
            format!("{conf} {name} {keyring} of {}", keyrings.len())
        };
        let own = settings();
        let nothing = settings::Ceph {
            name: None,
            ..own.clone()
        };
        let all = settings::Ceph {
            conf: Some("/c".into()),
            keyring: Some("/k".into()),
            ..own.clone()
        };
        for (settings, args, identity) in [
            (
                &nothing,
                None,
                "/etc/ceph/ceph.conf client.admin /etc/ceph/ceph.client.admin.keyring of 4",
            ),
            (
                &own,
                None,
                "/etc/ceph/ceph.conf client.petanotify /etc/ceph/ceph.client.petanotify.keyring of 4",
            ),
            (&all, None, "/c client.petanotify /k of 1"),
            (&all, Some("--conf /d --id=x -k /j"), "/d client.x /j of 1"),
            (
                &nothing,
                Some("--cluster backup --name"),
                "/etc/ceph/backup.conf client.admin /etc/ceph/backup.client.admin.keyring of 4",
            ),
        ] {
            assert_eq!(of(settings, args), identity);
        }
        let conf = Identity::of(&own, None, Some("/e")).conf;
        assert_eq!(conf, Path::new("/e"));
    }

    #[test]
    fn all_is_well() {
        let findings = judge(&seen(), None);
        assert_eq!(
            told(&findings),
            [
                ("binary", Fine),
                ("conf", Fine),
                ("key", Fine),
                ("status", Fine),
                ("osd tree", Fine)
            ]
        );
        assert_eq!(findings[0].detail, "/usr/bin/ceph, version 16.2.15");
        assert_eq!(
            findings[2].detail,
            "client.petanotify, /etc/ceph/ceph.client.petanotify.keyring"
        );
        assert_eq!(findings[3].detail, "412 ms; 1.00 TiB of 8.00 TiB used");
    }

    #[test]
    fn a_missing_command_is_all_there_is_to_say() {
        let mut seen = seen();
        let missing = Trouble::new(Case::NotInstalled, "cannot run ceph", "?");
        seen.way = Way::Command(program(Err(missing)));
        let findings = judge(&seen, None);
        assert_eq!(told(&findings), [("binary", Failed)]);
        assert!(advice(&findings, "binary").contains("\n  apt-get install ceph-common"));
    }

    #[test]
    fn the_library_is_told_or_why_it_is_not_used() {
        let mut seen = seen();
        seen.way = Way::Library(Ok("librados.so.2 3.0.0".to_owned()));
        let findings = judge(&seen, None);
        assert_eq!(findings[0].detail, "librados.so.2 3.0.0");
        assert_eq!(told(&findings)[..2], [("library", Fine), ("conf", Fine)]);
        seen.way = Way::Library(Err("no such file".to_owned()));
        let findings = judge(&seen, None);
        assert_eq!(told(&findings), [("library", Failed)]);
        assert!(advice(&findings, "library").ends_with("\n  apt-get install librados2"));
        seen.way = Way::Command(Program {
            no_library: Some("no such file".to_owned()),
            ..program(Ok("16.2.15".to_owned()))
        });
        let findings = judge(&seen, None);
        assert!(
            findings[0]
                .detail
                .ends_with("; not the library: no such file")
        );
    }

    #[test]
    fn without_a_keyring_the_line_that_makes_one_is_told_once() {
        let mut seen = seen();
        seen.keyring = None;
        fail_all(&mut seen, Case::NotLetIn);
        let findings = judge(&seen, Some("petanotify"));
        let made = advice(&findings, "key");
        assert_eq!(
            made,
            "On a node that has Ceph's admin key (then copy the file here):\n  \
             ceph auth get-or-create client.petanotify mon 'allow r' -o /etc/ceph/ceph.client.petanotify.keyring\n  \
             chmod 600 /etc/ceph/ceph.client.petanotify.keyring\n  \
             chown petanotify /etc/ceph/ceph.client.petanotify.keyring\n"
        );
        assert_eq!(advice(&findings, "status"), made);
        assert_eq!(advice(&findings, "osd tree"), made);
    }

    #[test]
    fn a_keyring_that_cannot_be_read_is_given_to_who_reads_it() {
        let mut seen = seen();
        let denied = Readable::No("Permission denied".to_owned());
        seen.keyring = Some(("/etc/ceph/my keys".into(), denied));
        fail_all(&mut seen, Case::NotLetIn);
        let findings = judge(&seen, Some("petanotify"));
        assert!(advice(&findings, "key").contains("\n  chown petanotify '/etc/ceph/my keys'\n"));
    }

    #[test]
    fn the_admins_key_is_never_changed_nor_given_away() {
        let mut seen = seen();
        seen.identity.name = ADMIN.to_owned();
        let key = &judge(&seen, None)[2];
        assert_eq!(key.outcome, Warning);
        assert!(key.detail.contains("may do everything"));
        let made = key.advice.as_deref().unwrap_or("");
        assert!(made.contains("get-or-create client.petanotify mon 'allow r' -o /etc/ceph/ceph.client.petanotify.keyring\n"));
        assert!(made.ends_with("[ceph]\n  name = \"client.petanotify\"\n"));

        let denied = Readable::No("Permission denied".to_owned());
        for keyring in [None, Some(("/k".into(), MINE)), Some(("/k".into(), denied))] {
            for case in [Case::NotLetIn, Case::NotAllowed] {
                seen.keyring = keyring.clone();
                fail_all(&mut seen, case);
                for finding in judge(&seen, Some("ops")) {
                    let advice = finding.advice.unwrap_or_default();
                    for touched in [
                        "auth caps client.admin",
                        "create client.admin",
                        "chown ops /k",
                    ] {
                        assert!(!advice.contains(touched), "{advice}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_that_is_refused_and_one_that_may_too_little_differ() {
        let mut seen = seen();
        fail_all(&mut seen, Case::NotLetIn);
        let refused = judge(&seen, None);
        assert_eq!(refused[2].outcome, Fine, "it can be read");
        assert!(advice(&refused, "status").contains(
            "\n  ceph auth get-or-create client.petanotify mon 'allow r' -o /etc/ceph/ceph.client.petanotify.keyring\n"
        ));
        fail_all(&mut seen, Case::NotAllowed);
        let too_little = judge(&seen, None);
        assert!(
            advice(&too_little, "osd tree")
                .ends_with("\n  ceph auth caps client.petanotify mon 'allow r'")
        );
    }

    #[test]
    fn monitors_that_do_not_answer_are_looked_for() {
        let mut seen = seen();
        seen.identity.conf = "/etc/ceph/other.conf".into();
        fail_all(&mut seen, Case::Unreachable);
        let findings = judge(&seen, None);
        let look = "What now?\n  grep mon_host /etc/ceph/other.conf\n  \
                    ceph --name client.petanotify mon stat\n";
        assert!(advice(&findings, "status").starts_with(look));
    }

    #[test]
    fn what_works_without_the_usual_files_is_no_failure() {
        let mut seen = seen();
        seen.conf = Readable::Missing;
        seen.keyring = None;
        let findings = judge(&seen, None);
        assert_eq!(told(&findings)[1..3], [("conf", Fine), ("key", Fine)]);

        seen.way = Way::Command(Program {
            words: ["sudo", "ceph"].map(str::to_owned).to_vec(),
            path: Some("/usr/bin/sudo".into()),
            ..program(Ok("16.2.15".to_owned()))
        });
        let findings = judge(&seen, None);
        assert_eq!(findings[0].detail, "/usr/bin/sudo ceph, version 16.2.15");
        assert_eq!(told(&findings)[1], ("key", Fine));
    }

    #[test]
    fn files_that_are_missing_or_open_to_all_are_told() {
        let mut seen = seen();
        seen.keyring = Some(("/k".into(), Readable::Yes { by_everybody: true }));
        let findings = judge(&seen, None);
        assert_eq!(told(&findings)[2], ("key", Warning));
        assert_eq!(advice(&findings, "key"), "Run:\n  chmod 600 /k");
        fail_all(&mut seen, Case::Other);
        seen.conf = Readable::Missing;
        assert_eq!(told(&judge(&seen, None))[1], ("conf", Failed));
        seen.conf = Readable::No("Permission denied".to_owned());
        assert_eq!(
            advice(&judge(&seen, None), "conf"),
            "It holds no secret, so everybody may read it:\n  chmod 644 /etc/ceph/ceph.conf"
        );
    }

    #[test]
    fn answers_that_say_nothing_are_warnings() {
        for (total_bytes, mgr_available, words) in
            [(0, true, "no size yet"), (8, false, "no manager is active")]
        {
            let mut seen = seen();
            seen.answers[0].answer = Ok(Answer::Status(Usage {
                used_bytes: 0,
                total_bytes,
                mgr_available,
            }));
            let status = &judge(&seen, None)[3];
            assert_eq!(status.outcome, Warning);
            assert!(status.detail.contains(words));
        }
    }
}
