//! A notifier plugin that passed every check: what it wants sent, and whether that was taken. A fresh instance for each call.
//!
//! Storing, rates and trying again are the gateway's.

use std::sync::Arc;

use sluice_chat::exchange::{Head, Request};
use sluice_chat::id::Instant;
use sluice_chat::notice::Notice;
use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;

use crate::answer::begin;
use crate::call::CallError;
use crate::contract::{ContractVersion, notifier};
use crate::convert::notice as convert;
use crate::convert::output::{refused, sent};
use crate::digest::Digest;
use crate::fresh::Instances;
use crate::guest::Guest;
use crate::meter::Used;
use crate::provider::Checked;

/// A notifier plugin. Cheap to clone; clones are one plugin.
#[derive(Debug, Clone)]
pub struct Notifier {
    checked: Arc<Checked<NotifierPre>>,
    /// Places for calls, shared with policies' hooks.
    room: Arc<Semaphore>,
}

/// Where in a component its functions are.
pub(crate) struct NotifierPre {
    instances: Instances,
    notifier: notifier::GuestIndices,
}

impl NotifierPre {
    /// Finds them.
    pub(crate) fn new(instance: InstancePre<Guest>) -> wasmtime::Result<Self> {
        let notifier = notifier::GuestIndices::new(&instance)?;
        Ok(Self { notifier, instances: Instances::new(instance)? })
    }
}

impl AsRef<Instances> for NotifierPre {
    fn as_ref(&self) -> &Instances {
        &self.instances
    }
}

impl Notifier {
    pub(crate) fn new(checked: Checked<NotifierPre>, room: Arc<Semaphore>) -> Self {
        Self { checked: Arc::new(checked), room }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.checked.name
    }

    /// SHA-256 of its component.
    pub fn digest(&self) -> Digest {
        self.checked.digest
    }

    /// Version of the contract that it was built for.
    pub fn contract(&self) -> &ContractVersion {
        &self.checked.contract
    }

    /// Interfaces it imports, with versions.
    pub fn imports(&self) -> &[String] {
        &self.checked.imports
    }

    /// Interfaces it exports, with versions.
    pub fn exports(&self) -> &[String] {
        &self.checked.exports
    }

    /// What it has used since it was loaded.
    pub fn used(&self) -> Used {
        self.checked.meter.read()
    }

    /// What to send; none for what its receiver need not know. [`CallError::Refused`] is the plugin's own no.
    pub async fn render(
        &self,
        notice: &Notice,
        now: Instant,
        seed: u64,
    ) -> Result<Option<Request>, CallError> {
        let (checked, told) = (Arc::clone(&self.checked), convert::notice(notice));
        self.run(async move {
            let mut fresh = checked.fresh(now, seed).await?;
            let guest = checked.pre.notifier.load(&mut fresh.store, &fresh.instance);
            let guest = fresh.settle(guest)?;
            begin(&mut fresh.store, checked.limits.hook);
            let called = guest.call_render(&mut fresh.store, &told).await;
            let said = fresh.settle(called)?.map_err(refused);
            Ok(said?.map(sent))
        })
        .await
    }

    /// Whether the receiver took it.
    pub async fn accepted(
        &self,
        head: &Head,
        body: &str,
        now: Instant,
        seed: u64,
    ) -> Result<bool, CallError> {
        let (checked, head) = (Arc::clone(&self.checked), convert::head(head));
        let body = body.to_owned();
        self.run(async move {
            let mut fresh = checked.fresh(now, seed).await?;
            let guest = checked.pre.notifier.load(&mut fresh.store, &fresh.instance);
            let guest = fresh.settle(guest)?;
            begin(&mut fresh.store, checked.limits.hook);
            let called = guest.call_accepted(&mut fresh.store, &head, &body).await;
            fresh.settle(called)
        })
        .await
    }

    /// An instance whose functions are looked at, and none called: what loading tries.
    pub(crate) async fn trial(&self) -> Result<(), CallError> {
        let checked = Arc::clone(&self.checked);
        self.run(async move {
            let mut fresh = checked.fresh(Instant(0), 0).await?;
            let fits = checked.pre.notifier.load(&mut fresh.store, &fresh.instance).map(drop);
            fresh.settle(fits)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.room).acquire_owned().await;
        let running = async move {
            let gave = call.await;
            drop(place);
            gave
        };
        self.checked.siding.run(running).await
    }
}
