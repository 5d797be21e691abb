//! What people say, and what opens doors, stays where it belongs: it is in no log, no metric and no error, at any level of logging.

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Reply, Script, Setup, kind};

const CONTENT: &str = "canary-content-5f1d";
const ANSWER: &str = "canary-answer-93ab";
const NAME: &str = "canary-name-77c0";
const PROMPT: &str = "canary-prompt-1e42";
const KEY: &str = "sk-canary-key-d08e";
const FORGED: &str = "eyJhbGciOiJIUzI1NiJ9.canary-token-b3f7.c2lnbmF0dXJl";

/// Everything a client was told that is no message: error frames and refusals.
#[derive(Default)]
struct Told(String);

impl Told {
    fn frames(&mut self, frames: &[Value]) {
        for frame in frames.iter().filter(|frame| kind(frame) == "error") {
            self.0.push_str(&frame.to_string());
        }
    }

    fn reply(&mut self, reply: &Reply, status: u16) {
        assert_eq!(reply.status, status, "{}", reply.body);
        self.0.extend([format!("{:?}", reply.headers), reply.body.clone()]);
    }
}

/// Says it in every way that a client can get wrong.
async fn misspeak(gateway: &Gateway, told: &mut Told) {
    let mut alice = gateway.connect("alice").await;
    for text in [
        format!("{{\"type\":\"user_message\",\"content\":\"{CONTENT}"),
        format!("{{\"type\":\"{CONTENT}\",\"content\":\"{CONTENT}\"}}"),
        format!("{{\"type\":\"user_message\",\"content\":[\"{CONTENT}\"]}}"),
        json!({ "type": "user_message", "content": CONTENT, "model_id": "no-such" }).to_string(),
        json!({ "type": "user_message", "content": CONTENT, "client_message_id": CONTENT.repeat(9) })
            .to_string(),
        json!({ "type": "user_message", "content": CONTENT.repeat(1_000) }).to_string(),
        json!({ "type": "voice_message", "file_id": CONTENT, "file_url": CONTENT }).to_string(),
        json!({ "type": "authenticate", "token": FORGED }).to_string(),
    ] {
        alice.send_text(&text).await;
        let frames = alice.frames_until("an error", |frame| kind(frame) == "error").await;
        told.frames(&frames);
    }
    alice.send_binary(CONTENT.into()).await;
    alice.closed().await;

    let refused = gateway.dial().bearer(FORGED).open().await.expect_err("a forged token");
    told.0.push_str(&refused.body);
    let origin = format!("http://{}", gateway.address());
    let dial = gateway.dial().header("Origin", &origin).query("token", FORGED);
    let refused = dial.open().await.expect_err("a forged token");
    told.0.push_str(&refused.body);
    let refused = gateway.dial().subprotocol(FORGED).open().await.expect_err("a forged token");
    told.0.push_str(&refused.body);
    let sessions = || gateway.call("GET", "/chatbox/sessions");
    told.reply(&sessions().bearer(FORGED).send().await, 401);
    told.reply(&sessions().header("Authorization", FORGED).send().await, 401);
    let chat = || {
        let call = gateway.call("POST", "/v1/chat/completions");
        call.bearer(&gateway.token("alice"))
    };
    let said = json!([{ "role": "user", "content": CONTENT }]);
    let unknown = json!({ "model": "no-such", "messages": said });
    told.reply(&chat().json(&unknown).send().await, 404);
    let wrong = json!({ "model": "fake", "messages": CONTENT });
    told.reply(&chat().json(&wrong).send().await, 400);
}

#[tokio::test]
async fn what_people_say_and_what_opens_doors_is_in_no_log_metric_or_error() {
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider)
        .set("SLUICE_TELEMETRY__LEVEL", "trace")
        .set("SLUICE_SESSION__SYSTEM_PROMPT", PROMPT)
        .set("LLM_PROVIDER_1_API_KEY", KEY);
    let secret = setup.secret().to_owned();
    let gateway = setup.start().await;
    let token = gateway.token("alice");
    let mut told = Told::default();

    // Said well, in every way in.
    provider.always(Script::saying(&[ANSWER]));
    let origin = format!("http://{}", gateway.address());
    let dial = gateway.dial().header("Origin", &origin).query("token", &token);
    let mut alice = dial.open().await.expect("a good token");
    assert_eq!(alice.ask(CONTENT).await.text, ANSWER);
    gateway.dial().subprotocol(&token).open().await.expect("a good token");
    let named = gateway.call("PATCH", &format!("/chatbox/sessions/{}", alice.session()));
    let named = named.bearer(&token).json(&json!({ "name": NAME })).send().await;
    assert_eq!(named.status, 200, "{}", named.body);
    gateway.get("alice", &format!("/sessions?q={NAME}")).await;
    assert_eq!(gateway.messages("alice", alice.session()).await.len(), 2);
    let said = json!({ "model": "fake", "messages": [{ "role": "user", "content": CONTENT }] });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&token);
    assert_eq!(call.json(&said).send().await.status, 200);
    // Answered badly, by a provider that repeats what it was sent.
    for script in [
        Script::refusing(400, "application/json", &format!("{{\"error\":\"{KEY} {CONTENT}\"}}")),
        Script::refusing(500, "text/html", &format!("<p>{ANSWER} {KEY}</p>")),
        Script::cut(&[ANSWER]),
        Script::unfinished(&[ANSWER]),
        Script::refusing(200, "text/event-stream", &format!("data: {{{ANSWER}\n\n")),
    ] {
        provider.always(script);
        alice.say(CONTENT).await;
        told.frames(&alice.frames_until("an error", |frame| kind(frame) == "error").await);
    }
    misspeak(&gateway, &mut told).await;
    let metrics = gateway.call("GET", "/metrics").send().await.body;
    alice.leave().await;

    let log = gateway.log();
    assert!(log.contains("an answer failed") && log.contains("TRACE"), "it logs all it can");
    assert!(metrics.contains("sluice_refusals_total") && told.0.contains("LLM_UNAVAILABLE"));
    let signature = token.rsplit('.').next().expect("a signature");
    for canary in [CONTENT, ANSWER, NAME, PROMPT, KEY, FORGED, "canary", &token, signature, &secret]
    {
        for (place, text) in [("log", &log), ("metrics", &metrics), ("errors", &told.0)] {
            let line = text.lines().find(|line| line.contains(canary));
            assert_eq!(line, None, "{canary} is in the {place}");
        }
    }
}

#[tokio::test]
async fn a_line_of_the_log_says_whose_session_it_is_about_and_leads_to_what_the_client_was_told() {
    let provider = FakeProvider::start().await;
    provider.always(Script::refusing(500, "text/html", "no"));
    let setup = Setup::with(&provider).set("SLUICE_TELEMETRY__LOG_FORMAT", "json");
    let gateway = setup.set("SLUICE_TELEMETRY__LEVEL", "debug").start().await;
    let mut alice = gateway.connect("alice").await;
    alice.say("Hello?").await;
    let frames = alice.frames_until("an error", |frame| kind(frame) == "error").await;
    let failure = &frames.last().expect("the error")["error"];
    alice.send(&json!({ "type": "nonsense" })).await;
    let refused = &alice.next_frame().await["error"];

    let log = gateway.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let of = |trace: &Value| {
        let found = lines.iter().find(|line| line["trace"] == *trace);
        found.unwrap_or_else(|| panic!("no line has the trace {trace}:\n{log}"))
    };

    let line = of(&failure["trace_id"]);
    assert_eq!((&line["level"], &line["message"]), (&json!("WARN"), &json!("an answer failed")));
    assert_eq!(
        (&line["span"]["name"], &line["span"]["user"]),
        (&json!("session"), &json!("alice"))
    );
    assert_eq!(line["span"]["id"], alice.session());
    assert!(line["timestamp"].is_string(), "{line}");
    let line = of(&refused["trace_id"]);
    assert_eq!(
        (&line["span"]["name"], &line["span"]["user"]),
        (&json!("connection"), &json!("alice"))
    );
    assert!(line["span"]["id"].is_u64(), "{line}");
}
