//! The body that asks an app.

use serde_json::{Map, Value};
use sluice_sdk::{
    BlobRef, Body, ChatRequest, Content, Error, Extra, JsonArray, JsonBody, Message, OutputFormat,
    Role,
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
        let files: Vec<(&str, &BlobRef)> = asked.parts.iter().filter_map(file).collect();
        if !files.is_empty() {
            o.array("files", |a| files.iter().for_each(|(kind, blob)| attach(a, kind, blob)));
        }
        let theirs = chat.extras.iter().filter(|extra| !OURS.contains(&extra.key.as_str()));
        o.extras(&theirs.cloned().collect::<Vec<Extra>>());
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
    if let Some(theirs) = chat.extras.iter().find(|extra| extra.key == "inputs") {
        let theirs: Map<String, Value> = serde_json::from_str(&theirs.value)
            .map_err(|_| Error::invalid_request("`inputs` is no object"))?;
        inputs.extend(theirs);
    }
    if let Some(variable) = &settings.system_prompt_input {
        inputs.insert(variable.clone(), instructions.trim_end().into());
    }
    Ok(inputs)
}

fn instructions(chat: &ChatRequest) -> String {
    let told = chat.messages.iter().filter(|message| is_instruction(message));
    told.map(|message| message.text() + "\n\n").collect()
}

fn is_instruction(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// What was said before, for an app that has not heard it.
fn transcript(earlier: &[Message]) -> String {
    let said = earlier.iter().filter(|message| !is_instruction(message));
    let lines = said.map(|message| match message.role {
        Role::Assistant => format!("assistant: {}\n\n", message.text()),
        Role::User | Role::Tool | Role::System | Role::Developer => {
            format!("user: {}\n\n", message.text())
        }
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { lines + "user: " }
}

fn file(part: &sluice_sdk::Part) -> Option<(&'static str, &BlobRef)> {
    match &part.content {
        Content::Image(blob) => Some(("image", blob)),
        Content::Audio(blob) => Some(("audio", blob)),
        Content::Document(blob) => Some(("document", blob)),
        Content::Text(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Reasoning(_)
        | Content::Other(_) => None,
    }
}

fn attach(a: &mut JsonArray<'_>, kind: &str, blob: &BlobRef) {
    a.object(|o| {
        o.field("type", kind);
        match &blob.url {
            Some(url) => {
                o.field("transfer_method", "remote_url");
                o.field("url", url);
            }
            None => o.fail(Error::unsupported("files go to Dify by link only")),
        }
    });
}
