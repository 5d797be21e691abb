//! What a store knows of its guest: the time it has left, the memory it holds. Everything that runs while a guest is on the stack.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};

use crate::call::{Budget, CallError};
use crate::contract::{chat, http, policy_types, types};
use crate::limits::Limits;
use crate::log::{Journal, Lines};
use crate::meter::Meter;
use crate::ticker::TICK;

/// Handles of resources at a time; an answer needs one.
const HANDLES: usize = 64;

/// Core instances, tables and memories of one store, as the pool has them.
const INSTANCES: usize = 8;
const TABLES: usize = 4;
const MEMORIES: usize = 1;

/// State of one instance, on the host's side.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) clock: Clock,
    pub(crate) growth: Growth,
    pub(crate) lines: Lines,
    pub(crate) meter: Arc<Meter>,
    /// When the call under way began.
    called: Option<Instant>,
}

impl Guest {
    /// A store for one instance, with every limit set.
    pub(crate) fn store(
        engine: &Engine,
        limits: &Limits,
        journal: Arc<Journal>,
        meter: Arc<Meter>,
    ) -> Store<Self> {
        let guest = Self {
            clock: Clock::new(limits.answer),
            growth: Growth::new(limits),
            lines: Lines::new(journal, limits.log_lines),
            meter,
            called: None,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.growth);
        store.set_hostcall_fuel(limits.step_bytes);
        store.set_max_component_handles(HANDLES);
        store.epoch_deadline_callback(|mut context| {
            Ok(if context.data_mut().clock.tick() {
                // The built-in yield goes to the front of tokio's queue and starves the neighbours.
                UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
            } else {
                UpdateDeadline::Interrupt
            })
        });
        store
    }

    /// A call begins, with so much time.
    pub(crate) fn begin(&mut self, budget: Duration) {
        self.clock.begin(budget);
        self.growth.begin();
        self.called = Some(Instant::now());
    }

    /// Tells how a call failed, and counts it.
    pub(crate) fn failed(&self, error: wasmtime::Error) -> CallError {
        self.blamed(CallError::new(self, error))
    }

    /// Counts a call that failed.
    pub(crate) fn blamed(&self, error: CallError) -> CallError {
        self.meter.failed(&error);
        error
    }

    /// The call is over, if there was one.
    pub(crate) fn rest(&mut self) {
        if let Some(called) = self.called.take() {
            self.meter.took(called.elapsed(), self.growth.peak());
        }
    }
}

/// Most instances are gone with their call.
impl Drop for Guest {
    fn drop(&mut self) {
        self.rest();
    }
}

// These interfaces hold types only.
impl types::Host for Guest {}
impl chat::Host for Guest {}
impl http::Host for Guest {}
impl policy_types::Host for Guest {}

/// Ticks that passed while the guest ran, against what it was given.
#[derive(Debug)]
pub(crate) struct Clock {
    call: u32,
    answer: u32,
    spent: u32,
}

impl Clock {
    fn new(answer: Duration) -> Self {
        Self { call: 0, answer: ticks(answer), spent: 0 }
    }

    /// A call begins, with a budget of its own.
    pub(crate) fn begin(&mut self, budget: Duration) {
        self.call = ticks(budget);
    }

    /// One tick passed. False when that was the last.
    fn tick(&mut self) -> bool {
        self.call = self.call.saturating_sub(1);
        self.answer = self.answer.saturating_sub(1);
        self.spent += 1;
        self.exhausted().is_none()
    }

    /// Which budget is used up.
    pub(crate) fn exhausted(&self) -> Option<Budget> {
        match (self.call, self.answer) {
            (_, 0) => Some(Budget::Answer),
            (0, _) => Some(Budget::Call),
            _ => None,
        }
    }

    /// Guest time so far.
    pub(crate) fn spent(&self) -> Duration {
        TICK.saturating_mul(self.spent)
    }
}

/// Whole ticks of a time, one at least.
fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// Memory and tables: what they may grow to and whether more was asked for.
#[derive(Debug)]
pub(crate) struct Growth {
    memory_bytes: usize,
    table_elements: usize,
    elements: usize,
    peak: usize,
    refused: bool,
}

impl Growth {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: limits.memory_bytes.min(Limits::MAX_MEMORY_BYTES),
            table_elements: limits.table_elements,
            elements: 0,
            peak: 0,
            refused: false,
        }
    }

    /// A call begins: what was refused before is no reason for what happens now.
    pub(crate) fn begin(&mut self) {
        self.refused = false;
    }

    /// Whether growth was refused during this call.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Largest linear memory so far, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }
}

impl ResourceLimiter for Growth {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory_bytes;
        if fits {
            self.peak = self.peak.max(desired);
        } else {
            self.refused = true;
        }
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(desired.saturating_sub(current));
        let fits = elements <= self.table_elements;
        if fits {
            self.elements = elements;
        } else {
            self.refused = true;
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_with_its_own_budget_or_with_the_answers() {
        let mut clock = Clock::new(Duration::from_millis(5));

        clock.begin(Duration::from_millis(3));
        assert!(clock.tick() && clock.tick() && !clock.tick());
        assert_eq!(clock.exhausted(), Some(Budget::Call));

        clock.begin(Duration::from_millis(3));
        assert!(clock.tick() && !clock.tick());
        assert_eq!(clock.exhausted(), Some(Budget::Answer));
        assert_eq!(clock.spent(), Duration::from_millis(5));
    }

    #[test]
    fn table_elements_add_up_over_tables() {
        let mut growth = Growth::new(&Limits { table_elements: 10, ..Limits::default() });

        assert!(growth.table_growing(0, 6, None).unwrap());
        assert!(growth.table_growing(0, 4, None).unwrap());
        assert!(!growth.table_growing(4, 5, None).unwrap());
        assert!(growth.was_refused());
    }
}
