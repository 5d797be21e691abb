//! The task that tells: stores alarms, tries what is due, and tries it again.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sluice_archive::{Parcel, ParcelFate, Queue, StoreError};
use sluice_chat::id::Instant;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::channel::way;
use super::{Notices, backoff};
use crate::clock;

/// Parcels on their way to one channel at a time; further ones wait in the archive. One that is slow is in nobody else's way.
const AT_ONCE: usize = 4;
/// Longest time between two looks, whatever the archive said was next.
const LOOK: Duration = Duration::from_mins(1);
/// Until the archive is asked again that failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How long notices are kept that wait for nobody, so that their number in a time can be counted.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Time between two looks for those that are kept no longer.
const FORGET: Duration = Duration::from_hours(1);
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
    let mut forget = interval(FORGET);
    loop {
        tokio::select! {
            () = drain.cancelled() => break,
            Some(alarm) = alarms.recv() => notices.store_alarm(alarm).await,
            () = notices.stored.notified() => {}
            Some(done) = under.tasks.join_next() => under.is_done(done),
            _ = forget.tick() => notices.forget().await,
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

impl Notices {
    /// Forgets what was told long ago, also while something else waits.
    async fn forget(&self) {
        let before = Instant(clock::now().0.saturating_sub(KEPT_MS));
        if let Err(error) = self.archive.forget_notices(before).await {
            tracing::error!(error = &error as &dyn Error, "could not forget what was told");
        }
    }
}

impl Under {
    /// How many are on their way to a channel.
    fn count(&self, channel: &str) -> usize {
        self.keys.iter().filter(|(_, to)| to == channel).count()
    }

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
    let waiting = notices.archive.waiting().await?;
    notices.counted.waiting(waiting.notices);
    let due = waiting.queues.iter().filter(|queue| queue.next <= now);
    for Queue { channel, .. } in due {
        let mut room = AT_ONCE.saturating_sub(under.count(channel));
        if room == 0 {
            continue;
        }
        // Those on their way are due too, until something came of them.
        for parcel in notices.archive.due(channel, now, AT_ONCE * 2).await? {
            let key = (parcel.notice.id.to_string(), channel.clone());
            if room > 0 && under.keys.insert(key.clone()) {
                room -= 1;
                let notices = Arc::clone(notices);
                under.tasks.spawn(async move {
                    tell(&notices, parcel).await;
                    key
                });
            }
        }
    }
    let ahead = waiting.queues.iter().map(|queue| queue.next).filter(|next| *next > now).min();
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
            notices.counted.sent(way(channel));
            tracing::info!(notice = %notice.id, kind = notice.kind, channel, "told");
            ParcelFate::Done
        }
        Err(None) => {
            notices.counted.given_up(way(channel));
            tracing::warn!(notice = %notice.id, channel, "there is no such channel any more");
            ParcelFate::Done
        }
        Err(Some(error)) => {
            notices.counted.failed(way(channel));
            let error = &error as &dyn Error;
            let fate = backoff::after(*attempts, notice.at, clock::now(), rand::random());
            if fate == ParcelFate::Done {
                notices.counted.given_up(way(channel));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sluice_archive::{Archive, Notice, Posted, Rate};
    use sluice_chat::id::NoticeId;

    use super::*;
    use crate::metrics::Metrics;
    use crate::settings::Events;

    const RATE: Rate = Rate { most: 5, window_ms: 1 };

    fn notice(name: &str) -> Notice {
        let (kind, key, body) = ("alarm".to_owned(), name.to_owned(), "{}".to_owned());
        Notice { id: NoticeId::parse(name).unwrap(), kind, key, at: Instant(0), body }
    }

    #[tokio::test]
    async fn what_was_told_is_forgotten_while_another_channel_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(&folder.path().join("chat.db")).unwrap();
        let long_ago = Instant(clock::now().0 - 2 * KEPT_MS);
        let post = async |name| {
            let channels = ["hook".to_owned()];
            archive.post(notice(name), &channels, RATE, long_ago).await.unwrap()
        };
        post("told").await;
        archive.tried(&notice("told").id, "hook", ParcelFate::Done).await.unwrap();
        post("waits").await;
        let much_later = Instant(clock::now().0 + KEPT_MS);
        let fate = ParcelFate::Again(much_later);
        archive.tried(&notice("waits").id, "hook", fate).await.unwrap();
        let events = Events { help_request: Vec::new(), alarm: Vec::new(), panel: None };
        let counted = Arc::clone(&Metrics::new().notified);
        let notices = Notices::new(archive.clone(), events, BTreeMap::new(), counted);
        let drain = CancellationToken::new();
        let mut tasks = JoinSet::new();

        tasks.spawn(run(Arc::new(notices), drain.clone()));

        while post("told").await == Posted::Again {}
        assert_eq!(post("waits").await, Posted::Again);
        drain.cancel();
        tasks.join_next().await.unwrap().unwrap();
    }
}
