//! What systemd hands to a service (`LoadCredential=`): files of root that the service's own user could not read.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::value::Written;
use super::{Origin, Settings};

/// Whose key Ceph's manuals would have us make, and what the unit hands over if it is there.
const CEPH_NAME: &str = "client.petanotify";
/// Who the `ceph` CLI is without `--name`.
const CEPH_ADMIN: &str = "client.admin";

/// The credentials of this process.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    folder: Option<PathBuf>,
}

impl Credentials {
    /// Those in `$CREDENTIALS_DIRECTORY`, if systemd has set it.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Credentials { folder }
    }

    /// The credential of this name. A blank one is none: without a stand-in for what is missing the unit would not start.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.as_deref()?.join(name);
        match fs::read(&path) {
            Ok(content) if content.trim_ascii().is_empty() => None,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // Who uses it says what is wrong with it.
            Ok(_) | Err(_) => Some(path),
        }
    }

    /// Lets the `ceph` CLI use the keyring that was handed over, unless the configuration names one. Keyrings are called as
    /// Ceph calls the files: `ceph.client.petanotify.keyring` is that of `client.petanotify`.
    pub(super) fn complete_ceph(&self, settings: &mut Settings) {
        if settings.ceph.keyring.is_some() {
            return;
        }
        let keyring = |name: &str| self.find(&format!("ceph.{name}.keyring"));
        match settings.ceph.name.clone() {
            Some(name) => settings.ceph.keyring = keyring(&name),
            None => match keyring(CEPH_NAME) {
                Some(path) => {
                    settings.ceph.name = Some(CEPH_NAME.to_owned());
                    note(settings, "ceph.name", CEPH_NAME.to_owned().written());
                    settings.ceph.keyring = Some(path);
                }
                None => settings.ceph.keyring = keyring(CEPH_ADMIN),
            },
        }
        if let Some(path) = settings.ceph.keyring.clone() {
            note(settings, "ceph.keyring", path.written());
        }
    }
}

/// Notes for `config show` that a setting is that of a credential.
pub(super) fn note(settings: &mut Settings, key: &str, value: String) {
    let origin = Origin::Environment("CREDENTIALS_DIRECTORY".to_owned());
    settings.shown.set(key, Some(value), origin);
}
