//! Tries to break the promise that an alert, once seen, reaches its people, and reaches them once: kills, failing disks,
//! mangled files, sick mail servers, many passes at once. Each test prints what it counted:
//! `cargo test --test faults -- --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

// The stand-ins are those of the integration tests, and not every one of their powers is needed here.
#[allow(dead_code)]
#[path = "../integration/ceph.rs"]
mod ceph;
#[allow(dead_code)]
#[path = "../integration/certificates.rs"]
mod certificates;
#[allow(dead_code)]
#[path = "../integration/cluster.rs"]
mod cluster;
#[allow(dead_code)]
#[path = "../integration/consul.rs"]
mod consul;
#[allow(dead_code)]
#[path = "../integration/relay.rs"]
mod relay;
#[allow(dead_code)]
#[path = "../integration/servers.rs"]
mod servers;
#[allow(dead_code)]
#[path = "../integration/wire.rs"]
mod wire;

mod disk;
mod far_away;
mod kills;
mod ledger;
mod mangled;
mod sick_relay;
mod together;
mod ways;

/// A number from the environment, else this one.
fn number(variable: &str, otherwise: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => otherwise,
    }
}
