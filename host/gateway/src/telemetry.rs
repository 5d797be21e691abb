//! Where the log goes: stderr, as text for people or JSON for machines.

use std::fmt;
use std::io::IsTerminal as _;

use tracing_subscriber::reload::Error;
use tracing_subscriber::{EnvFilter, FmtSubscriber};

use crate::settings::{LogFormat, Telemetry};

/// What is logged, to be changed while the process runs.
pub(crate) struct Level(Box<dyn Fn(EnvFilter) -> Result<(), Error> + Send + Sync>);

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Level")
    }
}

impl Level {
    /// Logs that from here on.
    pub(crate) fn set(&self, level: &str) {
        if let Err(error) = (self.0)(filter(level)) {
            tracing::error!(error = &error as &dyn std::error::Error, "the log level stays");
        }
    }
}

/// Starts the log. The first call counts.
pub(crate) fn start(telemetry: &Telemetry) -> Level {
    let log = FmtSubscriber::builder()
        .with_env_filter(filter(&telemetry.level))
        .with_writer(std::io::stderr);
    // Only a second start fails, and the first one goes on.
    match telemetry.log_format {
        LogFormat::Text => {
            let log = log.with_ansi(std::io::stderr().is_terminal()).with_filter_reloading();
            let handle = log.reload_handle();
            drop(log.try_init());
            Level(Box::new(move |filter| handle.reload(filter)))
        }
        LogFormat::Json => {
            // The innermost span says which session, connection or call a line is about.
            let log = log.json().flatten_event(true).with_span_list(false).with_filter_reloading();
            let handle = log.reload_handle();
            drop(log.try_init());
            Level(Box::new(move |filter| handle.reload(filter)))
        }
    }
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"))
}
