//! What policies are told, and what they say: facts in, verdicts out.
//!
//! Mirrors the interfaces `policy-types` and `on-…` of the plugin contract (`sdk/wit`).

use std::sync::Arc;

use crate::event::Usage;
use crate::exchange::Field;
use crate::id::Instant;
use crate::request::{Json, Message};

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Principal {
    /// Id of the user.
    pub id: String,
    /// Name, empty if none is known.
    pub name: String,
    /// Roles, as the token has them.
    pub roles: Vec<String>,
    /// What more is known.
    pub attributes: Vec<Field>,
}

/// Who does something, and from where: as much as a connection or a call knows of its user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// From which address; may be empty.
    pub address: String,
}

/// Who does something, where and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// Who, and from where.
    pub caller: Arc<Caller>,
    /// In which session.
    pub session: Option<String>,
    /// With which model, by its public id.
    pub model: Option<String>,
    /// When.
    pub now: Instant,
    /// What earlier policies of the chain said of this very call, oldest first.
    pub labels: Vec<Field>,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// A short word for logs and metrics.
    pub code: String,
    /// Text for the user: at most 512 bytes, no control characters.
    pub text: String,
    /// When it may go through, in seconds.
    pub retry_after_s: Option<u32>,
}

/// What a policy wants kept of its decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// For the audit log and for later policies of the chain.
    pub labels: Vec<Field>,
    /// A line for the audit log: at most 512 bytes, no control characters.
    pub text: Option<String>,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// None is yes.
    pub denial: Option<Denial>,
    /// What is kept of it.
    pub note: Note,
}

/// What a policy wants of a message changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The newest user message becomes this.
    ReplaceLast(Message),
    /// The message at this place of what the policy was asked about becomes this.
    Replace(u32, Message),
    /// A system message in front, for the provider only.
    PrependSystem(String),
    /// Another model, by its public id.
    Reroute(String),
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Each user has it alone.
    Principal,
    /// Those with the same role; with several roles, the first.
    Role,
    /// All.
    Everybody,
}

/// How long what was taken out of a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// So many seconds.
    RollingSeconds(u32),
    /// Until the day is over, in UTC.
    Day,
    /// Until the month is over, in UTC.
    Month,
}

/// Something to be taken out of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The policy's own name for the limit.
    pub name: String,
    /// Who shares the limit.
    pub scope: Scope,
    /// How long what was taken counts.
    pub window: Window,
    /// How much.
    pub amount: u64,
    /// Out of how much.
    pub limit: u64,
    /// Why not, where there is not enough left.
    pub otherwise: Denial,
}

/// What a policy says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDecision {
    /// Yes or no.
    pub decision: Decision,
    /// Changes, in order.
    pub edits: Vec<Edit>,
    /// What it takes.
    pub reserve: Vec<Reservation>,
}

/// What an administrator is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAction {
    /// Which action.
    pub name: String,
    /// On what.
    pub target: Option<String>,
    /// With what: a JSON object.
    pub arguments: Json,
}

/// How an answer went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it took.
    pub usage: Usage,
    /// Whether that is a guess.
    pub estimated: bool,
    /// What it cost, in millionths.
    pub cost_micros: Option<u64>,
    /// How long it took.
    pub duration_ms: u32,
    /// How long it took to begin.
    pub first_piece_ms: Option<u32>,
    /// How it ended, as [`Ending::as_str`](crate::answer::Ending::as_str).
    pub ended: &'static str,
}

/// What was really used of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The name it was reserved under.
    pub name: String,
    /// How much.
    pub actual: u64,
}

/// What a policy says of an answer's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDecision {
    /// What is kept of it.
    pub note: Note,
    /// What was really used.
    pub settle: Vec<Settlement>,
}

/// In which way a model says something. Each is a text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// The answer's text.
    Text,
    /// What was thought before it.
    Reasoning,
    /// Arguments of the tool call in this slot.
    ToolArguments(u32),
    /// JSON text beside its words, each one whole.
    Citation,
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

/// What becomes of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputVerdict {
    /// It stays as it is.
    Pass,
    /// These parts are replaced. As the policy said it: order and borders are not checked.
    Redact(Vec<Span>),
    /// The answer ends here, with this instead of the rest.
    Stop(Denial),
}

/// What a policy says of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What becomes of it.
    pub verdict: OutputVerdict,
    /// So many bytes at its end are held back.
    pub hold: u32,
}
