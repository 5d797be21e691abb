//! Making vectors: two calls of a provider's optional interface, each of a fresh instance.
//!
//! What is sent in between, how often and how much at a time, is the gateway's.

use std::sync::Arc;

use sluice_chat::embedding::{Embedded, EmbeddingRequest};
use sluice_chat::exchange::{Head, Request};
use sluice_chat::id::Instant;

use crate::answer::begin;
use crate::call::CallError;
use crate::contract::embedding;
use crate::convert::embedding as convert;
use crate::convert::output::refused;
use crate::fresh::Fresh;
use crate::provider::{Checked, EmbeddingPre, Provider, ProviderPre};

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
            let said = fresh.settle(called)?.map_err(refused);
            drop((fresh, place));
            convert::exchange(said?, checked.limits.step_bytes)
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
        let head = convert::head(head);
        let place = self.0.places.take()?;
        let checked = Arc::clone(&self.0);
        let call = async move {
            let (mut fresh, guest) = checked.embedder(now, seed).await?;
            let called = guest.call_read(&mut fresh.store, &head, &body).await;
            let said = fresh.settle(called)?.map_err(refused);
            drop((fresh, place));
            said.map(convert::embedded)
        };
        self.0.siding.run(call).await
    }

    /// An instance of which the interface is looked at, and not called: what loading tries.
    pub(crate) async fn trial_of_embedding(&self) -> Result<(), CallError> {
        if !self.embeds() {
            return Ok(());
        }
        let checked = Arc::clone(&self.0);
        let call = async move { checked.embedder(Instant(0), 0).await.map(drop) };
        self.0.siding.run(call).await
    }
}

impl Checked<ProviderPre> {
    /// A fresh instance, about to be called.
    async fn embedder(
        &self,
        now: Instant,
        seed: u64,
    ) -> Result<(Fresh, embedding::Guest), CallError> {
        let Some(EmbeddingPre { instances, embedding }) = &self.pre.embedding else {
            return Err(CallError::Poisoned);
        };
        let mut fresh = self.instantiate(instances, now, seed).await?;
        let guest = embedding.load(&mut fresh.store, &fresh.instance);
        let guest = fresh.settle(guest)?;
        begin(&mut fresh.store, self.limits.embedding);
        Ok((fresh, guest))
    }
}
