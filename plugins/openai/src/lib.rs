//! Chat completions as OpenAI began them and many vendors speak them.
//!
//! Vendors that differ by a word are settings of this plugin, not plugins of their own. What is a dialect apart is not here.

mod chunk;
mod embedding;
mod message;
mod reply;
mod request;
mod settings;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Models, Provider, Request};

pub use crate::settings::{MaxTokensField, Settings};

/// One answer in the dialect.
#[derive(Debug, Default)]
pub struct OpenAi;

impl Provider for OpenAi {
    type Settings = Settings;

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        // By content type: there are upstreams that answer a request for a stream with one JSON text.
        Ok(cx
            .settings
            .send(Request::post("/chat/completions"))
            .body(request::body(&cx.settings, chat)?))
    }

    fn frame(
        &mut self,
        _: &Context<Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        if frame.data.trim() == "[DONE]" {
            return reply::end(events);
        }
        frame.told()?.map_or(Ok(Flow::More), |chunk| reply::take(chunk, events))
    }
}

impl Models for OpenAi {
    fn ask(cx: &Context<Settings>) -> Result<Request, Error> {
        Ok(cx.settings.send(Request::get("/models")))
    }
}

sluice_sdk::provider!(OpenAi: Embed, Models);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['api_key']");
