//! What Dify wants beyond an answer: files are uploaded before they are spoken of, and an answer that nobody wants any more is stopped.

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Script, Setup};

async fn behind(provider: &FakeProvider) -> Gateway {
    let setup = Setup::with(provider).set("LLM_PROVIDER_1_TYPE", "dify");
    setup.set("SLUICE_LLM__IDLE_TIMEOUT", "60s").start().await
}

/// Begins an answer and says nothing more.
fn begun() -> Script {
    let event = json!({ "event": "message", "task_id": "task-1", "conversation_id": "c", "message_id": "m", "answer": "Once" });
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    Script::hanging(format!("{head}data: {event}\n\n").as_bytes())
}

fn stopped() -> Script {
    Script::refusing(200, "application/json", r#"{"result":"success"}"#)
}

/// The app was told to stop, by whoever had asked it, with the same key.
async fn was_stopped(provider: &FakeProvider) {
    let (asked, stop) = (provider.request(1).await, provider.request(2).await);
    assert_eq!(stop.path, "/v1/chat-messages/task-1/stop");
    assert_eq!(stop.body["user"], asked.body["user"]);
    assert_eq!(stop.header("authorization"), asked.header("authorization"));
}

#[tokio::test]
async fn a_file_by_its_bytes_is_uploaded_and_then_spoken_of() {
    let provider = FakeProvider::playing(Script::recorded("dify", "bytes")).await;
    provider.then(Script::recorded("dify", "plain-stream"));
    let gateway = behind(&provider).await;
    let picture = json!({ "url": "data:image/png;base64,QmVhdXRpZnVs" });
    let body = json!({ "model": "fake", "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "What is this?" },
        { "type": "image_url", "image_url": picture },
    ] }] });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));

    let reply = call.json(&body).send().await;

    assert_eq!(reply.status, 200, "{}", reply.body);
    let (upload, asked) = (provider.request(1).await, provider.request(2).await);
    assert_eq!(upload.path, "/v1/files/upload");
    assert_eq!(upload.header("authorization"), Some("Bearer key-of-the-test"));
    let kind = upload.header("content-type").expect("a form");
    let border = kind.strip_prefix("multipart/form-data; boundary=").expect("a border");
    let user = asked.body["user"].as_str().expect("a pseudonym");
    let expected = format!(
        "--{border}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file.png\"\r\n\
        Content-Type: image/png\r\n\r\nBeautiful\r\n\
        --{border}\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n{user}\r\n\
        --{border}--\r\n"
    );
    assert_eq!(upload.text, expected);
    let file = json!({
        "type": "image",
        "transfer_method": "local_file",
        "upload_file_id": "72fa9618-8f89-4a37-9b33-7e1178a24a67",
    });
    assert_eq!(asked.body["files"], json!([file]));
}

#[tokio::test]
async fn a_file_that_is_not_taken_is_an_error_and_nothing_is_asked() {
    let provider = FakeProvider::playing(Script::recorded("dify", "upload-refused")).await;
    let gateway = behind(&provider).await;
    let picture = json!({ "url": "data:image/png;base64,QmVhdXRpZnVs" });
    let content = json!([{ "type": "image_url", "image_url": picture }]);
    let body = json!({ "model": "fake", "messages": [{ "role": "user", "content": content }] });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));

    let reply = call.json(&body).send().await;

    assert_eq!(reply.status, 400, "{}", reply.body);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn cancelling_stops_the_app() {
    let provider = FakeProvider::playing(begun()).await;
    provider.always(stopped());
    let gateway = behind(&provider).await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    alice.frames_saying("Once").await;

    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;

    assert_eq!(alice.answer_end().await["finish_reason"], "cancelled");
    was_stopped(&provider).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_stops_the_app() {
    let provider = FakeProvider::playing(begun()).await;
    provider.always(stopped());
    let gateway = behind(&provider).await;
    let body = json!({ "model": "fake", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));
    let mut events = call.json(&body).events().await.begun().await;
    events.next().await;

    drop(events);

    was_stopped(&provider).await;
}

#[tokio::test]
async fn an_app_that_falls_silent_is_stopped_too() {
    let provider = FakeProvider::playing(begun()).await;
    provider.always(stopped());
    let setup = Setup::with(&provider).set("LLM_PROVIDER_1_TYPE", "dify");
    let gateway = setup.set("SLUICE_LLM__IDLE_TIMEOUT", "500ms").start().await;

    assert_eq!(gateway.connect("alice").await.ask("Hello?").await.finish_reason, "error");

    was_stopped(&provider).await;
}

#[tokio::test]
async fn an_app_that_is_done_is_not_told_to_stop_and_shutdown_tells_the_others() {
    let provider = FakeProvider::playing(Script::recorded("dify", "plain-stream")).await;
    let mut gateway = behind(&provider).await;
    assert_eq!(gateway.connect("alice").await.ask("Hello?").await.finish_reason, "stop");
    assert!(gateway.stop().await.success());
    assert_eq!(provider.count(), 1);

    let provider = FakeProvider::playing(begun()).await;
    provider.always(stopped());
    let setup = Setup::with(&provider).set("LLM_PROVIDER_1_TYPE", "dify");
    let mut gateway = setup.set("SLUICE_SERVER__SHUTDOWN_TIMEOUT", "2s").start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    alice.frames_saying("Once").await;
    gateway.stop().await;
    was_stopped(&provider).await;
    assert_eq!(provider.count(), 2, "told before the process ended");
}
