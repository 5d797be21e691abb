//! Testing a component in the sandbox, by asking the gateway's binary.

use std::path::Path;
use std::process::{Command, Stdio};

use super::runner::{self, Stream};
use super::summary::Counts;
use crate::problem::Problem;

/// Replays the cases in `cases` against a component, as `sluice plugin test` does.
pub(super) fn test(sluice: &Path, component: &Path, cases: &Path) -> Result<Counts, Problem> {
    let mut asked = Command::new(sluice);
    asked.args(["plugin", "test"]).arg(component).arg("--cases").arg(cases).stdin(Stdio::null());
    runner::run(asked, Stream::Out)
}
