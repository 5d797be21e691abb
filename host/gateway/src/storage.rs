//! The archive as it is configured: opened, with its keys.

use sluice_archive::{Archive, KeysError, OpenError, StoreError};

use crate::command::Exit;
use crate::fresh;
use crate::settings::{Engine, Storage};

/// Why the archive is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// The file.
    #[error(transparent)]
    Open(OpenError),
    /// The keys.
    #[error(
        "the archive cannot be read; storage.encryption_key or storage.previous_encryption_keys must have what sealed it"
    )]
    Keys(#[source] KeysError),
    /// Sealing it anew stopped. What was done stays done.
    #[error("sealing stopped; begin it again to go on")]
    Reseal(#[source] StoreError),
    /// Opening panicked.
    #[error("the archive could not be opened")]
    Panicked(#[source] tokio::task::JoinError),
}

impl StorageError {
    /// How a process ends that needed the archive.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Keys(KeysError::Missing(_)) => Exit::Configuration,
            Self::Open(_) | Self::Keys(KeysError::Store(_)) | Self::Reseal(_) => Exit::Unavailable,
            Self::Panicked(_) => Exit::Internal,
        }
    }
}

impl Storage {
    /// For a command that must not run beside a gateway: a gateway that is alive keeps a database from it, also when both
    /// are configured alike.
    pub(crate) fn alone(mut self) -> Self {
        if let Engine::MongoDb(database) = &mut self.engine {
            database.instance.clear();
        }
        self
    }
}

/// Opens it, and says once when nothing in it is sealed.
pub(crate) async fn open(storage: Storage) -> Result<Archive, StorageError> {
    let Storage { engine, keys, retention: _ } = storage;
    if keys.current.is_none() {
        tracing::warn!(
            "what is stored is readable to whoever has the disk; storage.encryption_key seals it"
        );
    }
    let archive = match engine {
        Engine::Sqlite(path) => tokio::task::spawn_blocking(move || Archive::open(&path))
            .await
            .map_err(StorageError::Panicked)?,
        Engine::MongoDb(mut database) => {
            if database.instance.is_empty() {
                database.instance = fresh::trace();
            }
            Archive::connect(&database).await
        }
    }
    .map_err(StorageError::Open)?;
    archive.with_keys(keys).await.map_err(StorageError::Keys)
}
