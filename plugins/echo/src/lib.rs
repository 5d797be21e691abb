//! Says back what the user said last, word by word. For trying the gateway out without a vendor.
//!
//! No network, and no usage: the host estimates that as for any provider that tells none.

mod delay;
mod words;

use std::vec::IntoIter;

use serde::Deserialize;
use sluice_sdk::{Answer, ChatRequest, Context, Error, Events, FinishReason, Input, Output};

pub use crate::delay::Delay;

/// What the operator may set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds between two words; 0 says everything at once.
    pub delay_ms: Delay,
}

/// One echo.
#[derive(Debug, Default)]
pub struct Echo {
    words: IntoIter<String>,
}

impl Answer for Echo {
    type Settings = Settings;

    fn start(&mut self, cx: &Context<Settings>, chat: ChatRequest) -> Output {
        let text = chat.last_user_text();
        if !chat.stream || cx.settings.delay_ms.is_zero() {
            return last(text);
        }
        let words: Vec<String> = words::split(&text).map(str::to_owned).collect();
        self.words = words.into_iter();
        self.next(cx)
    }

    fn step(&mut self, cx: &Context<Settings>, input: Input) -> Output {
        match input {
            Input::Woken => self.next(cx),
            Input::Head(_) | Input::Frames(_) | Input::End | Input::Failed(_) => {
                Output::fail(Events::new(), Error::protocol("no exchange was asked for"))
            }
        }
    }
}

impl Echo {
    fn next(&mut self, cx: &Context<Settings>) -> Output {
        let word = self.words.next().unwrap_or_default();
        if self.words.as_slice().is_empty() {
            return last(word);
        }
        let mut events = Events::new();
        events.text(word);
        Output::wait(events, cx.settings.delay_ms.ms())
    }
}

fn last(text: String) -> Output {
    let mut events = Events::new();
    events.text(text);
    events.finish(FinishReason::Stop);
    Output::done(events)
}

sluice_sdk::answer!(Echo);
sluice_sdk::manifest!("");

#[cfg(test)]
mod tests;
