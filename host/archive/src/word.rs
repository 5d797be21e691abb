//! How the words of the domain are written in a store. Reading checks them: what does not parse is
//! damage, never a default.

use sluice_chat::answer::Ending;
use sluice_chat::id::{
    AuditId, ClientMessageId, MessageId, ModelId, NoticeId, ReservationId, SessionId, ShareToken,
    UserId,
};
use sluice_chat::turn::{Mode, Sender};

use crate::seal::KeyId;

/// Something that is stored as text of a known form.
pub(crate) trait Worded: Sized {
    fn word(&self) -> &str;
    fn of(word: &str) -> Option<Self>;
}

macro_rules! worded_ids {
    ($($id:ident),*) => {$(
        impl Worded for $id {
            fn word(&self) -> &str {
                self.as_str()
            }

            fn of(word: &str) -> Option<Self> {
                Self::parse(word)
            }
        }
    )*};
}

worded_ids!(
    AuditId,
    UserId,
    SessionId,
    MessageId,
    ClientMessageId,
    ModelId,
    NoticeId,
    ReservationId,
    KeyId,
    ShareToken
);

impl Worded for Ending {
    fn word(&self) -> &str {
        self.as_str()
    }

    fn of(word: &str) -> Option<Self> {
        Self::parse(word)
    }
}

impl Worded for Mode {
    fn word(&self) -> &str {
        match self {
            Self::Bot => "bot",
            Self::Waiting => "waiting",
            Self::Operator => "operator",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Bot, Self::Waiting, Self::Operator].into_iter().find(|mode| mode.word() == word)
    }
}

impl Worded for Sender {
    fn word(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Ai => "ai",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::User, Self::Ai, Self::Admin, Self::System]
            .into_iter()
            .find(|sender| sender.word() == word)
    }
}
