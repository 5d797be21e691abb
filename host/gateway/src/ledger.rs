//! What calls cost, on its way into the archive. Calls have no session that would store it with their answer.

use std::error::Error;

use sluice_archive::{Archive, CallUsage};
use tokio::sync::Semaphore;

/// Lines that may wait to be written. Beyond that a call that ended waits, and whoever asked with it.
const UNWRITTEN: usize = 1_024;

/// Writes a line for each call.
#[derive(Debug)]
pub(crate) struct Ledger {
    archive: Archive,
    room: Semaphore,
}

impl Ledger {
    /// One that writes to this archive.
    pub(crate) fn new(archive: Archive) -> Self {
        Self { archive, room: Semaphore::new(UNWRITTEN) }
    }

    /// Writes a line, while `meanwhile` goes on. Ends when both are done; a line that cannot be written is logged as lost.
    pub(crate) async fn record(&self, call: CallUsage, meanwhile: impl Future<Output = ()>) {
        let _place = self.room.acquire().await.expect("never closed");
        let trace = call.trace.clone();
        let (recorded, ()) = tokio::join!(self.archive.record(call), meanwhile);
        if let Err(error) = recorded {
            let error = &error as &dyn Error;
            tracing::error!(error, trace, "could not store what a call cost");
        }
    }
}
