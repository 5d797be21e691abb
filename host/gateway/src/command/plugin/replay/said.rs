//! From what the sandbox gives back to the forms of a case. No decisions.

mod message;

use serde_json::{Value, json};
use sluice_chat::event as ours;
use sluice_chat::exchange;
use sluice_chat::request::{Extra, Reasoning};
use sluice_sandbox::{Directive, Output};
use sluice_testkit as testkit;
use sluice_testkit::{Event, Failure, Finish, FramingWish, Next, Request, Retry, Usage};

pub(super) use self::message::message;

/// What one call gave.
pub(super) fn output(output: Output) -> testkit::Output {
    let next = match output.next {
        Directive::More => Next::More,
        Directive::Send(wanted) => Next::Send(request(wanted)),
        Directive::Wait(pause) => Next::Wait(u32::try_from(pause.as_millis()).unwrap_or(u32::MAX)),
        Directive::Done => Next::Done,
        Directive::Fail(error) => Next::Fail(failure(error)),
    };
    let parting = output.parting.map(request);
    testkit::Output { events: output.events.into_iter().map(event).collect(), next, parting }
}

/// What it failed with, or refused its settings with.
pub(super) fn failure(error: ours::ProviderError) -> Failure {
    let ours::ProviderError { kind, detail, status, retry } = error;
    let retry = match retry {
        ours::RetryHint::Never => Retry::Never,
        ours::RetryHint::AfterMs(pause_ms) => Retry::AfterMs(pause_ms),
        ours::RetryHint::OtherCredential => Retry::OtherCredential,
    };
    Failure { kind: kind_name(kind).to_owned(), status, retry, detail }
}

/// The contract's word.
fn kind_name(kind: ours::ErrorKind) -> &'static str {
    match kind {
        ours::ErrorKind::InvalidRequest => "invalid-request",
        ours::ErrorKind::Authentication => "authentication",
        ours::ErrorKind::Permission => "permission",
        ours::ErrorKind::NotFound => "not-found",
        ours::ErrorKind::RateLimited => "rate-limited",
        ours::ErrorKind::QuotaExhausted => "quota-exhausted",
        ours::ErrorKind::ContextTooLong => "context-too-long",
        ours::ErrorKind::ContentBlocked => "content-blocked",
        ours::ErrorKind::Overloaded => "overloaded",
        ours::ErrorKind::Timeout => "timeout",
        ours::ErrorKind::Protocol => "protocol",
        ours::ErrorKind::Unsupported => "unsupported",
        ours::ErrorKind::Cancelled => "cancelled",
        ours::ErrorKind::Other => "other",
    }
}

fn event(event: ours::ChatEvent) -> Event {
    match event {
        ours::ChatEvent::Text(text) => Event::Text(text),
        ours::ChatEvent::Reasoning(Reasoning { text, signature }) => {
            Event::Reasoning { text, signature }
        }
        ours::ChatEvent::ToolDelta(ours::ToolDelta { index, id, name, arguments }) => {
            Event::ToolDelta { index, id, name, arguments }
        }
        ours::ChatEvent::Usage(told) => Event::Usage(usage(told)),
        ours::ChatEvent::UpstreamId { name, value } => Event::UpstreamId { name, value },
        ours::ChatEvent::Finish(reason) => Event::Finish(match reason {
            ours::FinishReason::Stop => Finish::Stop,
            ours::FinishReason::Length => Finish::Length,
            ours::FinishReason::ToolCalls => Finish::ToolCalls,
            ours::FinishReason::ContentFilter => Finish::ContentFilter,
            ours::FinishReason::Other(word) => Finish::Other(word),
        }),
        ours::ChatEvent::Other(Extra { key, value }) => Event::Other { key, value: json(value) },
    }
}

fn usage(usage: ours::Usage) -> Usage {
    let ours::Usage {
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

pub(super) fn request(request: exchange::Request) -> Request {
    let exchange::Request {
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
    let pairs = |fields: Vec<exchange::Field>| {
        fields.into_iter().map(|exchange::Field { name, value }| (name, value)).collect()
    };
    Request {
        method: match method {
            exchange::Method::Get => "get",
            exchange::Method::Post => "post",
            exchange::Method::Put => "put",
            exchange::Method::Patch => "patch",
            exchange::Method::Delete => "delete",
        }
        .to_owned(),
        endpoint,
        path,
        query: pairs(query),
        headers: pairs(headers),
        auth: match auth {
            exchange::Auth::None => None,
            exchange::Auth::Scheme(name) => Some(name),
        },
        framing: match framing {
            exchange::Framing::Whole => FramingWish::Whole,
            exchange::Framing::Sse => FramingWish::Sse,
            exchange::Framing::Ndjson => FramingWish::Ndjson,
            exchange::Framing::ByContentType => FramingWish::ByContentType,
            exchange::Framing::Discard => FramingWish::Discard,
        },
        timeout_ms,
        idempotent,
        body: match body {
            exchange::Body::Empty => Value::Null,
            exchange::Body::Json(pieces) => json(pieces.into_iter().map(piece).collect()),
            exchange::Body::Form(parts) => parts.into_iter().map(form_part).collect(),
        },
    }
}

fn form_part(part: exchange::FormPart) -> Value {
    let exchange::FormPart { name, file_name, media_type, value } = part;
    let value = match value {
        exchange::FormValue::Text(text) => text,
        exchange::FormValue::Blob(id) => format!("<bytes of {id}>"),
    };
    json!({ "name": name, "file_name": file_name, "media_type": media_type, "value": value })
}

fn piece(piece: exchange::Piece) -> String {
    match piece {
        exchange::Piece::Text(text) => text,
        exchange::Piece::BlobBase64(id) => format!("<base64 of {id}>"),
    }
}

/// JSON text as its value; text that is no JSON stays to be seen.
fn json(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
