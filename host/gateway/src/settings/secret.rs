//! A secret value: it prints as `***` whatever is done to it, and leaves only through [`Secret::expose`].
//!
//! Where a secret comes from (`env:`, `file:`) is [`vault`]'s work; whether it is good enough to sign with is
//! [`strength`]'s.

pub(super) mod strength;
pub(super) mod vault;

use std::fmt;

/// Text that must not be seen. Never empty when it comes out of the settings.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Takes the text as it is.
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that signs or sends with it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
