//! A place in a walk over everything.

/// Where one step of a walk ended and the next begins, in words of the engine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(pub(crate) String);
