//! What a policy's case is put to: a policy natively, or a component in a sandbox.

use std::error::Error;

use super::case::PolicyCase;
use super::said::{Decision, Denial, Effect, MessageDecision, UsageDecision};
use crate::event::Failure;

/// Why a policy said nothing.
#[derive(Debug)]
pub enum Stopped {
    /// It refused its settings.
    Refused(Failure),
    /// It does not have the hook.
    Missing(&'static str),
    /// It crashed, or whatever else no gateway puts up with.
    Fault(Box<dyn Error + Send + Sync>),
}

/// A policy that can be asked. Each question is put to a fresh instance; of the case only what the question is about is looked at.
pub trait Judging {
    /// A filter at work.
    type Filter: Filtering;

    /// Asks about a connection.
    fn connect(&self, case: &PolicyCase) -> Result<Decision, Stopped>;

    /// Asks about the message.
    fn message(&self, case: &PolicyCase) -> Result<MessageDecision, Stopped>;

    /// A fresh filter.
    fn filter(&self, case: &PolicyCase) -> Result<Self::Filter, Stopped>;

    /// Asks about the action.
    fn admin(&self, case: &PolicyCase) -> Result<Decision, Stopped>;

    /// Tells how the answer went.
    fn usage(&self, case: &PolicyCase) -> Result<UsageDecision, Stopped>;
}

/// A filter at work.
pub trait Filtering {
    /// Asks about what was held back and what is new of one channel.
    fn check(&mut self, channel: Channel, chunk: &str, last: bool) -> Result<Judged, Stopped>;

    /// After the answer.
    fn finish(self) -> Result<Effect, Stopped>;
}

/// In which way a model says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Words of the answer.
    Text,
    /// Thought before it.
    Reasoning,
    /// Arguments of the tool call in this slot.
    ToolArguments(u32),
    /// A citation, whole.
    Citation,
}

/// What a filter says of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What becomes of it.
    pub verdict: OutputVerdict,
    /// So many bytes at its end are held back.
    pub hold: u32,
}

/// What becomes of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputVerdict {
    /// It stays as it is.
    Pass,
    /// These parts are replaced.
    Redact(Vec<Span>),
    /// The answer ends here.
    Stop(Denial),
}

/// A part of a chunk that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// First byte of it.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
    /// By this.
    pub replacement: String,
}
