//! The task that tells: stores alarms, tries what is due, and tries it again.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sluice_archive::{Parcel, ParcelFate, StoreError};
use sluice_chat::id::Instant;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Notices, backoff};
use crate::clock;

/// Parcels on their way at a time; further ones wait in the archive.
const AT_ONCE: usize = 16;
/// Longest time between two looks, whatever the archive said was next.
const LOOK: Duration = Duration::from_mins(1);
/// Until the archive is asked again that failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How long notices are kept that wait for nobody, so that their number in a time can be counted.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// For how long what is on its way when the process goes may go on. What does not get there is tried at the next start.
const LAST_TRIES: Duration = Duration::from_secs(2);

/// What is on its way.
#[derive(Debug, Default)]
struct Under {
    tasks: JoinSet<Key>,
    keys: HashSet<Key>,
}

/// A notice and a channel.
type Key = (String, String);

/// Tells until `drain`.
pub(crate) async fn run(notices: Arc<Notices>, drain: CancellationToken) {
    let mut alarms = notices.unstored.lock().await;
    let mut under = Under::default();
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            () = drain.cancelled() => break,
            Some(alarm) = alarms.recv() => notices.store_alarm(alarm).await,
            () = notices.stored.notified() => {}
            Some(done) = under.tasks.join_next() => under.is_done(done),
            () = sleep(wait) => {}
        }
        wait = match look(&notices, &mut under).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "could not look who is to be told");
                PAUSE
            }
        };
    }
    alarms.close();
    while let Some(alarm) = alarms.recv().await {
        notices.store_alarm(alarm).await;
    }
    let last = async { while under.tasks.join_next().await.is_some() {} };
    // What is cut off here is tried again at the next start.
    drop(timeout(LAST_TRIES, last).await);
}

impl Under {
    fn is_done(&mut self, done: Result<Key, tokio::task::JoinError>) {
        match done {
            Ok(key) => {
                self.keys.remove(&key);
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "telling somebody panicked");
                // Which one is not known: those that go on are found again by the archive's word.
                if self.tasks.is_empty() {
                    self.keys.clear();
                }
            }
        }
    }
}

/// Sends out what is due, as far as there is room; says when to look again.
async fn look(notices: &Arc<Notices>, under: &mut Under) -> Result<Duration, StoreError> {
    let now = clock::now();
    let due = notices.archive.due(now, AT_ONCE * 4).await?;
    for parcel in due {
        let key = (parcel.notice.id.to_string(), parcel.channel.clone());
        if under.keys.len() < AT_ONCE && under.keys.insert(key.clone()) {
            let notices = Arc::clone(notices);
            under.tasks.spawn(async move {
                tell(&notices, parcel).await;
                key
            });
        }
    }
    let waiting = notices.archive.waiting().await?;
    notices.counted.waiting(waiting.notices);
    if waiting.notices == 0 {
        notices.archive.forget_notices(Instant(now.0.saturating_sub(KEPT_MS))).await?;
    }
    let ahead = waiting.next.filter(|next| *next > now);
    let until = ahead.map_or(LOOK, |next| Duration::from_millis(next.0 - now.0));
    // Behind what is due already and on its way there may be something that comes sooner.
    let most = if under.keys.is_empty() { LOOK } else { PAUSE };
    Ok(until.min(most))
}

/// Tries once, and notes what came of it.
async fn tell(notices: &Notices, parcel: Parcel) {
    let Parcel { notice, channel, attempts, .. } = &parcel;
    let told = match notices.channels.get(channel) {
        Some(channel) => channel.tell(&parcel).await.map_err(Some),
        // Taken out of the configuration since.
        None => Err(None),
    };
    let fate = match told {
        Ok(()) => {
            notices.counted.sent(channel);
            tracing::info!(notice = %notice.id, kind = notice.kind, channel, "told");
            ParcelFate::Done
        }
        Err(None) => {
            notices.counted.given_up(channel);
            tracing::warn!(notice = %notice.id, channel, "there is no such channel any more");
            ParcelFate::Done
        }
        Err(Some(error)) => {
            notices.counted.failed(channel);
            let error = &error as &dyn Error;
            let fate = backoff::after(*attempts, notice.at, clock::now(), rand::random());
            if fate == ParcelFate::Done {
                notices.counted.given_up(channel);
                tracing::error!(notice = %notice.id, kind = notice.kind, channel, error, "gave up telling");
            } else {
                tracing::warn!(notice = %notice.id, kind = notice.kind, channel, attempts, error, "not told yet");
            }
            fate
        }
    };
    if let Err(error) = notices.archive.tried(&notice.id, channel, fate).await {
        // It is tried again, and may be told twice.
        tracing::error!(notice = %notice.id, channel, error = &error as &dyn Error, "could not note a try");
    }
}
