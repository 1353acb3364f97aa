//! The command line by its definition, against what `--help` and the completions say of it.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use clap::{CommandFactory as _, Parser as _};
use petanotify::cli::Cli;

use crate::cluster::Cluster;

/// A command or subcommand, and the words that may follow it.
#[derive(Debug)]
pub(crate) struct Defined {
    /// Empty for petanotify itself, else e.g. `queue drop`.
    pub(crate) path: Vec<String>,
    pub(crate) subcommands: BTreeSet<String>,
    /// `--json`, `-y`: those of this command alone.
    pub(crate) options: BTreeSet<String>,
    /// Those of every command, `--help` among them.
    pub(crate) global_options: BTreeSet<String>,
    /// What an option or argument may be where not anything may.
    pub(crate) values: BTreeSet<String>,
}

impl Defined {
    pub(crate) fn name(&self) -> String {
        self.path.join(" ")
    }

    fn arguments<'a>(&'a self, last: &'a [&'a str]) -> Vec<&'a str> {
        let path = self.path.iter().map(String::as_str);
        path.chain(last.iter().copied()).collect()
    }
}

/// All commands for people, each before its subcommands. `help` is left out: it has no options, and all others as subcommands.
pub(crate) fn commands() -> Vec<Defined> {
    let mut cli = Cli::command();
    cli.build();
    let mut found = Vec::new();
    walk(&cli, &[], &mut found);
    found
}

fn walk(command: &clap::Command, path: &[String], found: &mut Vec<Defined>) {
    let mut defined = Defined {
        path: path.to_vec(),
        subcommands: BTreeSet::new(),
        options: BTreeSet::new(),
        global_options: BTreeSet::new(),
        values: BTreeSet::new(),
    };
    for argument in command.get_arguments() {
        let long = argument.get_long().map(|long| format!("--{long}"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        let of_all = ["help", "version"].contains(&argument.get_id().as_str());
        let options = match argument.is_global_set() || of_all {
            true => &mut defined.global_options,
            false => &mut defined.options,
        };
        options.extend(long.into_iter().chain(short));
        if argument.get_action().takes_values() {
            let values = argument.get_possible_values().into_iter();
            defined
                .values
                .extend(values.map(|value| value.get_name().to_owned()));
        }
    }
    let shown = |c: &&clap::Command| c.get_name() != "help" && !c.is_hide_set();
    let subcommands = || command.get_subcommands().filter(shown);
    defined.subcommands = subcommands().map(|c| c.get_name().to_owned()).collect();
    found.push(defined);
    for subcommand in subcommands() {
        let path = [path, &[subcommand.get_name().to_owned()]].concat();
        walk(subcommand, &path, found);
    }
}

/// Whether `word` stands in `text` and is not just a part of another.
pub(crate) fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// A command line of an example as the shell would cut it, without what leads to it and what follows.
fn example(line: &str) -> Vec<&str> {
    let line = line.strip_prefix("watch -c ").unwrap_or(line);
    let end = ["  ", " |", " >"]
        .iter()
        .filter_map(|end| line.find(end))
        .min();
    shell_words(&line[..end.unwrap_or(line.len())])
}

/// The words of a command line; single quotes hold one together.
pub(crate) fn shell_words(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let ends_word = |c: char| {
        quoted ^= c == '\'';
        c == ' ' && !quoted
    };
    let words = line.split(ends_word).filter(|word| !word.is_empty());
    words.map(|word| word.trim_matches('\'')).collect()
}

#[test]
fn every_command_has_help_with_examples_that_work() {
    let mut cluster = Cluster::new();
    for (columns, most) in [("80", 80), ("300", 100)] {
        cluster.env("COLUMNS", columns);
        for command in commands() {
            let help = cluster
                .run(&command.arguments(&["--help"]))
                .exits(0)
                .stdout
                .clone();
            for line in help.lines() {
                assert!(line.chars().count() <= most, "{line}");
            }
            let words = [
                &command.subcommands,
                &command.options,
                &command.global_options,
                &command.values,
            ];
            for word in words.into_iter().flatten() {
                assert!(mentions(&help, word), "no {word} in\n{help}");
            }
            let examples = help.split("\nExamples:\n").nth(1);
            let examples = examples.unwrap_or_else(|| panic!("no examples in\n{help}"));
            let examples = examples.lines().take_while(|line| line.starts_with("  "));
            let examples: Vec<Vec<&str>> =
                examples.map(|line| example(line.trim_start())).collect();
            let about = examples
                .iter()
                .any(|words| words.join(" ").contains(&command.name()));
            assert!(about, "no example of {}:\n{help}", command.name());
            for words in examples {
                assert_eq!(words[0], "petanotify", "{help}");
                if words.get(1) != Some(&"help")
                    && let Err(error) = Cli::try_parse_from(&words)
                {
                    panic!("{words:?}: {error}");
                }
            }

            let short = cluster
                .run(&command.arguments(&["-h"]))
                .exits(0)
                .stdout
                .clone();
            assert!(
                short.lines().count() < 30 && !short.contains("Examples"),
                "{short}"
            );
        }
    }
}

#[test]
fn what_is_misspelt_is_told() {
    let cluster = Cluster::new();
    for (arguments, meant) in [
        (&["stauts"][..], "status"),
        (&["test-mial"], "test-mail"),
        (&["queue", "flsh"], "flush"),
        (&["queue", "drop", "--al"], "--all"),
        (&["check", "--dryrun"], "--dry-run"),
        (&["--confg", "x", "status"], "--config"),
        (&["--color", "alway", "status"], "always"),
        (&["completions", "bsh"], "bash"),
    ] {
        let run = cluster.run(arguments);
        run.exits(2)
            .says(&["tip: a similar", &format!("'{meant}'")]);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn without_a_command_there_is_the_status_and_a_hint() {
    let cluster = Cluster::new();
    cluster.check().exits(0);
    let run = cluster.run(&[]);
    let status = |arguments: &[&str]| {
        let screen = cluster.run(arguments).exits(0).stdout.clone();
        let is_timed = |line: &&str| !line.contains(" ago") && !line.contains("since");
        screen
            .lines()
            .filter(is_timed)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        run.exits(0).stderr,
        "petanotify --help lists the commands\n"
    );
    assert_eq!(status(&[]), status(&["status"]));
    assert_eq!(cluster.run(&["-q"]).exits(0).stderr, "");
}

/// Asks bash, by the completions, what may follow each of the command lines; the last word of each is completed.
fn completed_by_bash(cluster: &Cluster, lines: &[Vec<String>]) -> Vec<BTreeSet<String>> {
    let mut script = cluster
        .run(&["completions", "bash"])
        .exits(0)
        .stdout
        .clone();
    for words in lines {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        script.push_str(&format!(
            "COMP_WORDS=({words}); COMP_CWORD={last}; COMPREPLY=()\n\
             _petanotify petanotify \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\" 2>/dev/null\n\
             printf '%s ' \"${{COMPREPLY[@]}}\"; echo\n",
            words = quoted.join(" "),
            last = words.len() - 1,
        ));
    }
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &script])
        .current_dir(cluster.folder());
    bash.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let run = Cluster::spawn(bash).wait();
    assert_eq!(run.exits(0).stderr, "");
    let answers = run.stdout.lines();
    answers
        .map(|answer| answer.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn bash_completes_what_is_defined() {
    let cluster = Cluster::new();
    let commands = commands();
    let line = |words: &[&str]| -> Vec<String> {
        ["petanotify"]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect()
    };
    let lines: Vec<Vec<String>> = commands.iter().map(|c| line(&c.arguments(&[""]))).collect();
    for (command, offered) in commands.iter().zip(completed_by_bash(&cluster, &lines)) {
        let words = [
            &command.subcommands,
            &command.options,
            &command.global_options,
        ];
        for word in words.into_iter().flatten() {
            assert!(
                offered.contains(word),
                "{} {word}: {offered:?}",
                command.name()
            );
        }
        for word in offered.iter().filter(|word| *word != "help") {
            let words = [
                &command.subcommands,
                &command.options,
                &command.global_options,
                &command.values,
            ];
            let known = words.iter().any(|words| words.contains(word));
            assert!(known, "there is no {} {word}", command.name());
        }
    }
    let config = cluster.config_file();
    let config = config.file_name().unwrap().to_str().unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["sta"], &["status"]),
        (&["queue", "fl"], &["flush"]),
        (&["check", "--dr"], &["--dry-run"]),
        (&["status", "--color", ""], &["always", "auto", "never"]),
        (&["--color", "al"], &["always"]),
        (&["completions", "z"], &["zsh"]),
        (&["--config", "petan"], &[config]),
        (&["queue", "list", "--state", "petan"], &[config]),
    ];
    let lines: Vec<Vec<String>> = cases.iter().map(|(words, _)| line(words)).collect();
    for ((words, expected), offered) in cases.iter().zip(completed_by_bash(&cluster, &lines)) {
        assert_eq!(offered.iter().collect::<Vec<_>>(), *expected, "{words:?}");
    }
}

#[test]
fn zsh_and_fish_know_every_word() {
    let cluster = Cluster::new();
    for shell in ["zsh", "fish"] {
        // No configuration is needed, nor a right one.
        cluster.write_config("broken [");
        let script = cluster.run(&["completions", shell]).exits(0).stdout.clone();
        for command in commands() {
            let words = [
                &command.subcommands,
                &command.options,
                &command.global_options,
            ];
            for word in words.into_iter().flatten() {
                let word = match (shell, word.strip_prefix("--"), word.strip_prefix('-')) {
                    ("fish", Some(long), _) => format!("-l {long}"),
                    ("fish", None, Some(short)) => format!("-s {short}"),
                    _ => word.clone(),
                };
                assert!(mentions(&script, &word), "{shell} does not know {word}");
            }
        }
        for value in ["always", "bash", "_files"] {
            let value = if (shell, value) == ("fish", "_files") {
                "-r -F"
            } else {
                value
            };
            assert!(script.contains(value), "{shell} does not know {value}");
        }
        assert!(!script.contains("ask-ceph"), "{shell} knows what is hidden");
    }
}
