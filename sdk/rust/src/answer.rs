//! The lower layer: one answer, step by step, as the contract has it.

use serde::de::DeserializeOwned;

use crate::{ChatRequest, Context, Directive, Error, Events, Input, Output, Request};

/// One answer. The host calls `start` once and then `step` with what came of the last directive.
///
/// Nothing is checked on this layer but what the contract's types say; [`Provider`](crate::Provider) is the comfortable one.
pub trait Answer: Default + 'static {
    /// Settings of the plugin's configuration.
    type Settings: DeserializeOwned + Default + 'static;

    /// Begins the answer.
    fn start(&mut self, cx: &Context<Self::Settings>, chat: ChatRequest) -> Output;

    /// Goes on after what came in.
    fn step(&mut self, cx: &Context<Self::Settings>, input: Input) -> Output;
}

/// A plugin as [`provider!`](crate::provider!) and [`answer!`](crate::answer!) export it; what a test kit replays.
pub trait Plugin {
    /// What runs for each answer.
    type Answer: Answer;
}

impl Output {
    /// These events, then ask for what comes next.
    pub fn more(events: Events) -> Self {
        Self::of(events, Directive::More)
    }

    /// These events, then the end.
    pub fn done(events: Events) -> Self {
        Self::of(events, Directive::Done)
    }

    /// These events, then a step after a pause of so many milliseconds (at most 60,000).
    pub fn wait(events: Events, pause_ms: u32) -> Self {
        Self::of(events, Directive::Wait(pause_ms))
    }

    /// These events, then a failure. An end that was said among them is not passed on.
    pub fn fail(mut events: Events, error: Error) -> Self {
        let parting = events.take_parting();
        Self { events: events.take(), next: Directive::Fail(error), parting }
    }

    /// These events, then send this.
    pub fn send(events: Events, request: Request) -> Self {
        Self::of(events, Directive::Send(request))
    }

    fn of(mut events: Events, next: Directive) -> Self {
        let parting = events.take_parting();
        Self { events: events.into_list(), next, parting }
    }
}

/// Exports a type that implements [`Answer`] as the plugin.
#[macro_export]
macro_rules! answer {
    ($answer:ty) => {
        impl $crate::Plugin for $answer {
            type Answer = $answer;
        }
        $crate::__export!($answer);
    };
}
