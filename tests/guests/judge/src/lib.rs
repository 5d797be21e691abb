//! A policy with every hook, which does in each what its settings say: judge, edit, redact, or misbehave.

use std::cell::Cell;
use std::hint::black_box;
use std::ops::Range;

use serde::Deserialize;
use sluice_sdk::{
    AdminAction, Channel, ChatRequest, Context, Decision, Denial, Effect, Judged, MessageDecision,
    OnAdmin, OnConnect, OnMessage, OnOutput, OnUsage, Outcome, Policy, Reservation, Span, Subject,
    UsageDecision,
};

/// What to do in each hook; a hook without a word allows.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    connect: Option<String>,
    message: Option<String>,
    output: Option<String>,
    admin: Option<String>,
    usage: Option<String>,
    /// What an edit writes, to which model it leads, and what a reservation is of.
    with: String,
    limit: u64,
}

/// The policy.
#[derive(Debug, Default)]
pub struct Judge;

impl Policy for Judge {
    type Settings = Settings;
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Which call of this instance it is.
fn count() -> u32 {
    CALLS.with(|calls| {
        calls.set(calls.get() + 1);
        calls.get()
    })
}

/// What every hook can be told to do.
#[expect(clippy::panic, clippy::infinite_loop, reason = "what it is for")]
fn misbehave(word: Option<&str>) {
    match word {
        Some("spin") => loop {
            black_box(0);
        },
        Some("trap") => panic!("crashed in a hook"),
        Some("hoard") => {
            // Never touched: a page is slow to come by on a busy machine, and this is to run out of memory, not of time.
            let mut held = Vec::new();
            loop {
                held.push(black_box(Vec::<u8>::with_capacity(1 << 20)));
            }
        }
        _ => {}
    }
}

fn denial(word: &str) -> Denial {
    Denial::new("house", format!("The house says no to {word}.")).retry_after_s(7)
}

fn model(subject: &Subject) -> String {
    subject.model.clone().unwrap_or_default()
}

fn decide(word: Option<&str>, subject: &Subject) -> Decision {
    misbehave(word);
    match word {
        Some("deny") => Decision::deny(denial("this")).with_note("denied as told"),
        Some("label") => Decision::allow().with_label("seen", "yes").with_note("seen"),
        Some("tell-labels") => {
            let labels =
                subject.labels.iter().map(|label| format!("{}={}", label.name, label.value));
            Decision::deny(Denial::new("labels", labels.collect::<Vec<_>>().join(" ")))
        }
        Some("count") => Decision::allow().with_note(count().to_string()),
        _ => Decision::allow(),
    }
}

impl OnConnect for Judge {
    fn on_connect(cx: &Context<Settings>, subject: &Subject) -> Decision {
        decide(cx.settings.connect.as_deref(), subject)
    }
}

impl OnMessage for Judge {
    fn on_message(
        cx: &Context<Settings>,
        subject: &Subject,
        chat: &ChatRequest,
    ) -> MessageDecision {
        let Settings { with, limit, .. } = &cx.settings;
        match cx.settings.message.as_deref() {
            Some("append") => {
                MessageDecision::allow().replace_last(format!("{}{with}", chat.last_user_text()))
            }
            Some("append-model") => MessageDecision::allow().replace_last(format!(
                "{}{with}{}",
                chat.last_user_text(),
                chat.model
            )),
            Some("prepend") => MessageDecision::allow().prepend_system(with.clone()),
            Some("reroute") => MessageDecision::allow().reroute(with.clone()),
            Some("reserve") => MessageDecision::allow().reserve(Reservation::new(
                with.clone(),
                1,
                *limit,
                denial("more"),
            )),
            Some("tell-text") => MessageDecision::deny(Denial::new("text", chat.last_user_text())),
            Some("tell-model") => MessageDecision::deny(Denial::new("model", chat.model.clone())),
            word => decide(word, subject).into(),
        }
    }
}

impl OnOutput for Judge {
    fn check(
        &mut self,
        cx: &Context<Settings>,
        subject: &Subject,
        channel: Channel,
        chunk: &str,
        last: bool,
    ) -> Judged {
        let word = cx.settings.output.as_deref();
        misbehave(word);
        let secret = "secret";
        match word {
            Some("redact") => {
                let spans = chunk
                    .match_indices(secret)
                    .map(|(at, _)| Span::new(at..at + secret.len(), "[gone]"));
                let tail = if last { 0 } else { held(chunk, secret) };
                Judged::redact(spans.collect()).hold(tail)
            }
            Some("upper") if channel == Channel::Text => {
                Judged::redact(vec![Span::new(0..chunk.len(), chunk.to_uppercase())])
            }
            Some("stop") if chunk.contains("stop") => Judged::stop(denial("the rest")),
            Some("stop") => Judged::pass().hold(if last { 0 } else { held(chunk, "stop") }),
            Some("tell-model") => Judged::stop(Denial::new("model", model(subject))),
            Some("hold") => Judged::pass().hold(usize::MAX),
            Some("overlap") => Judged::redact(vec![Span::new(0..2, ""), Span::new(1..3, "")]),
            Some("backwards") => Judged::redact(vec![Span::new(Range { start: 2, end: 1 }, "")]),
            Some("border") => Judged::redact(vec![Span::new(0..1, "")]),
            Some("beyond") => Judged::redact(vec![Span::new(0..chunk.len() + 1, "")]),
            _ => Judged::pass(),
        }
    }

    fn finish(&mut self, cx: &Context<Settings>, _: &Subject) -> Effect {
        match cx.settings.output.as_deref() {
            Some("redact") => Effect::default().with_label("filtered", "yes"),
            _ => Effect::default(),
        }
    }
}

/// Bytes at the end that may be the beginning of the word.
fn held(chunk: &str, word: &str) -> usize {
    (1..word.len())
        .rev()
        .find(|&length| word.get(..length).is_some_and(|start| chunk.ends_with(start)))
        .unwrap_or_default()
}

impl OnAdmin for Judge {
    fn on_admin(cx: &Context<Settings>, subject: &Subject, action: &AdminAction) -> Decision {
        match cx.settings.admin.as_deref() {
            Some("deny") => Decision::deny(denial(&action.name)),
            word => decide(word, subject),
        }
    }
}

impl OnUsage for Judge {
    fn on_usage(cx: &Context<Settings>, subject: &Subject, outcome: &Outcome) -> UsageDecision {
        misbehave(cx.settings.usage.as_deref());
        let note = format!("{} {}", outcome.ended, outcome.total_tokens());
        match cx.settings.usage.as_deref() {
            Some("settle") => UsageDecision::nothing()
                .settle(cx.settings.with.clone(), outcome.total_tokens())
                .with_note(note),
            Some("tell-model") => UsageDecision::nothing().with_note(model(subject)),
            Some("note") => UsageDecision::nothing().with_note(note),
            _ => UsageDecision::nothing(),
        }
    }
}

sluice_sdk::policy!(Judge: OnConnect, OnMessage, OnOutput, OnAdmin, OnUsage);
