//! `cargo sluice check FILE.wasm`: what the gateway thinks of a component.

use std::path::PathBuf;

use crate::problem::Problem;
use crate::sluice;
use crate::workspace;

/// What to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The component, as `cargo sluice build` made it.
    file: PathBuf,
}

/// Hands the file to `sluice plugin check`.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let file = workspace::existing(&arguments.file)?;
    let sluice = sluice::find(std::path::Path::new("."))?;
    if sluice::ask(&sluice, &["plugin".as_ref(), "check".as_ref(), file.as_os_str()])? {
        return Ok(());
    }
    Err(Problem::usage(format!("{} would not be loaded", arguments.file.display())))
}
