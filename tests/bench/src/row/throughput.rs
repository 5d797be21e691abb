//! How many requests pass, 32 at a time, and what share that is of the floor's.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::{
    connection::Connection,
    process::cpu,
    report::{Goal, Row},
    row::Length,
    stage::{MODEL, Stage, Target},
};

const CONNECTIONS: usize = 32;

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let stage = Stage::set().await;
    let (floor, gateway) = (stage.floor(), stage.gateway());
    flood(&floor, Length::Quick).await;
    flood(&gateway, Length::Quick).await;
    let (mut below, mut above, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cost_below, mut cost_above) = (Vec::new(), Vec::new());
    for _ in 0..length.rounds() {
        let (passed, cost) = flood(&floor, length).await;
        let (ours, our_cost) = flood(&gateway, length).await;
        shares.push(ours / passed * 100.0);
        below.push(passed);
        above.push(ours);
        cost_below.push(cost);
        cost_above.push(our_cost);
    }
    vec![
        Row::new("requests as a share of the floor", "%", Goal::AtLeast(70.0), shares),
        Row::new("requests a second", "/s", Goal::None, above).beside(below),
        Row::new("processor time a request", "us", Goal::AtMost(150.0), cost_above)
            .beside(cost_below),
    ]
}

/// Requests a second, and microseconds of processor time each.
async fn flood(target: &Target, length: Length) -> (f64, f64) {
    let (begun, spent) = (Instant::now(), cpu(target.process));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let target = target.clone();
        clients.spawn(async move {
            let mut connection = Connection::open(&target.address).await;
            let request = target.ask(MODEL, "at once", false);
            let mut requests = 0_u32;
            while begun.elapsed() < length.span() {
                connection.exchange(&request).await;
                requests += 1;
            }
            requests
        });
    }
    let requests = f64::from(clients.join_all().await.into_iter().sum::<u32>());
    let spent = cpu(target.process).saturating_sub(spent).as_secs_f64() * 1e6;
    (requests / begun.elapsed().as_secs_f64(), spent / requests)
}
