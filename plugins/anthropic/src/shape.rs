//! The shapes that come back. Only what is read is named; the vendor adds what it likes.

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk::TokenCount;

/// One event of a stream, or a whole message.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Told {
    /// The message, with nothing in it yet.
    MessageStart { message: Message },
    /// A block, mostly empty.
    ContentBlockStart { index: u64, content_block: Value },
    /// More of a block.
    ContentBlockDelta { index: u64, delta: Delta },
    /// A block is whole.
    ContentBlockStop { index: u64 },
    /// Why it ends, and what it took.
    MessageDelta { delta: Message, usage: Option<TokenCount> },
    /// The end.
    MessageStop,
    /// Asked for a stream or not: some proxies answer with the whole.
    Message(Message),
    /// It broke off.
    Error { error: Value },
    /// `ping`, and what is not known yet.
    #[serde(other)]
    Other,
}

/// A message, or what is new of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) content: Vec<Value>,
    pub(crate) stop_reason: Option<String>,
    /// Cumulative; a later one says only what changed.
    pub(crate) usage: Option<TokenCount>,
}

/// What is added to a block.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "citations_delta")]
    Citation { citation: Value },
    #[serde(other)]
    Other,
}
