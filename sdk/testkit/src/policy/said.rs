//! What a policy says, in the form that `expect.jsonl` holds.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{chat::Message, event::Failure};

/// What came of one question; a line such as `{"connect":{"verdict":"allow"}}` or `{"shown":{"text":"Hi"}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The policy refused its settings; there is nothing else then.
    Refused(Failure),
    /// Of a connection.
    Connect(Decision),
    /// Of a message.
    Message(MessageDecision),
    /// What is left of what a model said on one channel, in the order in which they began.
    Shown(Shown),
    /// The filter ended the answer, with this instead of the rest.
    Stopped(Denial),
    /// Of an answer that it filtered.
    Filtered(Effect),
    /// Of an administrator's action.
    Admin(Decision),
    /// Of an answer's usage.
    Usage(UsageDecision),
}

/// Yes or no, and what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// What is kept of it.
    #[serde(flatten)]
    pub effect: Effect,
}

/// `"allow"` or `{"deny":{…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No.
    Deny(Denial),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// A short word.
    pub code: String,
    /// What the user reads.
    pub text: String,
    /// When it may go through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

/// What is kept of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Effect {
    /// Labels, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(String, String)>,
    /// The line for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Of a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageDecision {
    /// Yes or no.
    #[serde(flatten)]
    pub decision: Decision,
    /// Changes, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// What it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reserve: Vec<Reservation>,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// The newest user message becomes this.
    ReplaceLast(Message),
    /// Another message becomes this.
    Replace {
        /// Its place, from 0.
        place: u32,
        /// What it becomes.
        message: Message,
    },
    /// A system message in front.
    PrependSystem(String),
    /// Another model.
    Reroute(String),
}

/// Something taken out of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reservation {
    /// Its name.
    pub name: String,
    /// Who shares the limit.
    pub scope: Scope,
    /// How long it counts.
    pub window: Window,
    /// How much.
    pub amount: u64,
    /// Out of how much.
    pub limit: u64,
    /// Why not, where there is not enough left.
    pub otherwise: Denial,
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each user has it alone.
    Principal,
    /// Those of one role.
    Role,
    /// All.
    Everybody,
}

/// How long what was taken counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// So many seconds.
    RollingS(u32),
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

/// What is left of one channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Words of the answer.
    Text(String),
    /// Thought before it.
    Reasoning(String),
    /// Arguments of a tool call.
    ToolArguments {
        /// Slot of the call.
        slot: u32,
        /// All of them.
        text: String,
    },
    /// One citation; as text where it is no JSON any more.
    Citation(Value),
}

/// Of an answer's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageDecision {
    /// What is kept of it.
    #[serde(flatten)]
    pub effect: Effect,
    /// What was really used, by the name of the reservation.
    pub settle: BTreeMap<String, u64>,
}
