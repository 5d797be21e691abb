//! What the sandbox itself costs: the benches of its crate, beside the same plugin compiled natively.

mod native;

use crate::{
    lines,
    report::{Goal, Row},
    row::Length,
};

/// The benches, by the variable that names each one's program, and the goals of their rows.
const BENCHES: [&str; 2] = ["SLUICE_BENCH_BOUNDARY", "SLUICE_BENCH_CLOCK"];
const GOALS: [(&str, Goal); 4] = [
    ("instantiate + first 8 pieces", Goal::AtMost(20.0)),
    (TURN, Goal::AtMost(60.0)),
    (PIECE, Goal::AtMost(1.5)),
    ("a policy's hook, 1 KB (budget)", Goal::AtMost(30.0)),
];

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
        rows.extend(lines::rows(bench, &[], &GOALS, length).await);
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
