//! Everything that can happen to a session's turn.

use std::sync::Arc;

use super::speaker::Speaker;
use super::tenure::Operator;
use crate::answer::Ending;
use crate::event::ErrorKind;
use crate::id::{ClientMessageId, Fence, MessageId, ModelId};
use crate::policy::Caller;

/// One of the connections of this process. Never reused while the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Who asks for something, and is told how it fared: over the connection it came over, by the name the client gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Who, as the connection knew them when they asked.
    pub caller: Arc<Caller>,
    /// Connection to tell.
    pub connection: ConnectionId,
    /// The client's own name for the message.
    pub client: Option<ClientMessageId>,
}

/// A message on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    /// Over which connection it came.
    pub asker: Asker,
    /// Who said it.
    pub speaker: Speaker,
    /// The text.
    pub content: String,
    /// Model asked for; none means the session's.
    pub model: Option<ModelId>,
    /// What [`Asker::client`] stands for; the same name with another digest is a conflict.
    pub digest: [u8; 32],
}

impl Say {
    /// Whether this is the other message under the client's own name for it.
    pub(super) fn is_again(&self, other: &Self) -> bool {
        self.asker.client.is_some() && self.asker.client == other.asker.client
    }
}

/// A message that is stored and the answer that is due to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The user's message.
    pub message: MessageId,
    /// The answer to come.
    pub answer: MessageId,
    /// Model that answers.
    pub model: ModelId,
}

/// Why nothing, or not all, came of a message. The edge maps each to one wire code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Too many messages wait already.
    Busy,
    /// The user stopped it.
    Cancelled,
    /// Another message goes by the same client name.
    Conflict,
    /// No such model, or not for this user.
    InvalidModel,
    /// Nothing was said yet that could be answered again.
    NothingToAnswer,
    /// A policy said no.
    Denied {
        /// Text for the user, at most 512 bytes.
        detail: Option<String>,
        /// When it may go through.
        retry_after_ms: Option<u64>,
    },
    /// The archive could not store it now.
    NotStored,
    /// The session is deleted, or belongs to somebody else by now.
    Closed,
    /// Only whoever answers may do that: the model's answers while it answers, the operator who holds the session meanwhile.
    NotYours,
    /// The provider failed.
    Failed(ErrorKind),
    /// The gateway itself failed.
    Internal,
}

/// What the archive made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is stored and due an answer.
    Stored(Question),
    /// It was stored before, here or in another session; the acknowledgement was sent again.
    Already,
    /// It is not stored.
    Refused(Refusal),
}

/// How asking ended, as the provider and the gateway saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How the answer ends.
    pub ending: Ending,
    /// Why, when it failed.
    pub failure: Option<ErrorKind>,
}

/// Everything that can happen to a session's turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The user says something.
    Say(Say),
    /// The user wants the last message answered again.
    Regenerate(Asker),
    /// The user wants the answer stopped: this one, or whichever runs.
    Cancel {
        /// Who is told when that cannot be.
        asker: Asker,
        /// The answer meant, or its question.
        which: Option<MessageId>,
    },
    /// The session is deleted: end what runs, drop what waits.
    Abandon,
    /// An operator wants to answer instead of the model.
    TakeOver(Operator),
    /// The archive is through with the claim: the fence from now on, or why not.
    Claimed(Result<Fence, Refusal>),
    /// The operator gives the session back to the model, or is taken to.
    Release,
    /// The archive is through with the release.
    Released(Result<Fence, Refusal>),
    /// Policies and model check are through.
    Screened(Result<Say, Refusal>),
    /// The archive is through with the message.
    Saved(Saved),
    /// The session found what to answer again, or nothing.
    Recalled(Result<Question, Refusal>),
    /// The provider said something: text to show, may be empty.
    Said(String),
    /// The provider is through.
    Ended(Outcome),
    /// The archive is through with the answer.
    Committed {
        /// Whether it is stored.
        stored: bool,
    },
    /// The process goes down: end what runs, drop what waits.
    Drain,
}
