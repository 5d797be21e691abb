//! A start waits for its database, says so, and not for ever.

use std::fs;

use sluice_tests::{FakeProvider, Setup, patiently};

use super::{server, setup};

#[tokio::test]
async fn a_start_without_a_database_says_that_it_waits_and_gives_up_in_time() {
    let nowhere = Setup::new()
        .set("SLUICE_STORAGE__ENGINE", "mongodb")
        .set("MONGO_URI", "mongodb://127.0.0.1:9/")
        .set("MONGO_CONNECT_TIMEOUT", "2s");

    let ended = nowhere.ended().await;

    assert_eq!(ended.code, Some(69), "{}", ended.stderr);
    for words in ["waiting for the database", "cannot be opened"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_start_goes_on_when_the_database_comes() {
    let Some(mut server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let mut gateway = setup(&provider, &server).set("MONGO_CONNECT_TIMEOUT", "1m").start().await;
    let mut client = gateway.connect("alice").await;
    client.ask("Do zebras sleep?").await;
    gateway.stop().await;
    server.kill();

    let log = gateway.home().join("log");
    let come = async {
        patiently("the gateway to wait", async {
            while !fs::read_to_string(&log).expect("a log").contains("waiting for the database") {
                tokio::task::yield_now().await; // a file tells nobody that it grew
            }
        })
        .await;
        server.start_again().await;
    };
    tokio::join!(gateway.start_again(), come);

    assert_eq!(gateway.messages("alice", client.session()).await.len(), 2);
}
