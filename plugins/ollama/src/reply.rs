//! What a line says.

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_sdk::{Error, Events, FinishReason, Flow, ToolPiece, Usage};

/// One line; the whole answer, when no stream was asked for, has the same shape.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    message: Option<Piece>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
    logprobs: Option<Vec<Value>>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Piece {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<ToolPiece>>,
}

/// Takes a line.
pub(crate) fn take(line: Line, events: &mut Events) -> Result<Flow, Error> {
    if let Some(error) = line.error {
        return Err(Error::told(&error));
    }
    if let Some(piece) = line.message {
        events.reasoning(piece.thinking.unwrap_or_default());
        events.text(piece.content.unwrap_or_default());
        // Calls come whole, one after the other, whatever number they bear.
        for call in piece.tool_calls.into_iter().flatten() {
            events.whole_tool_call(call);
        }
    }
    if let Some(tokens) = line.logprobs.filter(|tokens| !tokens.is_empty()) {
        // As OpenAI's clients know it; the tokens look the same.
        events.other_value("logprobs", &json!({ "content": tokens }));
    }
    if !line.done {
        return Ok(Flow::More);
    }
    if line.prompt_eval_count.is_some() || line.eval_count.is_some() {
        events.usage(Usage::tokens(line.prompt_eval_count, line.eval_count));
    }
    // Older servers give no reason.
    events.finish(match line.done_reason.as_deref() {
        None | Some("stop") => events.usual_end(),
        Some(reason) => FinishReason::from(reason),
    });
    Ok(Flow::Done)
}
