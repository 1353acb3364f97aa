//! What a single value may be: TOML in, a checked value or the reason out; and back to TOML for `config show`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use toml::de::DeValue;

use super::duration as friendly;
use super::{HaMode, SECRET_SHOWN, Secret, Security, Via};
use crate::check::CheckName;
use crate::facts::HealthSeverity;
use crate::quiet_hours::QuietHours;
use crate::severity::Severity;
use crate::text::one_line;
use crate::words::Language;

/// How a value is written in the file.
pub(super) trait Written {
    /// The value in TOML's notation.
    fn written(&self) -> String;
}

fn expected(what: &str, value: &DeValue) -> String {
    let found = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    format!("must be {what}, not {found}")
}

/// A text without control characters, which could otherwise break out of a mail header, a log line or a command.
pub(super) fn text(value: &DeValue) -> Result<String, String> {
    let text = value
        .as_str()
        .ok_or_else(|| expected("a text in quotes", value))?;
    if text.trim().is_empty() {
        return Err("must not be empty; leave the key out for its default".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain line breaks or other control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// `true` or `false`.
pub(super) fn flag(value: &DeValue) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| expected("true or false, without quotes", value))
}

/// A flag in an environment variable, in the words that Consul's own tools take.
pub(super) fn flag_word(value: &DeValue) -> Result<bool, String> {
    match text(value)?.to_lowercase().as_str() {
        "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" => Ok(false),
        other => Err(format!("\"{other}\" is neither true nor false")),
    }
}

/// A whole number from `lowest` to `highest`.
pub(super) fn number(lowest: u32, highest: u32) -> impl Fn(&DeValue) -> Result<u32, String> {
    move |value| {
        let integer = value
            .as_integer()
            .ok_or_else(|| expected("a whole number without quotes", value))?;
        u32::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| (lowest..=highest).contains(number))
            .ok_or_else(|| format!("{integer} is out of range; allowed: {lowest} to {highest}"))
    }
}

/// A TCP port.
pub(super) fn port(value: &DeValue) -> Result<u16, String> {
    let port = number(1, u32::from(u16::MAX))(value)?;
    u16::try_from(port).map_err(|error| error.to_string())
}

/// A share in percent, above 0 and at most 100.
pub(super) fn percent(value: &DeValue) -> Result<f64, String> {
    number_with_fraction(value, "above 0 to 100", |percent| {
        percent > 0.0 && percent <= 100.0
    })
}

/// A distance in percent, at least 0 and below 100.
pub(super) fn margin(value: &DeValue) -> Result<f64, String> {
    number_with_fraction(value, "0 to below 100", |percent| {
        (0.0..100.0).contains(&percent)
    })
}

fn number_with_fraction(
    value: &DeValue,
    allowed: &str,
    is_allowed: fn(f64) -> bool,
) -> Result<f64, String> {
    let written = match value {
        DeValue::Float(float) => float.as_str(),
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        _ => return Err(expected("a number without quotes", value)),
    };
    written
        .parse()
        .ok()
        .filter(|number| is_allowed(*number))
        .ok_or_else(|| format!("{written} is out of range; allowed: {allowed}"))
}

/// A duration above 0.
pub(super) fn duration(longest: Duration) -> impl Fn(&DeValue) -> Result<Duration, String> {
    move |value| match value {
        DeValue::Integer(number) => friendly::parse(number.as_str(), longest),
        DeValue::Float(number) => friendly::parse(number.as_str(), longest),
        _ => friendly::parse(&text(value)?, longest),
    }
}

/// A duration that is not too short either.
pub(super) fn duration_from(
    shortest: Duration,
    longest: Duration,
) -> impl Fn(&DeValue) -> Result<Duration, String> {
    move |value| {
        let found = duration(longest)(value)?;
        match found >= shortest {
            true => Ok(found),
            false => Err(format!(
                "{} is out of range; allowed: {} to {}",
                friendly::format(found),
                friendly::format(shortest),
                friendly::format(longest)
            )),
        }
    }
}

/// CRUSH hosts, each with the node that it is.
pub(super) fn hosts(value: &DeValue) -> Result<BTreeMap<String, String>, String> {
    let example = "a section of CRUSH hosts with their nodes, e.g. {\"ceph-a\" = \"node1\"}";
    let table = value.as_table().ok_or_else(|| expected(example, value))?;
    let pairs = table.iter().map(|(host, node)| {
        let host = host.get_ref().as_ref();
        let node = text(node.get_ref()).map_err(|why| format!("{}: {why}", one_line(host)))?;
        Ok((host.to_owned(), node))
    });
    pairs.collect()
}

/// A duration, or `"off"`.
pub(super) fn duration_or_off(longest: Duration) -> impl Fn(&DeValue) -> Result<OrOff, String> {
    move |value| match value {
        DeValue::String(text) if text == "off" => Ok(OrOff(None)),
        DeValue::Boolean(_) => Err("must be a duration in quotes, or \"off\"".to_owned()),
        _ => duration(longest)(value)
            .map(|duration| OrOff(Some(duration)))
            .map_err(|message| format!("{message}, or \"off\"")),
    }
}

/// What takes so long, or happens so often; `None` is off.
#[derive(Clone, Copy)]
pub(super) struct OrOff(pub(super) Option<Duration>);

/// A program and its first arguments; the example says how such a thing is written.
pub(super) fn command(example: &str) -> impl Fn(&DeValue) -> Result<Vec<String>, String> {
    move |value| {
        let example = format!("a list of texts, e.g. {example}");
        let list = value.as_array().ok_or_else(|| expected(&example, value))?;
        if list.is_empty() {
            return Err(format!("must not be empty; write {example}"));
        }
        list.iter().map(|entry| text(entry.get_ref())).collect()
    }
}

/// A name that `ceph --name` takes.
pub(super) fn ceph_name(value: &DeValue) -> Result<String, String> {
    let name = text(value)?;
    match name.split_once('.') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() && !name.starts_with('-') => {
            Ok(name)
        }
        _ => Err(format!(
            "\"{name}\" is no Ceph user; write TYPE.ID, e.g. \"client.petanotify\""
        )),
    }
}

/// Checks the address of a Consul agent, in the notations that `CONSUL_HTTP_ADDR` may have.
///
/// Without a scheme it is `https` if `ssl` is set. `force_https` turns `http://` into it as well, as Consul's own tools do
/// when `CONSUL_HTTP_SSL` is set.
///
/// # Errors
/// Says what is wrong, without a password that somebody put into the address.
pub(super) fn consul_address(text: &str, ssl: bool, force_https: bool) -> Result<String, String> {
    const EXAMPLE: &str = "write e.g. \"http://127.0.0.1:8500\"";
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) if !force_https => ("http", rest),
        Some(("http" | "https", rest)) => ("https", rest),
        Some(("unix", _)) => return Err(format!("a Unix socket is not supported; {EXAMPLE}")),
        Some(_) => return Err(format!("must start with http:// or https://; {EXAMPLE}")),
        None if ssl => ("https", text),
        None => ("http", text),
    };
    if rest.contains('@') {
        return Err(
            "must not contain a user or password; Consul's token belongs into consul.token_file"
                .to_owned(),
        );
    }
    let address = format!("{scheme}://{}", rest.trim_end_matches('/'));
    let is_usable = address.parse::<ureq::http::Uri>().is_ok_and(|uri| {
        let port = uri
            .authority()
            .and_then(|authority| authority.as_str().rsplit_once(':'));
        let has_bad_port =
            port.is_some_and(|(_, port)| !port.ends_with(']')) && uri.port_u16().is_none();
        uri.host().is_some_and(|host| !host.is_empty()) && !has_bad_port && uri.query().is_none()
    });
    match is_usable {
        true => Ok(address),
        false => Err(format!(
            "\"{text}\" is no address of a Consul agent; {EXAMPLE}"
        )),
    }
}

/// The address of a dead man's switch.
pub(super) fn heartbeat_url(value: &DeValue) -> Result<Secret, String> {
    check_heartbeat_url(&text(value)?)
}

/// Takes the address of a dead man's switch.
///
/// # Errors
/// Says what is wrong without the address, which is a secret.
pub(super) fn check_heartbeat_url(text: &str) -> Result<Secret, String> {
    let is_usable = text.parse::<ureq::http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    });
    match is_usable {
        true => Ok(Secret::new(text)),
        false => Err(
            "is no address of a web server; write e.g. \"https://hc-ping.com/0000-0000\""
                .to_owned(),
        ),
    }
}

/// The KV folder of the nodes, with its closing slash.
pub(super) fn key_prefix(value: &DeValue) -> Result<String, String> {
    let folder = text(value)?;
    let folder = folder.trim_matches('/');
    if folder.is_empty() {
        return Err("must name a folder, e.g. \"PetaSAN/Nodes/\"".to_owned());
    }
    Ok(format!("{folder}/"))
}

/// A mail server's name or address, without a port.
pub(super) fn mail_host(value: &DeValue) -> Result<String, String> {
    let host = text(value)?;
    check_mail_host(&host)?;
    Ok(host)
}

/// Whether a text can be a mail server's name or address.
///
/// # Errors
/// Says why not.
pub(super) fn check_mail_host(host: &str) -> Result<(), String> {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let is_name = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c));
    if is_address || is_name {
        return Ok(());
    }
    Err(format!(
        "\"{}\" is no host name or IP address; the port has a setting of its own",
        one_line(host)
    ))
}

/// Kind of TLS.
pub(super) fn security(value: &DeValue) -> Result<Security, String> {
    match text(value)?.as_str() {
        "starttls" => Ok(Security::Starttls),
        "tls" => Ok(Security::Tls),
        "none" => Ok(Security::None),
        other => Err(format!(
            "\"{other}\" is none of \"starttls\", \"tls\", \"none\""
        )),
    }
}

/// Which way the monitors are asked.
pub(super) fn via(value: &DeValue) -> Result<Via, String> {
    match text(value)?.as_str() {
        "cli" => Ok(Via::Cli),
        "librados" => Ok(Via::Librados),
        "auto" => Ok(Via::Auto),
        other => Err(format!(
            "\"{other}\" is none of \"cli\", \"librados\", \"auto\""
        )),
    }
}

/// Which of several nodes speaks.
pub(super) fn ha_mode(value: &DeValue) -> Result<HaMode, String> {
    match text(value)?.as_str() {
        "auto" => Ok(HaMode::Auto),
        "off" => Ok(HaMode::Off),
        "consul" => Ok(HaMode::Consul),
        "petasan" => Ok(HaMode::Petasan),
        other => Err(format!(
            "\"{other}\" is none of \"auto\", \"off\", \"consul\", \"petasan\""
        )),
    }
}

/// The least severity of what Ceph finds wrong.
pub(super) fn health_level(value: &DeValue) -> Result<HealthSeverity, String> {
    match text(value)?.as_str() {
        "error" => Ok(HealthSeverity::Error),
        "warn" => Ok(HealthSeverity::Warning),
        other => Err(format!("\"{other}\" is none of \"error\", \"warn\"")),
    }
}

/// Codes of Ceph's health checks.
pub(super) fn health_codes(value: &DeValue) -> Result<Vec<String>, String> {
    const EXAMPLE: &str = "a list of codes, e.g. [\"POOL_APP_NOT_ENABLED\"]";
    let list = value.as_array().ok_or_else(|| expected(EXAMPLE, value))?;
    let is_code = |code: &String| {
        code.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let codes = list.iter().map(|entry| {
        let code = text(entry.get_ref())?;
        is_code(&code).then_some(code.clone()).ok_or_else(|| {
            format!("\"{code}\" is no code of a health check; write {EXAMPLE}, as ceph health detail does")
        })
    });
    codes.collect()
}

/// A bare mail address.
pub(super) fn address(value: &DeValue) -> Result<Address, String> {
    parse_address(&text(value)?)
}

/// Reads a bare mail address.
///
/// # Errors
/// Says what is wrong.
pub(super) fn parse_address(text: &str) -> Result<Address, String> {
    // In quotes, RFC 5322 lets a tab stand before the @. Nobody has such an address, and a log could not show it.
    let address = if text.chars().any(char::is_control) {
        Err("there is a control character in it".to_owned())
    } else {
        text.parse::<Address>().map_err(|error| error.to_string())
    };
    address.map_err(|reason| {
        let text = one_line(text);
        format!("\"{text}\" is no mail address: {reason}; write e.g. \"ops@example.org\"")
    })
}

/// A mail address with or without a name in front: `PetaSAN <storage@example.org>`.
pub(super) fn mailbox(value: &DeValue) -> Result<Mailbox, String> {
    let text = text(value)?;
    let Some((name, address)) = text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    else {
        return parse_address(&text).map(Mailbox::from);
    };
    let name = name.trim();
    let name = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
        .unwrap_or(name);
    let name = (!name.is_empty()).then(|| name.to_owned());
    parse_address(address).map(|address| Mailbox::new(name, address))
}

/// How serious an alert must be.
pub(super) fn severity(value: &DeValue) -> Result<Severity, String> {
    match text(value)?.as_str() {
        "warning" => Ok(Severity::Warning),
        "critical" => Ok(Severity::Critical),
        other => Err(format!(
            "\"{other}\" is neither \"warning\" nor \"critical\""
        )),
    }
}

/// A language that mails can be in.
pub(super) fn language(value: &DeValue) -> Result<Language, String> {
    let name = text(value)?;
    Language::named(&name).ok_or_else(|| {
        let allowed = Language::ALL.map(|language| language.written());
        format!("\"{name}\" is none of {}", allowed.join(", "))
    })
}

/// Hours of the day.
pub(super) fn quiet_hours(value: &DeValue) -> Result<QuietHours, String> {
    text(value)?.parse()
}

/// A list of checks, each once.
pub(super) fn checks(value: &DeValue) -> Result<Vec<CheckName>, String> {
    let allowed = CheckName::ALL.map(|check| check.written()).join(", ");
    let list = value
        .as_array()
        .ok_or_else(|| expected("a list, e.g. [\"osds\"]", value))?;
    if list.is_empty() {
        return Err(format!("must not be empty; allowed: {allowed}"));
    }
    let mut checks = Vec::new();
    for entry in list {
        let name = text(entry.get_ref())?;
        let check = CheckName::named(&name)
            .ok_or_else(|| format!("there is no check \"{name}\"; allowed: {allowed}"))?;
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    Ok(checks)
}

impl Written for str {
    /// JSON's notation of a text is one of TOML's.
    fn written(&self) -> String {
        serde_json::Value::from(self).to_string()
    }
}

impl Written for String {
    fn written(&self) -> String {
        self.as_str().written()
    }
}

impl Written for Language {
    fn written(&self) -> String {
        self.as_str().written()
    }
}

impl Written for PathBuf {
    fn written(&self) -> String {
        self.to_string_lossy().written()
    }
}

impl Written for Secret {
    fn written(&self) -> String {
        SECRET_SHOWN.to_owned()
    }
}

impl Written for bool {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for u32 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for u16 {
    fn written(&self) -> String {
        self.to_string()
    }
}

impl Written for f64 {
    /// With a decimal point even if there is no fraction.
    fn written(&self) -> String {
        format!("{self:?}")
    }
}

impl Written for Duration {
    fn written(&self) -> String {
        friendly::format(*self).written()
    }
}

impl Written for OrOff {
    fn written(&self) -> String {
        match self.0 {
            Some(duration) => duration.written(),
            None => "off".written(),
        }
    }
}

impl Written for Security {
    fn written(&self) -> String {
        match self {
            Security::Starttls => "starttls",
            Security::Tls => "tls",
            Security::None => "none",
        }
        .written()
    }
}

impl Written for Via {
    fn written(&self) -> String {
        match self {
            Via::Cli => "cli",
            Via::Librados => "librados",
            Via::Auto => "auto",
        }
        .written()
    }
}

impl Written for HaMode {
    fn written(&self) -> String {
        self.as_str().written()
    }
}

impl Written for Address {
    fn written(&self) -> String {
        self.to_string().written()
    }
}

impl Written for Mailbox {
    fn written(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} <{}>", self.email).written(),
            None => self.email.written(),
        }
    }
}

impl Written for Severity {
    fn written(&self) -> String {
        self.as_str().written()
    }
}

impl Written for QuietHours {
    fn written(&self) -> String {
        self.to_string().written()
    }
}

impl Written for HealthSeverity {
    fn written(&self) -> String {
        match self {
            HealthSeverity::Error => "error",
            HealthSeverity::Warning => "warn",
        }
        .written()
    }
}

impl Written for CheckName {
    fn written(&self) -> String {
        self.as_str().written()
    }
}

impl Written for BTreeMap<String, String> {
    /// As an inline table.
    fn written(&self) -> String {
        let pairs: Vec<String> = self
            .iter()
            .map(|(key, value)| format!("{} = {}", key.written(), value.written()))
            .collect();
        match pairs.is_empty() {
            true => "{}".to_owned(),
            false => format!("{{ {} }}", pairs.join(", ")),
        }
    }
}

impl<T: Written> Written for Vec<T> {
    fn written(&self) -> String {
        let entries: Vec<String> = self.iter().map(Written::written).collect();
        format!("[{}]", entries.join(", "))
    }
}
