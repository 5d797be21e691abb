//! A real small language model, through the gateway and back. Nothing in between is pretended.

use std::time::{Duration, Instant};

use sluice_tests::{Answer, LocalModel, Setup, kind, not_run};

#[tokio::test]
async fn a_real_model_answers_in_pieces_and_what_was_heard_is_stored() {
    let model = match LocalModel::start().await {
        Ok(model) => model,
        Err(why) => return not_run("a real model", &why),
    };
    let setup = Setup::new()
        .set("LLM_PROVIDER_1_ID", "smollm2")
        .set("LLM_PROVIDER_1_NAME", "SmolLM2")
        .set("LLM_PROVIDER_1_TYPE", "openai")
        .set("LLM_PROVIDER_1_ENDPOINT", model.endpoint())
        .set("LLM_PROVIDER_1_API_KEY", "none-needed")
        .set("LLM_PROVIDER_1_MODEL", "smollm2");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;

    alice.say("Write one short sentence about the sea.").await;
    let begun = alice.frames_until("a first piece", |frame| kind(frame) == "ai_response").await;
    let first_heard = Instant::now();
    let rest = alice.frames_until("the end", |frame| frame["finish_reason"].is_string()).await;
    let streamed = first_heard.elapsed();
    let first = Answer::of(&[begun, rest].concat());
    let second = alice.ask("And one about the mountains.").await;

    assert!(streamed > Duration::from_millis(10), "all of it came at once: {streamed:?}");
    for answer in [&first, &second] {
        assert!(["stop", "length"].contains(&answer.finish_reason.as_str()), "{answer:?}");
        assert!(!answer.text.trim().is_empty());
        assert!(answer.pieces.len() >= 2, "it comes as it is made: {:#?}", answer.pieces);
        for count in ["input_tokens", "output_tokens", "total_tokens"] {
            assert!(answer.usage[count].as_u64().is_some_and(|n| n > 0), "{}", answer.usage);
        }
        assert_eq!(answer.usage["estimated"], false, "the model's server counts itself");
    }
    let input = |answer: &Answer| answer.usage["input_tokens"].as_u64();
    assert!(input(&second) > input(&first), "the second request carries the first turn");
    let stored = gateway.messages("alice", alice.session()).await;
    let told: Vec<_> = stored.iter().filter_map(|message| message["content"].as_str()).collect();
    assert_eq!((told[1], told[3]), (first.text.as_str(), second.text.as_str()));
}
