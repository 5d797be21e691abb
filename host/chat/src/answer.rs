//! One answer: how it may end and what it cost.

/// How an answer ended. The wire and the archive know it by [`Ending::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The model had said everything.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The model wants tools run.
    ToolCalls,
    /// The upstream's filter cut it.
    ContentFilter,
    /// The upstream ended it in order, for a reason of its own.
    Other,
    /// The user stopped it.
    Cancelled,
    /// An operator took the session over.
    Takeover,
    /// The gateway went down meanwhile.
    Interrupted,
    /// The upstream was cut, stalled or failed.
    Error,
}

impl Ending {
    /// Every way to end.
    pub const ALL: [Self; 9] = [
        Self::Stop,
        Self::Length,
        Self::ToolCalls,
        Self::ContentFilter,
        Self::Other,
        Self::Cancelled,
        Self::Takeover,
        Self::Interrupted,
        Self::Error,
    ];

    /// The word on the wire and in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
            Self::Cancelled => "cancelled",
            Self::Takeover => "takeover",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
        }
    }

    /// The ending of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == word)
    }
}

/// What an answer cost in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// Whether the gateway guessed because the provider said nothing.
    pub estimated: bool,
}

impl Tokens {
    /// Prompt and answer together.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
