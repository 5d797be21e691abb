//! Policies: who may do what, and what may be said. One trait a hook; the host calls those that [`policy!`](crate::policy!) names.
//!
//! A hook is a pure function: facts in, verdict out. What a policy wants counted it reserves
//! ([`MessageDecision::reserve`]); there is nothing to remember between two calls, since each is made in a fresh instance.

mod decision;
mod judged;
mod message;
mod subject;
mod usage;

use serde::de::DeserializeOwned;

use crate::{
    AdminAction, Channel, ChatRequest, Context, Decision, Effect, Judged, MessageDecision, Outcome,
    Subject, UsageDecision,
};

/// What every policy has.
pub trait Policy: 'static {
    /// Settings of the plugin's configuration. `null` and `{}` are `Default`. What cannot be read is refused when the plugin is loaded.
    type Settings: DeserializeOwned + Default + 'static;
}

/// Before a connection is opened, and before each call of the HTTP interface that needs a model.
pub trait OnConnect: Policy {
    /// Whether it may be.
    fn on_connect(cx: &Context<Self::Settings>, subject: &Subject) -> Decision;
}

/// Before a user's message is stored, and before a provider is asked.
pub trait OnMessage: Policy {
    /// Whether it may be sent, and as what. `chat.model` is the public id, the same as `subject.model`. In a session the new message is
    /// the only one: what came before was judged when it came. A call of the HTTP interface brings its whole conversation.
    fn on_message(
        cx: &Context<Self::Settings>,
        subject: &Subject,
        chat: &ChatRequest,
    ) -> MessageDecision;
}

/// Everything that a model says, before it is shown or stored. One value filters one answer, from `Default`.
pub trait OnOutput: Policy + Default {
    /// Looks at what was held back and what is new of one channel. With `last` that text is over, and nothing is held back.
    fn check(
        &mut self,
        cx: &Context<Self::Settings>,
        subject: &Subject,
        channel: Channel,
        chunk: &str,
        last: bool,
    ) -> Judged;

    /// After the answer, however it ended.
    fn finish(&mut self, _cx: &Context<Self::Settings>, _subject: &Subject) -> Effect {
        Effect::default()
    }
}

/// Before an administrator's action runs. The break-glass administrator of the configuration is never asked about.
pub trait OnAdmin: Policy {
    /// Whether it may run.
    fn on_admin(cx: &Context<Self::Settings>, subject: &Subject, action: &AdminAction) -> Decision;
}

/// After an answer, however it ended.
pub trait OnUsage: Policy {
    /// What is to be said of it, and what was really used of each reservation.
    fn on_usage(
        cx: &Context<Self::Settings>,
        subject: &Subject,
        outcome: &Outcome,
    ) -> UsageDecision;
}

/// A filter at work, natively: what a test kit feeds.
pub trait Filtering<S> {
    /// As [`OnOutput::check`].
    fn check(
        &mut self,
        cx: &Context<S>,
        subject: &Subject,
        channel: Channel,
        chunk: &str,
        last: bool,
    ) -> Judged;

    /// As [`OnOutput::finish`].
    fn finish(&mut self, cx: &Context<S>, subject: &Subject) -> Effect;
}

impl<P: OnOutput> Filtering<P::Settings> for P {
    fn check(
        &mut self,
        cx: &Context<P::Settings>,
        subject: &Subject,
        channel: Channel,
        chunk: &str,
        last: bool,
    ) -> Judged {
        OnOutput::check(self, cx, subject, channel, chunk, last)
    }

    fn finish(&mut self, cx: &Context<P::Settings>, subject: &Subject) -> Effect {
        OnOutput::finish(self, cx, subject)
    }
}

type ConnectHook<S> = fn(&Context<S>, &Subject) -> Decision;
type MessageHook<S> = fn(&Context<S>, &Subject, &ChatRequest) -> MessageDecision;
type OutputHook<S> = fn() -> Box<dyn Filtering<S>>;
type AdminHook<S> = fn(&Context<S>, &Subject, &AdminAction) -> Decision;
type UsageHook<S> = fn(&Context<S>, &Subject, &Outcome) -> UsageDecision;

/// The hooks that a policy has, as functions.
#[derive(Debug)]
pub struct Hooks<P: Policy> {
    /// [`OnConnect`], if it has it.
    pub on_connect: Option<ConnectHook<P::Settings>>,
    /// [`OnMessage`], if it has it.
    pub on_message: Option<MessageHook<P::Settings>>,
    /// Makes a fresh filter of [`OnOutput`], if it has it.
    pub on_output: Option<OutputHook<P::Settings>>,
    /// [`OnAdmin`], if it has it.
    pub on_admin: Option<AdminHook<P::Settings>>,
    /// [`OnUsage`], if it has it.
    pub on_usage: Option<UsageHook<P::Settings>>,
}

impl<P: Policy> Hooks<P> {
    /// None of them.
    pub fn none() -> Self {
        Self { on_connect: None, on_message: None, on_output: None, on_admin: None, on_usage: None }
    }
}

/// A policy as [`policy!`](crate::policy!) exports it; what a test kit asks.
pub trait Judge: Policy + Sized {
    /// The hooks it was exported with.
    fn hooks() -> Hooks<Self>;
}

/// Exports a type that implements [`Policy`] as the plugin, with these hooks and no other.
///
/// ```
/// use sluice_sdk::{ChatRequest, Context, Denial, MessageDecision, OnMessage, Policy, Subject};
///
/// struct NoShouting;
///
/// impl Policy for NoShouting {
///     type Settings = ();
/// }
///
/// impl OnMessage for NoShouting {
///     fn on_message(_: &Context<()>, _: &Subject, chat: &ChatRequest) -> MessageDecision {
///         let text = chat.last_user_text();
///         if text.chars().any(char::is_lowercase) || !text.chars().any(char::is_uppercase) {
///             return MessageDecision::allow();
///         }
///         MessageDecision::deny(Denial::new("shouting", "Please do not shout."))
///     }
/// }
///
/// sluice_sdk::policy!(NoShouting: OnMessage);
/// ```
#[macro_export]
macro_rules! policy {
    ($policy:ty: $($hook:ident),+ $(,)?) => {
        impl $crate::Judge for $policy {
            fn hooks() -> $crate::Hooks<Self> {
                let mut hooks = $crate::Hooks::none();
                $($crate::__hook!(hooks, $policy, $hook);)+
                hooks
            }
        }
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::export::ExportedPolicy<$policy>;
            $crate::bindings::export_lifecycle!(Exported with_types_in $crate::bindings);
            $($crate::__export_hook!($hook);)+
        };
    };
}

/// Notes one hook.
#[doc(hidden)]
#[macro_export]
macro_rules! __hook {
    ($hooks:ident, $policy:ty, OnConnect) => {
        $hooks.on_connect = Some(<$policy as $crate::OnConnect>::on_connect);
    };
    ($hooks:ident, $policy:ty, OnMessage) => {
        $hooks.on_message = Some(<$policy as $crate::OnMessage>::on_message);
    };
    ($hooks:ident, $policy:ty, OnOutput) => {
        $hooks.on_output = Some(|| Box::new(<$policy as ::core::default::Default>::default()));
    };
    ($hooks:ident, $policy:ty, OnAdmin) => {
        $hooks.on_admin = Some(<$policy as $crate::OnAdmin>::on_admin);
    };
    ($hooks:ident, $policy:ty, OnUsage) => {
        $hooks.on_usage = Some(<$policy as $crate::OnUsage>::on_usage);
    };
}

/// Exports one hook of the type `Exported`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    (OnConnect) => {
        $crate::bindings::connect::export_connect!(Exported with_types_in $crate::bindings::connect);
    };
    (OnMessage) => {
        $crate::bindings::message::export_message!(Exported with_types_in $crate::bindings::message);
    };
    (OnOutput) => {
        $crate::bindings::output::export_output!(Exported with_types_in $crate::bindings::output);
    };
    (OnAdmin) => {
        $crate::bindings::admin::export_admin!(Exported with_types_in $crate::bindings::admin);
    };
    (OnUsage) => {
        $crate::bindings::usage::export_usage!(Exported with_types_in $crate::bindings::usage);
    };
}
