//! One message there, one answer back.

use sluice_tests::{FakeProvider, Script, Setup, kind};

#[tokio::test]
async fn an_answer_arrives_in_pieces_and_is_stored_as_it_was_heard() {
    let provider = FakeProvider::playing(Script::halting(&["Once ", "upon ", "a time."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let said = alice.say("Tell me a story").await;
    let ack = alice.next_frame().await;
    let loading = alice.next_frame().await;
    let mut frames = Vec::new();
    for piece in ["Once ", "upon "] {
        provider.release(1);
        let frame = alice.next_frame().await;
        assert_eq!(frame["content"], piece, "each piece is there before the next is released");
        assert_eq!(frame["metadata"]["done"], "false");
        frames.push(frame);
    }
    provider.release(1);
    frames.extend(alice.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);

    assert_eq!((kind(&ack), kind(&loading)), ("ack", "loading"));
    assert_eq!(ack["client_message_id"], said);
    assert_eq!(loading["in_reply_to"], ack["message_id"]);
    let answer = sluice_tests::Answer::of(&frames);
    assert_eq!(answer.text, "Once upon a time.");
    assert_eq!(answer.finish_reason, "stop");
    assert_eq!(answer.message_id, loading["message_id"]);
    assert_eq!(answer.in_reply_to, ack["message_id"]);
    let stored = gateway.messages("alice", alice.session()).await;
    let told: Vec<_> = stored.iter().map(|m| (&m["sender"], &m["content"])).collect();
    assert_eq!(told[0], (&"user".into(), &"Tell me a story".into()));
    assert_eq!(told[1], (&"ai".into(), &"Once upon a time.".into()));
    assert_eq!(stored[1]["message_id"], answer.message_id);
    assert_eq!(stored[1]["finish_reason"], "stop");
    assert_eq!(alice.missed(alice.session()), [] as [u64; 0]);
}

#[tokio::test]
async fn the_greeting_names_the_user_the_models_and_the_limits() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    let alice = gateway.connect("alice").await;

    assert_eq!(alice.greeting["user_id"], "alice");
    assert_eq!(alice.greeting["models"], serde_json::json!([{ "id": "fake", "name": "fake" }]));
    assert!(alice.greeting["connection_id"].is_string(), "{}", alice.greeting);
    assert!(alice.greeting["heartbeat_ms"].is_u64(), "{}", alice.greeting);
    assert!(alice.greeting["limits"].is_object(), "{}", alice.greeting);
}

#[tokio::test]
async fn the_last_piece_counts_what_the_provider_counted() {
    let provider = FakeProvider::playing(Script::saying(&["Seven words."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("How many?").await;

    let expected = serde_json::json!({
        "input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "estimated": false,
    });
    assert_eq!(answer.usage, expected);
}

#[tokio::test]
async fn an_answer_cut_at_the_token_limit_says_so() {
    let provider = FakeProvider::playing(Script::saying_until(&["And so"], "length")).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Go on for ever").await;

    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("And so", "length"));
}

#[tokio::test]
async fn offsets_count_bytes_whatever_the_script_is_written_in() {
    let pieces = ["Grüße, ", "世界 ", "👋🏽", " e\u{301}"];
    let provider = FakeProvider::playing(Script::halting(&pieces)).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Begrüße die Welt").await;
    alice.next_of("loading").await;

    // The last piece may come together with the end.
    let (mut offset, mut ended) = (0, false);
    for piece in pieces {
        provider.release(1);
        let frame = alice.next_frame().await;
        assert_eq!(frame["offset"], offset);
        assert_eq!(frame["content"], piece);
        offset += piece.len();
        ended = frame["metadata"]["done"] == "true";
    }
    if !ended {
        alice.answer_end().await;
    }

    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[1]["content"], pieces.concat());
}

#[tokio::test]
async fn what_was_said_before_goes_along_as_context() {
    let provider = FakeProvider::playing(Script::saying(&["Noted."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    alice.ask("My cat is called Ada.").await;
    alice.ask("What is my cat called?").await;

    let second = provider.request(2).await;
    let expected = [
        ("user", "My cat is called Ada."),
        ("assistant", "Noted."),
        ("user", "What is my cat called?"),
    ];
    assert_eq!(second.prompt(), expected);
}

#[tokio::test]
async fn another_session_knows_nothing_of_the_first() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    gateway.connect("alice").await.ask("A secret.").await;
    gateway.connect("alice").await.ask("What did I say?").await;

    assert_eq!(provider.request(2).await.prompt(), [("user", "What did I say?")]);
}

#[tokio::test]
async fn the_provider_gets_its_model_its_key_and_a_request_to_stream() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    gateway.connect("alice").await.ask("Hello?").await;

    let request = provider.request(1).await;
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.body["model"], "upstream-fake");
    assert_eq!(request.body["stream"], true);
    assert_eq!(request.header("authorization"), Some("Bearer key-of-the-test"));
}

#[tokio::test]
async fn a_provider_that_needs_no_key_is_sent_none() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).unset("LLM_PROVIDER_1_API_KEY").start().await;

    let answer = gateway.connect("alice").await.ask("Hello?").await;

    assert_eq!(answer.text, "Hello there.");
    assert_eq!(provider.request(1).await.header("authorization"), None);
}
