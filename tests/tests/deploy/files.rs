//! The files, and the programs that check them.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use sha2::{Digest, Sha256};
use sluice_tests::{root, target};

/// A file below `config/deploy`.
pub(crate) fn path(name: &str) -> PathBuf {
    root().join("config/deploy").join(name)
}

pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A program that `cargo sluice test` tells of by a variable, or left where it puts them; else one on `PATH`. Says how to get it.
pub(crate) fn program(variable: &str, package: &str, name: &str) -> Result<PathBuf, String> {
    let told = env::var_os(variable).map(PathBuf::from);
    let unpacked = target().join("tools").join(format!("debian-{package}"));
    let ours = ["usr/bin", "usr/sbin"].map(|folder| unpacked.join(folder).join(name));
    let search = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&search).map(|folder| folder.join(name)).collect::<Vec<_>>();
    told.into_iter()
        .chain(ours)
        .chain(found)
        .find(|program| program.is_file())
        .ok_or_else(|| format!("{name} was not fetched; run: cargo sluice test"))
}

/// The folder of `tests/tools/validators.txt`.
pub(crate) fn validators() -> Result<PathBuf, String> {
    let ours = || {
        let list = fs::read(root().join("tests/tools/validators.txt")).expect("the list is ours");
        let mut name = "validators-".to_owned();
        for byte in &Sha256::digest(list)[..6] {
            write!(name, "{byte:02x}").expect("a text takes anything");
        }
        target().join("tools").join(name)
    };
    let folder = env::var_os("SLUICE_VALIDATORS").map_or_else(ours, PathBuf::from);
    let missing = "the validators were not fetched; run: cargo sluice test";
    folder.join("kubernetes_validate").is_dir().then_some(folder).ok_or(missing.to_owned())
}

/// Python, seeing those packages.
pub(crate) fn python(validators: &PathBuf) -> Command {
    let mut python = Command::new(env::var_os("SLUICE_PYTHON").unwrap_or_else(|| "python3".into()));
    python.env("PYTHONPATH", validators).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Runs it to its end and holds it to success.
pub(crate) fn succeeds(what: &str, command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&said));
    output
}
