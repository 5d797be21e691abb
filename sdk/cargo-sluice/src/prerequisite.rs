//! What must be installed before anything is built: one line for each missing thing, with the
//! command that brings it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::WASM_TARGET;
use crate::environment;
use crate::problem::Problem;
use crate::say;

/// The oldest compiler that builds Sluice, as `(major, minor)`.
const OLDEST_RUSTC: (u32, u32) = (1, 95);

/// What a command is about to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Compiling plugins.
    Plugins,
    /// Compiling plugins and what runs on this machine.
    Everything,
}

/// Checks for all of it in `folder`, where a toolchain file may choose the compiler.
pub(crate) fn check(folder: &Path, need: Need) -> Result<(), Problem> {
    let mut missing = Vec::new();
    match compiler_version(folder) {
        None => missing.push(
            Problem::usage("the Rust compiler cannot be run")
                .mend("install rustup (https://rustup.rs), then `rustup toolchain install`"),
        ),
        Some(version) if version < OLDEST_RUSTC => {
            let what = format!(
                "rustc {}.{} is too old, {}.{} is needed",
                version.0, version.1, OLDEST_RUSTC.0, OLDEST_RUSTC.1
            );
            missing.push(Problem::usage(what).mend("rustup update stable"));
        }
        Some(_) => missing.extend(add_wasm_target(folder).err()),
    }
    if need == Need::Everything && !has_c_compiler() {
        missing.push(
            Problem::usage("no C compiler (cc) found")
                .mend("apt-get install gcc libc6-dev")
                .mend("your system's equivalent"),
        );
    }
    Problem::all(missing)
}

/// Python, for what needs it.
pub(crate) fn python() -> Result<PathBuf, Problem> {
    let python = environment::program("python3").ok_or_else(|| {
        Problem::usage("Python 3 not found").mend("apt-get install python3 python3-pip")
    })?;
    let has_pip = Command::new(&python)
        .args(["-m", "pip", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|ended| ended.success());
    if has_pip {
        Ok(python)
    } else {
        Err(Problem::usage("Python's pip not found").mend("apt-get install python3-pip"))
    }
}

fn has_c_compiler() -> bool {
    environment::variable("CC").is_some()
        || ["cc", "gcc", "clang"].iter().any(|name| environment::program(name).is_some())
}

fn compiler_version(folder: &Path) -> Option<(u32, u32)> {
    parse_version(&ask_rustc(folder, &["--version"])?)
}

/// Reads `rustc 1.95.0 (…)`.
fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn ask_rustc(folder: &Path, arguments: &[&str]) -> Option<String> {
    let rustc = environment::variable("RUSTC").unwrap_or("rustc".to_owned());
    let said = Command::new(rustc).args(arguments).current_dir(folder).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    said.status.success().then(|| text.trim().to_owned())
}

/// Makes sure that the standard library for plugins is there, asking rustup for it if not.
fn add_wasm_target(folder: &Path) -> Result<(), Problem> {
    if has_wasm_target(folder) {
        return Ok(());
    }
    say::note(&format!("adding the Rust target {WASM_TARGET}"));
    let added = environment::program("rustup").map(|rustup| {
        Command::new(rustup)
            .args(["target", "add", WASM_TARGET])
            .current_dir(folder)
            .stdin(Stdio::null())
            .status()
    });
    if has_wasm_target(folder) {
        return Ok(());
    }
    let what = format!("the Rust target {WASM_TARGET} is missing");
    let how = format!("rustup target add {WASM_TARGET}");
    match added {
        None => Err(Problem::usage(what).mend(format!("install rustup, then `{how}`"))),
        Some(_) => {
            Err(Problem::usage(format!("{what} and rustup could not add it")).mend(how).mend(
                "with Debian's `apt-get install rustc-web cargo-web rust-web-src`: \
             RUSTC_BOOTSTRAP=1 /usr/bin/cargo build -Zbuild-std=std,panic_abort",
            ))
        }
    }
}

fn has_wasm_target(folder: &Path) -> bool {
    ask_rustc(folder, &["--print", "target-libdir", "--target", WASM_TARGET])
        .and_then(|libraries| std::fs::read_dir(libraries).ok())
        .is_some_and(|mut libraries| libraries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_version_is_read_and_compared_by_number() {
        let version = parse_version("rustc 1.95.0 (59807616e 2026-03-21)");

        assert_eq!(version, Some((1, 95)));
        assert!(parse_version("rustc 1.100.0-nightly").expect("a version") > OLDEST_RUSTC);
        assert_eq!(parse_version("no compiler"), None);
    }

    #[test]
    fn the_compiler_that_runs_this_test_is_new_enough() {
        assert!(compiler_version(Path::new(".")).expect("a compiler") >= OLDEST_RUSTC);
    }
}
