//! An answer in one piece.

use serde::Serialize;
use serde_json::{Map, Value};
use sluice_chat::event::{ChatEvent, FinishReason, ToolDelta};

use super::own::{self, Thoughts};
use super::usage::UsageBody;

/// What every piece of one answer repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `chatcmpl-…`.
    pub id: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    /// The model as clients know it.
    pub model: String,
}

impl Head {
    /// The id of a tool call whose provider gave none: results have to name one.
    pub(super) fn call_id(&self, index: u32) -> String {
        let unique = self.id.strip_prefix("chatcmpl-").unwrap_or(&self.id);
        format!("call_{unique}_{index}")
    }
}

/// OpenAI's word for an ending. A vendor's own reason stays its own word, since OpenAI has none that would be true.
pub(super) fn finish_reason(reason: &FinishReason) -> String {
    let word = match reason {
        FinishReason::Stop => "stop",
        FinishReason::Other(word) => word,
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    };
    word.to_owned()
}

/// An answer being put together.
#[derive(Debug, Default)]
pub struct Whole {
    text: String,
    reasoning: String,
    calls: Vec<Begun>,
    thoughts: Thoughts,
    own: Map<String, Value>,
}

#[derive(Debug)]
struct Begun {
    index: u32,
    id: Option<String>,
    name: String,
    arguments: String,
}

impl Whole {
    /// Takes what was said next.
    pub fn hear(&mut self, events: Vec<ChatEvent>) {
        for event in events {
            match event {
                ChatEvent::Text(more) => self.text.push_str(&more),
                ChatEvent::Reasoning(more) => {
                    self.reasoning.push_str(&more.text);
                    let whole = self.thoughts.hear(&more);
                    self.add(whole);
                }
                ChatEvent::ToolDelta(delta) => self.call(delta),
                ChatEvent::Other(extra) => self.add(own::field(extra)),
                ChatEvent::Usage(_) | ChatEvent::UpstreamId { .. } | ChatEvent::Finish(_) => {}
            }
        }
    }

    fn add(&mut self, field: Option<(String, Value)>) {
        if let Some((key, value)) = field {
            own::add(&mut self.own, key, value);
        }
    }

    fn call(&mut self, delta: ToolDelta) {
        let ToolDelta { index, id, name, arguments } = delta;
        if let Some(begun) = self.calls.iter_mut().find(|begun| begun.index == index) {
            begun.arguments.push_str(&arguments);
        } else {
            let name = name.unwrap_or_default();
            self.calls.push(Begun { index, id, name, arguments });
        }
    }

    /// The answer.
    pub fn end(self, head: &Head, reason: &FinishReason, usage: UsageBody) -> Completion {
        let Self { text, reasoning, calls, mut own, .. } = self;
        let logprobs = own.remove(own::LIKELIHOODS);
        let refusal = own.remove("refusal");
        let calls: Vec<Call> = calls
            .into_iter()
            .map(|begun| Call {
                id: begun.id.unwrap_or_else(|| head.call_id(begun.index)),
                r#type: "function",
                function: Function { name: begun.name, arguments: begun.arguments },
            })
            .collect();
        let content = (!text.is_empty() || calls.is_empty()).then_some(text);
        let message = Message {
            role: "assistant",
            content,
            refusal,
            reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
            tool_calls: calls,
            own,
        };
        Completion {
            id: head.id.clone(),
            object: "chat.completion",
            created: head.created,
            model: head.model.clone(),
            choices: [Choice { index: 0, message, logprobs, finish_reason: finish_reason(reason) }],
            usage,
        }
    }
}

/// The body of an answer in one piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: [Choice; 1],
    usage: UsageBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Choice {
    index: u32,
    message: Message,
    logprobs: Option<Value>,
    finish_reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Message {
    role: &'static str,
    content: Option<String>,
    refusal: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call>,
    #[serde(flatten)]
    own: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Call {
    id: String,
    r#type: &'static str,
    function: Function,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Function {
    name: String,
    arguments: String,
}

#[cfg(test)]
mod tests;
