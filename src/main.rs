//! The command: parse, run, map to an exit status.

use std::process::ExitCode;

use clap::Parser;
use petanotify::cli::Cli;

fn main() -> ExitCode {
    petanotify::run(&Cli::parse())
}
