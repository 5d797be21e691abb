//! Who speaks in a session.

use crate::id::UserId;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The user.
    User,
    /// The model.
    Ai,
    /// An operator.
    Admin,
    /// The gateway.
    System,
}

impl Sender {
    /// The word on the wire and in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ai => "ai",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }
}

/// Who speaks in a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Speaker {
    /// Its user.
    #[default]
    User,
    /// An operator: only whoever holds the session may.
    Operator(UserId),
}

impl Speaker {
    /// Who its message is from.
    pub fn sender(&self) -> Sender {
        match self {
            Self::User => Sender::User,
            Self::Operator(_) => Sender::Admin,
        }
    }
}
