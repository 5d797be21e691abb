//! One answer: a fresh instance, asked to start and then stepped. Nothing outlives it, and nothing survives an error.
//!
//! Whether an input makes sense now is not checked here.

use std::sync::Arc;
use std::time::Duration;

use sluice_chat::event::{ChatEvent, ProviderError};
use sluice_chat::exchange::{Frame, Head, Request, TransportFailure};
use sluice_chat::request::ChatRequest;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::call::CallError;
use crate::contract::{ProviderPlugin, provider};
use crate::convert;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::provider::Place;
use crate::siding::Siding;

/// What became of the exchange that a plugin asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The response began.
    Head(Head),
    /// What one read of the socket gave, in order; at most 64 frames or 64 KiB.
    Frames(Vec<Frame>),
    /// The response ended in order.
    End,
    /// The exchange broke.
    Failed(TransportFailure),
    /// The time asked for by [`Directive::Wait`] is over.
    Woken,
}

/// What a plugin wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// What comes next of the exchange under way.
    More,
    /// This exchange; one still under way is to be dropped.
    Send(Request),
    /// To be woken after so long, at most a minute.
    Wait(Duration),
    /// Nothing: the answer is complete and its instance gone.
    Done,
    /// Nothing: it failed, and its instance is gone. The detail is cut to 512 bytes and free of control characters.
    Fail(ProviderError),
}

/// What one call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What the plugin said, in order. As it came: sense and order are not checked.
    pub events: Vec<ChatEvent>,
    /// What it wants next.
    pub next: Directive,
    /// What is to be sent if the answer is given up; none leaves what was there before.
    pub parting: Option<Request>,
}

/// What an answer has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Calls of `start` and `step`.
    pub calls: u64,
    /// Time the guest ran, in whole ticks: most calls are too short to meet one.
    pub guest_time: Duration,
    /// Largest linear memory in bytes.
    pub peak_memory_bytes: usize,
    /// Text in events and requests, in bytes.
    pub output_bytes: usize,
}

/// One answer of a provider. Dropping it, or the future of one of its calls, frees the instance: at once, or if a call went to the siding, at its next tick.
#[derive(Debug)]
pub struct Answer {
    /// Gone once the answer is over.
    live: Option<Live>,
    limits: Arc<Limits>,
    siding: Arc<Siding>,
    spent: Spent,
}

/// The instance. Whoever calls it owns it meanwhile, so that a dropped call drops it.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) plugin: ProviderPlugin,
    pub(crate) answer: ResourceAny,
    /// Given back after the store is gone: fields are dropped in order.
    pub(crate) _place: Option<Place>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("guest", self.store.data()).finish_non_exhaustive()
    }
}

impl Live {
    /// A call begins.
    fn begin(&mut self, budget: Duration) {
        begin(&mut self.store, budget);
    }
}

/// Readies a store for a call of at most `budget`.
pub(crate) fn begin(store: &mut Store<Guest>, budget: Duration) {
    store.data_mut().begin(budget);
    store.set_epoch_deadline(1);
}

impl Answer {
    pub(crate) fn new(live: Live, limits: Arc<Limits>, siding: Arc<Siding>) -> Self {
        let mut answer = Self { live: None, limits, siding, spent: Spent::default() };
        answer.note(&live);
        answer.live = Some(live);
        answer
    }

    /// Asks the question. Once, before any step.
    pub async fn start(&mut self, request: &ChatRequest) -> Result<Output, CallError> {
        let mut live = self.live.take().ok_or(CallError::Poisoned)?;
        let question = convert::question::question(request);
        live.begin(self.limits.start);
        let call = async move {
            let Live { store, plugin, answer, .. } = &mut live;
            let guest = plugin.sluice_plugin_provider().answer();
            let called = guest.call_start(store, *answer, &question).await;
            (live, called)
        };
        let (live, called) = self.siding.run(call).await;
        self.settle(live, called, self.limits.events_per_step)
    }

    /// Tells what came of the last directive.
    pub async fn step(&mut self, input: Input) -> Result<Output, CallError> {
        let mut live = self.live.take().ok_or(CallError::Poisoned)?;
        let frames = if let Input::Frames(frames) = &input { frames.len() } else { 0 };
        let most = frames
            .saturating_mul(self.limits.events_per_frame)
            .saturating_add(self.limits.events_per_step);
        let input = convert::input::input(input);
        live.begin(self.limits.step);
        let call = async move {
            let Live { store, plugin, answer, .. } = &mut live;
            let guest = plugin.sluice_plugin_provider().answer();
            let called = guest.call_step(store, *answer, &input).await;
            (live, called)
        };
        let (live, called) = self.siding.run(call).await;
        self.settle(live, called, most)
    }

    /// What the answer has used so far, also after it is over. A call that was dropped half-way is not in it.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Judges the outcome of a call; keeps the instance only if there is more to come.
    fn settle(
        &mut self,
        mut live: Live,
        called: wasmtime::Result<provider::Output>,
        most_events: usize,
    ) -> Result<Output, CallError> {
        live.store.data_mut().rest();
        self.spent.calls += 1;
        self.note(&live);
        let guest = live.store.data();
        let output = called.map_err(|error| guest.failed(error))?;
        if output.events.len() > most_events {
            return Err(guest.blamed(CallError::TooMuchOutput));
        }
        let (output, bytes) = convert::output::output(output);
        self.spent.output_bytes = self.spent.output_bytes.saturating_add(bytes);
        if self.spent.output_bytes > self.limits.answer_bytes {
            return Err(guest.blamed(CallError::TooMuchOutput));
        }
        match output.next {
            Directive::More | Directive::Send(_) | Directive::Wait(_) => self.live = Some(live),
            Directive::Done | Directive::Fail(_) => drop(live),
        }
        Ok(output)
    }

    fn note(&mut self, live: &Live) {
        let guest = live.store.data();
        self.spent.guest_time = guest.clock.spent();
        self.spent.peak_memory_bytes = guest.growth.peak();
    }
}
