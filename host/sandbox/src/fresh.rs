//! Instances for one call, or one filter: of policies, notifiers, and what providers have beside answers, whose interfaces stand each on its own.

use sluice_chat::id::Instant;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use crate::answer::begin;
use crate::call::CallError;
use crate::contract::lifecycle;
use crate::convert::output::refused;
use crate::guest::Guest;
use crate::provider::Checked;

/// Where instances come from.
pub(crate) struct Instances {
    instance: InstancePre<Guest>,
    lifecycle: lifecycle::GuestIndices,
}

impl Instances {
    /// Of this component.
    pub(crate) fn new(instance: InstancePre<Guest>) -> wasmtime::Result<Self> {
        let lifecycle = lifecycle::GuestIndices::new(&instance)?;
        Ok(Self { instance, lifecycle })
    }
}

/// A fresh instance, configured.
pub(crate) struct Fresh {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
}

impl Fresh {
    /// What a call into it gave; the store knows why, if nothing.
    pub(crate) fn settle<T>(&mut self, called: wasmtime::Result<T>) -> Result<T, CallError> {
        self.store.data_mut().rest();
        called.map_err(|error| self.store.data().failed(error))
    }
}

impl<P: AsRef<Instances>> Checked<P> {
    /// A fresh instance of its one component, told its settings, the time and a seed for randomness.
    pub(crate) async fn fresh(&self, now: Instant, seed: u64) -> Result<Fresh, CallError> {
        self.instantiate(self.pre.as_ref(), now, seed).await
    }
}

impl<P> Checked<P> {
    /// One of these instances, told the same.
    pub(crate) async fn instantiate(
        &self,
        instances: &Instances,
        now: Instant,
        seed: u64,
    ) -> Result<Fresh, CallError> {
        let mut store = self.store();
        begin(&mut store, self.limits.configure);
        let instance = match instances.instance.instantiate_async(&mut store).await {
            Ok(instance) => instance,
            Err(error) => return Err(store.data().failed(error)),
        };
        let mut fresh = Fresh { store, instance };
        let guest = instances.lifecycle.load(&mut fresh.store, &fresh.instance);
        let guest = fresh.settle(guest)?;
        let context = self.context(now, seed);
        let configured = guest.call_configure(&mut fresh.store, &context).await;
        fresh.settle(configured)?.map_err(refused)?;
        Ok(fresh)
    }
}
