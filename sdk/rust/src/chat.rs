//! Reading a chat, and making one for tests.

use crate::{ChatRequest, Content, Message, OutputFormat, Part, Role, ToolChoice};

/// Under which the message to answer carries the conversation's handle.
const CONVERSATION_KEY: &str = "x-upstream-conversation";

impl ChatRequest {
    /// An empty chat with a model: what a test begins with.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            temperature: None,
            top_p: None,
            max_output_tokens: None,
            stop: Vec::new(),
            seed: None,
            format: OutputFormat::Text,
            stream: true,
            user: None,
            extras: Vec::new(),
        }
    }

    /// The upstream's handle of this conversation, as the plugin told it with an earlier answer of the same model. None at the
    /// beginning of a conversation, and for callers who keep their conversation themselves.
    pub fn conversation(&self) -> Option<&str> {
        let handles = self.messages.iter().rev().flat_map(|message| &message.extras);
        let mut handles = handles.filter(|extra| extra.key == CONVERSATION_KEY);
        // Written by the host, a text without anything to escape.
        handles.next().map(|extra| extra.value.trim_matches('"'))
    }

    /// The text of the last message of the user; empty when there is none.
    pub fn last_user_text(&self) -> String {
        let last = self.messages.iter().rfind(|message| message.role == Role::User);
        last.map(Message::text).unwrap_or_default()
    }
}

impl Message {
    /// A message of one text.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        let part = Part { content: Content::Text(text.into()), extras: Vec::new() };
        Self { role, name: None, parts: vec![part], extras: Vec::new() }
    }

    /// Its text parts, one after the other.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match &part.content {
            Content::Text(text) => Some(text.as_str()),
            Content::Image(_)
            | Content::Audio(_)
            | Content::Document(_)
            | Content::ToolCall(_)
            | Content::ToolResult(_)
            | Content::Reasoning(_)
            | Content::Other(_) => None,
        });
        texts.collect()
    }
}
