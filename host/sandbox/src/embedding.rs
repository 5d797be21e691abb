//! Making vectors: what to send for some passages, and what came of it.

use std::sync::Arc;

use sluice_chat::embedding::{Embedded, EmbeddingRequest};
use sluice_chat::exchange::{Head, Request};
use sluice_chat::id::Instant;

use crate::call::CallError;
use crate::convert::embedding as convert;
use crate::convert::{input, output};
use crate::provider::Provider;

impl Provider {
    /// Whether it makes vectors. One that does not is never asked for any.
    pub fn embeds(&self) -> bool {
        self.0.pre.embedding.is_some()
    }

    /// What to send for these passages. [`CallError::Refused`] is the plugin's own no, here and in
    /// [`read_embedding`](Self::read_embedding).
    pub async fn ask_embedding(
        &self,
        request: &EmbeddingRequest,
        now: Instant,
        seed: u64,
    ) -> Result<Request, CallError> {
        let asked = convert::request(request);
        let place = self.0.places.take()?;
        let checked = Arc::clone(&self.0);
        let call = async move {
            let (mut fresh, guest) = checked.embedder(now, seed).await?;
            let called = guest.call_ask(&mut fresh.store, &asked).await;
            let said = fresh.settle(called)?.map_err(output::refused);
            drop((fresh, place));
            output::whole(said?, checked.limits.step_bytes)
        };
        self.0.siding.run(call).await
    }

    /// What a response says, of whatever status; `body` is all of it. As many vectors as there were passages, or not: that is not
    /// checked.
    pub async fn read_embedding(
        &self,
        head: Head,
        body: String,
        now: Instant,
        seed: u64,
    ) -> Result<Embedded, CallError> {
        let head = input::head(head);
        let place = self.0.places.take()?;
        let checked = Arc::clone(&self.0);
        let call = async move {
            let (mut fresh, guest) = checked.embedder(now, seed).await?;
            let called = guest.call_read(&mut fresh.store, &head, &body).await;
            let said = fresh.settle(called)?.map_err(output::refused);
            drop((fresh, place));
            said.map(convert::embedded)
        };
        self.0.siding.run(call).await
    }
}
