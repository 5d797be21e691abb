//! Writing what nobody waits for: answers as far as they got, loosely.

use std::error::Error as StdError;
use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::Collection;
use mongodb::bson::Document;
use mongodb::options::{CollectionOptions, WriteConcern};
use tokio::time::timeout;

use super::collection::{MESSAGES, SESSIONS};
use super::message as messages;
use super::retry::Tries;
use super::shared::{
    NoLease, Noted, Shared, TookTooLong, stand_in, stopped, store_error, unavailable,
};
use super::unit::{DEADLINE, Stop, Unit};
use crate::error::StoreError;
use crate::message::Answer;

/// Checkpoints written at the same time.
pub(crate) const AT_ONCE: u32 = 16;

impl Shared {
    pub(crate) fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nothing that runs under the lock can leave it half changed.
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the checkpoints noted so far are written or given up.
    pub(crate) async fn flush(&self) {
        let noted = self.noted().count;
        let mut written = self.written.subscribe();
        // Whoever waits longer has other troubles, and will hear of them.
        drop(timeout(DEADLINE, written.wait_for(|written| *written >= noted)).await);
    }

    /// Writes what waits; when the database fails, the rest is given up, for the next says more.
    async fn write_waiting(&self) {
        let (answers, count) = {
            let mut noted = self.noted();
            (noted.waiting.take(usize::MAX), noted.count)
        };
        // Not flushed to a disk: the next durable write takes them along.
        let loose = CollectionOptions::builder().write_concern(WriteConcern::nodes(1)).build();
        let sessions = self.database.collection(SESSIONS);
        let messages = self.database.collection_with_options(MESSAGES, loose);
        let (sessions, messages) = (&sessions, &messages);
        let written = stream::iter(answers)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE as usize, |answer| async move {
                self.write_checkpoint(sessions, messages, &answer).await
            })
            .await;
        if let Err(error) = written {
            tracing::debug!(error = &error as &dyn StdError, "checkpoints not stored");
        }
        self.written.send_replace(count);
    }

    async fn write_checkpoint(
        &self,
        sessions: &Collection<Document>,
        messages: &Collection<Document>,
        answer: &Answer,
    ) -> Result<(), StoreError> {
        let _line = stand_in(&self.sessions, &answer.session).await?;
        if !self.lease.is_valid() {
            return Err(unavailable(NoLease));
        }
        let put = timeout(DEADLINE, messages::checkpoint(sessions, messages, answer)).await;
        match put {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {}
            Ok(Err(stop)) => return Err(stopped(stop)),
            Err(_) => return Err(unavailable(TookTooLong)),
        }
        // None there yet, or over, or fenced: rare, and told apart by the way that answers begin.
        let tries = &mut Tries::new(self.retry);
        let mut unit = match Unit::begin(&self.database, self.transactions, tries).await {
            Ok(unit) => unit,
            Err(error) => return Err(store_error(error)),
        };
        let done = timeout(DEADLINE, messages::put_answer(&mut unit, answer, None)).await;
        match self.end(unit, done, tries).await {
            // Refused checkpoints are refused in silence.
            Ok(()) | Err(Stop::Told(_)) => Ok(()),
            Err(Stop::Store(error)) => Err(error),
            Err(Stop::Failed(error) | Stop::Unsure(error)) => Err(store_error(error)),
        }
    }
}

/// Writes checkpoints as they come, until told to stop.
pub(crate) async fn write_checkpoints(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = shared.arrived.notified() => {}
        }
        shared.write_waiting().await;
    }
}
