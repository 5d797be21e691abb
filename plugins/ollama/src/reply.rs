//! What the lines of one answer add up to.

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk::{Error, Events, FinishReason, Flow, ToolDelta, Usage};

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
    tool_calls: Option<Vec<Call>>,
}

#[derive(Debug, Deserialize)]
struct Call {
    id: Option<String>,
    function: Function,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    arguments: Option<Value>,
}

/// One answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    calls: u32,
}

impl Reply {
    pub(crate) fn take(&mut self, line: Line, events: &mut Events) -> Result<Flow, Error> {
        if let Some(error) = line.error {
            return Err(Error::told(&error));
        }
        if let Some(piece) = line.message {
            events.reasoning(piece.thinking.unwrap_or_default());
            events.text(piece.content.unwrap_or_default());
            for call in piece.tool_calls.unwrap_or_default() {
                self.call(call, events);
            }
        }
        if let Some(tokens) = line.logprobs.filter(|tokens| !tokens.is_empty()) {
            // As OpenAI's clients know it; the tokens look the same.
            events.other("logprobs", serde_json::json!({ "content": tokens }).to_string());
        }
        if !line.done {
            return Ok(Flow::More);
        }
        if line.prompt_eval_count.is_some() || line.eval_count.is_some() {
            events.usage(Usage::tokens(line.prompt_eval_count, line.eval_count));
        }
        // Older servers give no reason.
        events.finish(match line.done_reason.as_deref().unwrap_or("stop") {
            "stop" if self.calls > 0 => FinishReason::ToolCalls,
            reason => FinishReason::from(reason),
        });
        Ok(Flow::Done)
    }

    /// Calls come whole, one after the other, whatever number they bear.
    fn call(&mut self, call: Call, events: &mut Events) {
        let arguments = call.function.arguments.filter(|arguments| !arguments.is_null());
        events.tool_delta(ToolDelta {
            index: self.calls,
            id: call.id.filter(|id| !id.is_empty()),
            name: Some(call.function.name),
            arguments: arguments.map_or_else(|| "{}".to_owned(), |value| value.to_string()),
        });
        self.calls = self.calls.saturating_add(1);
    }
}
