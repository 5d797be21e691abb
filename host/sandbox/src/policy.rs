//! A policy plugin that passed every check, ready to judge: a fresh instance for each call of a hook, one for each filtered answer.
//!
//! What a verdict means, in which order policies are asked, and what becomes of a call that fails are the gateway's.

mod filter;

use std::sync::Arc;

use sluice_chat::id::Instant;
use sluice_chat::policy::{
    AdminAction, Decision, MessageDecision, Note, Outcome, Subject, UsageDecision,
};
use sluice_chat::request::ChatRequest;
use tokio::sync::Semaphore;
use wasmtime::component::InstancePre;

pub use self::filter::Filter;
use crate::answer::begin;
use crate::call::CallError;
use crate::contract::{
    Border, ContractVersion, Hook, on_admin, on_connect, on_message, on_output, on_usage,
};
use crate::convert::policy as convert;
use crate::convert::question::question;
use crate::digest::Digest;
use crate::fresh::{Fresh, Instances};
use crate::guest::Guest;
use crate::meter::Used;
use crate::provider::{Checked, Origin};

/// A policy plugin. Cheap to clone; clones are one plugin.
#[derive(Debug, Clone)]
pub struct Policy {
    checked: Arc<Checked<PolicyPre>>,
    rooms: Rooms,
}

/// Places for instances of policies, over all of them.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    pub(crate) hooks: Arc<Semaphore>,
    pub(crate) filters: Arc<Semaphore>,
}

/// Where in a component its hooks are.
pub(crate) struct PolicyPre {
    instances: Instances,
    on_connect: Option<on_connect::GuestIndices>,
    on_message: Option<on_message::GuestIndices>,
    on_output: Option<on_output::GuestIndices>,
    on_admin: Option<on_admin::GuestIndices>,
    on_usage: Option<on_usage::GuestIndices>,
}

impl PolicyPre {
    /// Finds them.
    pub(crate) fn new(instance: InstancePre<Guest>, border: &Border) -> wasmtime::Result<Self> {
        let has = |hook: Hook| border.exports(hook.interface());
        Ok(Self {
            on_connect: has(Hook::Connect)
                .then(|| on_connect::GuestIndices::new(&instance))
                .transpose()?,
            on_message: has(Hook::Message)
                .then(|| on_message::GuestIndices::new(&instance))
                .transpose()?,
            on_output: has(Hook::Output)
                .then(|| on_output::GuestIndices::new(&instance))
                .transpose()?,
            on_admin: has(Hook::Admin)
                .then(|| on_admin::GuestIndices::new(&instance))
                .transpose()?,
            on_usage: has(Hook::Usage)
                .then(|| on_usage::GuestIndices::new(&instance))
                .transpose()?,
            instances: Instances::new(instance)?,
        })
    }
}

impl Policy {
    pub(crate) fn new(checked: Checked<PolicyPre>, rooms: Rooms) -> Self {
        Self { checked: Arc::new(checked), rooms }
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

    /// Whether it had to be compiled.
    pub fn origin(&self) -> Origin {
        self.checked.origin
    }

    /// The hooks it has.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> {
        Hook::ALL.into_iter().filter(|hook| self.has(*hook))
    }

    /// Whether it has that hook. A policy is never run for one that it lacks.
    pub fn has(&self, hook: Hook) -> bool {
        let pre = &self.checked.pre;
        match hook {
            Hook::Connect => pre.on_connect.is_some(),
            Hook::Message => pre.on_message.is_some(),
            Hook::Output => pre.on_output.is_some(),
            Hook::Admin => pre.on_admin.is_some(),
            Hook::Usage => pre.on_usage.is_some(),
        }
    }

    /// Asks about a connection; a policy without the hook allows it.
    pub async fn on_connect(&self, subject: &Subject, seed: u64) -> Result<Decision, CallError> {
        let told = convert::subject(subject);
        let now = subject.now;
        let checked = Arc::clone(&self.checked);
        self.run(async move {
            let Some(hook) = &checked.pre.on_connect else { return Ok(allowed()) };
            let mut fresh = checked.fresh(now, seed).await?;
            let guest = hook.load(&mut fresh.store, &fresh.instance);
            let guest = fresh.settle(guest)?;
            begin(&mut fresh.store, checked.limits.hook);
            let called = guest.call_on_connect(&mut fresh.store, &told).await;
            fresh.settle(called).map(convert::decision)
        })
        .await
    }

    /// Asks about a message; a policy without the hook allows it as it is.
    pub async fn on_message(
        &self,
        subject: &Subject,
        chat: &ChatRequest,
        seed: u64,
    ) -> Result<MessageDecision, CallError> {
        let (told, asked) = (convert::subject(subject), question(chat));
        let bytes = chat.text_bytes();
        let now = subject.now;
        let checked = Arc::clone(&self.checked);
        self.run(async move {
            let Some(hook) = &checked.pre.on_message else {
                let decision = allowed();
                return Ok(MessageDecision { decision, edits: Vec::new(), reserve: Vec::new() });
            };
            let mut fresh = checked.fresh(now, seed).await?;
            let guest = hook.load(&mut fresh.store, &fresh.instance);
            let guest = fresh.settle(guest)?;
            begin(&mut fresh.store, checked.limits.hook_reading(bytes));
            let called = guest.call_on_message(&mut fresh.store, &told, &asked).await;
            fresh.settle(called).map(convert::message_decision)
        })
        .await
    }

    /// Asks about an administrator's action; a policy without the hook allows it.
    pub async fn on_admin(
        &self,
        subject: &Subject,
        action: &AdminAction,
        seed: u64,
    ) -> Result<Decision, CallError> {
        let (told, asked) = (convert::subject(subject), convert::admin_action(action));
        let now = subject.now;
        let checked = Arc::clone(&self.checked);
        self.run(async move {
            let Some(hook) = &checked.pre.on_admin else { return Ok(allowed()) };
            let mut fresh = checked.fresh(now, seed).await?;
            let guest = hook.load(&mut fresh.store, &fresh.instance);
            let guest = fresh.settle(guest)?;
            begin(&mut fresh.store, checked.limits.hook);
            let called = guest.call_on_admin(&mut fresh.store, &told, &asked).await;
            fresh.settle(called).map(convert::decision)
        })
        .await
    }

    /// Tells how an answer went; a policy without the hook has nothing to say.
    pub async fn on_usage(
        &self,
        subject: &Subject,
        outcome: &Outcome,
        seed: u64,
    ) -> Result<UsageDecision, CallError> {
        let (told, happened) = (convert::subject(subject), convert::outcome(outcome));
        let now = subject.now;
        let checked = Arc::clone(&self.checked);
        self.run(async move {
            let Some(hook) = &checked.pre.on_usage else {
                return Ok(UsageDecision { note: Note::default(), settle: Vec::new() });
            };
            let mut fresh = checked.fresh(now, seed).await?;
            let guest = hook.load(&mut fresh.store, &fresh.instance);
            let guest = fresh.settle(guest)?;
            begin(&mut fresh.store, checked.limits.hook);
            let called = guest.call_on_usage(&mut fresh.store, &told, &happened).await;
            fresh.settle(called).map(convert::usage_decision)
        })
        .await
    }

    /// A filter for one answer: a fresh instance that lives as long. None if the policy lacks the hook.
    pub async fn filter(&self, subject: &Subject, seed: u64) -> Result<Option<Filter>, CallError> {
        if !self.has(Hook::Output) {
            return Ok(None);
        }
        let places = Arc::clone(&self.rooms.filters);
        let place = places.try_acquire_owned().map_err(|_taken| CallError::Busy)?;
        let (told, now) = (convert::subject(subject), subject.now);
        let checked = Arc::clone(&self.checked);
        let call = async move {
            let fresh = checked.fresh(now, seed).await?;
            checked.open(fresh, &told, place).await
        };
        let Checked { limits, siding, .. } = &*self.checked;
        let live = siding.run(call).await?;
        Ok(live.map(|live| Filter::new(live, Arc::clone(limits), Arc::clone(siding))))
    }

    /// Runs one call of a hook, once there is a place for it: they are free again within microseconds, or when the call that has
    /// one is out of time.
    async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.rooms.hooks).acquire_owned().await;
        let running = async move {
            let gave = call.await;
            drop(place);
            gave
        };
        self.checked.siding.run(running).await
    }

    /// An instance of which every hook is looked at, and none called: what loading tries.
    pub(crate) async fn trial(&self) -> Result<(), CallError> {
        let checked = Arc::clone(&self.checked);
        let call = async move {
            let mut fresh = checked.fresh(Instant(0), 0).await?;
            let fits = checked.fits(&mut fresh);
            fresh.settle(fits)
        };
        self.checked.siding.run(call).await
    }
}

fn allowed() -> Decision {
    Decision { denial: None, note: Note::default() }
}

impl AsRef<Instances> for PolicyPre {
    fn as_ref(&self) -> &Instances {
        &self.instances
    }
}

impl Checked<PolicyPre> {
    /// Whether every hook has the shape that the contract says.
    fn fits(&self, fresh: &mut Fresh) -> wasmtime::Result<()> {
        let Fresh { store, instance } = fresh;
        let PolicyPre { on_connect, on_message, on_output, on_admin, on_usage, .. } = &self.pre;
        on_connect.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?;
        on_message.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?;
        on_output.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?;
        on_admin.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?;
        on_usage.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?;
        Ok(())
    }
}
