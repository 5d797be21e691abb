//! Everything that is checked of a policy's case.

use std::error::Error;

use serde_json::json;

use super::case::{PolicyCase, Spoken};
use super::judging::{Judging, Stopped};
use super::said::Said;
use super::showing::{Cut, Left, show};
use crate::{case::CaseError, check::CheckError, golden};

/// What is wrong with a policy, or with the case.
#[derive(Debug, thiserror::Error)]
pub enum PolicyCheckError {
    /// The case's files.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It said something else than expected.
    #[error(transparent)]
    Expectation(#[from] CheckError),
    /// The case has no question.
    #[error(
        "the case asks nothing: no `connect = true`, [chat], [[output]], [action] or [outcome]"
    )]
    Empty,
    /// It is asked what it has no hook for.
    #[error("the policy does not have the hook `{hook}` that the case asks")]
    MissingHook {
        /// The hook.
        hook: &'static str,
    },
    /// It crashed, or the like.
    #[error("{how}: no gateway puts up with that")]
    Fault {
        /// What was asked.
        how: String,
        /// What it did.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Where the network cuts shows.
    #[error("{how}, and that shows\n  as in the case: {expected}\n              so: {seen}")]
    Shows {
        /// How it was cut.
        how: String,
        /// What is shown of the case as it stands.
        expected: String,
        /// What was shown.
        seen: String,
    },
    /// Asked the same again, it said something else.
    #[error("asked the same again, it says something else\n  first: {first}\n   then: {then}")]
    Unsteady {
        /// First.
        first: String,
        /// Then.
        then: String,
    },
}

/// Asks all that the case asks, in every way that the module's documentation names. With `update` the expectation is written, not
/// compared.
pub fn check_policy(
    policy: &impl Judging,
    case: &PolicyCase,
    update: bool,
) -> Result<(), PolicyCheckError> {
    let said = ask(policy, case)?;
    if said.is_empty() {
        return Err(PolicyCheckError::Empty);
    }
    let text = lines(&said);
    if update {
        golden::write_expectation(&case.folder, &text)?;
    } else {
        golden::compare_expectation(&case.folder, &text)?;
    }
    let again = ask(policy, case)?;
    if again != said {
        return Err(PolicyCheckError::Unsteady { first: text, then: lines(&again) });
    }
    if !case.output.is_empty() && !matches!(said[..], [Said::Refused(_)]) {
        recut(policy, case)?;
    }
    Ok(())
}

/// What it says to all that the case asks.
fn ask(policy: &impl Judging, case: &PolicyCase) -> Result<Vec<Said>, PolicyCheckError> {
    let mut said = Vec::new();
    let asked = answers(policy, case, &mut said);
    match asked {
        Ok(()) => Ok(said),
        Err((_, Stopped::Refused(failure))) => Ok(vec![Said::Refused(failure)]),
        Err((how, stopped)) => Err(trouble(how, stopped)),
    }
}

type Asked<T> = Result<T, (&'static str, Stopped)>;

fn answers(policy: &impl Judging, case: &PolicyCase, said: &mut Vec<Said>) -> Asked<()> {
    if case.connect {
        said.push(Said::Connect(policy.connect(case).map_err(|why| ("connect", why))?));
    }
    if case.chat.is_some() {
        said.push(Said::Message(policy.message(case).map_err(|why| ("message", why))?));
    }
    if !case.output.is_empty() {
        match filtered(policy, case, Cut::Nowhere).map_err(|why| ("output", why))? {
            Left::Whole(shown, effect) => {
                said.extend(shown.into_iter().map(Said::Shown));
                said.push(Said::Filtered(effect));
            }
            Left::Stopped(shown, denial) => {
                said.extend(shown.into_iter().map(Said::Shown));
                said.push(Said::Stopped(denial));
            }
        }
    }
    if case.action.is_some() {
        said.push(Said::Admin(policy.admin(case).map_err(|why| ("admin", why))?));
    }
    if case.outcome.is_some() {
        said.push(Said::Usage(policy.usage(case).map_err(|why| ("usage", why))?));
    }
    Ok(())
}

fn filtered(policy: &impl Judging, case: &PolicyCase, cut: Cut) -> Result<Left, Stopped> {
    show(policy.filter(case)?, &case.output, cut)
}

/// Where the network cuts must not show. Of an answer that the filter ended only how it ended is compared: how much was shown
/// before depends on what had come.
fn recut(policy: &impl Judging, case: &PolicyCase) -> Result<(), PolicyCheckError> {
    let whole = filtered(policy, case, Cut::Nowhere).map_err(|why| trouble("output", why))?;
    let longest = case.output.iter().map(characters).max().unwrap_or_default();
    for cut in (1..longest).map(Cut::After).chain([Cut::Everywhere]) {
        let how = match cut {
            Cut::Nowhere => "as it stands".to_owned(),
            Cut::After(characters) => format!("cut after {characters} characters"),
            Cut::Everywhere => "cut after every character".to_owned(),
        };
        let seen = filtered(policy, case, cut).map_err(|why| trouble(&how, why))?;
        let same = match (&whole, &seen) {
            (Left::Stopped(_, denial), Left::Stopped(_, same)) => denial == same,
            (whole, seen) => whole == seen,
        };
        if !same {
            let (expected, seen) = (format!("{whole:?}"), format!("{seen:?}"));
            return Err(PolicyCheckError::Shows { how, expected, seen });
        }
    }
    Ok(())
}

fn characters(spoken: &Spoken) -> usize {
    match spoken {
        Spoken::Text(text) | Spoken::Reasoning(text) | Spoken::ToolArguments { text, .. } => {
            text.chars().count()
        }
        Spoken::Citation(_) => 0,
    }
}

fn trouble(how: &str, stopped: Stopped) -> PolicyCheckError {
    let how = how.to_owned();
    match stopped {
        Stopped::Missing(hook) => PolicyCheckError::MissingHook { hook },
        Stopped::Fault(source) => PolicyCheckError::Fault { how, source },
        Stopped::Refused(failure) => {
            let words = failure.detail.unwrap_or(failure.kind);
            PolicyCheckError::Fault { how, source: words.into() }
        }
    }
}

fn lines(said: &[Said]) -> String {
    said.iter().map(|said| json!(said).to_string() + "\n").collect()
}

#[cfg(test)]
#[cfg(feature = "native")]
mod tests;
