//! Chat completions as OpenAI began them and many vendors speak them.
//!
//! Vendors that differ by a word are settings of this plugin, not plugins of their own. What is a dialect apart is not here.

mod chunk;
mod content;
mod embedding;
mod message;
mod reply;
mod request;
mod settings;
mod slot;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Head, Provider, Request};

pub use crate::settings::{Auth, MaxTokensField, Settings};
use crate::{chunk::Chunk, reply::Reply};

/// One answer in the dialect.
#[derive(Debug, Default)]
pub struct OpenAi {
    reply: Reply,
}

impl Provider for OpenAi {
    type Settings = Settings;

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        // By content type: there are upstreams that answer a request for a stream with one JSON text.
        Ok(cx.settings.post("/chat/completions").body(request::body(&cx.settings, chat)?))
    }

    fn frame(
        &mut self,
        _: &Context<Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        match (frame.event.as_deref(), frame.data.trim()) {
            (Some("error"), body) => Err(Error::told_in_stream(body)),
            (_, "") => Ok(Flow::More),
            (_, "[DONE]") => self.reply.end(events),
            (_, _) => self.reply.take(frame.json::<Chunk>()?, events),
        }
    }

    fn failure(&mut self, cx: &Context<Settings>, head: &Head, body: &str) -> Error {
        Error::told_by_response(head, body, cx.now_ms)
    }
}

sluice_sdk::provider!(OpenAi: Embed);
