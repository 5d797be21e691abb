//! The contract's `log`: lines of plugins as events of target `plugin`, as many and as long as one can bear.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::contract::log::{Host, Level};
use crate::guest::Guest;
use crate::plain::plain;

/// Bytes of a line.
const LINE_BYTES: usize = 2 << 10;

/// Lines a second of one plugin, over all its answers.
const LINES_PER_SECOND: u32 = 20;

/// What is said about one plugin, over all its answers.
#[derive(Debug)]
pub(crate) struct Journal {
    plugin: String,
    quota: Mutex<Quota>,
}

impl Journal {
    /// For the plugin of this name.
    pub(crate) fn new(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), quota: Mutex::new(Quota::new(Instant::now())) }
    }

    /// Whether a line may be written now: if so, how many were dropped since the last.
    fn admit(&self, now: Instant) -> Option<u64> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner).admit(now)
    }

    fn drop_line(&self) {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner).dropped += 1;
    }

    fn write(&self, level: Level, line: &str, dropped: u64) {
        let plugin = self.plugin.as_str();
        match level {
            Level::Debug => tracing::debug!(target: "plugin", plugin, dropped, "{line}"),
            Level::Info => tracing::info!(target: "plugin", plugin, dropped, "{line}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, dropped, "{line}"),
            Level::Error => tracing::error!(target: "plugin", plugin, dropped, "{line}"),
        }
    }
}

/// A bucket of lines that fills by the second.
#[derive(Debug)]
struct Quota {
    lines: f64,
    filled: Instant,
    dropped: u64,
}

impl Quota {
    fn new(now: Instant) -> Self {
        Self { lines: f64::from(LINES_PER_SECOND), filled: now, dropped: 0 }
    }

    fn admit(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let most = f64::from(LINES_PER_SECOND);
        self.lines = (self.lines + passed * most).min(most);
        self.filled = now;
        if self.lines < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }
}

/// Lines of one answer.
#[derive(Debug)]
pub(crate) struct Lines {
    journal: Arc<Journal>,
    left: u32,
}

impl Lines {
    pub(crate) fn new(journal: Arc<Journal>, lines: u32) -> Self {
        Self { journal, left: lines }
    }

    fn say(&mut self, level: Level, message: &str) {
        let Some(left) = self.left.checked_sub(1) else {
            self.journal.drop_line();
            return;
        };
        let Some(dropped) = self.journal.admit(Instant::now()) else { return };
        self.left = left;
        self.journal.write(level, &plain(message, LINE_BYTES), dropped);
    }
}

impl Host for Guest {
    fn log(&mut self, level: Level, message: String) {
        self.lines.say(level, &message);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_over_the_rate_is_dropped_counted_and_told_with_the_next_line() {
        let start = Instant::now();
        let mut quota = Quota::new(start);

        let written = (0..50).filter(|_| quota.admit(start).is_some()).count();
        let told = quota.admit(start + Duration::from_millis(60));

        assert_eq!(written, 20);
        assert_eq!(told, Some(30));
    }
}
