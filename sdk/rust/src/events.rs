//! What a provider has to say, collected for one step.

use serde::Serialize;

use crate::{
    ChatEvent, Extra, Field, FinishReason, Reasoning, Request, TextOrParts, ToolDelta, ToolPiece,
    Usage, tool_piece::Slots,
};

/// Events in the order they were said. Adjacent pieces of the same thing become one, which spares the
/// host work; the end is kept back until it is the end.
#[derive(Debug, Default)]
pub struct Events {
    list: Vec<ChatEvent>,
    finish: Option<FinishReason>,
    slots: Slots,
    /// Whether anything of the answer itself was said.
    spoke: bool,
    /// Whether a tool was called.
    called: bool,
    /// What is to be sent if the answer is given up.
    parting: Option<Request>,
    /// Which ids were told.
    told_ids: Vec<&'static str>,
    /// What was told of fields that come again and again.
    standing: Vec<Extra>,
}

impl Events {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the host sends if this answer is given up before its end: cancelled, taken over, out of time, or its exchange broken. For
    /// vendors that go on by themselves when nobody listens. Said again, it takes the place of what was said before. It may not hold
    /// blobs, and nobody hears what comes back.
    pub fn when_given_up(&mut self, request: Request) {
        self.parting = Some(request);
    }

    pub(crate) fn take_parting(&mut self) -> Option<Request> {
        self.parting.take()
    }

    /// A piece of the answer's text; an empty one says nothing.
    pub fn text(&mut self, text: impl Into<String> + AsRef<str>) {
        if text.as_ref().is_empty() {
            return;
        }
        self.spoke = true;
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
        self.spoke = true;
        if let Some(ChatEvent::Reasoning(Reasoning { text: last, signature: None })) =
            self.list.last_mut()
        {
            last.push_str(&text);
        } else {
            self.list.push(ChatEvent::Reasoning(Reasoning { text, signature: None }));
        }
    }

    /// Text or thoughts, from vendors that send either or a list of both.
    pub fn content(&mut self, content: TextOrParts) {
        match content {
            TextOrParts::Text(text) => self.text(text),
            TextOrParts::Parts(parts) => {
                for part in parts {
                    self.reasoning(part.thinking.map(TextOrParts::into_text).unwrap_or_default());
                    self.text(part.text.unwrap_or_default());
                }
            }
        }
    }

    /// The opaque token that a vendor wants back with its reasoning on the next turn; an empty one says nothing.
    pub fn reasoning_signature(&mut self, signature: impl Into<String>) {
        let signature = Some(signature.into()).filter(|signature| !signature.is_empty());
        if signature.is_none() {
            return;
        }
        self.list.push(ChatEvent::Reasoning(Reasoning { text: String::new(), signature }));
    }

    /// A piece of a tool call, put into its slot: by number, by id, or else to the call before it.
    ///
    /// ```
    /// use sluice_sdk::{Events, FinishReason, ToolPiece};
    ///
    /// let mut events = Events::new();
    /// let pieces = r#"[
    ///     {"index":0,"id":"c1","function":{"name":"weather","arguments":""}},
    ///     {"index":0,"function":{"arguments":"{}"}}
    /// ]"#;
    /// for piece in serde_json::from_str::<Vec<ToolPiece>>(pieces)? {
    ///     events.tool_piece(piece);
    /// }
    /// assert_eq!(events.usual_end(), FinishReason::ToolCalls);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn tool_piece(&mut self, piece: ToolPiece) {
        let delta = self.slots.place(piece);
        self.tool_delta(delta);
    }

    /// A call of a tool that came whole, in a slot of its own whatever its number; no arguments are an empty object.
    pub fn whole_tool_call(&mut self, call: ToolPiece) {
        let ToolPiece { id, name, mut arguments, .. } = call;
        let id = id.filter(|id| !id.is_empty());
        let index = self.slots.begin(None, id.clone());
        if arguments.trim().is_empty() {
            "{}".clone_into(&mut arguments);
        }
        self.tool_delta(ToolDelta { index, id, name, arguments });
    }

    /// A call of a tool begins, in the next slot; what it is called with follows by [`tool_arguments`](Self::tool_arguments).
    pub fn begin_tool_call(&mut self, id: impl Into<String>, name: impl Into<String>) -> u32 {
        let index = self.slots.begin(None, None);
        self.tool_call(index, id, name);
        index
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
        (self.spoke, self.called) = (true, true);
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

    /// The upstream's own id of this answer. The first that is not empty counts, so it may be told with every piece.
    pub fn request_id(&mut self, id: impl Into<String>) {
        self.upstream_id("request", id.into());
    }

    /// The upstream's handle of a conversation that it keeps itself; the first that is not empty counts. It comes back with the
    /// next question of the session: [`ChatRequest::conversation`](crate::ChatRequest::conversation).
    pub fn conversation_id(&mut self, id: impl Into<String>) {
        self.upstream_id("conversation", id.into());
    }

    fn upstream_id(&mut self, name: &'static str, value: String) {
        if !value.is_empty() && !self.told_ids.contains(&name) {
            self.told_ids.push(name);
            self.list.push(ChatEvent::UpstreamId(Field { name: name.to_owned(), value }));
        }
    }

    /// Anything the vocabulary has no word for. `value` is JSON text.
    pub fn other(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.list.push(ChatEvent::Other(Extra { key: key.into(), value: value.into() }));
    }

    /// The same of a value. One that cannot be written as JSON says nothing.
    pub fn other_value<T: Serialize + ?Sized>(&mut self, key: impl Into<String>, value: &T) {
        if let Ok(json) = serde_json::to_string(value) {
            self.other(key, json);
        }
    }

    /// Fields that were kept as they came, but for those that say nothing: `null`, an empty text, an empty list.
    pub fn others(&mut self, kept: impl IntoIterator<Item = Extra>) {
        for Extra { key, value } in kept {
            if !matches!(value.as_str(), "null" | "\"\"" | "[]") {
                self.other(key, value);
            }
        }
    }

    /// The same of fields that some vendors repeat with each chunk: told once, and again when another value comes.
    pub fn standing(&mut self, kept: impl IntoIterator<Item = Extra>) {
        for field in kept {
            match self.standing.iter_mut().find(|told| told.key == field.key) {
                Some(told) if told.value == field.value => continue,
                Some(told) => told.value.clone_from(&field.value),
                None => self.standing.push(field.clone()),
            }
            self.others([field]);
        }
    }

    /// Why the answer ends. The first reason counts; usage may still follow.
    pub fn finish(&mut self, reason: impl Into<FinishReason>) {
        self.finish.get_or_insert(reason.into());
    }

    /// The same of a field that need not be there: nothing, or an empty word, ends nothing.
    pub fn finish_told(&mut self, reason: Option<&str>) {
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            self.finish(reason);
        }
    }

    /// Whether [`finish`](Self::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether text, thought or a call of a tool was said, in this step or before.
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// Why an answer like this one ends, where the vendor does not say: tools, if one was called.
    pub fn usual_end(&self) -> FinishReason {
        if self.called { FinishReason::ToolCalls } else { FinishReason::Stop }
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
    fn ids_are_told_once_and_fields_that_say_nothing_never() {
        let mut events = Events::new();

        for id in ["", "a", "b"] {
            events.request_id(id);
        }
        let kept = ["null", "[]", "\"\"", "0"].map(|value| (value.to_owned(), "k".to_owned()));
        events.others(kept.map(|(value, key)| Extra { key, value }));

        let list = events.into_list();
        assert_eq!(list.len(), 2, "{list:?}");
        assert!(matches!(&list[0], ChatEvent::UpstreamId(field) if field.value == "a"));
        assert!(matches!(&list[1], ChatEvent::Other(extra) if extra.value == "0"));
    }

    #[test]
    fn whole_calls_have_slots_of_their_own_and_are_how_an_answer_ends() {
        let mut events = Events::new();
        assert_eq!((events.usual_end(), events.spoke()), (FinishReason::Stop, false));

        events.whole_tool_call(ToolPiece { name: Some("f".to_owned()), ..ToolPiece::default() });
        let slot = events.begin_tool_call("id", "g");

        assert_eq!((events.usual_end(), events.spoke()), (FinishReason::ToolCalls, true));
        let ChatEvent::ToolDelta(first) = &events.list[0] else { panic!("{events:?}") };
        assert_eq!((first.index, first.arguments.as_str(), slot), (0, "{}", 1));
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
