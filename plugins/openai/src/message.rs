//! One message of the conversation, which may be several of the dialect's.

use sluice_sdk::{
    BlobRef, Content, Error, Extra, JsonArray, JsonObject, Message, Part, Role, ToolCall,
    ToolContent, ToolResult,
};

use crate::settings::Settings;

/// Writes a message: first its tool results, each a message of its own, then the rest.
pub(crate) fn write(a: &mut JsonArray<'_>, message: &Message, settings: &Settings) {
    let mut said = Said::default();
    for part in &message.parts {
        said.sort(part);
    }
    for result in &said.results {
        tool_result(a, result);
    }
    if message.role == Role::Tool {
        if !said.content.is_empty() || !said.calls.is_empty() {
            a.fail(Error::invalid_request("a message of the role `tool` holds results only"));
        }
        return;
    }
    if !said.results.is_empty() && said.content.is_empty() && said.calls.is_empty() {
        return;
    }
    a.object(|o| {
        o.field("role", role(message.role, settings));
        o.optional("name", message.name.as_deref());
        content(o, &said.content, !said.calls.is_empty());
        if settings.send_reasoning && !said.reasoning.is_empty() {
            o.field("reasoning_content", &said.reasoning);
        }
        if !said.calls.is_empty() {
            o.array("tool_calls", |a| said.calls.iter().for_each(|call| tool_call(a, call)));
        }
        o.extras(&message.extras);
    });
}

/// A message's parts by where the dialect wants them.
#[derive(Default)]
struct Said<'a> {
    content: Vec<&'a Part>,
    calls: Vec<&'a ToolCall>,
    results: Vec<&'a ToolResult>,
    reasoning: String,
}

impl<'a> Said<'a> {
    fn sort(&mut self, part: &'a Part) {
        match &part.content {
            Content::ToolCall(call) => self.calls.push(call),
            Content::ToolResult(result) => self.results.push(result),
            Content::Reasoning(reasoning) => self.reasoning.push_str(&reasoning.text),
            Content::Text(_)
            | Content::Image(_)
            | Content::Audio(_)
            | Content::Document(_)
            | Content::Other(_) => self.content.push(part),
        }
    }
}

fn role(role: Role, settings: &Settings) -> &'static str {
    match role {
        Role::Developer if settings.developer_role => "developer",
        Role::Developer | Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// A single plain text goes as a string: the shape that every vendor knows.
fn content(o: &mut JsonObject<'_>, parts: &[&Part], has_calls: bool) {
    match parts {
        [] if has_calls => o.field("content", &None::<&str>),
        [] => o.field("content", ""),
        [Part { content: Content::Text(text), extras }] if extras.is_empty() => {
            o.field("content", text);
        }
        parts => o.array("content", |a| parts.iter().for_each(|part| content_part(a, part))),
    }
}

fn content_part(a: &mut JsonArray<'_>, part: &Part) {
    match &part.content {
        Content::Text(text) => a.object(|o| {
            o.field("type", "text");
            o.field("text", text);
            o.extras(&part.extras);
        }),
        Content::Image(blob) => image(a, blob, &part.extras),
        Content::Audio(blob) => a.object(|o| {
            o.field("type", "input_audio");
            o.object("input_audio", |o| {
                o.blob_base64("data", "", &blob.id);
                o.field("format", audio_format(&blob.media_type));
            });
            o.extras(&part.extras);
        }),
        Content::Document(blob) => a.object(|o| {
            o.field("type", "file");
            o.object("file", |o| {
                o.field("filename", blob.name.as_deref().unwrap_or("document"));
                o.blob_base64("file_data", &data_url(blob), &blob.id);
            });
            o.extras(&part.extras);
        }),
        Content::Other(part) => a.json(&part.key, &part.value),
        Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_) => {}
    }
}

/// `detail` belongs inside the image, every other extra beside it.
fn image(a: &mut JsonArray<'_>, blob: &BlobRef, extras: &[Extra]) {
    let (inside, beside): (Vec<Extra>, Vec<Extra>) =
        extras.iter().cloned().partition(|extra| extra.key == "detail");
    a.object(|o| {
        o.field("type", "image_url");
        o.object("image_url", |o| {
            match &blob.url {
                Some(url) => o.field("url", url),
                None => o.blob_base64("url", &data_url(blob), &blob.id),
            }
            o.extras(&inside);
        });
        o.extras(&beside);
    });
}

/// What comes before the bytes.
fn data_url(blob: &BlobRef) -> String {
    format!("data:{};base64,", blob.media_type)
}

fn audio_format(media_type: &str) -> &str {
    match media_type {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    }
}

fn tool_call(a: &mut JsonArray<'_>, call: &ToolCall) {
    a.object(|o| {
        o.field("id", &call.id);
        o.field("type", "function");
        o.object("function", |o| {
            o.field("name", &call.name);
            o.field("arguments", &call.arguments);
        });
        o.extras(&call.extras);
    });
}

/// That a tool failed has no place in the dialect; the text tells.
fn tool_result(a: &mut JsonArray<'_>, result: &ToolResult) {
    a.object(|o| {
        o.field("role", "tool");
        o.field("tool_call_id", &result.id);
        match &result.content[..] {
            [] => o.field("content", ""),
            [ToolContent::Text(text)] => o.field("content", text),
            parts => o.array("content", |a| parts.iter().for_each(|part| result_part(a, part))),
        }
    });
}

fn result_part(a: &mut JsonArray<'_>, part: &ToolContent) {
    match part {
        ToolContent::Text(text) => a.object(|o| {
            o.field("type", "text");
            o.field("text", text);
        }),
        ToolContent::Image(blob) => image(a, blob, &[]),
        ToolContent::Other(part) => a.json(&part.key, &part.value),
    }
}
