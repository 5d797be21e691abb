use sluice_chat::answer::Tokens;
use sluice_chat::event::Usage;

use super::*;

fn chunks(include_usage: bool) -> Chunks {
    let head = Head { id: "chatcmpl-0af1".to_owned(), created: 1, model: "m".to_owned() };
    Chunks::new(head, include_usage)
}

fn usage() -> UsageBody {
    UsageBody::new(Tokens { input: 11, output: 7, estimated: false }.into(), None)
}

/// Each chunk as one line of JSON, without what they all repeat.
fn lines(chunks: &[Chunk]) -> String {
    let repeated =
        r#"{"id":"chatcmpl-0af1","object":"chat.completion.chunk","created":1,"model":"m","#;
    let line = |chunk: &Chunk| {
        let line = serde_json::to_string(chunk).unwrap();
        line.strip_prefix(repeated).expect("every chunk has the head").to_owned()
    };
    chunks.iter().map(line).collect::<Vec<_>>().join("\n")
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
fn who_speaks_comes_first_and_why_it_ended_last() {
    let mut chunks = chunks(false);

    let mut all = chunks.hear(vec![ChatEvent::Usage(Usage::default())]);
    assert!(all.is_empty(), "nothing of that is shown");
    all.extend(chunks.hear(vec![ChatEvent::Text("Hi".to_owned())]));
    all.extend(chunks.hear(vec![ChatEvent::Finish(FinishReason::Length)]));
    all.extend(chunks.end(&FinishReason::Length, usage()));

    insta::assert_snapshot!(lines(&all), @r#"
    "choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}
    "choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}
    "choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]}
    "#);
}

#[test]
fn usage_is_told_once_at_the_end_where_it_is_wanted() {
    let mut chunks = chunks(true);

    let all = chunks.end(&FinishReason::Stop, usage());

    insta::assert_snapshot!(lines(&all), @r#"
    "choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}
    "choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}
    "choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}
    "#);
}

#[test]
fn the_first_delta_of_a_call_names_it_even_where_the_provider_did_not() {
    let mut chunks = chunks(false);

    let mut all =
        chunks.hear(vec![delta(0, Some("c1"), Some("f"), ""), delta(1, None, Some("g"), "")]);
    all.extend(chunks.hear(vec![delta(0, None, None, "{}"), delta(1, None, None, "{}")]));

    insta::assert_snapshot!(lines(&all), @r#"
    "choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}
    "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}
    "choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_0af1_1","type":"function","function":{"name":"g","arguments":""}}]},"logprobs":null,"finish_reason":null}]}
    "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}]}
    "choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}]}
    "#);
}
