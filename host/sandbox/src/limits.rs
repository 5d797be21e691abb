//! What one plugin may use. Plain numbers; `guest` and `answer` hold them up.

use std::time::Duration;

/// Bounds on one plugin's answers.
///
/// Times are guest time: how long the plugin's own code ran, in ticks of about a millisecond. Waiting for its turn, for the
/// network or for the user costs a plugin nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For instantiating and `configure` together, once an answer.
    pub configure: Duration,
    /// For `start`.
    pub start: Duration,
    /// For each `step`.
    pub step: Duration,
    /// For each call of a policy's hook.
    pub hook: Duration,
    /// For each chunk of an answer that a policy filters.
    pub window: Duration,
    /// On top of a hook's and a window's, for each whole [`Limits::PAGE_BYTES`] of text that the call is given: reading takes time,
    /// and how much there is to read is not the policy's choice.
    pub page: Duration,
    /// For each of the two calls that make vectors, and of the two that list models: reading is much text at once.
    pub embedding: Duration,
    /// For all calls of one answer together, and for all of one filter.
    pub answer: Duration,
    /// Linear memory in bytes; at most [`Limits::MAX_MEMORY_BYTES`], more is cut to it.
    pub memory_bytes: usize,
    /// Table elements, over all tables.
    pub table_elements: usize,
    /// Bytes that one call may hand over, structure included.
    pub step_bytes: usize,
    /// Bytes of text in the events and requests of one answer.
    pub answer_bytes: usize,
    /// Events that any call may yield.
    pub events_per_step: usize,
    /// Events that a step may yield on top, for each frame it was given.
    pub events_per_frame: usize,
    /// Log lines of one answer.
    pub log_lines: u32,
    /// Answers of this plugin at a time; `None` is as many as the pool has.
    pub live_answers: Option<usize>,
}

impl Limits {
    /// Largest linear memory that the pool has room for.
    pub const MAX_MEMORY_BYTES: usize = 16 << 20;
    /// Text that a policy has [`Limits::page`] more for.
    pub const PAGE_BYTES: usize = 16 << 10;

    /// The time for a message's judgement whose texts are so long.
    pub(crate) fn hook_reading(&self, bytes: usize) -> Duration {
        self.hook + self.reading(bytes)
    }

    /// The time for a look at so many bytes of an answer.
    pub(crate) fn window_reading(&self, bytes: usize) -> Duration {
        self.window + self.reading(bytes)
    }

    fn reading(&self, bytes: usize) -> Duration {
        self.page.saturating_mul(u32::try_from(bytes / Self::PAGE_BYTES).unwrap_or(u32::MAX))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            configure: Duration::from_millis(20),
            start: Duration::from_millis(50),
            step: Duration::from_millis(20),
            hook: Duration::from_millis(10),
            window: Duration::from_millis(5),
            page: Duration::from_millis(1),
            embedding: Duration::from_millis(300),
            answer: Duration::from_secs(10),
            memory_bytes: Self::MAX_MEMORY_BYTES,
            table_elements: 20_000,
            step_bytes: 4 << 20,
            answer_bytes: 64 << 20,
            events_per_step: 64,
            events_per_frame: 4,
            log_lines: 200,
            live_answers: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_has_its_time_whatever_the_policy_is() {
        let limits = Limits::default();
        for (bytes, more) in [(0, 0), (16 << 10, 1), (2 << 20, 128)] {
            let more = Duration::from_millis(more);
            assert_eq!(limits.hook_reading(bytes), limits.hook + more);
            assert_eq!(limits.window_reading(bytes), limits.window + more);
        }
        assert_eq!(limits.hook_reading((16 << 10) - 1), limits.hook);
    }
}
