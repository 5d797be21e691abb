//! What a connection with its session weighs while nothing happens, and what an answer adds that is under way.

use sluice_tests::{Client, Gateway};

use crate::{
    process::{Process, memory},
    report::{Goal, Row},
    row::Length,
    stage::gateway,
};

const CONNECTIONS: usize = 1_000;

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let upstream = Process::start(&["upstream"]).await;
    let many = length.of(CONNECTIONS);
    let (mut idle, mut running) = (Vec::new(), Vec::new());
    for _ in 0..length.rounds().min(3) {
        // A fresh process each time: memory that was used before would be used again.
        let gateway = gateway(&upstream.address).start().await;
        // What the first of all needs is not a connection's.
        let mut first = ask(&gateway, 0).await;
        let empty = memory(gateway.process());
        let mut clients = Vec::with_capacity(many);
        for number in 1..=many {
            clients.push(ask(&gateway, number).await);
        }
        let quiet = memory(gateway.process());
        for client in &mut clients {
            client.say("stall").await;
            client.frames_saying("stalled").await;
        }
        let busy = memory(gateway.process());
        idle.push((quiet - empty) / each(many));
        running.push((busy - quiet) / each(many));
        first.settled().await;
    }
    vec![
        Row::new("an idle connection with its session", "KiB", Goal::AtMost(10.0), idle),
        Row::new("a running answer", "KiB", Goal::AtMost(80.0), running),
    ]
}

/// KiB of so many.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn each(many: usize) -> f64 {
    many as f64 * 1024.0
}

async fn ask(gateway: &Gateway, number: usize) -> Client {
    let mut client = gateway.connect(&format!("user-{number}")).await;
    client.ask("at once").await;
    client
}
