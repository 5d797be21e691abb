//! Programs of Debian: found, installed where that may be done, or unpacked into a folder of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::environment;
use crate::problem::Problem;
use crate::say;

/// A program that runs from wherever its package is unpacked, and starts nothing by itself there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable {
    pub(super) program: &'static str,
    pub(super) package: &'static str,
    /// What makes it say its version and end.
    pub(super) version: &'static str,
}

impl Portable {
    /// Finds it on `PATH`, or unpacks its package below `tools`. Needs no rights, unless the lists of packages are to be fetched first.
    pub(super) fn bring(self, tools: &Path) -> Result<PathBuf, Problem> {
        if let Some(found) = environment::program(self.program) {
            return Ok(found);
        }
        let into = tools.join(format!("debian-{}", self.package));
        if !into.is_dir() {
            let progress = say::spinner(&format!("fetching {}", self.program));
            let unpacked = self.unpack(&into);
            progress.finish_and_clear();
            unpacked.map_err(|why| self.missing().because(why))?;
        }
        let program = ["usr/bin", "usr/sbin"]
            .into_iter()
            .map(|folder| into.join(folder).join(self.program))
            .find(|program| program.is_file())
            .ok_or_else(|| self.missing())?;
        // What it is linked to may be missing here.
        let tried = Command::new(&program).arg(self.version).stdin(Stdio::null()).output();
        match tried {
            Ok(said) if said.status.success() => Ok(program),
            Ok(_) => Err(self.missing()),
            Err(source) => Err(self.missing().because(source)),
        }
    }

    fn missing(self) -> Problem {
        Problem::usage(format!("{} not found", self.program))
            .mend(format!("apt-get install {}", self.package))
    }

    /// Downloads and unpacks beside `into`, and renames what is whole.
    fn unpack(self, into: &Path) -> Result<(), String> {
        let apt = environment::program("apt-get").ok_or("there is no apt-get")?;
        let partial = into.with_extension(format!("partial-{}", std::process::id()));
        let made = self.unpack_beside(&apt, &partial).and_then(|()| {
            fs::rename(partial.join("root"), into)
                // Somebody else was faster; theirs is as good.
                .or_else(|error| if into.is_dir() { Ok(()) } else { Err(error.to_string()) })
        });
        // Takes space and no more.
        fs::remove_dir_all(&partial).ok();
        made
    }

    fn unpack_beside(self, apt: &Path, partial: &Path) -> Result<(), String> {
        fs::create_dir_all(partial).map_err(|error| error.to_string())?;
        let download = || apt_get(apt, &["download", self.package], partial);
        download().or_else(|_| apt_get(apt, &["update"], partial).and_then(|()| download()))?;
        let entries = fs::read_dir(partial).map_err(|error| error.to_string())?;
        let package = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|end| end == "deb"))
            .ok_or("apt-get downloaded nothing")?;
        let mut dpkg = Command::new("dpkg-deb");
        dpkg.arg("--extract").arg(package).arg(partial.join("root"));
        quietly(dpkg)
    }
}

/// Finds a program, or installs Debian's packages with it where that may be done.
pub(super) fn installed(
    what: &str,
    packages: &[&str],
    find: impl Fn() -> Option<PathBuf>,
) -> Result<PathBuf, Problem> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let missing = || {
        Problem::usage(format!("{what} not found"))
            .mend(format!("apt-get install {}", packages.join(" ")))
    };
    let Some(apt) = environment::program("apt-get").filter(|_| nix::unistd::geteuid().is_root())
    else {
        return Err(missing());
    };
    let progress = say::spinner(&format!("installing {what}"));
    let here = Path::new(".");
    let update = apt_get(&apt, &["update"], here);
    let installed = update.and_then(|()| {
        let install = ["install", "--yes", "--no-install-recommends"];
        apt_get(&apt, &[&install, packages].concat(), here)
    });
    progress.finish_and_clear();
    match installed {
        Ok(()) => find().ok_or_else(missing),
        Err(why) => Err(missing().because(why)),
    }
}

fn apt_get(apt: &Path, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let mut apt = Command::new(apt);
    apt.arg("--quiet=2").args(arguments).current_dir(folder);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    quietly(apt)
}

/// Runs a command to its end; an error is its last complaint.
fn quietly(mut command: Command) -> Result<(), String> {
    let ran = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&ran.stderr);
    let name = command.get_program().to_string_lossy();
    Err(complaint.lines().last().map_or_else(|| format!("{name} failed"), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: Portable = Portable { program: "sh", package: "dash", version: "-c true" };

    #[test]
    fn a_program_on_the_path_is_not_fetched() {
        let tools = tempfile::tempdir().expect("a folder");

        assert!(SHELL.bring(tools.path()).expect("it is there").ends_with("sh"));
        assert!(!tools.path().join("debian-dash").exists());
    }

    #[test]
    fn what_was_unpacked_and_does_not_run_is_missing() {
        let tools = tempfile::tempdir().expect("a folder");
        let unpacked = tools.path().join("debian-odd/usr/bin");
        fs::create_dir_all(&unpacked).expect("a folder");
        let odd = Portable { program: "no-program-has-this-name", package: "odd", version: "-v" };
        fs::write(unpacked.join(odd.program), "").expect("a file");

        let why = odd.bring(tools.path()).expect_err("it cannot be run").to_string();

        assert!(why.contains("apt-get install odd"), "{why}");
    }

    #[test]
    fn the_last_complaint_is_told() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo one >&2; echo two >&2; exit 3"]);

        assert_eq!(quietly(shell), Err("two".to_owned()));
    }
}
