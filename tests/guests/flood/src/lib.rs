//! A guest that says too much: many events, much text, or a little more with each step; the model says which.

#![expect(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "generated bindings are part of the crate"
)]

use std::cell::Cell;

mod bindings;

use bindings::chat::{ChatEvent, ChatRequest};
use bindings::provider::{Directive, Guest, GuestAnswer, Input, Output};
use bindings::{lifecycle, types};

const MIB: usize = 1 << 20;

#[derive(Default)]
struct Flood {
    fails: Cell<bool>,
}

impl lifecycle::Guest for Flood {
    fn configure(_context: lifecycle::Context) -> Result<(), types::PluginError> {
        Ok(())
    }
}

impl Guest for Flood {
    type Answer = Self;
}

/// Text events of so many bytes each.
fn texts(count: usize, bytes: usize) -> Output {
    let text = ChatEvent::Text("x".repeat(bytes));
    Output { events: vec![text; count], next: Directive::More, parting: None }
}

impl GuestAnswer for Flood {
    fn new() -> Self {
        Self::default()
    }

    fn start(&self, request: ChatRequest) -> Output {
        self.fails.set(request.model == "fail");
        match request.model.as_str() {
            "events" => texts(1_000, 0),
            "bytes" => texts(1, 5 * MIB),
            _ => texts(0, 0),
        }
    }

    fn step(&self, _input: Input) -> Output {
        if !self.fails.get() {
            return texts(1, MIB);
        }
        let error = types::PluginError {
            kind: types::ErrorKind::Overloaded,
            detail: Some("\u{7}é".repeat(MIB)),
            status: Some(529),
            retry: types::RetryHint::AfterMs(u32::MAX),
        };
        Output { events: Vec::new(), next: Directive::Fail(error), parting: None }
    }
}

bindings::export!(Flood with_types_in bindings);
