//! The last good import from PetaSAN, kept beside the state file for the hour in which Consul can't be read.
//!
//! The file holds the mail server's password, so it has mode 0600 and types of its own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use lettre::Address;
use serde::{Deserialize, Serialize};

use super::petasan::{Import, ImportedSmtp};
use super::{Secret, Security};
use crate::replace::replace;

const VERSION: u32 = 1;

/// An import from an earlier pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// When it was read from PetaSAN, or first read so: the file is written anew only when something else changed.
    pub read: Timestamp,
    /// What was read.
    pub import: Import,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    read: Timestamp,
    smtp: Result<SmtpDocument, String>,
    followers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SmtpDocument {
    host: String,
    port: u16,
    security: Security,
    from: String,
    password: Option<String>,
}

/// Reads the cache; `None` when there is none yet.
///
/// # Errors
/// It can't be read, is broken, or was written by another release.
pub fn read(path: &Path) -> Result<Option<Cached>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    };
    parse(&bytes)
        .map(Some)
        .with_context(|| format!("cannot use {}", path.display()))
}

/// Writes the cache with mode 0600 and replaces the old one in one step, unless it says the same already. Tells whether it
/// was written.
///
/// # Errors
/// The file can't be written; the old one is untouched then.
pub fn write(path: &Path, import: &Import, now: Timestamp) -> Result<bool> {
    if let Ok(Some(cached)) = read(path)
        && cached.import == *import
        && fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
    {
        return Ok(false);
    }
    replace(path, render(import, now)?.as_bytes(), None)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn render(import: &Import, now: Timestamp) -> Result<String> {
    let document = Document {
        version: VERSION,
        read: now,
        smtp: import.smtp.clone().map(|smtp| SmtpDocument {
            host: smtp.host,
            port: smtp.port,
            security: smtp.security,
            from: smtp.from.to_string(),
            password: smtp.password.map(|password| password.reveal().to_owned()),
        }),
        followers: import.followers.iter().map(Address::to_string).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn parse(bytes: &[u8]) -> Result<Cached> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| {
        // serde_json's own words may quote a value, and one of the values is the password.
        anyhow!("broken at line {}, column {}", error.line(), error.column())
    })?;
    if document.version != VERSION {
        bail!("its version is {}, not {VERSION}", document.version);
    }
    let smtp = match document.smtp {
        Err(reason) => Err(reason),
        Ok(smtp) => Ok(ImportedSmtp {
            host: smtp.host,
            port: smtp.port,
            security: smtp.security,
            from: smtp.from.parse()?,
            password: smtp.password.map(Secret::new),
        }),
    };
    let followers: Result<Vec<Address>, _> = document.followers.iter().map(|f| f.parse()).collect();
    Ok(Cached {
        read: document.read,
        import: Import {
            smtp,
            followers: followers?,
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn import(password: &str) -> Import {
        Import {
            smtp: Ok(ImportedSmtp {
                host: "mail.example.org".to_owned(),
                port: 465,
                security: Security::Tls,
                from: "storage@example.org".parse().unwrap(),
                password: Some(Secret::new(password)),
            }),
            followers: vec!["ops@example.org".parse().unwrap()],
        }
    }

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_read_again_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("petasan-import.json");
        assert_eq!(read(&path).unwrap(), None);

        fs::write(folder.path().join("petasan-import.json.new"), "left over").unwrap();
        assert!(write(&path, &import("one"), time(1)).unwrap());
        let cached = read(&path).unwrap().unwrap();
        assert_eq!((cached.read, cached.import), (time(1), import("one")));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let none = Import {
            smtp: Err("no mail server".to_owned()),
            followers: Vec::new(),
        };
        assert!(write(&path, &none, time(2)).unwrap());
        assert_eq!(read(&path).unwrap().unwrap().import, none);
    }

    #[test]
    fn it_is_written_only_when_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("petasan-import.json");
        assert!(write(&path, &import("one"), time(1)).unwrap());
        assert!(!write(&path, &import("one"), time(2)).unwrap());
        assert_eq!(read(&path).unwrap().unwrap().read, time(1));

        assert!(write(&path, &import("two"), time(3)).unwrap());
        assert_eq!(read(&path).unwrap().unwrap().read, time(3));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(write(&path, &import("two"), time(4)).unwrap());
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_broken_cache_is_told_without_its_contents_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("petasan-import.json");
        write(&path, &import("topsecret"), time(1)).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for (bad, told) in [
            (String::new(), "broken at line 1"),
            (good[..good.len() / 2].to_owned(), "broken at line"),
            (
                good.replace("\"topsecret\"", "[\"topsecret\"]"),
                "broken at line",
            ),
            (good.replace("465", "\"topsecret\""), "broken at line"),
            (
                good.replace("\"version\": 1", "\"version\": 2"),
                "its version is 2",
            ),
            (
                good.replace("ops@example.org", "ops"),
                "Missing domain or user",
            ),
        ] {
            fs::write(&path, &bad).unwrap();
            let error = format!("{:#}", read(&path).unwrap_err());
            assert!(
                error.starts_with(&format!("cannot use {}: ", path.display())),
                "{error}"
            );
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("topsecret"), "{error}");
            assert!(write(&path, &import("one"), time(2)).unwrap());
            assert_eq!(read(&path).unwrap().unwrap().import, import("one"));
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/petasan-import.json");
        let error = format!("{:#}", write(&path, &import("one"), time(1)).unwrap_err());
        assert!(
            error.starts_with(&format!("cannot write {}: ", path.display())),
            "{error}"
        );
    }
}
