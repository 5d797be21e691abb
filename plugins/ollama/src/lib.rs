//! Ollama's own API: one JSON text a line, options apart, arguments of tools as objects.
//!
//! It has a second API in OpenAI's words; this one knows thinking, context sizes and how long a model stays loaded.

mod embedding;
mod message;
mod models;
mod reply;
mod request;
mod settings;

use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Provider, Request};

pub use crate::settings::Settings;

/// One answer of Ollama's.
#[derive(Debug, Default)]
pub struct Ollama;

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
        frame.told()?.map_or(Ok(Flow::More), |line| reply::take(line, events))
    }
}

sluice_sdk::provider!(Ollama: Embed, Models);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['api_key']");
