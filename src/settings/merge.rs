//! The list of all settings: key, kind, range and default of each, and how they must fit together.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::credential::Credentials;
use super::environment::Environment;
use super::file::Document;
use super::keys::Keys;
use super::locate::state_file_and_origin;
use super::value::{self, OrOff, Written};
use super::{
    Ceph, Checks, Consul, Fallback, Ha, HaMode, HealthRules, Heartbeat, Hold, Mail, Metrics,
    Notify, Origin, Recipient, RootCause, SECRET_SHOWN, Secret, Security, Server, Settings, Smtp,
    Via,
};
use crate::check::capacity::Limits;
use crate::check::health::Scope;
use crate::flapping::{MOST_DOWNS, Rule};
use crate::severity::Severity;
use crate::words::Language;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The shortest time to live that Consul takes for a session (`session_ttl_min`); the longest is a day.
const SHORTEST_SESSION: Duration = Duration::from_secs(10);
/// The longest lock-delay that Consul's manual allows.
const LONGEST_LOCK_DELAY: Duration = Duration::from_secs(60);
/// Longest times of flapping: what happens once a day does not flap.
const MAX_FLAPPING: Duration = DAY;
/// Longest hold: a day of passes, one a minute.
const MAX_HOLD_PASSES: u32 = 1440;
/// The same as a time.
const MAX_HOLD: Duration = DAY;
/// Longest hold because of `noout`: a week. A flag that is set for longer has been forgotten.
const MAX_NOOUT_HOLD: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest wait of a mail: a year of passes.
const MAX_ATTEMPTS: u32 = 365 * 1440;
/// More connections at once than most servers grant to one client.
const MAX_CONNECTIONS: u32 = 8;

/// Settings whose secrets are still to be read from their files.
#[derive(Debug)]
pub(super) struct Draft {
    /// All but the logins and what else is in files of its own.
    pub(super) settings: Settings,
    /// `mail.time_zone`
    pub(super) time_zone: Option<String>,
    /// The `password_file` of each mail server.
    pub(super) password_files: Vec<Option<PathBuf>>,
    /// What systemd has handed over.
    pub(super) credentials: Credentials,
    /// `consul.token_file` or `CONSUL_HTTP_TOKEN_FILE`
    pub(super) token_file: Option<PathBuf>,
    /// `heartbeat.url_file`
    pub(super) heartbeat_url_file: Option<PathBuf>,
}

/// Joins the text of the configuration file, the environment and the defaults.
///
/// # Errors
/// All that is wrong in the file and the environment, with line and key.
pub(super) fn merge(
    file: Option<(&Path, &str)>,
    environment: &Environment,
) -> Result<Draft, String> {
    let (path, text) = file.unwrap_or((Path::new(""), ""));
    let document = Document::parse(path, text)
        .map_err(|problem| format!("cannot use {}: {problem}", path.display()))?;
    let mut keys = Keys::new(&document, environment);

    let cluster_name = keys.optional("cluster.name", value::text);
    let ceph = ceph(&mut keys);
    let (consul, token_file) = consul(&mut keys, environment);
    let ha = ha(&mut keys);
    let checks = checks(&mut keys);
    let notify = notify(&mut keys);
    let (mail, time_zone) = mail(&mut keys);
    let (smtp, password_files) = smtp(&mut keys);
    let fallback = fallback(&mut keys);
    if keys.is_clean() && smtp.first.host.is_none() {
        warn_of_no_effect(&mut keys, !smtp.further.is_empty() || fallback.is_some());
    }
    let recipients = recipients(&mut keys, &checks);
    let metrics = metrics(&mut keys);
    let (heartbeat, heartbeat_url_file) = heartbeat(&mut keys);
    let state_file = keys.path("state.file", None);
    let (state_in_force, origin) = state_file_and_origin(environment, state_file.as_deref());
    if let Some(origin) = origin.filter(|_| keys.is_clean()) {
        keys.show("state.file", Some(state_in_force.written()), origin);
    }

    let (shown, warnings) = keys.finish()?;
    Ok(Draft {
        settings: Settings {
            config_file: file.map(|(path, _)| path.to_owned()),
            cluster_name,
            ceph,
            consul,
            ha,
            checks,
            notify,
            mail,
            smtp,
            fallback,
            recipients,
            metrics,
            heartbeat,
            state_file,
            shown,
            warnings,
        },
        time_zone,
        password_files,
        credentials: Credentials::new(environment.path("CREDENTIALS_DIRECTORY")),
        token_file,
        heartbeat_url_file,
    })
}

fn ceph(keys: &mut Keys) -> Ceph {
    let ceph = Ceph {
        command: keys.with_default(
            "ceph.command",
            value::command("[\"ceph\"] or [\"sudo\", \"ceph\"]"),
            vec!["ceph".to_owned()],
        ),
        conf: keys.path("ceph.conf", None),
        name: keys.optional("ceph.name", value::ceph_name),
        keyring: keys.path("ceph.keyring", None),
        via: keys.with_default("ceph.via", value::via, Via::Cli),
        timeout: keys.with_default("ceph.timeout", value::duration(HOUR), 20 * SECOND),
    };
    if ceph.via == Via::Librados && keys.is_in_file("ceph.command") && keys.is_clean() {
        keys.warn(
            "ceph.command",
            "has no effect with ceph.via = \"librados\", which runs no ceph",
        );
    }
    ceph
}

/// The settings of Consul, and the file of the token. The variables are those of Consul's own tools.
fn consul(keys: &mut Keys, environment: &Environment) -> (Consul, Option<PathBuf>) {
    let address = consul_address(keys, environment);
    let token_file = keys.path("consul.token_file", Some("CONSUL_HTTP_TOKEN_FILE"));
    let variable = "CONSUL_HTTP_TOKEN";
    let mut token = None;
    if let (None, Some(text)) = (&token_file, environment.text(variable)) {
        let origin = Origin::Environment(variable.to_owned());
        keys.show("consul.token_file", Some(SECRET_SHOWN.to_owned()), origin);
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            keys.reject("consul.token_file", "must be one word");
        }
        token = Some(Secret::new(text));
    }
    let ca_file = keys.path("consul.ca_file", Some("CONSUL_CACERT"));
    let certificate = keys.path("consul.client_certificate_file", Some("CONSUL_CLIENT_CERT"));
    let key = keys.path("consul.client_key_file", Some("CONSUL_CLIENT_KEY"));
    match (&certificate, &key) {
        (Some(_), None) if keys.is_clean() => {
            keys.reject(
                "consul.client_certificate_file",
                "needs consul.client_key_file as well",
            );
        }
        (None, Some(_)) if keys.is_clean() => {
            keys.reject(
                "consul.client_key_file",
                "needs consul.client_certificate_file as well",
            );
        }
        _ => {}
    }
    let verify = keys.flag("consul.verify", Some("CONSUL_HTTP_SSL_VERIFY"), true);
    if !verify && address.starts_with("https:") {
        keys.warn("consul.verify", "Consul's certificate is not verified");
    }
    let consul = Consul {
        address,
        token,
        ca_file,
        client_certificate: certificate.zip(key),
        verify,
        timeout: keys.with_default("consul.timeout", value::duration(HOUR), 10 * SECOND),
        nodes_prefix: keys.with_default(
            "consul.nodes_prefix",
            value::key_prefix,
            "PetaSAN/Nodes/".to_owned(),
        ),
    };
    (consul, token_file)
}

fn consul_address(keys: &mut Keys, environment: &Environment) -> String {
    let ssl = environment.text("CONSUL_HTTP_SSL");
    let ssl = ssl.is_some_and(|word| matches!(word.to_lowercase().as_str(), "1" | "t" | "true"));
    let key = "consul.address";
    let from_file = keys.is_in_file(key);
    let convert =
        |value: &DeValue| value::consul_address(&value::text(value)?, ssl, ssl && !from_file);
    let default = "http://127.0.0.1:8500";
    match keys.take(key, Some("CONSUL_HTTP_ADDR"), convert, None) {
        Some(address) => address,
        None if ssl => {
            let address = default.replace("http:", "https:");
            let origin = Origin::Environment("CONSUL_HTTP_SSL".to_owned());
            keys.show(key, Some(address.written()), origin);
            address
        }
        None => {
            keys.show(key, Some(default.written()), Origin::Default);
            default.to_owned()
        }
    }
}

fn ha(keys: &mut Keys) -> Ha {
    let default = Ha::default();
    let mode = "ha.mode";
    let ha = Ha {
        mode: keys.with_default(mode, value::ha_mode, default.mode),
        session_ttl: keys.with_default(
            "ha.session_ttl",
            value::duration_from(SHORTEST_SESSION, DAY),
            default.session_ttl,
        ),
        lock_delay: keys.with_default(
            "ha.lock_delay",
            value::duration(LONGEST_LOCK_DELAY),
            default.lock_delay,
        ),
        prefix: keys.with_default("ha.prefix", value::key_prefix, default.prefix),
        step_down_after: keys.with_default(
            "ha.step_down_after",
            value::number(1, MAX_HOLD_PASSES),
            default.step_down_after,
        ),
    };
    let others = [
        "ha.session_ttl",
        "ha.lock_delay",
        "ha.prefix",
        "ha.step_down_after",
    ];
    if ha.mode == HaMode::Off
        && let Some(key) = others.into_iter().find(|key| keys.is_in_file(key))
        && keys.is_clean()
    {
        keys.warn(key, "has no effect with ha.mode = \"off\"");
    }
    ha
}

fn checks(keys: &mut Keys) -> Checks {
    let enabled = keys.flag("checks.capacity.enabled", None, true);
    let (warn, critical, margin) = (
        "checks.capacity.warn_percent",
        "checks.capacity.critical_percent",
        "checks.capacity.clear_margin_percent",
    );
    let default = Limits::default();
    let capacity = Limits {
        warn_percent: keys.with_default(warn, value::percent, default.warn_percent),
        critical_percent: keys.with_default(critical, value::percent, default.critical_percent),
        clear_margin_percent: keys.with_default(
            margin,
            value::margin,
            default.clear_margin_percent,
        ),
    };
    if keys.is_clean() {
        let of = |key, value| Threshold { key, value };
        let warn = of(warn, capacity.warn_percent);
        let critical = of(critical, capacity.critical_percent);
        let margin = of(margin, capacity.clear_margin_percent);
        if warn.value > critical.value {
            reject_order(
                keys,
                warn,
                critical,
                ["must not be above", "must not be below"],
            );
        } else if margin.value >= warn.value {
            reject_order(keys, margin, warn, ["must be below", "must be above"]);
        }
    }
    let checks = Checks {
        capacity: enabled.then_some(capacity),
        nodes: hold(keys, "checks.nodes"),
        osds: hold(keys, "checks.osds"),
        root_cause: root_cause(keys),
        hold_while_noout: hold_while_noout(keys),
        health: health(keys),
    };
    let status_is_asked = checks.capacity.is_some() || checks.health.is_some();
    if !status_is_asked && checks.hold_while_noout.is_some() && keys.is_clean() {
        keys.warn(
            "checks.osds.hold_while_noout",
            "has no effect without checks.capacity or checks.health, which ask for the status of Ceph",
        );
    }
    checks
}

fn health(keys: &mut Keys) -> Option<HealthRules> {
    let default = HealthRules::default();
    let (enabled, level, ignore) = (
        "checks.health.enabled",
        "checks.health.level",
        "checks.health.ignore",
    );
    let is_on = keys.flag(enabled, None, false);
    let none = Vec::from_iter(default.scope.ignore);
    let rules = HealthRules {
        scope: Scope {
            level: keys.with_default(level, value::health_level, default.scope.level),
            ignore: BTreeSet::from_iter(keys.with_default(ignore, value::health_codes, none)),
        },
        hold: held(keys, "checks.health", default.hold),
    };
    if !keys.is_in_file(enabled)
        && let Some(key) = [level, ignore].into_iter().find(|key| keys.is_in_file(key))
    {
        keys.warn(key, "has no effect without checks.health.enabled = true");
    }
    is_on.then_some(rules)
}

struct Threshold<'a> {
    key: &'a str,
    value: f64,
}

/// Blames the one that the file sets; `words` say how the lower stands to the upper, and the other way round.
fn reject_order(keys: &mut Keys, lower: Threshold, upper: Threshold, words: [&str; 2]) {
    let (this, words, other) = match keys.is_in_file(lower.key) {
        true => (lower, words[0], upper),
        false => (upper, words[1], lower),
    };
    let message = format!("{} {words} {}, {}", this.value, other.key, other.value);
    keys.reject(this.key, &message);
}

fn hold(keys: &mut Keys, section: &str) -> Option<Hold> {
    let enabled = keys.flag(&format!("{section}.enabled"), None, true);
    let hold = held(keys, section, Hold::default());
    enabled.then_some(hold)
}

fn held(keys: &mut Keys, section: &str, default: Hold) -> Hold {
    let passes = keys.with_default(
        &format!("{section}.hold_passes"),
        value::number(1, MAX_HOLD_PASSES),
        default.passes,
    );
    let time = keys.with_default(
        &format!("{section}.hold"),
        value::duration_or_off(MAX_HOLD),
        OrOff(default.time),
    );
    let time = time.0;
    Hold { passes, time }
}

fn root_cause(keys: &mut Keys) -> RootCause {
    let default = RootCause::default();
    let mut grace = |key: &str, longest, default| {
        let default = OrOff(default);
        keys.with_default(key, value::duration_or_off(longest), default)
            .0
    };
    let host_grace = grace("checks.osds.host_grace", HOUR, default.host_grace);
    let return_grace = grace("checks.osds.return_grace", DAY, default.return_grace);
    RootCause {
        host_grace,
        return_grace,
        hosts: keys.with_default("checks.osds.hosts", value::hosts, default.hosts),
    }
}

fn hold_while_noout(keys: &mut Keys) -> Option<Duration> {
    let default = Checks::default().hold_while_noout;
    let hold = value::duration_or_off(MAX_NOOUT_HOLD);
    keys.with_default("checks.osds.hold_while_noout", hold, OrOff(default))
        .0
}

fn notify(keys: &mut Keys) -> Notify {
    let default = Notify::default();
    let remind_every = OrOff(default.remind_every);
    Notify {
        recovery: keys.flag("notify.recovery", None, default.recovery),
        remind_every: keys
            .with_default(
                "notify.remind_every",
                value::duration_or_off(YEAR),
                remind_every,
            )
            .0,
        blind_after: keys.with_default(
            "notify.blind_after",
            value::duration(YEAR),
            default.blind_after,
        ),
        flapping: flapping(keys),
    }
}

fn flapping(keys: &mut Keys) -> Option<Rule> {
    let default = Rule::default();
    let enabled = keys.flag("notify.flapping.enabled", None, true);
    let downs = keys.with_default(
        "notify.flapping.downs",
        value::number(2, MOST_DOWNS),
        default.downs,
    );
    let mut duration =
        |key: &str, default| keys.with_default(key, value::duration(MAX_FLAPPING), default);
    let (calm, down) = ("notify.flapping.calm_after", "notify.flapping.down_after");
    let rule = Rule {
        downs,
        window: duration("notify.flapping.window", default.window),
        calm_after: duration(calm, default.calm_after),
        down_after: duration(down, default.down_after),
    };
    if keys.is_clean() && rule.down_after > rule.calm_after {
        let (this, words, other, than) = match keys.is_in_file(down) {
            true => (down, "must not be above", calm, rule.calm_after),
            false => (calm, "must not be below", down, rule.down_after),
        };
        keys.reject(this, &format!("{words} {other}, {}", than.written()));
    }
    enabled.then_some(rule)
}

/// How mails look, and the name of their time zone.
fn mail(keys: &mut Keys) -> (Mail, Option<String>) {
    let mail = Mail {
        html: keys.flag("mail.html", None, true),
        language: keys.with_default("mail.language", value::language, Language::default()),
        template_dir: keys.path("mail.template_dir", None),
        time_zone: None,
    };
    (mail, keys.optional("mail.time_zone", value::text))
}

/// The settings of the mail servers without the passwords, and the passwords' files.
fn smtp(keys: &mut Keys) -> (Smtp, Vec<Option<PathBuf>>) {
    let (first, password_file) = server(keys, "smtp".to_owned());
    let max_attempts = keys.with_default("smtp.max_attempts", value::number(1, MAX_ATTEMPTS), 1440);
    let mut further = Vec::new();
    let mut password_files = vec![password_file];
    for index in 0..keys.entries("smtp.relay", &SERVER_KEYS) {
        let section = format!("smtp.relay[{index}]");
        let (server, password_file) = server(keys, section.clone());
        if server.host.is_none() {
            keys.require(&format!("{section}.host"), &section);
        }
        further.push(server);
        password_files.push(password_file);
    }
    let smtp = Smtp {
        first,
        further,
        max_attempts,
    };
    (smtp, password_files)
}

/// What `[smtp]` and `[[smtp.relay]]` have in common.
const SERVER_KEYS: [&str; 11] = [
    "host",
    "port",
    "security",
    "from",
    "username",
    "password_file",
    "allow_plain_login",
    "ca_file",
    "verify",
    "timeout",
    "connections",
];

fn server(keys: &mut Keys, section: String) -> (Server, Option<PathBuf>) {
    let [
        host,
        port,
        security,
        from,
        username,
        password_file,
        allow_plain_login,
        ca_file,
        verify,
        timeout,
        connections,
    ] = SERVER_KEYS.map(|name| format!("{section}.{name}"));
    let username_key = username;
    let host = keys.optional(&host, value::mail_host);
    let port_key = port;
    let port = keys.optional(&port_key, value::port);
    let security = keys.with_default(&security, value::security, Security::Starttls);
    if let (Some(_), None, true) = (&host, port, keys.is_clean()) {
        let port = security.default_port().written();
        keys.show(&port_key, Some(port), Origin::Default);
    }
    let from = keys.optional(&from, value::mailbox);
    let username = keys.optional(&username_key, value::text);
    let password_file = keys.path(&password_file, None);
    let server = Server {
        host,
        port,
        security,
        from,
        username,
        login: None,
        allow_plain_login: keys.flag(&allow_plain_login, None, false),
        ca_file: keys.path(&ca_file, None),
        verify: keys.flag(&verify, None, true),
        timeout: keys.with_default(&timeout, value::duration(HOUR), 30 * SECOND),
        connections: keys.with_default(&connections, value::number(1, MAX_CONNECTIONS), 2),
        section,
    };
    if keys.is_clean()
        && server.host.is_some()
        && security == Security::None
        && server.username.is_some()
        && !server.allow_plain_login
    {
        let section = &server.section;
        keys.reject(
            &username_key,
            &format!(
                "would be sent without TLS; set {section}.security to \"starttls\" or \"tls\", \
                 or {section}.allow_plain_login = true"
            ),
        );
    }
    (server, password_file)
}

fn fallback(keys: &mut Keys) -> Option<Fallback> {
    let example = "[\"/usr/sbin/sendmail\", \"-t\", \"-i\"]";
    let command = keys.optional("fallback.command", value::command(example));
    let after = keys.with_default("fallback.after", value::duration(YEAR), 900 * SECOND);
    let timeout = keys.with_default("fallback.timeout", value::duration(HOUR), 20 * SECOND);
    if command.is_none() && keys.is_clean() {
        for key in ["fallback.after", "fallback.timeout"] {
            if keys.is_in_file(key) {
                keys.warn(key, "has no effect without fallback.command");
            }
        }
    }
    command.map(|command| Fallback {
        command,
        after,
        timeout,
    })
}

/// `other_way`: a mail can leave in another way than through the first server.
fn warn_of_no_effect(keys: &mut Keys, other_way: bool) {
    let own_ways = other_way && keys.is_in_file("smtp.from");
    let why = match own_ways {
        true => "has no effect without smtp.host",
        false => "has no effect without smtp.host: PetaSAN's mail settings count as a whole",
    };
    for name in ["port", "security", "from", "username", "password_file"] {
        let key = format!("smtp.{name}");
        if keys.is_in_file(&key) && !(own_ways && name == "from") {
            keys.warn(&key, why);
        }
    }
}

fn recipients(keys: &mut Keys, checks: &Checks) -> Vec<Recipient> {
    let mut recipients = Vec::new();
    let mut listed = HashSet::new();
    let names = ["address", "checks", "severity", "quiet_hours"];
    for index in 0..keys.entries("recipient", &names) {
        let key = format!("recipient[{index}].address");
        let address = keys.required(&key, &format!("recipient[{index}]"), value::address);
        let checks = keys.with_default(
            &format!("recipient[{index}].checks"),
            value::checks,
            checks.names().collect(),
        );
        let severity = keys.with_default(
            &format!("recipient[{index}].severity"),
            value::severity,
            Severity::Warning,
        );
        let hours_key = format!("recipient[{index}].quiet_hours");
        let quiet_hours = keys.optional(&hours_key, value::quiet_hours);
        if severity == Severity::Critical && quiet_hours.is_some() {
            keys.warn(
                &hours_key,
                "has no effect with severity = \"critical\": what is critical comes at any hour",
            );
        }
        let Some(address) = address else { continue };
        let written: &str = address.as_ref();
        if !listed.insert(written.to_ascii_lowercase()) {
            keys.reject(
                &key,
                &format!("{address} is listed twice; name all its checks in one place"),
            );
        }
        recipients.push(Recipient {
            address,
            checks,
            severity,
            quiet_hours,
        });
    }
    recipients
}

fn metrics(keys: &mut Keys) -> Metrics {
    let key = "metrics.textfile";
    let textfile = keys.path(key, None);
    let is_read = |path: &PathBuf| path.extension().is_some_and(|end| end == "prom");
    if textfile.as_ref().is_some_and(|path| !is_read(path)) {
        keys.reject(
            key,
            "must end in .prom: Prometheus's node exporter reads no other files",
        );
    }
    Metrics { textfile }
}

/// The settings of the heartbeat, and the file of its address.
fn heartbeat(keys: &mut Keys) -> (Heartbeat, Option<PathBuf>) {
    let url = keys.optional("heartbeat.url", value::heartbeat_url);
    let url_file = keys.path("heartbeat.url_file", None);
    let heartbeat = Heartbeat {
        url,
        fail: keys.flag("heartbeat.fail", None, false),
        timeout: keys.with_default(
            "heartbeat.timeout",
            value::duration(30 * SECOND),
            5 * SECOND,
        ),
    };
    if heartbeat.url.is_some() && url_file.is_some() {
        keys.warn("heartbeat.url", "has no effect beside heartbeat.url_file");
    }
    if heartbeat.fail && heartbeat.url.is_none() && url_file.is_none() && keys.is_clean() {
        keys.warn(
            "heartbeat.fail",
            "has no effect without heartbeat.url or heartbeat.url_file",
        );
    }
    (heartbeat, url_file)
}
