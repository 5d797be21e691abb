//! Whatever a peer sends: a typed refusal, and everybody else goes on.

use serde_json::json;
use sluice_tests::{FakeProvider, Setup, kind};

#[tokio::test]
async fn each_bad_frame_gets_a_typed_error_and_the_connection_goes_on() {
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep = format!(r#"{{"type":"user_message","content":{nested}}}"#);
    let long = format!(r#"{{"type":"user_message","content":"{}"}}"#, "x".repeat(10_001));
    let id = format!(
        r#"{{"type":"user_message","content":"x","client_message_id":"{}"}}"#,
        "x".repeat(65)
    );
    let table = [
        ("", "INVALID_FORMAT"),
        ("no json", "INVALID_FORMAT"),
        (r#"{"type":"user_message","content":"cut of"#, "INVALID_FORMAT"),
        ("null", "INVALID_FORMAT"),
        ("[1, 2]", "INVALID_FORMAT"),
        ("{}", "INVALID_FORMAT"),
        (r#"{"type":7}"#, "INVALID_FORMAT"),
        (r#"{"type":"abracadabra"}"#, "INVALID_FORMAT"),
        (r#"{"type":"ai_response","content":"I am the model"}"#, "INVALID_FORMAT"),
        (r#"{"type":"user_message","content":["a"]}"#, "INVALID_FORMAT"),
        (r#"{"type":"user_message","content":{"a":1}}"#, "INVALID_FORMAT"),
        (r#"{"type":"user_message","content":"a","session_id":{}}"#, "INVALID_FORMAT"),
        (r#"{"type":"user_message"}"#, "MISSING_FIELD"),
        (r#"{"type":"user_message","content":""}"#, "MISSING_FIELD"),
        ("{\"type\":\"user_message\",\"content\":\" \\u0000\\n \"}", "MISSING_FIELD"),
        (r#"{"type":"user_message","content":"\ud800"}"#, "INVALID_FORMAT"),
        (r#"{"type":"resume"}"#, "MISSING_FIELD"),
        (r#"{"type":"resume","session_id":"s","epoch":-1,"seq":0}"#, "INVALID_FORMAT"),
        (r#"{"type":"resume","session_id":"s","epoch":1e400,"seq":0}"#, "INVALID_FORMAT"),
        (r#"{"type":"model_select","session_id":"s"}"#, "MISSING_FIELD"),
        (r#"{"type":"file_upload","file_id":"f","file_url":"https://x.test/"}"#, "UNSUPPORTED"),
        (r#"{"type":"voice_message","file_id":"f","file_url":"https://x.test/"}"#, "UNSUPPORTED"),
        (deep.as_str(), "INVALID_FORMAT"),
        (long.as_str(), "INVALID_FORMAT"),
        (id.as_str(), "INVALID_FORMAT"),
    ];
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    for (text, code) in table {
        alice.send_text(text).await;
        let error = alice.next_frame().await;

        let head: String = text.chars().take(80).collect();
        assert_eq!(kind(&error), "error", "{head}: {error}");
        assert_eq!(error["error"]["code"], code, "{head}: {error}");
        assert_eq!(error["error"]["recoverable"], true, "{head}: {error}");
    }

    assert_eq!(provider.count(), 0, "nothing of it was asked");
    assert_eq!(alice.ask("Hello?").await.finish_reason, "stop");
}

#[tokio::test]
async fn an_error_names_the_message_it_is_about() {
    let gateway = Setup::new().start().await;
    let mut alice = gateway.connect("alice").await;

    alice.send(&json!({ "type": "user_message", "content": 5, "client_message_id": "c-5" })).await;

    assert_eq!(alice.next_frame().await["client_message_id"], "c-5");
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    alice
        .send(&json!({
            "type": "user_message", "content": "Hello?", "sender": "ai", "metadata": { "a": 1 },
            "timestamp": "yesterday", "from_the_future": [1, 2, 3],
        }))
        .await;

    assert_eq!(alice.answer().await.finish_reason, "stop");
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[0]["sender"], "user", "a client does not choose who it is");
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_1009_and_neighbours_go_on() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let mut bob = gateway.connect("bob").await;

    let big = json!({ "type": "user_message", "content": "x".repeat(2 << 20) });
    alice.send(&big).await;

    assert_eq!(alice.closed().await, Some(1009));
    assert_eq!(bob.ask("Hello?").await.finish_reason, "stop");
    assert_eq!(gateway.connect("alice").await.ask("Hello?").await.finish_reason, "stop");
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let gateway = Setup::new().start().await;
    let mut alice = gateway.connect("alice").await;

    alice.send_binary(br#"{"type":"ping"}"#.to_vec()).await;

    assert_eq!(alice.closed().await, Some(1003));
}

#[tokio::test]
async fn text_that_is_markup_comes_back_as_it_was() {
    let markup = "<script>alert('x')</script> & \u{202e}\u{1b}[2J \"quoted\"";
    let provider = FakeProvider::playing(sluice_tests::Script::saying(&[markup])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask(markup).await;

    assert_eq!(answer.text, markup);
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!((&stored[0]["content"], &stored[1]["content"]), (&markup.into(), &markup.into()));
}

#[tokio::test]
async fn bad_http_is_refused_and_the_process_stays() {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };
    let gateway = Setup::new().start().await;
    let table: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /chatbox/ws HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /chatbox/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"POST /chatbox/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /chatbox/\x00\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    ];

    for bytes in table {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
        stream.write_all(bytes).await.expect("written");
        let mut answer = Vec::new();
        // A reset is as good an answer as 400.
        drop(sluice_tests::patiently("an end", stream.read_to_end(&mut answer)).await);
        let ok = answer.starts_with(b"HTTP/1.1 2") || answer.starts_with(b"HTTP/1.1 101");
        assert!(!ok, "{}", String::from_utf8_lossy(&answer));
    }

    assert_eq!(gateway.call("GET", "/chatbox/healthz").send().await.status, 200);
}
