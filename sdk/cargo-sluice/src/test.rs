//! `cargo sluice test`: a plugin natively and in the sandbox, or all of Sluice.

mod checkout;
mod report;
mod runner;
mod sandbox;
mod summary;
pub(crate) mod tool;

use std::path::{Path, PathBuf};

use self::report::Report;
use self::summary::Runner;
use crate::prerequisite::{self, Need};
use crate::problem::Problem;
use crate::workspace::{self, Workspace};
use crate::{build, cargo, sluice};

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A plugin crate. Without one: all of Sluice, in a checkout of it.
    path: Option<PathBuf>,
    /// Run the long variants too.
    #[arg(long)]
    all: bool,
}

/// Runs the tests and ends with a summary.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let here = Path::new(".");
    match &arguments.path {
        Some(path) => plugin(&workspace::existing(path)?),
        None => match Workspace::of_sluice(here)? {
            Some(sluice) => checkout::run(&sluice, arguments.all),
            None => plugin(&workspace::existing(here)?),
        },
    }
}

/// Tests the plugin crate in `folder`: first as a native program, then as the gateway runs it.
fn plugin(folder: &Path) -> Result<(), Problem> {
    prerequisite::check(folder, Need::Everything)?;
    let mut report = Report::begin();
    report.part("native tests", || {
        let mut test = cargo::command(folder);
        test.args(["test", "--quiet"]);
        runner::run(test, Runner::Libtest)
    })?;
    let made = build::plugin(folder)?;
    match sluice::find(folder) {
        Ok(sluice) if !sandbox::is_offered(&sluice) => {
            report.not_run("tests in the sandbox", sandbox::NOT_OFFERED);
        }
        Ok(sluice) => report.part("tests in the sandbox", || {
            sandbox::test(&sluice, &made.file, &folder.join("cases"))
        })?,
        Err(problem) => report.not_run("tests in the sandbox", &problem.to_string()),
    }
    report.close()
}
