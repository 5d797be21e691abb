//! Making decisions about usage.

use crate::{Effect, Outcome, Settlement, UsageDecision};

impl UsageDecision {
    /// Nothing to say, nothing to settle.
    pub fn nothing() -> Self {
        Self { effect: Effect::default(), settle: Vec::new() }
    }

    /// So much was really used of the reservation of that name; the rest is given back.
    #[must_use]
    pub fn settle(mut self, name: impl Into<String>, actual: u64) -> Self {
        self.settle.push(Settlement { name: name.into(), actual });
        self
    }

    /// With a label for the audit log.
    #[must_use]
    pub fn with_label(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { effect: self.effect.with_label(name, value), ..self }
    }

    /// With a line for the audit log, at most 512 bytes of it.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { effect: self.effect.with_note(note), ..self }
    }
}

impl Outcome {
    /// Tokens of prompt and answer together.
    pub fn total_tokens(&self) -> u64 {
        let (input, output) = (self.usage.input_tokens, self.usage.output_tokens);
        input.unwrap_or_default().saturating_add(output.unwrap_or_default())
    }
}
