//! Characters arrive whole, however the provider's bytes were cut on their way, and offsets agree for everybody.

use futures_util::{StreamExt as _, stream};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use sluice_tests::{Answer, FakeProvider, Gateway, Script, Setup};

/// What is hard to cut: surrogate pairs, joined and combined characters, right to left, what JSON escapes.
const HARD: [&str; 12] =
    ["👨‍👩‍👧‍👦", "🏳️‍🌈", "e\u{301}", "שלום", "مرحبا", "\u{202e}", "नमस्ते", "𝒳", "ß", "\"\\\n", "한글", "a "];

/// Calls at the same time.
const AT_ONCE: usize = 16;

/// Random answers: pieces, and where the bytes of the stream are cut, in thousandths of it.
fn answers() -> impl Strategy<Value = (Vec<String>, Vec<usize>)> {
    let text = prop::collection::vec(prop::sample::select(&HARD[..]), 1..6)
        .prop_map(|parts| parts.concat());
    // A piece may end between any two characters, also of those that belong together.
    let torn = (text, any::<prop::sample::Index>()).prop_map(|(text, at)| {
        let ends: Vec<usize> = text.char_indices().map(|(n, _)| n).collect();
        let at = ends[at.index(ends.len())];
        let (left, right) = text.split_at(at);
        [left.to_owned(), right.to_owned()]
    });
    let pieces = prop::collection::vec(torn, 1..6).prop_map(|torn| torn.concat());
    (pieces, prop::collection::vec(0..1_000_usize, 0..24))
}

fn script(pieces: &[String], thousandths: &[usize]) -> Script {
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let script = Script::saying(&pieces);
    let bytes = script.bytes();
    let cuts: Vec<usize> = thousandths.iter().map(|n| n * bytes / 1_000).collect();
    script.torn(&cuts)
}

async fn start(provider: &FakeProvider) -> Gateway {
    Setup::with(provider)
        .set("SLUICE_LIMITS__MESSAGES", "100000/1m")
        .set("SLUICE_SESSION__HISTORY_MESSAGES", "1")
        .start()
        .await
}

/// What a caller hears, piece by piece, put together.
async fn heard(gateway: &Gateway, token: &str) -> String {
    let messages = json!([{ "role": "user", "content": "?" }]);
    let body = json!({ "model": "fake", "stream": true, "messages": messages });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(token).json(&body);
    let mut events = call.events().await.begun().await;
    let mut all = events.rest().await;
    assert_eq!(all.pop().as_deref(), Some("[DONE]"), "{all:?}");
    let piece = |data: &String| {
        let chunk: Value = serde_json::from_str(data).expect("JSON");
        chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    };
    all.iter().map(piece).collect()
}

#[tokio::test]
async fn a_stream_may_be_cut_at_any_byte() {
    let pieces = HARD.map(str::to_owned);
    let (provider, text) = (FakeProvider::start().await, HARD.concat());
    let bytes = script(&pieces, &[]).bytes();
    for at in 1..bytes {
        provider.then(script(&pieces, &[]).torn(&[at]));
    }
    let gateway = start(&provider).await;
    let token = gateway.token("alice");

    let calls = stream::iter(1..bytes).map(|_| heard(&gateway, &token));
    let told: Vec<String> = calls.buffer_unordered(AT_ONCE).collect().await;

    assert_eq!(told.len(), bytes - 1);
    assert!(told.iter().all(|heard| *heard == text), "{told:#?}");
    assert_eq!(provider.count(), bytes - 1);
}

#[tokio::test]
async fn what_is_heard_and_stored_is_what_was_said_wherever_it_was_cut() {
    let all = std::env::var_os("SLUICE_TESTS").is_some_and(|value| value == "all");
    let provider = FakeProvider::start().await;
    let gateway = start(&provider).await;
    let token = gateway.token("alice");
    let mut runner = TestRunner::default();
    let mut alice = gateway.connect("alice").await;

    for n in 1..=if all { 10_000 } else { 60 } {
        let (pieces, cuts) = answers().new_tree(&mut runner).expect("an answer").current();
        let text = pieces.concat();
        for _ in 0..2 {
            provider.then(script(&pieces, &cuts));
        }
        // Offsets are held to the bytes of the text where frames are put together.
        let answer: Answer = alice.ask("?").await;
        assert_eq!(answer.text, text, "{pieces:?} {cuts:?}");
        assert_eq!(heard(&gateway, &token).await, text, "{pieces:?} {cuts:?}");
        if n % 20 == 0 {
            let stored = gateway.messages("alice", alice.session()).await;
            assert_eq!(stored.last().expect("the answer")["content"], text.as_str());
        }
    }
}
