//! A guest that behaves: numbers its calls and says back what it hears. The neighbour of those that do not.
//!
//! The count lives in the module, not in the answer: whatever one answer left behind would show in the next.

#![expect(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "generated bindings are part of the crate"
)]

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

mod bindings;

use bindings::chat::{ChatEvent, ChatRequest, FinishReason};
use bindings::provider::{Directive, Guest, GuestAnswer, Input, Output};
use bindings::{lifecycle, types};

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Count {
    model: RefCell<String>,
}

impl lifecycle::Guest for Count {
    fn configure(_context: lifecycle::Context) -> Result<(), types::PluginError> {
        Ok(())
    }
}

impl Guest for Count {
    type Answer = Self;
}

/// `call` and its number.
fn numbered(call: &str) -> ChatEvent {
    let number = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    ChatEvent::Text(format!("{call} {number}"))
}

impl GuestAnswer for Count {
    fn new() -> Self {
        Self { model: RefCell::default() }
    }

    fn start(&self, request: ChatRequest) -> Output {
        self.model.replace(request.model);
        Output { events: vec![numbered("start")], next: Directive::More, parting: None }
    }

    fn step(&self, input: Input) -> Output {
        let mut events = vec![numbered("step")];
        match input {
            Input::Frames(frames) => {
                events.extend(frames.into_iter().map(|frame| ChatEvent::Text(frame.data)));
                Output { events, next: Directive::More, parting: None }
            }
            Input::End => {
                events.push(ChatEvent::Finish(FinishReason::Other(self.model.take())));
                Output { events, next: Directive::Done, parting: None }
            }
            Input::Head(_) | Input::Failed(_) | Input::Woken => {
                Output { events, next: Directive::More, parting: None }
            }
        }
    }
}

bindings::export!(Count with_types_in bindings);
