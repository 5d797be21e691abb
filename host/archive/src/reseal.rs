//! Sealing a whole archive once more, under today's key: in batches, so that it may be cut off
//! anywhere and begun again, and whatever is done already is passed over.

use crate::error::StoreError;
use crate::mark::Mark;
use crate::seal::SealError;

/// Rows in one batch, which is one transaction.
pub(crate) const BATCH: u64 = 500;

/// What one batch did.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Rows it read.
    pub(crate) looked_at: u64,
    /// Rows it wrote.
    pub(crate) changed: u64,
    /// Rows it could not open, which stay as they were.
    pub(crate) unreadable: u64,
    /// Where the next one begins, if there is one.
    pub(crate) next: Option<Mark>,
}

impl Batch {
    /// Notes a row that could not be sealed; fails where the next one would fail likewise.
    pub(crate) fn failed(&mut self, error: SealError) -> Result<(), StoreError> {
        match error {
            SealError::UnknownKey(_) | SealError::Forged => {
                self.unreadable += 1;
                Ok(())
            }
            SealError::NoRandomness => Err(error.into()),
        }
    }
}

/// How far it got, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resealed {
    /// Rows there were at the beginning.
    pub total: u64,
    /// Rows looked at so far.
    pub looked_at: u64,
    /// Of those, written anew.
    pub changed: u64,
    /// Of those, not to be opened with any of the keys; they stay as they are.
    pub unreadable: u64,
    /// Whether nothing of what was there before is left in the file. False until the end.
    pub compacted: bool,
}

impl Resealed {
    /// Adds one batch.
    pub(crate) fn add(&mut self, batch: &Batch) {
        self.looked_at += batch.looked_at;
        self.changed += batch.changed;
        self.unreadable += batch.unreadable;
    }
}
