//! The clock of day, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use sluice_chat::id::Instant;

/// Now, in milliseconds since the Unix epoch. A clock before 1970 reads as 1970.
pub(crate) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
