//! Between the SDK's types and the forms of a policy's case. No decisions.

use std::collections::BTreeMap;

use sluice_sdk as sdk;

use super::super::case::{Action, Happened, PolicyCase, Who};
use super::super::judging;
use super::super::said::{
    Decision, Denial, Edit, Effect, MessageDecision, Reservation, Scope, UsageDecision, Verdict,
    Window,
};
use crate::native::{asked, said};

pub(super) fn subject(case: &PolicyCase) -> sdk::Subject {
    let Who { id, name, roles, attributes, address, session, model, labels } = case.subject.clone();
    let fields = |pairs: BTreeMap<String, String>| {
        pairs.into_iter().map(|(name, value)| sdk::Field { name, value }).collect()
    };
    sdk::Subject {
        principal: sdk::Principal {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            roles,
            attributes: fields(attributes),
        },
        address,
        session,
        model,
        now: case.circumstances.now_ms,
        labels: fields(labels),
    }
}

/// The message that the case asks about; a question without one is not put.
pub(super) fn chat(case: &PolicyCase) -> sdk::ChatRequest {
    case.chat.as_ref().map_or_else(|| sdk::ChatRequest::new(""), asked::chat)
}

pub(super) fn action(case: &PolicyCase) -> sdk::AdminAction {
    let action = case.action.as_ref();
    let Some(Action { name, target, arguments }) = action.cloned() else {
        return sdk::AdminAction { name: String::new(), target: None, arguments: "{}".to_owned() };
    };
    let arguments = serde_json::Value::Object(arguments).to_string();
    sdk::AdminAction { name, target, arguments }
}

pub(super) fn outcome(case: &PolicyCase) -> sdk::Outcome {
    let Happened { usage, estimated, cost_micros, duration_ms, first_piece_ms, ended } =
        case.outcome.clone().unwrap_or_default();
    let extra =
        |(key, value): (String, serde_json::Value)| sdk::Extra { key, value: value.to_string() };
    sdk::Outcome {
        usage: sdk::Usage {
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
        ended,
    }
}

pub(super) fn channel(channel: judging::Channel) -> sdk::Channel {
    match channel {
        judging::Channel::Text => sdk::Channel::Text,
        judging::Channel::Reasoning => sdk::Channel::Reasoning,
        judging::Channel::ToolArguments(slot) => sdk::Channel::ToolArguments(slot),
        judging::Channel::Citation => sdk::Channel::Citation,
    }
}

pub(super) fn decision(decision: sdk::Decision) -> Decision {
    let verdict = match decision.verdict {
        sdk::Verdict::Allow => Verdict::Allow,
        sdk::Verdict::Deny(denied) => Verdict::Deny(denial(denied)),
    };
    Decision { verdict, effect: effect(decision.effect) }
}

fn denial(denial: sdk::Denial) -> Denial {
    let sdk::Denial { code, text, retry_after_s } = denial;
    Denial { code, text, retry_after_s }
}

pub(super) fn effect(effect: sdk::Effect) -> Effect {
    let sdk::Effect { labels, note } = effect;
    Effect { labels: labels.into_iter().map(|label| (label.name, label.value)).collect(), note }
}

pub(super) fn message_decision(decided: sdk::MessageDecision) -> MessageDecision {
    let edit = |edit| match edit {
        sdk::Edit::ReplaceLast(message) => Edit::ReplaceLast(said::message(message)),
        sdk::Edit::Replace(sdk::Replacement { place, message }) => {
            Edit::Replace { place, message: said::message(message) }
        }
        sdk::Edit::PrependSystem(text) => Edit::PrependSystem(text),
        sdk::Edit::Reroute(model) => Edit::Reroute(model),
    };
    MessageDecision {
        decision: decision(decided.decision),
        edits: decided.edits.into_iter().map(edit).collect(),
        reserve: decided.reserve.into_iter().map(reservation).collect(),
    }
}

fn reservation(reservation: sdk::Reservation) -> Reservation {
    let sdk::Reservation { name, scope, window, amount, limit, otherwise } = reservation;
    Reservation {
        name,
        scope: match scope {
            sdk::Scope::Principal => Scope::Principal,
            sdk::Scope::Role => Scope::Role,
            sdk::Scope::Everybody => Scope::Everybody,
        },
        window: match window {
            sdk::Window::RollingS(seconds) => Window::RollingS(seconds),
            sdk::Window::Day => Window::Day,
            sdk::Window::Month => Window::Month,
        },
        amount,
        limit,
        otherwise: denial(otherwise),
    }
}

pub(super) fn usage_decision(decided: sdk::UsageDecision) -> UsageDecision {
    let sdk::UsageDecision { effect: kept, settle } = decided;
    let settle = settle.into_iter().map(|settled| (settled.name, settled.actual)).collect();
    UsageDecision { effect: effect(kept), settle }
}

pub(super) fn judged(judged: sdk::Judged) -> judging::Judged {
    let span = |sdk::Span { start, end, replacement }| judging::Span { start, end, replacement };
    let verdict = match judged.verdict {
        sdk::OutputVerdict::Pass => judging::OutputVerdict::Pass,
        sdk::OutputVerdict::Redact(spans) => {
            judging::OutputVerdict::Redact(spans.into_iter().map(span).collect())
        }
        sdk::OutputVerdict::Stop(denied) => judging::OutputVerdict::Stop(denial(denied)),
    };
    judging::Judged { verdict, hold: judged.hold }
}
