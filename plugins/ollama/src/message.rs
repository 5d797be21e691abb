//! One message of the conversation, which may be several of the API's.

use sluice_sdk::{
    BlobRef, Content, Error, JsonArray, JsonObject, Message, Role, ToolCall, ToolResult,
};

/// Writes a message: first its tool results, each a message of its own, then the rest.
pub(crate) fn write(a: &mut JsonArray<'_>, message: &Message) {
    let parts = message.by_kind();
    parts.results.iter().for_each(|result| a.object(|o| tool_result(o, result)));
    let (mut text, mut pictures) = (String::new(), Vec::new());
    for part in &parts.content {
        match &part.content {
            Content::Text(more) => text.push_str(more),
            Content::Image(blob) => pictures.push(blob),
            Content::Audio(_) | Content::Document(_) => {
                a.fail(Error::unsupported("of files only pictures are read"));
            }
            Content::Other(_) => a.fail(Error::unsupported("a part that only another vendor has")),
            Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_) => {}
        }
    }
    let is_empty = text.is_empty() && pictures.is_empty() && parts.calls.is_empty();
    if message.role == Role::Tool || (is_empty && !parts.results.is_empty()) {
        return;
    }
    a.object(|o| {
        // It knows no other instructions.
        let role = if message.role.instructs() { Role::System } else { message.role };
        o.field("role", role.name());
        o.field("content", &text);
        if !parts.reasoning.is_empty() {
            o.field("thinking", &parts.reasoning);
        }
        images(o, &pictures);
        o.objects("tool_calls", &parts.calls, |o, call| tool_call(o, call));
        o.extras(&message.extras);
    });
}

fn images(o: &mut JsonObject<'_>, images: &[&BlobRef]) {
    o.each("images", images, |a, blob| match blob.url {
        Some(_) => a.fail(Error::unsupported("Ollama fetches no pictures; send the bytes")),
        None => a.blob_base64("", &blob.id),
    });
}

fn tool_call(o: &mut JsonObject<'_>, call: &ToolCall) {
    o.field("id", &call.id);
    o.object("function", |o| {
        o.field("name", &call.name);
        o.json("arguments", call.arguments_object());
    });
}

/// That a tool failed has no place in the API; the text tells.
fn tool_result(o: &mut JsonObject<'_>, result: &ToolResult) {
    o.field("role", "tool");
    o.field("tool_name", &result.name);
    o.field("tool_call_id", &result.id);
    o.field("content", &result.text());
    images(o, &result.images().collect::<Vec<_>>());
}
