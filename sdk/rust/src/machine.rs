//! Drives a [`Provider`] through its exchanges and keeps its answer true.

use std::vec::IntoIter;

use crate::{
    Answer, ChatRequest, Context, Directive, Error, Events, Flow, Frame, Framing, Head, Input,
    Output, Provider, Request, provider::failed,
};

/// One answer of a provider.
#[derive(Debug, Default)]
pub struct Machine<P> {
    provider: P,
    events: Events,
    stage: Stage,
    /// What is still to be sent before the chat is asked.
    before: IntoIter<Request>,
    /// The chat, until it is asked.
    chat: Option<ChatRequest>,
}

/// Where the exchange stands.
#[derive(Debug, Default)]
enum Stage {
    /// Nothing was asked yet.
    #[default]
    Idle,
    /// A request is out.
    Asked,
    /// A 2xx body of a request before the chat's is coming; so far it is this.
    Preparing(String),
    /// A 2xx body is coming.
    Reading,
    /// Another status came; its body follows as one frame.
    Refused(Head),
    /// Done or failed.
    Over,
}

impl<P: Provider> Answer for Machine<P> {
    type Settings = P::Settings;

    fn start(&mut self, cx: &Context<P::Settings>, chat: ChatRequest) -> Output {
        match self.provider.before(cx, &chat) {
            Ok(before) => {
                self.before = before.into_iter();
                self.ask(cx, chat)
            }
            Err(error) => self.fail(error),
        }
    }

    fn step(&mut self, cx: &Context<P::Settings>, input: Input) -> Output {
        match (std::mem::take(&mut self.stage), input) {
            (Stage::Asked, Input::Head(head)) => self.head(cx, head),
            (Stage::Reading, Input::Frames(frames)) => self.frames(cx, &frames),
            (Stage::Reading, Input::End) => self.end(cx),
            (Stage::Preparing(mut body), Input::Frames(frames)) => {
                body.extend(frames.into_iter().map(|frame| frame.data));
                self.go_on(Stage::Preparing(body))
            }
            (Stage::Preparing(body), Input::End) => self.prepared(cx, &body),
            (Stage::Refused(head), Input::Frames(frames)) => match &frames[..] {
                [] => self.go_on(Stage::Refused(head)),
                [body, ..] => self.refuse(cx, &head, &body.data),
            },
            // Without its body the status still says what matters.
            (Stage::Refused(head), Input::End | Input::Failed(_)) => self.refuse(cx, &head, ""),
            (Stage::Asked | Stage::Preparing(_) | Stage::Reading, Input::Failed(failure)) => {
                self.fail(Error::from_transport(failure))
            }
            (Stage::Asked, Input::Frames(_) | Input::End)
            | (Stage::Preparing(_) | Stage::Reading | Stage::Refused(_), Input::Head(_))
            | (Stage::Idle | Stage::Over, _)
            | (_, Input::Woken) => self.fail(Error::protocol("the host stepped out of turn")),
        }
    }
}

impl<P: Provider> Machine<P> {
    /// Sends what comes next: something before the chat, or the chat.
    fn ask(&mut self, cx: &Context<P::Settings>, chat: ChatRequest) -> Output {
        let request = if let Some(first) = self.before.next() {
            self.chat = Some(chat);
            first.framing(Framing::Whole)
        } else {
            match self.provider.request(cx, &chat) {
                Ok(request) => request,
                Err(error) => return self.fail(error),
            }
        };
        self.stage = Stage::Asked;
        Output::send(Events::new(), request)
    }

    fn prepared(&mut self, cx: &Context<P::Settings>, body: &str) -> Output {
        match (self.provider.prepared(cx, body), self.chat.take()) {
            (Ok(()), Some(chat)) => self.ask(cx, chat),
            (Ok(()), None) => self.fail(Error::protocol("the host stepped out of turn")),
            (Err(error), _) => self.fail(error),
        }
    }

    fn head(&mut self, cx: &Context<P::Settings>, head: Head) -> Output {
        if !head.is_success() {
            return self.go_on(Stage::Refused(head));
        }
        if self.chat.is_some() {
            return self.go_on(Stage::Preparing(String::new()));
        }
        match self.provider.head(cx, &head) {
            Ok(()) => self.go_on(Stage::Reading),
            Err(error) => self.fail(error),
        }
    }

    fn frames(&mut self, cx: &Context<P::Settings>, frames: &[Frame]) -> Output {
        for frame in frames {
            match self.provider.frame(cx, frame, &mut self.events) {
                Ok(Flow::More) => {}
                Ok(Flow::Done) => return self.done("said it was done without saying why"),
                Err(error) => return self.fail(error),
            }
        }
        self.go_on(Stage::Reading)
    }

    fn end(&mut self, cx: &Context<P::Settings>) -> Output {
        match self.provider.end(cx, &mut self.events) {
            Ok(()) => self.done("the upstream stopped before its end"),
            Err(error) => self.fail(error),
        }
    }

    fn refuse(&mut self, cx: &Context<P::Settings>, head: &Head, body: &str) -> Output {
        let error = failed(&mut self.provider, cx, head, body);
        self.fail(error)
    }

    fn go_on(&mut self, stage: Stage) -> Output {
        self.stage = stage;
        let parting = self.events.take_parting();
        Output { events: self.events.take(), next: Directive::More, parting }
    }

    /// The end, if somebody said so; else a failure.
    fn done(&mut self, otherwise: &str) -> Output {
        if !self.events.is_finished() {
            return self.fail(Error::protocol(otherwise));
        }
        self.stage = Stage::Over;
        Output::done(std::mem::take(&mut self.events))
    }

    /// What was said until now is passed on, an end that was said is not: it turned out wrong.
    fn fail(&mut self, error: Error) -> Output {
        self.stage = Stage::Over;
        let parting = self.events.take_parting();
        Output { events: self.events.take(), next: Directive::Fail(error), parting }
    }
}

#[cfg(test)]
mod tests;
