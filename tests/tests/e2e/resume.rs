//! Coming back after a lost connection: exactly what was missed, or told that it cannot be had.

use serde_json::{Value, json};
use sluice_tests::{Answer, FakeProvider, Proxy, Script, Setup, kind};

fn resume(session: &str, position: &Value) -> Value {
    json!({ "type": "resume", "session_id": session, "epoch": position["epoch"], "seq": position["seq"] })
}

#[tokio::test]
async fn a_cut_connection_resumes_in_mid_answer_without_loss_or_repetition() {
    let pieces = ["Once ", "upon ", "a ", "time ", "there ", "was."];
    let provider = FakeProvider::playing(Script::halting(&pieces)).await;
    let gateway = Setup::with(&provider).start().await;
    let wire = Proxy::to(gateway.address()).await;
    let dial = gateway.dial().through(wire.address()).bearer(&gateway.token("alice"));
    let dial = dial.header("Host", gateway.address());
    let mut alice = dial.clone().open().await.expect("it opens");
    alice.say("Tell me a story").await;
    provider.release(2);
    let mut heard = alice.frames_saying("Once upon ").await;
    let session = alice.session().to_owned();
    wire.cut();
    provider.release(2);
    assert_eq!(alice.closed().await, None);

    let mut again = dial.open().await.expect("it opens");
    again.send(&resume(&session, heard.last().expect("two pieces"))).await;
    let status = again.next_frame().await;
    provider.release(2);
    heard.extend(again.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);

    assert_eq!(status["type"], "connection_status", "{status}");
    assert_eq!(status["resumed"], true, "{status}");
    assert_eq!(Answer::of(&heard).text, pieces.concat());
    assert_eq!(again.missed(&session), [] as [u64; 0]);
}

#[tokio::test]
async fn a_resume_from_the_beginning_replays_everything_in_order() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("First").await;
    let ack = alice.next_of("ack").await;
    alice.answer().await;
    alice.ask("Second").await;
    let session = alice.session().to_owned();

    let before = json!({ "epoch": ack["epoch"], "seq": ack["seq"].as_u64().expect("a seq") - 1 });
    let mut again = gateway.connect("alice").await;
    again.send(&resume(&session, &before)).await;
    let is_end = |frame: &Value| frame["finish_reason"].is_string();
    let mut frames = again.frames_until("the end of the first answer", is_end).await;
    frames.extend(again.frames_until("the end of the second answer", is_end).await);

    assert_eq!(frames[0]["resumed"], true, "{frames:#?}");
    let told: Vec<_> = frames[1..].iter().map(kind).collect();
    let mut expected = told.clone();
    expected.dedup();
    assert_eq!(
        expected,
        ["user_message", "loading", "ai_response", "user_message", "loading", "ai_response"]
    );
    assert_eq!(frames[1]["content"], "First");
    assert_eq!(frames[1]["seq"], ack["seq"]);
    assert_eq!(again.missed(&session), [] as [u64; 0]);
}

#[tokio::test]
async fn a_resume_at_the_head_replays_nothing() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let answer = alice.ask("First").await;
    let session = alice.session().to_owned();

    let mut again = gateway.connect("alice").await;
    again.send(&resume(&session, answer.pieces.last().expect("pieces"))).await;
    let frames = again.settled().await;

    assert_eq!(frames.len(), 1, "{frames:#?}");
    assert_eq!(frames[0]["resumed"], true);
}

#[tokio::test]
async fn a_position_that_never_was_is_not_guessed_at() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let last = alice.ask("First").await.pieces.last().expect("pieces").clone();
    let session = alice.session().to_owned();
    let epoch = last["epoch"].as_u64().expect("an epoch");

    for (epoch, seq) in [(epoch, 1_000_000), (epoch + 7, 1), (u64::MAX, u64::MAX)] {
        let mut again = gateway.connect("alice").await;
        again.send(&resume(&session, &json!({ "epoch": epoch, "seq": seq }))).await;
        let status = again.next_frame().await;

        assert_eq!(status["resumed"], false, "{epoch} {seq}: {status}");
        assert_eq!(status["seq"], last["seq"], "the way on is told: {status}");
        assert_eq!(again.ask("Still there?").await.finish_reason, "stop");
    }
}

#[tokio::test]
async fn opening_with_a_session_shows_the_running_answer_from_its_beginning() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon ", "a time."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    phone.say("Tell me a story").await;
    provider.release(2);
    phone.frames_saying("Once upon ").await;

    let desk = gateway.dial().bearer(&gateway.token("alice")).query("session_id", phone.session());
    let mut desk = desk.open().await.expect("it opens");
    provider.release(1);

    assert_eq!(desk.answer().await.text, "Once upon a time.");
}

#[tokio::test]
async fn a_position_that_is_gone_shows_the_running_answer_from_its_beginning() {
    let provider = FakeProvider::playing(Script::saying(&["Before."])).await;
    provider.then(Script::halting(&["Once ", "upon ", "a time."]));
    let gateway = Setup::with(&provider).start().await;
    let mut phone = gateway.connect("alice").await;
    phone.ask("First").await;
    let session = phone.session().to_owned();
    phone.say("Tell me a story").await;
    let question = phone.next_of("ack").await;
    provider.release(2);
    let pieces = phone.frames_saying("Once upon ").await;
    let position = pieces.last().expect("two pieces");
    let epoch = position["epoch"].as_u64().expect("an epoch");

    for lost in [
        json!({ "epoch": epoch + 7, "seq": position["seq"] }),
        json!({ "epoch": epoch, "seq": 1_000_000 }),
    ] {
        let mut again = gateway.connect("alice").await;
        again.send(&resume(&session, &lost)).await;
        let status = again.next_frame().await;
        let history = gateway.messages("alice", &session).await;
        let loading = again.next_frame().await;
        let heard = again.frames_saying("Once upon ").await;

        assert_eq!(status["resumed"], false, "{status}");
        assert_eq!(status["seq"], question["seq"], "all that came before is in the history");
        assert_eq!(history[2]["seq"], question["seq"]);
        assert_eq!(kind(&loading), "loading", "{loading}");
        assert_eq!(loading["in_reply_to"], history[2]["message_id"]);
        assert_eq!(Answer::of(&heard).text, "Once upon ", "offsets begin at 0");
        assert_eq!(heard[0]["message_id"], loading["message_id"]);
        assert_eq!(again.missed(&session), [] as [u64; 0]);
    }

    let mut again = gateway.connect("alice").await;
    again.send(&resume(&session, &json!({ "epoch": epoch + 7, "seq": 1 }))).await;
    again.next_of("loading").await;
    provider.release(1);
    assert_eq!(again.answer().await.text, "Once upon a time.");
}

#[tokio::test]
async fn resuming_a_session_that_is_not_there_fails_and_the_connection_goes_on() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut bob = gateway.connect("bob").await;
    bob.ask("Mine").await;
    let mut alice = gateway.connect("alice").await;

    for session in ["there-is-no-such-session", bob.session()] {
        for frame in [
            json!({ "type": "resume", "session_id": session }),
            resume(session, &json!({ "epoch": 1, "seq": 1 })),
        ] {
            alice.send(&frame).await;
            let error = alice.next_frame().await;
            assert_eq!(error["error"]["code"], "RESUME_FAILED", "{error}");
            assert_eq!(error["error"]["recoverable"], true, "{error}");
        }
    }

    assert_eq!(alice.ask("Hello?").await.finish_reason, "stop");
}

#[tokio::test]
async fn a_session_that_left_memory_resumes_from_its_last_position() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider).set("SLUICE_SESSION__TTL", "50ms");
    let gateway = setup.set("SLUICE_SESSION__CLEANUP_INTERVAL", "50ms").start().await;
    let mut alice = gateway.connect("alice").await;
    let last = alice.ask("First").await.pieces.last().expect("pieces").clone();
    let session = alice.session().to_owned();
    alice.leave().await;
    gateway.logged("swept idle sessions removed=1").await;

    let mut again = gateway.connect("alice").await;
    again.send(&resume(&session, &last)).await;
    let frames = again.settled().await;
    again.enter(&session);
    again.say("Second").await;
    let ack = again.next_of("ack").await;

    assert_eq!(frames.len(), 1, "nothing was missed: {frames:#?}");
    assert_eq!(frames[0]["resumed"], true, "{frames:#?}");
    assert_eq!(ack["epoch"], last["epoch"], "nothing was lost: the same epoch");
    let seq = last["seq"].as_u64().expect("a seq");
    assert_eq!(ack["seq"], seq + 1, "it goes on right after");
    assert_eq!(again.answer().await.finish_reason, "stop");
    let told = provider.request(2).await;
    let expected = [("user", "First"), ("assistant", "Hello there."), ("user", "Second")];
    assert_eq!(told.prompt(), expected);
}

/// An answer of two megabytes and over, of which the log keeps a small part in memory.
async fn long_answer() -> (FakeProvider, sluice_tests::Gateway, Answer) {
    let pieces: Vec<String> =
        (0..128).map(|number| format!("{number:04} é🙂 ").repeat(1_024)).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let provider = FakeProvider::playing(Script::saying(&pieces)).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let answer = alice.ask("Everything you know").await;
    assert_eq!(answer.text, pieces.concat());
    (provider, gateway, answer)
}

#[tokio::test]
async fn a_position_inside_a_long_answer_that_is_over_is_served_from_the_archive() {
    let (_provider, gateway, answer) = long_answer().await;

    for piece in [0, 1, answer.pieces.len() / 2, answer.pieces.len() - 2] {
        let seen = &answer.pieces[piece];
        let (session, heard) = (seen["session_id"].as_str().expect("a session"), bytes_upto(seen));
        let mut again = gateway.connect("alice").await;
        again.send(&resume(session, seen)).await;
        assert_eq!(again.next_frame().await["resumed"], true);
        let frames =
            again.frames_until("the end", |frame| frame["finish_reason"].is_string()).await;

        assert_eq!(frames[0]["offset"], heard, "from where it was");
        let rest: String = frames.iter().filter_map(|frame| frame["content"].as_str()).collect();
        assert!(answer.text.get(heard..) == Some(&*rest), "the rest, from {heard}");
        assert_eq!(again.missed(session), [] as [u64; 0]);
    }
}

/// Bytes of the answer up to the end of a piece.
fn bytes_upto(piece: &Value) -> usize {
    let before = usize::try_from(piece["offset"].as_u64().expect("an offset")).expect("it fits");
    before + piece["content"].as_str().unwrap_or_default().len()
}
