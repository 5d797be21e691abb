//! One policy of the chain, and what is known of its health.

use sluice_sandbox::{CallError, Hook, Policy};
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::settings::OnFailure;

/// One policy of the chain.
#[derive(Debug)]
pub(crate) struct Link {
    policy: Policy,
    on_failure: OnFailure,
    /// Of each hook its own: that one works says nothing of another.
    breakers: [(Hook, Breaker); 5],
}

/// Whether a policy is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    Asked,
    /// One of its hooks failed too often in a row. That is not asked for a while, which counts as a failure.
    Down,
}

impl Link {
    /// A policy that nothing is known of yet.
    pub(crate) fn new(policy: Policy, on_failure: OnFailure) -> Self {
        let breakers = Hook::ALL.map(|hook| (hook, Breaker::default()));
        Self { policy, on_failure, breakers }
    }

    /// The policy.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its id in the configuration.
    pub(crate) fn name(&self) -> &str {
        self.policy.name()
    }

    /// Whether what it cannot judge passes.
    pub(crate) fn passes_failures(&self) -> bool {
        self.on_failure == OnFailure::Open
    }

    /// Whether it is asked now.
    pub(crate) fn state(&self) -> State {
        let now = Instant::now();
        let down = self.breakers.iter().any(|(_, breaker)| breaker.is_down(now));
        if down { State::Down } else { State::Asked }
    }

    pub(super) fn admits(&self, hook: Hook) -> bool {
        self.breaker(hook).is_none_or(|breaker| breaker.admits(Instant::now()))
    }

    pub(super) fn worked(&self, hook: Hook) {
        self.breaker(hook).inspect(|breaker| breaker.worked());
    }

    fn breaker(&self, hook: Hook) -> Option<&Breaker> {
        self.breakers.iter().find(|(of, _)| *of == hook).map(|(_, breaker)| breaker)
    }

    /// Whether that was one failure too many.
    pub(super) fn failed(&self, hook: Hook, error: &CallError) -> bool {
        let its_own = match error {
            CallError::Busy | CallError::Poisoned => false,
            CallError::Refused(_)
            | CallError::TimedOut(_)
            | CallError::OutOfMemory
            | CallError::Trapped { .. }
            | CallError::TooMuchOutput
            | CallError::Malformed(_) => true,
        };
        its_own && self.breaker(hook).is_some_and(|breaker| breaker.failed(Instant::now()))
    }
}
