//! A conversation as instructions and turns, for vendors that know two speakers only.

use crate::{ChatRequest, Message, Part, Role};

/// Who speaks where there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The user, and the tools that were run for the model.
    User,
    /// The model.
    Assistant,
}

impl Speaker {
    /// The word that most vendors have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    fn of(role: Role) -> Option<Self> {
        match role {
            Role::System | Role::Developer => None,
            Role::User | Role::Tool => Some(Self::User),
            Role::Assistant => Some(Self::Assistant),
        }
    }
}

/// What one speaker said until the other spoke.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn<'a> {
    /// Who.
    pub speaker: Speaker,
    /// What, in order; never empty.
    pub parts: Vec<&'a Part>,
}

impl ChatRequest {
    /// The parts of all instructions in order, wherever they stood.
    pub fn instructions(&self) -> impl Iterator<Item = &Part> {
        let told = self.messages.iter().filter(|message| message.role.instructs());
        told.flat_map(|message| &message.parts)
    }

    /// The conversation without instructions: neighbours of one speaker are one turn, so that the results of parallel calls come
    /// together. Parts that are not kept, and turns of nothing else, are left out.
    ///
    /// ```
    /// use sluice_sdk::{ChatRequest, Message, Role, Speaker};
    ///
    /// let said = [(Role::System, "Be kind."), (Role::User, "Hi"), (Role::User, "there"), (Role::Assistant, "Hello")];
    /// let messages = said.map(|(role, text)| Message::of(role, text)).into();
    /// let chat = ChatRequest { messages, ..ChatRequest::new("m") };
    ///
    /// let turns = chat.turns(|_| true);
    /// assert_eq!((turns.len(), turns[0].speaker, turns[0].parts.len()), (2, Speaker::User, 2));
    /// ```
    pub fn turns(&self, keeps: impl Fn(&Part) -> bool) -> Vec<Turn<'_>> {
        let mut turns: Vec<Turn<'_>> = Vec::new();
        for Message { role, parts, .. } in &self.messages {
            let Some(speaker) = Speaker::of(*role) else { continue };
            let parts = parts.iter().filter(|part| keeps(part));
            match turns.last_mut().filter(|turn| turn.speaker == speaker) {
                Some(turn) => turn.parts.extend(parts),
                None => turns.push(Turn { speaker, parts: parts.collect() }),
            }
            turns.pop_if(|turn| turn.parts.is_empty());
        }
        turns
    }
}
