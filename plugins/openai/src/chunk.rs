//! The shapes that come back: a chunk of a stream, or a whole completion. Only what is read is named; vendors add what they like.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use crate::content::Content;

/// One frame. A whole completion differs by saying `message` where a chunk says `delta`.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk {
    pub(crate) id: Option<String>,
    pub(crate) choices: Option<Vec<Choice>>,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: u32,
    pub(crate) delta: Option<Piece>,
    pub(crate) message: Option<Piece>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) logprobs: Option<Value>,
}

/// What the model says: a piece of it, or all. Read by hand, for the same reason as [`Content`].
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) content: Option<Content>,
    pub(crate) refusal: Option<String>,
    /// `DeepSeek`'s name, which most took over.
    pub(crate) reasoning_content: Option<String>,
    /// `OpenRouter`'s and Groq's name; where both are there they say the same.
    pub(crate) reasoning: Option<String>,
    pub(crate) tool_calls: Option<Vec<ToolCall>>,
    /// What only this vendor has.
    pub(crate) own: Vec<(String, Value)>,
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PieceShape)
    }
}

struct PieceShape;

impl<'de> Visitor<'de> for PieceShape {
    type Value = Piece;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a piece of a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Piece, A::Error> {
        let mut piece = Piece::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "content" => piece.content = map.next_value()?,
                "refusal" => piece.refusal = map.next_value()?,
                "reasoning_content" => piece.reasoning_content = map.next_value()?,
                "reasoning" => piece.reasoning = map.next_value()?,
                "tool_calls" => piece.tool_calls = map.next_value()?,
                "role" | "function_call" => drop(map.next_value::<IgnoredAny>()?),
                _ => piece.own.push((key, map.next_value()?)),
            }
        }
        Ok(piece)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ToolCall {
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) function: Option<Function>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: Option<String>,
    pub(crate) arguments: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// `DeepSeek`'s name for cached tokens.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Usage> for sluice_sdk::Usage {
    fn from(usage: Usage) -> Self {
        let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let reasoning =
            usage.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        Self::tokens(usage.prompt_tokens, usage.completion_tokens)
            .cached(cached.or(usage.prompt_cache_hit_tokens))
            .reasoning(reasoning)
    }
}
