//! What is wrong with a request. Names the field and what is expected there; nothing of its value is repeated.

use std::fmt;

/// A request that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct BadRequest {
    /// What is wrong.
    pub fault: Fault,
    /// Where: a path such as `messages[0].content`; none for the body as a whole.
    pub param: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not there, or null.
    Missing,
    /// It is something else than this.
    Expected(&'static str),
    /// It is understood and not to be had here. Says what is, or why not.
    Unsupported(&'static str),
    /// The body has more fields and list entries than are read.
    TooMany,
}

impl BadRequest {
    pub(super) fn at(param: impl Into<String>, fault: Fault) -> Self {
        Self { fault, param: Some(param.into()) }
    }

    pub(super) fn body(fault: Fault) -> Self {
        Self { fault, param: None }
    }

    /// OpenAI's code for it.
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::Missing => "missing_required_parameter",
            Fault::Expected(_) => "invalid_value",
            Fault::Unsupported(_) => "unsupported_value",
            Fault::TooMany => "too_many_elements",
        }
    }

    /// What people are told.
    pub fn message(&self) -> String {
        match &self.param {
            Some(param) => format!("{param}: {}.", self.fault),
            None => format!("The body: {}.", self.fault),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str("is required"),
            Self::Expected(what) => write!(out, "{what} is expected"),
            Self::Unsupported(what) => write!(out, "is not supported here; {what}"),
            Self::TooMany => out.write_str("has more fields and list entries than are read"),
        }
    }
}
