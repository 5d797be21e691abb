//! `cargo sluice`: builds, checks and tests Sluice plugins, and starts a gateway to try them in.
//!
//! Links no part of the gateway: what needs the sandbox is asked of the `sluice` binary.

mod bench;
mod build;
mod cargo;
mod chat;
mod check;
mod component;
mod environment;
mod fetch;
mod local_model;
mod new;
mod prerequisite;
mod problem;
mod say;
mod sluice;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::problem::Problem;

/// Builds, checks and tests Sluice plugins, and starts a gateway to try them in.
#[derive(Debug, Parser)]
#[command(name = "cargo sluice", bin_name = "cargo sluice", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a plugin crate that builds and passes its test as it is.
    New(new::Arguments),
    /// Builds a plugin, or, without a path in Sluice's workspace, every plugin and the gateway.
    Build(build::Arguments),
    /// Lets the gateway look at a component as it would when loading it.
    Check(check::Arguments),
    /// Tests a plugin natively and in the sandbox, or, without a path, all of Sluice.
    Test(test::Arguments),
    /// Measures the gateway beside the least that any could cost, and writes target/bench/report.json.
    Bench(bench::Arguments),
    /// Builds everything and starts a gateway to try out, with a small real model.
    Up(up::Arguments),
    /// Chats with a running gateway in this terminal.
    Chat(chat::Arguments),
}

fn main() -> ExitCode {
    // Cargo hands its own word on as the first argument; run directly, it is not there.
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "sluice") {
        words.remove(1);
    }
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(answer) => return usage(&answer),
    };
    let outcome = match arguments.command {
        Command::New(arguments) => new::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Up(arguments) => up::run(&arguments),
        Command::Chat(arguments) => chat::run(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say::problem(&problem);
            problem.exit_code()
        }
    }
}

/// Prints clap's answer: help and version are no failure, a wrong argument is.
fn usage(answer: &clap::Error) -> ExitCode {
    let code = if answer.use_stderr() { Problem::USAGE } else { 0 };
    // Nobody reading is nothing to report, least of all to them.
    answer.print().ok();
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
