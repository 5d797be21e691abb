//! `cargo sluice bench`: builds what is measured, optimised, and measures it. What is measured and how is `tests/bench`'s.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::Product;
use crate::prerequisite::{self, Need};
use crate::problem::Problem;
use crate::test::tool::Tool;
use crate::workspace::Workspace;
use crate::{build, cargo, say};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One short round of each row: shows that it runs, not what it costs.
    #[arg(long)]
    quick: bool,
    /// One row alone: start, latency, throughput, streams, spin, memory, archive or sandbox.
    #[arg(long, value_name = "ROW")]
    only: Option<String>,
}

/// Builds and measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    let sluice = Workspace::of_sluice(Path::new("."))?
        .ok_or_else(|| Problem::usage("only a checkout of Sluice can be measured"))?;
    prerequisite::check(&sluice.root, Need::Everything)?;
    build::components(&sluice)?;
    let products = compile(&sluice)?;
    let mut bench = Command::new(program(&products, "sluice-bench")?);
    bench
        .env("SLUICE_BIN", program(&products, "sluice")?)
        .env("SLUICE_PLUGINS", sluice.plugin_directory())
        .env("SLUICE_GUESTS", sluice.guest_directory())
        .env("SLUICE_BENCH_BOUNDARY", program(&products, "boundary")?)
        .env("SLUICE_BENCH_CLOCK", program(&products, "clock")?)
        .env("SLUICE_BENCH_ARCHIVE", program(&products, "archive")?)
        .stdin(Stdio::null());
    // Without it the bench says what it does not measure.
    match Tool::Mongod.bring(&sluice) {
        Ok(variables) => {
            bench.envs(variables);
        }
        Err(problem) => say::note(&problem.to_string()),
    }
    if arguments.quick {
        bench.arg("--quick");
    }
    if let Some(row) = &arguments.only {
        bench.args(["--only", row]);
    }
    let ended = bench
        .status()
        .map_err(|source| Problem::internal("the bench cannot be run").because(source))?;
    if ended.success() { Ok(()) } else { Err(Problem::internal("the bench failed, see above")) }
}

/// Compiles gateway and bench in one run of cargo, so that both have the same crates below them.
fn compile(sluice: &Workspace) -> Result<Vec<Product>, Problem> {
    let mut cargo = cargo::command(&sluice.root);
    cargo.args(["build", "--release"]);
    cargo.args(["--package", "sluice-gateway", "--bin", "sluice"]);
    cargo.args(["--package", "sluice-bench", "--bin", "sluice-bench"]);
    cargo.args(["--package", "sluice-sandbox", "--bench", "boundary", "--bench", "clock"]);
    cargo.args(["--package", "sluice-archive", "--bench", "archive"]);
    build::bundle(&mut cargo, sluice);
    cargo::build(cargo, "the bench")
}

/// The program of that name among what was built; cargo puts a hash behind a benchmark's.
fn program(products: &[Product], name: &str) -> Result<PathBuf, Problem> {
    let is_it = |file: &&PathBuf| {
        let found = file.file_name().and_then(|found| found.to_str()).unwrap_or_default();
        found.strip_prefix(name).is_some_and(|rest| {
            rest.is_empty()
                || rest.strip_prefix('-').is_some_and(|hash| {
                    hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit())
                })
        })
    };
    products
        .iter()
        .filter_map(|product| product.executable.as_ref())
        .find(is_it)
        .cloned()
        .ok_or_else(|| Problem::internal(format!("{name} was built but has no program")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_with_or_without_a_hash() {
        let products =
            ["/t/sluice-bench", "/t/deps/clock-0123456789abcdef", "/t/sluice"].map(|file| {
                Product {
                    manifest_path: "/p/Cargo.toml".into(),
                    files: Vec::new(),
                    executable: Some(file.into()),
                }
            });

        let found = |name| program(&products, name).ok();

        assert_eq!(found("sluice"), Some("/t/sluice".into()));
        assert_eq!(found("sluice-bench"), Some("/t/sluice-bench".into()));
        assert_eq!(found("clock"), Some("/t/deps/clock-0123456789abcdef".into()));
        assert_eq!(found("boundary"), None);
    }
}
