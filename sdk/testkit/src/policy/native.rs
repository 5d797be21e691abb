//! Puts cases to a policy's Rust type.

mod said;

use std::{fmt, marker::PhantomData, path::Path};

use sluice_sdk as sdk;
use sluice_sdk::{Context, Hooks, Judge};

use super::case::PolicyCase;
use super::check::{PolicyCheckError, check_policy};
use super::judging::{Channel, Filtering, Judged, Judging, Stopped};
use super::said::{Decision, Effect, MessageDecision, UsageDecision};
use crate::native;

/// A policy, natively.
#[derive(Debug)]
pub struct NativePolicy<P>(PhantomData<P>);

impl<P> Default for NativePolicy<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// A filter at work, natively.
pub struct RunningFilter<P: Judge> {
    cx: Context<P::Settings>,
    subject: sdk::Subject,
    filter: Box<dyn sdk::Filtering<P::Settings>>,
}

impl<P: Judge> fmt::Debug for RunningFilter<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningFilter").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl<P: Judge> NativePolicy<P> {
    fn told(case: &PolicyCase) -> Result<(Context<P::Settings>, sdk::Subject), Stopped> {
        let cx = native::context(&case.circumstances).map_err(Stopped::Refused)?;
        Ok((cx, said::subject(case)))
    }
}

impl<P: Judge> Judging for NativePolicy<P> {
    type Filter = RunningFilter<P>;

    fn connect(&self, case: &PolicyCase) -> Result<Decision, Stopped> {
        let (cx, subject) = Self::told(case)?;
        let hook = P::hooks().on_connect.ok_or(Stopped::Missing("connect"))?;
        Ok(said::decision(hook(&cx, &subject)))
    }

    fn message(&self, case: &PolicyCase) -> Result<MessageDecision, Stopped> {
        let (cx, subject) = Self::told(case)?;
        let hook = P::hooks().on_message.ok_or(Stopped::Missing("message"))?;
        Ok(said::message_decision(hook(&cx, &subject, &said::chat(case))))
    }

    fn filter(&self, case: &PolicyCase) -> Result<Self::Filter, Stopped> {
        let (cx, subject) = Self::told(case)?;
        let Hooks { on_output, .. } = P::hooks();
        let filter = on_output.ok_or(Stopped::Missing("output"))?();
        Ok(RunningFilter { cx, subject, filter })
    }

    fn admin(&self, case: &PolicyCase) -> Result<Decision, Stopped> {
        let (cx, subject) = Self::told(case)?;
        let hook = P::hooks().on_admin.ok_or(Stopped::Missing("admin"))?;
        Ok(said::decision(hook(&cx, &subject, &said::action(case))))
    }

    fn usage(&self, case: &PolicyCase) -> Result<UsageDecision, Stopped> {
        let (cx, subject) = Self::told(case)?;
        let hook = P::hooks().on_usage.ok_or(Stopped::Missing("usage"))?;
        Ok(said::usage_decision(hook(&cx, &subject, &said::outcome(case))))
    }
}

impl<P: Judge> Filtering for RunningFilter<P> {
    fn check(&mut self, channel: Channel, chunk: &str, last: bool) -> Result<Judged, Stopped> {
        let channel = said::channel(channel);
        Ok(said::judged(self.filter.check(&self.cx, &self.subject, channel, chunk, last)))
    }

    fn finish(mut self) -> Result<Effect, Stopped> {
        Ok(said::effect(self.filter.finish(&self.cx, &self.subject)))
    }
}

/// Checks the case in this folder and panics with what is wrong. `SLUICE_UPDATE=1` writes its expectation anew.
#[track_caller]
#[expect(clippy::panic, reason = "called by tests, whose way to fail this is")]
pub fn assert_policy_case<P: Judge>(folder: impl AsRef<Path>) {
    if let Err(wrong) = checked::<P>(folder.as_ref()) {
        panic!("{wrong}");
    }
}

/// Checks every case in this folder of cases and panics with all that is wrong, or if there is none. Like [`assert_policy_case`]
/// otherwise.
#[track_caller]
pub fn assert_policy_cases<P: Judge>(cases: impl AsRef<Path>) {
    native::assert_each(cases.as_ref(), checked::<P>);
}

fn checked<P: Judge>(folder: &Path) -> Result<(), String> {
    let checked = PolicyCase::load(folder).map_err(PolicyCheckError::from).and_then(|case| {
        check_policy(&NativePolicy::<P>::default(), &case, native::wants_update())
    });
    native::told(folder, checked)
}
