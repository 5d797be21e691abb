//! How often an operation is tried, and what is worth another try. Pure but for the last line, which
//! sleeps.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::error::{RETRYABLE_ERROR, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR};

/// Commands that a server refuses because of the state it is in, not because of what was asked:
/// stepping down, shutting down, out of reach of its peers. The list of the driver specification.
const STATE_CODES: [i32; 13] =
    [6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// Jitter adds up to this part of a wait. It never takes anything away.
const JITTER: f64 = 0.25;

/// How often an operation is tried and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, the first included. At least one is made.
    pub attempts: u32,
    /// Wait before the second try; it doubles with each.
    pub delay: Duration,
    /// Longest wait, before jitter.
    pub max_delay: Duration,
}

/// The tries of one operation.
#[derive(Debug)]
pub(crate) struct Tries {
    retry: Retry,
    /// Tries that failed.
    failed: u32,
}

impl Tries {
    /// None made yet.
    pub(crate) fn new(retry: Retry) -> Self {
        Self { retry, failed: 0 }
    }

    /// Whether an earlier try failed.
    pub(crate) fn is_repeated(&self) -> bool {
        self.failed > 0
    }

    /// Counts a failed try; tells how long to wait for the next one, if the failure is worth one and
    /// one is left. `jitter` is between 0 and 1.
    fn next(&mut self, error: &Error, jitter: f64) -> Option<Duration> {
        self.failed += 1;
        if !is_transient(error) || self.failed >= self.retry.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(self.failed - 1);
        let nominal = self.retry.delay.saturating_mul(doubled).min(self.retry.max_delay);
        Some(nominal.saturating_add(nominal.mul_f64(JITTER * jitter)))
    }

    /// Counts a failed try, and waits for the next if there is one.
    pub(crate) async fn again(&mut self, error: &Error) -> bool {
        let Some(wait) = self.next(error, rand::random()) else { return false };
        tracing::debug!(failed = self.failed, ?wait, "the database is asked again");
        tokio::time::sleep(wait).await;
        true
    }
}

/// Whether the same again may succeed. Decided by type, label and code; the text is for people.
pub(crate) fn is_transient(error: &Error) -> bool {
    let labels = [TRANSIENT_TRANSACTION_ERROR, RETRYABLE_WRITE_ERROR, RETRYABLE_ERROR];
    if labels.iter().any(|label| error.contains_label(label)) {
        return true;
    }
    let kind = error.kind.as_ref();
    let refused_with = if let ErrorKind::Command(refused) = kind {
        Some(refused.code)
    } else if let ErrorKind::Write(WriteFailure::WriteConcernError(refused)) = kind {
        Some(refused.code)
    } else {
        None
    };
    refused_with.is_some_and(|code| STATE_CODES.contains(&code))
        || matches!(
            kind,
            ErrorKind::Io(_)
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::ServerSelection { .. }
        )
}

#[cfg(test)]
mod tests;
