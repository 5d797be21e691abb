//! What policies are asked, what they say, and how long that takes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sluice_chat::policy::OutputVerdict;
use sluice_sandbox::{CallError, Hook};
use tokio::time::Instant;

use super::label::{Asked, Judged};

/// Buckets for calls of a policy, in seconds: from an instance that is made at once to one that waits for its turn.
const CALLS: [f64; 9] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.25];

type Times = Family<Asked, Histogram, fn() -> Histogram>;

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Allowed,
    /// It goes on, changed.
    Edited,
    /// It does not.
    Denied,
    /// It was not asked: its policy failed too often.
    Skipped,
    /// What it said cannot be done.
    Nonsense,
    /// It ran too long.
    TimedOut,
    /// It wanted too much memory.
    OutOfMemory,
    /// It crashed.
    Trapped,
    /// It broke the contract, or refused the settings it had taken before.
    Broke,
    /// There was no room to run it.
    Busy,
}

impl Verdict {
    /// Of a call that failed.
    pub(crate) fn of(error: &CallError) -> Self {
        match error {
            CallError::Busy => Self::Busy,
            CallError::TimedOut(_) => Self::TimedOut,
            CallError::OutOfMemory => Self::OutOfMemory,
            CallError::Trapped { .. } => Self::Trapped,
            CallError::Refused(_)
            | CallError::TooMuchOutput
            | CallError::Malformed(_)
            | CallError::Poisoned => Self::Broke,
        }
    }

    /// Of a filter.
    pub(crate) fn of_output(verdict: &OutputVerdict) -> Self {
        match verdict {
            OutputVerdict::Redact(spans) if !spans.is_empty() => Self::Edited,
            OutputVerdict::Pass | OutputVerdict::Redact(_) => Self::Allowed,
            OutputVerdict::Stop(_) => Self::Denied,
        }
    }

    /// What an operator is woken for.
    const FAILURES: [Self; 7] = [
        Self::Skipped,
        Self::Nonsense,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::Trapped,
        Self::Broke,
        Self::Busy,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Edited => "edited",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
            Self::Nonsense => "nonsense",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::Trapped => "trapped",
            Self::Broke => "broke",
            Self::Busy => "busy",
        }
    }
}

/// Counts what policies do.
#[derive(Debug, Clone)]
pub(crate) struct Judging {
    calls: Family<Judged, Counter>,
    times: Times,
}

impl Judging {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let times: fn() -> Histogram = || Histogram::new(CALLS);
        let judging = Self { calls: Family::default(), times: Times::new_with_constructor(times) };
        registry.register(
            "sluice_policy_calls",
            "Calls of a policy, by hook and what came of them.",
            judging.calls.clone(),
        );
        registry.register(
            "sluice_policy_seconds",
            "Time of a call of a policy, waiting for its turn included.",
            judging.times.clone(),
        );
        judging
    }

    /// Something came of a call.
    pub(crate) fn judged(&self, policy: &str, hook: Hook, verdict: Verdict) {
        self.calls.get_or_create(&judged(policy, hook, verdict)).inc();
    }

    /// Shows every failure of a policy that is asked, also one that never was.
    pub(super) fn show(&self, policy: &str, hook: Hook) {
        for failure in Verdict::FAILURES {
            drop(self.calls.get_or_create(&judged(policy, hook, failure)));
        }
    }

    /// Times one call.
    pub(crate) async fn timed<T>(
        &self,
        policy: &str,
        hook: Hook,
        call: impl Future<Output = T>,
    ) -> T {
        let begun = Instant::now();
        let said = call.await;
        let asked = Asked { policy: policy.to_owned(), hook: hook.as_str() };
        self.times.get_or_create(&asked).observe(begun.elapsed().as_secs_f64());
        said
    }
}

fn judged(policy: &str, hook: Hook, verdict: Verdict) -> Judged {
    Judged { policy: policy.to_owned(), hook: hook.as_str(), outcome: verdict.as_str() }
}
