//! What one check came to, as a line for a person or for a program.

use std::fmt;
use std::time::Duration;

use serde_json::json;

/// How it stands, better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// As it should be.
    Fine,
    /// There was no token to ask with.
    NotAsked,
    /// It works, and somebody should look at it.
    Worrying,
    /// It does not work.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::NotAsked => "skipped",
            Self::Worrying => "warning",
            Self::Failed => "FAILED",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at: one of a few fixed words.
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    /// What was seen, and what to do about it when it is not fine.
    pub(super) detail: String,
    /// How long the answer took, where that says something.
    pub(super) took: Option<Duration>,
}

impl Finding {
    pub(super) fn new(check: &'static str, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { check, outcome, detail: detail.into(), took: None }
    }

    pub(super) fn fine(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, Outcome::Fine, detail)
    }

    pub(super) fn failed(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, Outcome::Failed, detail)
    }

    pub(super) fn after(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        let mut line = json!({
            "check": self.check,
            "outcome": self.outcome.as_str().to_lowercase(),
            "detail": self.detail,
        });
        if let Some(took) = self.took {
            line["took_ms"] = json!(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
        line.to_string()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8} {:<10} {}", self.outcome.as_str(), self.check, self.detail)?;
        match self.took {
            Some(took) => write!(f, " ({} ms)", took.as_millis()),
            None => Ok(()),
        }
    }
}
