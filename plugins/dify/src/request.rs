//! The body that asks an app.

use std::slice::Iter;

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

/// Whom the app is told it speaks with.
pub(crate) fn user(chat: &ChatRequest) -> &str {
    chat.user.as_deref().unwrap_or(NOBODY)
}

/// The message to answer, if the app has a place for all of the chat.
pub(crate) fn asked(chat: &ChatRequest) -> Result<&Message, Error> {
    refuse(chat)?;
    let newest = chat.messages.iter().rfind(|message| message.role == Role::User);
    newest.ok_or_else(|| Error::invalid_request("nobody asked anything"))
}

/// Writes the whole body. `uploaded` has the ids of those files of the message that have no link, in their order.
pub(crate) fn body(
    settings: &Settings,
    chat: &ChatRequest,
    uploaded: &[String],
) -> Result<Body, Error> {
    let conversation = chat.conversation();
    let instructions = instructions(chat);
    let inputs = inputs(settings, chat, &instructions)?;
    let unheard = chat.unheard();
    let newest = unheard.iter().rposition(|message| message.role == Role::User);
    let newest = newest.ok_or_else(|| Error::invalid_request("nobody asked anything"))?;
    let asked = &unheard[newest];
    let before = transcript(&unheard[..newest]);
    let told = match (&settings.system_prompt_input, conversation) {
        (None, None) => instructions,
        (Some(_), _) | (_, Some(_)) => String::new(),
    };
    JsonBody::object(|o| {
        o.field("inputs", &inputs);
        o.field("query", &format!("{told}{before}{}", asked.text()));
        // Agents know no other mode.
        o.field("response_mode", "streaming");
        o.field("user", user(chat));
        o.optional("conversation_id", conversation);
        let files = asked.parts.iter().filter_map(|part| part.content.blob());
        let mut uploaded = uploaded.iter();
        o.objects("files", files, |o, (kind, blob)| attach(o, kind, blob, &mut uploaded));
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

fn attach(o: &mut JsonObject<'_>, kind: &str, blob: &BlobRef, uploaded: &mut Iter<'_, String>) {
    o.field("type", kind);
    if let Some(url) = &blob.url {
        o.field("transfer_method", "remote_url");
        o.field("url", url);
    } else {
        o.field("transfer_method", "local_file");
        o.optional("upload_file_id", uploaded.next());
    }
}
