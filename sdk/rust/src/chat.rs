//! Reading a chat, and making one for tests.

mod message;
mod part;
mod turn;

pub use message::ByKind;
pub use turn::{Speaker, Turn};

use crate::{ChatRequest, Extra, Message, OutputFormat, Role, ToolChoice};

/// Under which the first message that the upstream's conversation has not heard carries its handle.
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
        self.kept().map(|(_, handle)| handle)
    }

    /// What the upstream's conversation has not heard, the message to answer last: that one alone, unless another model answered in
    /// between, or an operator did. All there is where there is no [`conversation`](Self::conversation).
    pub fn unheard(&self) -> &[Message] {
        &self.messages[self.kept().map_or(0, |(place, _)| place)..]
    }

    fn kept(&self) -> Option<(usize, &str)> {
        let mut messages = self.messages.iter().enumerate().rev();
        messages.find_map(|(place, message)| {
            let handle = message.extras.iter().find(|extra| extra.key == CONVERSATION_KEY)?;
            // Written by the host, a text without anything to escape.
            Some((place, handle.value.trim_matches('"')))
        })
    }

    /// The text of the last message of the user; empty when there is none.
    pub fn last_user_text(&self) -> String {
        let last = self.messages.iter().rfind(|message| message.role == Role::User);
        last.map(Message::text).unwrap_or_default()
    }

    /// What the client wrote under a key that the vocabulary has no word for, as JSON text.
    pub fn extra(&self, key: &str) -> Option<&str> {
        self.extras.iter().find(|extra| extra.key == key).map(|extra| extra.value.trim())
    }

    /// What the client wrote under other keys than these: the ones that the plugin writes itself, or that ask for nothing here.
    ///
    /// ```
    /// use sluice_sdk::{ChatRequest, Extra, JsonBody};
    ///
    /// let extra = |key: &str| Extra { key: key.to_owned(), value: "1".to_owned() };
    /// let chat = ChatRequest { extras: vec![extra("n"), extra("top_k")], ..ChatRequest::new("m") };
    ///
    /// let theirs: Vec<&str> =
    ///     chat.extras_but(&["n", "store"]).map(|extra| extra.key.as_str()).collect();
    /// assert_eq!(theirs, ["top_k"]);
    /// let body = JsonBody::object(|o| o.extras(chat.extras_but(&["n", "store"])))?;
    /// # Ok::<(), sluice_sdk::Error>(())
    /// ```
    pub fn extras_but(&self, keys: &[&str]) -> impl Iterator<Item = &Extra> {
        self.extras.iter().filter(move |extra| !keys.contains(&extra.key.as_str()))
    }
}
