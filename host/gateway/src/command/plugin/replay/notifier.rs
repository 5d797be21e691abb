//! The component of a notifier as something the testkit can tell cases to: a fresh instance for each question.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use sluice_chat::exchange::{Field, Head};
use sluice_chat::{id, notice};
use sluice_sandbox::{CallError, Notifier};
use sluice_testkit::{Failure, News, NotifierCase, Recording, Request, Severity, Stopped, Telling};
use tokio::runtime::Runtime;

use super::said;
use super::tested::Cost;

/// A notifier with settings, or its refusal of them.
pub(super) type Candidate = Result<Notifier, Failure>;

/// A notifier's component, to be told.
#[derive(Debug)]
pub(super) struct Told {
    runtime: Rc<Runtime>,
    candidate: Candidate,
    cost: Cell<Cost>,
}

impl Told {
    pub(super) fn new(runtime: Rc<Runtime>, candidate: Candidate) -> Self {
        Self { runtime, candidate, cost: Cell::default() }
    }

    /// What the case took so far.
    pub(super) fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// The notifier, if it takes its settings.
    fn notifier(&self) -> Result<&Notifier, Stopped> {
        self.candidate.as_ref().map_err(|failure| Stopped::Refused(failure.clone()))
    }

    /// Runs one call in an instance of its own.
    fn run<T>(&self, call: impl Future<Output = T>) -> T {
        let since = Instant::now();
        let said = self.runtime.block_on(call);
        self.cost.set(self.cost.get().with(1, since.elapsed()));
        said
    }
}

impl Telling for Told {
    fn render(&self, case: &NotifierCase) -> Result<Result<Option<Request>, Failure>, Stopped> {
        let notifier = self.notifier()?;
        let (now, seed) = (id::Instant(case.circumstances.now_ms), case.circumstances.seed);
        match self.run(notifier.render(&notice(&case.notice), now, seed)) {
            Ok(request) => Ok(Ok(request.map(said::request))),
            Err(CallError::Refused(error)) => Ok(Err(said::failure(error))),
            Err(error) => Err(Stopped::Fault(Box::new(error))),
        }
    }

    fn accepted(&self, case: &NotifierCase, answer: &Recording) -> Result<bool, Stopped> {
        let notifier = self.notifier()?;
        let (now, seed) = (id::Instant(case.circumstances.now_ms), case.circumstances.seed);
        let field =
            |(name, value): &(String, String)| Field { name: name.clone(), value: value.clone() };
        let headers = answer.headers.iter().map(field).collect();
        let head = Head { status: answer.status, headers };
        let body = String::from_utf8_lossy(&answer.body);
        self.run(notifier.accepted(&head, &body, now, seed))
            .map_err(|error| Stopped::Fault(Box::new(error)))
    }
}

fn notice(news: &News) -> notice::Notice {
    let News { id, kind, severity, title, text, about, at_ms, attempt } = news.clone();
    notice::Notice {
        id,
        kind,
        severity: match severity {
            Severity::Warning => notice::Severity::Warning,
            Severity::Critical => notice::Severity::Critical,
        },
        title,
        text,
        about: about.into_iter().map(|(name, value)| Field { name, value }).collect(),
        at: id::Instant(at_ms),
        attempt,
    }
}
