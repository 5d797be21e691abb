//! Messages and answers, going in and coming out.

use std::collections::BTreeMap;

use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::bill::Bill;
use sluice_chat::id::{
    ClientMessageId, Epoch, Fence, Instant, MessageId, ModelId, Seq, SessionId, UserId,
};
use sluice_chat::turn::Sender;

/// How long a client message id stands for one message: 24 hours.
pub const IDEMPOTENCY_WINDOW_MS: u64 = 24 * 60 * 60 * 1_000;

/// Most rows one read returns, whatever it asks for.
pub const MAX_PAGE: usize = 1_000;

/// Names and values that go with a message, carried and never read here.
pub type Metadata = BTreeMap<String, String>;

/// Hash of what a client message id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

/// What makes a message the same message when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// Who wrote it; ids are unique per user.
    pub user: UserId,
    /// What the client calls it.
    pub id: ClientMessageId,
    /// What it stands for.
    pub digest: Digest,
}

/// A message to be stored. Its session is made if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Session it belongs to.
    pub session: SessionId,
    /// The session's owner, whoever writes.
    pub owner: UserId,
    /// The session's fence as the writer knows it; zero for a session that is not there yet.
    pub fence: Fence,
    /// The session's epoch; counts for a new session only.
    pub epoch: Epoch,
    /// Numbers up to this one are the writer's; see [`Archive::reserve`](crate::Archive::reserve).
    pub reserve_to: Seq,
    /// Becomes the session's model, when given.
    pub model: Option<ModelId>,
    /// Becomes the session's name, unless it has one.
    pub name: Option<String>,
    /// Place in the log.
    pub seq: Seq,
    /// Its id.
    pub id: MessageId,
    /// Who says it.
    pub sender: Sender,
    /// What is said.
    pub text: String,
    /// When.
    pub at: Instant,
    /// How a retry is told from a new message, where the client gave it an id.
    pub client: Option<ClientKey>,
    /// What goes with it.
    pub metadata: Metadata,
}

/// A message stored earlier under a client message id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub message_id: MessageId,
    /// Session it went to.
    pub session: SessionId,
    /// Its place.
    pub seq: Seq,
    /// The session's epoch then.
    pub epoch: Epoch,
    /// What it stands for.
    pub digest: Digest,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// Stored.
    Stored,
    /// It had been stored before; nothing was changed.
    Already(Known),
}

/// An answer as far as it got. Stored whole each time, by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Session it belongs to.
    pub session: SessionId,
    /// The session's fence as the writer knows it.
    pub fence: Fence,
    /// Its id.
    pub id: MessageId,
    /// The message it answers.
    pub in_reply_to: MessageId,
    /// Its first event: its place in the log. Never changes.
    pub first_seq: Seq,
    /// Its last event so far.
    pub last_seq: Seq,
    /// Who answers.
    pub model: Option<ModelId>,
    /// What was said so far.
    pub text: String,
    /// What the upstream calls the request.
    pub upstream_request_id: Option<String>,
    /// When it was asked for.
    pub started: Instant,
    /// When its first piece came.
    pub first_piece: Option<Instant>,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How.
    pub ending: Ending,
    /// What it cost, where anybody knows.
    pub bill: Option<Bill>,
    /// When.
    pub at: Instant,
}

/// A message or an answer as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its id.
    pub id: MessageId,
    /// Session it belongs to.
    pub session: SessionId,
    /// Its place in the log; of an answer, its first event.
    pub seq: Seq,
    /// Of an answer, its last event; else the same.
    pub last_seq: Seq,
    /// Who says it.
    pub sender: Sender,
    /// What is said.
    pub text: String,
    /// When; of an answer, when it was asked for.
    pub at: Instant,
    /// Of an answer, who answered; else the model asked.
    pub model: Option<ModelId>,
    /// Of an answer, the message it answers.
    pub in_reply_to: Option<MessageId>,
    /// Of an answer, how it ended; none while it runs.
    pub ending: Option<Ending>,
    /// Of an answer, what it cost.
    pub tokens: Option<Tokens>,
    /// What the client called it.
    pub client_message_id: Option<ClientMessageId>,
    /// Of an answer, what the upstream calls the request.
    pub upstream_request_id: Option<String>,
    /// Of an answer, when its first piece came.
    pub first_piece: Option<Instant>,
    /// Of an answer, when it ended.
    pub ended: Option<Instant>,
    /// What goes with it.
    pub metadata: Metadata,
}

/// Metadata as it is stored: a JSON object, or nothing.
pub(crate) fn metadata_text(metadata: &Metadata) -> Option<String> {
    let pairs = metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
    let object: serde_json::Map<_, _> = pairs.collect();
    (!object.is_empty()).then(|| serde_json::Value::Object(object).to_string())
}

/// The way back from [`metadata_text`].
pub(crate) fn metadata_from(text: &str) -> serde_json::Result<Metadata> {
    serde_json::from_str(text)
}
