//! Joins an [`Answer`] to the generated bindings. Only the macros name what is here.

mod notifier;
mod policy;

use std::{
    any::Any,
    cell::{OnceCell, RefCell},
    marker::PhantomData,
    rc::Rc,
};

pub use notifier::ExportedNotifier;
pub use policy::{ExportedPolicy, RunningFilter};

use serde::de::DeserializeOwned;

use crate::{
    Answer, ChatRequest, Context, Embed, Embedded, EmbeddingRequest, Error, Head, Input, Models,
    Output, Plugin, Request,
    bindings::{
        embedding::exports::sluice::plugin::embedding, exports::sluice::plugin::lifecycle,
        listing::exports::sluice::plugin::listing, provider::exports::sluice::plugin::provider,
    },
    provider::failed,
};

/// The component that a plugin is exported as.
#[derive(Debug)]
pub struct Exported<P>(PhantomData<P>);

/// One running answer with the circumstances it was made in.
#[derive(Debug)]
pub struct Running<A: Answer> {
    cx: Rc<Context<A::Settings>>,
    answer: RefCell<A>,
}

thread_local! {
    /// Set by `configure`. A component holds one plugin, so there is one type in here; a guest has one thread.
    static CONTEXT: OnceCell<Rc<dyn Any>> = const { OnceCell::new() };
}

type SettingsOf<P> = <<P as Plugin>::Answer as Answer>::Settings;

impl<P: Plugin> lifecycle::Guest for Exported<P> {
    fn configure(told: lifecycle::Context) -> Result<(), Error> {
        configure::<SettingsOf<P>>(told)
    }
}

/// Keeps what the host told.
fn configure<S: DeserializeOwned + Default + 'static>(
    told: lifecycle::Context,
) -> Result<(), Error> {
    report_panics();
    let context = Context::<S>::from_host(told)?;
    // The contract has it called once; a second call changes nothing.
    CONTEXT.with(|slot| {
        slot.get_or_init(|| Rc::new(context));
    });
    Ok(())
}

/// What the host told.
fn context<S: 'static>() -> Rc<Context<S>> {
    let context = CONTEXT.with(|slot| slot.get().cloned()).expect("configured first");
    context.downcast().expect("one plugin in a component")
}

impl<P: Plugin + 'static> provider::Guest for Exported<P> {
    type Answer = Running<P::Answer>;
}

impl<A: Answer> provider::GuestAnswer for Running<A> {
    fn new() -> Self {
        Self { cx: context(), answer: RefCell::default() }
    }

    fn start(&self, chat: ChatRequest) -> Output {
        self.answer.borrow_mut().start(&self.cx, chat)
    }

    fn step(&self, input: Input) -> Output {
        self.answer.borrow_mut().step(&self.cx, input)
    }
}

impl<P: Embed> embedding::Guest for Exported<P> {
    fn ask(request: EmbeddingRequest) -> Result<Request, Error> {
        P::ask(&context(), &request)
    }

    fn read(head: Head, body: String) -> Result<Embedded, Error> {
        let context = context();
        if head.is_success() {
            return P::read(&context, &body);
        }
        Err(failed(&mut P::default(), &context, &head, &body))
    }
}

impl<P: Models> listing::Guest for Exported<P> {
    fn ask() -> Result<Request, Error> {
        <P as Models>::ask(&context())
    }

    fn read(head: Head, body: String) -> Result<Vec<String>, Error> {
        let context = context();
        if head.is_success() {
            return <P as Models>::read(&context, &body);
        }
        Err(failed(&mut P::default(), &context, &head, &body))
    }
}

/// A panic ends the instance without a word; this is the word.
#[cfg(target_arch = "wasm32")]
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
}

#[cfg(not(target_arch = "wasm32"))]
fn report_panics() {}

/// Natively nothing is exported: the names of the contract are no names for a native linker.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty $(, $more:ident)*) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::export::Exported<$plugin>;
            $crate::bindings::export_lifecycle!(Exported with_types_in $crate::bindings);
            $crate::bindings::provider::export_provider!(Exported with_types_in $crate::bindings::provider);
            $($crate::__export_more!($more);)*
        };
    };
}

/// Exports one optional interface of the type `Exported`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_more {
    (Embed) => {
        $crate::bindings::embedding::export_embedding!(Exported with_types_in $crate::bindings::embedding);
    };
    (Models) => {
        $crate::bindings::listing::export_listing!(Exported with_types_in $crate::bindings::listing);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChatEvent, Directive, Events, Message, Role};

    #[derive(Default)]
    struct Parrot;

    impl Answer for Parrot {
        type Settings = Option<String>;

        fn start(&mut self, cx: &Context<Self::Settings>, chat: ChatRequest) -> Output {
            let mut events = Events::new();
            events.text(format!("{}{}", cx.settings.clone().unwrap_or_default(), chat.model));
            Output::more(events)
        }

        fn step(&mut self, cx: &Context<Self::Settings>, _: Input) -> Output {
            Output::wait(Events::new(), u32::try_from(cx.now_ms).unwrap())
        }
    }

    crate::answer!(Parrot);

    fn configure(settings: &str) -> Result<(), Error> {
        <Exported<Parrot> as lifecycle::Guest>::configure(lifecycle::Context {
            settings: settings.to_owned(),
            now: 7,
            seed: 0,
            host: "test".to_owned(),
        })
    }

    #[test]
    fn an_answer_sees_what_was_configured() {
        use provider::GuestAnswer as _;

        assert!(configure("{").is_err());
        configure("\"hi \"").unwrap();
        let answer = Running::<Parrot>::new();
        let message = Message::of(Role::User, "text");

        let output =
            answer.start(ChatRequest { messages: vec![message], ..ChatRequest::new("parrot-1") });

        assert_eq!(output.events, [ChatEvent::Text("hi parrot-1".to_owned())]);
        assert_eq!(answer.step(Input::Woken).next, Directive::Wait(7));
    }
}
