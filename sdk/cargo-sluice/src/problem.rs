//! What went wrong, in a line, and the command that mends it.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Problem {
    what: String,
    mend: Vec<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
    code: u8,
}

impl Problem {
    /// Exit code: what was asked or what is installed is not enough.
    pub(crate) const USAGE: u8 = 64;
    /// Exit code: it failed while doing it.
    const INTERNAL: u8 = 70;

    /// Something the person at the keyboard can put right.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { what: what.into(), mend: Vec::new(), source: None, code: Self::USAGE }
    }

    /// Something that failed on the way.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self { what: what.into(), mend: Vec::new(), source: None, code: Self::INTERNAL }
    }

    /// A failure that was told already.
    pub(crate) fn quiet() -> Self {
        Self::internal(String::new())
    }

    /// Adds a command, or a sentence, that mends it.
    pub(crate) fn mend(mut self, how: impl Into<String>) -> Self {
        self.mend.push(how.into());
        self
    }

    /// Adds the error underneath.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Several problems of the same kind as one, a line each.
    pub(crate) fn all(problems: Vec<Self>) -> Result<(), Self> {
        let mut problems = problems.into_iter();
        let Some(mut first) = problems.next() else { return Ok(()) };
        let mut lines = vec![first.line()];
        for problem in problems {
            first.code = first.code.max(problem.code);
            lines.push(problem.line());
        }
        Err(Self { what: lines.join("\n"), mend: Vec::new(), source: None, code: first.code })
    }

    /// The problem as one line: what, why, and how to mend it.
    fn line(&self) -> String {
        let mut line = self.what.clone();
        let mut cause = self.source.as_deref().map(|source| source as &dyn Error);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(error.to_string().trim());
            cause = error.source();
        }
        if !self.mend.is_empty() {
            line.push_str(" -> ");
            line.push_str(&self.mend.join(" or "));
        }
        line
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_why_and_how_to_mend_it() {
        let problem = Problem::usage("cannot read x.wasm")
            .because(std::io::Error::other("no such file"))
            .mend("cargo sluice build");

        assert_eq!(problem.to_string(), "cannot read x.wasm: no such file -> cargo sluice build");
    }

    #[test]
    fn several_problems_are_told_at_once() {
        let both =
            vec![Problem::usage("no cc").mend("apt-get install gcc"), Problem::usage("no b")];

        let told = Problem::all(both).map_err(|problem| problem.to_string());

        assert_eq!(told, Err("no cc -> apt-get install gcc\nno b".to_owned()));
    }

    #[test]
    fn no_problem_is_no_problem() {
        assert!(Problem::all(Vec::new()).is_ok());
    }
}
