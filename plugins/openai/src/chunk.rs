//! The shapes that come back: a chunk of a stream, or a whole completion. Only what is read is named; vendors add what they like.

use serde::Deserialize;

use crate::content::Content;

/// One frame. A whole completion differs by saying `message` where a chunk says `delta`.
#[derive(Debug, Deserialize)]
pub(crate) struct Chunk {
    pub(crate) id: Option<String>,
    pub(crate) choices: Option<Vec<Choice>>,
    pub(crate) usage: Option<Usage>,
    pub(crate) error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: u32,
    pub(crate) delta: Option<Piece>,
    pub(crate) message: Option<Piece>,
    pub(crate) finish_reason: Option<String>,
}

/// What the model says: a piece of it, or all.
#[derive(Debug, Deserialize)]
pub(crate) struct Piece {
    pub(crate) content: Option<Content>,
    pub(crate) refusal: Option<String>,
    /// `DeepSeek`'s name, which most took over.
    pub(crate) reasoning_content: Option<String>,
    /// `OpenRouter`'s and Groq's name; where both are there they say the same.
    pub(crate) reasoning: Option<String>,
    pub(crate) tool_calls: Option<Vec<ToolCall>>,
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
