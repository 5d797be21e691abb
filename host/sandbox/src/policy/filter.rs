//! One filter: a fresh instance that sees what one answer says, chunk by chunk. Nothing survives an error.
//!
//! Whether spans make sense, and what is held back, is not looked at here.

use std::sync::Arc;

use sluice_chat::policy::{Channel, Judged, Note};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::ResourceAny;

use super::{Fresh, PolicyPre};
use crate::answer::begin;
use crate::call::CallError;
use crate::contract::{on_output, policy_types};
use crate::convert::policy as convert;
use crate::limits::Limits;
use crate::provider::Checked;
use crate::siding::Siding;

/// One filter. Dropping it, or the future of one of its calls, frees the instance.
#[derive(Debug)]
pub struct Filter {
    /// Gone once a call failed.
    live: Option<Box<Live>>,
    limits: Arc<Limits>,
    siding: Arc<Siding>,
}

/// The instance. Whoever calls it owns it meanwhile, so that a dropped call drops it.
pub(super) struct Live {
    fresh: Fresh,
    guest: on_output::Guest,
    filter: ResourceAny,
    /// Given back after the store is gone: fields are dropped in order.
    _place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("guest", self.fresh.store.data()).finish_non_exhaustive()
    }
}

impl Checked<PolicyPre> {
    /// Opens a filter in a fresh instance, if the policy has the hook.
    pub(super) async fn open(
        &self,
        mut fresh: Fresh,
        told: &policy_types::Subject,
        place: OwnedSemaphorePermit,
    ) -> Result<Option<Live>, CallError> {
        let Some(hook) = &self.pre.on_output else { return Ok(None) };
        let guest = hook.load(&mut fresh.store, &fresh.instance);
        let guest = fresh.settle(guest)?;
        begin(&mut fresh.store, self.limits.hook);
        let called = guest.filter().call_constructor(&mut fresh.store, told).await;
        let filter = fresh.settle(called)?;
        Ok(Some(Live { fresh, guest, filter, _place: place }))
    }
}

impl Filter {
    pub(super) fn new(live: Live, limits: Arc<Limits>, siding: Arc<Siding>) -> Self {
        Self { live: Some(Box::new(live)), limits, siding }
    }

    /// Asks about a chunk: what was held back of the channel, and what is new.
    pub async fn check(
        &mut self,
        channel: Channel,
        chunk: &str,
        last: bool,
    ) -> Result<Judged, CallError> {
        let mut live = self.live.take().ok_or(CallError::Poisoned)?;
        let (channel, chunk) = (convert::channel(channel), chunk.to_owned());
        begin(&mut live.fresh.store, self.limits.window_reading(chunk.len()));
        let call = async move {
            let Live { fresh, guest, filter, .. } = &mut *live;
            let filters = guest.filter();
            let called = filters.call_check(&mut fresh.store, *filter, channel, &chunk, last).await;
            let judged = live.fresh.settle(called);
            (live, judged)
        };
        let (live, judged) = self.siding.run(call).await;
        let judged = judged.map(convert::judged)?;
        self.live = Some(live);
        Ok(judged)
    }

    /// Asks what is to be kept of it, after the answer.
    pub async fn finish(mut self) -> Result<Note, CallError> {
        let mut live = self.live.take().ok_or(CallError::Poisoned)?;
        begin(&mut live.fresh.store, self.limits.hook);
        let call = async move {
            let Live { fresh, guest, filter, .. } = &mut *live;
            let called = guest.filter().call_finish(&mut fresh.store, *filter).await;
            live.fresh.settle(called)
        };
        self.siding.run(call).await.map(convert::note)
    }
}
