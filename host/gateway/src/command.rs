//! What the command line does, one file a command, and the exit codes they share.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::settings::{self, Configured, Problems, Settings, Warning};

pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod import;
pub(crate) mod plugin;
pub(crate) mod reseal;
pub(crate) mod serve;
pub(crate) mod token;

/// How the process ends. Numbers as in `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// What was looked at works, and somebody should look at it.
    Worrying = 1,
    /// The command line or the configuration is wrong.
    Configuration = 64,
    /// The archive or the port is not to be had.
    Unavailable = 69,
    /// The gateway failed.
    Internal = 70,
    /// Answers were cut short to be gone in time.
    CutShort = 75,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Reads and checks the configuration; what is wrong is told to the person at the terminal, all of it.
fn settings(files: &[PathBuf]) -> Result<Settings, ExitCode> {
    configured(files).map(|configured| configured.settings)
}

/// Reads files and environment.
fn read(files: &[PathBuf]) -> Result<Configured, Problems> {
    settings::load(files, environment())
}

/// The variables of this process that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// As [`settings()`], with what every key comes to.
fn configured(files: &[PathBuf]) -> Result<Configured, ExitCode> {
    let configured = read(files).map_err(told)?;
    configured.warnings.iter().for_each(warn);
    Ok(configured)
}

/// As [`settings()`], for a command that needs nothing but these sections: a backup needs no vendor's key.
fn part<T>(
    files: &[PathBuf],
    sections: &[&str],
    take: impl FnOnce(Settings) -> T,
) -> Result<T, ExitCode> {
    let read = settings::load_part(files, environment(), sections, take);
    let (part, warnings) = read.map_err(told)?;
    warnings.iter().for_each(warn);
    Ok(part)
}

fn told(problems: Problems) -> ExitCode {
    tell(problems);
    Exit::Configuration.into()
}

fn warn(warning: &Warning) {
    tell(format_args!("warning: {warning}"));
}

/// Help and versions are no errors; everything else about the command line is.
#[expect(clippy::print_stdout, reason = "help is asked for on stdout")]
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        tell(error.render().ansi());
        return Exit::Configuration.into();
    }
    print!("{}", error.render().ansi());
    ExitCode::SUCCESS
}

/// A word to the person at the terminal.
fn tell(words: impl Display) {
    // Nobody listens: nobody can be told so either.
    drop(writeln!(std::io::stderr(), "{words}"));
}

/// What was asked for.
fn print(answer: impl Display) {
    // A reader that has seen enough, as `head` has, closes the pipe.
    drop(writeln!(std::io::stdout(), "{answer}"));
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

/// A runtime for a command that is soon over.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        tell(format_args!("cannot start: {error}"));
        ExitCode::from(Exit::Internal)
    })?;
    Ok(runtime.block_on(work))
}
