//! A guest that takes all memory there is. Asked politely, it stops at the first refusal and says how much it got.

#![expect(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "generated bindings are part of the crate"
)]

use std::hint::black_box;

mod bindings;

use bindings::chat::{ChatEvent, ChatRequest};
use bindings::provider::{Directive, Guest, GuestAnswer, Input, Output};
use bindings::{lifecycle, types};

const MIB: usize = 1 << 20;

struct Hoard;

impl lifecycle::Guest for Hoard {
    fn configure(_context: lifecycle::Context) -> Result<(), types::PluginError> {
        Ok(())
    }
}

impl Guest for Hoard {
    type Answer = Self;
}

impl GuestAnswer for Hoard {
    fn new() -> Self {
        Self
    }

    fn start(&self, request: ChatRequest) -> Output {
        if request.model != "polite" {
            take_all();
        }
        let got = ChatEvent::Text(take_what_there_is().to_string());
        Output { events: vec![got], next: Directive::More, parting: None }
    }

    fn step(&self, _input: Input) -> Output {
        take_all();
    }
}

/// Never touches what it has: a page is slow to come by on a busy machine, and this is to run out of memory, not of time.
fn take_all() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(Vec::<u8>::with_capacity(MIB)));
    }
}

/// Whole mebibytes that could be had.
fn take_what_there_is() -> usize {
    let mut hoard = Vec::new();
    loop {
        let mut more = Vec::<u8>::new();
        if more.try_reserve_exact(MIB).is_err() {
            return hoard.len();
        }
        hoard.push(black_box(more));
    }
}

bindings::export!(Hoard with_types_in bindings);
