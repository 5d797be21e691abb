//! What the gateway adds to one request at a time, and the processor time it takes.

use std::time::Instant;

use crate::{
    connection::Connection,
    percentile::percentile,
    process::cpu,
    report::{Goal, Row},
    row::Length,
    stage::{MODEL, Stage, Target},
};

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let stage = Stage::set().await;
    let (floor, gateway) = (stage.floor(), stage.gateway());
    one_by_one(&floor, Length::Quick).await;
    one_by_one(&gateway, Length::Quick).await;
    let (mut below, mut above) = (Seen::default(), Seen::default());
    for _ in 0..length.rounds() {
        below.push(one_by_one(&floor, length).await);
        above.push(one_by_one(&gateway, length).await);
    }
    let added = |above: &[f64], below: &[f64]| -> Vec<f64> {
        above.iter().zip(below).map(|(above, below)| above - below).collect()
    };
    vec![
        Row::new("added, p50", "us", Goal::AtMost(100.0), added(&above.middle, &below.middle)),
        Row::new("added, p99", "us", Goal::AtMost(400.0), added(&above.high, &below.high)),
        Row::new("a request, p50", "us", Goal::None, above.middle).beside(below.middle),
        Row::new("a request, p99", "us", Goal::None, above.high).beside(below.high),
        Row::new("processor time a request", "us", Goal::AtMost(150.0), above.cpu)
            .beside(below.cpu),
    ]
}

/// Microseconds, once a round.
#[derive(Default)]
struct Seen {
    middle: Vec<f64>,
    high: Vec<f64>,
    cpu: Vec<f64>,
}

impl Seen {
    fn push(&mut self, (middle, high, cpu): (f64, f64, f64)) {
        self.middle.push(middle);
        self.high.push(high);
        self.cpu.push(cpu);
    }
}

async fn one_by_one(target: &Target, length: Length) -> (f64, f64, f64) {
    let mut connection = Connection::open(&target.address).await;
    let request = target.ask(MODEL, "at once", false);
    let (begun, spent) = (Instant::now(), cpu(target.process));
    let mut took = Vec::new();
    let mut requests = 0_u32;
    while begun.elapsed() < length.span() {
        let since = Instant::now();
        connection.exchange(&request).await;
        took.push(since.elapsed().as_secs_f64() * 1e6);
        requests += 1;
    }
    let spent = cpu(target.process).saturating_sub(spent).as_secs_f64() * 1e6 / f64::from(requests);
    (percentile(&mut took, 0.5), percentile(&mut took, 0.99), spent)
}
