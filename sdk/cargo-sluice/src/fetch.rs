//! Bringing packages of Python and of JavaScript into a folder of ours, once.
//!
//! A folder that is there is whole: packages are installed beside it and renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;
use nix::sys::signal;
use nix::unistd::Pid;

use crate::prerequisite;
use crate::problem::Problem;
use crate::say;

/// How the name of a folder in the making ends, followed by the id of the process making it.
const PARTIAL: &str = "partial-";

/// Packages that belong together in one folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages<'a> {
    /// What they are for, for whoever waits.
    pub(crate) what: &'a str,
    /// Arguments that name them: `name==version`, or `--requirement FILE`.
    pub(crate) names: &'a [&'a str],
    /// Whether to bring what they say they need.
    pub(crate) with_dependencies: bool,
    /// About how much is downloaded, in bytes; 0 if unknown.
    pub(crate) download_bytes: u64,
}

/// A running installation. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Installation<'a> {
    packages: Packages<'a>,
    pip: Child,
    partial: PathBuf,
    into: PathBuf,
    bar: ProgressBar,
}

/// Starts bringing `packages` into `into`; `None` when they are there already.
pub(crate) fn start<'a>(
    packages: Packages<'a>,
    into: &Path,
) -> Result<Option<Installation<'a>>, Problem> {
    if into.is_dir() {
        return Ok(None);
    }
    let python = prerequisite::python()?;
    let failed = || Problem::internal(format!("{} cannot be fetched", packages.what));
    remove_abandoned(into);
    let partial = into.with_extension(format!("{PARTIAL}{}", std::process::id()));
    fs::create_dir_all(partial.join("tmp")).map_err(|source| failed().because(source))?;
    let log = File::create(partial.join("pip.log")).map_err(|source| failed().because(source))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    // Compiling takes minutes and a compiler; a machine without a wheel does without.
    pip.args(["--only-binary", ":all:", "--progress-bar", "off"]);
    if !packages.with_dependencies {
        pip.arg("--no-deps");
    }
    pip.arg("--target").arg(partial.join("packages")).args(packages.names);
    // Downloads land where their growth can be watched.
    pip.env("TMPDIR", partial.join("tmp"));
    let pip = pip
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|source| failed().because(source))?;
    let bar = ProgressBar::hidden();
    Ok(Some(Installation { packages, pip, partial, into: into.to_owned(), bar }))
}

/// Brings `packages` into `into` and waits for it.
pub(crate) fn packages(packages: Packages<'_>, into: &Path) -> Result<(), Problem> {
    let Some(mut running) = start(packages, into)? else { return Ok(()) };
    running.show();
    while !running.is_over()? {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    running.finish()
}

/// Brings what a `package.json` names into `into`, by npm, and waits for it.
pub(crate) fn npm(npm: &Path, what: &str, list: &Path, into: &Path) -> Result<(), Problem> {
    if into.is_dir() {
        return Ok(());
    }
    let failed = || Problem::usage(format!("{what} cannot be fetched"));
    remove_abandoned(into);
    let partial = into.with_extension(format!("{PARTIAL}{}", std::process::id()));
    fs::create_dir_all(&partial).map_err(|source| failed().because(source))?;
    fs::copy(list, partial.join("package.json")).map_err(|source| failed().because(source))?;
    let progress = say::spinner(&format!("fetching {what}"));
    let ran = Command::new(npm)
        // No package runs anything of its own on the way.
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&partial)
        .stdin(Stdio::null())
        .output();
    progress.finish_and_clear();
    let fetched = match ran {
        Ok(ran) if ran.status.success() => {
            place(&partial, into).map_err(|source| failed().because(source))
        }
        Ok(ran) => {
            let complaint = String::from_utf8_lossy(&ran.stderr);
            let last = complaint.lines().rfind(|line| !line.trim().is_empty());
            Err(failed().because(last.unwrap_or("npm did not say why").to_owned()))
        }
        Err(source) => Err(failed().because(source)),
    };
    // Gone when all went well; else it takes space and no more.
    fs::remove_dir_all(&partial).ok();
    fetched
}

/// Gives a folder that is whole its name.
fn place(made: &Path, into: &Path) -> std::io::Result<()> {
    match fs::rename(made, into) {
        // Somebody else was faster; theirs is as good.
        Err(_) if into.is_dir() => Ok(()),
        renamed => renamed,
    }
}

impl Installation<'_> {
    /// Shows a progress bar from now on.
    pub(crate) fn show(&mut self) {
        self.bar = if self.packages.download_bytes == 0 {
            say::spinner(&format!("fetching {}", self.packages.what))
        } else {
            say::bytes_bar(
                &format!("fetching {}", self.packages.what),
                self.packages.download_bytes,
            )
        };
    }

    /// Moves the bar on and says whether pip has ended.
    pub(crate) fn is_over(&mut self) -> Result<bool, Problem> {
        if self.packages.download_bytes > 0 && !self.bar.is_hidden() {
            let wheels = bytes_of_wheels(&self.partial.join("tmp"));
            self.bar.set_position(wheels.min(self.packages.download_bytes));
        }
        self.pip
            .try_wait()
            .map(|ended| ended.is_some())
            .map_err(|source| Problem::internal("pip cannot be waited for").because(source))
    }

    /// Waits for the end and puts the folder into its place.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let failed = || Problem::usage(format!("{} cannot be fetched", self.packages.what));
        let ended = self.pip.wait().map_err(|source| failed().because(source))?;
        self.bar.finish_and_clear();
        if !ended.success() {
            return Err(failed().because(last_complaint(&self.partial.join("pip.log"))));
        }
        let made = self.partial.join("packages");
        place(&made, &self.into).map_err(|source| failed().because(source))
    }
}

impl Drop for Installation<'_> {
    fn drop(&mut self) {
        // Over already, or not wanted any more; what is left of it takes space and no more.
        self.pip.kill().ok();
        self.pip.wait().ok();
        fs::remove_dir_all(&self.partial).ok();
    }
}

/// Removes what processes that are gone left half made.
fn remove_abandoned(into: &Path) {
    let Some(entries) = into.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let made_by = path
            .extension()
            .and_then(|end| end.to_str()?.strip_prefix(PARTIAL)?.parse().ok())
            .map(Pid::from_raw);
        if made_by.is_some_and(|pid| signal::kill(pid, None).is_err()) {
            // One that stays takes space and no more.
            fs::remove_dir_all(&path).ok();
        }
    }
}

/// The size of all wheels under a folder.
fn bytes_of_wheels(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_of_wheels(&entry.path()),
            Ok(found) if entry.path().extension().is_some_and(|end| end == "whl") => found.len(),
            _ => 0,
        })
        .sum()
}

/// The last line that pip called an error, or the last line at all.
fn last_complaint(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let last = lines.clone().next().unwrap_or("pip did not say why").to_owned();
    lines.find(|line| line.starts_with("ERROR")).map_or(last, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let there = tempfile::tempdir().expect("a folder");
        let packages =
            Packages { what: "it", names: &["x"], with_dependencies: false, download_bytes: 0 };

        assert!(start(packages, there.path()).expect("nothing to do").is_none());
    }

    #[test]
    fn what_a_process_that_is_gone_left_behind_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut gone = Command::new("true").spawn().expect("a process");
        gone.wait().expect("its end");
        let abandoned = folder.path().join(format!("tool.partial-{}", gone.id()));
        let ours = folder.path().join(format!("tool.partial-{}", std::process::id()));
        fs::create_dir(&abandoned).expect("a folder");
        fs::create_dir(&ours).expect("a folder");

        remove_abandoned(&folder.path().join("tool"));

        assert!(!abandoned.exists());
        assert!(ours.exists());
    }

    #[test]
    fn only_wheels_count_as_downloaded() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("unpack")).expect("a folder");
        fs::write(folder.path().join("unpack/model.whl"), [0; 700]).expect("a file");
        fs::write(folder.path().join("unpack/model.gguf"), [0; 900]).expect("a file");

        assert_eq!(bytes_of_wheels(folder.path()), 700);
    }

    #[test]
    fn pips_own_error_is_what_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("pip.log");
        fs::write(&log, "WARNING: retrying\nERROR: No matching distribution\n\nnotice\n")
            .expect("a file");

        assert_eq!(last_complaint(&log), "ERROR: No matching distribution");
        assert_eq!(last_complaint(Path::new("/no/such/log")), "pip did not say why");
    }
}
