//! What a provider has beside its answers: interfaces of which each function is called on a fresh instance. What is sent between two
//! of them, and how often, is the gateway's.

use std::sync::Arc;

use sluice_chat::id::Instant;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::answer::begin;
use crate::call::CallError;
use crate::contract::{embedding, listing};
use crate::fresh::{Fresh, Instances};
use crate::guest::Guest;
use crate::provider::{Checked, Provider, ProviderPre};

/// Where in a component such an interface is.
pub(crate) struct Beside<I> {
    instances: Instances,
    interface: I,
}

impl<I> Beside<I> {
    /// In this component, if `find` finds it.
    pub(crate) fn new(
        instance: InstancePre<Guest>,
        find: impl FnOnce(&InstancePre<Guest>) -> wasmtime::Result<I>,
    ) -> wasmtime::Result<Self> {
        Ok(Self { interface: find(&instance)?, instances: Instances::new(instance)? })
    }
}

impl Provider {
    /// Instances of which the interfaces are looked at, and not called: what loading tries.
    pub(crate) async fn trial_beside(&self) -> Result<(), CallError> {
        let checked = Arc::clone(&self.0);
        let call = async move {
            let (now, seed) = (Instant(0), 0);
            if checked.pre.embedding.is_some() {
                checked.embedder(now, seed).await?;
            }
            if checked.pre.listing.is_some() {
                checked.lister(now, seed).await?;
            }
            Ok(())
        };
        self.0.siding.run(call).await
    }
}

impl Checked<ProviderPre> {
    /// A fresh instance, about to be asked for vectors.
    pub(crate) async fn embedder(
        &self,
        now: Instant,
        seed: u64,
    ) -> Result<(Fresh, embedding::Guest), CallError> {
        let there = self.pre.embedding.as_ref();
        self.beside(there, |there, store, instance| there.load(store, instance), now, seed).await
    }

    /// A fresh instance, about to be asked for models.
    pub(crate) async fn lister(
        &self,
        now: Instant,
        seed: u64,
    ) -> Result<(Fresh, listing::Guest), CallError> {
        let there = self.pre.listing.as_ref();
        self.beside(there, |there, store, instance| there.load(store, instance), now, seed).await
    }

    async fn beside<I, G>(
        &self,
        there: Option<&Beside<I>>,
        load: impl FnOnce(&I, &mut Store<Guest>, &Instance) -> wasmtime::Result<G>,
        now: Instant,
        seed: u64,
    ) -> Result<(Fresh, G), CallError> {
        let Beside { instances, interface } = there.ok_or(CallError::Poisoned)?;
        let mut fresh = self.instantiate(instances, now, seed).await?;
        let guest = load(interface, &mut fresh.store, &fresh.instance);
        let guest = fresh.settle(guest)?;
        begin(&mut fresh.store, self.limits.embedding);
        Ok((fresh, guest))
    }
}
