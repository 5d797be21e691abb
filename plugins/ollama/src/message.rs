//! One message of the conversation, which may be several of the API's.

use sluice_sdk::{
    BlobRef, Content, Error, JsonArray, JsonObject, Message, Role, ToolCall, ToolContent,
    ToolResult,
};

/// Writes a message: first its tool results, each a message of its own, then the rest.
pub(crate) fn write(a: &mut JsonArray<'_>, message: &Message) {
    let mut said = Said::default();
    for part in &message.parts {
        match &part.content {
            Content::Text(text) => said.text.push_str(text),
            Content::Reasoning(thought) => said.thinking.push_str(&thought.text),
            Content::Image(blob) => said.images.push(blob),
            Content::ToolCall(call) => said.calls.push(call),
            Content::ToolResult(result) => tool_result(a, result),
            Content::Audio(_) | Content::Document(_) => {
                a.fail(Error::unsupported("of files only pictures are read"));
            }
            Content::Other(_) => a.fail(Error::unsupported("a part that only another vendor has")),
        }
    }
    let is_empty = said.text.is_empty() && said.images.is_empty() && said.calls.is_empty();
    if message.role == Role::Tool || (is_empty && message.parts.iter().any(is_result)) {
        return;
    }
    a.object(|o| {
        o.field("role", role(message.role));
        o.field("content", &said.text);
        if !said.thinking.is_empty() {
            o.field("thinking", &said.thinking);
        }
        images(o, &said.images);
        if !said.calls.is_empty() {
            o.array("tool_calls", |a| said.calls.iter().for_each(|call| tool_call(a, call)));
        }
        o.extras(&message.extras);
    });
}

/// A message's parts by where the API wants them.
#[derive(Default)]
struct Said<'a> {
    text: String,
    thinking: String,
    images: Vec<&'a BlobRef>,
    calls: Vec<&'a ToolCall>,
}

fn is_result(part: &sluice_sdk::Part) -> bool {
    matches!(part.content, Content::ToolResult(_))
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn images(o: &mut JsonObject<'_>, images: &[&BlobRef]) {
    if images.iter().any(|blob| blob.url.is_some()) {
        o.fail(Error::unsupported("Ollama fetches no pictures; send the bytes"));
    }
    if !images.is_empty() {
        o.array("images", |a| images.iter().for_each(|blob| a.blob_base64("", &blob.id)));
    }
}

fn tool_call(a: &mut JsonArray<'_>, call: &ToolCall) {
    a.object(|o| {
        o.field("id", &call.id);
        o.object("function", |o| {
            o.field("name", &call.name);
            o.json(
                "arguments",
                if call.arguments.trim().is_empty() { "{}" } else { &call.arguments },
            );
        });
    });
}

/// That a tool failed has no place in the API; the text tells.
fn tool_result(a: &mut JsonArray<'_>, result: &ToolResult) {
    let (mut text, mut pictures) = (String::new(), Vec::new());
    for part in &result.content {
        match part {
            ToolContent::Text(more) => text.push_str(more),
            ToolContent::Image(blob) => pictures.push(blob),
            ToolContent::Other(own) => text.push_str(&own.value),
        }
    }
    a.object(|o| {
        o.field("role", "tool");
        o.field("tool_name", &result.name);
        o.field("tool_call_id", &result.id);
        o.field("content", &text);
        images(o, &pictures);
    });
}
