//! `sluice doctor`: is the gateway at this address well, for somebody who comes from here?
//!
//! It knows nothing but what any client may ask; it reads no configuration and no archive.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use sluice_upstream::{Destination, Visitor};

use self::finding::{Finding, Outcome};
use super::{Exit, block_on, chain, print, tell};

mod checkup;
mod finding;
mod socket;

/// Longest wait for any answer but a model's.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variable that a token is taken from.
const TOKEN: &str = "SLUICE_TOKEN";

/// Whom to ask, and what.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Address of the gateway, path prefix included: `https://chat.example/chatbox`.
    #[arg(value_name = "URL")]
    url: String,
    /// A user's token, for what needs one. The variable `SLUICE_TOKEN` keeps it out of the list of processes.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The model to ask. Without it `echo` is, if there is one, else the first that the token may use.
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// Asks whether the process lives, and nothing else: for the health check of a container.
    #[arg(long)]
    health: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Prints one line a check. The exit code is that of the worst.
pub(crate) fn run(asked: &Asked) -> ExitCode {
    let token = token(asked.token.as_deref());
    let visitor = match visitor(&asked.url, token.as_deref()) {
        Ok(visitor) => visitor,
        Err(exit) => return exit,
    };
    let mut worst = Outcome::Fine;
    let mut report = |finding: Finding| {
        worst = worst.max(finding.outcome);
        if asked.json { print(finding.json()) } else { print(finding) }
    };
    let looked = block_on(async {
        let is_there = checkup::health(&visitor, &mut report).await;
        if is_there && !asked.health {
            report(checkup::readiness(&visitor).await);
            checkup::client(&visitor, token.is_some(), asked.model.as_deref(), &mut report).await;
        }
    });
    match (looked, worst) {
        (Err(exit), _) => exit,
        // Of another version, or with another clock, it lives all the same.
        (Ok(()), Outcome::Worrying) if !asked.health => Exit::Worrying.into(),
        (Ok(()), Outcome::Fine | Outcome::NotAsked | Outcome::Worrying) => ExitCode::SUCCESS,
        (Ok(()), Outcome::Failed) => Exit::Unavailable.into(),
    }
}

/// The token to come with, if none was written that of the environment. An empty one is none.
#[expect(clippy::disallowed_methods, reason = "a caller's token is no configuration")]
pub(super) fn token(written: Option<&str>) -> Option<String> {
    let token = written.map(str::to_owned).or_else(|| std::env::var(TOKEN).ok())?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

/// Who calls at that address.
pub(super) fn visitor(url: &str, token: Option<&str>) -> Result<Visitor, ExitCode> {
    let at = Destination::parse(url).map_err(|error| {
        tell(format_args!("{url}: {}", chain(&error)));
        ExitCode::from(Exit::Configuration)
    })?;
    Visitor::new(at, token, PATIENCE).map_err(|error| {
        tell(chain(&error));
        Exit::Internal.into()
    })
}
