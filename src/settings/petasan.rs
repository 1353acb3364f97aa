//! PetaSAN's own mail settings and followers: what the configuration file leaves open is taken from them.

use std::collections::HashSet;

use lettre::Address;
use lettre::message::Mailbox;
use serde_json::{Map, Value};

use super::value::{Written, check_mail_host, parse_address};
use super::{
    Login, Origin, Recipient, Relay, SECRET_SHOWN, Secret, Security, Server, Settings, Shown,
};
use crate::text::one_line;

/// The KV key of PetaSAN's application settings. It is absent until an admin saves settings.
pub const CONFIG_KEY: &str = "PetaSAN/Config";
/// The KV folder that holds one key per user of PetaSAN's web interface.
pub const USERS_PREFIX: &str = "PetaSAN/Users/";
/// The KV key that is PetaSAN's leader lock: the node of the session that holds it is the leader.
pub const LEADER_KEY: &str = "PetaSAN/Services/ClusterLeader";

/// What PetaSAN says about mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The mail server, or why there is none to use, in words for the admin.
    pub smtp: Result<ImportedSmtp, String>,
    /// The addresses of the users who are to be notified, each once.
    pub followers: Vec<Address>,
}

/// The mail server as PetaSAN uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedSmtp {
    /// `email_notify_smtp_server`
    pub host: String,
    /// `email_notify_smtp_port`, or the usual one of the security where that is empty.
    pub port: u16,
    /// `email_notify_smtp_security`
    pub security: Security,
    /// `email_notify_smtp_email`, which is the login name too.
    pub from: Address,
    /// `email_notify_smtp_password`; `None` where it is empty or PetaSAN does not log in.
    pub password: Option<Secret>,
}

/// Reads the values of [`CONFIG_KEY`] and of all keys below [`USERS_PREFIX`], each with its key.
///
/// What can't be used is told in the warnings; the rest counts.
pub fn parse(config: Option<&[u8]>, users: &[(String, Vec<u8>)]) -> (Import, Vec<String>) {
    let mut warnings = Vec::new();
    let smtp = match config {
        None => Err(NOT_SET_UP.to_owned()),
        Some(config) => object(config)
            .map_err(|reason| format!("{CONFIG_KEY} {reason}"))
            .and_then(|config| parse_smtp(&config)),
    };
    if let Ok(smtp) = &smtp
        && smtp.security == Security::None
        && smtp.password.is_some()
    {
        warnings.push(format!(
            "the password for the mail server {} is sent without TLS, as set in PetaSAN; \
             better choose TLS or STARTTLS in PetaSAN's mail settings",
            smtp.host
        ));
    }
    let mut followers = Vec::new();
    let mut listed = HashSet::new();
    for (key, value) in users.iter().filter(|(key, _)| !key.ends_with('/')) {
        match object(value).and_then(|user| follower(&user)) {
            Ok(Some(address)) => {
                if listed.insert(address.clone()) {
                    followers.push(address);
                }
            }
            Ok(None) => {}
            Err(reason) => warnings.push(format!("the user {} {reason}", one_line(key))),
        }
    }
    (Import { smtp, followers }, warnings)
}

const NOT_SET_UP: &str = "there is no mail server in PetaSAN's settings";

fn parse_smtp(config: &Map<String, Value>) -> Result<ImportedSmtp, String> {
    let host = field(config, "email_notify_smtp_server")?;
    let email = field(config, "email_notify_smtp_email")?;
    match (host.is_empty(), email.is_empty()) {
        (true, true) => return Err(NOT_SET_UP.to_owned()),
        (true, false) => {
            return Err(
                "PetaSAN's settings have a sender but no mail server, email_notify_smtp_server"
                    .to_owned(),
            );
        }
        (false, true) => {
            return Err(
                "PetaSAN's settings have a mail server but no sender, email_notify_smtp_email"
                    .to_owned(),
            );
        }
        (false, false) => {}
    }
    check_mail_host(&host)
        .map_err(|reason| format!("PetaSAN's mail server, email_notify_smtp_server: {reason}"))?;
    let from = parse_address(&email)
        .map_err(|reason| format!("PetaSAN's sender, email_notify_smtp_email: {reason}"))?;
    let (security, login) = match field(config, "email_notify_smtp_security")?.as_str() {
        // PetaSAN itself starts from implicit TLS.
        "1" | "" => (Security::Tls, true),
        "2" => (Security::Starttls, true),
        "3" => (Security::None, true),
        "4" => (Security::None, false),
        other => {
            return Err(format!(
                "PetaSAN's email_notify_smtp_security is \"{}\", but only 1 to 4 are known",
                one_line(other)
            ));
        }
    };
    let port = match field(config, "email_notify_smtp_port")?.as_str() {
        "" => security.default_port(),
        port => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            format!(
                "PetaSAN's email_notify_smtp_port is \"{}\", not a number from 1 to 65535",
                one_line(port)
            )
        })?,
    };
    let password = text(config, "email_notify_smtp_password")?;
    Ok(ImportedSmtp {
        host,
        port,
        security,
        from,
        password: (login && !password.is_empty()).then(|| Secret::new(password)),
    })
}

/// The address of a user who wants to be notified and has one.
fn follower(user: &Map<String, Value>) -> Result<Option<Address>, String> {
    // The key really is spelt so.
    let notify = field(user, "notfiy")?.to_lowercase();
    let email = field(user, "email")?;
    if !matches!(notify.as_str(), "true" | "1") || email.is_empty() {
        return Ok(None);
    }
    parse_address(&email)
        .map(Some)
        .map_err(|reason| format!("is not notified: {reason}"))
}

fn object(json: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(json) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("cannot be used: it is no JSON object".to_owned()),
        Err(error) => Err(format!("cannot be used: it is broken JSON: {error}")),
    }
}

/// A field as a trimmed text.
fn field(object: &Map<String, Value>, name: &str) -> Result<String, String> {
    text(object, name).map(|text| text.trim().to_owned())
}

/// A field as a text, whichever way PetaSAN's releases wrote it; an absent one is empty.
fn text(object: &Map<String, Value>, name: &str) -> Result<String, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(flag)) => Ok(flag.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => {
            Err(format!("cannot be used: {name} is neither text nor number"))
        }
    }
}

/// The mail server of PetaSAN, as the file's `[smtp]` wants it used.
///
/// # Errors
/// What is missing, in words for the admin. `import` is `None` where PetaSAN's settings could not be read.
pub(super) fn relay(server: &Server, import: Option<&Import>) -> Result<Relay, String> {
    let advice =
        "set smtp.host and smtp.from in the configuration, or the mail settings in PetaSAN";
    let Some(import) = import else {
        return Err(format!(
            "the configuration has no smtp.host, and PetaSAN's settings are not known; {advice}"
        ));
    };
    match &import.smtp {
        Ok(imported) => Ok(Relay {
            section: server.section.clone(),
            host: imported.host.clone(),
            port: imported.port,
            security: imported.security,
            from: Mailbox::from(imported.from.clone()),
            login: imported.login(),
            // Whoever chose a login without TLS in PetaSAN chose it for the same password and server.
            allow_plain_login: imported.security == Security::None || server.allow_plain_login,
            ca_file: server.ca_file.clone(),
            verify: server.verify,
            timeout: server.timeout,
            connections: server.connections,
        }),
        Err(reason) => Err(format!(
            "the configuration has no smtp.host, and {reason}; {advice}"
        )),
    }
}

impl ImportedSmtp {
    fn login(&self) -> Option<Login> {
        self.password.clone().map(|password| Login {
            username: self.from.to_string(),
            password,
        })
    }
}

/// Who is told: the file's recipients, or PetaSAN's followers of every check where the file has none.
pub fn recipients(settings: &Settings, import: Option<&Import>) -> Vec<Recipient> {
    if !settings.recipients.is_empty() {
        return settings.recipients.clone();
    }
    let followers = import.map(|import| import.followers.as_slice());
    followers
        .unwrap_or_default()
        .iter()
        .map(|address| Recipient {
            checks: settings.checks.names().collect(),
            ..Recipient::of_everything(address.clone())
        })
        .collect()
}

/// Each setting as `config show` lists it, with what is taken from PetaSAN in place.
pub fn shown(settings: &Settings, import: Option<&Import>) -> Vec<Shown> {
    let mut shown = settings.shown.clone();
    let Some(import) = import else {
        return shown.into_lines();
    };
    if let (true, Ok(smtp)) = (settings.relay_is_petasans(), &import.smtp) {
        let password = smtp.password.as_ref();
        for (key, value) in [
            ("smtp.host", Some(smtp.host.written())),
            ("smtp.port", Some(smtp.port.written())),
            ("smtp.security", Some(smtp.security.written())),
            ("smtp.from", Some(smtp.from.written())),
            ("smtp.username", password.map(|_| smtp.from.written())),
            (
                "smtp.password_file",
                password.map(|_| SECRET_SHOWN.to_owned()),
            ),
        ] {
            shown.set(key, value, Origin::Petasan);
        }
    }
    let mut shown = shown.into_lines();
    if settings.recipients.is_empty() {
        let at = shown.iter().position(|line| line.key == "recipient");
        let lines = recipients(settings, Some(import)).into_iter().enumerate();
        let lines = lines.flat_map(|(index, recipient)| {
            [
                (
                    format!("recipient[{index}].address"),
                    recipient.address.written(),
                ),
                (
                    format!("recipient[{index}].checks"),
                    recipient.checks.written(),
                ),
            ]
            .map(|(key, value)| Shown {
                key,
                value: Some(value),
                origin: Origin::Petasan,
            })
        });
        let lines: Vec<Shown> = lines.collect();
        if let (Some(at), false) = (at, lines.is_empty()) {
            shown.splice(at..=at, lines);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::settings::environment::Environment;
    use crate::settings::merge::merge;
    use crate::settings::ways::ways;

    fn settings(text: &str) -> Settings {
        let file = (std::path::Path::new("petanotify.toml"), text);
        merge(Some(file), &Environment::default()).unwrap().settings
    }

    /// PetaSAN's settings as its web interface saves them, with some fields changed and those that are null left out.
    fn config(changes: Value) -> Vec<u8> {
        let mut config = json!({
            "email_notify_smtp_server": "mail.example.org",
            "email_notify_smtp_port": "25",
            "email_notify_smtp_email": "storage@example.org",
            "email_notify_smtp_password": "topsecret",
            "email_notify_smtp_security": 2,
            "iqn_base": "iqn.2016-05.com.petasan",
        });
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        config
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        config.to_string().into_bytes()
    }

    fn smtp(changes: Value) -> Result<ImportedSmtp, String> {
        parse(Some(&config(changes)), &[]).0.smtp
    }

    fn users(values: &[Value]) -> Vec<(String, Vec<u8>)> {
        let values = values.iter().enumerate();
        values
            .map(|(index, value)| {
                (
                    format!("PetaSAN/Users/u{index}"),
                    value.to_string().into_bytes(),
                )
            })
            .collect()
    }

    #[test]
    fn every_security_has_its_tls_port_and_login() {
        for (security, tls, port, login) in [
            (json!(1), Security::Tls, 465, true),
            (json!("1"), Security::Tls, 465, true),
            (json!(null), Security::Tls, 465, true),
            (json!(""), Security::Tls, 465, true),
            (json!(2), Security::Starttls, 587, true),
            (json!(" 2 "), Security::Starttls, 587, true),
            (json!(3), Security::None, 25, true),
            (json!("4"), Security::None, 25, false),
        ] {
            let smtp = smtp(json!({
                "email_notify_smtp_security": security,
                "email_notify_smtp_port": "",
            }))
            .unwrap();
            assert_eq!((smtp.security, smtp.port), (tls, port), "{security}");
            assert_eq!(smtp.password.is_some(), login, "{security}");
        }
        for security in [json!(0), json!(5), json!("tls"), json!(true), json!([1])] {
            let reason = smtp(json!({ "email_notify_smtp_security": security })).unwrap_err();
            assert!(reason.contains("email_notify_smtp_security"), "{reason}");
        }
    }

    #[test]
    fn a_port_is_a_number_or_a_text_or_left_out() {
        for (port, expected) in [
            (json!("2525"), 2525),
            (json!(2525), 2525),
            (json!("1"), 1),
            (json!("65535"), 65535),
            (json!(" 26 "), 26),
            (json!(""), 587),
            (json!(null), 587),
        ] {
            assert_eq!(
                smtp(json!({ "email_notify_smtp_port": port }))
                    .unwrap()
                    .port,
                expected
            );
        }
        for port in [
            json!("0"),
            json!(65536),
            json!("smtp"),
            json!(25.5),
            json!({}),
        ] {
            let reason = smtp(json!({ "email_notify_smtp_port": port })).unwrap_err();
            assert!(reason.contains("email_notify_smtp_port"), "{reason}");
        }
    }

    #[test]
    fn mail_is_set_up_whole_or_the_reason_is_told() {
        let server = "email_notify_smtp_server";
        let email = "email_notify_smtp_email";
        for (changes, told) in [
            (json!({ server: "", email: "" }), NOT_SET_UP),
            (json!({ server: null, email: null }), NOT_SET_UP),
            (json!({ server: " ", email: null }), NOT_SET_UP),
            (
                json!({ server: "" }),
                "a sender but no mail server, email_notify_smtp_server",
            ),
            (
                json!({ email: "" }),
                "a mail server but no sender, email_notify_smtp_email",
            ),
            (
                json!({ email: "storage" }),
                "\"storage\" is no mail address",
            ),
            (
                json!({ email: "\"a\tb\"@example.org" }),
                "is no mail address: there is a control character in it",
            ),
            (
                json!({ server: "mail\r\nQUIT" }),
                "\"mail QUIT\" is no host name",
            ),
            (json!({ server: "mail:25" }), "\"mail:25\" is no host name"),
        ] {
            let reason = smtp(changes).unwrap_err();
            assert!(reason.contains(told), "{reason}");
        }
        assert_eq!(parse(None, &[]).0.smtp, Err(NOT_SET_UP.to_owned()));
        for broken in [&b"{"[..], b"", b"[]", b"null", b"\"topsecret\""] {
            let (import, _) = parse(Some(broken), &[]);
            let reason = import.smtp.unwrap_err();
            assert!(
                reason.starts_with("PetaSAN/Config cannot be used"),
                "{reason}"
            );
            assert!(!reason.contains("topsecret"), "{reason}");
        }
    }

    #[test]
    fn an_empty_password_means_no_login() {
        let no_password = smtp(json!({ "email_notify_smtp_password": "" })).unwrap();
        assert_eq!(no_password.password, None);
        let absent = smtp(json!({ "email_notify_smtp_password": null })).unwrap();
        assert_eq!(absent.password, None);
        let spaces = smtp(json!({ "email_notify_smtp_password": " a " })).unwrap();
        assert_eq!(spaces.password.unwrap().reveal(), " a ");
    }

    #[test]
    fn a_login_without_tls_is_told() {
        for (security, count) in [(1, 0), (2, 0), (3, 1), (4, 0)] {
            let config = config(json!({ "email_notify_smtp_security": security }));
            let (_, warnings) = parse(Some(&config), &[]);
            assert_eq!(warnings.len(), count, "{security}: {warnings:?}");
            assert!(!warnings.concat().contains("topsecret"));
        }
    }

    #[test]
    fn followers_are_those_who_want_it_and_have_an_address() {
        let users = users(&[
            json!({ "notfiy": true, "email": "a@example.org" }),
            json!({ "notfiy": "True", "email": "b@example.org" }),
            json!({ "notfiy": 1, "email": " c@example.org " }),
            json!({ "notfiy": "1", "email": "a@example.org" }),
            json!({ "notfiy": false, "email": "no@example.org" }),
            json!({ "notfiy": 0, "email": "no@example.org" }),
            json!({ "notfiy": "false", "email": "no@example.org" }),
            json!({ "notify": true, "email": "no@example.org" }),
            json!({ "notfiy": true, "email": "" }),
            json!({ "notfiy": true, "email": null }),
            json!({ "notfiy": true }),
            json!({ "notfiy": false, "email": "no address" }),
            json!({}),
        ]);
        let (import, warnings) = parse(None, &users);
        let followers: Vec<String> = import.followers.iter().map(Address::to_string).collect();
        assert_eq!(
            followers,
            ["a@example.org", "b@example.org", "c@example.org"]
        );
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn one_bad_user_is_told_and_the_others_count() {
        let mut users = users(&[
            json!({ "notfiy": true, "email": "a@example.org" }),
            json!({ "notfiy": true, "email": "nobody" }),
            json!({ "notfiy": true, "email": "x@example.org\r\nBcc: y@example.org" }),
            json!({ "notfiy": true, "email": ["b@example.org"] }),
            json!([]),
        ]);
        users.push(("PetaSAN/Users/broken\n".to_owned(), b"{\"notfiy\"".to_vec()));
        users.push((USERS_PREFIX.to_owned(), Vec::new()));
        let (import, warnings) = parse(None, &users);
        assert_eq!(import.followers.len(), 1);
        let expected = [
            "u1 is not notified: \"nobody\"",
            "u2 is not",
            "u3 cannot",
            "u4 cannot",
            "broken cannot",
        ];
        assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(
                warning.contains(&format!("PetaSAN/Users/{expected}")),
                "{warning}"
            );
            assert!(!warning.contains(['\r', '\n']), "{warning}");
        }
    }

    fn only_relay(settings: &Settings, import: &Import) -> Relay {
        let mut ways = ways(settings, Some(import));
        assert_eq!((ways.relays.len(), ways.missing.len()), (1, 0));
        ways.relays.remove(0)
    }

    #[test]
    fn the_file_wins_as_a_whole() {
        let import = parse(Some(&config(json!({}))), &[]).0;
        let file = settings(
            "[smtp]\nhost = \"relay\"\nfrom = \"Storage <s@example.org>\"\nca_file = \"/ca.pem\"",
        );
        let relay_of_file = only_relay(&file, &import);
        assert_eq!(
            (relay_of_file.host.as_str(), relay_of_file.port),
            ("relay", 587)
        );
        assert!(relay_of_file.login.is_none());

        let rest = settings("[smtp]\nca_file = \"/ca.pem\"\nverify = false\ntimeout = \"5s\"");
        let imported = only_relay(&rest, &import);
        assert_eq!(
            (imported.host.as_str(), imported.port),
            ("mail.example.org", 25)
        );
        assert_eq!(imported.security, Security::Starttls);
        assert_eq!(imported.from.to_string(), "storage@example.org");
        let login = imported.login.unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.reveal()),
            ("storage@example.org", "topsecret")
        );
        assert!(!imported.allow_plain_login && !imported.verify);
        assert_eq!(imported.ca_file.unwrap().to_str(), Some("/ca.pem"));
        assert_eq!(imported.timeout.as_secs(), 5);

        let plain = parse(
            Some(&config(json!({ "email_notify_smtp_security": 3 }))),
            &[],
        )
        .0;
        assert!(only_relay(&rest, &plain).allow_plain_login);
    }

    #[test]
    fn what_is_missing_is_told() {
        let nothing = parse(None, &[]).0;
        let empty = settings("");
        for (settings, import, told) in [
            (
                &empty,
                None,
                "no smtp.host, and PetaSAN's settings are not known; set smtp.host",
            ),
            (
                &empty,
                Some(&nothing),
                "no smtp.host, and there is no mail server in PetaSAN's",
            ),
            (&settings("smtp.host = \"relay\""), None, "set smtp.from"),
        ] {
            let ways = ways(settings, import);
            assert!(ways.relays.is_empty());
            assert_eq!(ways.missing.len(), 1);
            assert!(ways.missing[0].contains(told), "{:?}", ways.missing);
        }
    }

    #[test]
    fn recipients_of_the_file_win_over_followers() {
        let followers = users(&[json!({ "notfiy": true, "email": "a@example.org" })]);
        let import = parse(None, &followers).0;
        let listed = |settings: &Settings, import| {
            let recipients = recipients(settings, import);
            let recipients = recipients
                .iter()
                .map(|r| format!("{} {}", r.address, r.checks.len()));
            recipients.collect::<Vec<_>>()
        };
        assert_eq!(listed(&settings(""), Some(&import)), ["a@example.org 3"]);
        assert_eq!(listed(&settings(""), None), [""; 0]);
        let file = settings("[[recipient]]\naddress = \"b@example.org\"\nchecks = [\"osds\"]");
        assert_eq!(listed(&file, Some(&import)), ["b@example.org 1"]);
    }

    #[test]
    fn what_comes_from_petasan_is_shown_so_and_its_password_never() {
        let followers = users(&[json!({ "notfiy": true, "email": "a@example.org" })]);
        let import = parse(Some(&config(json!({}))), &followers).0;
        let lines = |settings: &Settings| -> Vec<String> {
            let shown = shown(settings, Some(&import)).into_iter();
            let shown = shown.filter(|line| line.origin == Origin::Petasan);
            shown
                .map(|line| format!("{} = {}", line.key, line.value.unwrap()))
                .collect()
        };
        assert_eq!(
            lines(&settings("")),
            [
                "smtp.host = \"mail.example.org\"",
                "smtp.port = 25",
                "smtp.security = \"starttls\"",
                "smtp.from = \"storage@example.org\"",
                "smtp.username = \"storage@example.org\"",
                "smtp.password_file = (secret)",
                "recipient[0].address = \"a@example.org\"",
                "recipient[0].checks = [\"capacity\", \"nodes\", \"osds\"]",
            ]
        );
        let file = "smtp.host = \"relay\"\n[[recipient]]\naddress = \"b@example.org\"";
        assert_eq!(lines(&settings(file)), [""; 0]);
        assert!(!format!("{import:?}").contains("topsecret"));
    }
}
