//! Ollama's own API: one JSON text a line, options apart, arguments of tools as objects.
//!
//! It has a second API in OpenAI's words; this one knows thinking, context sizes and how long a model stays loaded.

mod embedding;
mod message;
mod reply;
mod request;
mod settings;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Head, Provider, Request};

use crate::reply::{Line, Reply};
pub use crate::settings::Settings;

/// One answer of Ollama's.
#[derive(Debug, Default)]
pub struct Ollama {
    reply: Reply,
}

impl Provider for Ollama {
    type Settings = Settings;

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        Ok(Request::post("/api/chat").body(request::body(&cx.settings, chat)?))
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
        self.reply.take(frame.json::<Line>()?, events)
    }

    fn failure(&mut self, cx: &Context<Settings>, head: &Head, body: &str) -> Error {
        Error::told_by_response(head, body, cx.now_ms)
    }
}

sluice_sdk::provider!(Ollama: Embed);
