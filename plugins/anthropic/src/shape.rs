//! The shapes that come back. Only what is read is named; the vendor adds what it likes.

use serde::Deserialize;
use serde_json::Value;

/// One event of a stream, or a whole message.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Told {
    MessageStart {
        message: Message,
    },
    ContentBlockStart {
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: Stop,
        usage: Option<Usage>,
    },
    MessageStop,
    /// Asked for a stream or not: some proxies answer with the whole.
    Message(Message),
    Error {
        error: Value,
    },
    /// `ping`, and what is not known yet.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) content: Vec<Value>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Stop {
    pub(crate) stop_reason: Option<String>,
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

/// Cumulative; a later one says only what changed.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    server_tool_use: Option<Value>,
}

impl Usage {
    /// Takes over what is said anew.
    pub(crate) fn update(&mut self, new: Self) {
        self.input_tokens = new.input_tokens.or(self.input_tokens);
        self.output_tokens = new.output_tokens.or(self.output_tokens);
        self.cache_read_input_tokens = new.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            new.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.server_tool_use = new.server_tool_use.or(self.server_tool_use.take());
    }

    /// In the contract's sense, where the prompt's tokens include the cached ones; the vendor counts them apart.
    pub(crate) fn told(&self) -> sluice_sdk::Usage {
        let (read, written) = (self.cache_read_input_tokens, self.cache_creation_input_tokens);
        let cached = read.unwrap_or_default().saturating_add(written.unwrap_or_default());
        let input = self.input_tokens.map(|tokens| tokens.saturating_add(cached));
        let usage =
            sluice_sdk::Usage::tokens(input, self.output_tokens).cached(read).cache_write(written);
        match &self.server_tool_use {
            Some(used) if !used.is_null() => usage.other("server_tool_use", used.to_string()),
            Some(_) | None => usage,
        }
    }
}
