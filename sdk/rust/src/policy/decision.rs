//! Making decisions, denials and effects.

use crate::{Decision, Denial, Effect, Field, Verdict};

impl Denial {
    /// A denial. `code` is a short stable word, for logs and metrics; `text` may be shown to the user, at most 512 bytes of it.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), retry_after_s: None }
    }

    /// After so many seconds it may go through.
    #[must_use]
    pub fn retry_after_s(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

#[expect(clippy::derivable_impls, reason = "the struct is generated")]
impl Default for Effect {
    fn default() -> Self {
        Self { labels: Vec::new(), note: None }
    }
}

impl Effect {
    /// With a label for the audit log and for later policies of the chain.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push(Field { name: name.into(), value: value.into() });
        self
    }

    /// With a line for the audit log, at most 512 bytes of it.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

impl Decision {
    /// Yes.
    pub fn allow() -> Self {
        Self { verdict: Verdict::Allow, effect: Effect::default() }
    }

    /// No.
    pub fn deny(denial: Denial) -> Self {
        Self { verdict: Verdict::Deny(denial), effect: Effect::default() }
    }

    /// With a label for the audit log and for later policies of the chain.
    #[must_use]
    pub fn with_label(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { effect: self.effect.with_label(name, value), ..self }
    }

    /// With a line for the audit log, at most 512 bytes of it.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { effect: self.effect.with_note(note), ..self }
    }

    /// Why not, if not.
    pub fn denial(&self) -> Option<&Denial> {
        match &self.verdict {
            Verdict::Allow => None,
            Verdict::Deny(denial) => Some(denial),
        }
    }
}
