//! Stopping, as a property: whoever is there, everybody is told, and nobody makes it take longer than it may.
//!
//! A gateway for each story, some at a time, since a process stops once: a dozen, and a hundred with `SLUICE_TESTS=all`.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future::join_all, stream};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use sluice_tests::{Client, FakeProvider, PATIENCE, Script, Setup, Signal};

/// How many stories are told at a time.
const AT_A_TIME: usize = 6;

/// Tells stories that differ in what `strategy` makes up.
async fn tell<S: Strategy>(strategy: S, story: impl AsyncFn(S::Value)) {
    let mut runner = TestRunner::new(Config::default());
    let all = std::env::var_os("SLUICE_TESTS").is_some_and(|value| value == "all");
    let count = if all { 100 } else { 12 };
    let values: Vec<S::Value> =
        (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect();
    let stories = stream::iter(values).map(|value| story(value));
    stories.buffer_unordered(AT_A_TIME).collect::<Vec<()>>().await;
}

/// However many are connected, and whether something is being said to them: everybody hears 1001, the answer is heard to its end,
/// and the process ends with 0.
#[tokio::test]
async fn whoever_is_connected_at_a_stop_hears_1001() {
    tell((0..=20_usize, any::<bool>()), async |(count, answering)| {
        let provider = FakeProvider::playing(Script::halting(&["Once", " more"])).await;
        let setup = Setup::with(&provider).set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "30s");
        let mut gateway = setup.set("SLUICE_LIMITS__CONNECTIONS_PER_USER", "30").start().await;
        let mut clients = Vec::new();
        for number in 0..count {
            clients.push(gateway.connect(&format!("user-{}", number % 3)).await);
        }
        if let Some(asker) = clients.first_mut().filter(|_| answering) {
            asker.say("Hello?").await;
            provider.release(1);
            asker.frames_saying("Once").await;
        }

        gateway.signal(Signal::SIGTERM);
        let codes = join_all(clients.iter_mut().map(Client::closed)).await;
        provider.release(1);
        let status = gateway.stop_already().await;

        assert_eq!(codes, vec![Some(1001); count]);
        assert_eq!(status.code(), Some(0));
    })
    .await;
}

/// Whatever it may take, with answers that never end and somebody who never reads: it is over by then, and says with 75 that
/// something was cut short.
#[tokio::test]
async fn neither_endless_answers_nor_deaf_readers_hold_up_a_stop() {
    tell((100..=2_000_u64, 1..=3_usize), async |(grace, deaf)| {
        let provider = FakeProvider::start().await;
        provider.always(Script::stalling(&["Once"]));
        let setup = Setup::with(&provider);
        let mut gateway =
            setup.set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", &format!("{grace}ms")).start().await;
        let mut alice = gateway.connect("alice").await;
        alice.say("Hello?").await;
        alice.frames_saying("Once").await;
        // They are there and read nothing, not even the farewell.
        let mut there = Vec::new();
        for _ in 0..deaf {
            let dial = gateway.dial().bearer(&gateway.token("alice")).narrow();
            there.push(dial.query("session_id", alice.session()).open().await.expect("it opens"));
        }

        let asked = Instant::now();
        let status = gateway.stop().await;

        assert_eq!(status.code(), Some(75));
        // What a busy machine may take for a process to end is generous; that it would never end is what is looked for.
        assert!(asked.elapsed() < Duration::from_millis(grace) + PATIENCE / 2);
        drop(there);
    })
    .await;
}
