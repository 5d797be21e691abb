//! Running cargo: what it knows about a folder, and builds whose products are named by cargo itself.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::environment;
use crate::problem::Problem;
use crate::say;

/// The target every plugin is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// A `cargo` command in `folder`, free of what an outer `cargo run` set for this process.
pub(crate) fn command(folder: &Path) -> Command {
    let mut cargo = Command::new(environment::variable("CARGO").unwrap_or("cargo".to_owned()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_ourselves) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(folder).stdin(Stdio::null());
    cargo
}

/// Variables that `cargo run` sets about the crate it runs; a nested cargo must not inherit them.
fn is_about_ourselves(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&name)
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_root: PathBuf,
}

/// One crate of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
}

/// One thing that a crate builds.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
}

/// Asks cargo about the workspace that `folder` is in; `None` where there is none.
pub(crate) fn metadata(folder: &Path) -> Result<Option<Metadata>, Problem> {
    let said = command(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|source| Problem::usage("cargo cannot be run").because(source))?;
    if !said.status.success() {
        let complaint = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        if complaint.contains("could not find `Cargo.toml`") {
            return Ok(None);
        }
        let what = format!("cargo cannot read the crate in {}", folder.display());
        return Err(Problem::usage(what).because(complaint));
    }
    serde_json::from_slice(&said.stdout)
        .map(Some)
        .map_err(|source| Problem::internal("cargo's metadata cannot be read").because(source))
}

/// One line of cargo's JSON messages; other kinds than products are skipped.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

/// A file that a build made or found up to date.
#[derive(Debug)]
pub(crate) struct Product {
    /// The `Cargo.toml` of the crate it belongs to.
    pub(crate) manifest_path: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) executable: Option<PathBuf>,
}

/// Runs a prepared `cargo build …` and returns what it made.
///
/// Cargo's own progress bar shows where somebody watches; elsewhere only warnings and errors do.
pub(crate) fn build(mut cargo: Command, what: &str) -> Result<Vec<Product>, Problem> {
    if !say::is_watched() {
        cargo.arg("--quiet");
    }
    let failed = || Problem::internal(format!("{what} did not build; the reason is above"));
    let mut running = cargo
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| Problem::usage("cargo cannot be run").because(source))?;
    let said = running.stdout.take().ok_or_else(failed)?;
    let products = BufReader::new(said)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
        .filter_map(product)
        .collect();
    let ended = running.wait().map_err(|source| failed().because(source))?;
    if ended.success() { Ok(products) } else { Err(failed()) }
}

fn product(message: Message) -> Option<Product> {
    let Message { reason, manifest_path, filenames, executable } = message;
    (reason == "compiler-artifact").then_some(Product {
        manifest_path,
        files: filenames,
        executable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_read_from_cargos_message_and_other_messages_are_not() {
        let made = r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{},
            "filenames":["/t/p.wasm"],"executable":null,"fresh":true}"#;
        let other = r#"{"reason":"build-finished","success":true}"#;

        let made = serde_json::from_str(made).ok().and_then(product).expect("a product");

        assert_eq!(made.files, [PathBuf::from("/t/p.wasm")]);
        assert!(serde_json::from_str(other).ok().and_then(product).is_none());
    }

    #[test]
    fn a_folder_without_a_crate_has_no_metadata() {
        let empty = tempfile::tempdir().expect("a folder");

        assert!(metadata(empty.path()).expect("cargo runs").is_none());
    }

    #[test]
    fn only_what_cargo_run_sets_about_a_crate_is_dropped() {
        assert!(is_about_ourselves("CARGO_PKG_NAME"));
        assert!(is_about_ourselves("CARGO_MANIFEST_DIR"));
        assert!(!is_about_ourselves("CARGO_TARGET_DIR"));
        assert!(!is_about_ourselves("CARGO_HOME"));
    }
}
