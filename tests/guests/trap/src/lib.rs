//! A guest that crashes, or refuses its settings: settings and model say where and how.

#![expect(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "generated bindings are part of the crate"
)]

use std::cell::Cell;
use std::hint::black_box;

mod bindings;

use bindings::chat::ChatRequest;
use bindings::provider::{Directive, Guest, GuestAnswer, Input, Output};
use bindings::{lifecycle, types};

#[derive(Default)]
struct Trap {
    in_order: Cell<bool>,
}

impl lifecycle::Guest for Trap {
    fn configure(context: lifecycle::Context) -> Result<(), types::PluginError> {
        assert!(!context.settings.contains("configure"), "crashed while it was configured");
        if context.settings.contains("refuse") {
            return Err(types::PluginError {
                kind: types::ErrorKind::InvalidRequest,
                detail: Some(format!("no \u{1b}[31mmodel\nnamed{}", "!".repeat(2_000))),
                status: None,
                retry: types::RetryHint::Never,
            });
        }
        Ok(())
    }
}

impl Guest for Trap {
    type Answer = Self;
}

impl GuestAnswer for Trap {
    fn new() -> Self {
        Self::default()
    }

    #[expect(clippy::panic, reason = "what it is for")]
    fn start(&self, request: ChatRequest) -> Output {
        match request.model.as_str() {
            "start" => panic!("crashed at the start"),
            "deep" => {
                fall(black_box(0));
            }
            model => self.in_order.set(model == "none"),
        }
        Output { events: Vec::new(), next: Directive::More, parting: None }
    }

    #[expect(clippy::panic, reason = "what it is for")]
    fn step(&self, _input: Input) -> Output {
        if self.in_order.get() {
            return Output { events: Vec::new(), next: Directive::Done, parting: None };
        }
        panic!("crashed in a step");
    }
}

/// Calls itself until the stack is full.
#[expect(unconditional_recursion, reason = "what it is for")]
fn fall(depth: u64) -> u64 {
    black_box(fall(black_box(depth + 1)) + 1)
}

bindings::export!(Trap with_types_in bindings);
