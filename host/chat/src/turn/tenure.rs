//! Who answers in a session, and on what terms it is held.

use crate::id::{Fence, UserId};

/// Who answers in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The model.
    #[default]
    Bot,
    /// The model still, but help was asked for.
    Waiting,
    /// A human.
    Operator,
}

impl Mode {
    /// The word on the wire and in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Waiting => "waiting",
            Self::Operator => "operator",
        }
    }
}

/// A human who may answer instead of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// As their token names them.
    pub id: UserId,
    /// As the user may know them.
    pub name: String,
}

/// On what terms a session is held: who answers, and what every write to the archive must name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tenure {
    /// Who answers.
    pub mode: Mode,
    /// Raised by each takeover and release: a write that names an older one is refused.
    pub fence: Fence,
    /// Whoever took the session over, while the mode is [`Mode::Operator`].
    pub operator: Option<Operator>,
}
