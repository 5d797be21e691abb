//! Telling people: that a user asks for help, that something is wrong.
//!
//! What is to be told is stored first and told then, at least once to each channel, until the channel took it or a day is
//! over. Of one thing, five notices in five minutes are enough; the rest is dropped and counted. What is told names users and
//! sessions, and nothing that was said in them.

mod backoff;
mod channel;
mod delivery;
mod letter;
mod telling;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use sluice_archive::{Archive, Notice, Posted, Rate, StoreError};
use sluice_chat::id::{SessionId, UserId};
use tokio::sync::{Mutex, Notify, mpsc};

pub(crate) use self::channel::Channel;
use self::channel::way;
pub(crate) use self::delivery::run;
use self::telling::Occasion;
pub(crate) use self::telling::Telling;
use crate::metrics::Notified;
use crate::settings::Events;
use crate::{clock, fresh};

/// Notices alike in their key, in any time of that length. The rest is dropped.
const RATE: Rate = Rate { most: 5, window_ms: 5 * 60 * 1000 };
/// Alarms that wait to be stored; further ones are dropped and counted: something else is wrong by then.
const UNSTORED: usize = 64;

/// Where whatever should be told is handed in. One a process.
#[derive(Debug)]
pub(crate) struct Notices {
    archive: Archive,
    /// Who is told of what.
    events: Events,
    /// Who there is, by name: a plugin's id, or that of mail and an address.
    channels: BTreeMap<String, Channel>,
    alarms: mpsc::Sender<Telling>,
    /// The other end, until the task that stores them takes it.
    unstored: Mutex<mpsc::Receiver<Telling>>,
    /// Told when something was stored.
    stored: Notify,
    counted: Arc<Notified>,
}

impl Events {
    /// Who is told of it.
    fn channels(&self, occasion: Occasion) -> &[String] {
        match occasion {
            Occasion::HelpRequest => &self.help_request,
            Occasion::ProviderDown | Occasion::ArchiveDegraded => &self.alarm,
        }
    }
}

impl Notices {
    /// What figures call those who may be told.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &str> {
        self.channels.keys().map(|channel| way(channel))
    }

    /// A place to hand in, with these to be told. A channel that an event names and that is not there is left out.
    pub(crate) fn new(
        archive: Archive,
        events: Events,
        channels: BTreeMap<String, Channel>,
        counted: Arc<Notified>,
    ) -> Self {
        let (alarms, unstored) = mpsc::channel(UNSTORED);
        let unstored = Mutex::new(unstored);
        Self { archive, events, channels, alarms, unstored, stored: Notify::new(), counted }
    }

    /// A user asks for help. When this returns the request is stored, or there were enough of this session lately.
    pub(crate) async fn help(&self, session: &SessionId, user: &UserId) -> Result<(), StoreError> {
        self.store(Telling::help(session, user, self.events.panel.as_ref())).await
    }

    /// Something is wrong. Does not wait; told as soon as it could be stored.
    pub(crate) fn alarm(&self, telling: Telling) {
        if let Err(refused) = self.alarms.try_send(telling) {
            let kind = refused.into_inner().occasion.as_str();
            tracing::warn!(kind, "too many alarms at once, one is not told");
            self.counted.dropped();
        }
    }

    /// Stores what somebody is to be told.
    async fn store(&self, telling: Telling) -> Result<(), StoreError> {
        let named = self.events.channels(telling.occasion);
        let meant = |channel: &&String| named.iter().any(|name| name == way(channel));
        let channels: Vec<String> = self.channels.keys().filter(meant).cloned().collect();
        let kind = telling.occasion.as_str();
        if channels.is_empty() {
            tracing::info!(kind, "nobody is to be told");
            return Ok(());
        }
        let notice = Notice {
            id: fresh::notice(),
            kind: kind.to_owned(),
            key: telling.key.clone(),
            at: clock::now(),
            body: telling.body(),
        };
        match self.archive.post(notice, &channels, RATE, clock::now()).await? {
            Posted::Waiting => self.stored.notify_one(),
            Posted::InPart => {
                tracing::warn!(kind, "not everybody is told: too much waits for somebody");
                self.counted.dropped();
                self.stored.notify_one();
            }
            Posted::Again => {}
            posted @ (Posted::TooMany | Posted::Full) => {
                tracing::warn!(kind, ?posted, "somebody is not told");
                self.counted.dropped();
            }
        }
        Ok(())
    }

    async fn store_alarm(&self, telling: Telling) {
        let kind = telling.occasion.as_str();
        if let Err(error) = self.store(telling).await {
            tracing::error!(kind, error = &error as &dyn Error, "an alarm could not be stored");
            self.counted.dropped();
        }
    }
}
