//! What a provider says: the pieces of one answer, and how it ended.
//!
//! Mirrors the interfaces `types` and `chat` of the plugin contract (`sdk/wit`).

use crate::request::{Extra, Reasoning};

/// Tokens and other things billed, cumulative for the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// Of the prompt's tokens, those read from a cache.
    pub cached_input_tokens: Option<u64>,
    /// Of the prompt's tokens, those written to a cache.
    pub cache_write_tokens: Option<u64>,
    /// Of the answer's tokens, those of reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Anything billed that is no token.
    pub other: Vec<Extra>,
}

/// Why a provider stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// It had said everything.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// It wants tools run.
    ToolCalls,
    /// The upstream's filter cut it.
    ContentFilter,
    /// A vendor's own word.
    Other(String),
}

/// A piece of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolDelta {
    /// Slot of the call within this answer.
    pub index: u32,
    /// With the first delta of the slot only.
    pub id: Option<String>,
    /// With the first delta of the slot only.
    pub name: Option<String>,
    /// Fragment of the arguments' JSON text.
    pub arguments: String,
}

/// One thing a provider said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// Text of the answer.
    Text(String),
    /// Thought before it.
    Reasoning(Reasoning),
    /// A piece of a tool call.
    ToolDelta(ToolDelta),
    /// Usage so far; replaces what was said before.
    Usage(Usage),
    /// An id of the upstream's worth keeping, by name.
    UpstreamId {
        /// What it identifies: `request`.
        name: String,
        /// The id.
        value: String,
    },
    /// How it ended.
    Finish(FinishReason),
    /// Anything else.
    Other(Extra),
}

impl ChatEvent {
    /// Whether people are shown it as it comes: from then on it cannot be taken back. Usage and the end come with the end, and ids
    /// and notices are of that answer, whoever gives it.
    pub fn is_shown(&self) -> bool {
        match self {
            Self::Text(_) | Self::Reasoning(_) | Self::ToolDelta(_) => true,
            Self::Usage(_) | Self::UpstreamId { .. } | Self::Finish(_) | Self::Other(_) => false,
        }
    }
}

/// What went wrong, in words that every vendor's errors map to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The upstream did not understand the request.
    InvalidRequest,
    /// The credential is wrong.
    Authentication,
    /// The credential may not do this.
    Permission,
    /// No such model or route.
    NotFound,
    /// Too many requests.
    RateLimited,
    /// Quota or money used up.
    QuotaExhausted,
    /// The conversation does not fit the model.
    ContextTooLong,
    /// Refused on policy grounds.
    ContentBlocked,
    /// Try later.
    Overloaded,
    /// Took too long.
    Timeout,
    /// Not readable, or stopped before its end.
    Protocol,
    /// Not to be had from this provider.
    Unsupported,
    /// Stopped on request.
    Cancelled,
    /// None of the above.
    Other,
}

impl ErrorKind {
    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ContextTooLong => "context_too_long",
            Self::ContentBlocked => "content_blocked",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }
}

/// Whether and when another try may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryHint {
    /// It will not.
    Never,
    /// After so many milliseconds.
    AfterMs(u32),
    /// With another credential.
    OtherCredential,
}

/// A provider's failure, as its plugin told it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provider failed: {kind:?}{}", status.map(|code| format!(", upstream status {code}")).unwrap_or_default())]
pub struct ProviderError {
    /// Sort of failure.
    pub kind: ErrorKind,
    /// For operators' logs only.
    pub detail: Option<String>,
    /// Upstream status code, when there was one.
    pub status: Option<u16>,
    /// Whether another try may help.
    pub retry: RetryHint,
}
