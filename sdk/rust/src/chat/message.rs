//! One message, and its parts by kind.

use crate::{Content, Message, Part, Role, ToolCall, ToolResult};

impl Message {
    /// A message of one text.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        let part = Part { content: Content::Text(text.into()), extras: Vec::new() };
        Self { role, name: None, parts: vec![part], extras: Vec::new() }
    }

    /// Its text parts, one after the other.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(|part| part.content.text()).collect()
    }

    /// Its parts, for vendors that have a place of their own for calls, results and thoughts.
    ///
    /// ```
    /// use sluice_sdk::{Message, Role};
    ///
    /// let message = Message::of(Role::User, "Hi");
    /// let parts = message.by_kind();
    /// assert_eq!((parts.content.len(), parts.calls.len()), (1, 0));
    /// ```
    pub fn by_kind(&self) -> ByKind<'_> {
        let mut parts = ByKind::default();
        for part in &self.parts {
            match &part.content {
                Content::ToolCall(call) => parts.calls.push(call),
                Content::ToolResult(result) => parts.results.push(result),
                Content::Reasoning(thought) => parts.reasoning.push_str(&thought.text),
                Content::Text(_)
                | Content::Image(_)
                | Content::Audio(_)
                | Content::Document(_)
                | Content::Other(_) => parts.content.push(part),
            }
        }
        parts
    }
}

/// The parts of a message by kind, each in its order.
#[derive(Debug, Clone, Default)]
pub struct ByKind<'a> {
    /// Texts, files, and parts of a vendor's own.
    pub content: Vec<&'a Part>,
    /// Tools that the model wanted run.
    pub calls: Vec<&'a ToolCall>,
    /// What tools gave back.
    pub results: Vec<&'a ToolResult>,
    /// What the model thought, without its signatures.
    pub reasoning: String,
}

impl ByKind<'_> {
    /// Whether anything was said: content or a call.
    pub fn says(&self) -> bool {
        !(self.content.is_empty() && self.calls.is_empty())
    }
}

impl Role {
    /// The word that most vendors have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// Whether it tells the model what to be, rather than taking part in the conversation.
    pub fn instructs(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}
