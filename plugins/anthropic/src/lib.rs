//! Anthropic's Messages API.
//!
//! What it has in common with other vendors is the SDK's; what other vendors call the same is translated here, nothing is invented.

mod message;
mod reply;
mod request;
mod settings;
mod shape;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Models, Provider, Request};

use crate::reply::Reply;
pub use crate::settings::Settings;

/// One answer of Anthropic's.
#[derive(Debug, Default)]
pub struct Anthropic {
    reply: Reply,
}

impl Provider for Anthropic {
    type Settings = Settings;

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        Ok(cx.settings.send(Request::post("/messages")).body(request::body(&cx.settings, chat)?))
    }

    fn frame(
        &mut self,
        _: &Context<Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        frame.told()?.map_or(Ok(Flow::More), |told| self.reply.take(told, events))
    }
}

impl Models for Anthropic {
    /// All of them: a page has twenty unless more are asked for.
    fn ask(cx: &Context<Settings>) -> Result<Request, Error> {
        Ok(cx.settings.send(Request::get("/models").query("limit", "1000")))
    }
}

sluice_sdk::provider!(Anthropic: Models);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['api_key']");
