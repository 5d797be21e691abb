//! The component of a policy as something the testkit can put cases to: a fresh instance for each question.

mod form;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use sluice_chat::id;
use sluice_chat::policy as ours;
use sluice_sandbox::{self as sandbox, CallError, Hook};
use sluice_testkit as testkit;
use sluice_testkit::{Failure, Filtering, Judging, PolicyCase, Stopped};
use tokio::runtime::Runtime;

use super::tested::Cost;

/// A policy with settings, or its refusal of them.
pub(super) type Candidate = Result<sandbox::Policy, Failure>;

/// A policy's component, to be asked.
#[derive(Debug)]
pub(super) struct Asked {
    runtime: Rc<Runtime>,
    candidate: Candidate,
    cost: Rc<Cell<Cost>>,
}

/// A filter of it, at work.
#[derive(Debug)]
pub(super) struct AtWork {
    runtime: Rc<Runtime>,
    filter: sandbox::Filter,
    cost: Rc<Cell<Cost>>,
}

impl Asked {
    pub(super) fn new(runtime: Rc<Runtime>, candidate: Candidate) -> Self {
        Self { runtime, candidate, cost: Rc::default() }
    }

    /// What the case took so far.
    pub(super) fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// The policy, if it takes its settings and has the hook.
    fn policy(&self, hook: Hook) -> Result<&sandbox::Policy, Stopped> {
        let policy =
            self.candidate.as_ref().map_err(|failure| Stopped::Refused(failure.clone()))?;
        policy.has(hook).then_some(policy).ok_or(Stopped::Missing(hook.as_str()))
    }

    /// Runs one call in an instance of its own.
    fn run<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, Stopped> {
        timed(&self.runtime, &self.cost, 1, call)
    }
}

/// Runs a call and notes what it took.
fn timed<T>(
    runtime: &Runtime,
    cost: &Cell<Cost>,
    instances: u32,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Stopped> {
    let since = Instant::now();
    let said = runtime.block_on(call);
    cost.set(cost.get().with(instances, since.elapsed()));
    said.map_err(|error| Stopped::Fault(Box::new(error)))
}

impl Judging for Asked {
    type Filter = AtWork;

    fn connect(&self, case: &PolicyCase) -> Result<testkit::Decision, Stopped> {
        let policy = self.policy(Hook::Connect)?;
        let subject = form::subject(case);
        self.run(policy.on_connect(&subject, case.circumstances.seed)).map(form::decision)
    }

    fn message(&self, case: &PolicyCase) -> Result<testkit::MessageDecision, Stopped> {
        let policy = self.policy(Hook::Message)?;
        let (subject, chat) = (form::subject(case), form::chat(case));
        self.run(policy.on_message(&subject, &chat, case.circumstances.seed))
            .map(form::message_decision)
    }

    fn filter(&self, case: &PolicyCase) -> Result<AtWork, Stopped> {
        let policy = self.policy(Hook::Output)?;
        let subject = form::subject(case);
        let filter = self.run(policy.filter(&subject, case.circumstances.seed))?;
        let filter = filter.ok_or(Stopped::Missing(Hook::Output.as_str()))?;
        Ok(AtWork { runtime: Rc::clone(&self.runtime), filter, cost: Rc::clone(&self.cost) })
    }

    fn admin(&self, case: &PolicyCase) -> Result<testkit::Decision, Stopped> {
        let policy = self.policy(Hook::Admin)?;
        let (subject, action) = (form::subject(case), form::action(case));
        self.run(policy.on_admin(&subject, &action, case.circumstances.seed)).map(form::decision)
    }

    fn usage(&self, case: &PolicyCase) -> Result<testkit::UsageDecision, Stopped> {
        let policy = self.policy(Hook::Usage)?;
        let (subject, outcome) = (form::subject(case), form::outcome(case));
        self.run(policy.on_usage(&subject, &outcome, case.circumstances.seed))
            .map(form::usage_decision)
    }
}

impl Filtering for AtWork {
    fn check(
        &mut self,
        channel: testkit::Channel,
        chunk: &str,
        last: bool,
    ) -> Result<testkit::Judged, Stopped> {
        let call = self.filter.check(form::channel(channel), chunk, last);
        timed(&self.runtime, &self.cost, 0, call).map(form::judged)
    }

    fn finish(self) -> Result<testkit::Effect, Stopped> {
        timed(&self.runtime, &self.cost, 0, self.filter.finish()).map(form::effect)
    }
}
