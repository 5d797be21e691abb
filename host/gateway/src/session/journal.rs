//! A session's log, shared: written by its session task alone, read by every connection that follows.

use std::sync::{Arc, PoisonError, RwLock};

use sluice_chat::log::Log;

/// Reads a session's log.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<RwLock<Log>>);

impl Journal {
    /// Looks something up. `look` must be short: the session waits for it.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes a session's log. There is one per session, and it cannot be cloned.
#[derive(Debug)]
pub(super) struct Scribe(Arc<RwLock<Log>>);

impl Scribe {
    /// Begins to write this log.
    pub(super) fn new(log: Log) -> Self {
        Self(Arc::new(RwLock::new(log)))
    }

    /// A reader.
    pub(super) fn journal(&self) -> Journal {
        Journal(Arc::clone(&self.0))
    }

    /// Appends.
    pub(super) fn write<T>(&mut self, append: impl FnOnce(&mut Log) -> T) -> T {
        append(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks something up.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
