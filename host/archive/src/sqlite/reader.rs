//! A few connections that only read, each used by one blocking task at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::schema;
use crate::error::StoreError;

/// Reads at the same time; further ones wait their turn.
const READERS: u32 = 3;

/// The read connections. A read sees everything that was acknowledged before it began.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    /// Readers of the archive at `path`. They connect when first needed.
    pub(crate) fn new(path: PathBuf) -> Self {
        let room = Semaphore::new(usize::try_from(READERS).unwrap_or(1));
        Self { path: Arc::new(path), idle: Arc::default(), room: Arc::new(room) }
    }

    /// The file they read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs one read off the runtime.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit =
            Arc::clone(&self.room).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let readers = self.clone();
        spawn_blocking(move || readers.read_now(&permit, work)).await.map_err(|error| {
            // The connection of a read that panicked went with it; the next read opens another.
            StoreError::Damaged { source: Arc::new(error) }
        })?
    }

    /// Waits for the reads that run, then closes the connections. Further reads are refused.
    pub(crate) async fn close(&self) {
        let all = self.room.acquire_many(READERS).await;
        self.room.close();
        drop(all);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn read_now<T>(
        &self,
        _permit: &OwnedSemaphorePermit,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::connect_to_read(&self.path)?,
        };
        let found = work(&connection)?;
        // Only a connection that worked is used again.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(found)
    }
}
