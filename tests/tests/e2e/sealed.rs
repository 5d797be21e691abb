//! With a key, what people say is not readable in the archive, and only whoever has the key gets at it.

use sluice_tests::{FakeProvider, Setup};

const KEY: &str = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER: &str = "base64:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const VARIABLE: &str = "ENCRYPTION_KEY";
const PREVIOUS: &str = "SLUICE_STORAGE__PREVIOUS_ENCRYPTION_KEYS";

#[tokio::test]
async fn what_is_said_is_sealed_and_there_again_after_a_restart() {
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).set(VARIABLE, KEY).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Do zebras sleep?").await;
    let before = gateway.messages("alice", alice.session()).await;
    assert_eq!(before[1]["content"], "Hello there.");

    gateway.kill().await;
    gateway.start_again().await;

    assert_eq!(gateway.messages("alice", alice.session()).await, before);
    let found = gateway.get("alice", "/sessions?q=ZEBRA").await;
    assert_eq!(found["sessions"][0]["name"], "Do zebras sleep?", "{found}");
    assert_eq!(gateway.get("alice", "/sessions?q=quagga").await["count"], 0);
    for word in ["zebras", "Hello there"] {
        assert!(!gateway.is_stored(word).await, "{word}");
    }
    assert!(!gateway.log().contains("storage.encryption_key"), "{}", gateway.log());
}

#[tokio::test]
async fn a_gateway_without_the_key_does_not_start_and_names_it() {
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).set(VARIABLE, KEY).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Do zebras sleep?").await;
    gateway.stop().await;

    for wrong in ["", OTHER] {
        gateway.set(VARIABLE, wrong);
        let ended = gateway.run(&["serve"]).await;
        assert_eq!(ended.code, Some(64), "{}", ended.stderr);
        for word in ["storage.previous_encryption_keys", "not configured: "] {
            assert!(ended.stderr.contains(word), "{}", ended.stderr);
        }
    }
    gateway.set(PREVIOUS, KEY);
    gateway.start_again().await;
    let messages = gateway.messages("alice", alice.session()).await;
    assert_eq!(messages[0]["content"], "Do zebras sleep?");
}

#[tokio::test]
async fn an_archive_that_was_readable_is_sealed_and_its_key_changed() {
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Do zebras sleep?").await;
    let session = alice.session().to_owned();
    gateway.logged("storage.encryption_key").await;
    let refused = gateway.run(&["reseal"]).await;
    assert_eq!(refused.code, Some(69), "not beside a running gateway: {}", refused.stderr);
    gateway.stop().await;
    assert!(gateway.is_stored("zebras").await, "nothing is sealed without a key");

    gateway.set(VARIABLE, KEY);
    let sealed = gateway.run(&["reseal"]).await;
    assert_eq!(sealed.code, Some(0), "{}", sealed.stderr);
    assert!(sealed.stdout.contains("3 of 3 rows"), "{}", sealed.stdout);
    assert!(!gateway.is_stored("zebras").await);

    gateway.set(VARIABLE, OTHER);
    gateway.set(PREVIOUS, KEY);
    let changed = gateway.run(&["reseal"]).await;
    assert!(changed.stdout.contains("3 of 3 rows"), "{}", changed.stdout);
    let again = gateway.run(&["reseal"]).await;
    assert!(again.stdout.contains("0 of 3 rows"), "{}", again.stdout);

    gateway.set(PREVIOUS, "");
    gateway.start_again().await;
    let messages = gateway.messages("alice", &session).await;
    assert_eq!(messages[0]["content"], "Do zebras sleep?");
}
