//! Testing a component in the sandbox, by asking the gateway's binary.

use std::path::Path;
use std::process::{Command, Stdio};

use super::runner;
use super::summary::{Counts, Runner};
use crate::problem::Problem;

/// Whether this gateway's binary can replay cases at all.
pub(super) fn is_offered(sluice: &Path) -> bool {
    Command::new(sluice)
        .args(["plugin", "test", "--help"])
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|said| said.status.success())
}

/// Why nothing was tested when it cannot.
pub(super) const NOT_OFFERED: &str = "this `sluice` has no `plugin test`";

/// Replays the cases in `cases` against a component, as `sluice plugin test` does.
pub(super) fn test(sluice: &Path, component: &Path, cases: &Path) -> Result<Counts, Problem> {
    let mut asked = Command::new(sluice);
    asked.args(["plugin", "test"]).arg(component).arg(cases).stdin(Stdio::null());
    runner::run(asked, Runner::Plain)
}
