//! Looks for what should not pass, in what users write and in what models say: e-mail addresses, telephone and card numbers, keys,
//! and patterns of one's own. What is found is replaced, or refused.
//!
//! Of what a model says it holds back what may still become something to find, and nothing more: wherever a text is cut into
//! pieces, the same comes out.

mod card;
mod cleaning;
mod patterns;
mod settings;

use std::mem;

use sluice_sdk::{
    Channel, ChatRequest, Context, Effect, Judged, MessageDecision, OnMessage, OnOutput, Policy,
    Span, Subject,
};

use crate::cleaning::Cleaning;
use crate::patterns::{Found, Patterns, Scanner};
pub use crate::settings::Settings;

/// Filters one answer.
#[derive(Debug, Default)]
pub struct Guard {
    /// Made when the first piece comes.
    scanner: Option<Scanner>,
    /// The character before what is held back, as it was said, of each channel: whether a number begins depends on it.
    before: Vec<(Channel, String)>,
    /// How often something was replaced.
    replaced: u32,
}

impl Policy for Guard {
    type Settings = Settings;
}

impl OnMessage for Guard {
    /// All messages: of a conversation that a client brings whole, nobody has seen the others, or those were changed since.
    fn on_message(cx: &Context<Settings>, _: &Subject, chat: &ChatRequest) -> MessageDecision {
        if !cx.settings.input {
            return MessageDecision::allow();
        }
        let mut cleaning = Cleaning::new(&cx.settings.patterns);
        let mut decision = MessageDecision::allow();
        for (place, message) in chat.messages.iter().enumerate() {
            match cleaning.message(message) {
                Err(denial) => return MessageDecision::deny(denial),
                Ok(None) => {}
                Ok(Some(clean)) => decision = decision.replace(place, clean),
            }
        }
        match cleaning.replaced() {
            0 => decision,
            count => decision.with_label("guard.replaced", count.to_string()),
        }
    }
}

impl OnOutput for Guard {
    fn check(
        &mut self,
        cx: &Context<Settings>,
        _: &Subject,
        channel: Channel,
        chunk: &str,
        last: bool,
    ) -> Judged {
        if !cx.settings.output {
            return Judged::pass();
        }
        let patterns = &cx.settings.patterns;
        // Each of these is whole and stands by itself.
        let is_whole = channel == Channel::Citation;
        let before = self.before(channel);
        let mut text = if is_whole { String::new() } else { mem::take(before) };
        let from = text.len();
        text.push_str(chunk);

        let scanner = self.scanner.get_or_insert_with(|| patterns.scanner());
        scanner.begin();
        let scan = patterns.scan(scanner, &text, from, last || is_whole);
        if scan.gave_up {
            return Judged::stop(Patterns::too_long());
        }
        if let Some(denial) = scan.found.iter().find_map(|found| patterns.denial(found)) {
            return Judged::stop(denial);
        }
        self.replaced += u32::try_from(scan.found.len()).unwrap_or(u32::MAX);

        let held = text.len() - scan.decided;
        let decided = text.get(..scan.decided).unwrap_or_default();
        // What comes after the last of a text is another text.
        if let Some(previous) = decided.chars().next_back().filter(|_| !last) {
            *self.before(channel) = previous.to_string();
        }
        let spans = scan.found.into_iter().map(|Found { range, pattern }| {
            Span::new(range.start - from..range.end - from, patterns.replacement(pattern))
        });
        Judged::redact(spans.collect()).hold(held)
    }

    fn finish(&mut self, _: &Context<Settings>, _: &Subject) -> Effect {
        match self.replaced {
            0 => Effect::default(),
            count => Effect::default().with_label("guard.replaced", count.to_string()),
        }
    }
}

impl Guard {
    fn before(&mut self, channel: Channel) -> &mut String {
        let known = self.before.iter().position(|(of, _)| *of == channel);
        let at = known.unwrap_or_else(|| {
            self.before.push((channel, String::new()));
            self.before.len() - 1
        });
        &mut self.before[at].1
    }
}

sluice_sdk::policy!(Guard: OnMessage, OnOutput);
sluice_sdk::manifest!("");
