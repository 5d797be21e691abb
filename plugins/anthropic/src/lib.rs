//! Anthropic's Messages API.
//!
//! What it has in common with other vendors is the SDK's; what other vendors call the same is translated here, nothing is invented.

mod message;
mod reply;
mod request;
mod settings;
mod shape;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Head, Provider, Request};

pub use crate::settings::Settings;
use crate::{reply::Reply, shape::Told};

/// Name of the auth scheme: the key as it is, in a header of its own.
const SCHEME: &str = "x-api-key";

/// One answer of Anthropic's.
#[derive(Debug, Default)]
pub struct Anthropic {
    reply: Reply,
}

impl Provider for Anthropic {
    type Settings = Settings;

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        let settings = &cx.settings;
        let request = Request::post("/messages")
            .auth(SCHEME)
            .header("anthropic-version", &settings.version)
            .body(request::body(settings, chat)?);
        if settings.beta.is_empty() {
            return Ok(request);
        }
        Ok(request.header("anthropic-beta", settings.beta.join(",")))
    }

    fn frame(
        &mut self,
        _: &Context<Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        if frame.data.trim().is_empty() {
            return Ok(Flow::More);
        }
        self.reply.take(frame.json::<Told>()?, events)
    }

    fn failure(&mut self, cx: &Context<Settings>, head: &Head, body: &str) -> Error {
        Error::told_by_response(head, body, cx.now_ms)
    }
}

sluice_sdk::provider!(Anthropic);
