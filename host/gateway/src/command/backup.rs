//! `sluice backup`: a copy of the archive, while a gateway may be running.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluice_archive::BackupError;

use super::{Exit, chain, part, print, tell};
use crate::settings::Engine;

/// Makes one.
pub(crate) fn run(files: &[PathBuf], to: &Path) -> ExitCode {
    let storage = match part(files, &["storage"], |settings| settings.storage) {
        Ok(storage) => storage,
        Err(exit) => return exit,
    };
    let Engine::Sqlite(path) = &storage.engine else {
        tell(
            "a MongoDB is backed up by its own tools: mongodump --oplog, or a snapshot of its disk",
        );
        return Exit::Configuration.into();
    };
    match sluice_archive::backup(path, to) {
        Ok(copy) => {
            let bytes = copy.bytes;
            print(format_args!(
                "{}  {} sessions, {} messages, {bytes} bytes",
                to.display(),
                copy.sessions,
                copy.messages
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(chain(&error));
            match error {
                BackupError::Exists(_) => Exit::Configuration.into(),
                BackupError::NotAnArchive(_)
                | BackupError::Copy { .. }
                | BackupError::File { .. }
                | BackupError::Unsound(_) => Exit::Unavailable.into(),
            }
        }
    }
}
