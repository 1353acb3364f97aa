//! What the program can do stands in its manuals: every command, option and configuration key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use clap::Parser as _;
use mailparse::MailHeaderMap as _;
use petanotify::cli::Cli;

use crate::cluster::Cluster;
use crate::definition::{Defined, commands, mentions, shell_words};
use crate::relay::{Fault, Relay, Stage};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A manual page as it is read, as far as this looks for words in it: mdoc(7) with `Fl json` written as `-json`.
fn manual(name: &str) -> String {
    read_mdoc(&page(name))
}

fn read_mdoc(mdoc: &str) -> String {
    let mut text = String::new();
    let is_layout = |line: &&str| {
        [".\\\"", ".Bl", ".Bd"]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    for line in mdoc.lines().filter(|line| !is_layout(line)) {
        let line = line
            .replace("\\-", "-")
            .replace("\\&", "")
            .replace("\\(dq", "\"");
        match line.strip_prefix('.') {
            Some(request) => text.push_str(&with_flags(request)),
            None => text.push_str(&line),
        }
        text.push('\n');
    }
    text
}

fn is_macro(word: &str) -> bool {
    word.len() == 2 && word.starts_with(|c: char| c.is_ascii_uppercase()) && word.is_ascii()
}

/// A line of macros; whatever follows `Fl`, up to the next macro, is a flag without its first dash.
fn with_flags(request: &str) -> String {
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

/// A section of a page, from the line after `.Sh NAME` or `.Ss NAME` to the next one.
fn section<'a>(mdoc: &'a str, head: &str) -> &'a str {
    let start = mdoc.find(&format!("\n{head}\n"));
    let start = start.unwrap_or_else(|| panic!("no {head}")) + head.len() + 2;
    let rest = &mdoc[start..];
    let ends = ["\n.Sh ", "\n.Ss "].map(|next| rest.find(next).unwrap_or(rest.len()));
    &rest[..ends[0].min(ends[1])]
}

/// The items of the outermost list of a section: what stands behind `.It`, and the text with it.
fn items(section: &str) -> Vec<(String, String)> {
    let mut items: Vec<(String, String)> = Vec::new();
    let mut depth = 0_usize;
    for line in section.lines() {
        let head = line.strip_prefix(".It ").filter(|_| depth == 1);
        if line.starts_with(".Bl") {
            depth += 1;
        } else if line.starts_with(".El") {
            depth -= 1;
        }
        match (head, items.last_mut()) {
            (Some(head), _) => items.push((head.to_owned(), format!(".{head}\n"))),
            (None, Some((_, text))) => text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    items
}

/// The words between the first `Cm` and the next macro: `queue drop` of `Cm queue drop Op Fl -json`.
fn command_words(line: &str) -> Option<String> {
    let words = line.trim_start_matches('.').split(' ');
    let words = words.skip_while(|word| *word != "Cm").skip(1);
    let words: Vec<&str> = words.take_while(|word| !is_macro(word)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Everything in a text that looks like an option.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c.is_whitespace() || ",;:()|'\"".contains(c));
    let words = words.map(|word| word.trim_end_matches('.'));
    let is_flag = |word: &&str| {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    words.filter(is_flag).map(str::to_owned).collect()
}

#[test]
fn the_manual_has_every_command_with_its_options_and_no_other() {
    let mdoc = page("man/petanotify.1");
    let described: BTreeMap<String, String> = items(section(&mdoc, ".Ss Commands"))
        .into_iter()
        .filter_map(|(head, text)| Some((command_words(&head)?, read_mdoc(&text))))
        .collect();
    let synopsis = section(&mdoc, ".Sh SYNOPSIS");
    let synopsis: BTreeMap<String, String> = (synopsis.split("\n.Nm\n").map(|form| {
        let command = form.lines().find(|line| line.starts_with(".Cm"));
        let name = command.and_then(command_words).unwrap_or_default();
        (name, read_mdoc(form))
    }))
    .collect();
    let options: Vec<(String, String)> = items(section(&mdoc, ".Ss Options"));
    let options: String = options.iter().map(|(_, text)| read_mdoc(text)).collect();

    let all = commands();
    for command in &all {
        let name = command.name();
        for option in &command.global_options {
            assert!(mentions(&options, option), "Options: no {option}");
        }
        if name.is_empty() || !command.subcommands.is_empty() {
            assert_eq!(command.options, BTreeSet::new(), "{name}");
            continue;
        }
        let item = described
            .get(&name)
            .unwrap_or_else(|| panic!("no item for {name}"));
        let form = synopsis
            .get(&name)
            .unwrap_or_else(|| panic!("no form of {name}"));
        for option in &command.options {
            assert!(mentions(item, option), "{name}: no {option} in\n{item}");
            let is_long = option.starts_with("--");
            assert!(
                !is_long || mentions(form, option),
                "{name}: no {option} in\n{form}"
            );
        }
        for value in &command.values {
            let known = mentions(item, value) || mentions(&options, value);
            assert!(known, "{name}: no {value} in\n{item}");
        }
        let known: BTreeSet<String> = command
            .options
            .union(&command.global_options)
            .cloned()
            .collect();
        for text in [item, form] {
            let unknown: Vec<String> = flags(text).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{name} has no {unknown:?}:\n{text}");
        }
    }
    let known: BTreeSet<String> = all
        .iter()
        .map(Defined::name)
        .chain(["help".to_owned()])
        .collect();
    for name in described.keys().chain(synopsis.keys()) {
        assert!(known.contains(name), "there is no command {name}");
    }
    let global = &all[0].global_options;
    let unknown: Vec<String> = flags(&options).difference(global).cloned().collect();
    assert!(unknown.is_empty(), "Options: there is no {unknown:?}");
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
    let second = Relay::start();
    cluster.further_relay(&second, "");
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
        "smtp.relay.host",
        "fallback.command",
        "recipient.address",
        "recipient.checks",
        "state.file",
    ] {
        assert!(keys.contains(expected), "no {expected} in {keys:?}");
    }
    keys
}

/// What the manual says of each key, such as `smtp.host`, and the line of its example.
fn described_keys() -> BTreeMap<String, (String, String)> {
    let mdoc = page("man/petanotify.toml.5");
    let heads = mdoc.lines().filter(|line| line.starts_with(".Ss ["));
    let mut described = BTreeMap::new();
    for head in heads {
        let name = head.trim_start_matches(".Ss ").replace("\\&", "");
        let name = name.trim_matches(['[', ']']);
        for (item, text) in items(section(&mdoc, head)) {
            let key = command_words(&item).unwrap_or_else(|| panic!("{head}: {item} is no key"));
            let text = read_mdoc(&text);
            let example = text.split("\nExample:\nDl ").nth(1);
            let example = example.and_then(|rest| rest.lines().next());
            let example = example.unwrap_or_else(|| panic!("{name}.{key} has no example"));
            let example = example.to_owned();
            described.insert(format!("{name}.{key}"), (text, example));
        }
    }
    described
}

#[test]
fn the_manual_has_every_key_with_its_default_and_no_other() {
    let described = described_keys();
    let (known, found) = (keys(), described.keys().cloned().collect());
    let missing: Vec<_> = known.difference(&found).collect();
    assert!(
        missing.is_empty(),
        "man/petanotify.toml.5 lacks {missing:?}"
    );
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "there is no {unknown:?}");

    let cluster = Cluster::petasan();
    cluster.write_config("");
    let document = cluster.run(&["config", "show", "--json"]).exits(0).json();
    for (key, (text, _)) in &described {
        let says = text.contains("\nDefault:") || text.contains("It is needed");
        assert!(says, "{key}: no default in\n{text}");
        let settings = document["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["key"] == **key);
        let setting = setting.filter(|setting| setting["origin"] == "default");
        let Some(value) = setting.and_then(|setting| setting["value"].as_str()) else {
            continue;
        };
        let default = text.split("\nDefault:").nth(1).unwrap_or_default();
        let default = default.split("\nExample:").next().unwrap_or_default();
        assert!(
            default.contains(value),
            "{key}: the default is {value}, not\n{default}"
        );
    }
}

#[test]
fn the_examples_of_the_manual_are_allowed_all_at_once() {
    let cluster = Cluster::new();
    let secret = cluster.file("secret", "https://hc-ping.com/secret\n", 0o600);
    let described = described_keys();
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    for (key, (_, example)) in &described {
        let (section, name) = key.rsplit_once('.').unwrap();
        assert!(
            example.starts_with(&format!("{name} = ")),
            "{key}: {example}"
        );
        let line = match name {
            // These files are read with the configuration, and are not on this machine.
            "token_file" | "password_file" | "url_file" => {
                format!("{name} = \"{}\"", secret.display())
            }
            _ => example.clone(),
        };
        let lines = sections.entry(section).or_default();
        lines.push_str(&format!("{line}\n"));
    }
    let config: Vec<String> = sections
        .iter()
        .map(|(section, lines)| match *section {
            "recipient" | "smtp.relay" => format!("[[{section}]]\n{lines}"),
            _ => format!("[{section}]\n{lines}"),
        })
        .collect();
    let config = config.concat();
    cluster.write_config(&config);
    let run = cluster.run(&["config", "show", "--json"]);
    assert_eq!(run.code, Some(0), "{}\n{config}", run.stderr);
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
    let secret = cluster.file("secret", "https://hc-ping.com/0000\n", 0o600);
    for key in ["token_file", "password_file", "url_file"] {
        let starts: Vec<usize> = live
            .match_indices(&format!("\n{key} = "))
            .map(|(at, _)| at + 1)
            .collect();
        assert!(!starts.is_empty(), "no {key}");
        for start in starts.into_iter().rev() {
            let end = start + live[start..].find('\n').unwrap();
            live.replace_range(start..end, &format!("{key} = \"{}\"", secret.display()));
        }
    }
    cluster.write_config(&live);
    let run = cluster.run(&["config", "show", "--json"]);
    assert_eq!(run.code, Some(0), "{}\n{live}", run.stderr);
    let document = run.json();
    let in_list = |key: &&String| key.starts_with("recipient.") || key.starts_with("smtp.relay.");
    let from_file = |key: &str| {
        let settings = document["settings"].as_array().unwrap();
        settings
            .iter()
            .any(|setting| setting["key"] == key && setting["origin"].to_string().contains("line"))
    };
    for key in keys.iter().filter(|key| !in_list(key)) {
        assert!(from_file(key), "{key} of the example was not taken");
    }
}

/// The fenced blocks of README.md in this language, without the indent of a list.
fn readme_blocks(language: &str) -> Vec<String> {
    let readme = page("README.md");
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() != format!("```{language}") {
            continue;
        }
        let block = lines
            .by_ref()
            .map(str::trim_start)
            .take_while(|line| *line != "```");
        blocks.push(block.map(|line| format!("{line}\n")).collect());
    }
    assert!(!blocks.is_empty(), "README.md has no {language}");
    blocks
}

/// What a person is told to type: every line of the README's blocks for the shell, without its comment.
fn readme_commands() -> Vec<String> {
    let lines = readme_blocks("sh").concat();
    let commands = lines
        .lines()
        .map(|line| line.split("  #").next().unwrap_or_default());
    let commands = commands.map(|line| line.split(" # ").next().unwrap_or_default().trim());
    commands
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A cluster with one mail that waits, as somebody who reads the README might have before him.
fn one_mail_waits() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.set("smtp.max_attempts", "10");
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.check().exits(1);
    cluster.relay.heal();
    cluster
}

#[test]
fn every_command_of_the_readme_works() {
    let units = ["petanotify.service", "petanotify.timer"];
    for command in readme_commands() {
        let words = shell_words(&command);
        match words[0] {
            "petanotify" => {
                let cluster = one_mail_waits();
                let id = cluster.queue()[0]["id"].as_str().unwrap().to_owned();
                let to_file = words.iter().position(|word| word.starts_with('>'));
                let arguments = &words[1..to_file.unwrap_or(words.len())];
                let arguments: Vec<&str> = arguments
                    .iter()
                    .map(|word| if *word == "ID" { id.as_str() } else { word })
                    .collect();
                if arguments == ["config", "init"] {
                    // It writes over none.
                    fs::remove_file(cluster.config_file()).unwrap();
                }
                let run = cluster.run(&arguments);
                assert_eq!(run.code, Some(0), "{command}: {}", run.stderr);
                assert!(!run.stdout.is_empty(), "{command}");
            }
            "systemctl" | "journalctl" => {
                let names = words[1..].iter().filter(|word| word.contains("petanotify"));
                for name in names.filter(|name| !name.contains("petasan")) {
                    let unit = units.iter().any(|unit| unit.starts_with(name));
                    assert!(unit, "{command}: there is no {name}");
                }
            }
            // They are run on real ones.
            "ceph" | "consul" => {
                let test = page("tests/real/test_cluster.py");
                let lines = format!("readme_commands(\"{}\")", words[0]);
                assert!(test.contains(&lines), "{command}: is it tried anywhere?");
            }
            // The blocks that need an installed package are typed on machines that have it.
            "apt" | "mkdir" | "cp" | "rm" => {
                let test = page("tests/packages/test_packages.py");
                let typed = test.split("readme_block(\"").skip(1);
                let mut typed = typed.filter_map(|rest| rest.split('"').next());
                let is_typed = typed.any(|text| {
                    let mut blocks = readme_blocks("sh").into_iter();
                    blocks.any(|block| block.contains(text) && block.contains(&command))
                });
                assert!(is_typed, "{command}: is it tried anywhere?");
            }
            "umask" | "(umask" => {}
            program => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
                assert!(path.is_file(), "{command}: what is that?");
            }
        }
    }
}

#[test]
fn every_configuration_of_the_readme_is_allowed() {
    let cluster = Cluster::new();
    let secret = cluster.file("secret", "https://hc-ping.com/secret\n", 0o600);
    for block in readme_blocks("toml") {
        let secret = secret.to_str().unwrap();
        let config = block
            .replace("/etc/petanotify/smtp-password", secret)
            .replace("/etc/petanotify/heartbeat-url", secret);
        cluster.write_config(&config);
        let run = cluster.run(&["config", "show"]);
        assert_eq!(run.code, Some(0), "{}\n{config}", run.stderr);
    }
}

/// The text of a mail in `tests/golden`, with the headers that a mail program shows.
fn golden_mail(name: &str) -> (String, String) {
    let raw = page(&format!("tests/golden/{name}"));
    let mail = mailparse::parse_mail(raw.as_bytes()).unwrap();
    let text = mail
        .parts()
        .find(|part| part.ctype.mimetype == "text/plain")
        .unwrap();
    let shown = ["From", "To", "Subject", "Date"].map(|name| {
        let value = mail.headers.get_first_value(name).unwrap();
        format!("{name}: {value}\n")
    });
    let text = text.get_body().unwrap().replace("\r\n", "\n");
    let text = text.replace("VERSION", env!("CARGO_PKG_VERSION"));
    let subject = mail.headers.get_first_value("Subject").unwrap();
    (
        subject,
        format!("{}\n{}\n", shown.concat(), text.trim_end()),
    )
}

#[test]
fn the_pictures_of_the_readme_are_true() {
    let texts = readme_blocks("text");
    let (_, mail) = golden_mail("osds-raised.eml");
    let screen = page("tests/golden/status-all-bad-80-utf8-colour.txt");
    let parts = screen.split("\u{1b}[").enumerate();
    let screen: String = parts
        .map(|(place, part)| match place {
            0 => part,
            _ => part.split_once('m').unwrap().1,
        })
        .collect();
    // The blocks' lines have lost their indent.
    for picture in [mail, screen] {
        let picture: String = picture
            .lines()
            .map(|line| format!("{}\n", line.trim_start()))
            .collect();
        assert!(
            texts.contains(&picture),
            "README.md shows something else than\n{picture}"
        );
    }
}

#[test]
fn the_subjects_of_the_readme_are_those_of_mails() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mails = names.filter(|name| name.ends_with(".eml"));
    let subjects: BTreeSet<String> = mails.map(|name| golden_mail(&name).0).collect();
    let readme = page("README.md");
    let told: Vec<&str> = readme
        .split('`')
        .filter(|part| part.starts_with("[prod] "))
        .collect();
    assert!(told.len() > 5, "{told:?}");
    for subject in told {
        assert!(subjects.contains(subject), "no mail is called {subject}");
    }
}

/// A command line as the shell would cut it, up to what follows; `ID` stands for an id.
fn command_line(text: &str) -> Vec<String> {
    let line = text.lines().next().unwrap_or_default();
    let ends = ["  ", " |", " >", " &&", " #", " \\"].iter();
    let end = ends.filter_map(|end| line.find(end)).min();
    let words = shell_words(&line[..end.unwrap_or(line.len())]).into_iter();
    let id = |word| if word == "ID" { "8292be0cf85c" } else { word };
    words.map(|word| id(word).to_owned()).collect()
}

#[test]
fn every_command_line_of_manual_and_readme_can_be_typed() {
    let mdoc = page("man/petanotify.1");
    let examples = read_mdoc(section(&mdoc, ".Sh EXAMPLES"));
    let examples = examples.replace("xargs -r petanotify queue drop", "petanotify queue drop ID");
    let typed = [
        "\nDl # ", "\nDl $ ", "\n# ", "\n$ ", "&& ", "color ", "    ",
    ]
    .map(|prompt| {
        let prompt = format!("{prompt}petanotify ");
        let found = examples.match_indices(&prompt);
        found
            .map(|(at, _)| command_line(examples[at..].trim_start_matches(|c| c != 'p')))
            .collect::<Vec<_>>()
    });
    let readme = page("README.md");
    let inline = readme
        .split('`')
        .filter(|part| part.starts_with("petanotify "));
    let lines: Vec<Vec<String>> = typed
        .into_iter()
        .flatten()
        .chain(inline.map(command_line))
        .collect();
    assert!(lines.len() > 12, "{lines:?}");
    for words in lines {
        if words[1] != "help"
            && let Err(error) = Cli::try_parse_from(&words)
        {
            panic!("{words:?}: {error}");
        }
    }
}

#[test]
fn the_manuals_have_the_sections_that_people_look_for() {
    for (name, heads) in [
        (
            "man/petanotify.1",
            &[
                "UNDER SYSTEMD",
                "ENVIRONMENT",
                "FILES",
                "EXIT STATUS",
                "EXAMPLES",
                "SEE ALSO",
            ][..],
        ),
        (
            "man/petanotify.toml.5",
            &["ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"],
        ),
    ] {
        let mdoc = page(name);
        for head in heads {
            assert!(
                section(&mdoc, &format!(".Sh {head}")).len() > 40,
                "{name}: {head}"
            );
        }
    }
}
