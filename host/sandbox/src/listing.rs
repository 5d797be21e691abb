//! Which models an upstream has: what to send to find out, and what came of it.

use std::sync::Arc;

use sluice_chat::exchange::{Head, Request};
use sluice_chat::id::Instant;

use crate::call::CallError;
use crate::convert::{input, output};
use crate::plain::plain;
use crate::provider::Provider;

/// Bytes kept of a model's name.
const NAME_BYTES: usize = 256;

impl Provider {
    /// Whether it knows how to find out. One that does not is never asked.
    pub fn lists(&self) -> bool {
        self.0.pre.listing.is_some()
    }

    /// What to send. [`CallError::Refused`] is the plugin's own no, here and in [`read_listing`](Self::read_listing).
    pub async fn ask_listing(&self, now: Instant, seed: u64) -> Result<Request, CallError> {
        let place = self.0.places.take()?;
        let checked = Arc::clone(&self.0);
        let call = async move {
            let (mut fresh, guest) = checked.lister(now, seed).await?;
            let called = guest.call_ask(&mut fresh.store).await;
            let said = fresh.settle(called)?.map_err(output::refused);
            drop((fresh, place));
            output::whole(said?, checked.limits.step_bytes)
        };
        self.0.siding.run(call).await
    }

    /// What a response says, of whatever status; `body` is all of it. Names in the order told,
    /// cleaned.
    pub async fn read_listing(
        &self,
        head: Head,
        body: String,
        now: Instant,
        seed: u64,
    ) -> Result<Vec<String>, CallError> {
        let head = input::head(head);
        let place = self.0.places.take()?;
        let checked = Arc::clone(&self.0);
        let call = async move {
            let (mut fresh, guest) = checked.lister(now, seed).await?;
            let called = guest.call_read(&mut fresh.store, &head, &body).await;
            let said = fresh.settle(called)?.map_err(output::refused);
            drop((fresh, place));
            said.map(|names| names.iter().map(|name| plain(name, NAME_BYTES)).collect())
        };
        self.0.siding.run(call).await
    }
}
