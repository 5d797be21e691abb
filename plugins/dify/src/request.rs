//! The body that asks an app.

use serde_json::{Map, Value};
use sluice_sdk::{
    BlobRef, Body, ChatRequest, Error, JsonBody, JsonObject, Message, OutputFormat, Role,
};

use crate::settings::Settings;

/// Keys that only this module may write.
const OURS: [&str; 7] =
    ["inputs", "query", "response_mode", "user", "conversation_id", "files", "stream"];
/// Whom the app is told it speaks with when the gateway does not say.
const NOBODY: &str = "sluice";

/// Writes the whole body.
pub(crate) fn body(settings: &Settings, chat: &ChatRequest) -> Result<Body, Error> {
    refuse(chat)?;
    let conversation = chat.conversation();
    let instructions = instructions(chat);
    let inputs = inputs(settings, chat, &instructions)?;
    let newest = chat.messages.iter().rposition(|message| message.role == Role::User);
    let newest = newest.ok_or_else(|| Error::invalid_request("nobody asked anything"))?;
    let asked = &chat.messages[newest];
    let told = match (&settings.system_prompt_input, conversation) {
        (None, None) => instructions,
        (Some(_), _) | (_, Some(_)) => String::new(),
    };
    let before =
        if conversation.is_none() { transcript(&chat.messages[..newest]) } else { String::new() };
    JsonBody::object(|o| {
        o.field("inputs", &inputs);
        o.field("query", &format!("{told}{before}{}", asked.text()));
        // Agents know no other mode.
        o.field("response_mode", "streaming");
        o.field("user", chat.user.as_deref().unwrap_or(NOBODY));
        o.optional("conversation_id", conversation);
        let files = asked.parts.iter().filter_map(|part| part.content.blob());
        o.objects("files", files, |o, (kind, blob)| attach(o, kind, blob));
        o.extras(chat.extras_but(&OURS));
    })
}

/// What an app has no place for, and whose absence would make another answer of it.
fn refuse(chat: &ChatRequest) -> Result<(), Error> {
    if !chat.tools.is_empty() {
        return Err(Error::unsupported("an app of Dify's has tools of its own only"));
    }
    match chat.format {
        OutputFormat::Text => Ok(()),
        OutputFormat::JsonObject | OutputFormat::JsonSchema(_) => {
            Err(Error::unsupported("the form of an answer is set in the app"))
        }
    }
}

fn inputs(
    settings: &Settings,
    chat: &ChatRequest,
    instructions: &str,
) -> Result<Map<String, Value>, Error> {
    let mut inputs = settings.inputs.clone();
    if let Some(theirs) = chat.extra("inputs") {
        let theirs: Map<String, Value> = serde_json::from_str(theirs)
            .map_err(|_| Error::invalid_request("`inputs` is no object"))?;
        inputs.extend(theirs);
    }
    if let Some(variable) = &settings.system_prompt_input {
        inputs.insert(variable.clone(), instructions.trim_end().into());
    }
    Ok(inputs)
}

fn instructions(chat: &ChatRequest) -> String {
    let told = chat.messages.iter().filter(|message| message.role.instructs());
    told.map(|message| message.text() + "\n\n").collect()
}

/// What was said before, for an app that has not heard it.
fn transcript(earlier: &[Message]) -> String {
    let said = earlier.iter().filter(|message| !message.role.instructs());
    let lines = said.map(|message| match message.role {
        Role::Assistant => format!("assistant: {}\n\n", message.text()),
        Role::User | Role::Tool | Role::System | Role::Developer => {
            format!("user: {}\n\n", message.text())
        }
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { lines + "user: " }
}

fn attach(o: &mut JsonObject<'_>, kind: &str, blob: &BlobRef) {
    o.field("type", kind);
    match &blob.url {
        Some(url) => {
            o.field("transfer_method", "remote_url");
            o.field("url", url);
        }
        None => o.fail(Error::unsupported("files go to Dify by link only")),
    }
}
