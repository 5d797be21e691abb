//! What policies are told and what they say. Texts for people and logs are cut and cleaned here; nothing else is judged.

use sluice_chat::exchange::Field;
use sluice_chat::policy as ours;
use sluice_chat::request;

use crate::contract::{
    chat, on_admin, on_connect, on_message, on_output, on_usage, policy_types, types,
};
use crate::plain::plain;

/// Bytes of a denial's code.
const CODE_BYTES: usize = 64;
/// Bytes of a denial's text, and of a note.
const TEXT_BYTES: usize = 512;
/// Labels of one decision.
const MOST_LABELS: usize = 16;
/// Bytes of a label's name, and of its value.
const LABEL_BYTES: usize = 256;

/// Who does something, copied.
pub(crate) fn subject(subject: &ours::Subject) -> policy_types::Subject {
    let ours::Subject { caller, session, model, now, labels } = subject;
    let ours::Caller { principal, address } = caller.as_ref();
    policy_types::Subject {
        principal: policy_types::Principal {
            id: principal.id.clone(),
            name: principal.name.clone(),
            roles: principal.roles.clone(),
            attributes: principal.attributes.iter().map(field).collect(),
        },
        address: address.clone(),
        session: session.clone(),
        model: model.clone(),
        now: now.0,
        labels: labels.iter().map(field).collect(),
    }
}

fn field(field: &Field) -> types::Field {
    types::Field { name: field.name.clone(), value: field.value.clone() }
}

/// An administrator's action, copied.
pub(crate) fn admin_action(action: &ours::AdminAction) -> on_admin::AdminAction {
    on_admin::AdminAction {
        name: action.name.clone(),
        target: action.target.clone(),
        arguments: action.arguments.clone(),
    }
}

/// How an answer went, copied.
pub(crate) fn outcome(outcome: &ours::Outcome) -> on_usage::Outcome {
    let usage = &outcome.usage;
    on_usage::Outcome {
        usage: types::Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            other: usage.other.iter().map(told_extra).collect(),
        },
        estimated: outcome.estimated,
        cost_micros: outcome.cost_micros,
        duration_ms: outcome.duration_ms,
        first_piece_ms: outcome.first_piece_ms,
        ended: outcome.ended.to_owned(),
    }
}

fn told_extra(extra: &request::Extra) -> types::Extra {
    types::Extra { key: extra.key.clone(), value: extra.value.clone() }
}

/// The channel.
pub(crate) fn channel(channel: ours::Channel) -> on_output::Channel {
    match channel {
        ours::Channel::Text => on_output::Channel::Text,
        ours::Channel::Reasoning => on_output::Channel::Reasoning,
        ours::Channel::ToolArguments(slot) => on_output::Channel::ToolArguments(slot),
        ours::Channel::Citation => on_output::Channel::Citation,
    }
}

/// A decision.
pub(crate) fn decision(decision: on_connect::Decision) -> ours::Decision {
    ours::Decision {
        denial: match decision.verdict {
            policy_types::Verdict::Allow => None,
            policy_types::Verdict::Deny(denied) => Some(denial(&denied)),
        },
        note: note(decision.effect),
    }
}

fn denial(denied: &policy_types::Denial) -> ours::Denial {
    ours::Denial {
        code: plain(&denied.code, CODE_BYTES),
        text: plain(&denied.text, TEXT_BYTES),
        retry_after_s: denied.retry_after_s,
    }
}

/// What is kept of a decision.
pub(crate) fn note(effect: policy_types::Effect) -> ours::Note {
    let label = |field: types::Field| Field {
        name: plain(&field.name, LABEL_BYTES),
        value: plain(&field.value, LABEL_BYTES),
    };
    ours::Note {
        labels: effect.labels.into_iter().take(MOST_LABELS).map(label).collect(),
        text: effect.note.map(|text| plain(&text, TEXT_BYTES)),
    }
}

/// A decision about a message.
pub(crate) fn message_decision(result: on_message::ResultOfMessage) -> ours::MessageDecision {
    ours::MessageDecision {
        decision: decision(result.decision),
        edits: result.edits.into_iter().map(edit).collect(),
        reserve: result.reserve.iter().map(reservation).collect(),
    }
}

fn edit(edit: on_message::Edit) -> ours::Edit {
    match edit {
        on_message::Edit::ReplaceLast(replaced) => ours::Edit::ReplaceLast(message(replaced)),
        on_message::Edit::Replace(on_message::Replacement { place, message: replaced }) => {
            ours::Edit::Replace(place, message(replaced))
        }
        on_message::Edit::PrependSystem(text) => ours::Edit::PrependSystem(text),
        on_message::Edit::Reroute(model) => ours::Edit::Reroute(model),
    }
}

fn reservation(reservation: &policy_types::Reservation) -> ours::Reservation {
    ours::Reservation {
        name: plain(&reservation.name, LABEL_BYTES),
        scope: match reservation.scope {
            policy_types::Scope::Principal => ours::Scope::Principal,
            policy_types::Scope::Role => ours::Scope::Role,
            policy_types::Scope::Everybody => ours::Scope::Everybody,
        },
        window: match reservation.window {
            policy_types::Window::RollingS(seconds) => ours::Window::RollingSeconds(seconds),
            policy_types::Window::Day => ours::Window::Day,
            policy_types::Window::Month => ours::Window::Month,
        },
        amount: reservation.amount,
        limit: reservation.limit,
        otherwise: denial(&reservation.otherwise),
    }
}

/// A decision about usage.
pub(crate) fn usage_decision(result: on_usage::ResultOfUsage) -> ours::UsageDecision {
    let settlement = |settled: on_usage::Settlement| ours::Settlement {
        name: plain(&settled.name, LABEL_BYTES),
        actual: settled.actual,
    };
    ours::UsageDecision {
        note: note(result.effect),
        settle: result.settle.into_iter().map(settlement).collect(),
    }
}

/// A verdict about a chunk.
pub(crate) fn judged(judged: on_output::Judged) -> ours::Judged {
    let span = |span: on_output::Span| ours::Span {
        start: span.start,
        end: span.end,
        replacement: span.replacement,
    };
    ours::Judged {
        verdict: match judged.verdict {
            on_output::OutputVerdict::Pass => ours::OutputVerdict::Pass,
            on_output::OutputVerdict::Redact(spans) => {
                ours::OutputVerdict::Redact(spans.into_iter().map(span).collect())
            }
            on_output::OutputVerdict::Stop(denied) => ours::OutputVerdict::Stop(denial(&denied)),
        },
        hold: judged.hold,
    }
}

fn message(message: chat::Message) -> request::Message {
    request::Message {
        role: match message.role {
            chat::Role::System => request::Role::System,
            chat::Role::Developer => request::Role::Developer,
            chat::Role::User => request::Role::User,
            chat::Role::Assistant => request::Role::Assistant,
            chat::Role::Tool => request::Role::Tool,
        },
        name: message.name,
        parts: message.parts.into_iter().map(part).collect(),
        extras: message.extras.into_iter().map(extra).collect(),
    }
}

fn part(part: chat::Part) -> request::Part {
    let content = match part.content {
        chat::Content::Text(text) => request::Content::Text(text),
        chat::Content::Image(image) => request::Content::Image(blob(image)),
        chat::Content::Audio(audio) => request::Content::Audio(blob(audio)),
        chat::Content::Document(document) => request::Content::Document(blob(document)),
        chat::Content::ToolCall(call) => request::Content::ToolCall(request::ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
            extras: call.extras.into_iter().map(extra).collect(),
        }),
        chat::Content::ToolResult(result) => request::Content::ToolResult(request::ToolResult {
            id: result.id,
            name: result.name,
            content: result.content.into_iter().map(tool_content).collect(),
            is_error: result.is_error,
        }),
        chat::Content::Reasoning(thought) => request::Content::Reasoning(request::Reasoning {
            text: thought.text,
            signature: thought.signature,
        }),
        chat::Content::Other(other) => request::Content::Other(extra(other)),
    };
    request::Part { content, extras: part.extras.into_iter().map(extra).collect() }
}

fn tool_content(content: chat::ToolContent) -> request::ToolContent {
    match content {
        chat::ToolContent::Text(text) => request::ToolContent::Text(text),
        chat::ToolContent::Image(image) => request::ToolContent::Image(blob(image)),
        chat::ToolContent::Other(other) => request::ToolContent::Other(extra(other)),
    }
}

fn blob(blob: chat::BlobRef) -> request::BlobRef {
    request::BlobRef {
        id: blob.id,
        media_type: blob.media_type,
        size: blob.size,
        url: blob.url,
        name: blob.name,
    }
}

fn extra(extra: types::Extra) -> request::Extra {
    request::Extra { key: extra.key, value: extra.value }
}
