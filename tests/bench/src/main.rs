//! `cargo sluice bench`: what the gateway costs, beside the least that any gateway could cost.
//!
//! Starts the real binary, a pass-through of our own and a fake upstream as processes of their own, and measures them in turn, round by
//! round, so that a noisy neighbour hits both alike. A file a row in `row/`. Judges nothing but the report: no figure fails the run, lost
//! text does.

#![expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]
#![expect(clippy::print_stderr, reason = "and says what it is at")]

mod connection;
mod floor;
mod lines;
mod percentile;
mod process;
mod report;
mod row;
mod stage;
mod upstream;

use std::{env, fs, path::PathBuf};

use report::Report;
use row::{ALL, Length};
use sluice_tests::target;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["upstream"] => upstream::serve().await,
        ["floor", upstream] => floor::serve(upstream).await,
        _ => measure(&words).await,
    }
}

async fn measure(words: &[&str]) {
    let length = if words.contains(&"--quick") { Length::Quick } else { Length::Full };
    let only = words.iter().position(|word| *word == "--only").and_then(|at| words.get(at + 1));
    let wanted = ALL.into_iter().filter(|(name, _)| only.is_none_or(|only| only == name));
    let mut report = Report::begin(length);
    let mut measured = 0;
    for (name, row) in wanted {
        eprintln!("{name} …");
        report.add(name, row(length).await);
        measured += 1;
    }
    let names = ALL.map(|(name, _)| name).join(", ");
    assert!(measured > 0, "there is no such row; there are: {names}");

    println!("{report}");
    let file: PathBuf = target().join("bench/report.json");
    fs::create_dir_all(file.parent().expect("in a folder")).expect("the target directory is ours");
    fs::write(&file, report.json().to_string()).expect("the target directory is ours");
    println!("{}", file.display());
}
