//! `sluice reseal`: everything that is stored, sealed once more under the current key.

use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use sluice_archive::Resealed;

use super::{Exit, block_on, chain, part, print, tell};
use crate::settings::Settings;
use crate::storage::{self, StorageError};
use crate::telemetry;

/// Seals it, and says how far it is while somebody watches. It may be cut off and begun again.
pub(crate) fn run(files: &[PathBuf]) -> ExitCode {
    let take = |settings: Settings| (settings.storage, settings.telemetry);
    let (storage, telemetry) = match part(files, &["storage", "telemetry"], take) {
        Ok(part) => part,
        Err(exit) => return exit,
    };
    telemetry::start(&telemetry);
    let sealed = storage.keys.current.is_some();
    let done = block_on(async {
        let archive = storage::open(storage.alone()).await?;
        let bar = bar();
        let done = archive.reseal(|so_far| show(&bar, so_far)).await;
        bar.finish_and_clear();
        archive.close().await;
        done.map_err(StorageError::Reseal)
    });
    let done = match done {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            tell(chain(&error));
            return error.exit().into();
        }
        Err(exit) => return exit,
    };
    let how = if sealed { "sealed anew" } else { "stored readable" };
    print(format_args!(
        "{how}  {} of {} rows; the rest was so already",
        done.changed, done.looked_at
    ));
    if !done.compacted {
        tell(
            "the file could not be written anew: parts of what was there before may be left in it, in free space",
        );
    }
    if done.unreadable > 0 {
        tell(format_args!(
            "{} rows cannot be opened with any of the keys and stay as they are",
            done.unreadable
        ));
        return Exit::Unavailable.into();
    }
    ExitCode::SUCCESS
}

/// A bar, where somebody sees it: none when standard error is no terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rows, {eta} left");
    ProgressBar::new(0).with_style(style.expect("a template that parses"))
}

fn show(bar: &ProgressBar, so_far: Resealed) {
    bar.set_length(so_far.total);
    bar.set_position(so_far.looked_at);
}
