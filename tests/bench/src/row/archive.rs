//! What the archive itself costs: the bench of its crate, on a file and on a MongoDB that is alone in its replica set.

use sluice_tests::Mongod;

use crate::{
    lines,
    report::{Goal, Row},
    row::Length,
};

const BENCH: &str = "SLUICE_BENCH_ARCHIVE";
const PAGES: (&str, Goal) = ("slowest order, p99", Goal::AtMost(20.0));
/// Of SQLite. A MongoDB is shown beside it, and only its pages have a goal.
const SQLITE: [(&str, Goal); 3] = [
    PAGES,
    ("acks a second", Goal::AtLeast(8_000.0)),
    ("an ack, 64 writers, p99", Goal::AtMost(25.0)),
];

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let mut rows = of("SQLite", lines::rows(BENCH, &[], &SQLITE, length).await);
    match Mongod::is_fetched() {
        Ok(()) => {
            let server = Mongod::start().await;
            let arguments = ["--mongodb", &server.address()];
            rows.extend(of("MongoDB", lines::rows(BENCH, &arguments, &[PAGES], length).await));
        }
        Err(why) => eprintln!("NOT RUN: the archive in a MongoDB: {why}"),
    }
    rows
}

/// Rows with the name of what was measured in front.
fn of(engine: &str, rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row { name: format!("{engine}, {}", row.name), ..row }).collect()
}
