//! How many messages, tokens or how much money somebody may use in an hour, a day or a month.
//!
//! A message takes what it may need before it is sent, in one step with whoever else takes at that moment; after the answer what it
//! really took remains.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Deserialize;
use sluice_sdk::{
    ChatRequest, Context, Denial, MessageDecision, OnMessage, OnUsage, Outcome, Policy,
    Reservation, Scope, Subject, UsageDecision, Who, Window,
};

/// Tokens that an answer is expected to have where nothing bounds it.
const ANSWER_TOKENS: u64 = 1024;

/// Settings of the plugin. Without any, nothing is limited.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    limits: Vec<Limit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    /// Under which it is counted: unique, and what is counted begins anew with a new one.
    name: String,
    #[serde(default)]
    who: Who,
    /// Who shares it.
    #[serde(default)]
    per: Per,
    within: Within,
    at_most: Most,
    /// What a message takes until it is known; estimated from its text without. No meaning for messages.
    reserve: Option<u64>,
    /// What a user reads who is refused.
    text: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Per {
    #[default]
    User,
    Role,
    Everybody,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Within {
    /// A calendar day or month, in UTC.
    Day,
    Month,
    /// Any stretch of time of so many seconds.
    Seconds(u32),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Most {
    Messages(u64),
    /// Of prompt and answer together.
    Tokens(u64),
    /// Millionths of the currency that the prices are in.
    Micros(u64),
}

/// What a message takes of a limit in money where neither the operator says it nor a price is known: a cent.
const RESERVED_MICROS: u64 = 10_000;

/// The policy.
#[derive(Debug)]
pub struct Budget;

impl Policy for Budget {
    type Settings = Settings;
}

impl OnMessage for Budget {
    fn on_message(
        cx: &Context<Settings>,
        subject: &Subject,
        chat: &ChatRequest,
    ) -> MessageDecision {
        let mine = cx.settings.limits.iter().filter(|limit| limit.who.fits(subject));
        mine.fold(MessageDecision::allow(), |decision, limit| {
            let (amount, most) = match limit.at_most {
                Most::Messages(most) => (1, most),
                Most::Tokens(most) => (limit.reserve.unwrap_or_else(|| estimate(chat)), most),
                Most::Micros(most) => (limit.reserve.unwrap_or(RESERVED_MICROS), most),
            };
            // A message that alone may need all of it is let through when nobody else took any.
            let amount = amount.min(most.max(1));
            let (window, retry_after_s) = window(limit.within, subject.now);
            let scope = match limit.per {
                Per::User => Scope::Principal,
                Per::Role => Scope::Role,
                Per::Everybody => Scope::Everybody,
            };
            let text = limit.text.as_deref().unwrap_or("Your budget is used up for now.");
            let otherwise = Denial::new("budget", text).retry_after_s(retry_after_s);
            decision.reserve(
                Reservation::new(limit.name.clone(), amount, most, otherwise)
                    .shared_by(scope)
                    .within(window),
            )
        })
    }
}

impl OnUsage for Budget {
    fn on_usage(cx: &Context<Settings>, subject: &Subject, outcome: &Outcome) -> UsageDecision {
        let mine = cx.settings.limits.iter().filter(|limit| limit.who.fits(subject));
        mine.fold(UsageDecision::nothing(), |decision, limit| {
            let actual = match limit.at_most {
                Most::Messages(_) => 1,
                Most::Tokens(_) => outcome.total_tokens(),
                Most::Micros(_) => outcome.cost_micros.unwrap_or(0),
            };
            decision.settle(limit.name.clone(), actual)
        })
    }
}

/// Tokens that a message and its answer may take: four bytes of text are about one.
fn estimate(chat: &ChatRequest) -> u64 {
    let bytes = chat.messages.iter().map(|message| message.text().len() as u64);
    bytes.sum::<u64>() / 4 + chat.max_output_tokens.map_or(ANSWER_TOKENS, u64::from)
}

/// As the host counts it, and in how many seconds there is something again: at the latest.
fn window(within: Within, now_ms: u64) -> (Window, u32) {
    let window = match within {
        Within::Seconds(seconds) => return (Window::RollingS(seconds), seconds),
        Within::Day => Window::Day,
        Within::Month => Window::Month,
    };
    let now = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let seconds = now.and_then(|now| {
        let now = now.to_zoned(TimeZone::UTC);
        let begins = match within {
            Within::Month => now.first_of_month().ok()?.checked_add(1.month()).ok()?,
            Within::Day | Within::Seconds(_) => now.tomorrow().ok()?,
        };
        u32::try_from(
            begins.start_of_day().ok()?.timestamp().as_second() - now.timestamp().as_second(),
        )
        .ok()
    });
    (window, seconds.unwrap_or(1).max(1))
}

sluice_sdk::policy!(Budget: OnMessage, OnUsage);
sluice_sdk::manifest!("");

#[cfg(test)]
mod tests {
    use sluice_sdk::{Message, Role, Usage};

    use super::*;

    fn context(settings: &str) -> Context<Settings> {
        Context::read(settings).unwrap()
    }

    fn at(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    fn asked(settings: &str, now: &str) -> Vec<Reservation> {
        let mut chat = ChatRequest::new("m");
        chat.messages.push(Message::of(Role::User, "x".repeat(400)));
        let subject = Subject { now: at(now), ..Subject::of("u") };
        Budget::on_message(&context(settings), &subject, &chat).reserve
    }

    #[test]
    fn a_message_takes_what_it_may_need() {
        let took = asked(
            r#"{"limits": [
                {"name": "talk", "within": {"seconds": 60}, "at_most": {"messages": 5}},
                {"name": "day", "per": "role", "within": "day", "at_most": {"tokens": 50000}},
                {"name": "money", "per": "everybody", "within": "month", "at_most": {"micros": 5000000}, "reserve": 700},
                {"name": "theirs", "who": {"users": ["v"]}, "within": "day", "at_most": {"messages": 1}}
            ]}"#,
            "2026-11-25T23:00:00Z",
        );
        let told: Vec<_> =
            took.iter().map(|r| (r.name.as_str(), r.scope, r.window, r.amount, r.limit)).collect();
        assert_eq!(
            told,
            [
                ("talk", Scope::Principal, Window::RollingS(60), 1, 5),
                ("day", Scope::Role, Window::Day, 100 + 1024, 50_000),
                ("money", Scope::Everybody, Window::Month, 700, 5_000_000),
            ]
        );
        let retry: Vec<_> = took.iter().map(|r| r.otherwise.retry_after_s.unwrap()).collect();
        assert_eq!(retry, [60, 3600, 5 * 86_400 + 3600]);
    }

    #[test]
    fn a_small_limit_lets_one_message_through_at_a_time() {
        let took = asked(
            r#"{"limits": [{"name": "d", "within": "day", "at_most": {"tokens": 10}}]}"#,
            "2026-01-01T00:00:00Z",
        );
        assert_eq!((took[0].amount, took[0].otherwise.retry_after_s), (10, Some(86_400)));
        let none = asked(
            r#"{"limits": [{"name": "d", "within": "day", "at_most": {"tokens": 0}}]}"#,
            "2026-01-01T00:00:00Z",
        );
        assert_eq!((none[0].amount, none[0].limit), (1, 0));
    }

    #[test]
    fn afterwards_what_it_took_remains() {
        let cx = context(
            r#"{"limits": [
                {"name": "talk", "within": {"seconds": 60}, "at_most": {"messages": 5}},
                {"name": "day", "within": "day", "at_most": {"tokens": 50000}},
                {"name": "money", "within": "month", "at_most": {"micros": 5000000}}
            ]}"#,
        );
        let usage = Usage { input_tokens: Some(7), output_tokens: Some(30), ..Usage::default() };
        let outcome = Outcome {
            usage,
            estimated: false,
            cost_micros: Some(12),
            duration_ms: 5,
            first_piece_ms: None,
            ended: "stop".to_owned(),
        };
        let settled = Budget::on_usage(&cx, &Subject::of("u"), &outcome).settle;
        let told: Vec<_> = settled.iter().map(|s| (s.name.as_str(), s.actual)).collect();
        assert_eq!(told, [("talk", 1), ("day", 37), ("money", 12)]);
    }
}
