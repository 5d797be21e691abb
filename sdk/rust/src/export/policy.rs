//! Joins a [`Policy`] to the generated bindings.

use std::{cell::RefCell, marker::PhantomData, rc::Rc};

use super::{configure, context};
use crate::{
    AdminAction, Channel, ChatRequest, Context, Decision, Effect, Error, Judged, MessageDecision,
    OnAdmin, OnConnect, OnMessage, OnOutput, OnUsage, Outcome, Policy, Subject, UsageDecision,
    bindings::{
        admin::exports::sluice::plugin::on_admin, connect::exports::sluice::plugin::on_connect,
        exports::sluice::plugin::lifecycle, message::exports::sluice::plugin::on_message,
        output::exports::sluice::plugin::on_output, usage::exports::sluice::plugin::on_usage,
    },
};

/// The component that a policy is exported as.
#[derive(Debug)]
pub struct ExportedPolicy<P>(PhantomData<P>);

impl<P: Policy> lifecycle::Guest for ExportedPolicy<P> {
    fn configure(told: lifecycle::Context) -> Result<(), Error> {
        configure::<P::Settings>(told)
    }
}

impl<P: OnConnect> on_connect::Guest for ExportedPolicy<P> {
    fn on_connect(subject: Subject) -> Decision {
        P::on_connect(&context(), &subject)
    }
}

impl<P: OnMessage> on_message::Guest for ExportedPolicy<P> {
    fn on_message(subject: Subject, chat: ChatRequest) -> MessageDecision {
        P::on_message(&context(), &subject, &chat)
    }
}

impl<P: OnAdmin> on_admin::Guest for ExportedPolicy<P> {
    fn on_admin(subject: Subject, action: AdminAction) -> Decision {
        P::on_admin(&context(), &subject, &action)
    }
}

impl<P: OnUsage> on_usage::Guest for ExportedPolicy<P> {
    fn on_usage(subject: Subject, outcome: Outcome) -> UsageDecision {
        P::on_usage(&context(), &subject, &outcome)
    }
}

impl<P: OnOutput> on_output::Guest for ExportedPolicy<P> {
    type Filter = RunningFilter<P>;
}

/// One filter with the circumstances it was made in.
#[derive(Debug)]
pub struct RunningFilter<P: Policy> {
    cx: Rc<Context<P::Settings>>,
    subject: Subject,
    filter: RefCell<P>,
}

impl<P: OnOutput> on_output::GuestFilter for RunningFilter<P> {
    fn new(subject: Subject) -> Self {
        Self { cx: context(), subject, filter: RefCell::default() }
    }

    fn check(&self, channel: Channel, chunk: String, last: bool) -> Judged {
        self.filter.borrow_mut().check(&self.cx, &self.subject, channel, &chunk, last)
    }

    fn finish(&self) -> Effect {
        self.filter.borrow_mut().finish(&self.cx, &self.subject)
    }
}
