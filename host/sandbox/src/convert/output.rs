//! What a guest said, on its way out. Counts its text; judges nothing of it.

use std::time::Duration;

use sluice_chat::event as ours;
use sluice_chat::exchange;
use sluice_chat::request;

use crate::answer::{Directive, Output};
use crate::call::CallError;
use crate::contract::{chat, http, provider, types};
use crate::plain::plain;

/// Bytes kept of what a plugin says of its failure.
const DETAIL_BYTES: usize = 512;

/// Longest time a plugin may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// One output, and how many bytes of text it holds.
pub(crate) fn output(output: provider::Output) -> (Output, usize) {
    let mut intake = Intake { bytes: 0 };
    let events = output.events.into_iter().map(|event| intake.event(event)).collect();
    let next = intake.directive(output.next);
    let parting = output.parting.map(|request| intake.request(request));
    (Output { events, next, parting }, intake.bytes)
}

/// A request of a plugin that has no answer to count it in.
pub(crate) fn sent(request: http::Request) -> exchange::Request {
    Intake { bytes: 0 }.request(request)
}

/// The plugin's own no.
pub(crate) fn refused(error: types::PluginError) -> CallError {
    CallError::Refused(provider_error(error))
}

/// A plugin's failure; its detail cut and cleaned.
pub(crate) fn provider_error(error: types::PluginError) -> ours::ProviderError {
    ours::ProviderError {
        kind: error_kind(error.kind),
        detail: error.detail.map(|detail| plain(&detail, DETAIL_BYTES)),
        status: error.status,
        retry: match error.retry {
            types::RetryHint::Never => ours::RetryHint::Never,
            types::RetryHint::AfterMs(delay) => ours::RetryHint::AfterMs(delay),
            types::RetryHint::OtherCredential => ours::RetryHint::OtherCredential,
        },
    }
}

/// What a plugin wants sent, and how many bytes of text that is.
pub(crate) fn request(request: http::Request) -> (exchange::Request, usize) {
    let mut intake = Intake { bytes: 0 };
    let request = intake.request(request);
    (request, intake.bytes)
}

/// What a plugin wants sent, if that is no more than `most_bytes` of text. What comes back comes whole, whatever it says.
pub(crate) fn whole(
    wanted: http::Request,
    most_bytes: usize,
) -> Result<exchange::Request, CallError> {
    let (wanted, bytes) = request(wanted);
    if bytes > most_bytes {
        return Err(CallError::TooMuchOutput);
    }
    Ok(exchange::Request { framing: exchange::Framing::Whole, ..wanted })
}

/// What something cost.
pub(crate) fn usage(usage: types::Usage) -> ours::Usage {
    Intake { bytes: 0 }.usage(usage)
}

/// Takes text over and counts it.
struct Intake {
    bytes: usize,
}

impl Intake {
    fn text(&mut self, text: String) -> String {
        self.bytes = self.bytes.saturating_add(text.len());
        text
    }

    fn maybe(&mut self, text: Option<String>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    fn event(&mut self, event: chat::ChatEvent) -> ours::ChatEvent {
        match event {
            chat::ChatEvent::Text(text) => ours::ChatEvent::Text(self.text(text)),
            chat::ChatEvent::Reasoning(thought) => ours::ChatEvent::Reasoning(request::Reasoning {
                text: self.text(thought.text),
                signature: self.maybe(thought.signature),
            }),
            chat::ChatEvent::ToolDelta(delta) => ours::ChatEvent::ToolDelta(ours::ToolDelta {
                index: delta.index,
                id: self.maybe(delta.id),
                name: self.maybe(delta.name),
                arguments: self.text(delta.arguments),
            }),
            chat::ChatEvent::Usage(usage) => ours::ChatEvent::Usage(self.usage(usage)),
            chat::ChatEvent::UpstreamId(field) => ours::ChatEvent::UpstreamId {
                name: self.text(field.name),
                value: self.text(field.value),
            },
            chat::ChatEvent::Finish(reason) => ours::ChatEvent::Finish(self.finish_reason(reason)),
            chat::ChatEvent::Other(other) => ours::ChatEvent::Other(self.extra(other)),
        }
    }

    fn usage(&mut self, usage: types::Usage) -> ours::Usage {
        ours::Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            other: usage.other.into_iter().map(|extra| self.extra(extra)).collect(),
        }
    }

    fn finish_reason(&mut self, reason: chat::FinishReason) -> ours::FinishReason {
        match reason {
            chat::FinishReason::Stop => ours::FinishReason::Stop,
            chat::FinishReason::Length => ours::FinishReason::Length,
            chat::FinishReason::ToolCalls => ours::FinishReason::ToolCalls,
            chat::FinishReason::ContentFilter => ours::FinishReason::ContentFilter,
            chat::FinishReason::Other(word) => ours::FinishReason::Other(self.text(word)),
        }
    }

    fn extra(&mut self, extra: types::Extra) -> request::Extra {
        request::Extra { key: self.text(extra.key), value: self.text(extra.value) }
    }

    fn directive(&mut self, next: provider::Directive) -> Directive {
        match next {
            provider::Directive::More => Directive::More,
            provider::Directive::Send(request) => Directive::Send(self.request(request)),
            provider::Directive::Wait(delay) => {
                Directive::Wait(Duration::from_millis(u64::from(delay)).min(LONGEST_WAIT))
            }
            provider::Directive::Done => Directive::Done,
            provider::Directive::Fail(error) => Directive::Fail(provider_error(error)),
        }
    }

    fn request(&mut self, request: http::Request) -> exchange::Request {
        exchange::Request {
            method: method(request.method),
            endpoint: self.text(request.endpoint),
            path: self.text(request.path),
            query: self.fields(request.query),
            headers: self.fields(request.headers),
            auth: match request.auth {
                http::Auth::None => exchange::Auth::None,
                http::Auth::Scheme(name) => exchange::Auth::Scheme(self.text(name)),
            },
            body: match request.body {
                http::Body::Empty => exchange::Body::Empty,
                http::Body::Json(pieces) => exchange::Body::Json(
                    pieces.into_iter().map(|piece| self.piece(piece)).collect(),
                ),
                http::Body::Form(parts) => exchange::Body::Form(
                    parts.into_iter().map(|part| self.form_part(part)).collect(),
                ),
            },
            framing: framing(request.framing),
            timeout_ms: request.timeout_ms,
            idempotent: request.idempotent,
        }
    }

    fn fields(&mut self, fields: Vec<types::Field>) -> Vec<exchange::Field> {
        fields
            .into_iter()
            .map(|field| exchange::Field {
                name: self.text(field.name),
                value: self.text(field.value),
            })
            .collect()
    }

    fn form_part(&mut self, part: http::FormPart) -> exchange::FormPart {
        exchange::FormPart {
            name: self.text(part.name),
            file_name: self.maybe(part.file_name),
            media_type: self.maybe(part.media_type),
            value: match part.value {
                http::FormValue::Text(text) => exchange::FormValue::Text(self.text(text)),
                http::FormValue::Blob(id) => exchange::FormValue::Blob(self.text(id)),
            },
        }
    }

    fn piece(&mut self, piece: http::Piece) -> exchange::Piece {
        match piece {
            http::Piece::Text(text) => exchange::Piece::Text(self.text(text)),
            http::Piece::BlobBase64(id) => exchange::Piece::BlobBase64(self.text(id)),
        }
    }
}

fn method(method: http::Method) -> exchange::Method {
    match method {
        http::Method::Get => exchange::Method::Get,
        http::Method::Post => exchange::Method::Post,
        http::Method::Put => exchange::Method::Put,
        http::Method::Patch => exchange::Method::Patch,
        http::Method::Delete => exchange::Method::Delete,
    }
}

fn framing(framing: http::Framing) -> exchange::Framing {
    match framing {
        http::Framing::Whole => exchange::Framing::Whole,
        http::Framing::Sse => exchange::Framing::Sse,
        http::Framing::Ndjson => exchange::Framing::Ndjson,
        http::Framing::ByContentType => exchange::Framing::ByContentType,
        http::Framing::Discard => exchange::Framing::Discard,
    }
}

fn error_kind(kind: types::ErrorKind) -> ours::ErrorKind {
    match kind {
        types::ErrorKind::InvalidRequest => ours::ErrorKind::InvalidRequest,
        types::ErrorKind::Authentication => ours::ErrorKind::Authentication,
        types::ErrorKind::Permission => ours::ErrorKind::Permission,
        types::ErrorKind::NotFound => ours::ErrorKind::NotFound,
        types::ErrorKind::RateLimited => ours::ErrorKind::RateLimited,
        types::ErrorKind::QuotaExhausted => ours::ErrorKind::QuotaExhausted,
        types::ErrorKind::ContextTooLong => ours::ErrorKind::ContextTooLong,
        types::ErrorKind::ContentBlocked => ours::ErrorKind::ContentBlocked,
        types::ErrorKind::Overloaded => ours::ErrorKind::Overloaded,
        types::ErrorKind::Timeout => ours::ErrorKind::Timeout,
        types::ErrorKind::Protocol => ours::ErrorKind::Protocol,
        types::ErrorKind::Unsupported => ours::ErrorKind::Unsupported,
        types::ErrorKind::Cancelled => ours::ErrorKind::Cancelled,
        types::ErrorKind::Other => ours::ErrorKind::Other,
    }
}
