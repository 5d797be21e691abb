//! `sluice token`: a token for trying things out, signed with the configured secret.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Exit, chain, part, print, tell};
use crate::identity::Seal;
use crate::{clock, settings as configuration};

/// Whose token.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The user's id.
    #[arg(long)]
    user: String,
    /// A role; several are given one by one.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The user's name.
    #[arg(long)]
    name: Option<String>,
    /// How long it is valid: `90s`, `1h`, `7d`.
    #[arg(long, default_value = "1h", value_name = "TIME")]
    ttl: String,
}

/// Prints one.
pub(crate) fn run(files: &[PathBuf], wanted: &Wanted) -> ExitCode {
    let Some(ttl) = configuration::parse_duration(&wanted.ttl).filter(|ttl| ttl.as_secs() > 0)
    else {
        tell(format_args!("--ttl {}: a time such as 90s, 15m or 1h is expected", wanted.ttl));
        return Exit::Configuration.into();
    };
    if sluice_chat::id::UserId::parse(&wanted.user).is_none() {
        tell("--user: 1 to 255 bytes without control characters are expected");
        return Exit::Configuration.into();
    }
    let auth = match part(files, &["auth"], |settings| settings.auth) {
        Ok(auth) => auth,
        Err(exit) => return exit,
    };
    let issued = Seal::new(&auth).map(|seal| {
        let Wanted { user, roles, name, ttl: _ } = wanted;
        seal.issue(&auth, user, name.as_deref(), roles, clock::now(), ttl.as_secs())
    });
    match issued {
        Some(Ok(token)) => {
            print(token);
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            tell(chain(&error));
            Exit::Internal.into()
        }
        None => {
            tell("auth.jwt_secret is not set: there is nothing to sign with");
            Exit::Configuration.into()
        }
    }
}
