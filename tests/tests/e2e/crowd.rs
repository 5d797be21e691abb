//! Going down with many connections, some of which read nothing.

use futures_util::future::join_all;
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, Signal};

/// So many connections, each of a user of its own, a few at a time. Silent ones ask for more than they have room to take.
async fn connect(gateway: &Gateway, kind: &str, count: usize) -> Vec<Client> {
    let silent = kind == "silent";
    let open = async |n: &usize| {
        let dial = gateway.dial().bearer(&gateway.token(&format!("{kind}-{n}")));
        let dial = if silent { dial.narrow() } else { dial };
        let mut client = dial.open().await.expect("a good token opens");
        if silent {
            client.say("Everything you know").await;
        }
        client
    };
    let mut clients = Vec::new();
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(20) {
        clients.extend(join_all(some.iter().map(open)).await);
    }
    clients
}

async fn everybody_is_told(readers: usize, silent: usize) {
    let provider = FakeProvider::start().await;
    let long = "0123456789abcdef".repeat(1_024);
    provider.always(Script::saying(&[long.as_str(); 16]));
    let setup = Setup::with(&provider).set("SHUTDOWN_TIMEOUT", "2m");
    let mut gateway = setup.start().await;
    let not_reading = connect(&gateway, "silent", silent).await;
    let reading = connect(&gateway, "reader", readers).await;
    provider.request(silent).await;

    gateway.signal(Signal::SIGTERM);
    let closes = join_all(reading.into_iter().map(async |mut client| client.closed().await)).await;

    assert!(closes.iter().all(|code| *code == Some(1001)), "{closes:?}");
    assert_eq!(gateway.stop_already().await.code(), Some(0));
    drop(not_reading); // open until here
}

#[tokio::test]
async fn a_thousand_connections_are_told_and_a_hundred_that_read_nothing_hold_nobody_up() {
    everybody_is_told(900, 100).await;
}

#[tokio::test]
async fn a_second_signal_leaves_at_once() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "never"])).await;
    let mut gateway = Setup::with(&provider).set("SHUTDOWN_TIMEOUT", "10m").start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    provider.request(1).await;

    gateway.signal(Signal::SIGTERM);
    gateway.logged("draining").await;
    gateway.signal(Signal::SIGTERM);

    assert_eq!(gateway.stop_already().await.code(), Some(75));
}
