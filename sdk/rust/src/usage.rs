//! Building usage.

use crate::{Extra, Usage};

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
}
