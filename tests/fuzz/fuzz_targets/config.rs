//! The configuration file: what is wrong is told in one line and without secrets; what is good can be used, and shown
//! such that it means the same again.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use petanotify::alert::{Memory, Observed, Rules, judge_pass};
use petanotify::facts::Usage;
use petanotify::settings::environment::Environment;
use petanotify::settings::ways::ways;
use petanotify::settings::{self, Settings};
use petanotify_fuzz::{assert_one_line, check_entry, now, sender, usual_entry};

/// A password in a place where none belongs.
const PASSWORD: &str = "pa55-in-the-file";

/// A token in the environment.
const TOKEN: &str = "t0ken-of-consul";

fuzz_target!(|text: &str| {
    if !text.contains("\"\"\"") && !text.contains("'''") {
        check_secrecy(text);
    }
    match parse(text, TOKEN) {
        Ok(settings) => use_them(&settings),
        Err(error) => {
            assert_one_line(&error);
            assert!(!error.contains(TOKEN), "{error}");
        }
    }
});

fn parse(text: &str, token: &str) -> Result<Settings, String> {
    let variables = [("CONSUL_HTTP_TOKEN".to_owned(), token.into())];
    let environment = Environment {
        variables: variables.into(),
        ..Environment::default()
    };
    let path = Path::new("/etc/petanotify/petanotify.toml");
    settings::parse(Some((path, text)), &environment)
}

/// Somebody writes the password into the file: the error says so, and not which one it is.
fn check_secrecy(text: &str) {
    for secret in [
        format!("password = \"{PASSWORD}\"\n"),
        format!("smtp.token = '{PASSWORD}'\n"),
        format!("password = {PASSWORD}\n"),
        format!("smtp.password = \"{PASSWORD}\n"),
    ] {
        let at = text.len() / 2;
        let at = text
            .char_indices()
            .find(|(begin, c)| *begin >= at && *c == '\n');
        let at = at.map_or(0, |(begin, _)| begin + 1);
        let text = format!("{}{secret}{}", &text[..at], &text[at..]);
        let error = parse(&text, &format!("{TOKEN} and more"));
        let error = error.expect_err("there is no such key");
        assert_one_line(&error);
        assert!(
            !error.contains(PASSWORD) && !error.contains(TOKEN),
            "{error}"
        );
    }
}

fn use_them(settings: &Settings) {
    for warning in &settings.warnings {
        assert_one_line(warning);
    }
    show_again(settings);

    let usage = |used_bytes| Usage {
        used_bytes,
        total_bytes: 1_000_000,
        mgr_available: true,
    };
    let cluster = settings.cluster_name.as_deref().unwrap_or("ceph");
    let mut memory = Memory::default();
    for used_bytes in [0, 610_000, 1_000_000, 590_000, 0] {
        let observed = Observed {
            capacity: Some(Ok(usage(used_bytes))),
            nodes: Some(Err("timed out".to_owned())),
            osds: Some(Err("timed out".to_owned())),
            health: Some(Err("timed out".to_owned())),
            ..Observed::default()
        };
        let rules = Rules {
            checks: &settings.checks,
            notify: &settings.notify,
            nodes_prefix: &settings.consul.nodes_prefix,
            cluster,
        };
        let verdict = judge_pass(memory, observed, rules, now());
        memory = verdict.memory;
        let ways = ways(settings, None);
        let Some(from) = ways.first_sender() else {
            continue;
        };
        for alert in verdict.alerts {
            for recipient in &settings.recipients {
                let mut entry = usual_entry(recipient.address.clone());
                entry.alert = alert.clone();
                check_entry(&entry, &sender(from.clone()));
            }
        }
    }
    assert_eq!(
        memory.capacity.incident, None,
        "an empty storage is not full"
    );
}

/// `config show` writes each value as the file would.
fn show_again(settings: &Settings) {
    let mut text = String::new();
    let mut tables = String::new();
    let mut table = "";
    for line in settings.shown.iter() {
        assert_one_line(&line.key);
        let Some(value) = &line.value else { continue };
        assert_one_line(value);
        assert!(!value.contains(TOKEN));
        match line.key.split_once("].") {
            // Of a section that may stand there several times.
            Some((numbered, key)) if numbered.contains('[') => {
                if table != numbered {
                    table = numbered;
                    let (name, _) = numbered.split_once('[').unwrap_or_default();
                    tables.push_str(&format!("[[{name}]]\n"));
                }
                tables.push_str(&format!("{key} = {value}\n"));
            }
            _ if value == "(secret)" => {}
            _ => text.push_str(&format!("{} = {value}\n", line.key)),
        }
    }
    text.push_str(&tables);
    let again = parse(&text, TOKEN).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let secret = |key: &str| {
        let shown = settings.shown.iter();
        shown
            .into_iter()
            .any(|line| line.key == key && line.value.as_deref() == Some("(secret)"))
    };
    let values = |settings: &Settings| -> Vec<_> {
        let shown = settings.shown.iter().filter(|line| !secret(&line.key));
        shown
            .map(|line| (line.key.clone(), line.value.clone()))
            .collect()
    };
    assert_eq!(values(&again), values(settings));
}
