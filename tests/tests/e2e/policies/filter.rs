//! What models say, as the policies leave it: shown, stored, and by `/v1`.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sluice_tests::{Answer, FakeProvider, Gateway, Script, kind};

use super::{bundled, calls, complete, error, judge, with};

const CARD: &str = "4111 1111 1111 1111";

async fn guarded(provider: &FakeProvider) -> Gateway {
    let settings = "settings = { formats = [\"card\", \"email\"] }";
    with(provider, &[("guard", bundled("guard"), settings)]).start().await
}

/// The pieces of `text`, cut at these places.
fn cut(text: &str, mut places: Vec<usize>) -> Vec<&str> {
    places.sort_unstable();
    let mut rest = text;
    let mut pieces = Vec::new();
    for place in places.into_iter().rev().filter(|place| text.is_char_boundary(*place)) {
        if place < rest.len() {
            let (before, after) = rest.split_at(place);
            pieces.push(after);
            rest = before;
        }
    }
    pieces.push(rest);
    pieces.reverse();
    pieces
}

#[tokio::test]
async fn a_card_number_is_neither_shown_nor_stored_however_it_is_cut() {
    let provider = FakeProvider::start().await;
    let gateway = guarded(&provider).await;
    let text = format!("Grüße! The card is {CARD}, thank you.");
    let shown = "Grüße! The card is [card], thank you.";
    let mut alice = gateway.connect("alice").await;
    for cuts in (0..text.len()).map(|at| vec![at]).chain([(0..text.len()).collect()]) {
        let pieces: Vec<&str> =
            cut(&text, cuts).into_iter().filter(|piece| !piece.is_empty()).collect();
        provider.then(Script::saying(&pieces));

        let answer = alice.ask("Go on").await;

        assert_eq!(
            (answer.text.as_str(), answer.finish_reason.as_str()),
            (shown, "stop"),
            "{pieces:?}"
        );
    }
    let stored = gateway.messages("alice", alice.session()).await;
    let answers = stored.iter().filter(|message| message["sender"] == "ai");
    assert!(answers.clone().count() > text.len() / 2);
    for message in answers {
        assert_eq!(message["content"], shown);
    }
}

#[tokio::test]
async fn every_channel_of_v1_is_filtered_and_what_is_benign_is_left_alone() {
    let provider = FakeProvider::start().await;
    let gateway = guarded(&provider).await;
    let token = gateway.token("alice");
    let (one, two) = CARD.split_at(7);
    let deltas = [
        json!({ "reasoning_content": format!("I know {one}") }),
        json!({ "reasoning_content": format!("{two}, but") }),
        json!({ "content": format!("It is {one}") }),
        json!({ "content": format!("{two}. ") }),
        json!({ "tool_calls": [{ "index": 0, "id": "t1", "type": "function", "function": { "name": "pay", "arguments": format!("{{\"card\":\"{one}") } }] }),
        json!({ "tool_calls": [{ "index": 0, "function": { "arguments": format!("{two}\",\"n\":12}}") } }] }),
        json!({ "content": "Bye, 4111 for now" }),
        json!({ "refusal": format!(" Not {one}") }),
        json!({ "refusal": two }),
        json!({ "notice": format!("Of {one}"), "reasoning_details": [{ "text": one }] }),
        json!({ "logprobs": { "content": [{ "token": one }] }, "audio": { "transcript": one } }),
        json!({ "logprobs": { "content": [{ "token": two }] }, "audio": { "transcript": two } }),
        json!({ "notice": two, "reasoning_details": [{ "text": two }] }),
        json!({ "annotations": [{ "title": format!("{one}{two}") }] }),
        json!({ "annotations": [{ "title": "benign" }] }),
    ];
    provider.always(Script::deltas(&deltas, "tool_calls"));

    let whole = complete(&gateway, &token, "Pay").await.json();

    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "It is [card]. Bye, 4111 for now Not [card]", "{whole}");
    assert_eq!(message["refusal"], " Not [card]", "{whole}");
    assert_eq!(message["notice"], "Of [card]", "{whole}");
    assert_eq!(message["annotations"], json!([{ "title": "[card]" }, { "title": "benign" }]));
    assert!(!whole.to_string().contains(two), "nor what repeats it in pieces: {whole}");
    assert_eq!(message["reasoning_content"], "I know [card], but", "{whole}");
    let call = &message["tool_calls"][0];
    assert_eq!((&call["id"], &call["function"]["name"]), (&json!("t1"), &json!("pay")), "{whole}");
    assert_eq!(call["function"]["arguments"], "{\"card\":\"[card]\",\"n\":12}", "{whole}");
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");

    let body = json!({ "model": whole["model"], "stream": true, "messages": [{ "role": "user", "content": "Pay" }] });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&token).json(&body);
    let streamed = call.events().await.begun().await.rest().await.concat();
    assert!(
        streamed.contains("[card]") && !streamed.contains(two) && !streamed.contains(one),
        "{streamed}"
    );
}

/// The thoughts of an answer as `/v1` gives them out, each with its signature.
async fn signed_thoughts(gateway: &Gateway, provider: &FakeProvider, said: &[&str]) -> Value {
    let pieces = said.iter().enumerate().flat_map(|(slot, thought)| {
        let (one, two) = thought.split_at(thought.len() / 2);
        let delta = |delta: Value| json!({ "type": "content_block_delta", "index": slot, "delta": delta });
        [
            json!({ "type": "content_block_start", "index": slot, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
            delta(json!({ "type": "thinking_delta", "thinking": one })),
            delta(json!({ "type": "thinking_delta", "thinking": two })),
            delta(json!({ "type": "signature_delta", "signature": format!("of {slot}") })),
            json!({ "type": "content_block_stop", "index": slot }),
        ]
    });
    let begin = json!({ "type": "message_start", "message": { "id": "m", "type": "message", "role": "assistant", "content": [], "model": "x", "usage": { "input_tokens": 1, "output_tokens": 1 } } });
    let end = [
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ];
    let events = std::iter::once(begin).chain(pieces).chain(end);
    let events = events.map(|event| {
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    });
    let body: String = events.collect();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    provider.then(Script::raw((head + &body).as_bytes()));
    let answer = complete(gateway, &gateway.token("alice"), "Think").await.json();
    answer["choices"][0]["message"]["thinking_blocks"].clone()
}

#[tokio::test]
async fn a_signature_stands_under_the_text_that_it_is_of_or_nowhere() {
    let provider = FakeProvider::start().await;
    let chain = [("guard", bundled("guard"), "settings = { formats = [\"card\"] }")];
    let setup = with(&provider, &chain).set("LLM_PROVIDER_1_TYPE", "anthropic");
    let gateway = setup.start().await;
    let thought = |text: &str, slot: usize| json!({ "type": "thinking", "thinking": text, "signature": format!("of {slot}") });

    let said = ["Let me think about it", "and about 4111"];
    let blocks = signed_thoughts(&gateway, &provider, &said).await;
    assert_eq!(blocks, json!([thought(said[0], 0), thought(said[1], 1)]));

    // The number is held back until the signature comes.
    let blocks = signed_thoughts(&gateway, &provider, &["First", CARD, "and last"]).await;
    assert_eq!(blocks, json!([thought("First", 0)]));
}

#[tokio::test]
async fn what_users_write_is_replaced_before_it_is_stored_or_sent() {
    let provider = FakeProvider::playing(Script::saying(&["Thanks."])).await;
    let gateway = guarded(&provider).await;
    let mut alice = gateway.connect("alice").await;

    alice.ask(&format!("Mine is {CARD}; write to alice@example.com")).await;

    let made = "Mine is [card]; write to [e-mail]";
    assert_eq!(gateway.messages("alice", alice.session()).await[0]["content"], made);
    assert_eq!(super::prompt(&provider, 1).await.last().unwrap().1, made);
}

#[tokio::test]
async fn two_filters_work_one_after_the_other() {
    let provider = FakeProvider::playing(Script::saying(&["a sec", "ret", " for you"])).await;
    let chain = [
        ("first", judge(), "settings = { output = \"redact\" }"),
        ("second", judge(), "settings = { output = \"upper\" }"),
    ];
    let gateway = with(&provider, &chain).start().await;

    assert_eq!(gateway.connect("alice").await.ask("Go").await.text, "A [GONE] FOR YOU");
}

#[tokio::test]
async fn a_filter_can_end_an_answer_and_hangs_up_on_the_provider() {
    let provider = FakeProvider::playing(Script::stalling(&["Well, ", "sto", "p this"])).await;
    let gateway =
        with(&provider, &[("house", judge(), "settings = { output = \"stop\" }")]).start().await;
    let mut alice = gateway.connect("alice").await;

    let answer = alice.ask("Go").await;

    assert_eq!(answer.text, "Well, The house says no to the rest.");
    assert_eq!(answer.finish_reason, "content_filter");
    provider.hung_up(1).await;
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[1]["content"], answer.text.as_str());
    assert_eq!(stored[1]["finish_reason"], "content_filter");
}

#[tokio::test]
async fn a_filter_that_fails_ends_the_answer_unless_it_is_to_be_passed_over() {
    for word in ["trap", "spin", "overlap", "backwards", "border", "beyond"] {
        for open in [false, true] {
            let provider = FakeProvider::playing(Script::saying(&["é", "tude ", "it is"])).await;
            let settings = format!("settings = {{ output = \"{word}\" }}");
            let more = if open { format!("{settings}\non_failure = \"open\"") } else { settings };
            let gateway = with(&provider, &[("house", judge(), &more)]).start().await;
            let mut alice = gateway.connect("alice").await;

            alice.send(&json!({ "type": "user_message", "content": "Go" })).await;
            let answer = alice.answer().await;

            let ended = (answer.text.as_str(), answer.finish_reason.as_str());
            if open {
                assert_eq!(ended, ("étude it is", "stop"), "{word}");
            } else {
                assert_eq!(ended, ("", "error"), "{word}");
                assert_eq!(error(&alice.next_of("error").await).0, "LLM_UNAVAILABLE", "{word}");
            }
            let counted = calls(&gateway, "house", "output").await;
            let failed: Vec<_> =
                counted.iter().filter(|(outcome, _)| outcome != "allowed").collect();
            assert!(matches!(failed[..], [(_, 1.0)]), "and is asked no more: {word}: {counted:?}");
        }
    }
}

#[tokio::test]
async fn no_filter_can_hold_back_without_end() {
    let flood = "x".repeat(20_000);
    let provider = FakeProvider::playing(Script::halting(&[&flood, "end"])).await;
    let gateway =
        with(&provider, &[("house", judge(), "settings = { output = \"hold\" }")]).start().await;
    let mut alice = gateway.connect("alice").await;

    alice.send(&json!({ "type": "user_message", "content": "Go" })).await;
    provider.release(1);
    let mut shown = 0;
    while shown < flood.len() - 4_096 {
        let frame = alice.next_of("ai_response").await;
        shown += frame["content"].as_str().unwrap().len();
    }
    assert_eq!(shown, flood.len() - 4_096, "all but what may be held back, before the end");
    provider.release(1);
    let rest = alice.frames_until("the end", |frame| frame["finish_reason"].is_string()).await;
    let rest: usize = rest.iter().filter_map(|frame| frame["content"].as_str()).map(str::len).sum();
    assert_eq!(shown + rest, flood.len() + 3);
}

/// What a client that streams from `/v1` has in the end: words, thoughts, arguments, and fields beside them.
fn channels(events: &[String]) -> [String; 6] {
    let mut channels = <[String; 6]>::default();
    for event in events.iter().filter(|event| *event != "[DONE]") {
        let chunk: Value = serde_json::from_str(event).expect("JSON");
        let delta = &chunk["choices"][0]["delta"];
        let arguments = &delta["tool_calls"][0]["function"]["arguments"];
        let fields = ["content", "reasoning_content", "refusal", "notice"].map(|key| &delta[key]);
        for (channel, more) in channels.iter_mut().zip(fields.into_iter().chain([arguments])) {
            *channel += more.as_str().unwrap_or_default();
        }
        for list in [&delta["reasoning_details"], &chunk["choices"][0]["logprobs"]["content"]] {
            let pieces = list.as_array().into_iter().flatten();
            channels[5].extend(pieces.filter_map(|piece| piece["text"].as_str()));
        }
    }
    channels
}

/// Whatever is said, in whatever pieces and channels: each is what the same text would be in one piece, and no card gets through.
#[test]
fn how_a_text_is_cut_makes_no_difference_to_what_is_shown() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let provider = runtime.block_on(FakeProvider::start());
    let gateway = runtime.block_on(guarded(&provider));
    let token = gateway.token("alice");
    let word = prop_oneof![
        Just(CARD.to_owned()),
        Just("5500-0000-0000-0004".to_owned()),
        Just("alice@example.com".to_owned()),
        Just("n 1234 n".to_owned()),
        "[a-zé@. ]{1,10}",
    ];
    let text = prop::collection::vec(word, 1..6).prop_map(|words| words.join(" ") + "\n");
    let said = prop::collection::vec((0..7_usize, prop::collection::vec(0..60_usize, 0..8)), 1..3);
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
    let tested = runner.run(&(text, said), |(text, said)| {
        let delta = |channel: usize, piece: &str| match channel {
            0 => json!({ "content": piece }),
            1 => json!({ "reasoning_content": piece }),
            2 => json!({ "refusal": piece }),
            3 => json!({ "notice": piece }),
            4 => json!({ "reasoning_details": [{ "text": piece }] }),
            5 => json!({ "logprobs": { "content": [{ "text": piece }] } }),
            _ => json!({ "tool_calls": [{ "index": 0, "function": { "arguments": piece } }] }),
        };
        let ask = |deltas: &[Value]| {
            provider.then(Script::deltas(deltas, "stop"));
            let body = json!({ "model": "fake", "stream": true, "messages": [{ "role": "user", "content": "Go" }] });
            let call = gateway.call("POST", "/v1/chat/completions").bearer(&token).json(&body);
            runtime.block_on(async { call.events().await.begun().await.rest().await })
        };
        let whole: Vec<Value> = said.iter().map(|(channel, _)| delta(*channel, &text)).collect();
        let in_pieces = said.iter().flat_map(|(channel, cuts)| {
            cut(&text, cuts.clone()).into_iter().map(|piece| delta(*channel, piece))
        });
        let in_pieces: Vec<Value> = in_pieces.collect();
        let (whole, in_pieces) = (channels(&ask(&whole)), channels(&ask(&in_pieces)));
        prop_assert_eq!(&whole, &in_pieces);
        for shown in whole {
            prop_assert!(!shown.contains(CARD) && !shown.contains("5500-0000"), "{}", shown);
        }
        Ok(())
    });
    tested.unwrap();
}

/// Answers that are cut in one way or another, with the beginning of something that a filter would replace at their end.
#[tokio::test]
async fn what_is_held_back_of_a_cut_answer_is_dropped_and_the_filter_hears_of_the_end() {
    let provider = FakeProvider::start().await;
    let gateway =
        with(&provider, &[("house", judge(), "settings = { output = \"redact\" }")]).start().await;
    let mut alice = gateway.connect("alice").await;
    for (script, ending) in [
        (Script::saying(&["This is a sec"]), "stop"),
        (Script::stalling(&["This is a sec"]), "cancelled"),
        (Script::cut(&["This is a sec"]), "error"),
    ] {
        let whole = ending == "stop";
        provider.then(script);
        alice.send(&json!({ "type": "user_message", "content": "Go" })).await;
        let mut heard = Vec::new();
        if ending == "cancelled" {
            heard = alice.frames_saying("This is a ").await;
            alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
        }
        let is_last = |frame: &Value| frame["finish_reason"].is_string();
        heard.extend(alice.frames_until("the end", is_last).await);
        let answer = Answer::of(&heard);

        assert_eq!(answer.finish_reason, ending);
        assert_eq!(answer.text, if whole { "This is a sec" } else { "This is a " }, "{ending}");
        let stored = gateway.messages("alice", alice.session()).await;
        let stored = stored.last().expect("an answer");
        assert_eq!(stored["content"], answer.text.as_str(), "{ending}");
    }

    // By `/v1` the cut comes from whoever hangs up.
    provider.then(Script::stalling(&["This is a sec"]));
    let body = json!({ "model": "fake", "stream": true, "messages": [{ "role": "user", "content": "Go" }] });
    let call =
        gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice")).json(&body);
    let mut events = call.events().await.begun().await;
    while !events.next().await.expect("an event").contains("This is a ") {}
    drop(events);
    provider.hung_up(2).await;
    gateway.metric_becomes("sluice_plugin_instances", 0.0).await;

    let token = gateway.token_with("root", &["admin"]);
    let audit = gateway.call("GET", "/chatbox/admin/audit").bearer(&token).send().await.json();
    let noted = audit["entries"]
        .as_array()
        .expect("lines")
        .iter()
        .filter(|line| line["action"] == "output: noted" && line["reason"] == "filtered=yes");
    assert_eq!(noted.count(), 4, "{audit}");
}

/// Wherever a card number is when the answer is stopped, and however it came: no part of it is shown or stored, and what is stored
/// is what was shown.
#[test]
fn no_part_of_a_card_number_is_left_of_an_answer_that_was_stopped_in_the_midst_of_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let provider = runtime.block_on(FakeProvider::start());
    let gateway = runtime.block_on(guarded(&provider));
    let before = "Grüße! The card is ";
    let cut_off = (1..CARD.len(), prop::collection::vec(0..CARD.len(), 0..6));
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
    let tested = runner.run(&cut_off, |(end, cuts)| {
        let (begun, _) = CARD.split_at(end);
        let mut pieces = cut(begun, cuts);
        let first = format!("{before}{}", pieces.remove(0));
        pieces.insert(0, &first);
        pieces.retain(|piece| !piece.is_empty());
        provider.then(Script::stalling(&pieces));
        let (shown, stored) = runtime.block_on(async {
            let mut alice = gateway.connect("alice").await;
            alice.send(&json!({ "type": "user_message", "content": "Go" })).await;
            let mut heard = alice.frames_saying(before).await;
            alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
            let is_last = |frame: &Value| frame["finish_reason"].is_string();
            heard.extend(alice.frames_until("the end", is_last).await);
            let stored = gateway.messages("alice", alice.session()).await;
            let stored = stored.last().expect("an answer")["content"].clone();
            (Answer::of(&heard).text, stored)
        });
        prop_assert_eq!(&stored, shown.as_str());
        prop_assert_eq!(shown, before);
        Ok(())
    });
    tested.unwrap();
}

#[tokio::test]
async fn cancelling_an_answer_lets_go_of_its_filters() {
    let provider = FakeProvider::start().await;
    provider.always(Script::stalling(&["Well, "]));
    let gateway = guarded(&provider).await;
    let mut alice = gateway.connect("alice").await;
    for _ in 0..3 {
        alice.send(&json!({ "type": "user_message", "content": "Go" })).await;
        alice.frames_until("the beginning", |frame| kind(frame) == "loading").await;
        let session = alice.session().to_owned();
        alice.send(&json!({ "type": "cancel", "session_id": session })).await;
        alice.frames_until("the end", |frame| frame["finish_reason"] == "cancelled").await;
    }
    gateway.metric_becomes("sluice_plugin_instances", 0.0).await;
}
