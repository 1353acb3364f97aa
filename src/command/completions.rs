//! `petanotify completions`: what a shell needs to complete our command lines, made from their definition.

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::aot;

use super::{Done, Stop, print};
use crate::cli::{Cli, Shell};

/// Prints the completions for a shell.
///
/// # Errors
/// Standard output can't be written.
pub fn completions(shell: Shell) -> Result<Done, Stop> {
    let shell = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Zsh => aot::Shell::Zsh,
        Shell::Fish => aot::Shell::Fish,
    };
    let mut script = Vec::new();
    let mut cli = for_people();
    aot::generate(shell, &mut cli, "petanotify", &mut script);
    let mut script = String::from_utf8(script)
        .context("the completions are not UTF-8")
        .map_err(Stop::Output)?;
    if shell == aot::Shell::Fish {
        script.push_str(&arguments_for_fish(&cli));
    }
    print(&script)?;
    Ok(Done::Complete)
}

/// The command line without what is hidden from `--help`: the generators would offer it.
fn for_people() -> clap::Command {
    let cli = Cli::command();
    let shown = cli
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    clap::Command::new("petanotify")
        .version(env!("CARGO_PKG_VERSION"))
        .args(cli.get_arguments().cloned())
        .subcommands(shown.cloned())
}

/// The values of arguments without a dash, which the generator leaves out for fish.
fn arguments_for_fish(cli: &clap::Command) -> String {
    let mut lines = String::new();
    for command in cli.get_subcommands() {
        let values = command
            .get_positionals()
            .flat_map(|argument| argument.get_possible_values());
        for value in values {
            lines.push_str(&format!(
                "complete -c petanotify -n \"__fish_petanotify_using_subcommand {}\" -f -a {}\n",
                command.get_name(),
                value.get_name()
            ));
        }
    }
    lines
}
