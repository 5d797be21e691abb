//! Running a test runner: what it says is shown as it comes, and counted.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};

use super::summary::{Counts, Runner, Tally};
use crate::problem::Problem;
use crate::say;

/// Runs it to its end and counts; a test that fails is a count, not a [`Problem`].
pub(super) fn run(mut command: Command, runner: Runner) -> Result<Counts, Problem> {
    let failed = || Problem::internal("the test runner cannot be run");
    let on_stderr = runner == Runner::Nextest;
    if on_stderr {
        command.stderr(Stdio::piped());
    } else {
        command.stdout(Stdio::piped());
    }
    let mut running = command.spawn().map_err(|source| failed().because(source))?;
    let mut tally = Tally::of(runner);
    if on_stderr {
        listen(running.stderr.take().ok_or_else(failed)?, say::note, &mut tally);
    } else {
        listen(running.stdout.take().ok_or_else(failed)?, say::line, &mut tally);
    }
    let ended = running.wait().map_err(|source| failed().because(source))?;
    if ended.success() && tally.is_empty() {
        say::note("(no test)");
    }
    Ok(tally.close(ended.success()))
}

/// Shows what a runner says, line by line, and counts it.
fn listen(said: impl Read, show: fn(&str), tally: &mut Tally) {
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        show(&line);
        tally.hear(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn either_stream_is_counted() {
        let summary = "Summary [ 1.0s] 4 tests run: 1 passed, 3 failed, 0 skipped";
        let fails = shell(&format!("echo '{summary}' >&2; exit 1"));

        let out = run(shell("echo '2 passed, 0 failed'"), Runner::Plain).expect("it runs");
        let err = run(fails, Runner::Nextest).expect("it runs");

        assert_eq!((out.passed, out.failed), (2, 0));
        assert_eq!((err.passed, err.failed), (1, 3));
    }

    #[test]
    fn a_runner_that_breaks_is_a_failure() {
        let counts = run(shell("exit 3"), Runner::Libtest).expect("it runs");

        assert_eq!((counts.passed, counts.failed), (0, 1));
    }
}
