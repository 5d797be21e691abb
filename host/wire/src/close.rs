//! Why a socket was closed, as a number that tells the client what to do next.

/// Close codes of ours; those of RFC 6455 keep their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// Nothing more to say.
    Normal = 1000,
    /// The gateway goes down; resume elsewhere or later.
    GoingAway = 1001,
    /// Not the WebSocket protocol.
    Protocol = 1002,
    /// A frame of a kind that is not taken (binary).
    Unsupported = 1003,
    /// A text that is not UTF-8.
    NotUtf8 = 1007,
    /// A frame over `limits.max_message_size`.
    TooLarge = 1009,
    /// The gateway failed.
    Internal = 1011,
    /// No room for more; resume with backoff.
    Overloaded = 4100,
    /// Too many frames; resume with backoff.
    RateLimited = 4101,
    /// No progress in reading; resume with backoff.
    SlowConsumer = 4102,
    /// No sign of life; resume with backoff.
    HeartbeatLost = 4103,
    /// The token ran out: authenticate, then resume.
    TokenExpired = 4401,
    /// Not allowed; do not reconnect with this token.
    Forbidden = 4403,
    /// The session is deleted or taken; do not reconnect.
    Superseded = 4409,
}

impl CloseCode {
    /// The number on the wire.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// A short text for people who read traces; under 123 bytes, as RFC 6455 wants.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Normal => "bye",
            Self::GoingAway => "going away, resume elsewhere",
            Self::Protocol => "not the websocket protocol",
            Self::NotUtf8 => "not utf-8",
            Self::Unsupported => "text frames only",
            Self::TooLarge => "message too large",
            Self::Internal => "internal error",
            Self::Overloaded => "overloaded, resume later",
            Self::RateLimited => "too many frames, resume later",
            Self::SlowConsumer => "reading too slowly, resume",
            Self::HeartbeatLost => "no sign of life, resume",
            Self::TokenExpired => "token expired, authenticate and resume",
            Self::Forbidden => "forbidden",
            Self::Superseded => "session is gone",
        }
    }
}
