//! Labels. Each has a bounded set of values: words of ours, or ids of the configuration.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Source {
    /// Id of the provider plugin in the configuration.
    pub(crate) provider: String,
    /// Id of the model in the configuration.
    pub(crate) model: String,
}

/// The plugin alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Provider {
    pub(super) provider: String,
}

/// Any plugin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Named {
    pub(super) plugin: String,
}

/// Any plugin, and how a call of it failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Broken {
    pub(super) plugin: String,
    pub(super) outcome: &'static str,
}

/// Who answered, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Streamed {
    pub(super) provider: String,
    pub(super) outcome: &'static str,
}

/// Who did not answer, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Turned {
    pub(super) provider: String,
    pub(super) reason: &'static str,
}

/// Tokens of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Spent {
    pub(super) provider: String,
    pub(super) model: String,
    /// `input` or `output`.
    pub(super) direction: &'static str,
    /// `true` where the provider did not count and the gateway guessed.
    pub(super) estimated: &'static str,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    /// Template of the route; `other` where there is none.
    pub(super) endpoint: String,
    /// `other` for a method of the client's own.
    pub(super) method: &'static str,
}

/// A policy, by its id in the configuration, and what it was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Asked {
    pub(super) policy: String,
    pub(super) hook: &'static str,
}

/// That, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Judged {
    pub(super) policy: String,
    pub(super) hook: &'static str,
    pub(super) outcome: &'static str,
}

/// A code of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Code {
    pub(super) code: &'static str,
}

/// An operation on the archive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Operated {
    pub(super) operation: &'static str,
}

/// One of the limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Limited {
    pub(super) limiter: Limiter,
}

/// What holds somebody back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limiter {
    /// Connections at a time.
    Connection,
    /// Messages of a user.
    Message,
    /// Requests of an operator.
    Admin,
    /// Requests without a token.
    Public,
    /// Tokens that are refused.
    Failure,
}

impl Limiter {
    /// All of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Connection, Self::Message, Self::Admin, Self::Public, Self::Failure];

    fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Message => "message",
            Self::Admin => "admin",
            Self::Public => "public",
            Self::Failure => "authentication",
        }
    }
}

impl EncodeLabelValue for Limiter {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}
