//! Being built.

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
