//! The one place that writes to the terminal.
//!
//! Results go to standard output, everything about the way there to standard error.
//! A reader that went away (`| head`) is no error.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::problem::Problem;

/// A line of result.
pub(crate) fn line(text: &str) {
    // Whoever stopped reading does not want to be told.
    writeln!(std::io::stdout(), "{text}").ok();
}

/// Text of result without a line's end, shown at once.
pub(crate) fn text(text: &str) {
    let mut out = std::io::stdout();
    write!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// A line about what is being done.
pub(crate) fn note(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// A failure; each of its lines names one thing.
pub(crate) fn problem(problem: &Problem) {
    for line in problem.to_string().lines() {
        note(&format!("error: {line}"));
    }
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// A spinner with a text while something of unknown length runs; nothing without a terminal.
pub(crate) fn spinner(text: &str) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(text.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A bar for `total` bytes; nothing without a terminal.
pub(crate) fn bytes_bar(text: &str, total: u64) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.with_message(text.to_owned())
}

/// A number of bytes as a person reads it.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{}.{} KiB", bytes / 1_024, bytes % 1_024 * 10 / 1_024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

/// A span of time as a person reads it.
pub(crate) fn time(span: Duration) -> String {
    match span.as_secs() {
        0..60 => format!("{:.1} s", span.as_secs_f64()),
        seconds => format!("{}:{:02} min", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(size(17), "17 bytes");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(8 * 1_048_576), "8.0 MiB");
        assert_eq!(time(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(time(Duration::from_secs(61)), "1:01 min");
    }
}
