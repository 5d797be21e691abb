use std::{fs, path::Path};

use sluice_sdk::{
    Answer, ChatRequest, Context, Error, Events, FinishReason, Flow, Frame, Input, Output,
    Provider, Request,
};
use tempfile::TempDir;

use super::*;
use crate::native::Native;

const CASE: &str = r#"
about = "Two words."
[chat]
model = "m"
messages = [{ role = "user", text = "Hi" }]
"#;

const EXCHANGE: &str =
    "HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\ndata: a\n\ndata: b\n\ndata: .\n\n";

/// Says each frame; a full stop ends it.
#[derive(Default)]
struct Honest;

impl Provider for Honest {
    type Settings = ();

    fn request(&mut self, _: &Context<()>, chat: &ChatRequest) -> Result<Request, Error> {
        Request::post("/say").json(&chat.model)
    }

    fn frame(
        &mut self,
        _: &Context<()>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        match frame.data.as_str() {
            "." => {
                events.finish(FinishReason::Stop);
                return Ok(Flow::Done);
            }
            word if word.len() == 1 => events.text(word),
            _ => return Err(Error::protocol("a word has one letter")),
        }
        Ok(Flow::More)
    }
}

sluice_sdk::provider!(Honest);

/// What to do wrong.
trait Wrong: Default + 'static {
    /// What is said of the frames of one read.
    fn frames(words: &[String]) -> String {
        words.concat()
    }

    /// What comes of the end of the body.
    fn end(events: Events) -> Output {
        Output::fail(events, Error::protocol("cut"))
    }
}

/// A plugin on the lower layer, where nobody looks after it.
#[derive(Default)]
struct Careless<W>(W);

impl<W: Wrong> Answer for Careless<W> {
    type Settings = ();

    fn start(&mut self, _: &Context<()>, _: ChatRequest) -> Output {
        Output::send(Events::new(), Request::post("/say"))
    }

    fn step(&mut self, _: &Context<()>, input: Input) -> Output {
        let mut events = Events::new();
        match input {
            Input::Frames(frames) => {
                let words: Vec<String> = frames.into_iter().map(|frame| frame.data).collect();
                events.text(W::frames(&words));
                if words.last().is_some_and(|word| word == ".") {
                    events.finish(FinishReason::Stop);
                    return Output::done(events);
                }
                Output::more(events)
            }
            Input::End => {
                events.finish(FinishReason::Stop);
                W::end(events)
            }
            Input::Failed(_) => Output::fail(events, Error::protocol("broken")),
            Input::Head(_) | Input::Woken => Output::more(events),
        }
    }
}

impl<W: Wrong> sluice_sdk::Plugin for Careless<W> {
    type Answer = Self;
}

/// Takes any end for the end.
#[derive(Default)]
struct Gullible;
impl Wrong for Gullible {
    fn end(events: Events) -> Output {
        Output::done(events)
    }
}

/// Counts the frames of a read.
#[derive(Default)]
struct Counting;
impl Wrong for Counting {
    fn frames(words: &[String]) -> String {
        words.len().to_string()
    }
}

/// Never ends.
#[derive(Default)]
struct Greedy;
impl Wrong for Greedy {
    fn end(events: Events) -> Output {
        Output::more(events)
    }
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("case.toml"), CASE).unwrap();
    fs::write(folder.path().join("exchange-1.http"), EXCHANGE).unwrap();
    folder
}

fn checked<P: sluice_sdk::Plugin>(folder: &Path, update: bool) -> Result<(), CheckError> {
    check(&Native::<P>::default(), &Case::load(folder).unwrap(), update)
}

#[test]
fn an_honest_plugin_passes_with_what_was_written() {
    let folder = folder();

    checked::<Honest>(folder.path(), true).unwrap();
    checked::<Honest>(folder.path(), false).unwrap();

    let expected = "{\"text\":\"ab\"}\n{\"finish\":\"stop\"}\n{\"end\":\"done\"}\n";
    assert_eq!(fs::read_to_string(folder.path().join("expect.jsonl")).unwrap(), expected);
}

#[test]
fn another_event_or_request_is_shown_with_its_line() {
    let folder = folder();
    checked::<Honest>(folder.path(), true).unwrap();
    for (file, from, to, line) in
        [("expect.jsonl", "stop", "length", 2), ("request-1.json", "/say", "/sing", 9)]
    {
        let path = folder.path().join(file);
        let written = fs::read_to_string(&path).unwrap();
        fs::write(&path, written.replace(from, to)).unwrap();

        let error = checked::<Honest>(folder.path(), false).unwrap_err();

        let CheckError::Differs { file: shown, line: at, .. } = error else { panic!("{error}") };
        assert_eq!((shown.as_str(), at), (file, line));
        fs::write(&path, written).unwrap();
    }
}

#[test]
fn a_request_that_was_expected_and_not_made_is_shown() {
    let folder = folder();
    checked::<Honest>(folder.path(), true).unwrap();
    fs::write(folder.path().join("request-2.json"), "{}").unwrap();

    let error = checked::<Honest>(folder.path(), false).unwrap_err();

    assert!(matches!(error, CheckError::Differs { .. }), "{error}");
}

#[test]
fn a_plugin_that_takes_any_end_for_the_end_is_found_out() {
    let error = checked::<Careless<Gullible>>(folder().path(), true).unwrap_err();

    assert!(matches!(error, CheckError::Untrue { .. }), "{error}");
}

#[test]
fn a_plugin_in_which_cuts_show_is_found_out() {
    let error = checked::<Careless<Counting>>(folder().path(), true).unwrap_err();

    assert!(matches!(error, CheckError::Shows { .. }), "{error}");
}

#[test]
fn a_plugin_that_wants_more_than_there_is_is_found_out() {
    let error = checked::<Careless<Greedy>>(folder().path(), true).unwrap_err();

    assert!(matches!(error, CheckError::Play { source: PlayError::NothingLeft, .. }), "{error}");
}
