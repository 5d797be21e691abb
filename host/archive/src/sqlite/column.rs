//! How the words of the domain stand in columns. Reading checks them: what does not parse is
//! damage, never a default.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use sluice_chat::answer::Ending;
use sluice_chat::id::{ClientMessageId, MessageId, ModelId, SessionId, UserId};
use sluice_chat::turn::{Mode, Sender};

/// A number that columns hold as a signed one.
pub(crate) struct Unsigned(pub(crate) u64);

impl ToSql for Unsigned {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let signed = i64::try_from(self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(signed.into())
    }
}

impl FromSql for Unsigned {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let signed = value.as_i64()?;
        u64::try_from(signed).map(Self).map_err(|_| FromSqlError::OutOfRange(signed))
    }
}

/// Something that columns hold as text of a known form.
pub(crate) trait Worded: Sized {
    fn word(&self) -> &str;
    fn of(word: &str) -> Option<Self>;
}

/// A [`Worded`] on its way into or out of a column.
pub(crate) struct Word<T>(pub(crate) T);

impl<T: Worded> ToSql for Word<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.word().into())
    }
}

impl<T: Worded> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::of(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
    }
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

worded_ids!(UserId, SessionId, MessageId, ClientMessageId, ModelId);

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
