//! Anthropic's Messages API.
//!
//! What it has in common with other vendors is the SDK's; what other vendors call the same is translated here, nothing is invented.

mod message;
mod reply;
mod request;
mod settings;
mod shape;

use sluice_sdk::{AuthScheme, ChatRequest, Context, Error, Events, Flow, Frame, Provider, Request};

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
        let settings = &cx.settings;
        let beta = Some(settings.beta.join(",")).filter(|beta| !beta.is_empty());
        Ok(Request::post("/messages")
            .auth(AuthScheme::XApiKey)
            .header("anthropic-version", &settings.version)
            .optional_header("anthropic-beta", beta)
            .body(request::body(settings, chat)?))
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

sluice_sdk::provider!(Anthropic);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['api_key']");
