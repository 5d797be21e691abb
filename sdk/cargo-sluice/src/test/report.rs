//! What was run, what was not, and the closing lines.

use std::fmt::Write as _;
use std::time::Instant;

use super::summary::Counts;
use crate::problem::Problem;
use crate::{environment, say};

/// Collects the parts of a run.
#[derive(Debug)]
pub(super) struct Report {
    total: Counts,
    lines: Vec<String>,
    not_run: u64,
    since: Instant,
    not_run_is_failure: bool,
}

impl Report {
    /// Begins a run.
    pub(super) fn begin() -> Self {
        Self {
            total: Counts::default(),
            lines: Vec::new(),
            not_run: 0,
            since: Instant::now(),
            not_run_is_failure: environment::is_ci(),
        }
    }

    /// Runs one part, and says how it ended and how long it took.
    pub(super) fn part(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<Counts, Problem>,
    ) -> Result<(), Problem> {
        say::note(&format!("== {name}"));
        let since = Instant::now();
        let counts = run()?;
        self.total += counts;
        self.lines.push(format!("{name}: {counts} ({})", say::time(since.elapsed())));
        Ok(())
    }

    /// Does what must be done before tests can run, and says how long it took.
    pub(super) fn preparation<T>(
        &mut self,
        name: &str,
        run: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        say::note(&format!("== {name}"));
        let since = Instant::now();
        let done = run()?;
        self.lines.push(format!("{name}: {}", say::time(since.elapsed())));
        Ok(done)
    }

    /// Says that a part could not be run, and why.
    pub(super) fn not_run(&mut self, part: &str, why: &str) {
        self.not_run += 1;
        let line = format!("NOT RUN: {part} ({why})");
        say::note(&line);
        self.lines.push(line);
    }

    /// Prints the closing lines; anything that failed makes the command fail.
    pub(super) fn close(self) -> Result<(), Problem> {
        let (lines, failed) = (self.closing(), self.failed());
        say::line("");
        for line in lines {
            say::line(&line);
        }
        if failed == 0 { Ok(()) } else { Err(Problem::quiet()) }
    }

    fn failed(&self) -> u64 {
        self.total.failed + if self.not_run_is_failure { self.not_run } else { 0 }
    }

    /// One line for each part, then the sum.
    fn closing(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        lines.push(format!("elapsed: {}", say::time(self.since.elapsed())));
        let mut sum = Counts { failed: self.failed(), ..self.total }.to_string();
        if self.not_run > 0 && !self.not_run_is_failure {
            // Writing to a string cannot fail.
            write!(sum, ", {} skipped", self.not_run).ok();
        }
        lines.push(sum);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(not_run_is_failure: bool) -> Report {
        let mut report = Report { not_run_is_failure, ..Report::begin() };
        report.part("one", || Ok(Counts { passed: 3, failed: 0 })).expect("it runs");
        report.part("two", || Ok(Counts { passed: 4, failed: 0 })).expect("it runs");
        report
    }

    fn last(report: &Report) -> String {
        report.closing().pop().expect("a line")
    }

    #[test]
    fn the_last_line_is_the_sum_of_all_parts() {
        assert_eq!(last(&report(false)), "7 passed, 0 failed");
    }

    #[test]
    fn what_was_not_run_is_named_and_counted() {
        let mut report = report(false);
        report.not_run("tests that need Chromium", "no apt-get");

        let lines = report.closing();

        assert!(lines.contains(&"NOT RUN: tests that need Chromium (no apt-get)".to_owned()));
        assert_eq!(last(&report), "7 passed, 0 failed, 1 skipped");
        assert_eq!(report.failed(), 0);
    }

    #[test]
    fn what_was_not_run_is_a_failure_where_nobody_watches() {
        let mut report = report(true);
        report.not_run("tests that need Chromium", "no apt-get");

        assert_eq!(last(&report), "7 passed, 1 failed");
    }
}
