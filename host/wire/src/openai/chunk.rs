//! An answer in pieces.

use serde::Serialize;
use serde_json::{Map, Value};
use sluice_chat::event::{ChatEvent, FinishReason, ToolDelta};

use super::completion::{Head, finish_reason};
use super::own::{self, Thoughts};
use super::usage::UsageBody;

/// Makes the chunks of one answer: who speaks in the first, what is said in the next, why it ended in the last.
#[derive(Debug)]
pub struct Chunks {
    head: Head,
    include_usage: bool,
    begun: bool,
    calls: Vec<u32>,
    thoughts: Thoughts,
}

impl Chunks {
    /// For an answer that nothing was said of yet.
    pub fn new(head: Head, include_usage: bool) -> Self {
        Self { head, include_usage, begun: false, calls: Vec::new(), thoughts: Thoughts::default() }
    }

    /// What is shown of what was said next.
    pub fn hear(&mut self, events: Vec<ChatEvent>) -> Vec<Chunk> {
        let told: Vec<Told> = events.into_iter().filter_map(|event| self.told(event)).collect();
        let opening = (!told.is_empty()).then(|| self.opening()).flatten();
        opening.into_iter().chain(told.into_iter().map(|told| self.chunk(told, None))).collect()
    }

    /// The end: why, and what it cost if that was asked for.
    pub fn end(&mut self, reason: &FinishReason, usage: UsageBody) -> Vec<Chunk> {
        let mut chunks: Vec<Chunk> = self.opening().into_iter().collect();
        chunks.push(self.chunk(Delta::default().into(), Some(finish_reason(reason))));
        if self.include_usage {
            chunks.push(Chunk { choices: Vec::new(), usage: Cost::Told(usage), ..self.empty() });
        }
        chunks
    }

    fn opening(&mut self) -> Option<Chunk> {
        if std::mem::replace(&mut self.begun, true) {
            return None;
        }
        let role = Some("assistant");
        let delta = Delta { role, content: Some(String::new()), ..Delta::default() };
        Some(self.chunk(delta.into(), None))
    }

    fn told(&mut self, event: ChatEvent) -> Option<Told> {
        let delta = match event {
            ChatEvent::Text(text) => Delta { content: Some(text), ..Delta::default() },
            ChatEvent::Reasoning(thought) => {
                let own = self.thoughts.hear(&thought).into_iter().collect();
                let text = Some(thought.text).filter(|text| !text.is_empty());
                Delta { reasoning_content: text, own, ..Delta::default() }
            }
            ChatEvent::ToolDelta(delta) => {
                Delta { tool_calls: Some([self.call(delta)]), ..Delta::default() }
            }
            ChatEvent::Other(extra) => {
                let (key, value) = own::field(extra)?;
                if key == own::LIKELIHOODS {
                    return Some(Told { delta: Delta::default(), logprobs: Some(value) });
                }
                Delta { own: Map::from_iter([(key, value)]), ..Delta::default() }
            }
            ChatEvent::Usage(_) | ChatEvent::UpstreamId { .. } | ChatEvent::Finish(_) => {
                return None;
            }
        };
        Some(delta.into())
    }

    fn call(&mut self, delta: ToolDelta) -> CallDelta {
        let ToolDelta { index, id, name, arguments } = delta;
        if self.calls.contains(&index) {
            let function = FunctionDelta { name: None, arguments };
            return CallDelta { index, id: None, r#type: None, function };
        }
        self.calls.push(index);
        let id = id.unwrap_or_else(|| self.head.call_id(index));
        let function = FunctionDelta { name: Some(name.unwrap_or_default()), arguments };
        CallDelta { index, id: Some(id), r#type: Some("function"), function }
    }

    fn chunk(&self, told: Told, finish_reason: Option<String>) -> Chunk {
        let Told { delta, logprobs } = told;
        let choice = Choice { index: 0, delta, logprobs, finish_reason };
        Chunk { choices: vec![choice], ..self.empty() }
    }

    fn empty(&self) -> Chunk {
        Chunk {
            id: self.head.id.clone(),
            object: "chat.completion.chunk",
            created: self.head.created,
            model: self.head.model.clone(),
            choices: Vec::new(),
            usage: if self.include_usage { Cost::Later } else { Cost::Unwanted },
        }
    }
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chunk {
    id: String,
    object: &'static str,
    created: u64,
    model: String,
    choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Cost::is_unwanted")]
    usage: Cost,
}

/// What a chunk says about usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Cost {
    /// Nothing: nobody asked.
    Unwanted,
    /// Null, in every chunk but the last.
    Later,
    Told(UsageBody),
}

impl Cost {
    fn is_unwanted(&self) -> bool {
        matches!(self, Self::Unwanted)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Choice {
    index: u32,
    delta: Delta,
    logprobs: Option<Value>,
    finish_reason: Option<String>,
}

/// What one event adds to a choice.
struct Told {
    delta: Delta,
    logprobs: Option<Value>,
}

impl From<Delta> for Told {
    fn from(delta: Delta) -> Self {
        Self { delta, logprobs: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta; 1]>,
    #[serde(flatten)]
    own: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CallDelta {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FunctionDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

#[cfg(test)]
mod tests;
