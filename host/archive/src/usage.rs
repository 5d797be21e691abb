//! What answers cost: one line for each, however it ended. Kept when its session is deleted.
//!
//! The line of a session's answer is written with its end, by [`Archive::finish`](crate::Archive::finish); that of an answer
//! which belongs to no session by [`Archive::record`](crate::Archive::record).

use sluice_chat::answer::Ending;
use sluice_chat::bill::Bill;
use sluice_chat::id::{Instant, MessageId, ModelId, UserId};

/// What a call of the OpenAI-compatible routes cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallUsage {
    /// The id of its answer.
    pub answer: MessageId,
    /// Names the call in the log and to the client.
    pub trace: String,
    /// Who asked.
    pub user: UserId,
    /// Who answered.
    pub model: ModelId,
    /// When it was asked for.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
    /// How.
    pub ending: Ending,
    /// What it cost.
    pub bill: Bill,
}

/// What somebody asked with: how lines say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message of a session.
    Message,
    /// A call without one.
    Call,
}

impl Kind {
    /// As it is stored.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Call => "call",
        }
    }
}
