//! Somebody is told: of a user who asks for help, and of what is wrong. Once, whatever happens to the process.

use base64::Engine as _;
use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, MailSink, Script, Setup};

/// A gateway that writes to this mail server.
fn writing_to(sink: &MailSink, setup: Setup) -> Setup {
    setup
        .set("SMTP_HOST", "127.0.0.1")
        .set("SMTP_PORT", &sink.port().to_string())
        .set("EMAIL_FROM", "Sluice <sluice@example.com>")
        .set("ADMIN_EMAILS", "ops@example.com, night@example.com")
        .set("ADMIN_PANEL_URL", "https://chat.example.com/admin")
        .set("SLUICE_LIMITS__PUBLIC", "100000/1m")
}

/// Asks for help in a new conversation; returns it once that was confirmed.
async fn ask_for_help(gateway: &Gateway) -> String {
    let mut client = gateway.connect("ada").await;
    client.ask("Hi").await;
    let session = client.session().to_owned();
    client.send(&json!({ "type": "help_request", "session_id": session })).await;
    let status = client.next_of("connection_status").await;
    assert_eq!(status["mode"], "waiting", "{status}");
    assert_eq!(status["session_id"], session.as_str(), "{status}");
    session
}

#[tokio::test]
async fn a_request_for_help_is_told_by_mail_once_over_a_kill() {
    let (provider, sink) = (FakeProvider::start().await, MailSink::start().await);
    let mut gateway = writing_to(&sink, Setup::with(&provider)).start().await;
    sink.refuse(true);
    let session = ask_for_help(&gateway).await;
    sink.refused(1).await;

    gateway.kill().await;
    sink.refuse(false);
    gateway.start_again().await;

    let letters = sink.got(2).await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    gateway.stop().await;
    gateway.start_again().await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    assert_eq!(sink.letters(), letters, "and never again");
    for letter in &letters {
        assert_eq!(letter.header("Subject"), Some("Help Request - User ada"));
        assert_eq!(letter.header("To"), Some("ops@example.com, night@example.com"));
        assert_eq!(letter.header("Message-ID"), letters[0].header("Message-ID"));
        assert!(
            letter.text.contains(&format!("https://chat.example.com/admin/{session}")),
            "{letter:?}"
        );
        assert!(!letter.text.contains("Hi"), "nothing of what was said");
    }
    let mut to: Vec<&[String]> = letters.iter().map(|letter| &letter.to[..]).collect();
    to.sort();
    assert_eq!(to, [["RCPT TO:<night@example.com>"], ["RCPT TO:<ops@example.com>"]]);
}

#[tokio::test]
async fn an_address_that_is_refused_is_in_nobody_elses_way() {
    let (provider, sink) = (FakeProvider::start().await, MailSink::start().await);
    sink.forget("ops@example.com");
    let gateway = writing_to(&sink, Setup::with(&provider)).start().await;

    ask_for_help(&gateway).await;

    let letters = sink.got(1).await;
    assert_eq!(letters[0].to, ["RCPT TO:<night@example.com>"]);
    gateway.logged("not told yet").await;
    assert_eq!(sink.letters(), letters, "she has it, once");
}

#[tokio::test]
async fn a_webhook_that_never_answers_keeps_no_letter_waiting() {
    let (hook, provider) = (FakeProvider::start().await, FakeProvider::start().await);
    let sink = MailSink::start().await;
    hook.always(Script::silent());
    let both = calling(&hook, &provider, "[]", "");
    let both = writing_to(&sink, both).set("ADMIN_EMAILS", "ops@example.com");
    let both = both.set("SLUICE_NOTIFY__ON__HELP_REQUEST", "hook,mail");
    let gateway = both.start().await;

    for asked in 1..=20 {
        ask_for_help(&gateway).await;
        sink.got(asked).await;
    }

    assert_eq!(hook.count(), 4, "no more are on their way to it, and the rest waits");
}

#[tokio::test]
async fn a_session_stays_in_the_mode_that_the_user_asked_for() {
    let (provider, sink) = (FakeProvider::start().await, MailSink::start().await);
    let mut gateway = writing_to(&sink, Setup::with(&provider)).start().await;
    let session = ask_for_help(&gateway).await;

    gateway.stop().await;
    gateway.start_again().await;

    let mut client = gateway.follow("ada", &session).await;
    assert_eq!(client.greeting["mode"], "waiting", "{}", client.greeting);
    client.enter(&session);
    assert_eq!(
        client.ask("Still there?").await.text,
        "Hello there.",
        "the model answers meanwhile"
    );
}

#[tokio::test]
async fn of_one_session_five_requests_for_help_are_told() {
    let (provider, sink) = (FakeProvider::start().await, MailSink::start().await);
    let gateway = writing_to(&sink, Setup::with(&provider)).start().await;
    let mut client = gateway.connect("ada").await;
    client.ask("Hi").await;

    for _ in 0..8 {
        client.send(&json!({ "type": "help_request" })).await;
        client.next_of("connection_status").await;
    }

    // Each to two.
    sink.got(10).await;
    gateway.metric_becomes("sluice_notices_dropped_total", 3.0).await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    assert_eq!(sink.letters().len(), 10);
}

#[tokio::test]
async fn where_nothing_was_said_nobody_is_called() {
    let gateway = Setup::new().start().await;
    let mut client = gateway.connect("ada").await;

    client.send(&json!({ "type": "help_request" })).await;

    let error = client.next_of("error").await;
    assert_eq!(error["error"]["code"], "MISSING_FIELD", "{error}");
}

/// A gateway that tells by a webhook, signed with this key. The receiver is the fake vendor, which knows one path.
fn calling(hook: &FakeProvider, provider: &FakeProvider, alarm: &str, more: &str) -> Setup {
    let (hook, provider) = (hook.endpoint(), provider.endpoint());
    let config = format!(
        r#"
[notify]
on = {{ help_request = ["hook"], alarm = {alarm} }}
admin_panel_url = "https://chat.example.com/admin"

[plugins.hook]
source = "bundled:webhook"
endpoints.api = "{hook}/chat/completions"
secrets.signing_key = "env:HOOK_KEY"
{more}

[plugins.one]
source = "bundled:openai"
endpoints.api = "{provider}"

[[models]]
id = "fake"
plugin = "one"
"#
    );
    Setup::new().config(&config).set("HOOK_KEY", KEY).set("SLUICE_LIMITS__PUBLIC", "100000/1m")
}

/// `whsec_` and the base64 of thirty-two times `k`.
const KEY: &str = "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

#[tokio::test]
async fn a_webhook_is_signed_and_told_until_it_is_taken_over_a_kill() {
    let (hook, provider) = (FakeProvider::start().await, FakeProvider::start().await);
    hook.then(Script::refusing(503, "text/plain", "later"));
    hook.always(Script::refusing(204, "text/plain", ""));
    let mut gateway = calling(&hook, &provider, "[]", "").start().await;
    let session = ask_for_help(&gateway).await;
    let first = hook.request(1).await;
    gateway.logged("not told yet").await;

    gateway.kill().await;
    gateway.start_again().await;

    let second = hook.request(2).await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    gateway.stop().await;
    gateway.start_again().await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    assert_eq!(hook.count(), 2, "and never again");
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"), "the same notice");
    assert_eq!(second.body["type"], "help_request", "{}", second.text);
    let about = &second.body["data"]["about"];
    assert_eq!((&about["user_id"], &about["session_id"]), (&json!("ada"), &json!(session)));
    assert!(!second.text.contains("Hi"), "nothing of what was said");
    for request in [first, second] {
        let header = |name| request.header(name).expect("a header").to_owned();
        let signed =
            format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request.text);
        let signature = sluice_tests::hmac(&[b'k'; 32], signed.as_bytes());
        assert_eq!(
            header("webhook-signature"),
            format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(signature))
        );
    }
    assert!(!gateway.log().contains("a2tra2tr"), "no key in the log");
}

#[tokio::test]
async fn an_alarm_is_told_by_mail_and_by_a_webhook_once_each_over_a_kill() {
    let (hook, provider) = (FakeProvider::start().await, FakeProvider::start().await);
    let sink = MailSink::start().await;
    provider.always(Script::refusing(500, "text/plain", "down"));
    hook.then(Script::refusing(503, "text/plain", "later"));
    hook.always(Script::refusing(204, "text/plain", ""));
    sink.refuse(true);
    let both = calling(&hook, &provider, r#"["hook", "mail"]"#, "");
    let mut gateway = writing_to(&sink, both).start().await;
    let mut client = gateway.connect("ada").await;
    for _ in 0..3 {
        client.say("Hi").await;
        client.next_of("error").await;
    }
    sink.refused(1).await;
    let first = hook.request(1).await;

    gateway.kill().await;
    sink.refuse(false);
    gateway.start_again().await;

    let letters = sink.got(2).await;
    let second = hook.request(2).await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    gateway.stop().await;
    gateway.start_again().await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    assert_eq!((sink.letters(), hook.count()), (letters.clone(), 2), "and never again");
    assert_eq!(letters[0].header("Subject"), Some("Provider of model fake is down"));
    assert_eq!(second.header("webhook-id"), first.header("webhook-id"), "the same notice");
    assert_eq!(second.body["type"], "provider_down", "{}", second.text);
}

#[tokio::test]
async fn a_webhook_can_be_shaped_for_slack() {
    let (hook, provider) = (FakeProvider::start().await, FakeProvider::start().await);
    hook.always(Script::refusing(200, "text/plain", "ok"));
    let slack = "settings.format = \"slack\"";
    let gateway = calling(&hook, &provider, "[]", slack).start().await;

    let session = ask_for_help(&gateway).await;

    let text = hook.request(1).await.body["text"].as_str().expect("a text").to_owned();
    assert!(text.starts_with(":rotating_light: *Help Request - User ada*"), "{text}");
    let link = format!("<https://chat.example.com/admin/{session}>");
    assert!(text.lines().any(|line| line == link), "{text}");
}
