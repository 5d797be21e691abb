//! One answer: how it may end, what it cost, and the order in which a provider has to tell it.

use crate::event::{ChatEvent, FinishReason, Usage};

/// How an answer ended. The wire and the archive know it by [`Ending::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The model had said everything.
    Stop,
    /// The limit of tokens was reached.
    Length,
    /// The model wants tools run.
    ToolCalls,
    /// The upstream's filter cut it.
    ContentFilter,
    /// The upstream ended it in order, for a reason of its own.
    Other,
    /// The user stopped it.
    Cancelled,
    /// An operator took the session over.
    Takeover,
    /// The gateway went down meanwhile.
    Interrupted,
    /// The upstream was cut, stalled or failed.
    Error,
}

impl Ending {
    /// Every way to end.
    pub const ALL: [Self; 9] = [
        Self::Stop,
        Self::Length,
        Self::ToolCalls,
        Self::ContentFilter,
        Self::Other,
        Self::Cancelled,
        Self::Takeover,
        Self::Interrupted,
        Self::Error,
    ];

    /// The word on the wire and in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
            Self::Cancelled => "cancelled",
            Self::Takeover => "takeover",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
        }
    }

    /// Whether the model said all it was going to say. How long it took counts then; a stop on request says nothing of the model.
    pub fn is_whole(self) -> bool {
        match self {
            Self::Stop | Self::Length | Self::ToolCalls | Self::ContentFilter | Self::Other => true,
            Self::Cancelled | Self::Takeover | Self::Interrupted | Self::Error => false,
        }
    }

    /// The ending of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == word)
    }
}

/// What an answer cost in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// Whether the gateway guessed, because the provider said nothing or was cut.
    pub estimated: bool,
}

impl Tokens {
    /// What the provider told, with what was guessed in the gaps.
    pub fn as_usage(self, told: Option<Usage>) -> Usage {
        let (input_tokens, output_tokens) = (Some(self.input), Some(self.output));
        Usage { input_tokens, output_tokens, ..told.unwrap_or_default() }
    }

    /// Prompt and answer together.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Most tool calls one answer may open.
const TOOL_SLOTS: u32 = 128;

/// A provider said something it may not say where it said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Text, reasoning, a tool call or another end after the end.
    #[error("the provider went on after its end")]
    AfterEnd,
    /// A tool call beyond the slots there are.
    #[error("the provider opened too many tool calls")]
    ToolSlot,
    /// It was done without having said how it ended.
    #[error("the provider stopped without an end")]
    NoEnd,
}

/// Holds a provider to the order of an answer: an end once, nothing but accounts after it.
#[derive(Debug, Default)]
pub struct Manners {
    finish: Option<FinishReason>,
}

impl Manners {
    /// Checks what was said next.
    pub fn hear(&mut self, events: &[ChatEvent]) -> Result<(), Breach> {
        for event in events {
            match event {
                ChatEvent::Text(_)
                | ChatEvent::Reasoning(_)
                | ChatEvent::ToolDelta(_)
                | ChatEvent::Finish(_)
                    if self.finish.is_some() =>
                {
                    return Err(Breach::AfterEnd);
                }
                ChatEvent::ToolDelta(delta) if delta.index >= TOOL_SLOTS => {
                    return Err(Breach::ToolSlot);
                }
                ChatEvent::Finish(reason) => self.finish = Some(reason.clone()),
                ChatEvent::Text(_)
                | ChatEvent::Reasoning(_)
                | ChatEvent::ToolDelta(_)
                | ChatEvent::Usage(_)
                | ChatEvent::UpstreamId { .. }
                | ChatEvent::Other(_) => {}
            }
        }
        Ok(())
    }

    /// How the answer ended, once the provider is done. Done without an end is a breach, never a `stop`.
    pub fn ended(self) -> Result<FinishReason, Breach> {
        self.finish.ok_or(Breach::NoEnd)
    }
}

impl From<&FinishReason> for Ending {
    fn from(reason: &FinishReason) -> Self {
        match reason {
            FinishReason::Stop => Self::Stop,
            FinishReason::Length => Self::Length,
            FinishReason::ToolCalls => Self::ToolCalls,
            FinishReason::ContentFilter => Self::ContentFilter,
            FinishReason::Other(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ToolDelta;

    fn text() -> ChatEvent {
        ChatEvent::Text("hi".to_owned())
    }

    #[test]
    fn an_answer_ends_once_and_only_accounts_may_follow() {
        let mut manners = Manners::default();
        let end = ChatEvent::Finish(FinishReason::Length);

        let whole = [text(), end.clone(), ChatEvent::Usage(Usage::default())];
        assert_eq!(manners.hear(&whole), Ok(()));
        assert_eq!(manners.hear(&[text()]), Err(Breach::AfterEnd));
        assert_eq!(manners.hear(&[end]), Err(Breach::AfterEnd));
        assert_eq!(manners.ended(), Ok(FinishReason::Length));
    }

    #[test]
    fn done_without_an_end_is_never_taken_for_one() {
        let mut manners = Manners::default();
        assert_eq!(manners.hear(&[text()]), Ok(()));
        assert_eq!(manners.ended(), Err(Breach::NoEnd));
    }

    #[test]
    fn tool_slots_are_bounded() {
        let delta = |index| {
            let arguments = String::new();
            [ChatEvent::ToolDelta(ToolDelta { index, id: None, name: None, arguments })]
        };
        assert_eq!(Manners::default().hear(&delta(127)), Ok(()));
        assert_eq!(Manners::default().hear(&delta(u32::MAX)), Err(Breach::ToolSlot));
    }

    #[test]
    fn every_ending_has_a_word_of_its_own() {
        for ending in Ending::ALL {
            assert_eq!(Ending::parse(ending.as_str()), Some(ending));
        }
    }
}
