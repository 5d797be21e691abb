use serde_json::{Value, json};
use sluice_chat::answer::Tokens;
use sluice_chat::event::Usage;
use sluice_chat::request::Reasoning;

use super::*;

fn head() -> Head {
    Head { id: "chatcmpl-0af1".to_owned(), created: 1_700_000_000, model: "m".to_owned() }
}

fn usage() -> UsageBody {
    let told =
        Usage { cached_input_tokens: Some(2), reasoning_tokens: Some(1), ..Usage::default() };
    UsageBody::new(Tokens { input: 11, output: 7, estimated: false }.into(), Some(&told))
}

fn delta(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> ChatEvent {
    ChatEvent::ToolDelta(ToolDelta {
        index,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    })
}

#[test]
fn an_answer_of_everything_is_written_as_openai_does() {
    let mut whole = Whole::default();
    let thought = Reasoning { text: "Hm.".to_owned(), signature: Some("opaque".to_owned()) };
    whole.hear(vec![ChatEvent::Reasoning(thought), ChatEvent::Text("Let me ".to_owned())]);
    whole.hear(vec![ChatEvent::Text("look.".to_owned()), delta(0, Some("c1"), Some("f"), "{")]);
    whole.hear(vec![delta(1, None, Some("g"), ""), delta(0, None, None, "}")]);

    let completion = whole.end(&head(), &FinishReason::ToolCalls, usage());

    insta::assert_json_snapshot!(completion, @r#"
    {
      "id": "chatcmpl-0af1",
      "object": "chat.completion",
      "created": 1700000000,
      "model": "m",
      "choices": [
        {
          "index": 0,
          "message": {
            "role": "assistant",
            "content": "Let me look.",
            "refusal": null,
            "reasoning_content": "Hm.",
            "tool_calls": [
              {
                "id": "c1",
                "type": "function",
                "function": {
                  "name": "f",
                  "arguments": "{}"
                }
              },
              {
                "id": "call_0af1_1",
                "type": "function",
                "function": {
                  "name": "g",
                  "arguments": ""
                }
              }
            ],
            "thinking_blocks": [
              {
                "signature": "opaque",
                "thinking": "Hm.",
                "type": "thinking"
              }
            ]
          },
          "logprobs": null,
          "finish_reason": "tool_calls"
        }
      ],
      "usage": {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {
          "cached_tokens": 2
        },
        "completion_tokens_details": {
          "reasoning_tokens": 1
        }
      }
    }
    "#);
}

#[test]
fn an_answer_of_nothing_is_an_empty_text() {
    let completion = Whole::default().end(&head(), &FinishReason::Other("eos".to_owned()), usage());
    let written: Value = serde_json::to_value(completion).unwrap();

    let message = json!({ "role": "assistant", "content": "", "refusal": null });
    assert_eq!(written["choices"][0]["message"], message);
    assert_eq!(written["choices"][0]["finish_reason"], "eos", "it did not stop by itself");
}

#[test]
fn a_guess_says_so() {
    let guessed = UsageBody::new(Tokens { input: 1, output: 2, estimated: true }.into(), None);

    let written = serde_json::to_value(guessed).unwrap();
    assert_eq!(
        written,
        json!({ "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "estimated": true })
    );
}
