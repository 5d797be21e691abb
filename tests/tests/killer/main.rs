//! The killer: a gateway is killed again and again in the middle of its work, and nothing that it acknowledged may be lost, come
//! twice or change its place.
//!
//! Clients write down what they sent and what was acknowledged; at the end the history is held against it.
//! `SLUICE_TEST_ENGINE=mongodb` tells it to the other engine; kills of the database itself are in `e2e/needs_mongod.rs`.

mod witness;

use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt as _;
use sluice_tests::{FakeProvider, Gateway, Setup};
use tokio::time::timeout;
use witness::{Counts, Witness};

/// Kills of every run, and of a run with `cargo sluice test --all`: of the latter fewer on MongoDB, where each takes longer.
const KILLS: usize = 30;
const ALL_KILLS: usize = 1_000;
const ALL_KILLS_ON_MONGODB: usize = 100;
/// Clients that talk at the same time, each with a user of its own.
const WITNESSES: usize = 4;
/// Kills after which conversations are left and new ones begun, so that none gets endless.
const CHAPTER: usize = 10;
/// Latest moment of a kill, from when the clients are connected.
const LATEST: Duration = Duration::from_millis(400);

/// Whether the long variants are to be run as well: `cargo sluice test --all` says so.
fn kills() -> usize {
    let all = std::env::var_os("SLUICE_TESTS").is_some_and(|value| value == "all");
    let mongodb = std::env::var_os("SLUICE_TEST_ENGINE").is_some_and(|value| value == "mongodb");
    match (all, mongodb) {
        (false, _) => KILLS,
        (true, false) => ALL_KILLS,
        (true, true) => ALL_KILLS_ON_MONGODB,
    }
}

#[tokio::test]
async fn a_killed_gateway_loses_nothing_it_acknowledged_and_stores_nothing_twice() {
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider)
        .set("SLUICE_LIMITS__MESSAGES", "100000/1m")
        .set("SLUICE_SESSION__HISTORY_MESSAGES", "1")
        .start()
        .await;
    let mut witnesses: Vec<_> = (0..WITNESSES).map(|n| Witness::new(format!("user-{n}"))).collect();

    let mut tally = Counts::default();
    for kill in 1..=kills() {
        kill_amid(&mut gateway, &mut witnesses).await;
        gateway.start_again().await;
        if kill % CHAPTER == 0 {
            tally += hold_to(&gateway, &mut witnesses).await;
        }
    }
    tally += hold_to(&gateway, &mut witnesses).await;

    println!("{} kills: {tally:?}", kills());
    assert!(tally.acknowledged > kills(), "the gateway did get to work: {tally:?}");
    assert!(tally.unacknowledged > 0, "kills came between a message and its ack: {tally:?}");
}

/// Lets everybody talk and kills the gateway at a moment that nobody knows.
async fn kill_amid(gateway: &mut Gateway, witnesses: &mut [Witness]) {
    for witness in witnesses.iter_mut() {
        witness.connect(gateway).await;
    }
    let moment = LATEST.mul_f64(rand::rng().random());
    let talk = join_all(witnesses.iter_mut().map(Witness::talk));
    let talked = timeout(moment, talk).await;
    assert!(talked.is_err(), "nobody stops talking before the end");
    gateway.kill().await;
    for witness in witnesses.iter_mut() {
        witness.hear_the_end().await;
    }
}

/// Ends a chapter: sends what was never acknowledged, and compares.
async fn hold_to(gateway: &Gateway, witnesses: &mut [Witness]) -> Counts {
    let mut tally = Counts::default();
    for witness in witnesses {
        tally += witness.end_chapter(gateway).await;
    }
    tally
}
