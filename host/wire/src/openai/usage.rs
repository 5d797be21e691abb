//! What an answer cost, as OpenAI's clients read it.

use serde::Serialize;
use sluice_chat::bill::Bill;
use sluice_chat::event::Usage;

/// The `usage` object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
    /// Not in OpenAI's shape: the provider said nothing, so the gateway guessed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
    /// Not in OpenAI's shape either: what that comes to, in millionths of the currency that prices are written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_micros: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl UsageBody {
    /// The count, and what more the provider told.
    pub fn new(bill: Bill, told: Option<&Usage>) -> Self {
        let tokens = bill.tokens();
        let cached = told.and_then(|usage| usage.cached_input_tokens);
        let reasoning = told.and_then(|usage| usage.reasoning_tokens);
        Self {
            prompt_tokens: tokens.input,
            completion_tokens: tokens.output,
            total_tokens: tokens.total(),
            prompt_tokens_details: cached.map(|cached_tokens| PromptDetails { cached_tokens }),
            completion_tokens_details: reasoning
                .map(|reasoning_tokens| CompletionDetails { reasoning_tokens }),
            estimated: tokens.estimated,
            cost_micros: bill.cost_micros,
        }
    }
}
