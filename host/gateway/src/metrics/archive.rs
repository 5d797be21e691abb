//! How long the archive takes for what operators watch.

use std::future::Future;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::SECONDS;
use super::label::Operated;

type Times = Family<Operated, Histogram, fn() -> Histogram>;

/// Times operations.
#[derive(Debug, Clone)]
pub(crate) struct Archiving {
    times: Times,
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// The first message of a session is stored.
    CreateSession,
    /// A session is ended.
    EndSession,
    /// An operator's page of sessions is read.
    ListAllSessions,
    /// An operator's figures are read.
    GetSessionMetrics,
}

impl Operation {
    const ALL: [Self; 4] =
        [Self::CreateSession, Self::EndSession, Self::ListAllSessions, Self::GetSessionMetrics];

    fn as_str(self) -> &'static str {
        match self {
            Self::CreateSession => "create_session",
            Self::EndSession => "end_session",
            Self::ListAllSessions => "list_all_sessions_with_options",
            Self::GetSessionMetrics => "get_session_metrics",
        }
    }
}

impl Archiving {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let times: fn() -> Histogram = || Histogram::new(SECONDS);
        let archiving = Self { times: Times::new_with_constructor(times) };
        for operation in Operation::ALL {
            drop(archiving.times.get_or_create(&Operated { operation: operation.as_str() }));
        }
        registry.register(
            "chatbox_mongodb_operation_seconds",
            "Time of an operation on the archive, whichever engine it has.",
            archiving.times.clone(),
        );
        archiving
    }

    /// Times one operation.
    pub(crate) async fn timed<T>(&self, operation: Operation, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        let operated = Operated { operation: operation.as_str() };
        self.times.get_or_create(&operated).observe(begun.elapsed().as_secs_f64());
        done
    }
}
