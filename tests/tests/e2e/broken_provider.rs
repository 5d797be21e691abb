//! A provider that fails in every way there is: each time an error of its own kind, and memory that stays where it was.

use serde_json::{Value, json};
use sluice_tests::{Answer, Client, FakeProvider, Gateway, Reply, Script, Setup, kind};

/// More than any answer takes, and far less than what is thrown at the gateway here.
const MEMORY: u64 = 256 << 20;

const SSE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

/// Begins an answer, so that there is something that must not pass for a whole one.
const HALF: &str = r#"data: {"id":"a","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}

"#;

fn sse(body: &str) -> Script {
    Script::raw(format!("{SSE}{body}").as_bytes())
}

fn whole(body: &str) -> Script {
    Script::raw(format!("{JSON}{body}").as_bytes())
}

fn refusing(status: &str, headers: &str, body: &str) -> Script {
    Script::raw(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())
}

/// What a gzip of many nothings begins with: the gateway said that it takes none.
const BOMB: [u8; 20] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1, 0, 0, 0, 0x82, 0x90, 0];

fn gzip() -> Script {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n";
    Script::raw(&[head.as_bytes(), &BOMB].concat())
}

fn ways() -> Vec<(&'static str, Script, u16, &'static str)> {
    let (failed, refused) = ("provider_failed", "provider_unavailable");
    vec![
        (
            "429 with an absurd pause",
            refusing("429 No", "Retry-After: 99999999999999999999\r\n", ""),
            503,
            "provider_rate_limited",
        ),
        (
            "429 with a pause that is none",
            refusing("429 No", "Retry-After: soon\r\n", "{}"),
            503,
            "provider_rate_limited",
        ),
        (
            "500 with a page",
            refusing("500 No", "Content-Type: text/html\r\n", "<html><h1>500</h1></html>"),
            503,
            "provider_overloaded",
        ),
        ("503 with nothing", refusing("503 No", "", ""), 503, "provider_overloaded"),
        ("401", refusing("401 No", "", "no"), 502, refused),
        (
            "a redirect to a metadata address",
            refusing("302 Found", "Location: http://169.254.169.254/latest/meta-data\r\n", ""),
            502,
            failed,
        ),
        (
            "a redirect of the whole question",
            refusing("307 There", "Location: http://127.0.0.1:9/v1/chat/completions\r\n", ""),
            502,
            failed,
        ),
        ("nothing at all", Script::raw(b""), 502, failed),
        ("another protocol", Script::raw(b"SSH-2.0-OpenSSH_9.6\r\n"), 502, failed),
        (
            "a head without end",
            Script::flooding(b"HTTP/1.1 200 OK\r\n", b"X-More: of the same, again and again\r\n"),
            502,
            failed,
        ),
        ("204", Script::raw(b"HTTP/1.1 204 No Content\r\n\r\n"), 502, failed),
        (
            "a page for an answer",
            Script::raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Welcome</html>"),
            502,
            failed,
        ),
        ("no body", sse(""), 502, failed),
        ("an end mark alone", sse("data: [DONE]\n\n"), 502, failed),
        ("half an answer", sse(HALF), 502, failed),
        ("half a frame", sse(&format!("{HALF}data: {{\"id\":\"a\",\"cho")), 502, failed),
        ("no JSON", sse(&format!("{HALF}data: <html>\n\ndata: [DONE]\n\n")), 502, failed),
        (
            "choices that are a text",
            sse(&format!("{HALF}data: {{\"choices\":\"no\"}}\n\ndata: [DONE]\n\n")),
            502,
            failed,
        ),
        (
            "usage below nothing",
            sse(&format!("{HALF}data: {{\"usage\":{{\"prompt_tokens\":-5}}}}\n\ndata: [DONE]\n\n")),
            502,
            failed,
        ),
        ("a number", whole("42"), 502, failed),
        ("an empty list", whole("[]"), 502, failed),
        ("an object of nothing", whole("{}"), 502, failed),
        ("brackets without end", whole(&"[".repeat(100_000)), 502, failed),
        ("an error with status 200", whole(r#"{"error":{"message":"no"}}"#), 502, failed),
        (
            "an error in mid-stream",
            sse(&format!("{HALF}data: {{\"error\":{{\"code\":503,\"message\":\"no\"}}}}\n\n")),
            503,
            "provider_overloaded",
        ),
        (
            "bytes that are no text",
            Script::raw(&[SSE.as_bytes(), HALF.as_bytes(), b"data: \xff\xfe\xfd\n\ndata: [DONE]\n\n"].concat()),
            502,
            failed,
        ),
        ("a packed bomb", gzip(), 502, failed),
        (
            "a packed answer that does not say so",
            Script::raw(&[SSE.as_bytes(), &BOMB].concat()),
            502,
            failed,
        ),
        (
            "a stream that says it is one JSON text",
            whole(&format!("{HALF}data: [DONE]\n\n")),
            502,
            failed,
        ),
        ("a JSON text that says it is a stream", sse(r#"{"choices":[]}"#), 502, failed),
        (
            "two lengths of one body",
            refusing("200 OK", "Content-Length: 4\r\nContent-Length: 5\r\n", "null"),
            502,
            failed,
        ),
        ("a status that is none", refusing("99999 What", "", ""), 502, failed),
        (
            "a body shorter than it says",
            Script::raw(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99999\r\n\r\n{HALF}").as_bytes()),
            502,
            failed,
        ),
        (
            "chunks that are none",
            Script::raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            502,
            failed,
        ),
        (
            "a line without end",
            Script::flooding(format!("{SSE}data: ").as_bytes(), &[b'a'; 1 << 16]),
            502,
            failed,
        ),
        (
            "comments without end",
            Script::flooding(SSE.as_bytes(), &b": still here\n\n".repeat(4096)),
            502,
            failed,
        ),
        (
            "a JSON text without end",
            Script::flooding(format!("{JSON}[").as_bytes(), &b"0,".repeat(1 << 15)),
            502,
            failed,
        ),
        (
            "a refusal without end",
            Script::flooding(b"HTTP/1.1 500 No\r\n\r\n", &[b'a'; 1 << 16]),
            503,
            "provider_overloaded",
        ),
        ("silence before the first byte", Script::silent(), 504, "provider_timeout"),
        ("silence in mid-answer", Script::stalling(&["Hel"]), 504, "provider_timeout"),
        ("a cut in mid-chunk", Script::cut(&["Hel"]), 502, failed),
    ]
}

async fn behind(provider: &FakeProvider) -> Gateway {
    let setup = Setup::with(provider)
        .set("SLUICE_LLM__FIRST_BYTE_TIMEOUT", "2s")
        .set("SLUICE_LLM__IDLE_TIMEOUT", "2s")
        .set("SLUICE_LIMITS__MESSAGES", "100000/1m");
    setup.start().await
}

async fn ask(gateway: &Gateway, stream: bool) -> Reply {
    let body = json!({ "model": "fake", "stream": stream, "messages": [{ "role": "user", "content": "Hello?" }] });
    let token = gateway.token("alice");
    gateway.call("POST", "/v1/chat/completions").bearer(&token).json(&body).send().await
}

/// Asks over the socket, and expects an answer that failed: the code of the error that follows it.
async fn failing(alice: &mut Client, way: &str) -> String {
    let said = alice.say("Hello?").await;
    let frames = alice.frames_until(way, |frame| kind(frame) == "error").await;
    let error = frames.last().expect("the error is the last");
    assert_eq!(error["client_message_id"], said, "{way}: {error}");
    assert_eq!(Answer::of(&frames).finish_reason, "error", "{way}");
    error["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_way_to_fail_is_an_error_of_its_kind_and_takes_no_memory() {
    let provider = FakeProvider::start().await;
    let mut gateway = behind(&provider).await;
    let mut alice = gateway.connect("alice").await;

    for (way, script, status, code) in ways() {
        provider.always(script);
        let (reply, streamed, told) =
            tokio::join!(ask(&gateway, false), ask(&gateway, true), failing(&mut alice, way));

        assert_eq!(reply.status, status, "{way}: {}", reply.body);
        assert_eq!(reply.json()["error"]["code"], code, "{way}: {}", reply.body);
        assert!(streamed.body.contains(code), "{way}: {}", streamed.body);
        assert!(!streamed.body.contains("[DONE]"), "{way}: {}", streamed.body);
        assert!(!streamed.body.contains(r#""finish_reason":"stop""#), "{way}: {}", streamed.body);
        let expected = if code == "provider_timeout" { "LLM_TIMEOUT" } else { "LLM_UNAVAILABLE" };
        assert_eq!(told, expected, "{way}");
        if let Some(pause) = reply.header("retry-after") {
            let pause: u64 = pause.parse().expect("seconds");
            assert!(pause <= 3600, "{way}: nobody waits {pause} seconds");
        }
    }

    assert!(alice.settled().await.is_empty(), "each failed once");
    assert!(gateway.is_running());
    assert!(gateway.peak_memory() < MEMORY, "{} bytes", gateway.peak_memory());
    provider.always(Script::default());
    assert_eq!(ask(&gateway, false).await.status, 200, "and then it answers again");
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_an_error_or_whole() {
    let provider = FakeProvider::start().await;
    let gateway = behind(&provider).await;
    let end = r#"data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let answer = format!("{SSE}{HALF}{end}\n\ndata: [DONE]\n\n");
    let said = SSE.len() + HALF.len() + end.len();

    for bytes in 0..answer.len() {
        provider.always(Script::raw(&answer.as_bytes()[..bytes]));
        let reply = ask(&gateway, false).await;

        if reply.status == 200 {
            let body: Value = reply.json();
            assert_eq!(body["choices"][0]["message"]["content"], "Hel");
            assert!(bytes > said, "whole after {bytes} of {said} bytes");
        } else {
            assert_eq!(reply.json()["error"]["code"], "provider_failed", "{bytes} bytes");
        }
    }
}
