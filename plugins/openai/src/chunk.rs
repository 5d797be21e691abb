//! The shapes that come back: a chunk of a stream, or a whole completion. Only what is read is named; vendors add what they like.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use sluice_sdk::{TextOrParts, TokenCount, ToolPiece};

sluice_sdk::open_object! {
    /// One frame. A whole completion differs by saying `message` where a chunk says `delta`.
    #[derive(Debug)]
    pub(crate) struct Chunk {
        pub(crate) id: Option<String>,
        pub(crate) choices: Option<Vec<Choice>>,
        pub(crate) usage: Option<TokenCount>,
        pub(crate) error: Option<Value>,
        // What a gateway says itself, and OpenAI's padding against those who count bytes.
        ..own, without "object", "created", "model", "obfuscation"
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: u32,
    pub(crate) delta: Option<Piece>,
    pub(crate) message: Option<Piece>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) logprobs: Option<Box<RawValue>>,
}

sluice_sdk::open_object! {
    /// What the model says: a piece of it, or all.
    #[derive(Debug)]
    pub(crate) struct Piece {
        pub(crate) content: Option<TextOrParts>,
        pub(crate) refusal: Option<String>,
        /// `DeepSeek`'s name, which most took over.
        pub(crate) reasoning_content: Option<String>,
        /// `OpenRouter`'s and Groq's name; where both are there they say the same.
        pub(crate) reasoning: Option<String>,
        pub(crate) tool_calls: Option<Vec<ToolPiece>>,
        ..own, without "role", "function_call"
    }
}
