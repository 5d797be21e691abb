//! Dify's apps: chat, agent and chatflow.
//!
//! An app keeps the conversation itself, under a handle that it gives with its first answer and the gateway gives back with the next
//! question. What it samples by, which tools it has and what it is told first is set in the app, not here.

mod reply;
mod request;
mod settings;

use serde::Deserialize;
use serde_json::json;
use sluice_sdk::{
    ChatRequest, Context, Error, Events, Flow, FormPart, Frame, Framing, Provider, Request,
};

use crate::reply::{Reply, Told};
pub use crate::settings::Settings;

/// Most files of one message that go up by their bytes: an answer has six exchanges.
const MOST_UPLOADS: usize = 5;

/// One answer of an app.
#[derive(Debug, Default)]
pub struct Dify {
    /// Ids of the files that were uploaded, in their order.
    uploaded: Vec<String>,
    /// Whom the app is told it speaks with.
    user: String,
    reply: Reply,
    /// Whether the gateway knows how to stop it.
    stoppable: bool,
}

/// What an upload is answered with.
#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

impl Provider for Dify {
    type Settings = Settings;

    fn before(&mut self, _: &Context<Settings>, chat: &ChatRequest) -> Result<Vec<Request>, Error> {
        request::user(chat).clone_into(&mut self.user);
        let uploads = request::asked(chat)?.parts.iter().filter_map(|part| part.content.blob());
        let uploads = uploads.filter(|(_, blob)| blob.url.is_none()).map(|(_, blob)| {
            let parts = vec![FormPart::file("file", blob), FormPart::field("user", &self.user)];
            Request::post("/files/upload").form(parts)
        });
        let uploads: Vec<Request> = uploads.collect();
        if uploads.len() > MOST_UPLOADS {
            return Err(Error::unsupported("too many files in one message"));
        }
        Ok(uploads)
    }

    fn prepared(&mut self, _: &Context<Settings>, body: &str) -> Result<(), Error> {
        let Uploaded { id } =
            serde_json::from_str(body).map_err(|_| Error::protocol("an upload without an id"))?;
        self.uploaded.push(id);
        Ok(())
    }

    fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
        let body = request::body(&cx.settings, chat, &self.uploaded)?;
        Ok(Request::post("/chat-messages").framing(Framing::Sse).body(body))
    }

    fn frame(
        &mut self,
        _: &Context<Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        // Pings are an event name without data.
        let Some(mut told) = frame.told::<Told>()? else { return Ok(Flow::More) };
        if let Some(task) = told.task_id.take().filter(|_| !self.stoppable) {
            self.stoppable = true;
            let stop = Request::post(format!("/chat-messages/{task}/stop"));
            events.when_given_up(stop.json(&json!({ "user": self.user }))?);
        }
        self.reply.take(told, &frame.data, events)
    }
}

sluice_sdk::provider!(Dify);
sluice_sdk::manifest!("endpoints = ['api']\nsecrets = ['api_key']");
