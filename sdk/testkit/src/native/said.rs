//! From the SDK's types to the forms of a case.

use serde_json::{Map, Value, json};
use sluice_sdk as sdk;

use crate::{
    chat::{Blob, Content, Message, Part, Role, ToolContent},
    event::{Event, Failure, Finish, Retry, Usage},
    request::{FramingWish, Request},
    subject::{Next, Output},
};

pub(crate) fn output(output: sdk::Output) -> Output {
    let next = match output.next {
        sdk::Directive::More => Next::More,
        sdk::Directive::Send(sent) => Next::Send(request(sent)),
        sdk::Directive::Wait(pause_ms) => Next::Wait(pause_ms),
        sdk::Directive::Done => Next::Done,
        sdk::Directive::Fail(error) => Next::Fail(failure(error)),
    };
    let parting = output.parting.map(request);
    Output { events: output.events.into_iter().map(event).collect(), next, parting }
}

pub(crate) fn failure(error: sdk::Error) -> Failure {
    let sdk::Error { kind, detail, status, retry } = error;
    let retry = match retry {
        sdk::RetryHint::Never => Retry::Never,
        sdk::RetryHint::AfterMs(pause_ms) => Retry::AfterMs(pause_ms),
        sdk::RetryHint::OtherCredential => Retry::OtherCredential,
    };
    Failure { kind: kind_name(kind).to_owned(), status, retry, detail }
}

/// The contract's word.
fn kind_name(kind: sdk::ErrorKind) -> &'static str {
    match kind {
        sdk::ErrorKind::InvalidRequest => "invalid-request",
        sdk::ErrorKind::Authentication => "authentication",
        sdk::ErrorKind::Permission => "permission",
        sdk::ErrorKind::NotFound => "not-found",
        sdk::ErrorKind::RateLimited => "rate-limited",
        sdk::ErrorKind::QuotaExhausted => "quota-exhausted",
        sdk::ErrorKind::ContextTooLong => "context-too-long",
        sdk::ErrorKind::ContentBlocked => "content-blocked",
        sdk::ErrorKind::Overloaded => "overloaded",
        sdk::ErrorKind::Timeout => "timeout",
        sdk::ErrorKind::Protocol => "protocol",
        sdk::ErrorKind::Unsupported => "unsupported",
        sdk::ErrorKind::Cancelled => "cancelled",
        sdk::ErrorKind::Other => "other",
    }
}

fn event(event: sdk::ChatEvent) -> Event {
    match event {
        sdk::ChatEvent::Text(text) => Event::Text(text),
        sdk::ChatEvent::Reasoning(sdk::Reasoning { text, signature }) => {
            Event::Reasoning { text, signature }
        }
        sdk::ChatEvent::ToolDelta(sdk::ToolDelta { index, id, name, arguments }) => {
            Event::ToolDelta { index, id, name, arguments }
        }
        sdk::ChatEvent::Usage(told) => Event::Usage(usage(told)),
        sdk::ChatEvent::UpstreamId(sdk::Field { name, value }) => Event::UpstreamId { name, value },
        sdk::ChatEvent::Finish(reason) => Event::Finish(match reason {
            sdk::FinishReason::Stop => Finish::Stop,
            sdk::FinishReason::Length => Finish::Length,
            sdk::FinishReason::ToolCalls => Finish::ToolCalls,
            sdk::FinishReason::ContentFilter => Finish::ContentFilter,
            sdk::FinishReason::Other(word) => Finish::Other(word),
        }),
        sdk::ChatEvent::Other(sdk::Extra { key, value }) => {
            Event::Other { key, value: json(value) }
        }
    }
}

fn usage(usage: sdk::Usage) -> Usage {
    let sdk::Usage {
        input_tokens,
        output_tokens,
        cached_input_tokens,
        cache_write_tokens,
        reasoning_tokens,
        other,
    } = usage;
    let other = other.into_iter().map(|extra| (extra.key, json(extra.value))).collect();
    Usage {
        input_tokens,
        output_tokens,
        cached_input_tokens,
        cache_write_tokens,
        reasoning_tokens,
        other,
    }
}

pub(crate) fn request(request: sdk::Request) -> Request {
    let sdk::Request {
        method,
        endpoint,
        path,
        query,
        headers,
        auth,
        body,
        framing,
        timeout_ms,
        idempotent,
    } = request;
    let pairs = |fields: Vec<sdk::Field>| {
        fields.into_iter().map(|sdk::Field { name, value }| (name, value)).collect()
    };
    Request {
        method: match method {
            sdk::Method::Get => "get",
            sdk::Method::Post => "post",
            sdk::Method::Put => "put",
            sdk::Method::Patch => "patch",
            sdk::Method::Delete => "delete",
        }
        .to_owned(),
        endpoint,
        path,
        query: pairs(query),
        headers: pairs(headers),
        auth: match auth {
            sdk::Auth::None => None,
            sdk::Auth::Scheme(name) => Some(name),
        },
        framing: match framing {
            sdk::Framing::Whole => FramingWish::Whole,
            sdk::Framing::Sse => FramingWish::Sse,
            sdk::Framing::Ndjson => FramingWish::Ndjson,
            sdk::Framing::ByContentType => FramingWish::ByContentType,
            sdk::Framing::Discard => FramingWish::Discard,
        },
        timeout_ms,
        idempotent,
        body: match body {
            sdk::Body::Empty => Value::Null,
            sdk::Body::Json(pieces) => json(pieces.into_iter().map(piece).collect()),
            sdk::Body::Form(parts) => parts.into_iter().map(form_part).collect(),
        },
    }
}

fn form_part(part: sdk::FormPart) -> Value {
    let sdk::FormPart { name, file_name, media_type, value } = part;
    let value = match value {
        sdk::FormValue::Text(text) => text,
        sdk::FormValue::Blob(id) => format!("<bytes of {id}>"),
    };
    json!({ "name": name, "file_name": file_name, "media_type": media_type, "value": value })
}

fn piece(piece: sdk::Piece) -> String {
    match piece {
        sdk::Piece::Text(text) => text,
        sdk::Piece::BlobBase64(id) => format!("<base64 of {id}>"),
    }
}

/// A message that a policy wrote; one of a single plain text in its short form.
pub(crate) fn message(message: sdk::Message) -> Message {
    let sdk::Message { role, name, parts, extras } = message;
    let role = match role {
        sdk::Role::System => Role::System,
        sdk::Role::Developer => Role::Developer,
        sdk::Role::User => Role::User,
        sdk::Role::Assistant => Role::Assistant,
        sdk::Role::Tool => Role::Tool,
    };
    let parts = parts.into_iter().map(part).collect();
    Message { role, name, text: None, parts, extras: extras_of(extras) }.shortened()
}

fn part(part: sdk::Part) -> Part {
    let content = match part.content {
        sdk::Content::Text(text) => Content::Text(text),
        sdk::Content::Image(image) => Content::Image(blob(image)),
        sdk::Content::Audio(audio) => Content::Audio(blob(audio)),
        sdk::Content::Document(document) => Content::Document(blob(document)),
        sdk::Content::ToolCall(sdk::ToolCall { id, name, arguments, extras }) => {
            Content::ToolCall { id, name, arguments, extras: extras_of(extras) }
        }
        sdk::Content::ToolResult(sdk::ToolResult { id, name, content, is_error }) => {
            let content = content.into_iter().map(tool_content).collect();
            Content::ToolResult { id, name, content, is_error }
        }
        sdk::Content::Reasoning(sdk::Reasoning { text, signature }) => {
            Content::Reasoning { text, signature }
        }
        sdk::Content::Other(sdk::Extra { key, value }) => {
            Content::Other { key, value: json(value) }
        }
    };
    Part { content, extras: extras_of(part.extras) }
}

fn tool_content(content: sdk::ToolContent) -> ToolContent {
    match content {
        sdk::ToolContent::Text(text) => ToolContent::Text(text),
        sdk::ToolContent::Image(image) => ToolContent::Image(blob(image)),
        sdk::ToolContent::Other(sdk::Extra { key, value }) => {
            ToolContent::Other { key, value: json(value) }
        }
    }
}

fn blob(blob: sdk::BlobRef) -> Blob {
    let sdk::BlobRef { id, media_type, size, url, name } = blob;
    Blob { id, media_type, size, url, name }
}

fn extras_of(extras: Vec<sdk::Extra>) -> Map<String, Value> {
    extras.into_iter().map(|extra| (extra.key, json(extra.value))).collect()
}

/// JSON text as its value; text that is no JSON stays to be seen.
fn json(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
