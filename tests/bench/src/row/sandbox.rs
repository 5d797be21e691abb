//! What the sandbox itself costs: the benches of its crate, whose lines become rows, beside the same plugin compiled natively.

mod native;

use std::{env, process::Stdio};

use tokio::process::Command;

use crate::{
    report::{Goal, Row},
    row::Length,
};

/// The benches, by the variable that names each one's program, and the goals of their rows.
const BENCHES: [&str; 2] = ["SLUICE_BENCH_BOUNDARY", "SLUICE_BENCH_CLOCK"];
const GOALS: [(&str, f64); 3] =
    [("instantiate + first 8 pieces", 20.0), (TURN, 60.0), (PIECE, 1.5)];

/// Rows that have a floor: the plugin without a sandbox.
const TURN: &str = "provider turn, 1 KB";
const PIECE: &str = "a streamed piece";

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let mut native = (Vec::new(), Vec::new());
    for _ in 0..length.rounds() {
        let (turn, piece) = native::round(length);
        native.0.push(turn);
        native.1.push(piece);
    }
    let mut rows: Vec<Row> = Vec::new();
    for bench in BENCHES {
        let Some(program) = env::var_os(bench) else {
            eprintln!("NOT RUN: {bench} names no program; run: cargo sluice bench");
            continue;
        };
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        if length == Length::Quick {
            command.arg("--quick");
        }
        let said = command.output().await.expect("the bench runs");
        assert!(said.status.success(), "the bench failed");
        rows.extend(String::from_utf8_lossy(&said.stdout).lines().filter_map(row));
    }
    for row in &mut rows {
        match row.name.as_str() {
            TURN => row.floor.clone_from(&native.0),
            PIECE => row.floor.clone_from(&native.1),
            _ => {}
        }
    }
    rows
}

/// A row of a line: name, unit, and the value of each round, parted by tabs.
fn row(line: &str) -> Option<Row> {
    let mut fields = line.split('\t');
    let (name, unit) = (fields.next()?, fields.next()?);
    let seen = fields.filter_map(|value| value.parse().ok()).collect();
    let goal = GOALS.iter().find(|(of, _)| *of == name);
    Some(Row::new(name, unit, goal.map_or(Goal::None, |(_, most)| Goal::AtMost(*most)), seen))
}
