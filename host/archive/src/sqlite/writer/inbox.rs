//! What waits to be written. Durable writes queue, and whoever finds the queue full waits.
//! Checkpoints do not queue: the newest of each answer is kept, and none when too many are.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sluice_chat::id::MessageId;
use tokio::sync::{Semaphore, watch};

use super::Job;
use crate::checkpoint::Checkpoints;
use crate::error::StoreError;
use crate::message::Answer;

/// Durable writes that may wait; at the bound, callers wait before they get in.
pub(crate) const QUEUE: usize = 256;
/// Writes that share one commit.
pub(crate) const BATCH: usize = 64;
/// Checkpoints that get in even with a full batch of writes, so that they cannot starve.
const CHECKPOINTS_AT_LEAST: usize = 8;

/// One commit's worth of work.
pub(crate) struct Batch {
    pub(crate) writes: Vec<Box<dyn Job>>,
    pub(crate) checkpoints: Vec<Answer>,
}

/// Where the handles put work and the thread takes it.
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    room: Semaphore,
    stopped: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    writes: VecDeque<Box<dyn Job>>,
    checkpoints: Checkpoints,
    closed: bool,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            room: Semaphore::new(QUEUE),
            stopped: watch::Sender::new(false),
        }
    }

    /// Puts a durable write in line, waiting while the line is full.
    pub(crate) async fn put(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let place = self.room.acquire().await.map_err(|_| StoreError::Closed)?;
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        // Given back by the thread when it takes the job.
        place.forget();
        waiting.writes.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Notes a checkpoint instead of the answer's earlier one.
    pub(crate) fn put_checkpoint(&self, answer: Answer) {
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.checkpoints.put(answer);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Forgets an answer's checkpoint, because something better is on its way.
    pub(crate) fn forget_checkpoint(&self, answer: &MessageId) {
        self.lock().checkpoints.forget(answer);
    }

    /// Lets nothing more in. What is in will still be written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.arrived.notify_one();
    }

    /// Waits until the thread is gone.
    pub(crate) async fn stopped(&self) {
        let mut stopped = self.stopped.subscribe();
        // The sender is a field of ours, so waiting cannot fail.
        drop(stopped.wait_for(|stopped| *stopped).await);
    }

    /// Takes the next batch, waiting for work; none once the inbox is closed and empty.
    pub(super) fn next(&self) -> Option<Batch> {
        let mut waiting = self.lock();
        while waiting.writes.is_empty() && waiting.checkpoints.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let count = waiting.writes.len().min(BATCH);
        let writes: Vec<_> = waiting.writes.drain(..count).collect();
        let checkpoints = waiting.checkpoints.take((BATCH - count).max(CHECKPOINTS_AT_LEAST));
        drop(waiting);
        self.room.add_permits(count);
        Some(Batch { writes, checkpoints })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that runs under the lock can leave it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the thread is gone, however it went. Whoever still waits hears it.
pub(super) struct Departure(Arc<Inbox>);

impl Departure {
    pub(super) fn of(inbox: &Arc<Inbox>) -> Self {
        Self(Arc::clone(inbox))
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.close();
        let left = std::mem::take(&mut *self.0.lock());
        self.0.lock().closed = true;
        drop(left);
        self.0.stopped.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
