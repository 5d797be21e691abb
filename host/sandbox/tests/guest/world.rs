//! What most tests need: a small sandbox, a loaded guest, a question, and what was said.

use sluice_chat::event::ChatEvent;
use sluice_chat::exchange::Frame;
use sluice_chat::id::Instant;
use sluice_chat::request::{ChatRequest, Message, Role};
use sluice_sandbox::{
    Answer, Input, Limits, LoadError, Output, Provider, Sandbox, SandboxSettings,
};

use crate::component::component;

/// A sandbox of so many answers, without a cache.
pub(crate) fn sandbox(max_answers: u32) -> Sandbox {
    Sandbox::new(SandboxSettings { max_answers, cache_directory: None }).expect("a sandbox")
}

/// Loads a guest with default limits and empty settings.
pub(crate) async fn load(sandbox: &Sandbox, guest: &str) -> Provider {
    let bytes = component(guest);
    sandbox.load(guest, &bytes, None, Limits::default(), "{}").await.expect("a sound guest")
}

/// Loads bytes with default limits and empty settings.
pub(crate) async fn load_bytes(bytes: &[u8]) -> Result<Provider, LoadError> {
    sandbox(1).load("probe", bytes, None, Limits::default(), "{}").await
}

/// Begins an answer.
pub(crate) async fn begin(provider: &Provider) -> Answer {
    provider.answer(Instant(1), 2).await.expect("an answer")
}

/// A question to that model; guests take it as what to do.
pub(crate) fn ask(model: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::text(Role::User, "hello")],
        ..ChatRequest::default()
    }
}

/// Frames with that data.
pub(crate) fn frames(data: &[&str]) -> Input {
    let frame = |data: &&str| Frame { event: None, data: (*data).to_owned() };
    Input::Frames(data.iter().map(frame).collect())
}

/// The texts of an output.
pub(crate) fn texts(output: &Output) -> Vec<&str> {
    let mut texts = Vec::new();
    for event in &output.events {
        if let ChatEvent::Text(text) = event {
            texts.push(text.as_str());
        }
    }
    texts
}
