//! Where the configuration and the state lie.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::environment::Environment;
use super::{Origin, Settings};

const CONFIG_NAME: &str = "petanotify.toml";
const STATE_NAME: &str = "state.json";

/// A place where the configuration may lie.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Named by the admin, by this flag or variable: it must be there.
    Named(PathBuf, &'static str),
    /// Looked at if it is there.
    Usual(PathBuf),
    /// Like `Usual`, in the user's home, which the sandbox of a service may hide.
    Home(PathBuf),
}

/// Where to look for the configuration, the first hit counts.
fn config_places(flag: Option<&Path>, environment: &Environment) -> Vec<Place> {
    if let Some(path) = flag {
        return vec![Place::Named(path.to_owned(), "--config")];
    }
    if let Some(path) = environment.path("PETANOTIFY_CONFIG") {
        return vec![Place::Named(path, "$PETANOTIFY_CONFIG")];
    }
    let mut places = Vec::new();
    if let Some(folder) = environment.first_folder("CONFIGURATION_DIRECTORY") {
        places.push(Place::Usual(folder.join(CONFIG_NAME)));
    }
    places.push(Place::Usual(Path::new("/etc/petanotify").join(CONFIG_NAME)));
    if let Some(folder) = &environment.user_config_folder {
        places.push(Place::Home(folder.join(CONFIG_NAME)));
    }
    places
}

/// Where a new configuration belongs: the file that is named, else where [`read_config`] looks for that of this user. `None`
/// for a user without a home.
pub fn new_config(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    if let Some(path) = environment.path("PETANOTIFY_CONFIG") {
        return Some(path);
    }
    match (&environment.user_config_folder, environment.is_root) {
        (_, true) => Some(Path::new("/etc/petanotify").join(CONFIG_NAME)),
        (Some(folder), false) => Some(folder.join(CONFIG_NAME)),
        (None, false) => None,
    }
}

/// Whether [`read_config`] looks there without being told to.
pub fn is_looked_for(path: &Path, environment: &Environment) -> bool {
    let places = config_places(None, environment);
    places.iter().any(|place| match place {
        Place::Named(place, _) | Place::Usual(place) | Place::Home(place) => place == path,
    })
}

/// Finds and reads the configuration file; `None` when there is none, which is fine.
///
/// # Errors
/// A file that the flag or `PETANOTIFY_CONFIG` names is not there, or a file that is there can't be read.
pub fn read_config(
    flag: Option<&Path>,
    environment: &Environment,
) -> Result<Option<(PathBuf, String)>> {
    for place in config_places(flag, environment) {
        let path = match &place {
            Place::Named(path, _) | Place::Usual(path) | Place::Home(path) => path,
        };
        match (fs::read(path), &place) {
            (Ok(bytes), _) => {
                let text = String::from_utf8(bytes)
                    .with_context(|| format!("cannot use {}: not UTF-8 text", path.display()))?;
                return Ok(Some((path.clone(), text)));
            }
            (Err(error), Place::Named(_, by)) if error.kind() == ErrorKind::NotFound => bail!(
                "there is no {}, which {by} names; create it, or leave {by} out to do without a file",
                path.display()
            ),
            (Err(error), _)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            (Err(_), Place::Home(_)) if fs::symlink_metadata(path).is_err() => {}
            (Err(error), _) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        }
    }
    Ok(None)
}

/// The state file of this run: `--state`, `$PETANOTIFY_STATE`, `state.file`, systemd's `$STATE_DIRECTORY`, and last
/// `/var/lib/petanotify` for root or the user's own state folder.
pub fn state_file(flag: Option<&Path>, environment: &Environment, settings: &Settings) -> PathBuf {
    match flag {
        Some(path) => path.to_owned(),
        None => state_file_and_origin(environment, settings.state_file.as_deref()).0,
    }
}

/// Where the state goes while its own place can't be written: a folder in memory, which systemd makes for the service
/// (`RuntimeDirectory=`, kept between passes) or for a user who is logged in. `None` where there is no such folder.
///
/// Its name is made of the state file's, so that two of them don't share it.
pub fn second_state_file(environment: &Environment, state_file: &Path) -> Option<PathBuf> {
    let service = PathBuf::from("/run/petanotify");
    let folder = match environment.first_folder("RUNTIME_DIRECTORY") {
        Some(folder) => folder,
        // A command run by hand looks where the service writes.
        None if environment.is_root => Some(service).filter(|folder| folder.is_dir())?,
        None => environment
            .first_folder("XDG_RUNTIME_DIR")?
            .join("petanotify"),
    };
    let whole = std::path::absolute(state_file).unwrap_or_else(|_| state_file.to_owned());
    let name = whole.to_string_lossy().replace('/', "-");
    Some(folder.join(name.trim_start_matches('-')))
}

/// The state file without a flag, and what named it. The origin of `from_file` is for the caller to tell.
pub(super) fn state_file_and_origin(
    environment: &Environment,
    from_file: Option<&Path>,
) -> (PathBuf, Option<Origin>) {
    let variable = |name: &str| Some(Origin::Environment(name.to_owned()));
    if let Some(path) = environment.path("PETANOTIFY_STATE") {
        return (path, variable("PETANOTIFY_STATE"));
    }
    if let Some(path) = from_file {
        return (path.to_owned(), None);
    }
    if let Some(folder) = environment.first_folder("STATE_DIRECTORY") {
        return (folder.join(STATE_NAME), variable("STATE_DIRECTORY"));
    }
    let folder = match &environment.user_state_folder {
        Some(folder) if !environment.is_root => folder,
        _ => Path::new("/var/lib/petanotify"),
    };
    (folder.join(STATE_NAME), Some(Origin::Default))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.into()))
                .collect(),
            is_root: false,
            user_config_folder: Some("/home/u/.config/petanotify".into()),
            user_state_folder: Some("/home/u/.local/state/petanotify".into()),
        }
    }

    #[test]
    fn the_configuration_is_looked_for_in_this_order() {
        let etc = Place::Usual("/etc/petanotify/petanotify.toml".into());
        let home = Place::Home("/home/u/.config/petanotify/petanotify.toml".into());
        let all = [
            ("PETANOTIFY_CONFIG", "/env.toml"),
            ("CONFIGURATION_DIRECTORY", "/systemd:/other"),
        ];
        assert_eq!(
            config_places(Some(Path::new("flag.toml")), &environment(&all)),
            [Place::Named("flag.toml".into(), "--config")]
        );
        assert_eq!(
            config_places(None, &environment(&all)),
            [Place::Named("/env.toml".into(), "$PETANOTIFY_CONFIG")]
        );
        assert_eq!(
            config_places(None, &environment(&all[1..])),
            [Place::Usual("/systemd/petanotify.toml".into()), etc, home]
        );
    }

    #[test]
    fn the_state_lies_where_the_first_of_these_says() {
        let variables = [
            ("PETANOTIFY_STATE", "/env.json"),
            ("STATE_DIRECTORY", "/systemd:/b"),
        ];
        let of = |environment: &Environment, from_file: Option<&str>| {
            let (path, origin) = state_file_and_origin(environment, from_file.map(Path::new));
            (path.display().to_string(), origin)
        };
        let variable = |name: &str| Some(Origin::Environment(name.into()));

        let every = environment(&variables);
        assert_eq!(
            of(&every, Some("/file.json")),
            ("/env.json".into(), variable("PETANOTIFY_STATE"))
        );
        let systemd = environment(&variables[1..]);
        assert_eq!(
            of(&systemd, Some("/file.json")),
            ("/file.json".into(), None)
        );
        assert_eq!(
            of(&systemd, None),
            ("/systemd/state.json".into(), variable("STATE_DIRECTORY"))
        );
        let mut none = environment(&[]);
        assert_eq!(
            of(&none, None),
            (
                "/home/u/.local/state/petanotify/state.json".into(),
                Some(Origin::Default)
            )
        );
        none.is_root = true;
        assert_eq!(
            of(&none, None),
            (
                "/var/lib/petanotify/state.json".into(),
                Some(Origin::Default)
            )
        );
    }

    #[test]
    fn a_named_file_must_be_there_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent.toml");
        let error = read_config(Some(&path), &Environment::default()).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            format!(
                "there is no {}, which --config names; create it, or leave --config out to do without a file",
                path.display()
            )
        );
    }

    #[test]
    fn the_second_place_is_named_after_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let with = |variables: &[(&str, &str)], is_root| Environment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.into()))
                .collect(),
            is_root,
            ..Environment::default()
        };
        let state = Path::new("/var/lib/petanotify/state.json");
        let runtime = folder.path().to_str().unwrap();
        let second = |variables: &[(&str, &str)], is_root| {
            second_state_file(&with(variables, is_root), state)
        };
        let name = "var-lib-petanotify-state.json";
        assert_eq!(
            second(&[("RUNTIME_DIRECTORY", runtime)], true),
            Some(folder.path().join(name))
        );
        assert_eq!(
            second(&[("XDG_RUNTIME_DIR", runtime)], false),
            Some(folder.path().join("petanotify").join(name))
        );
        assert_eq!(second(&[], false), None);
    }

    #[test]
    fn a_file_that_is_there_must_be_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CONFIG_NAME);
        let environment = Environment {
            variables: [("CONFIGURATION_DIRECTORY".to_owned(), folder.path().into())].into(),
            ..Environment::default()
        };

        std::fs::write(&path, b"# \xff").unwrap();
        let error = read_config(None, &environment).unwrap_err();
        assert!(format!("{error:#}").contains("not UTF-8"), "{error:#}");

        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = format!("{:#}", read_config(None, &environment).unwrap_err());
        assert!(
            error.starts_with(&format!("cannot read {}", path.display())),
            "{error}"
        );

        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "# nothing").unwrap();
        let (found, text) = read_config(None, &environment).unwrap().unwrap();
        assert_eq!((found, text.as_str()), (path.clone(), "# nothing"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
        if std::fs::read(&path).is_err() {
            let error = format!("{:#}", read_config(None, &environment).unwrap_err());
            assert!(error.contains("ermission denied"), "{error}");
        }
    }
}
