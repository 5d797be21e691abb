//! Dify's apps: chat, agent and chatflow.
//!
//! An app keeps the conversation itself, under a handle that it gives with its first answer and the gateway gives back with the next
//! question. What it samples by, which tools it has and what it is told first is set in the app, not here.

mod reply;
mod request;
mod settings;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Framing, Provider, Request};

use crate::reply::Reply;
pub use crate::settings::Settings;

/// One answer of an app.
#[derive(Debug, Default)]
pub struct Dify {
    reply: Reply,
}

impl Provider for Dify {
    type Settings = Settings;

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        let body = request::body(&cx.settings, chat)?;
        Ok(Request::post("/chat-messages").framing(Framing::Sse).body(body))
    }

    fn frame(
        &mut self,
        _: &Context<Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        // Pings are an event name without data.
        frame.told()?.map_or(Ok(Flow::More), |told| self.reply.take(told, &frame.data, events))
    }
}

sluice_sdk::provider!(Dify);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['api_key']");
