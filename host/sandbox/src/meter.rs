//! What a plugin has used since it was loaded. Written where a call of a guest ends, read whenever somebody asks.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::call::CallError;

/// What a plugin has used since it was loaded, in all its instances together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Calls that ended, failed ones included. To be made and told its settings is an instance's first.
    pub calls: u64,
    /// How long they took. Where one gave way, what it waited for its turn is in it.
    pub time: Duration,
    /// Calls that failed, and were the plugin's fault.
    pub failed: Failed,
    /// Largest linear memory that any instance had, in bytes.
    pub peak_memory_bytes: usize,
}

/// Calls that failed, by how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failed {
    /// They ran too long.
    pub timed_out: u64,
    /// They wanted more memory than they may have.
    pub out_of_memory: u64,
    /// They crashed.
    pub trapped: u64,
    /// They broke the contract, or said too much.
    pub broke: u64,
}

impl Failed {
    /// However they failed.
    pub fn all(self) -> u64 {
        self.each().iter().map(|(_, count)| count).sum()
    }

    /// Each way by its name.
    pub fn each(self) -> [(&'static str, u64); 4] {
        let Self { timed_out, out_of_memory, trapped, broke } = self;
        [
            ("timed_out", timed_out),
            ("out_of_memory", out_of_memory),
            ("trapped", trapped),
            ("broke", broke),
        ]
    }
}

/// Counts it. The counters are of the moment, each for itself.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
    timed_out: AtomicU64,
    out_of_memory: AtomicU64,
    trapped: AtomicU64,
    broke: AtomicU64,
    peak_memory_bytes: AtomicUsize,
}

impl Meter {
    /// A call ended, in an instance that had so much memory at most.
    pub(crate) fn took(&self, time: Duration, peak_memory_bytes: usize) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.peak_memory_bytes.fetch_max(peak_memory_bytes, Ordering::Relaxed);
    }

    /// It failed.
    pub(crate) fn failed(&self, error: &CallError) {
        let counter = match error {
            CallError::TimedOut(_) => &self.timed_out,
            CallError::OutOfMemory => &self.out_of_memory,
            CallError::Trapped { .. } => &self.trapped,
            CallError::TooMuchOutput | CallError::Malformed(_) => &self.broke,
            CallError::Busy | CallError::Refused(_) | CallError::Poisoned => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// So much until now.
    pub(crate) fn read(&self) -> Used {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Used {
            calls: count(&self.calls),
            time: Duration::from_nanos(count(&self.nanoseconds)),
            failed: Failed {
                timed_out: count(&self.timed_out),
                out_of_memory: count(&self.out_of_memory),
                trapped: count(&self.trapped),
                broke: count(&self.broke),
            },
            peak_memory_bytes: self.peak_memory_bytes.load(Ordering::Relaxed),
        }
    }
}
