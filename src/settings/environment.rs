//! The environment of the process, read once, so that everything else takes it as a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use directories::ProjectDirs;

/// Environment variables and the folders that go with the user. The default is an empty environment of nobody in particular.
#[derive(Clone, Default)]
pub struct Environment {
    /// All variables by name.
    pub variables: BTreeMap<String, OsString>,
    /// Whether the effective user is root.
    pub is_root: bool,
    /// The user's configuration folder for petanotify (XDG), e.g. `~/.config/petanotify`; `None` without a home.
    pub user_config_folder: Option<PathBuf>,
    /// The user's state folder for petanotify (XDG), e.g. `~/.local/state/petanotify`; `None` without a home.
    pub user_state_folder: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment of this process. Variables whose name is not UTF-8 are none of ours.
    pub fn of_process() -> Self {
        let project = ProjectDirs::from("", "", "petanotify");
        Environment {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
            is_root: rustix::process::geteuid().is_root(),
            user_config_folder: project.as_ref().map(|dirs| dirs.config_dir().to_owned()),
            user_state_folder: project
                .as_ref()
                .and_then(ProjectDirs::state_dir)
                .map(ToOwned::to_owned),
        }
    }

    /// A variable's text; an empty one counts as not set, as it does for systemd and Consul.
    pub fn text(&self, name: &str) -> Option<String> {
        self.variables
            .get(name)
            .filter(|value| !value.is_empty())
            .map(|value| value.to_string_lossy().into_owned())
    }

    /// A variable that names one path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    /// The first of the folders that systemd lists in a variable like `STATE_DIRECTORY`, separated by colons (systemd.exec(5)).
    pub fn first_folder(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.variables.get(name)?)
            .next()
            .filter(|folder| !folder.as_os_str().is_empty())
    }
}

/// Names only: values like that of `CONSUL_HTTP_TOKEN` are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("is_root", &self.is_root)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, value: &str) -> Environment {
        Environment {
            variables: BTreeMap::from([(name.to_owned(), value.into())]),
            ..Environment::default()
        }
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert_eq!(environment("A", "").text("A"), None);
        assert_eq!(environment("A", "").path("A"), None);
        assert_eq!(environment("A", "").first_folder("A"), None);
        assert_eq!(environment("A", "x").text("A").as_deref(), Some("x"));
        assert_eq!(environment("A", "x").text("B"), None);
    }

    #[test]
    fn the_first_of_several_folders_counts() {
        for (value, first) in [("/a", Some("/a")), ("/a:/b", Some("/a")), (":/b", None)] {
            let folder = environment("STATE_DIRECTORY", value).first_folder("STATE_DIRECTORY");
            assert_eq!(folder, first.map(PathBuf::from), "{value}");
        }
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", environment("CONSUL_HTTP_TOKEN", "topsecret"));
        assert!(shown.contains("CONSUL_HTTP_TOKEN") && !shown.contains("topsecret"));
    }
}
