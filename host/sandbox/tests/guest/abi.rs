//! Guests that break the binary interface itself, which no toolchain does: written by hand.

use std::fmt::Write as _;
use std::path::Path;

use sluice_chat::event::ChatEvent;
use sluice_sandbox::{CallError, Limits, LoadError, Output, Provider};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::component::componentize;
use crate::world::{ask, begin, load_bytes, sandbox};

/// Bodies of a guest's functions, in WebAssembly text. The defaults make a guest that says nothing.
struct Bodies {
    realloc: &'static str,
    configure: &'static str,
    constructor: &'static str,
    start: &'static str,
    /// Runs when the instance is made.
    begin: &'static str,
    /// Contents of memory from address 2048.
    data: String,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            realloc: "(local $at i32)
                (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $at) (local.get 3)))
                (local.get $at)",
            // All zeroes: `ok`, and an output without events that wants more.
            configure: "(i32.const 1024)",
            constructor: "(call $new (i32.const 1))",
            start: "(i32.const 1024)",
            begin: "",
            data: String::new(),
        }
    }
}

impl Bodies {
    /// A guest whose `start` gives back what stands at 2048.
    fn saying(words: &[u32]) -> Self {
        let mut data = String::new();
        for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
            write!(data, "\\{byte:02x}").expect("a text takes all");
        }
        Self { start: "(i32.const 2048)", data, ..Self::default() }
    }

    fn component(&self) -> Vec<u8> {
        let Self { realloc, configure, constructor, start, begin, data } = self;
        let provider = "sluice:plugin/provider@0.1.0";
        let text = format!(
            r#"(module
                (import "[export]{provider}" "[resource-new]answer"
                    (func $new (param i32) (result i32)))
                (memory (export "memory") 2)
                (global $free (mut i32) (i32.const 65536))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "sluice:plugin/lifecycle@0.1.0#configure")
                    (param i32 i32 i64 i64 i32 i32) (result i32) {configure})
                (func (export "{provider}#[constructor]answer") (result i32) {constructor})
                (func (export "{provider}#[method]answer.start") (param i32) (result i32) {start})
                (func (export "{provider}#[method]answer.step")
                    (param i32 i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func $begin {begin})
                (start $begin)
                (data (i32.const 2048) "{data}"))"#
        );
        let mut module = wat::parse_str(&text).expect("sound text");
        let mut wit = Resolve::default();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit/0.1");
        let (package, _sources) = wit.push_dir(path).expect("the contract");
        let world = wit.select_world(&[package], Some("provider-plugin")).expect("the world");
        embed_component_metadata(&mut module, &wit, world, StringEncoding::UTF8, false)
            .expect("a world for the module");
        componentize(&module)
    }

    async fn load(&self) -> Result<Provider, LoadError> {
        load_bytes(&self.component()).await
    }

    async fn start(&self) -> Result<Output, CallError> {
        let provider = self.load().await.expect("sound until it is started");
        begin(&provider).await.start(&ask("")).await
    }
}

/// An output of `count` events from address 3072 on, wanting what `next` says.
fn output(count: u32, next: u32) -> [u32; 3] {
    [3072, count, next]
}

#[tokio::test]
async fn a_guest_by_hand_is_a_guest() {
    let mut words = output(1, 0).to_vec();
    words.resize(256, 0);
    // A text event: its case, padding, address and length.
    words.extend([0, 0, 4096, 2]);
    words.resize(512, 0);
    words.push(u32::from_le_bytes(*b"hi\0\0"));

    let said = Bodies::saying(&words).start().await.unwrap();

    assert_eq!(said.events, [ChatEvent::Text("hi".to_owned())]);
}

#[tokio::test]
async fn results_that_point_nowhere_are_refused() {
    let mut text_out_of_bounds = output(1, 0).to_vec();
    text_out_of_bounds.resize(256, 0);
    text_out_of_bounds.extend([0, 0, 131_070, 100]);
    let mut text_of_two_gibibytes = output(1, 0).to_vec();
    text_of_two_gibibytes.resize(256, 0);
    text_of_two_gibibytes.extend([0, 0, 4096, 0x8000_0000]);
    let cases = [
        Bodies { start: "(i32.const 0x7fffffff)", ..Bodies::default() },
        Bodies { start: "(i32.const 1025)", ..Bodies::default() },
        Bodies { start: "(i32.const 131070)", ..Bodies::default() },
        Bodies::saying(&output(0x8000_0000, 0)),
        Bodies::saying(&output(10_000, 0)),
        Bodies::saying(&text_out_of_bounds),
        Bodies::saying(&text_of_two_gibibytes),
    ];

    for (case, bodies) in cases.into_iter().enumerate() {
        let said = bodies.start().await;
        let refused = matches!(said, Err(CallError::Malformed(_) | CallError::TooMuchOutput));
        assert!(refused, "case {case}: {said:?}");
    }
}

#[tokio::test]
async fn results_that_are_not_of_the_contract_are_refused() {
    let mut broken_text = output(1, 0).to_vec();
    broken_text.resize(256, 0);
    broken_text.extend([0, 0, 4096, 2]);
    broken_text.resize(512, 0);
    broken_text.push(0xfffe);
    let mut unknown_event = output(1, 0).to_vec();
    unknown_event.resize(256, 0);
    unknown_event.push(77);
    let cases = [
        Bodies::saying(&output(0, 99)),
        Bodies::saying(&broken_text),
        Bodies::saying(&unknown_event),
    ];

    for (case, bodies) in cases.into_iter().enumerate() {
        let said = bodies.start().await;
        assert!(matches!(said, Err(CallError::Malformed(_))), "case {case}: {said:?}");
    }
}

/// As many events as are allowed, of the same 64 KiB: little for the guest, four megabytes and more for the host.
#[tokio::test]
async fn one_text_told_many_times_counts_each_time() {
    let mut words = output(64, 0).to_vec();
    words.resize(256, 0);
    for _ in 0..64 {
        let mut event = vec![0, 0, 0, 64 << 10];
        event.resize(24, 0);
        words.extend(event);
    }

    let said = Bodies::saying(&words).start().await;

    assert!(matches!(said, Err(CallError::TooMuchOutput)), "{said:?}");
}

#[tokio::test]
async fn memory_handed_out_wrongly_is_refused_on_trial() {
    for realloc in ["(i32.const 1025)", "(i32.const 0x7ffffff8)", "(i32.const -1)", "unreachable"] {
        let loaded = Bodies { realloc, ..Bodies::default() }.load().await;
        let refused = matches!(
            loaded,
            Err(LoadError::Trial(CallError::Malformed(_) | CallError::Trapped { .. }))
        );
        // Texts have no alignment: for them any address inside is as good as another.
        assert!(refused || realloc == "(i32.const 1025)", "{realloc}: {loaded:?}");
    }
}

#[tokio::test]
async fn code_outside_the_calls_is_bounded_too() {
    let spin = "(loop br 0) unreachable";
    let cases = [
        Bodies { realloc: spin, ..Bodies::default() },
        Bodies { begin: spin, ..Bodies::default() },
        Bodies { constructor: spin, ..Bodies::default() },
    ];

    for (case, bodies) in cases.into_iter().enumerate() {
        let loaded = bodies.load().await;
        let Err(LoadError::Trial(CallError::TimedOut(_))) = loaded else {
            panic!("case {case}: {loaded:?}");
        };
    }
}

#[tokio::test]
async fn handles_are_bounded_and_cannot_be_made_up() {
    let forged = Bodies { constructor: "(i32.const 77)", ..Bodies::default() };
    let without_end = Bodies {
        constructor: "(loop (drop (call $new (i32.const 1))) (br 0)) unreachable",
        ..Bodies::default()
    };

    for bodies in [forged, without_end] {
        let loaded = bodies.load().await;
        assert!(matches!(loaded, Err(LoadError::Trial(CallError::Malformed(_)))), "{loaded:?}");
    }
}

#[tokio::test]
async fn a_memory_that_begins_beyond_the_limit_is_refused() {
    let limits = Limits { memory_bytes: 64 << 10, ..Limits::default() };
    let bytes = Bodies::default().component();

    let loaded = sandbox(1).load("large", &bytes, None, limits, "{}").await;

    assert!(matches!(loaded, Err(LoadError::Trial(CallError::OutOfMemory))), "{loaded:?}");
}
