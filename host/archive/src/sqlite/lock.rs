//! One process per archive: a lock file beside it, held as long as the archive is open. The system
//! lets go of it when the process dies, however it dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The right to open an archive. Given back by being dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    // The database's own file is no place for the lock: closing any handle of it would drop the
    // locks that the database holds on it.
    _file: File,
}

/// Why there is no [`Lock`].
pub(crate) enum LockError {
    Held,
    Unavailable(io::Error),
}

impl Lock {
    /// Takes the lock of the archive at `path`, or says that it is held.
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(beside(path)).map_err(LockError::Unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(LockError::Unavailable(error)),
        }
    }
}

/// Where the lock of the archive at `path` is.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}
