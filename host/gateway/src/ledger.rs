//! What calls cost, on its way into the archive. Calls have no session that would store it with their answer.
//!
//! Lines are gathered for a moment and share a write: a transaction of its own for each, with its flush to the disk and its
//! switches between threads, was a sixth of what a short call took of a processor.

use std::error::Error;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_archive::{Archive, CallUsage};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

/// Lines that may wait to be written. Beyond that a call that ended waits, and whoever asked with it.
const UNWRITTEN: usize = 1_024;
/// How long the first line waits for others.
const GATHERING: Duration = Duration::from_millis(10);
/// Lines that share a write at most: what a transaction of MongoDB, which has a round trip for each, can do at once.
const SHARED: usize = 128;

/// Writes a line for each call.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<Book>);

#[derive(Debug)]
struct Book {
    archive: Archive,
    /// Waited for at shutdown, and with them the lines.
    tasks: TaskTracker,
    room: Arc<Semaphore>,
    /// Gathered since a task last took them; where there are any, a task is about to.
    gathered: Mutex<Vec<Line>>,
}

/// A line, and its place among those that may wait.
#[derive(Debug)]
struct Line(CallUsage, OwnedSemaphorePermit);

impl Ledger {
    /// One that writes to this archive, in tasks of these.
    pub(crate) fn new(archive: Archive, tasks: TaskTracker) -> Self {
        let room = Arc::new(Semaphore::new(UNWRITTEN));
        Self(Arc::new(Book { archive, tasks, room, gathered: Mutex::default() }))
    }

    /// Takes a line, to be written within a moment; waits while too many wait. A line that cannot be written is logged as lost.
    pub(crate) async fn take(&self, call: CallUsage) {
        let book = &self.0;
        let place = Arc::clone(&book.room).acquire_owned().await.expect("never closed");
        let is_first = {
            let mut gathered = book.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            gathered.push(Line(call, place));
            gathered.len() == 1
        };
        if is_first {
            book.tasks.spawn(Arc::clone(book).write_out());
        }
    }
}

impl Book {
    async fn write_out(self: Arc<Self>) {
        sleep(GATHERING).await;
        let gathered = {
            let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
            mem::take(&mut *gathered)
        };
        let mut lines = gathered.into_iter();
        loop {
            let (calls, places): (Vec<_>, Vec<_>) =
                lines.by_ref().take(SHARED).map(|Line(call, place)| (call, place)).unzip();
            if calls.is_empty() {
                return;
            }
            self.write(calls).await;
            drop(places);
        }
    }

    async fn write(&self, calls: Vec<CallUsage>) {
        let traces: Vec<_> = calls.iter().map(|call| call.trace.clone()).collect();
        if let Err(error) = self.archive.record(calls).await {
            let error = &error as &dyn Error;
            tracing::error!(error, ?traces, "could not store what calls cost");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use sluice_chat::answer::{Ending, Tokens};
    use sluice_chat::id::{Instant, ModelId, UserId};
    use tokio::task::unconstrained;

    use super::*;
    use crate::fresh;

    fn call() -> CallUsage {
        CallUsage {
            answer: fresh::message(),
            trace: fresh::trace(),
            user: UserId::parse("ada").unwrap(),
            model: ModelId::parse("fake").unwrap(),
            started: Instant(1),
            ended: Instant(2),
            ending: Ending::Stop,
            bill: Tokens { input: 1, output: 1, estimated: false }.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_wait_together_and_whoever_finds_too_many_waits() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(&folder.path().join("chat.db")).unwrap();
        let tasks = TaskTracker::new();
        let ledger = Ledger::new(archive.clone(), tasks.clone());

        for _ in 0..UNWRITTEN {
            unconstrained(ledger.take(call())).now_or_never().expect("there is room");
        }
        let mut one_more = pin!(unconstrained(ledger.take(call())));
        assert!(one_more.as_mut().now_or_never().is_none());
        assert_eq!(tasks.len(), 1, "one write is to come");
        one_more.await;
        tasks.close();
        tasks.wait().await;

        assert_eq!(ledger.0.room.available_permits(), UNWRITTEN, "none waits any more");
        archive.close().await;
    }
}
