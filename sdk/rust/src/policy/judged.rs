//! Making verdicts about output.

use std::ops::Range;

use crate::{Denial, Judged, OutputVerdict, Span};

impl Judged {
    /// As it is.
    pub fn pass() -> Self {
        Self { verdict: OutputVerdict::Pass, hold: 0 }
    }

    /// With these spans replaced; none is [`Judged::pass`].
    pub fn redact(spans: Vec<Span>) -> Self {
        let verdict =
            if spans.is_empty() { OutputVerdict::Pass } else { OutputVerdict::Redact(spans) };
        Self { verdict, hold: 0 }
    }

    /// The answer ends here and says this instead of the rest.
    pub fn stop(denial: Denial) -> Self {
        Self { verdict: OutputVerdict::Stop(denial), hold: 0 }
    }

    /// With so many bytes at the end, after redaction, kept back until more is known; at most 4,096.
    #[must_use]
    pub fn hold(self, bytes: usize) -> Self {
        Self { hold: u32::try_from(bytes).unwrap_or(u32::MAX), ..self }
    }
}

impl Span {
    /// This range of the chunk becomes that. Chunks are shorter than 4 GiB.
    pub fn new(range: Range<usize>, replacement: impl Into<String>) -> Self {
        let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: offset(range.start), end: offset(range.end), replacement: replacement.into() }
    }
}
