//! The conversation: instructions at the head of the body, then turns of user and assistant.

use sluice_sdk::{
    BlobRef, Content, Error, Extra, JsonArray, JsonObject, Message, Part, Role, ToolCall,
    ToolContent, ToolResult,
};

/// Writes `system`: all instructions in order, wherever they stood. The API knows no other place for them.
pub(crate) fn system(o: &mut JsonObject<'_>, messages: &[Message]) {
    let instructions: Vec<&Part> = messages
        .iter()
        .filter(|message| speaker(message.role).is_none())
        .flat_map(|message| &message.parts)
        .filter(|part| !is_empty(part))
        .collect();
    match &instructions[..] {
        [] => {}
        [Part { content: Content::Text(text), extras }] if extras.is_empty() => {
            o.field("system", text);
        }
        parts => o.array("system", |a| parts.iter().for_each(|part| block(a, part))),
    }
}

/// Writes `messages`: neighbours of one speaker are one turn, since the results of parallel calls must come together.
pub(crate) fn conversation(o: &mut JsonObject<'_>, messages: &[Message]) {
    let said: Vec<(&str, Vec<&Part>)> = messages
        .iter()
        .filter_map(|message| {
            let parts: Vec<&Part> = message.parts.iter().filter(|part| !is_empty(part)).collect();
            Some((speaker(message.role)?, parts)).filter(|(_, parts)| !parts.is_empty())
        })
        .collect();
    o.array("messages", |a| {
        for turn in said.chunk_by(|(before, _), (after, _)| before == after) {
            a.object(|o| {
                o.field("role", turn[0].0);
                let parts = turn.iter().flat_map(|(_, parts)| parts);
                o.array("content", |a| parts.for_each(|part| block(a, part)));
            });
        }
    });
}

/// Who it is from in the API's words; none for instructions.
fn speaker(role: Role) -> Option<&'static str> {
    match role {
        Role::System | Role::Developer => None,
        Role::User | Role::Tool => Some("user"),
        Role::Assistant => Some("assistant"),
    }
}

/// The API refuses empty texts, and thoughts that it did not sign.
fn is_empty(part: &Part) -> bool {
    match &part.content {
        Content::Text(text) => text.is_empty(),
        Content::Reasoning(thought) => thought.signature.is_none(),
        Content::Image(_)
        | Content::Audio(_)
        | Content::Document(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Other(_) => false,
    }
}

fn block(a: &mut JsonArray<'_>, part: &Part) {
    let extras = &part.extras;
    match &part.content {
        Content::Text(text) => a.object(|o| {
            o.field("type", "text");
            o.field("text", text);
            o.extras(extras);
        }),
        Content::Image(blob) => source(a, "image", blob, extras),
        Content::Document(blob) if blob.media_type == "application/pdf" || blob.url.is_some() => {
            source(a, "document", blob, extras);
        }
        Content::Document(_) => a.fail(Error::unsupported("of documents only PDF is read")),
        Content::Audio(_) => a.fail(Error::unsupported("audio is not heard")),
        Content::ToolCall(call) => tool_use(a, call, extras),
        Content::ToolResult(result) => tool_result(a, result, extras),
        Content::Reasoning(thought) => a.object(|o| {
            o.field("type", "thinking");
            o.field("thinking", &thought.text);
            o.optional("signature", thought.signature.as_deref());
        }),
        Content::Other(own) => a.json(&own.key, &own.value),
    }
}

fn source(a: &mut JsonArray<'_>, kind: &str, blob: &BlobRef, extras: &[Extra]) {
    // Another vendor's word for how closely a picture is looked at.
    let extras: Vec<Extra> = extras.iter().filter(|extra| extra.key != "detail").cloned().collect();
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
        if kind == "document" {
            o.optional("title", blob.name.as_deref());
        }
        o.extras(&extras);
    });
}

fn tool_use(a: &mut JsonArray<'_>, call: &ToolCall, extras: &[Extra]) {
    a.object(|o| {
        o.field("type", "tool_use");
        o.field("id", &call.id);
        o.field("name", &call.name);
        o.json("input", if call.arguments.trim().is_empty() { "{}" } else { &call.arguments });
        o.extras(&call.extras);
        o.extras(extras);
    });
}

fn tool_result(a: &mut JsonArray<'_>, result: &ToolResult, extras: &[Extra]) {
    a.object(|o| {
        o.field("type", "tool_result");
        o.field("tool_use_id", &result.id);
        match &result.content[..] {
            [] => {}
            [ToolContent::Text(text)] => o.field("content", text),
            parts => o.array("content", |a| parts.iter().for_each(|part| result_part(a, part))),
        }
        if result.is_error {
            o.field("is_error", &true);
        }
        o.extras(extras);
    });
}

fn result_part(a: &mut JsonArray<'_>, part: &ToolContent) {
    match part {
        ToolContent::Text(text) => a.object(|o| {
            o.field("type", "text");
            o.field("text", text);
        }),
        ToolContent::Image(blob) => source(a, "image", blob, &[]),
        ToolContent::Other(own) => a.json(&own.key, &own.value),
    }
}
