//! The benches of host crates: programs of their own, whose lines become rows.

use std::{env, process::Stdio};

use tokio::process::Command;

use crate::{
    report::{Goal, Row},
    row::Length,
};

/// Runs the bench whose program the variable `bench` names, and reads its rows. None, and a line that says so, where it names none.
pub(crate) async fn rows(
    bench: &str,
    arguments: &[&str],
    goals: &[(&str, Goal)],
    length: Length,
) -> Vec<Row> {
    let Some(program) = env::var_os(bench) else {
        eprintln!("NOT RUN: {bench} names no program; run: cargo sluice bench");
        return Vec::new();
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    if length == Length::Quick {
        command.arg("--quick");
    }
    let said = command.output().await.expect("the bench runs");
    assert!(said.status.success(), "the bench failed");
    String::from_utf8_lossy(&said.stdout).lines().filter_map(|line| row(line, goals)).collect()
}

/// A row of a line: name, unit, and the value of each round, parted by tabs. Its goal is that of the first name that it contains.
fn row(line: &str, goals: &[(&str, Goal)]) -> Option<Row> {
    let mut fields = line.split('\t');
    let (name, unit) = (fields.next()?, fields.next()?);
    let seen = fields.filter_map(|value| value.parse().ok()).collect();
    let goal = goals.iter().find(|(of, _)| name.contains(of));
    Some(Row::new(name, unit, goal.map_or(Goal::None, |(_, goal)| *goal), seen))
}
