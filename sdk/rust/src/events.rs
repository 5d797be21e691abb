//! What a provider has to say, collected for one step.

use crate::{ChatEvent, Extra, Field, FinishReason, Reasoning, ToolDelta, Usage};

/// Events in the order they were said. Adjacent pieces of the same thing become one, which spares the
/// host work; the end is kept back until it is the end.
#[derive(Debug, Default)]
pub struct Events {
    list: Vec<ChatEvent>,
    finish: Option<FinishReason>,
}

impl Events {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A piece of the answer's text; an empty one says nothing.
    pub fn text(&mut self, text: impl Into<String> + AsRef<str>) {
        if text.as_ref().is_empty() {
            return;
        }
        if let Some(ChatEvent::Text(last)) = self.list.last_mut() {
            last.push_str(text.as_ref());
        } else {
            self.list.push(ChatEvent::Text(text.into()));
        }
    }

    /// A piece of what the model thinks before it speaks; an empty one says nothing.
    pub fn reasoning(&mut self, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() {
            return;
        }
        if let Some(ChatEvent::Reasoning(Reasoning { text: last, signature: None })) =
            self.list.last_mut()
        {
            last.push_str(&text);
        } else {
            self.list.push(ChatEvent::Reasoning(Reasoning { text, signature: None }));
        }
    }

    /// The opaque token that a vendor wants back with its reasoning on the next turn.
    pub fn reasoning_signature(&mut self, signature: impl Into<String>) {
        let signature = Some(signature.into());
        self.list.push(ChatEvent::Reasoning(Reasoning { text: String::new(), signature }));
    }

    /// A call of a tool begins in this slot.
    pub fn tool_call(&mut self, index: u32, id: impl Into<String>, name: impl Into<String>) {
        let (id, name) = (Some(id.into()), Some(name.into()));
        self.tool_delta(ToolDelta { index, id, name, arguments: String::new() });
    }

    /// A fragment of the arguments of the call in this slot; an empty one says nothing.
    pub fn tool_arguments(&mut self, index: u32, arguments: impl Into<String>) {
        self.tool_delta(ToolDelta { index, id: None, name: None, arguments: arguments.into() });
    }

    /// Both at once, for vendors that mix them; one that carries nothing says nothing.
    pub fn tool_delta(&mut self, delta: ToolDelta) {
        let begins = delta.id.is_some() || delta.name.is_some();
        if !begins && delta.arguments.is_empty() {
            return;
        }
        match self.list.last_mut() {
            Some(ChatEvent::ToolDelta(last)) if !begins && last.index == delta.index => {
                last.arguments.push_str(&delta.arguments);
            }
            _ => self.list.push(ChatEvent::ToolDelta(delta)),
        }
    }

    /// Usage of the whole answer so far. Replaces what was said before.
    pub fn usage(&mut self, usage: Usage) {
        self.list.push(ChatEvent::Usage(usage));
    }

    /// The upstream's own id of this answer.
    pub fn request_id(&mut self, id: impl Into<String>) {
        let field = Field { name: "request".to_owned(), value: id.into() };
        self.list.push(ChatEvent::UpstreamId(field));
    }

    /// The upstream's handle of a conversation that it keeps itself. It comes back with the next question of the session:
    /// [`ChatRequest::conversation`](crate::ChatRequest::conversation).
    pub fn conversation_id(&mut self, id: impl Into<String>) {
        let field = Field { name: "conversation".to_owned(), value: id.into() };
        self.list.push(ChatEvent::UpstreamId(field));
    }

    /// Anything the vocabulary has no word for. `value` is JSON text.
    pub fn other(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.list.push(ChatEvent::Other(Extra { key: key.into(), value: value.into() }));
    }

    /// Why the answer ends. The first reason counts; usage may still follow.
    pub fn finish(&mut self, reason: impl Into<FinishReason>) {
        self.finish.get_or_insert(reason.into());
    }

    /// Whether [`finish`](Self::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Everything said, the end last.
    pub(crate) fn into_list(mut self) -> Vec<ChatEvent> {
        self.list.extend(self.finish.map(ChatEvent::Finish));
        self.list
    }

    /// What was said since the last call, the end still kept back.
    pub(crate) fn take(&mut self) -> Vec<ChatEvent> {
        std::mem::take(&mut self.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_texts_become_one_and_empty_ones_none() {
        let mut events = Events::new();

        events.text("a");
        events.text("");
        events.text(String::from("b"));
        events.tool_arguments(0, "");
        events.reasoning("");
        events.tool_call(0, "id", "name");
        events.text("c");

        let list = events.into_list();
        assert_eq!(list.len(), 3);
        assert_eq!(list[0], ChatEvent::Text("ab".to_owned()));
        assert_eq!(list[2], ChatEvent::Text("c".to_owned()));
    }

    #[test]
    fn the_first_reason_to_end_comes_last() {
        let mut events = Events::new();

        events.finish(FinishReason::Length);
        events.finish(FinishReason::Stop);
        events.usage(Usage::default());

        let list = events.into_list();
        assert_eq!(list.last(), Some(&ChatEvent::Finish(FinishReason::Length)));
        assert_eq!(list.len(), 2);
    }
}
