//! A guest that never comes back: in `configure` if its settings say so, else in the call that the model is named for.

#![expect(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "generated bindings are part of the crate"
)]

use std::cell::Cell;
use std::hint::{black_box, spin_loop};

mod bindings;

use bindings::chat::ChatRequest;
use bindings::provider::{Directive, Guest, GuestAnswer, Input, Output};
use bindings::{lifecycle, types};

#[derive(Default)]
struct Spin {
    copies: Cell<bool>,
}

impl lifecycle::Guest for Spin {
    fn configure(context: lifecycle::Context) -> Result<(), types::PluginError> {
        if context.settings.contains("configure") {
            spin();
        }
        Ok(())
    }
}

impl Guest for Spin {
    type Answer = Self;
}

impl GuestAnswer for Spin {
    fn new() -> Self {
        Self::default()
    }

    fn start(&self, request: ChatRequest) -> Output {
        if request.model == "start" {
            spin();
        }
        self.copies.set(request.model == "copy");
        Output { events: Vec::new(), next: Directive::More, parting: None }
    }

    fn step(&self, _input: Input) -> Output {
        if self.copies.get() {
            copy();
        }
        spin();
    }
}

fn spin() -> ! {
    loop {
        spin_loop();
    }
}

/// Large copies: the clock is looked at between instructions only, and each of these is one.
fn copy() -> ! {
    let mut bytes = vec![1_u8; 12 << 20];
    loop {
        bytes.copy_within(..6 << 20, 6 << 20);
        black_box(&mut bytes);
    }
}

bindings::export!(Spin with_types_in bindings);
