//! What a decoder may hold, and what it says when that is not enough.

/// Bounds in bytes. A decoder never holds more than about twice the largest of the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One frame: its text and its event name together, replacements included.
    pub frame: usize,
    /// What arrived since the last frame border, comments and ignored fields included.
    pub pending: usize,
    /// The whole body.
    pub total: u64,
    /// What is kept of the body of a failed response; the rest is dropped without an error.
    pub failure: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame: 1 << 20, pending: 1 << 20, total: 64 << 20, failure: 64 << 10 }
    }
}

/// Why a body could not be cut. Frames completed before it are good; nothing follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A frame was complete, but larger than [`Limits::frame`].
    #[error("a frame is larger than {limit} bytes")]
    FrameTooLarge {
        /// The limit that was passed.
        limit: usize,
    },
    /// [`Limits::pending`] bytes arrived without a frame border.
    #[error("no frame border within {limit} bytes")]
    PendingTooLarge {
        /// The limit that was passed.
        limit: usize,
    },
    /// The body is larger than [`Limits::total`].
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit that was passed.
        limit: u64,
    },
    /// The body begins like something that is no UTF-8 text: gzip or UTF-16.
    #[error("the body is not UTF-8 text")]
    Malformed,
}
