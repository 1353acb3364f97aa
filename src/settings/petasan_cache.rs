//! The last good import from PetaSAN, kept beside the state file for the hour in which Consul can't be read.
//!
//! The file holds the mail server's password, so it has mode 0600 and types of its own; and a checksum, for a password must
//! not go to a server whose name is damaged.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use lettre::Address;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::petasan::{Import, ImportedSmtp};
use super::{Secret, Security};
use crate::aside::set_aside;
use crate::replace::{Safe, replace};
use crate::seal::{Seal, sealed};

/// Version 1 had no checksum and is still read.
const VERSION: u32 = 2;

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
    #[serde(default, skip_serializing)]
    checksum: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
struct SmtpDocument {
    host: String,
    port: u16,
    security: Security,
    from: String,
    password: Option<String>,
}

/// Why a cache can't be used.
enum Unusable {
    /// It can't be read.
    Unread(io::Error),
    /// It is not as it was written. The reason holds none of its content.
    Broken(String),
    /// Another release wrote it.
    Version(u32),
}

/// Reads the cache; `None` when there is none yet. Nothing is touched.
///
/// # Errors
/// It can't be read, is broken, or was written by another release.
pub fn read(path: &Path) -> Result<Option<Cached>> {
    open(path).map_err(|unusable| refusal(path, &unusable))
}

/// As [`read`], for a pass: a broken cache is set aside under a name with the time, and both names are told.
///
/// # Errors
/// As those of [`read`].
pub fn load(path: &Path, now: Timestamp) -> Result<Option<Cached>> {
    open(path).map_err(|unusable| match &unusable {
        Unusable::Broken(reason) => match set_aside(path, reason, now) {
            Ok(told) => anyhow!(told),
            Err(error) => error,
        },
        Unusable::Unread(_) | Unusable::Version(_) => refusal(path, &unusable),
    })
}

/// Writes the cache with mode 0600 and replaces the old one in one step, unless it says the same already. An old one that is
/// broken is set aside first; that is what is returned, to be told.
///
/// # Errors
/// The file can't be written, or a broken one not be set aside; the old one is untouched then.
pub fn write(path: &Path, import: &Import, now: Timestamp) -> Result<Option<String>> {
    let told = match open(path) {
        Ok(Some(cached))
            if cached.import == *import
                && fs::metadata(path)
                    .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0) =>
        {
            return Ok(None);
        }
        Err(Unusable::Broken(reason)) => Some(set_aside(path, &reason, now)?),
        Ok(_) | Err(Unusable::Unread(_) | Unusable::Version(_)) => None,
    };
    replace(path, &render(import, now)?, None, Safe::Now)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(told)
}

fn open(path: &Path) -> Result<Option<Cached>, Unusable> {
    match fs::read(path) {
        Ok(bytes) => parse(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unusable::Unread(error)),
    }
}

fn refusal(path: &Path, unusable: &Unusable) -> anyhow::Error {
    let path = path.display();
    match unusable {
        Unusable::Unread(error) => anyhow!("cannot read {path}: {error}"),
        Unusable::Broken(reason) => anyhow!("cannot use {path}: it is broken ({reason})"),
        Unusable::Version(version) => {
            anyhow!("cannot use {path}: its version is {version}, not {VERSION}")
        }
    }
}

fn render(import: &Import, now: Timestamp) -> Result<Vec<u8>> {
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
        checksum: None,
    };
    Ok(sealed(&document)?)
}

fn parse(bytes: &[u8]) -> Result<Cached, Unusable> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| {
        // serde_json's own words may quote a value, and one of the values is the password.
        let (line, column) = (error.line(), error.column());
        Unusable::Broken(format!("line {line}, column {column}"))
    })?;
    match (document.version, document.checksum, Seal::of(bytes)) {
        (1, None, _) | (VERSION, _, Seal::Right) => {}
        (1 | VERSION, ..) | (_, _, Seal::Wrong) => {
            return Err(Unusable::Broken("its checksum is wrong".to_owned()));
        }
        (version, _, Seal::Right | Seal::Missing) => return Err(Unusable::Version(version)),
    }
    let address = |text: &str| -> Result<Address, Unusable> {
        text.parse()
            .map_err(|error| Unusable::Broken(format!("an address in it is none: {error}")))
    };
    let smtp = match document.smtp {
        Err(reason) => Err(reason),
        Ok(smtp) => Ok(ImportedSmtp {
            host: smtp.host,
            port: smtp.port,
            security: smtp.security,
            from: address(&smtp.from)?,
            password: smtp.password.map(Secret::new),
        }),
    };
    let followers = document.followers.iter();
    let followers: Result<Vec<Address>, Unusable> = followers.map(|f| address(f)).collect();
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
        assert_eq!(write(&path, &import("one"), time(1)).unwrap(), None);
        let cached = read(&path).unwrap().unwrap();
        assert_eq!((cached.read, cached.import), (time(1), import("one")));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        let none = Import {
            smtp: Err("no mail server".to_owned()),
            followers: Vec::new(),
        };
        assert_eq!(write(&path, &none, time(2)).unwrap(), None);
        assert_eq!(read(&path).unwrap().unwrap().import, none);
    }

    #[test]
    fn it_is_written_only_when_something_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("petasan-import.json");
        assert_eq!(write(&path, &import("one"), time(1)).unwrap(), None);
        assert_eq!(write(&path, &import("one"), time(2)).unwrap(), None);
        assert_eq!(read(&path).unwrap().unwrap().read, time(1));

        assert_eq!(write(&path, &import("two"), time(3)).unwrap(), None);
        assert_eq!(read(&path).unwrap().unwrap().read, time(3));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(write(&path, &import("two"), time(4)).unwrap(), None);
        assert_eq!(read(&path).unwrap().unwrap().read, time(4));
        assert_eq!(mode(&path), 0o600);
    }

    fn private(text: &str) -> bool {
        !text.contains("topsecret")
    }

    #[test]
    fn a_broken_cache_is_told_without_its_contents_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("petasan-import.json");
        let aside = folder
            .path()
            .join("petasan-import.json.broken-19700101T000002Z");
        write(&path, &import("topsecret"), time(1)).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        let checksum = "its checksum is wrong";
        for (bad, told) in [
            (String::new(), "line 1"),
            (good[..good.len() / 2].to_owned(), "line "),
            (good.replace("\"topsecret\"", "[\"topsecret\"]"), "line "),
            (good.replace("465", "\"topsecret\""), "line "),
            (good.replace("465", "466"), checksum),
            (good.replace("topsecret", "topsecres"), checksum),
            (good.replace("\"version\": 2", "\"version\": 3"), checksum),
            (good.replace("\"version\": 2", "\"version\": 1"), checksum),
            (good.replace("mail.", "evil."), checksum),
        ] {
            fs::write(&path, &bad).unwrap();
            let error = format!("{:#}", read(&path).unwrap_err());
            let expected = format!("cannot use {}: it is broken ({told}", path.display());
            assert!(error.starts_with(&expected), "{error}");
            assert!(private(&error) && path.exists(), "who only looks, {error}");

            let both = format!("it is kept as {}", aside.display());
            let error = format!("{:#}", load(&path, time(2)).unwrap_err());
            assert!(error.contains(&both) && private(&error), "{error}");
            assert_eq!(fs::read_to_string(&aside).unwrap(), bad);
            assert_eq!(load(&path, time(2)).unwrap(), None, "it is told once");

            fs::write(&path, &bad).unwrap();
            fs::remove_file(&aside).unwrap();
            let error = write(&path, &import("one"), time(2)).unwrap().unwrap();
            assert!(error.contains(&both) && private(&error), "{error}");
            assert_eq!(fs::read_to_string(&aside).unwrap(), bad);
            assert_eq!(read(&path).unwrap().unwrap().import, import("one"));
        }
    }

    #[test]
    fn what_other_releases_wrote_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("petasan-import.json");
        write(&path, &import("one"), time(1)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        document.as_object_mut().unwrap().remove("checksum");
        document["version"] = 1.into();
        fs::write(&path, document.to_string()).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().import, import("one"));

        document["version"] = 3.into();
        for text in [
            document.to_string().into_bytes(),
            sealed(&document).unwrap(),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", load(&path, time(2)).unwrap_err());
            assert!(error.ends_with("its version is 3, not 2"), "{error}");
            assert!(path.exists());
        }
        assert_eq!(write(&path, &import("two"), time(3)).unwrap(), None);
        assert_eq!(read(&path).unwrap().unwrap().import, import("two"));
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
