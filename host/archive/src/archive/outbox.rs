//! The outbox: what the archive promises about notices.

use sluice_chat::id::{Instant, NoticeId};

use super::{Archive, Engine};
use crate::error::StoreError;
use crate::outbox::{Fate, Notice, Parcel, Posted, Rate, Waiting};

impl Archive {
    /// Takes a notice for some channels, to be tried at once. When this says [`Posted::Waiting`] or
    /// [`Posted::InPart`] the notice is durable. Of one posted twice, or beyond its rate, nothing is stored.
    pub async fn post(
        &self,
        notice: Notice,
        channels: &[String],
        rate: Rate,
        now: Instant,
    ) -> Result<Posted, StoreError> {
        ask!(self.post(notice, channels, rate, now))
    }

    /// Reads what a channel is to be told by now, the longest overdue first; at most `limit`.
    pub async fn due(
        &self,
        channel: &str,
        now: Instant,
        limit: usize,
    ) -> Result<Vec<Parcel>, StoreError> {
        ask!(self.due(channel, now, limit))
    }

    /// Says what came of a try. Of a parcel that is done there is nothing to say any more.
    pub async fn tried(
        &self,
        notice: &NoticeId,
        channel: &str,
        fate: Fate,
    ) -> Result<(), StoreError> {
        ask!(self.tried(notice, channel, fate))
    }

    /// Reads what waits.
    pub async fn waiting(&self) -> Result<Waiting, StoreError> {
        ask!(self.waiting())
    }

    /// Forgets notices from before a moment that wait for nobody.
    pub async fn forget_notices(&self, before: Instant) -> Result<(), StoreError> {
        ask!(self.forget_notices(before))
    }
}
