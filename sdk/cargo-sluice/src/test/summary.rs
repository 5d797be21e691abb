//! Counting what test runners say they did.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ran, and how they ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Who runs the tests: each closes in a way of its own.
///
/// What a failed test had printed is shown too, and may hold another runner's closing line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    /// `cargo nextest`: one summary, on standard error.
    Nextest,
    /// `cargo test`: a line for each test binary, on standard output.
    Libtest,
    /// Ends with `N passed, N failed` on standard output.
    Plain,
}

/// Adds up the closing lines among a runner's output.
#[derive(Debug)]
pub(super) struct Tally {
    runner: Runner,
    counts: Counts,
}

impl Tally {
    /// Nothing heard yet.
    pub(super) fn of(runner: Runner) -> Self {
        Self { runner, counts: Counts::default() }
    }

    /// Takes one line of output, closing line or not, coloured or not.
    pub(super) fn hear(&mut self, line: &str) {
        let line = without_colours(line);
        let line = line.trim();
        let counts = match self.runner {
            Runner::Nextest => nextest(line),
            Runner::Libtest => libtest(line),
            Runner::Plain => plain(line),
        };
        self.counts += counts.unwrap_or_default();
    }

    /// The result, given whether the runner itself succeeded.
    ///
    /// A runner that failed without a failing test failed to compile, or to run at all.
    pub(super) fn close(self, succeeded: bool) -> Counts {
        let Counts { passed, failed } = self.counts;
        match (succeeded, passed, failed) {
            (false, passed, 0) => Counts { passed, failed: 1 },
            (_, passed, failed) => Counts { passed, failed },
        }
    }

    /// Whether any closing line was heard.
    pub(super) fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }
}

/// `Summary [ 1.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped`
fn nextest(line: &str) -> Option<Counts> {
    let (_, counted) = line.strip_prefix("Summary [")?.split_once(" run: ")?;
    let mut counts = Counts::default();
    for part in without_asides(counted).split(',') {
        let (number, what) = part.trim().split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what.trim() {
            "passed" => counts.passed += number,
            "skipped" => {}
            _ => counts.failed += number,
        }
    }
    Some(counts)
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s`
fn libtest(line: &str) -> Option<Counts> {
    let (_, counted) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number_of = |what| {
        counted.split(';').find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    Some(Counts { passed: number_of("passed")?, failed: number_of("failed")? })
}

/// `5 passed, 0 failed`
fn plain(line: &str) -> Option<Counts> {
    let mut parts = line.split(", ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some(Counts { passed, failed })
}

/// The text without what stands in parentheses.
fn without_asides(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            other if depth == 0 => kept.push(other),
            _ => {}
        }
    }
    kept
}

/// The text without terminal colours (`ESC [ … letter`).
fn without_colours(text: &str) -> String {
    let mut letters = text.chars();
    let mut kept = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // The sequence ends with its first letter.
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            kept.push(letter);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(runner: Runner, lines: &[&str]) -> Tally {
        let mut tally = Tally::of(runner);
        for line in lines {
            tally.hear(line);
        }
        tally
    }

    fn counts(passed: u64, failed: u64) -> Counts {
        Counts { passed, failed }
    }

    #[test]
    fn nextests_summary_is_counted_in_all_its_forms() {
        let all_well = "     Summary [   0.006s] 3 tests run: 3 passed, 0 skipped";
        let one = "     Summary [   0.006s] 1 test run: 1 passed, 4 skipped";
        let bad = "     Summary [  12.1s] 10/12 tests run: 6 passed (1 slow, 1 flaky), 2 failed \
                   (1 due to being leaky), 1 timed out, 1 exec failed, 0 skipped";

        assert_eq!(tally(Runner::Nextest, &[all_well]).close(true), counts(3, 0));
        assert_eq!(tally(Runner::Nextest, &[one]).close(true), counts(1, 0));
        assert_eq!(tally(Runner::Nextest, &[bad]).close(false), counts(6, 4));
    }

    #[test]
    fn colours_do_not_hide_a_summary() {
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.0s] \u{1b}[1m2\u{1b}[0m tests run: \
                        \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m skipped";

        assert_eq!(tally(Runner::Nextest, &[coloured]).close(true), counts(2, 0));
    }

    #[test]
    fn every_crates_line_of_cargo_test_is_added_up() {
        let lines = [
            "running 5 tests",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "   Doc-tests sluice_sdk",
            "test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.0s",
        ];

        assert_eq!(tally(Runner::Libtest, &lines).close(false), counts(6, 2));
    }

    #[test]
    fn the_plain_line_counts_and_other_lines_do_not() {
        let lines = ["case tool-call passed", "7 passed, 1 failed", "8 passed, all well"];

        assert_eq!(tally(Runner::Plain, &lines).close(false), counts(7, 1));
        assert!(tally(Runner::Plain, &["nothing of note"]).is_empty());
    }

    #[test]
    fn what_a_failed_test_printed_is_not_counted() {
        let lines = [
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out",
            "     Summary [   1.0s] 3 tests run: 2 passed, 1 failed, 0 skipped",
        ];

        assert_eq!(tally(Runner::Nextest, &lines).close(false), counts(2, 1));
    }

    #[test]
    fn a_run_that_failed_before_any_test_is_a_failure() {
        assert_eq!(
            tally(Runner::Nextest, &["error: could not compile"]).close(false),
            counts(0, 1)
        );
        assert_eq!(tally(Runner::Plain, &["4 passed, 0 failed"]).close(false), counts(4, 1));
    }
}
