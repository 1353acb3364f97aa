//! What the program can do stands in its manuals: every command, option and configuration key.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::cluster::Cluster;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A manual page as it is read, as far as this looks for words in it: mdoc(7) with `Fl json` written as `-json`.
fn manual(name: &str) -> String {
    let mut text = String::new();
    for line in page(name).lines().filter(|line| !line.starts_with(".\\\"")) {
        let line = line.replace("\\-", "-").replace("\\&", "");
        match line.strip_prefix('.') {
            Some(request) => text.push_str(&with_flags(request)),
            None => text.push_str(&line),
        }
        text.push('\n');
    }
    text
}

/// A line of macros; whatever follows `Fl`, up to the next macro, is a flag without its first dash.
fn with_flags(request: &str) -> String {
    let is_macro = |word: &str| {
        word.len() == 2 && word.starts_with(|c: char| c.is_ascii_uppercase()) && word.is_ascii()
    };
    let is_delimiter =
        |word: &str| word.len() == 1 && word.starts_with(|c: char| c.is_ascii_punctuation());
    let mut is_flag = false;
    let mut words = Vec::new();
    for word in request.split(' ') {
        if is_macro(word) {
            is_flag = word == "Fl";
        } else if is_flag && !is_delimiter(word) {
            words.push(format!("-{word}"));
            continue;
        }
        words.push(word.to_owned());
    }
    words.join(" ")
}

/// Whether `word` stands in `text` and is not just a part of another.
fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The words in the first column of a section of `--help`: subcommands or options.
fn first_column(help: &str, section: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = help
        .lines()
        .skip_while(|line| *line != format!("{section}:"))
        .skip(1);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let indent = line.len() - line.trim_start().len();
        let is_entry = if section == "Commands" {
            indent == 2
        } else {
            line.trim_start().starts_with('-') && !line.trim_start().starts_with("- ")
        };
        if is_entry {
            let entry = line.trim_start().split("  ").next().unwrap_or_default();
            found.extend(
                entry
                    .split([',', ' '])
                    .map(|word| word.trim_end_matches("...").to_owned()),
            );
        }
    }
    found
}

/// Every command with its options, as `--help` tells: `queue list` and `--json`.
fn commands_and_options(
    cluster: &Cluster,
    command: &[&str],
    found: &mut BTreeSet<(String, String)>,
) {
    let mut arguments = command.to_vec();
    arguments.push("--help");
    let help = cluster.run(&arguments).exits(0).stdout.clone();
    for option in first_column(&help, "Options") {
        if option.starts_with('-') {
            found.insert((command.join(" "), option));
        }
    }
    for name in first_column(&help, "Commands") {
        if name != "help" && !name.is_empty() {
            let deeper = [command, &[name.as_str()]].concat();
            found.insert((deeper.join(" "), String::new()));
            commands_and_options(cluster, &deeper, found);
        }
    }
}

#[test]
fn every_command_and_option_is_in_the_manual() {
    let cluster = Cluster::new();
    let mut found = BTreeSet::new();
    commands_and_options(&cluster, &[], &mut found);
    for expected in [
        ("check", "--dry-run"),
        ("queue list", "--json"),
        ("", "--config"),
        ("", "-v"),
        ("config show", ""),
    ] {
        assert!(
            found.contains(&(expected.0.to_owned(), expected.1.to_owned())),
            "--help was not understood: {found:?}"
        );
    }
    let manual = manual("man/petanotify.1");
    let missing: Vec<_> = found
        .iter()
        .filter(|(command, option)| {
            if option.is_empty() {
                !manual.contains(command)
            } else {
                !mentions(&manual, option)
            }
        })
        .collect();
    assert!(missing.is_empty(), "man/petanotify.1 lacks {missing:?}");
}

#[test]
fn every_exit_status_and_variable_is_in_the_manual() {
    let manual = manual("man/petanotify.1");
    for word in [
        "0",
        "1",
        "2",
        "74",
        "75",
        "78",
        "PETANOTIFY_CONFIG",
        "PETANOTIFY_STATE",
        "CONFIGURATION_DIRECTORY",
        "STATE_DIRECTORY",
        "CONSUL_HTTP_ADDR",
        "CONSUL_HTTP_TOKEN",
        "CONSUL_HTTP_TOKEN_FILE",
        "CONSUL_CACERT",
        "CONSUL_CLIENT_CERT",
        "CONSUL_CLIENT_KEY",
        "NO_COLOR",
    ] {
        assert!(mentions(&manual, word), "man/petanotify.1 lacks {word}");
    }
}

/// Every configuration key, as the program itself lists them.
fn keys() -> BTreeSet<String> {
    let mut cluster = Cluster::new();
    cluster.recipient_for("night@example.org", "[\"nodes\"]");
    let document = cluster.run(&["config", "show", "--json"]).exits(0).json();
    let settings = document["settings"].as_array().expect("settings");
    let keys: BTreeSet<String> = settings
        .iter()
        .map(|setting| setting["key"].as_str().expect("key"))
        .map(|key| match (key.find('['), key.find(']')) {
            (Some(open), Some(close)) => format!("{}{}", &key[..open], &key[close + 1..]),
            _ => key.to_owned(),
        })
        .filter(|key| key.contains('.'))
        .collect();
    for expected in [
        "smtp.host",
        "checks.capacity.warn_percent",
        "recipient.address",
        "recipient.checks",
        "state.file",
    ] {
        assert!(keys.contains(expected), "no {expected} in {keys:?}");
    }
    keys
}

#[test]
fn every_key_is_in_its_manual() {
    let manual = manual("man/petanotify.toml.5");
    let missing: Vec<String> = keys()
        .into_iter()
        .filter(|key| {
            let (section, name) = key.rsplit_once('.').unwrap();
            !mentions(&manual, name) || !manual.contains(section)
        })
        .collect();
    assert!(
        missing.is_empty(),
        "man/petanotify.toml.5 lacks {missing:?}"
    );
}

/// A commented line of the example that is TOML: a key or a section's head.
fn uncommented(line: &str) -> Option<&str> {
    let code = line.strip_prefix("# ").or_else(|| line.strip_prefix('#'))?;
    let name = code.split('=').next().unwrap_or_default().trim_end();
    let is_key = code.contains(" = ")
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let is_section = code.starts_with('[') && code.trim_end().ends_with(']');
    (is_key || is_section).then_some(code)
}

#[test]
fn the_example_has_every_key_commented_out_and_loads_with_and_without_the_marks() {
    let example = page("packaging/petanotify.toml");
    let is_live =
        |line: &&str| !line.trim().is_empty() && !line.starts_with('#') && !line.starts_with('[');
    assert_eq!(
        example.lines().filter(is_live).collect::<Vec<_>>(),
        Vec::<&str>::new(),
        "defaults rule"
    );

    let mut section = String::new();
    let mut found = BTreeSet::new();
    for line in example.lines() {
        let code = uncommented(line).unwrap_or(line);
        if code.starts_with('[') {
            section = code.trim_end().trim_matches(['[', ']']).to_owned();
        } else if let (Some(code), Some((name, _))) = (uncommented(line), code.split_once('=')) {
            let _ = code;
            found.insert(format!("{section}.{}", name.trim()));
        }
    }
    let keys = keys();
    assert_eq!(
        keys.difference(&found).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not in the example"
    );
    assert_eq!(
        found.difference(&keys).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "only in the example"
    );

    let mut cluster = Cluster::new();
    let config = cluster.config_file();
    cluster.without_flags();
    cluster.env("PETANOTIFY_CONFIG", config.to_str().unwrap());
    cluster.write_config(&example);
    cluster.run(&["config", "show"]).exits(0);

    let live: Vec<&str> = example
        .lines()
        .map(|line| uncommented(line).unwrap_or(line))
        .collect();
    let mut live = live.join("\n");
    // The files that the example names are not on this machine.
    let secret = cluster.file("secret", "correct horse\n", 0o600);
    for key in ["token_file", "password_file"] {
        let start = live
            .find(&format!("\n{key} = "))
            .unwrap_or_else(|| panic!("no {key}"))
            + 1;
        let end = start + live[start..].find('\n').unwrap();
        live.replace_range(start..end, &format!("{key} = \"{}\"", secret.display()));
    }
    cluster.write_config(&live);
    let run = cluster.run(&["config", "show", "--json"]);
    assert_eq!(run.code, Some(0), "{}\n{live}", run.stderr);
    let document = run.json();
    let from_file = |key: &str| {
        let settings = document["settings"].as_array().unwrap();
        settings
            .iter()
            .any(|setting| setting["key"] == key && setting["origin"].to_string().contains("line"))
    };
    for key in keys.iter().filter(|key| !key.starts_with("recipient.")) {
        assert!(from_file(key), "{key} of the example was not taken");
    }
}
