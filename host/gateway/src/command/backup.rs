//! `sluice backup`: a copy of the archive, while a gateway may be running.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sluice_archive::BackupError;

use super::{Exit, chain, print, settings, tell};

/// Makes one.
pub(crate) fn run(files: &[PathBuf], to: &Path) -> ExitCode {
    let settings = match settings(files) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match sluice_archive::backup(&settings.storage.path, to) {
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
