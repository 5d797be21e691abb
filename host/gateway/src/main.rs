//! The process `sluice`: sockets, sessions, routes, admission, settings, wiring, drain.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

mod accept;
mod address;
mod admission;
mod ask;
mod body;
mod breaker;
mod call;
mod catalog;
mod clock;
mod command;
mod connection;
mod credentials;
mod drain;
mod every;
mod fresh;
mod gateway;
mod identity;
mod ledger;
mod metrics;
mod notices;
mod plugins;
mod policies;
mod rate;
mod reload;
mod retention;
mod revocation;
mod routes;
mod rules;
mod serve;
mod session;
mod settings;
mod storage;
mod telemetry;

/// A self-hosted gateway between chat clients and large language models.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct ConfigFiles {
    /// A TOML file; several are read in order, later ones win, the environment wins over all.
    #[arg(long = "config", value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway.
    Serve {
        #[command(flatten)]
        config: ConfigFiles,
    },
    /// Validates the whole configuration, loads every plugin and prints what would run.
    Check {
        #[command(flatten)]
        config: ConfigFiles,
        /// Explains one key of the configuration instead, by its name or that of its variable.
        #[arg(long, value_name = "KEY")]
        explain: Option<String>,
    },
    /// Asks a running gateway how it is, as its clients would.
    Doctor(command::doctor::Asked),
    /// Prints a token for a user.
    Token {
        #[command(flatten)]
        config: ConfigFiles,
        #[command(flatten)]
        wanted: command::token::Wanted,
    },
    /// Copies the archive to a new file, while the gateway may be running.
    Backup {
        #[command(flatten)]
        config: ConfigFiles,
        /// Where the copy goes; nothing may be there.
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
    /// Seals everything that is stored under the current key. The gateway must not be running.
    Reseal {
        #[command(flatten)]
        config: ConfigFiles,
    },
    /// Takes over the conversations of the gateway that came before. The gateway must not be running.
    Import {
        #[command(flatten)]
        config: ConfigFiles,
        #[command(flatten)]
        wanted: command::import::Wanted,
    },
    /// Looks at plugins.
    Plugin {
        #[command(subcommand)]
        command: command::plugin::PluginCommand,
    },
    /// Prints a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command::usage(&error),
    };
    match cli.command {
        Command::Serve { config } => command::serve::run(&config.files),
        Command::Check { explain: Some(key), .. } => command::check::explain(&key),
        Command::Check { config, explain: None } => command::check::run(&config.files),
        Command::Doctor(asked) => command::doctor::run(&asked),
        Command::Token { config, wanted } => command::token::run(&config.files, &wanted),
        Command::Backup { config, to } => command::backup::run(&config.files, &to),
        Command::Reseal { config } => command::reseal::run(&config.files),
        Command::Import { config, wanted } => command::import::run(&config.files, &wanted),
        Command::Plugin { command } => command::plugin::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "sluice", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}
