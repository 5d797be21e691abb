//! What a reader of a log gets: events, alone or merged, and those whose text has to be fetched first.

use std::ops::Range;
use std::sync::Arc;

use crate::answer::Ending;
use crate::bill::Bill;
use crate::id::{Instant, MessageId, ModelId, Seq};
use crate::turn::{ConnectionId, Mode, Operator, Sender};

/// A message somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub message: MessageId,
    /// Who wrote it.
    pub sender: Sender,
    /// The text.
    pub content: String,
    /// When it was stored.
    pub at: Instant,
    /// Connection it came over, which need not be told.
    pub origin: Option<ConnectionId>,
}

/// The answer that pieces belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// Its id.
    pub answer: MessageId,
    /// The message it answers.
    pub in_reply_to: MessageId,
    /// Model that answers.
    pub model: ModelId,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerEnd {
    /// How.
    pub ending: Ending,
    /// At what cost.
    pub bill: Bill,
}

/// Something that happened, as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wrote.
    Written(Arc<Written>),
    /// An answer begins.
    Loading(Arc<AnswerHead>),
    /// More of an answer, its end, or both.
    Piece {
        /// Which answer.
        head: Arc<AnswerHead>,
        /// Bytes of the answer before this.
        offset: usize,
        /// Text.
        text: String,
        /// Set on the last piece.
        end: Option<AnswerEnd>,
    },
    /// Another model answers from here on.
    Model(ModelId),
    /// The session is called otherwise from here on.
    Name(Arc<str>),
    /// Who answers changed: help was asked for.
    Mode(Mode),
    /// An operator answers from here on.
    Joined(Operator),
    /// The operator left; the model answers again.
    Left(Operator),
}

/// One or more events that are handed out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// First event covered.
    pub first: Seq,
    /// Last event covered; equal to `first` unless pieces were merged.
    pub last: Seq,
    /// When the last of them happened.
    pub at: Instant,
    /// What happened.
    pub event: Event,
}

/// What comes next for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is all there.
    Ready(Delivery),
    /// Its text is in the archive only.
    Stored(Recall),
}

impl Next {
    /// Last event covered.
    pub fn last(&self) -> Seq {
        match self {
            Self::Ready(delivery) => delivery.last,
            Self::Stored(recall) => recall.last,
        }
    }
}

/// A delivery without its text: the log knows what happened, the archive what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// First event covered.
    pub first: Seq,
    /// Last event covered.
    pub last: Seq,
    /// When the last of them happened.
    pub at: Instant,
    /// Where the archive has the text: the place of the message, or of the answer's beginning.
    pub place: Seq,
    /// What of it is wanted.
    pub(super) wanted: Wanted,
}

/// What of a stored text is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Written { message: MessageId, sender: Sender, origin: Option<ConnectionId>, at: Instant },
    /// Some bytes of an answer.
    Piece { head: Arc<AnswerHead>, bytes: Range<usize>, end: Option<AnswerEnd> },
}

impl Recall {
    /// The message or answer whose text is needed.
    pub fn message(&self) -> &MessageId {
        match &self.wanted {
            Wanted::Written { message, .. } => message,
            Wanted::Piece { head, .. } => &head.answer,
        }
    }

    /// Puts the text in. None when it is not the text that was shown: shorter, or cut elsewhere.
    pub fn with(self, text: &str) -> Option<Delivery> {
        let Self { first, last, at, place: _, wanted } = self;
        let event = match wanted {
            Wanted::Written { message, sender, origin, at } => {
                let content = text.to_owned();
                Event::Written(Arc::new(Written { message, sender, content, at, origin }))
            }
            Wanted::Piece { head, bytes, end } => {
                let (offset, text) = (bytes.start, text.get(bytes)?.to_owned());
                Event::Piece { head, offset, text, end }
            }
        };
        Some(Delivery { first, last, at, event })
    }
}
