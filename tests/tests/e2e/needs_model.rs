//! A real small language model, through the gateway and back. Nothing in between is pretended.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_tests::{Answer, LocalModel, Setup, kind, not_run};

fn setup(model: &LocalModel) -> Setup {
    Setup::new()
        .set("LLM_PROVIDER_1_ID", "smollm2")
        .set("LLM_PROVIDER_1_NAME", "SmolLM2")
        .set("LLM_PROVIDER_1_TYPE", "openai")
        .set("LLM_PROVIDER_1_ENDPOINT", model.endpoint())
        .set("LLM_PROVIDER_1_API_KEY", "none-needed")
        .set("LLM_PROVIDER_1_MODEL", "smollm2")
}

#[tokio::test]
async fn a_real_model_answers_in_pieces_and_what_was_heard_is_stored() {
    let model = match LocalModel::start().await {
        Ok(model) => model,
        Err(why) => return not_run("a real model", &why),
    };
    let gateway = setup(&model).start().await;
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

#[tokio::test]
async fn a_seed_makes_the_same_text_in_a_chat_and_for_a_call() {
    const SEED: u32 = 7;
    let model = match LocalModel::seeded(SEED).await {
        Ok(model) => model,
        Err(why) => return not_run("a real model", &why),
    };
    let gateway = setup(&model).start().await;
    let question = "Write one short sentence about the sea.";

    let mut alice = gateway.connect("alice").await;
    let chatted = alice.ask(question).await;
    let mut called = Vec::new();
    for seed in [SEED, SEED, SEED + 1] {
        let messages = json!([{ "role": "user", "content": question }]);
        let body = json!({ "model": "smollm2", "seed": seed, "messages": messages });
        let call = gateway.call("POST", "/v1/chat/completions").bearer(&gateway.token("alice"));
        let answer: Value = call.json(&body).send().await.json();
        called.push(
            answer["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned(),
        );
    }

    assert_eq!(called[0], chatted.text);
    assert_eq!(called[1], chatted.text);
    assert_ne!(called[2], chatted.text, "it is the seed that decides");
}
