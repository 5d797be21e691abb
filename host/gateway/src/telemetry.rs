//! Where the log goes: stderr, as text for people or JSON for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Telemetry};

/// Starts the log. The first call counts.
pub(crate) fn start(telemetry: &Telemetry) {
    let filter = EnvFilter::try_new(&telemetry.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match telemetry.log_format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    // Only a second start fails, and the first one goes on.
    drop(started);
}
