//! What can go wrong, one enum per kind of operation. No words of the database's own: its text is
//! in the source chain, for logs.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::seal::{KeyId, SealError};

/// A cause, shared because one failed commit fails everything that was in it.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why an archive could not be opened. The file, if there was one, is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, has it open.
    #[error("the archive at {} is in use by another process", path.display())]
    InUse {
        /// The archive's file.
        path: PathBuf,
    },
    /// The folder, the file or its lock could not be made or opened.
    #[error("the archive at {} cannot be opened", path.display())]
    Unavailable {
        /// The archive's file.
        path: PathBuf,
        /// What the system said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is something else, or broken.
    #[error("the file at {} is not an archive of this program, or is damaged", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
        /// What gave it away, where something did.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// Written by a newer version of this program, which may mean things this one does not know.
    #[error("the archive at {} has layout {found}, this version knows up to {known}", path.display())]
    Newer {
        /// The archive's file.
        path: PathBuf,
        /// Its layout.
        found: u32,
        /// Newest layout known here.
        known: u32,
    },
    /// The address of the database is none. What is wrong with it is not said: it may hold a
    /// password.
    #[error("the address of the database {database} is not one of a MongoDB")]
    NoAddress {
        /// The database's name.
        database: String,
    },
    /// Another gateway has the database, and is alive.
    #[error("the database {database} is in use by another gateway")]
    DatabaseInUse {
        /// The database's name.
        database: String,
    },
    /// The database did not answer in time, or refuses us.
    #[error("the database {database} cannot be opened")]
    DatabaseUnavailable {
        /// The database's name.
        database: String,
        /// What the driver said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Written by a newer version of this program, which may mean things this one does not know.
    #[error("the database {database} has layout {found}, this version knows up to {known}")]
    DatabaseNewer {
        /// The database's name.
        database: String,
        /// Its layout.
        found: u32,
        /// Newest layout known here.
        known: u32,
    },
}

/// Why the storage did not do it. Whatever was asked for is not stored, but for
/// [`StoreError::Uncertain`], and unless the caller was itself cut off before it heard.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// [`Archive::close`](crate::Archive::close) was called.
    #[error("the archive is closed")]
    Closed,
    /// Disk full, read-only or failing. The same again may work later.
    #[error("the archive cannot store or read at the moment")]
    Unavailable {
        /// What the database said.
        source: Cause,
    },
    /// The database failed while it committed: what was asked for is stored, or will be, or not. The
    /// same again may work later. Places that it wanted may be taken.
    #[error("the archive cannot say whether it stored")]
    Uncertain {
        /// What the database said.
        source: Cause,
    },
    /// What is stored cannot be read.
    #[error("the archive is damaged")]
    Damaged {
        /// What the database said.
        source: Cause,
    },
    /// Sealed under a key that is not configured, or changed since it was sealed.
    #[error("what is stored cannot be opened with the configured keys")]
    Sealed {
        /// Which.
        #[from]
        source: SealError,
    },
    /// It contradicts what is stored: a place taken, an id used twice, a number beyond bounds.
    #[error("the archive refused a row that contradicts what is stored")]
    Rejected {
        /// What the database said.
        source: Cause,
    },
}

impl StoreError {
    /// Whether the same again may work later without anybody changing the request.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Uncertain { .. }
            | Self::Sealed { source: SealError::NoRandomness } => true,
            Self::Closed | Self::Damaged { .. } | Self::Sealed { .. } | Self::Rejected { .. } => {
                false
            }
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let unreadable = matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            || matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            );
        let contradicts = match code {
            Some(code) => matches!(
                code,
                ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch
            ),
            None => !unreadable,
        };
        let source: Cause = Arc::new(error);
        if unreadable {
            Self::Damaged { source }
        } else if contradicts {
            Self::Rejected { source }
        } else {
            Self::Unavailable { source }
        }
    }
}

/// Why an archive was not opened with the keys it was given.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Something in it is sealed under keys that are not among them.
    #[error("the archive is sealed under keys that are not configured: {}", listed(.0))]
    Missing(Vec<KeyId>),
    /// The storage failed.
    #[error("the archive's keys could not be looked at")]
    Store(#[from] StoreError),
}

fn listed(keys: &[KeyId]) -> String {
    keys.iter().map(KeyId::as_str).collect::<Vec<_>>().join(", ")
}

/// Why a message was not stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The client used this id for something else within the window.
    #[error("the client message id stands for another message")]
    Conflict,
    /// Somebody else owns the session's writes now.
    #[error("the session's fence has moved on")]
    Fenced,
    /// The session is another user's.
    #[error("the session belongs to somebody else")]
    NotOwner,
    /// The session was deleted.
    #[error("the session is deleted")]
    Gone,
    /// The storage failed.
    #[error("the message could not be stored")]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for crate::reservation::ReserveError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<SealError> for AppendError {
    fn from(error: SealError) -> Self {
        Self::Store(error.into())
    }
}

impl From<SealError> for ChangeError {
    fn from(error: SealError) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for AppendError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Why a session, or an answer in it, was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Somebody else owns the session's writes now.
    #[error("the session's fence has moved on")]
    Fenced,
    /// The session is deleted, or never was.
    #[error("there is no such session")]
    Gone,
    /// The storage failed.
    #[error("the change could not be stored")]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ChangeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}
