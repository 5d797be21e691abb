//! A client that does not take what it is sent holds up nobody, itself included.

use serde_json::json;
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, Signal};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

/// Pieces of the long answer. All but the last are more than any buffer on the way keeps.
const PIECES: usize = 192;
/// Frames enough for a client to have emptied every buffer, and far fewer than the answer has.
const SOME: usize = 64;

/// Somebody reads nothing of a long answer, whose last piece is still to be released.
struct Scene {
    provider: FakeProvider,
    gateway: Gateway,
    /// Asked, and has read everything so far.
    desk: Client,
    /// Came when all that was there already.
    deaf: Client,
    answer: String,
}

impl Scene {
    async fn set() -> Self {
        let piece = "0123456789abcdef".repeat(1_024);
        let pieces = vec![piece.as_str(); PIECES];
        let provider = FakeProvider::playing(Script::halting(&pieces)).await;
        let gateway = Setup::with(&provider)
            .set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "12s")
            .set("SLUICE_TELEMETRY__LEVEL", "debug");
        let gateway = gateway.start().await;
        let mut desk = gateway.connect("alice").await;
        desk.say("Everything you know").await;
        provider.release(PIECES - 1);
        desk.frames_saying(&piece.repeat(PIECES - 1)).await;
        let dial = gateway.dial().bearer(&gateway.token("alice")).narrow();
        let deaf = dial.query("session_id", desk.session()).open().await.expect("it opens");
        Self { provider, gateway, desk, deaf, answer: piece.repeat(PIECES) }
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_somebody_who_does_not_read() {
    let Scene { provider, mut gateway, mut desk, deaf, .. } = Scene::set().await;
    provider.release(1);
    assert_eq!(desk.answer_end().await["finish_reason"], "stop");

    let status = gateway.stop().await;

    assert_eq!(status.code(), Some(0));
    assert_eq!(desk.closed().await, Some(1001));
    drop(deaf); // open until here
}

#[tokio::test]
async fn a_stop_lets_an_answer_finish_that_somebody_does_not_read() {
    let Scene { provider, mut gateway, desk, deaf, answer } = Scene::set().await;

    gateway.signal(Signal::SIGTERM);
    provider.release(1);
    let status = gateway.stop_already().await;

    assert_eq!(status.code(), Some(0));
    gateway.start_again().await;
    let stored = gateway.messages("alice", desk.session()).await;
    assert_eq!(stored[1]["finish_reason"], "stop");
    assert!(stored[1]["content"] == answer, "all of it is there");
    drop(deaf); // open until here
}

#[tokio::test]
async fn somebody_far_behind_is_heard_before_all_is_read() {
    let Scene { provider, gateway, mut desk, mut deaf, .. } = Scene::set().await;

    deaf.send(&json!({ "type": "cancel", "session_id": desk.session() })).await;
    // Once somebody who spoke later was answered, the gateway could have heard it.
    gateway.connect("bob").await.settled().await;
    deaf.next_of("loading").await;
    for _ in 0..SOME {
        let frame = deaf.next_frame().await;
        assert!(frame["content"].is_string() && frame["finish_reason"].is_null(), "{frame}");
    }

    provider.hung_up(1).await;
    assert_eq!(desk.answer_end().await["finish_reason"], "cancelled");
}

#[tokio::test]
async fn somebody_who_reads_again_after_being_left_finds_why_and_gets_the_rest() {
    let Scene { provider, gateway, mut desk, mut deaf, answer } = Scene::set().await;
    provider.release(1);
    desk.answer_end().await;

    gateway.logged("code=4102").await;
    let mut frames = deaf.frames_until("the close", |frame| frame.get("closed").is_some()).await;

    assert_eq!(frames.pop().expect("the close")["closed"], 4102);
    let last = frames.last().expect("some of the answer").clone();
    let mut back = gateway.connect("alice").await;
    back.send(&json!({
        "type": "resume", "session_id": desk.session(), "epoch": last["epoch"], "seq": last["seq"]
    }))
    .await;
    assert_eq!(back.next_frame().await["resumed"], true);
    frames.extend(back.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);
    let heard: String = frames.iter().filter_map(|frame| frame["content"].as_str()).collect();
    assert!(heard == answer, "all of it was heard, once");
}

#[tokio::test]
async fn a_request_whose_answer_nobody_takes_does_not_keep_its_place_for_ever() {
    // Far more answers than any buffer on the way keeps.
    const REQUESTS: usize = 1_000;
    let gateway = Setup::new().set("SLUICE_TELEMETRY__LEVEL", "debug").start().await;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address());
    let requests = request.repeat(REQUESTS);
    let mut deaf = TcpStream::connect(gateway.address()).await.expect("it listens");

    // The gateway reads no more where it cannot write, and may be gone before all of this is sent.
    let (_sent, ()) =
        tokio::join!(deaf.write_all(requests.as_bytes()), gateway.logged("a socket ended early"),);

    gateway.metric_becomes("sluice_plain_sockets", 1.0).await;
    drop(deaf); // open until here
}
