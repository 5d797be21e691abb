use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{ChatEvent, ErrorKind, FinishReason, Request, TransportFailure};

/// Says each frame; `.` ends it, `!` is done, `?` is an error.
#[derive(Debug, Default)]
struct Parrot;

impl Provider for Parrot {
    type Settings = ();

    fn request(&mut self, _: &Context<()>, chat: &ChatRequest) -> Result<Request, Error> {
        if chat.model.is_empty() {
            return Err(Error::unsupported("no model"));
        }
        Request::post("/say").json(&chat.model)
    }

    fn frame(
        &mut self,
        _: &Context<()>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        match frame.data.as_str() {
            "." => events.finish("stop"),
            "!" => return Ok(Flow::Done),
            "?" => return Err(Error::protocol("what?")),
            word => events.text(word),
        }
        Ok(Flow::More)
    }
}

fn head(status: u16) -> Input {
    Input::Head(Head { status, headers: Vec::new() })
}

fn frames(words: &[&str]) -> Input {
    let frame = |word: &&str| Frame { event: None, data: (*word).to_owned() };
    Input::Frames(words.iter().map(frame).collect())
}

/// Everything said, and the last directive.
fn run(inputs: impl IntoIterator<Item = Input>) -> (Vec<ChatEvent>, Directive) {
    let (cx, mut machine) = (Context::default(), Machine::<Parrot>::default());
    let mut output = machine.start(&cx, ChatRequest::new("parrot-1"));
    let mut events = output.events;
    for input in inputs {
        if matches!(output.next, Directive::Done | Directive::Fail(_)) {
            break;
        }
        output = machine.step(&cx, input);
        events.append(&mut output.events);
    }
    (events, output.next)
}

fn text(text: &str) -> ChatEvent {
    ChatEvent::Text(text.to_owned())
}

fn kind(next: Directive) -> ErrorKind {
    let Directive::Fail(error) = next else { panic!("{next:?}") };
    error.kind
}

const STOP: ChatEvent = ChatEvent::Finish(FinishReason::Stop);

#[test]
fn an_answer_that_says_its_end_is_done() {
    let (events, next) = run([head(200), frames(&["a", "b"]), frames(&[".", "!", "late"])]);

    assert_eq!(events, [text("ab"), STOP]);
    assert_eq!(next, Directive::Done);
}

#[test]
fn the_end_of_the_body_is_enough_once_the_end_was_said() {
    let (events, next) = run([head(200), frames(&["."]), frames(&["a"]), Input::End]);

    assert_eq!(events, [text("a"), STOP]);
    assert_eq!(next, Directive::Done);
}

#[test]
fn a_body_that_just_ends_is_an_error() {
    let (events, next) = run([head(200), frames(&["a"]), Input::End]);

    assert_eq!(events, [text("a")]);
    assert_eq!(kind(next), ErrorKind::Protocol);
}

#[test]
fn done_without_an_end_is_an_error() {
    let (_, next) = run([head(200), frames(&["a", "!"])]);

    assert_eq!(kind(next), ErrorKind::Protocol);
}

#[test]
fn a_break_is_an_error_even_after_the_end_was_said() {
    let failed = Input::Failed(TransportFailure::Timeout);
    let (events, next) = run([head(200), frames(&["a", "."]), failed]);

    assert_eq!(events, [text("a")]);
    assert_eq!(kind(next), ErrorKind::Timeout);
}

#[test]
fn what_was_said_before_an_error_is_kept() {
    let (events, next) = run([head(200), frames(&["a", "?", "b"])]);

    assert_eq!(events, [text("a")]);
    assert_eq!(kind(next), ErrorKind::Protocol);
}

#[test]
fn a_refusal_is_an_error_with_its_status_even_without_a_body() {
    for rest in [frames(&["busy"]), Input::End, Input::Failed(TransportFailure::Reset)] {
        let (_, next) = run([head(503), rest]);

        let Directive::Fail(error) = next else { panic!("{next:?}") };
        assert_eq!((error.kind, error.status), (ErrorKind::Overloaded, Some(503)));
    }
}

#[test]
fn a_chat_that_cannot_be_asked_fails_at_once() {
    let mut machine = Machine::<Parrot>::default();

    let output = machine.start(&Context::default(), ChatRequest::new(""));

    assert_eq!(kind(output.next), ErrorKind::Unsupported);
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        prop::sample::select(vec![200_u16, 204, 301, 404, 500]).prop_map(head),
        vec(prop::sample::select(vec!["a", ".", "!", "?"]), 0..4).prop_map(|words| frames(&words)),
        Just(Input::End),
        Just(Input::Failed(TransportFailure::Reset)),
        Just(Input::Woken),
    ]
}

proptest! {
    /// Whatever the host does in whatever order: the end is said exactly when the answer is done, once and last.
    #[test]
    fn only_a_done_answer_ends(inputs in vec(input(), 0..12)) {
        let (events, next) = run(inputs);

        let ends = events.iter().filter(|event| matches!(event, ChatEvent::Finish(_))).count();
        let is_done = next == Directive::Done;
        prop_assert_eq!(ends, usize::from(is_done));
        prop_assert!(!is_done || matches!(events.last(), Some(ChatEvent::Finish(_))));
    }
}
