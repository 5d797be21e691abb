//! A guest that sends whatever it is told to, which is written as JSON in the user's message, and says what came back.

use serde::Deserialize;
use sluice_sdk::{
    Answer, ChatRequest, Context, Directive, Error, ErrorKind, Events, FinishReason, Framing,
    Input, Output, Request,
};

/// What to send, and what to do after that.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Order {
    path: String,
    endpoint: Option<String>,
    auth: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    /// Text of the body, which becomes a JSON string.
    body: Option<String>,
    /// Bytes to add to the body.
    more_bytes: usize,
    /// Whether to claim that it may be sent again.
    idempotent: bool,
    /// Sends the same again after each response, for ever.
    for_ever: bool,
    /// Fails instead of sending anything, as if the upstream wanted another try after so many milliseconds.
    fail_after_ms: Option<u32>,
}

/// The guest.
#[derive(Debug, Default)]
pub struct Rogue {
    order: Order,
}

impl Rogue {
    fn send(&self, events: Events) -> Output {
        let Order { path, endpoint, auth, query, headers, body, .. } = &self.order;
        let mut request = Request::post(path.clone()).framing(Framing::Whole);
        request = endpoint.iter().fold(request, |request, name| request.endpoint(name.clone()));
        request = auth.iter().fold(request, |request, scheme| request.auth(scheme.clone()));
        request = request.queries(query.clone());
        for (name, value) in headers {
            request = request.header(name.clone(), value.clone());
        }
        request.idempotent = self.order.idempotent;
        let more = "x".repeat(self.order.more_bytes);
        let text = body.as_deref().unwrap_or_default().to_owned() + &more;
        match request.json(&text) {
            Ok(request) => Output { next: Directive::Send(request), ..Output::more(events) },
            Err(error) => Output::fail(events, error),
        }
    }
}

impl Answer for Rogue {
    type Settings = ();

    fn start(&mut self, _: &Context<()>, chat: ChatRequest) -> Output {
        match serde_json::from_str(&chat.last_user_text()) {
            Ok(order) => self.order = order,
            Err(error) => {
                return Output::fail(Events::new(), Error::invalid_request(error.to_string()));
            }
        }
        match self.order.fail_after_ms {
            Some(pause) => {
                let error = Error::new(ErrorKind::RateLimited, "so it says");
                Output::fail(Events::new(), error.with_retry_after_ms(pause))
            }
            None => self.send(Events::new()),
        }
    }

    fn step(&mut self, _: &Context<()>, input: Input) -> Output {
        let mut events = Events::new();
        match input {
            Input::Head(_) if self.order.for_ever => self.send(events),
            Input::Head(head) => {
                events.text(format!("status {};", head.status));
                for field in head.headers {
                    events.text(format!(" {}: {};", field.name, field.value));
                }
                Output::more(events)
            }
            Input::Frames(frames) => {
                for frame in frames {
                    events.text(frame.data);
                }
                Output::more(events)
            }
            Input::End => {
                events.finish(FinishReason::Stop);
                Output::done(events)
            }
            Input::Failed(failure) => {
                events.text(format!("{failure:?}"));
                Output::done(events)
            }
            Input::Woken => Output::done(events),
        }
    }
}

sluice_sdk::answer!(Rogue);
sluice_sdk::manifest!("endpoints = ['api', 'other']\nsecrets = ['api_key']");
