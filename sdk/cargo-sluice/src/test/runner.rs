//! Running a test runner: what it says is shown as it comes, and counted.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};

use super::summary::{Counts, Tally};
use crate::problem::Problem;
use crate::say;

/// Where a runner writes its closing lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// Runs it to its end and counts; a test that fails is a count, not a [`Problem`].
pub(super) fn run(mut runner: Command, counted: Stream) -> Result<Counts, Problem> {
    let failed = || Problem::internal("the test runner cannot be run");
    match counted {
        Stream::Out => runner.stdout(Stdio::piped()),
        Stream::Err => runner.stderr(Stdio::piped()),
    };
    let mut running = runner.spawn().map_err(|source| failed().because(source))?;
    let tally = match counted {
        Stream::Out => show(running.stdout.take().ok_or_else(failed)?, say::line),
        Stream::Err => show(running.stderr.take().ok_or_else(failed)?, say::note),
    };
    let ended = running.wait().map_err(|source| failed().because(source))?;
    if ended.success() && tally.is_empty() {
        say::note("(no test)");
    }
    Ok(tally.close(ended.success()))
}

fn show(said: impl Read, show: fn(&str)) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        show(&line);
        tally.hear(&line);
    }
    tally
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
        let out = run(shell("echo '2 passed, 0 failed'"), Stream::Out).expect("it runs");
        let err =
            run(shell("echo '1 passed, 3 failed' >&2; exit 1"), Stream::Err).expect("it runs");

        assert_eq!((out.passed, out.failed), (2, 0));
        assert_eq!((err.passed, err.failed), (1, 3));
    }

    #[test]
    fn a_runner_that_breaks_is_a_failure() {
        let counts = run(shell("exit 3"), Stream::Out).expect("it runs");

        assert_eq!((counts.passed, counts.failed), (0, 1));
    }
}
