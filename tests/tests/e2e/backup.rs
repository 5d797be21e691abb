//! `sluice backup` beside a running gateway, and going back to what it made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sluice_tests::{FakeProvider, Script, Setup};

#[tokio::test]
async fn a_running_gateway_is_backed_up_and_the_copy_takes_its_place() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon a time."])).await;
    let mut gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    provider.release(1);
    alice.next_of("ai_response").await;
    let session = alice.session().to_owned();

    let made = gateway.run(&["backup", "copy.db"]).await;

    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stdout.contains("1 sessions, 2 messages"), "{}", made.stdout);
    let copy = gateway.home().join("copy.db");
    assert_eq!(fs::metadata(&copy).expect("there").permissions().mode() & 0o777, 0o600);
    let again = gateway.run(&["backup", "copy.db"]).await;
    assert_eq!(again.code, Some(64), "{}", again.stderr);
    assert!(again.stderr.contains("overwrites nothing"), "{}", again.stderr);

    provider.release(1);
    alice.answer_end().await;
    alice.say("Said after the backup").await;
    alice.next_of("ack").await;
    gateway.kill().await;
    for rest in ["sluice.db", "sluice.db-wal", "sluice.db-shm"] {
        fs::remove_file(gateway.home().join(rest)).expect("the archive of a killed gateway");
    }
    fs::rename(&copy, gateway.home().join("sluice.db")).expect("in its place");
    gateway.start_again().await;

    let messages = gateway.messages("alice", &session).await;
    assert_eq!(messages.len(), 2, "{messages:#?}");
    assert_eq!(messages[0]["content"], "Tell me a story");
    assert_eq!(messages[1]["finish_reason"], "interrupted", "it had only begun then");
    let mut later = gateway.connect("alice").await;
    later.enter(&session);
    later.say("Still there?").await;
    assert_eq!(later.next_of("ack").await["session_id"], session);
}

#[tokio::test]
async fn a_backup_of_nothing_says_so() {
    let ended = Setup::new().run(&["backup", "copy.db"]).await;

    assert_eq!(ended.code, Some(69), "{}", ended.stderr);
    assert!(ended.stderr.contains("is not an archive"), "{}", ended.stderr);
}
