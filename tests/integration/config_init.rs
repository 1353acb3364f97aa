//! `config init`: the commented example, where there is no configuration yet.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::cluster::{Cluster, mode};

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/petanotify.toml");
    fs::read_to_string(path).unwrap()
}

#[test]
fn it_writes_the_example_where_it_is_told_and_says_what_comes_next() {
    let mut cluster = Cluster::new();
    let path = cluster.folder().join("etc/petanotify/new one.toml");
    let named = path.to_str().unwrap();
    let run = cluster.run_after("umask 077", &["config", "init", named]);
    assert_eq!(run.exits(0).stderr, "");
    assert_eq!(fs::read_to_string(&path).unwrap(), example());
    assert_eq!(mode(&path), 0o644);
    assert_eq!(mode(path.parent().unwrap()), 0o755);
    let next = format!("\n  petanotify --config '{named}' config check\n");
    assert!(run.stdout.contains(&next), "{}", run.stdout);

    cluster.without_flags();
    let shown = cluster.run(&["--config", named, "config", "show"]);
    assert!(
        shown.exits(0).stdout.contains("state.file"),
        "it is a good one"
    );

    let other = cluster.folder().join("other.toml");
    let run = cluster.run(&["--config", other.to_str().unwrap(), "config", "init"]);
    run.exits(0);
    assert_eq!(fs::read_to_string(&other).unwrap(), example());
}

#[test]
fn the_file_is_written_where_it_is_looked_for() {
    let mut cluster = Cluster::new();
    cluster.without_flags();
    let path = cluster.folder().join("env.toml");
    cluster.env("PETANOTIFY_CONFIG", path.to_str().unwrap());
    let run = cluster.run(&["config", "init"]);
    run.exits(0);
    assert!(
        run.stdout.contains("\n  petanotify config check\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("\n  systemctl enable --now petanotify.timer\n")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), example());
}

#[test]
fn a_user_has_a_place_of_his_own() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut cluster = Cluster::new();
    cluster.without_flags();
    cluster.as_nobody();
    let home = cluster.folder().join("home");
    std::os::unix::fs::chown(&home, Some(65534), Some(65534)).unwrap();
    cluster.run(&["config", "init"]).exits(0);
    let path = home.join(".config/petanotify/petanotify.toml");
    assert_eq!(fs::read_to_string(path).unwrap(), example());
}

#[test]
fn it_never_writes_over_a_file() {
    let cluster = Cluster::new();
    let path = cluster.config_file();
    // A wrong one least of all: somebody is at work on it.
    cluster.write_config("recipient = nonsense\n");
    let run = cluster.run(&["config", "init"]);
    run.exits(1)
        .says(&["error", path.to_str().unwrap(), "is there already"]);
    assert_eq!(run.stdout, "");
    assert_eq!(fs::read_to_string(&path).unwrap(), "recipient = nonsense\n");

    let link = cluster.folder().join("link.toml");
    let target = cluster.folder().join("target.toml");
    symlink(&target, &link).unwrap();
    cluster
        .run(&["config", "init", link.to_str().unwrap()])
        .exits(1);
    assert!(!target.exists(), "a link that leads nowhere is there, too");
}

#[test]
fn a_folder_that_cannot_be_written_is_74_with_the_way_out() {
    let mut cluster = Cluster::new();
    let below_a_file = cluster.config_file().join("petanotify.toml");
    cluster.write_config("");
    let run = cluster.run(&["config", "init", below_a_file.to_str().unwrap()]);
    run.exits(74)
        .says(&["cannot write", below_a_file.to_str().unwrap(), "exists"]);
    assert_eq!(run.stdout, "");
    if rustix::process::geteuid().is_root() {
        cluster.as_nobody();
        let path = cluster.folder().join("mine.toml");
        let run = cluster.run(&["config", "init", path.to_str().unwrap()]);
        run.exits(74)
            .says(&["Permission denied", "petanotify config init FILE"]);
        assert!(!path.exists());
    }
}
