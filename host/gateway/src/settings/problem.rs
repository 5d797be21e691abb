//! What is wrong with a configuration, or only odd, in words for the person who wrote it.
//!
//! Every text names the key, where the value came from and what would be accepted. None ever carries a secret.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Written nowhere: the built-in default, or nothing at all.
    Default,
    /// A line of a file, counted from 1.
    File(PathBuf, Option<usize>),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("not set"),
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

/// One thing that keeps the gateway from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The key as documented, such as `server.bind`; empty when the file as a whole is meant.
    pub(crate) key: String,
    /// Where the bad value came from.
    pub(crate) origin: Origin,
    /// What is wrong with it.
    pub(crate) wrong: String,
    /// What would be accepted instead; empty when `wrong` says it all.
    pub(crate) accepted: String,
}

impl Problem {
    /// A problem that needs no more words than what is wrong.
    pub(super) fn new(key: &str, origin: Origin, wrong: impl Into<String>) -> Self {
        Self { key: key.into(), origin, wrong: wrong.into(), accepted: String::new() }
    }

    /// Says what would be accepted.
    pub(super) fn accepted(mut self, accepted: impl Into<String>) -> Self {
        self.accepted = accepted.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.key, &self.origin)?;
        f.write_str(&self.wrong)?;
        if self.accepted.is_empty() { Ok(()) } else { write!(f, "; accepted: {}", self.accepted) }
    }
}

/// Everything that keeps the gateway from starting, one line each. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub(crate) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// One by one.
    pub(crate) fn each(&self) -> &[Problem] {
        &self.0
    }
}

/// Something written that does nothing here. The gateway starts all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    /// The key or the variable.
    pub(crate) key: String,
    /// Where it was written.
    pub(crate) origin: Origin,
    /// Why it does nothing.
    pub(crate) text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.key, &self.origin)?;
        f.write_str(&self.text)
    }
}

/// Writes what a message is about, up to the colon.
fn place(f: &mut fmt::Formatter<'_>, key: &str, origin: &Origin) -> fmt::Result {
    match origin {
        _ if key.is_empty() => write!(f, "{origin}: "),
        Origin::Variable(name) if name == key => write!(f, "{key} (variable): "),
        Origin::Default | Origin::File(..) | Origin::Variable(_) => write!(f, "{key} ({origin}): "),
    }
}

/// What one pass over the configuration found, collected instead of thrown.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What keeps the gateway from starting.
    pub(super) problems: Vec<Problem>,
    /// What does not.
    pub(super) warnings: Vec<Warning>,
}

impl Findings {
    /// Takes down a problem.
    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Takes down a warning.
    pub(super) fn warning(&mut self, key: &str, origin: Origin, text: impl Into<String>) {
        self.warnings.push(Warning { key: key.into(), origin, text: text.into() });
    }
}

/// Quotes a value for a message: control characters escaped, cut after 60 characters. Never call it on a secret.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    format!("\"{shown}{more}\"")
}
