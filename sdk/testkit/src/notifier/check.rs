//! Everything that is checked of a notifier's case.

use std::error::Error;

use serde::Serialize;
use serde_json::json;

use super::case::NotifierCase;
use crate::{
    case::CaseError, check::CheckError, event::Failure, golden, policy::Stopped,
    recording::Recording, request::Request,
};

/// A notifier that can be told. Each question is put to a fresh instance.
pub trait Telling {
    /// What is to be sent, or why that cannot be said.
    fn render(&self, case: &NotifierCase) -> Result<Result<Option<Request>, Failure>, Stopped>;

    /// Whether this answer counts as taken.
    fn accepted(&self, case: &NotifierCase, answer: &Recording) -> Result<bool, Stopped>;
}

/// What a notifier says, in the form of a line of `expect.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It refuses its settings, and is told nothing.
    Refused(Failure),
    /// What is to be sent; nothing where its receiver need not know.
    Send(Option<Request>),
    /// It cannot say it.
    Failed(Failure),
    /// Whether the receiver took it, a line for each recorded answer.
    Accepted(bool),
}

/// What is wrong with a notifier, or with the case.
#[derive(Debug, thiserror::Error)]
pub enum NotifierCheckError {
    /// The case's files.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It said something else than expected.
    #[error(transparent)]
    Expectation(#[from] CheckError),
    /// It crashed, or the like.
    #[error("no gateway puts up with that")]
    Fault(#[source] Box<dyn Error + Send + Sync>),
    /// Told the same again, it said something else.
    #[error("told the same again, it says something else\n  first: {first}\n   then: {then}")]
    Unsteady {
        /// First.
        first: String,
        /// Then.
        then: String,
    },
}

/// Tells it all of the case, twice. With `update` the expectation is written, not compared.
pub fn check_notifier(
    notifier: &impl Telling,
    case: &NotifierCase,
    update: bool,
) -> Result<(), NotifierCheckError> {
    let told = lines(&tell(notifier, case)?);
    if update {
        golden::write_expectation(&case.folder, &told)?;
    } else {
        golden::compare_expectation(&case.folder, &told)?;
    }
    let again = lines(&tell(notifier, case)?);
    if again != told {
        return Err(NotifierCheckError::Unsteady { first: told, then: again });
    }
    Ok(())
}

fn tell(notifier: &impl Telling, case: &NotifierCase) -> Result<Vec<Told>, NotifierCheckError> {
    let mut told = Vec::new();
    match answers(notifier, case, &mut told) {
        Ok(()) => Ok(told),
        Err(Stopped::Refused(failure)) => Ok(vec![Told::Refused(failure)]),
        Err(Stopped::Missing(what)) => Err(NotifierCheckError::Fault(what.into())),
        Err(Stopped::Fault(source)) => Err(NotifierCheckError::Fault(source)),
    }
}

fn answers(
    notifier: &impl Telling,
    case: &NotifierCase,
    told: &mut Vec<Told>,
) -> Result<(), Stopped> {
    told.push(match notifier.render(case)? {
        Ok(request) => Told::Send(request),
        Err(failure) => Told::Failed(failure),
    });
    for answer in &case.answers {
        told.push(Told::Accepted(notifier.accepted(case, answer)?));
    }
    Ok(())
}

fn lines(told: &[Told]) -> String {
    told.iter().map(|told| json!(told).to_string() + "\n").collect()
}

#[cfg(test)]
#[cfg(feature = "native")]
mod tests;
