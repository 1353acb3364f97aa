//! Runs the built petanotify against stand-ins for Ceph, Consul and the mail server.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod audience;
mod bad_input;
mod by_hand;
mod cause;
mod ceph;
mod certificates;
mod cli;
mod clock;
mod cluster;
mod config_check;
mod config_init;
mod consul;
mod definition;
mod docs;
mod flapping;
mod growth;
mod health;
mod language;
mod librados;
mod pass;
mod petasan_import;
mod queue;
mod quiet;
mod recorded;
mod relay;
mod servers;
mod shared_memory;
mod sharing;
mod state_file;
mod terminal;
mod watchers;
mod ways;
mod wire;
