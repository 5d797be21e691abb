//! The plugin of most vendors as native code: what its work costs without a sandbox. The same turn and pieces as `boundary` has.

use std::time::Instant;

use sluice_openai::OpenAi;
use sluice_sdk::{Answer, ChatRequest, Context, Field, Frame, Head, Input, Message, Plugin, Role};

use crate::{percentile::percentile, row::Length};

type Native = <OpenAi as Plugin>::Answer;

const PIECES: u32 = 50;
const TEXT_BYTES: usize = 1024;
const ANSWERS: usize = 1_000;

/// Microseconds of a turn and of a piece, each the median of a round.
pub(super) fn round(length: Length) -> (f64, f64) {
    let (mut turns, mut pieces) = (Vec::new(), Vec::new());
    for _ in 0..length.of(ANSWERS) {
        turns.push(turn());
        pieces.push(piece());
    }
    (percentile(&mut turns, 0.5), percentile(&mut pieces, 0.5))
}

fn turn() -> f64 {
    let text = "m".repeat(TEXT_BYTES);
    let whole = format!(
        r#"{{"id":"chatcmpl-9xyz","object":"chat.completion","created":1730000000,"model":"model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
    );
    let (asked, begins, whole) = (question(false), head("application/json"), frame(&whole));
    let begun = Instant::now();
    let context = Context::read("{}").expect("no settings are good settings");
    let mut answer = Native::default();
    answer.start(&context, asked);
    answer.step(&context, begins);
    answer.step(&context, whole);
    begun.elapsed().as_secs_f64() * 1e6
}

fn piece() -> f64 {
    let context = Context::read("{}").expect("no settings are good settings");
    let piece = r#"{"id":"chatcmpl-9xyz","object":"chat.completion.chunk","created":1730000000,"model":"model","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}"#;
    let mut answer = Native::default();
    answer.start(&context, question(true));
    answer.step(&context, head("text/event-stream"));
    let inputs: Vec<_> = (0..PIECES).map(|_| frame(piece)).collect();
    let begun = Instant::now();
    for input in inputs {
        answer.step(&context, input);
    }
    begun.elapsed().as_secs_f64() * 1e6 / f64::from(PIECES)
}

fn question(stream: bool) -> ChatRequest {
    let messages = vec![Message::of(Role::User, "m".repeat(TEXT_BYTES))];
    ChatRequest { messages, stream, ..ChatRequest::new("model") }
}

fn head(kind: &str) -> Input {
    let kind = Field { name: "content-type".to_owned(), value: kind.to_owned() };
    Input::Head(Head { status: 200, headers: vec![kind] })
}

fn frame(data: &str) -> Input {
    Input::Frames(vec![Frame { event: None, data: data.to_owned() }])
}
