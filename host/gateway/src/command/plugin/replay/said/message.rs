//! A message that a policy wrote, in the form of a case.

use serde_json::{Map, Value};
use sluice_chat::request as ours;
use sluice_testkit::{Blob, Content, Message, Part, Role, ToolContent};

use super::json;

/// One of a single plain text in its short form.
pub(in super::super) fn message(message: ours::Message) -> Message {
    let ours::Message { role, name, parts, extras } = message;
    let role = match role {
        ours::Role::System => Role::System,
        ours::Role::Developer => Role::Developer,
        ours::Role::User => Role::User,
        ours::Role::Assistant => Role::Assistant,
        ours::Role::Tool => Role::Tool,
    };
    let parts = parts.into_iter().map(part).collect();
    Message { role, name, text: None, parts, extras: extras_of(extras) }.shortened()
}

fn part(part: ours::Part) -> Part {
    let content = match part.content {
        ours::Content::Text(text) => Content::Text(text),
        ours::Content::Image(image) => Content::Image(blob(image)),
        ours::Content::Audio(audio) => Content::Audio(blob(audio)),
        ours::Content::Document(document) => Content::Document(blob(document)),
        ours::Content::ToolCall(ours::ToolCall { id, name, arguments, extras }) => {
            Content::ToolCall { id, name, arguments, extras: extras_of(extras) }
        }
        ours::Content::ToolResult(ours::ToolResult { id, name, content, is_error }) => {
            let content = content.into_iter().map(tool_content).collect();
            Content::ToolResult { id, name, content, is_error }
        }
        ours::Content::Reasoning(ours::Reasoning { text, signature }) => {
            Content::Reasoning { text, signature }
        }
        ours::Content::Other(ours::Extra { key, value }) => {
            Content::Other { key, value: json(value) }
        }
    };
    Part { content, extras: extras_of(part.extras) }
}

fn tool_content(content: ours::ToolContent) -> ToolContent {
    match content {
        ours::ToolContent::Text(text) => ToolContent::Text(text),
        ours::ToolContent::Image(image) => ToolContent::Image(blob(image)),
        ours::ToolContent::Other(ours::Extra { key, value }) => {
            ToolContent::Other { key, value: json(value) }
        }
    }
}

fn blob(blob: ours::BlobRef) -> Blob {
    let ours::BlobRef { id, media_type, size, url, name } = blob;
    Blob { id, media_type, size, url, name }
}

fn extras_of(extras: Vec<ours::Extra>) -> Map<String, Value> {
    extras.into_iter().map(|extra| (extra.key, json(extra.value))).collect()
}
