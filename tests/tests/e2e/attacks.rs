//! What a plugin may try on its way out, tried by one that sends whatever it is told: nothing leads anywhere but where the
//! operator said, nothing is sent for ever, and no secret comes back. The list of all that is tried is docs/plugins/attacks.md.

use serde_json::{Value, json};
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, guest};

const KEY: &str = "key-that-nobody-may-see";

/// A gateway that knows the rogue, whose endpoint `api` is one provider and `other` another one.
async fn with_rogue(api: &FakeProvider, other: &FakeProvider) -> Gateway {
    let (source, api, other) = (guest("rogue"), api.endpoint(), other.endpoint());
    let config = format!(
        "
[plugins.rogue]
source = \"file:{}\"
endpoints = {{ api = \"{api}\", other = \"{other}\" }}
secrets.api_key = \"env:KEY\"

[[models]]
id = \"rogue\"
plugin = \"rogue\"
",
        source.display()
    );
    Setup::new().config(&config).set("KEY", KEY).start().await
}

/// Has the rogue do something, and returns what it says of it, and how that ends.
async fn order(client: &mut Client, order: &Value) -> (String, String) {
    client.say(&order.to_string()).await;
    let answer = client.answer().await;
    if answer.finish_reason == "error" {
        client.next_of("error").await;
    }
    (answer.text, answer.finish_reason)
}

fn blocked() -> (String, String) {
    ("TransportFailure::Blocked".to_owned(), "error".to_owned())
}

#[tokio::test]
async fn a_request_that_would_lead_elsewhere_or_pretend_is_not_sent() {
    let (api, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = with_rogue(&api, &other).await;
    let mut mallory = gateway.connect("mallory").await;
    let paths = [
        "//evil.com/messages",
        "/\\evil.com/messages",
        "@evil.com/messages",
        "https://evil.com/messages",
        "/../messages",
        "/%2e%2e/messages",
        "/a\r\nHost: evil.com/messages",
        "/%0d%0aHost:%20evil.com/messages",
        "/a?key=/messages",
        "/a#/messages",
        "/\u{0}/messages",
    ];
    let headers = [
        ("Host", "evil.com"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "1"),
        ("AUTHORIZATION", "Bearer mine"),
        ("Cookie", "a=b"),
        ("x-key", "a\r\nHost: evil.com"),
        ("x-key", "a\u{0}b"),
        ("x key", "a"),
        ("", "a"),
    ];

    for path in paths {
        assert_eq!(order(&mut mallory, &json!({ "path": path })).await, blocked(), "{path:?}");
    }
    for header in headers {
        let told = json!({ "path": "/messages", "headers": [header] });
        assert_eq!(order(&mut mallory, &told).await, blocked(), "{header:?}");
    }
    let twice = json!({ "path": "/messages", "headers": [["x-key", "1"], ["X-Key", "2"]] });
    assert_eq!(order(&mut mallory, &twice).await, blocked());
    for told in [
        json!({ "path": "/messages", "endpoint": "nowhere" }),
        json!({ "path": "/messages", "auth": "of-somebody" }),
    ] {
        assert_eq!(order(&mut mallory, &told).await, blocked(), "{told}");
    }
    let (text, _) =
        order(&mut mallory, &json!({ "path": "/messages", "more_bytes": 2 << 20 })).await;
    assert_eq!(text, "TransportFailure::TooLarge");

    assert_eq!((api.count(), other.count()), (0, 0));
    // The one that is odd and leads nowhere else, and a way to see that the others are not refused for nothing.
    api.then(Script::refusing(418, "text/plain", "A teapot."));
    let (text, _) = order(&mut mallory, &json!({ "path": "/@evil/messages" })).await;
    assert!(text.contains("418") && text.ends_with("A teapot."), "{text}");
    assert_eq!(api.request(1).await.path, "/v1/@evil/messages");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed_wherever_it_leads() {
    let (api, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = with_rogue(&api, &other).await;
    let mut mallory = gateway.connect("mallory").await;
    let places = [
        other.endpoint(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[::ffff:127.0.0.1]/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for (n, place) in (1..).zip(places) {
        for status in [301, 302, 307, 308] {
            let head =
                format!("HTTP/1.1 {status} Go\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
            api.then(Script::raw(head.as_bytes()));

            let (text, _) = order(&mut mallory, &json!({ "path": "/messages" })).await;

            assert!(text.starts_with(&format!("status {status};")), "{text}");
            assert!(!text.contains("location"), "{text}");
        }
        assert_eq!((api.count(), other.count()), (4 * n, 0), "{place}");
    }
}

#[tokio::test]
async fn a_secret_comes_back_in_no_header_and_stands_for_nothing_in_a_text() {
    let (api, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = with_rogue(&api, &other).await;
    let mut mallory = gateway.connect("mallory").await;
    // An upstream that tells what it was told.
    let echo = format!(
        "HTTP/1.1 200 OK\r\nAuthorization: Bearer {KEY}\r\nX-Echo: {KEY}\r\nSet-Cookie: key={KEY}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
    );
    api.always(Script::raw(echo.as_bytes()));
    let placeholders =
        "$secret ${api_key} {{secrets.api_key}} env:KEY $blob {\"blob-base64\":\"1\"}";
    let told = json!({
        "path": "/messages",
        "headers": [["x-note", placeholders]],
        "body": placeholders,
    });

    let (text, ending) = order(&mut mallory, &told).await;

    assert_eq!(ending, "stop", "{text}");
    assert!(text.starts_with("status 200;") && !text.contains(KEY), "{text}");
    let sent = api.request(1).await;
    assert_eq!(sent.body, json!(placeholders), "as it is");
    assert_eq!(sent.header("x-note"), Some(placeholders));
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert!(!sent.path.contains(KEY) && !sent.text.contains(KEY), "{sent:?}");
    assert!(!gateway.log().contains(KEY));
}

#[tokio::test]
async fn an_answer_has_six_exchanges_and_then_it_fails() {
    let (api, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = with_rogue(&api, &other).await;
    let mut mallory = gateway.connect("mallory").await;
    api.always(Script::refusing(200, "text/plain", "Go on."));

    let (text, ending) =
        order(&mut mallory, &json!({ "path": "/messages", "for_ever": true })).await;
    assert_eq!((text.as_str(), ending.as_str(), api.count()), ("", "error", 6));

    // The same with as much as it may send each time.
    let told = json!({ "path": "/messages", "for_ever": true, "more_bytes": 2_000_000 });
    let (_, ending) = order(&mut mallory, &told).await;
    assert_eq!((ending.as_str(), api.count()), ("error", 12));
    gateway.metric_becomes("sluice_upstream_exchanges", 0.0).await;
}

#[tokio::test]
async fn what_a_plugin_says_of_another_try_is_a_hint_and_no_order() {
    let (api, other) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = with_rogue(&api, &other).await;
    let mut mallory = gateway.connect("mallory").await;
    let retries = r#"sluice_retries_total{provider="rogue"}"#;

    // At once, for ever: it is tried twice.
    let (_, ending) = order(&mut mallory, &json!({ "fail_after_ms": 0 })).await;
    assert_eq!((ending.as_str(), gateway.metric(retries).await), ("error", Some(1.0)));
    // In fifty days: it is not waited for.
    let (_, ending) = order(&mut mallory, &json!({ "fail_after_ms": u32::MAX })).await;
    assert_eq!((ending.as_str(), gateway.metric(retries).await), ("error", Some(1.0)));

    // That a POST may be sent again is believed of none: what broke is tried as often either way.
    let mut sent = Vec::new();
    for idempotent in [false, true] {
        let before = api.count();
        api.always(Script::raw(b""));
        order(&mut mallory, &json!({ "path": "/messages", "idempotent": idempotent })).await;
        sent.push(api.count() - before);
    }
    assert_eq!(sent[0], sent[1], "{sent:?}");
    assert!(sent[0] <= 2, "{sent:?}");
}
