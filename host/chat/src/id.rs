//! Names of things. Each kind is a type of its own, so that one cannot be passed for another.

use std::fmt;

/// Declares a text id: an opaque name, never empty, compared byte by byte.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, max $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Longest accepted id in bytes.
            pub const MAX_BYTES: usize = $max;

            /// Takes an id that is not empty, not too long and free of control characters.
            pub fn parse(text: &str) -> Option<Self> {
                let fits = !text.is_empty() && text.len() <= Self::MAX_BYTES;
                (fits && !text.chars().any(char::is_control)).then(|| Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Somebody with a valid token, as the token names them.
    UserId, max 255
);
text_id!(
    /// One durable conversation.
    SessionId, max 128
);
text_id!(
    /// One message or answer. An answer's pieces share one.
    MessageId, max 64
);
text_id!(
    /// What the client calls a message of its own; unique per user for a day.
    ClientMessageId, max 64
);
text_id!(
    /// A model as clients pick it; configuration maps it to a plugin and an upstream name.
    ModelId, max 100
);
text_id!(
    /// One line of the record of what operators did; later ones sort later.
    AuditId, max 64
);

text_id!(
    /// Something that somebody is to be told once.
    NoticeId, max 128
);
text_id!(
    /// What was set aside of some budgets, until it is known what was needed.
    ReservationId, max 64
);

text_id!(
    /// What lets anybody read a session that its owner shared. Nobody can guess it.
    ShareToken, max 64
);

/// Place of an event in its session's log: dense, one more per event, the same for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which life of a session's log a [`Seq`] belongs to. Changes only when a restart may have lost events that were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// A point in a session's log: everything up to and including `seq` was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Position {
    /// Life of the log.
    pub epoch: Epoch,
    /// Last event seen.
    pub seq: Seq,
}

/// Raised by takeover, release and change of owner; every write to the archive is conditional on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fence(pub u64);

/// Milliseconds since the Unix epoch, told by the caller: this crate has no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);
