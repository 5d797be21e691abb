//! One message of the conversation, which may be several of the dialect's.

use sluice_sdk::{
    BlobRef, Content, Error, Extra, JsonArray, JsonObject, Message, Part, Role, ToolCall,
    ToolResult,
};

use crate::settings::Settings;

/// Writes a message: first its tool results, each a message of its own, then the rest.
pub(crate) fn write(a: &mut JsonArray<'_>, message: &Message, settings: &Settings) {
    let parts = message.by_kind();
    parts.results.iter().for_each(|result| a.object(|o| tool_result(o, result)));
    if message.role == Role::Tool {
        if parts.says() {
            a.fail(Error::invalid_request("a message of the role `tool` holds results only"));
        }
        return;
    }
    if !parts.results.is_empty() && !parts.says() {
        return;
    }
    a.object(|o| {
        o.field("role", role(message.role, settings));
        o.optional("name", message.name.as_deref());
        match &parts.content[..] {
            [] if !parts.calls.is_empty() => o.field("content", &None::<&str>),
            content => o.text_or_list("content", content, |a, part| content_part(a, part)),
        }
        if settings.send_reasoning && !parts.reasoning.is_empty() {
            o.field("reasoning_content", &parts.reasoning);
        }
        o.objects("tool_calls", &parts.calls, |o, call| tool_call(o, call));
        o.extras(&message.extras);
    });
}

fn role(role: Role, settings: &Settings) -> &'static str {
    let unknown = role == Role::Developer && !settings.developer_role;
    if unknown { Role::System.name() } else { role.name() }
}

fn content_part(a: &mut JsonArray<'_>, part: &Part) {
    let extras = &part.extras;
    match &part.content {
        Content::Text(text) => a.text_part(text, extras),
        Content::Image(blob) => image(a, blob, extras),
        Content::Audio(blob) => a.object(|o| {
            o.field("type", "input_audio");
            o.object("input_audio", |o| {
                o.blob_base64("data", "", &blob.id);
                o.field("format", audio_format(&blob.media_type));
            });
            o.extras(extras);
        }),
        Content::Document(blob) => a.object(|o| {
            o.field("type", "file");
            o.object("file", |o| {
                o.field("filename", blob.name.as_deref().unwrap_or("document"));
                o.data_url("file_data", blob);
            });
            o.extras(extras);
        }),
        Content::Other(part) => a.json(&part.key, &part.value),
        Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_) => {}
    }
}

/// `detail` belongs inside the image, every other extra beside it.
fn image(a: &mut JsonArray<'_>, blob: &BlobRef, extras: &[Extra]) {
    a.object(|o| {
        o.field("type", "image_url");
        o.object("image_url", |o| {
            o.blob_url("url", blob);
            o.extras(extras.iter().filter(|extra| extra.key == "detail"));
        });
        o.extras(extras.iter().filter(|extra| extra.key != "detail"));
    });
}

fn audio_format(media_type: &str) -> &str {
    match media_type {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    }
}

fn tool_call(o: &mut JsonObject<'_>, call: &ToolCall) {
    o.field("id", &call.id);
    o.field("type", "function");
    o.object("function", |o| {
        o.field("name", &call.name);
        o.field("arguments", &call.arguments);
    });
    o.extras(&call.extras);
}

/// That a tool failed has no place in the dialect; the text tells.
fn tool_result(o: &mut JsonObject<'_>, result: &ToolResult) {
    o.field("role", "tool");
    o.field("tool_call_id", &result.id);
    o.tool_content("content", &result.content, |a, blob| image(a, blob, &[]));
}
