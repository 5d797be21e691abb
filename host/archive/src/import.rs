//! Conversations that another program kept, as they are put into an archive.
//!
//! Every row has an id that follows from where it was, so whatever is there already is passed over
//! and a run that was cut off may be made again.

use sluice_chat::id::{Instant, MessageId, ModelId, Seq, SessionId, ShareToken, UserId};
use sluice_chat::turn::{Mode, Sender};

use crate::message::Metadata;

/// Most bytes of one message as it is stored, text and metadata together: with the rest of its row
/// it still fits into one document of a MongoDB, whichever engine keeps it.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024 - 4 * 1024;

/// A conversation of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub owner: UserId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The model last picked.
    pub model: Option<ModelId>,
    /// Who answers.
    pub mode: Mode,
    /// When it began.
    pub created: Instant,
    /// When something was last said in it.
    pub last_activity: Instant,
    /// When it was ended. Not before it began.
    pub ended: Option<Instant>,
    /// Whether an operator ever answered in it.
    pub assisted: bool,
    /// What all its answers cost, as far as anybody counted.
    pub tokens: u64,
    /// How long its answers took on average, in milliseconds; zero where nobody measured.
    pub average_ms: u64,
    /// How long the slowest took.
    pub slowest_ms: u64,
    /// What anybody can read it by.
    pub share: Option<ShareToken>,
    /// What was said, in order. Places may be missing, none is there twice.
    pub messages: Vec<PastMessage>,
}

/// Something that was said in a [`Conversation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMessage {
    /// Its id: the same however often it is read.
    pub id: MessageId,
    /// Its place.
    pub seq: Seq,
    /// Who says it.
    pub sender: Sender,
    /// What is said.
    pub text: String,
    /// When.
    pub at: Instant,
    /// Of an answer, the message before it.
    pub in_reply_to: Option<MessageId>,
    /// What goes with it.
    pub metadata: Metadata,
}

impl Conversation {
    /// Its last place.
    pub(crate) fn head(&self) -> Seq {
        self.messages.last().map_or(Seq(0), |message| message.seq)
    }

    /// Answers whose time counts, which are all where somebody measured, and how long they took together.
    pub(crate) fn measured(&self) -> (u64, u64) {
        let answers = self.messages.iter().filter(|message| message.sender == Sender::Ai);
        let answers = if self.average_ms == 0 { 0 } else { answers.count() as u64 };
        (answers, answers.saturating_mul(self.average_ms))
    }
}

/// What became of a [`Conversation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It is in the archive now.
    New {
        /// Messages that were added; those of a run that was cut off were there before.
        added: u64,
    },
    /// It was in the archive.
    Known {
        /// Messages that were added.
        added: u64,
        /// Messages whose place is taken by what was said here since. They are not added.
        displaced: u64,
    },
    /// It was in the archive and was deleted. It stays so.
    Deleted,
    /// Its id is that of somebody else's session. Nothing is changed.
    Foreign,
}

/// A [`Conversation`] that was put into an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What became of it.
    pub became: Became,
    /// Places of messages that no row can hold.
    pub too_large: Vec<Seq>,
}
