//! Something that somebody is to be told.
//!
//! Mirrors the interface `notifier` of the plugin contract (`sdk/wit`).

use crate::exchange::Field;
use crate::id::Instant;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// One thing to tell, at one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same at every try.
    pub id: String,
    /// What happened, in a word.
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// In a sentence.
    pub text: String,
    /// What it is about, by name.
    pub about: Vec<Field>,
    /// When it happened.
    pub at: Instant,
    /// Which try it is, from 1.
    pub attempt: u32,
}
