//! The conversation: instructions at the head of the body, then turns of user and assistant.

use sluice_sdk::{
    BlobRef, ChatRequest, Content, Error, Extra, JsonArray, JsonObject, Part, ToolCall, ToolResult,
};

/// Writes `system`: all instructions in order, wherever they stood. The API knows no other place for them.
pub(crate) fn system(o: &mut JsonObject<'_>, chat: &ChatRequest) {
    let instructions: Vec<&Part> = chat.instructions().filter(|part| says(part)).collect();
    if !instructions.is_empty() {
        o.text_or_list("system", &instructions, |a, part| block(a, part));
    }
}

/// Writes `messages`.
pub(crate) fn conversation(o: &mut JsonObject<'_>, chat: &ChatRequest) {
    o.array("messages", |a| {
        for turn in chat.turns(says) {
            a.object(|o| {
                o.field("role", turn.speaker.name());
                o.each("content", turn.parts, block);
            });
        }
    });
}

/// The API refuses empty texts, and thoughts that it did not sign.
fn says(part: &Part) -> bool {
    let unsigned =
        matches!(&part.content, Content::Reasoning(thought) if thought.signature.is_none());
    part.content.text() != Some("") && !unsigned
}

fn block(a: &mut JsonArray<'_>, part: &Part) {
    let extras = &part.extras;
    match &part.content {
        Content::Text(text) => a.text_part(text, extras),
        Content::Image(blob) => source(a, "image", blob, extras),
        Content::Document(blob) if blob.media_type == "application/pdf" || blob.url.is_some() => {
            source(a, "document", blob, extras);
        }
        Content::Document(_) => a.fail(Error::unsupported("of documents only PDF is read")),
        Content::Audio(_) => a.fail(Error::unsupported("audio is not heard")),
        Content::ToolCall(call) => a.object(|o| tool_use(o, call, extras)),
        Content::ToolResult(result) => a.object(|o| tool_result(o, result, extras)),
        Content::Reasoning(thought) => a.object(|o| {
            o.field("type", "thinking");
            o.field("thinking", &thought.text);
            o.optional("signature", thought.signature.as_deref());
        }),
        Content::Other(own) => a.json(&own.key, &own.value),
    }
}

fn source(a: &mut JsonArray<'_>, kind: &str, blob: &BlobRef, extras: &[Extra]) {
    a.object(|o| {
        o.field("type", kind);
        o.object("source", |o| {
            if let Some(url) = &blob.url {
                o.field("type", "url");
                o.field("url", url);
            } else {
                o.field("type", "base64");
                o.field("media_type", &blob.media_type);
                o.blob_base64("data", "", &blob.id);
            }
        });
        o.optional("title", blob.name.as_deref().filter(|_| kind == "document"));
        // `detail` is another vendor's word for how closely a picture is looked at.
        o.extras(extras.iter().filter(|extra| extra.key != "detail"));
    });
}

fn tool_use(o: &mut JsonObject<'_>, call: &ToolCall, extras: &[Extra]) {
    o.field("type", "tool_use");
    o.field("id", &call.id);
    o.field("name", &call.name);
    o.json("input", call.arguments_object());
    o.extras(call.extras.iter().chain(extras));
}

fn tool_result(o: &mut JsonObject<'_>, result: &ToolResult, extras: &[Extra]) {
    o.field("type", "tool_result");
    o.field("tool_use_id", &result.id);
    if !result.content.is_empty() {
        o.tool_content("content", &result.content, |a, blob| source(a, "image", blob, &[]));
    }
    o.optional("is_error", result.is_error.then_some(true));
    o.extras(extras);
}
