//! How long until the gateway serves, its compile cache warm, and what it weighs then.

use std::time::Instant;

use crate::{
    process::memory,
    report::{Goal, Row},
    row::Length,
    stage::gateway,
};

pub(super) async fn measure(length: Length) -> Vec<Row> {
    // The first start compiles.
    let nowhere = "127.0.0.1:9";
    drop(gateway(nowhere).start().await);
    let (mut ready, mut weight) = (Vec::new(), Vec::new());
    for _ in 0..length.rounds() {
        let begun = Instant::now();
        let gateway = gateway(nowhere).start().await;
        ready.push(begun.elapsed().as_secs_f64() * 1e3);
        weight.push(memory(gateway.process()) / 1e6);
    }
    vec![
        Row::new("ready with a warm cache", "ms", Goal::AtMost(300.0), ready),
        Row::new("memory at rest", "MB", Goal::AtMost(40.0), weight),
    ]
}
