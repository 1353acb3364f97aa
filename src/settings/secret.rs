//! Reads passwords, tokens and a secret address from their files, and the time zone: the last step of loading the settings.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::credential;
use super::merge::Draft;
use super::value::{Written, check_heartbeat_url};
use super::{Login, Secret, Server, Settings, zone};

/// Puts the time zone, the token, the heartbeat's address and the logins into the settings.
///
/// # Errors
/// There is no such time zone. A secret's file can't be used, or login name and password don't come together.
pub(super) fn complete(draft: Draft) -> Result<Settings> {
    let Draft {
        mut settings,
        time_zone,
        password_files,
        credentials,
        token_file,
        heartbeat_url_file,
    } = draft;
    if let Some(name) = time_zone {
        let zone = zone::find(&name);
        settings.mail.time_zone =
            Some(zone.map_err(|reason| {
                anyhow!("{}: {reason}", cannot_use(&settings, "mail.time_zone"))
            })?);
    }
    credentials.complete_ceph(&mut settings);
    let credential = match settings.consul.token {
        // Of the environment.
        Some(_) => None,
        None => credentials.find("consul-token"),
    };
    let key = "consul.token_file";
    if let Some(path) = source(&mut settings, key, token_file, credential) {
        settings.consul.token = Some(read(&mut settings, key, &path)?);
    }
    let credential = match (&heartbeat_url_file, &settings.heartbeat.url) {
        (None, Some(_)) => None,
        _ => credentials.find("heartbeat-url"),
    };
    let key = "heartbeat.url_file";
    if let Some(path) = source(&mut settings, key, heartbeat_url_file, credential) {
        let url = read(&mut settings, key, &path)?;
        let url = check_heartbeat_url(url.reveal());
        settings.heartbeat.url = Some(url.map_err(|reason| {
            let place = cannot_use(&settings, key);
            anyhow!("{place}: what {} holds {reason}", path.display())
        })?);
    }
    let mut smtp = settings.smtp.clone();
    for ((position, server), password_file) in smtp.servers_mut().enumerate().zip(password_files) {
        let credential = credentials.find(&Server::credential(position));
        server.login = log_in(&mut settings, server, password_file, credential)?;
    }
    settings.smtp = smtp;
    Ok(settings)
}

fn log_in(
    settings: &mut Settings,
    server: &Server,
    password_file: Option<PathBuf>,
    credential: Option<PathBuf>,
) -> Result<Option<Login>> {
    let name_key = format!("{}.username", server.section);
    let password_key = format!("{}.password_file", server.section);
    let username = match (server.username.clone(), &password_file, &credential) {
        (Some(username), _, _) => username,
        (None, None, None) => return Ok(None),
        (None, Some(_), _) => {
            bail!(
                "{}: there is no {name_key} that it belongs to",
                cannot_use(settings, &password_key)
            )
        }
        (None, None, Some(path)) => {
            settings.warnings.push(format!(
                "{}: not used, because {name_key} is not set",
                path.display()
            ));
            return Ok(None);
        }
    };
    // A command run by hand has no credentials and needs none to show what is there; sending says what is missing.
    let Some(path) = source(settings, &password_key, password_file, credential) else {
        return Ok(None);
    };
    let password = read(settings, &password_key, &path)?;
    Ok(Some(Login { username, password }))
}

/// Where a secret is read from. The service's own user may be kept from a file of root; what systemd has handed over takes
/// its place then.
fn source(
    settings: &mut Settings,
    key: &str,
    file: Option<PathBuf>,
    credential: Option<PathBuf>,
) -> Option<PathBuf> {
    match (file, credential) {
        (Some(file), Some(_)) if !is_kept_from_us(&file) => Some(file),
        (_, Some(credential)) => {
            credential::note(settings, key, credential.written());
            Some(credential)
        }
        (file, None) => file,
    }
}

/// Whether a file is there, and not for us to read.
fn is_kept_from_us(file: &Path) -> bool {
    fs::File::open(file).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn cannot_use(settings: &Settings, key: &str) -> String {
    let config_file = settings.config_file.as_deref().unwrap_or(Path::new(""));
    format!("cannot use {}", settings.shown.blame(config_file, key))
}

/// Reads a secret, without the line break at its end, and warns when everybody may read it too.
fn read(settings: &mut Settings, key: &str, path: &Path) -> Result<Secret> {
    let shown = path.display();
    let (text, mode) = match read_with_mode(path) {
        Ok(read) => read,
        Err(error) => bail!(
            "{}: cannot read {shown}: {error}",
            cannot_use(settings, key)
        ),
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("{}: {shown} is empty", cannot_use(settings, key));
    }
    if text.chars().any(char::is_control) {
        bail!(
            "{}: {shown} must hold a single line of text",
            cannot_use(settings, key)
        );
    }
    if mode & 0o004 != 0 {
        settings.warnings.push(format!(
            "everybody on this machine may read {shown}; run: chmod 600 {shown}"
        ));
    }
    Ok(Secret::new(text))
}

fn read_with_mode(path: &Path) -> std::io::Result<(String, u32)> {
    let mut file = fs::File::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, file.metadata()?.permissions().mode()))
}
