//! Testing all of Sluice: what a change must pass before it is handed in.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use super::report::Report;
use super::runner;
use super::sandbox;
use super::summary::Runner;
use super::tool::Tool;
use crate::prerequisite::{self, Need};
use crate::problem::Problem;
use crate::workspace::Workspace;
use crate::{build, cargo, say};

/// What is told to both engines: the stories of the archive, the killer, and everything a client sees but what is about files or
/// brings a server of its own.
const ON_BOTH_ENGINES: &str =
    "binary(archive) or binary(killer) or (binary(e2e) and not test(/^(backup|disk|needs_)/))";

/// The same for `cargo test`, where there is no nextest.
const LIKEWISE: [&str; 19] = [
    "test",
    "--quiet",
    "--no-fail-fast",
    "-p",
    "sluice-archive",
    "-p",
    "sluice-tests",
    "--test",
    "archive",
    "--test",
    "killer",
    "--test",
    "e2e",
    "--",
    "--skip",
    "backup::",
    "--skip",
    "disk::",
    "--skip=needs_",
];

const WITH_MONGODB: &str = "tests with engine = \"mongodb\"";

/// Builds everything, brings what tests need, and runs them all.
pub(super) fn run(sluice: &Workspace, long_too: bool) -> Result<(), Problem> {
    prerequisite::check(&sluice.root, Need::Everything)?;
    let mut report = Report::begin();
    let run = Run::prepare(sluice, long_too, &mut report)?;
    if run.has_nextest() {
        report.part("tests", || {
            let mut nextest = run.cargo(&["nextest", "run", "--workspace", "--no-tests=pass"]);
            nextest.args(["--color", if say::is_watched() { "always" } else { "never" }]);
            let absent = run.absent.iter().map(|tool| format!("not test({})", tool.marker()));
            let wanted = absent.collect::<Vec<_>>().join(" and ");
            if !wanted.is_empty() {
                nextest.args(["-E", &wanted]);
            }
            runner::run(nextest, Runner::Nextest)
        })?;
        if !run.absent.contains(&Tool::Mongod) {
            report.part(WITH_MONGODB, || {
                let mut nextest = run.with_mongod(&["nextest", "run", "--workspace"]);
                nextest.args(["-E", ON_BOTH_ENGINES]);
                nextest.args(["--color", if say::is_watched() { "always" } else { "never" }]);
                runner::run(nextest, Runner::Nextest)
            })?;
        }
        report.part("documentation tests", || {
            runner::run(run.cargo(&["test", "--quiet", "--workspace", "--doc"]), Runner::Libtest)
        })?;
    } else {
        report.part("tests", || {
            let mut test = run.cargo(&["test", "--quiet", "--workspace", "--no-fail-fast", "--"]);
            for tool in &run.absent {
                test.args(["--skip", tool.marker()]);
            }
            runner::run(test, Runner::Libtest)
        })?;
        if !run.absent.contains(&Tool::Mongod) {
            report
                .part(WITH_MONGODB, || runner::run(run.with_mongod(&LIKEWISE), Runner::Libtest))?;
        }
    }
    for plugin in sluice.plugins() {
        let cases = plugin.folder().join("cases");
        if !cases.is_dir() {
            continue;
        }
        if !sandbox::is_offered(&run.gateway) {
            report.not_run(&format!("{} in the sandbox", plugin.id()), sandbox::NOT_OFFERED);
            continue;
        }
        report.part(&format!("{} in the sandbox", plugin.id()), || {
            sandbox::test(&run.gateway, &plugin.component, &cases)
        })?;
    }
    report.close()
}

/// Compiles all that runs on this machine, tests too; returns the gateway's binary.
///
/// In one run of cargo, so that every crate is compiled with one set of features.
fn compile(sluice: &Workspace) -> Result<PathBuf, Problem> {
    let mut cargo = cargo::command(&sluice.root);
    cargo.args(["build", "--workspace", "--bins", "--tests"]);
    build::bundle(&mut cargo, sluice);
    let products = cargo::build(cargo, "the workspace")?;
    products
        .into_iter()
        .filter_map(|product| product.executable)
        .find(|file| file.file_name() == Some(OsStr::new("sluice")))
        .ok_or_else(|| Problem::internal("the gateway was built but has no binary"))
}

/// What all parts of a run share.
struct Run<'a> {
    sluice: &'a Workspace,
    gateway: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    absent: Vec<Tool>,
}

impl<'a> Run<'a> {
    fn prepare(
        sluice: &'a Workspace,
        long_too: bool,
        report: &mut Report,
    ) -> Result<Self, Problem> {
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("SLUICE_PLUGINS", sluice.plugin_directory().into()),
            ("SLUICE_GUESTS", sluice.guest_directory().into()),
            ("SLUICE_TOOLS", sluice.tool_directory().into()),
        ];
        if long_too {
            variables.push(("SLUICE_TESTS", "all".into()));
        }
        let gateway = report.preparation("build", || {
            build::components(sluice)?;
            compile(sluice)
        })?;
        variables.push(("SLUICE_BIN", gateway.clone().into()));
        // Not this very process: building the tests may have replaced its file.
        let tool = gateway.with_file_name("cargo-sluice");
        if tool.is_file() {
            variables.push(("SLUICE_TOOL", tool.into()));
        }
        let mut absent = Vec::new();
        for tool in Tool::ALL.into_iter().filter(|tool| tool.is_needed(sluice)) {
            match tool.bring(sluice) {
                Ok(found) => {
                    variables.extend(found.into_iter().map(|(name, at)| (name, at.into())));
                }
                Err(problem) => {
                    report.not_run(tool.tests(), &problem.to_string());
                    absent.push(tool);
                }
            }
        }
        Ok(Self { sluice, gateway, variables, absent })
    }

    /// A cargo command that tests what was built, with everything tests are told.
    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = cargo::command(&self.sluice.root);
        cargo.args(arguments);
        build::bundle(&mut cargo, self.sluice);
        cargo.envs(self.variables.iter().map(|(name, value)| (name, value)));
        cargo
    }

    /// As [`Run::cargo`], with a MongoDB that is there as long as it runs.
    fn with_mongod(&self, arguments: &[&str]) -> Command {
        let cargo = self.cargo(arguments);
        let mut command = Command::new(self.gateway.with_file_name("with-mongod"));
        command.arg(cargo.get_program()).args(cargo.get_args());
        for (name, value) in cargo.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = cargo.get_current_dir() {
            command.current_dir(folder);
        }
        command
    }

    fn has_nextest(&self) -> bool {
        cargo::command(&self.sluice.root)
            .args(["nextest", "--version"])
            .output()
            .is_ok_and(|said| said.status.success())
    }
}
