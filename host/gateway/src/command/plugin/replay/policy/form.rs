//! Between the forms of a policy's case and what the sandbox takes and gives. No decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_chat::answer::Ending;
use sluice_chat::event;
use sluice_chat::exchange::Field;
use sluice_chat::request;
use sluice_testkit as testkit;
use sluice_testkit::{Happened, PolicyCase, Who};

use super::{id, ours};
use crate::command::plugin::replay::{asked, said};

/// Who it is about.
pub(super) fn subject(case: &PolicyCase) -> ours::Subject {
    let Who { id: user, name, roles, attributes, address, session, model, labels } =
        case.subject.clone();
    let fields = |pairs: BTreeMap<String, String>| {
        pairs.into_iter().map(|(name, value)| Field { name, value }).collect()
    };
    let principal = ours::Principal {
        name: name.unwrap_or_else(|| user.clone()),
        id: user,
        roles,
        attributes: fields(attributes),
    };
    ours::Subject {
        caller: Arc::new(ours::Caller { principal, address }),
        session,
        model,
        now: id::Instant(case.circumstances.now_ms),
        labels: fields(labels),
    }
}

/// The message of a case that has one.
pub(super) fn chat(case: &PolicyCase) -> request::ChatRequest {
    case.chat.as_ref().map(asked::chat).unwrap_or_default()
}

/// The action of a case that has one.
pub(super) fn action(case: &PolicyCase) -> ours::AdminAction {
    let Some(action) = case.action.clone() else {
        return ours::AdminAction { name: String::new(), target: None, arguments: "{}".to_owned() };
    };
    let arguments = serde_json::Value::Object(action.arguments).to_string();
    ours::AdminAction { name: action.name, target: action.target, arguments }
}

/// The end of an answer.
pub(super) fn outcome(case: &PolicyCase) -> ours::Outcome {
    let Happened { usage, estimated, cost_micros, duration_ms, first_piece_ms, ended } =
        case.outcome.clone().unwrap_or_default();
    let extra = |(key, value): (String, serde_json::Value)| request::Extra {
        key,
        value: value.to_string(),
    };
    ours::Outcome {
        usage: event::Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            cache_write_tokens: usage.cache_write_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            other: usage.other.into_iter().map(extra).collect(),
        },
        estimated,
        cost_micros,
        duration_ms,
        first_piece_ms,
        ended: Ending::parse(&ended).unwrap_or(Ending::Other).as_str(),
    }
}

/// In which way it is said.
pub(super) fn channel(channel: testkit::Channel) -> ours::Channel {
    match channel {
        testkit::Channel::Text => ours::Channel::Text,
        testkit::Channel::Reasoning => ours::Channel::Reasoning,
        testkit::Channel::ToolArguments(slot) => ours::Channel::ToolArguments(slot),
        testkit::Channel::Citation => ours::Channel::Citation,
    }
}

/// Yes or no.
pub(super) fn decision(decision: ours::Decision) -> testkit::Decision {
    let ours::Decision { denial: denied, note } = decision;
    let verdict = denied.map(denial).map_or(testkit::Verdict::Allow, testkit::Verdict::Deny);
    testkit::Decision { verdict, effect: effect(note) }
}

fn denial(denial: ours::Denial) -> testkit::Denial {
    let ours::Denial { code, text, retry_after_s } = denial;
    testkit::Denial { code, text, retry_after_s }
}

/// What is kept of it.
pub(super) fn effect(note: ours::Note) -> testkit::Effect {
    let ours::Note { labels, text } = note;
    let labels = labels.into_iter().map(|label| (label.name, label.value)).collect();
    testkit::Effect { labels, note: text }
}

/// Of a message.
pub(super) fn message_decision(decided: ours::MessageDecision) -> testkit::MessageDecision {
    let edit = |edit| match edit {
        ours::Edit::ReplaceLast(message) => testkit::Edit::ReplaceLast(said::message(message)),
        ours::Edit::Replace(place, message) => {
            testkit::Edit::Replace { place, message: said::message(message) }
        }
        ours::Edit::PrependSystem(text) => testkit::Edit::PrependSystem(text),
        ours::Edit::Reroute(model) => testkit::Edit::Reroute(model),
    };
    testkit::MessageDecision {
        decision: decision(decided.decision),
        edits: decided.edits.into_iter().map(edit).collect(),
        reserve: decided.reserve.into_iter().map(reservation).collect(),
    }
}

fn reservation(reservation: ours::Reservation) -> testkit::Reservation {
    let ours::Reservation { name, scope, window, amount, limit, otherwise } = reservation;
    testkit::Reservation {
        name,
        scope: match scope {
            ours::Scope::Principal => testkit::Scope::Principal,
            ours::Scope::Role => testkit::Scope::Role,
            ours::Scope::Everybody => testkit::Scope::Everybody,
        },
        window: match window {
            ours::Window::RollingSeconds(seconds) => testkit::Window::RollingS(seconds),
            ours::Window::Day => testkit::Window::Day,
            ours::Window::Month => testkit::Window::Month,
        },
        amount,
        limit,
        otherwise: denial(otherwise),
    }
}

/// Of an answer's usage.
pub(super) fn usage_decision(decided: ours::UsageDecision) -> testkit::UsageDecision {
    let ours::UsageDecision { note, settle } = decided;
    let settle = settle.into_iter().map(|settled| (settled.name, settled.actual)).collect();
    testkit::UsageDecision { effect: effect(note), settle }
}

/// Of a chunk.
pub(super) fn judged(judged: ours::Judged) -> testkit::Judged {
    let span = |ours::Span { start, end, replacement }| testkit::Span { start, end, replacement };
    let verdict = match judged.verdict {
        ours::OutputVerdict::Pass => testkit::OutputVerdict::Pass,
        ours::OutputVerdict::Redact(spans) => {
            testkit::OutputVerdict::Redact(spans.into_iter().map(span).collect())
        }
        ours::OutputVerdict::Stop(denied) => testkit::OutputVerdict::Stop(denial(denied)),
    };
    testkit::Judged { verdict, hold: judged.hold }
}
