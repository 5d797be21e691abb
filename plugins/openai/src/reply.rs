//! What the chunks of one answer add up to.

use serde_json::Value;
use sluice_sdk::{Error, ErrorKind, Events, FinishReason, Flow, Usage};

use crate::{
    chunk::{Choice, Chunk, Piece},
    content::Content,
    slot::Slots,
};

/// One answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    slots: Slots,
    has_id: bool,
    has_spoken: bool,
}

impl Reply {
    /// Takes a chunk or a whole completion.
    pub(crate) fn take(&mut self, chunk: Chunk, events: &mut Events) -> Result<Flow, Error> {
        if let Some(error) = chunk.error {
            return Err(Error::told(&error));
        }
        if let Some(id) = chunk.id.filter(|id| !id.is_empty() && !self.has_id) {
            self.has_id = true;
            events.request_id(id);
        }
        let usage = chunk.usage.map(Usage::from).filter(|usage| *usage != Usage::default());
        let choices = chunk.choices.unwrap_or_default();
        // Only one answer was asked for.
        for choice in choices.into_iter().filter(|choice| choice.index == 0) {
            self.choice(choice, events)?;
        }
        if let Some(usage) = usage {
            events.usage(usage);
        }
        // Even a whole completion is not `Done` here: the end of its body follows, and `[DONE]` or usage may follow a chunk.
        Ok(Flow::More)
    }

    /// Takes `[DONE]`.
    ///
    /// Some servers send it without ever giving a reason. A stream that was cut cannot hold it, so it counts as the upstream's
    /// word that all was said; but not when nothing was, which is how a proxy in front of a dead model looks.
    pub(crate) fn end(&mut self, events: &mut Events) -> Result<Flow, Error> {
        if !events.is_finished() {
            if !self.has_spoken {
                return Err(Error::protocol("the upstream ended without saying anything"));
            }
            events.finish(self.usual_reason());
        }
        Ok(Flow::Done)
    }

    fn choice(&mut self, choice: Choice, events: &mut Events) -> Result<(), Error> {
        let is_whole = choice.message.is_some();
        for piece in [choice.delta, choice.message].into_iter().flatten() {
            self.piece(piece, events);
        }
        if let Some(likely) = choice.logprobs.filter(says) {
            events.other("logprobs", likely.to_string());
        }
        match choice.finish_reason.as_deref() {
            Some("error") => {
                return Err(Error::new(
                    ErrorKind::Overloaded,
                    "the upstream gave up in the middle",
                ));
            }
            // A JSON text that could be read was not cut, whatever it leaves out.
            None | Some("") if is_whole => events.finish(self.usual_reason()),
            None | Some("") => {}
            Some(reason) => {
                self.has_spoken = true;
                events.finish(reason);
            }
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece, events: &mut Events) {
        if let Some(reasoning) = piece.reasoning_content.or(piece.reasoning) {
            self.has_spoken |= !reasoning.is_empty();
            events.reasoning(reasoning);
        }
        if let Some(content) = piece.content {
            self.content(content, events);
        }
        // What the model says instead of an answer is still what it says to the user; who wants to know finds out that it is that.
        if let Some(refusal) = piece.refusal.filter(|refusal| !refusal.is_empty()) {
            events.other("refusal", Value::from(refusal.as_str()).to_string());
            self.text(refusal, events);
        }
        for (key, value) in piece.own.into_iter().filter(|(_, value)| says(value)) {
            events.other(key, value.to_string());
        }
        for call in piece.tool_calls.unwrap_or_default() {
            self.has_spoken = true;
            events.tool_delta(self.slots.place(call));
        }
    }

    fn content(&mut self, content: Content, events: &mut Events) {
        match content {
            Content::Text(text) => self.text(text, events),
            Content::Parts(parts) => {
                for part in parts {
                    if let Some(thinking) = part.thinking {
                        self.has_spoken = true;
                        events.reasoning(thinking.into_text());
                    }
                    self.text(part.text.unwrap_or_default(), events);
                }
            }
        }
    }

    fn text(&mut self, text: String, events: &mut Events) {
        self.has_spoken |= !text.is_empty();
        events.text(text);
    }

    fn usual_reason(&self) -> FinishReason {
        if self.slots.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls }
    }
}

/// Whether there is anything in it.
fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}
