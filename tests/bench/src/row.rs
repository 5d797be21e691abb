//! The rows. Each is a file that knows what is measured and how, and nothing of reports.

mod archive;
mod latency;
mod memory;
mod sandbox;
mod spin;
mod start;
mod streams;
mod throughput;

use std::{future::Future, pin::Pin, time::Duration};

use crate::report::Row;

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// One short round: whether it runs at all.
    Quick,
    Full,
}

impl Length {
    pub(crate) fn rounds(self) -> usize {
        match self {
            Self::Quick => 1,
            Self::Full => 5,
        }
    }

    /// Time that one thing is under load in one round.
    pub(crate) fn span(self) -> Duration {
        match self {
            Self::Quick => Duration::from_millis(300),
            Self::Full => Duration::from_secs(3),
        }
    }

    /// So many, or a sixteenth of it.
    pub(crate) fn of(self, many: usize) -> usize {
        match self {
            Self::Quick => many.div_ceil(16),
            Self::Full => many,
        }
    }
}

type Measured = Pin<Box<dyn Future<Output = Vec<Row>>>>;
type Measure = fn(Length) -> Measured;

/// All there are, by name.
pub(crate) const ALL: [(&str, Measure); 8] = [
    ("start", |length| Box::pin(start::measure(length))),
    ("latency", |length| Box::pin(latency::measure(length))),
    ("throughput", |length| Box::pin(throughput::measure(length))),
    ("streams", |length| Box::pin(streams::measure(length))),
    ("spin", |length| Box::pin(spin::measure(length))),
    ("memory", |length| Box::pin(memory::measure(length))),
    ("archive", |length| Box::pin(archive::measure(length))),
    ("sandbox", |length| Box::pin(sandbox::measure(length))),
];
