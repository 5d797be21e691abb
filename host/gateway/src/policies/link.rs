//! One policy of the chain, and what is known of its health.

use sluice_sandbox::{CallError, Policy};
use tokio::time::Instant;

use super::fuse::Fuse;
use crate::settings::OnFailure;

/// One policy of the chain.
#[derive(Debug)]
pub(crate) struct Link {
    policy: Policy,
    on_failure: OnFailure,
    fuse: Fuse,
}

/// Whether a policy is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    Asked,
    /// It failed too many users. None of its hooks is asked for a while, which counts as a failure.
    Down,
}

impl Link {
    /// A policy that nothing is known of yet.
    pub(crate) fn new(policy: Policy, on_failure: OnFailure) -> Self {
        Self { policy, on_failure, fuse: Fuse::default() }
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
        if self.fuse.is_down(Instant::now()) { State::Down } else { State::Asked }
    }

    /// Whether that failure, of a call about this user, was one too many.
    pub(super) fn failed(&self, error: &CallError, user: &str) -> bool {
        let its_own = match error {
            CallError::Busy | CallError::Poisoned => false,
            CallError::Refused(_)
            | CallError::TimedOut(_)
            | CallError::OutOfMemory
            | CallError::Trapped { .. }
            | CallError::TooMuchOutput
            | CallError::Malformed(_) => true,
        };
        its_own && self.fuse.failed(Instant::now(), user)
    }
}
