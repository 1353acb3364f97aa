//! A month in the life of a cluster, pass by pass: what petanotify mails, compared with what a good colleague would have
//! written (`ideal`), with what the mails make a reader believe (`reader`), and with the service that it replaces
//! (`old_service`). Prints a table: `cargo test --profile faults --test month -- --nocapture`.
//!
//! `PETANOTIFY_MONTH_SEED` tells another month; 0 makes one up.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

// The stand-ins are those of the integration tests, and not every one of their powers is needed here.
#[allow(dead_code)]
#[path = "../integration/ceph.rs"]
mod ceph;
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

mod chance;
mod ideal;
mod month;
mod old_service;
mod product;
mod program;
mod reader;
mod story;
mod table;
mod world;
