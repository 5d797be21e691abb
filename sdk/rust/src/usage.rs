//! Building usage, and reading it.

use serde::Deserialize;
use serde_json::Value;

use crate::{Extra, Usage};

/// Tokens as vendors count them, by the names that chat completions gave them or by those that Anthropic did.
///
/// ```
/// use sluice_sdk::{TokenCount, Usage};
///
/// let counted = r#"{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}"#;
/// let counted: TokenCount = serde_json::from_str(counted)?;
/// assert_eq!(Usage::from(counted), Usage::tokens(9, 2).cached(4));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct TokenCount {
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// The same by its other name.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
    /// The same by its other name.
    pub output_tokens: Option<u64>,
    /// Of the prompt's tokens.
    pub prompt_tokens_details: Option<PromptDetails>,
    /// Of the answer's tokens.
    pub completion_tokens_details: Option<CompletionDetails>,
    /// `DeepSeek`'s name for tokens read from a cache.
    pub prompt_cache_hit_tokens: Option<u64>,
    /// Anthropic's name for them. There they are no part of the prompt's: [`Usage::with_cached_in_input`].
    pub cache_read_input_tokens: Option<u64>,
    /// Tokens written to a cache, likewise.
    pub cache_creation_input_tokens: Option<u64>,
    /// How often tools were used that the vendor runs itself, in its own words.
    pub server_tool_use: Option<Value>,
}

/// Which of the prompt's tokens were special.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct PromptDetails {
    /// Read from a cache.
    pub cached_tokens: Option<u64>,
}

/// Which of the answer's tokens were special.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CompletionDetails {
    /// Of reasoning.
    pub reasoning_tokens: Option<u64>,
}

impl From<TokenCount> for Usage {
    fn from(count: TokenCount) -> Self {
        let cached = count.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let cached = cached.or(count.prompt_cache_hit_tokens).or(count.cache_read_input_tokens);
        let reasoning =
            count.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        let input = count.prompt_tokens.or(count.input_tokens);
        let usage = Self::tokens(input, count.completion_tokens.or(count.output_tokens))
            .cached(cached)
            .cache_write(count.cache_creation_input_tokens)
            .reasoning(reasoning);
        match count.server_tool_use {
            Some(used) => usage.other("server_tool_use", used.to_string()),
            None => usage,
        }
    }
}

#[expect(clippy::derivable_impls, reason = "the struct is generated")]
impl Default for Usage {
    fn default() -> Self {
        Self {
            input_tokens: None,
            output_tokens: None,
            cached_input_tokens: None,
            cache_write_tokens: None,
            reasoning_tokens: None,
            other: Vec::new(),
        }
    }
}

impl Usage {
    /// Tokens of the prompt and of the answer.
    pub fn tokens(input: impl Into<Option<u64>>, output: impl Into<Option<u64>>) -> Self {
        Self { input_tokens: input.into(), output_tokens: output.into(), ..Self::default() }
    }

    /// Of the prompt's tokens, those read from a cache.
    #[must_use]
    pub fn cached(mut self, tokens: impl Into<Option<u64>>) -> Self {
        self.cached_input_tokens = tokens.into();
        self
    }

    /// Of the prompt's tokens, those written to a cache.
    #[must_use]
    pub fn cache_write(mut self, tokens: impl Into<Option<u64>>) -> Self {
        self.cache_write_tokens = tokens.into();
        self
    }

    /// Of the answer's tokens, those of reasoning.
    #[must_use]
    pub fn reasoning(mut self, tokens: impl Into<Option<u64>>) -> Self {
        self.reasoning_tokens = tokens.into();
        self
    }

    /// Something billed that is no token. `value` is JSON text.
    #[must_use]
    pub fn other(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.other.push(Extra { key: key.into(), value: value.into() });
        self
    }

    /// Takes over what is told anew, for vendors of which a later count says only what changed.
    pub fn update(&mut self, newer: Self) {
        self.input_tokens = newer.input_tokens.or(self.input_tokens);
        self.output_tokens = newer.output_tokens.or(self.output_tokens);
        self.cached_input_tokens = newer.cached_input_tokens.or(self.cached_input_tokens);
        self.cache_write_tokens = newer.cache_write_tokens.or(self.cache_write_tokens);
        self.reasoning_tokens = newer.reasoning_tokens.or(self.reasoning_tokens);
        self.other.retain(|known| newer.other.iter().all(|extra| extra.key != known.key));
        self.other.extend(newer.other);
    }

    /// In the contract's sense, where the prompt's tokens include the cached ones, of a count that has them apart.
    ///
    /// ```
    /// use sluice_sdk::Usage;
    ///
    /// let apart = Usage::tokens(3, 5).cached(100).cache_write(20);
    /// assert_eq!(apart.with_cached_in_input().input_tokens, Some(123));
    /// ```
    #[must_use]
    pub fn with_cached_in_input(mut self) -> Self {
        let cached = [self.cached_input_tokens, self.cache_write_tokens];
        let cached = cached.into_iter().flatten().fold(0, u64::saturating_add);
        self.input_tokens = self.input_tokens.map(|tokens| tokens.saturating_add(cached));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_count_says_only_what_changed() {
        let mut usage = Usage::tokens(9, 1).cached(4).other("searches", "1");

        usage.update(Usage::tokens(None, 7).reasoning(2).other("searches", "2"));

        assert_eq!(usage, Usage::tokens(9, 7).cached(4).reasoning(2).other("searches", "2"));
    }
}
