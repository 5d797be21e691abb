//! A guest that logs without end, and lines that would be others' if they could.

#![expect(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "generated bindings are part of the crate"
)]

mod bindings;

use bindings::chat::ChatRequest;
use bindings::log::{Level, log};
use bindings::provider::{Directive, Guest, GuestAnswer, Input, Output};
use bindings::{lifecycle, types};

struct Chatty;

impl lifecycle::Guest for Chatty {
    fn configure(_context: lifecycle::Context) -> Result<(), types::PluginError> {
        Ok(())
    }
}

impl Guest for Chatty {
    type Answer = Self;
}

impl GuestAnswer for Chatty {
    fn new() -> Self {
        Self
    }

    fn start(&self, _request: ChatRequest) -> Output {
        log(Level::Info, "first\nERROR forged \u{1b}[2J");
        log(Level::Warn, &"long ".repeat(20_000));
        for _ in 0..1_000 {
            log(Level::Debug, "again");
        }
        Output { events: Vec::new(), next: Directive::Done, parting: None }
    }

    fn step(&self, _input: Input) -> Output {
        Output { events: Vec::new(), next: Directive::Done, parting: None }
    }
}

bindings::export!(Chatty with_types_in bindings);
