//! Finding the gateway's binary, `sluice`, and asking it things.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::environment;
use crate::problem::Problem;
use crate::workspace::Workspace;

/// Finds `sluice`: named by `SLUICE_BIN`, built in the workspace around `folder`, beside this
/// program, in the checkout this program was built from, on `PATH`.
pub(crate) fn find(folder: &Path) -> Result<PathBuf, Problem> {
    if let Some(named) = environment::variable("SLUICE_BIN") {
        let file = PathBuf::from(&named);
        return if file.is_file() {
            Ok(file)
        } else {
            Err(Problem::usage(format!("SLUICE_BIN names {named}, which is not there"))
                .mend("unset SLUICE_BIN"))
        };
    }
    let built = || Some(Workspace::of_sluice(folder).ok()??.target.join("debug/sluice"));
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("sluice"));
    let origin = || Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/sluice"));
    built()
        .filter(|file| file.is_file())
        .or_else(|| beside().filter(|file| file.is_file()))
        .or_else(|| origin().filter(|file| file.is_file()))
        .or_else(|| environment::program("sluice"))
        .ok_or_else(|| {
            Problem::usage("the gateway's binary `sluice` was not found")
                .mend("cargo sluice build (in a checkout of Sluice)")
                .mend("SLUICE_BIN=/path/to/sluice")
        })
}

/// Runs `sluice` with `arguments` where the person sees what it says; its own exit code decides.
pub(crate) fn ask<A: AsRef<std::ffi::OsStr>>(
    sluice: &Path,
    arguments: &[A],
) -> Result<bool, Problem> {
    Command::new(sluice)
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .map(|ended| ended.success())
        .map_err(|source| Problem::internal("`sluice` cannot be run").because(source))
}
