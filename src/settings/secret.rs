//! Reads passwords, tokens and a secret address from their files: the last step of loading the settings.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::keys::{blame, show};
use super::merge::Draft;
use super::value::{Written, check_heartbeat_url};
use super::{Login, Origin, Secret, Server, Settings};

/// Puts the token, the heartbeat's address and the logins into the settings.
///
/// # Errors
/// A secret's file can't be used, or login name and password don't come together.
pub(super) fn complete(draft: Draft) -> Result<Settings> {
    let Draft {
        mut settings,
        password_files,
        credentials,
        token_file,
        heartbeat_url_file,
    } = draft;
    if let Some(path) = token_file {
        settings.consul.token = Some(read(&mut settings, "consul.token_file", &path)?);
    }
    if let Some(path) = heartbeat_url_file {
        let key = "heartbeat.url_file";
        let url = read(&mut settings, key, &path)?;
        let url = check_heartbeat_url(url.reveal());
        settings.heartbeat.url = Some(url.map_err(|reason| {
            let place = cannot_use(&settings, key);
            anyhow!("{place}: what {} holds {reason}", path.display())
        })?);
    }
    let mut smtp = settings.smtp.clone();
    for ((position, server), password_file) in smtp.servers_mut().enumerate().zip(password_files) {
        let credential = credentials.as_ref();
        let credential = credential.map(|folder| folder.join(Server::credential(position)));
        let credential = credential.filter(|path| path.exists());
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
    let (username, path) = match (server.username.clone(), password_file, credential) {
        // A command run by hand has no credentials and needs none to show what is there; sending says what is missing.
        (None, None, None) | (Some(_), None, None) => return Ok(None),
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
        (Some(username), Some(path), _) => (username, path),
        (Some(username), None, Some(path)) => {
            let origin = Origin::Environment("CREDENTIALS_DIRECTORY".to_owned());
            show(
                &mut settings.shown,
                &password_key,
                Some(path.written()),
                origin,
            );
            (username, path)
        }
    };
    let password = read(settings, &password_key, &path)?;
    Ok(Some(Login { username, password }))
}

fn cannot_use(settings: &Settings, key: &str) -> String {
    let config_file = settings.config_file.as_deref().unwrap_or(Path::new(""));
    format!("cannot use {}", blame(config_file, &settings.shown, key))
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
