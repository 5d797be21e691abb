//! Drives a [`Provider`] through one exchange and keeps its answer true.

use crate::{
    Answer, ChatRequest, Context, Directive, Error, Events, Flow, Frame, Head, Input, Output,
    Provider,
};

/// One answer of a provider.
#[derive(Debug, Default)]
pub struct Machine<P> {
    provider: P,
    events: Events,
    stage: Stage,
}

/// Where the exchange stands.
#[derive(Debug, Default)]
enum Stage {
    /// Nothing was asked yet.
    #[default]
    Idle,
    /// The request is out.
    Asked,
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
        match self.provider.request(cx, &chat) {
            Ok(request) => {
                self.stage = Stage::Asked;
                Output { events: Vec::new(), next: Directive::Send(request) }
            }
            Err(error) => self.fail(error),
        }
    }

    fn step(&mut self, cx: &Context<P::Settings>, input: Input) -> Output {
        match (std::mem::take(&mut self.stage), input) {
            (Stage::Asked, Input::Head(head)) => self.head(cx, head),
            (Stage::Reading, Input::Frames(frames)) => self.frames(cx, &frames),
            (Stage::Reading, Input::End) => self.end(cx),
            (Stage::Refused(head), Input::Frames(frames)) => match &frames[..] {
                [] => self.go_on(Stage::Refused(head)),
                [body, ..] => self.refuse(cx, &head, &body.data),
            },
            // Without its body the status still says what matters.
            (Stage::Refused(head), Input::End | Input::Failed(_)) => self.refuse(cx, &head, ""),
            (Stage::Asked | Stage::Reading, Input::Failed(failure)) => {
                self.fail(Error::from_transport(failure))
            }
            (Stage::Asked, Input::Frames(_) | Input::End)
            | (Stage::Reading | Stage::Refused(_), Input::Head(_))
            | (Stage::Idle | Stage::Over, _)
            | (_, Input::Woken) => self.fail(Error::protocol("the host stepped out of turn")),
        }
    }
}

impl<P: Provider> Machine<P> {
    fn head(&mut self, cx: &Context<P::Settings>, head: Head) -> Output {
        if !head.is_success() {
            return self.go_on(Stage::Refused(head));
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
        let error = self.provider.failure(cx, head, body);
        let status = error.status.or(Some(head.status));
        self.fail(Error { status, ..error })
    }

    fn go_on(&mut self, stage: Stage) -> Output {
        self.stage = stage;
        Output { events: self.events.take(), next: Directive::More }
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
        Output { events: self.events.take(), next: Directive::Fail(error) }
    }
}

#[cfg(test)]
mod tests;
