//! What a plugin says, in the form that `expect.jsonl` holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event; a line such as `{"text":"Hi"}` or `{"finish":"stop"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// Text of the answer.
    Text(String),
    /// Thought before it.
    Reasoning {
        /// Readable part.
        text: String,
        /// Opaque token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// A piece of a tool call.
    ToolDelta {
        /// Slot within the answer.
        index: u32,
        /// With the first piece of the slot only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// With the first piece of the slot only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Fragment of the arguments' JSON text.
        arguments: String,
    },
    /// Usage so far.
    Usage(Usage),
    /// An id of the upstream's.
    UpstreamId {
        /// What it identifies.
        name: String,
        /// The id.
        value: String,
    },
    /// Why it ended.
    Finish(Finish),
    /// Anything else.
    Other {
        /// Its name.
        key: String,
        /// Its value.
        value: Value,
    },
}

impl Event {
    /// Whether this is part of the answer itself rather than about it.
    pub(crate) fn is_content(&self) -> bool {
        !matches!(self, Self::Usage(_) | Self::UpstreamId { .. })
    }

    /// Takes up an event that only goes on with this one, or gives it back.
    fn absorb(&mut self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Text(text), Self::Text(more))
            | (
                Self::Reasoning { text, signature: None },
                Self::Reasoning { text: more, signature: None },
            ) => text.push_str(&more),
            (
                Self::ToolDelta { index, arguments, .. },
                Self::ToolDelta { index: same, id: None, name: None, arguments: more },
            ) if *index == same => arguments.push_str(&more),
            (_, next) => return Some(next),
        }
        None
    }
}

/// Joins adjacent pieces of one thing.
pub(crate) fn merged(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let mut whole: Vec<Event> = Vec::new();
    for event in events {
        let left = match whole.last_mut() {
            Some(last) => last.absorb(event),
            None => Some(event),
        };
        whole.extend(left);
    }
    whole
}

/// Tokens and other things billed; what is unknown is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Of the prompt's tokens, those read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
    /// Of the prompt's tokens, those written to a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of the answer's tokens, those of reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Anything billed that is no token.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub other: serde_json::Map<String, Value>,
}

/// Why an answer ended: a word, or `{"other": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It had said everything.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// It wants tools run.
    ToolCalls,
    /// The upstream's filter cut it.
    ContentFilter,
    /// A vendor's own word.
    Other(String),
}

/// How the plugin left the answer: `"done"` or `{"fail": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Complete.
    Done,
    /// Failed.
    Fail(Failure),
}

/// What a plugin failed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The contract's word for it: `rate-limited`.
    pub kind: String,
    /// Upstream status code, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether another try may help.
    pub retry: Retry,
    /// For operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whether another try may help: `"never"`, `{"after_ms": 1000}` or `"other_credential"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It will not.
    Never,
    /// After so many milliseconds.
    AfterMs(u32),
    /// With another credential.
    OtherCredential,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_form() {
        let usage = Usage { input_tokens: Some(3), ..Usage::default() };
        let events = [
            Event::Text("Hi".to_owned()),
            Event::ToolDelta { index: 0, id: None, name: None, arguments: "{}".to_owned() },
            Event::Usage(usage),
            Event::Finish(Finish::ToolCalls),
            Event::Finish(Finish::Other("pause".to_owned())),
        ];

        let lines = events.map(|event| serde_json::to_string(&event).unwrap());

        let expected = [
            r#"{"text":"Hi"}"#,
            r#"{"tool_delta":{"index":0,"arguments":"{}"}}"#,
            r#"{"usage":{"input_tokens":3}}"#,
            r#"{"finish":"tool_calls"}"#,
            r#"{"finish":{"other":"pause"}}"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn only_adjacent_pieces_of_one_thing_are_joined() {
        let text = |text: &str| Event::Text(text.to_owned());
        let delta = |index, id: Option<&str>| Event::ToolDelta {
            index,
            id: id.map(str::to_owned),
            name: None,
            arguments: "x".to_owned(),
        };

        let events =
            merged([text("a"), text("b"), delta(0, Some("c")), delta(0, None), delta(1, None)]);

        assert_eq!(events.len(), 3);
        assert_eq!(events[0], text("ab"));
    }
}
