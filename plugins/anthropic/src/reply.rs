//! What the events of one answer add up to.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_sdk::{Error, Events, FinishReason, Flow};

use crate::shape::{Delta, Message, Told, Usage};

/// One answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// Blocks that began and did not end, by the vendor's number.
    open: BTreeMap<u64, Block>,
    calls: u32,
    usage: Usage,
}

/// A block that is not just text or thought.
#[derive(Debug)]
enum Block {
    /// A call of the client's tool, with the input that came at once, for the case that no pieces follow.
    Call { slot: u32, at_once: Option<Value>, spoke: bool },
    /// A block of the vendor's own, passed on when it is whole.
    Own { block: Value, input: String },
}

impl Reply {
    pub(crate) fn take(&mut self, told: Told, events: &mut Events) -> Result<Flow, Error> {
        match told {
            Told::MessageStart { message } => self.message(message, events)?,
            Told::ContentBlockStart { index, content_block } => {
                self.begin(index, content_block, events);
            }
            Told::ContentBlockDelta { index, delta } => self.delta(index, delta, events)?,
            Told::ContentBlockStop { index } => self.stop(index, events)?,
            Told::MessageDelta { delta, usage } => {
                self.account(usage, events);
                finish(delta.stop_reason.as_deref(), events);
            }
            Told::MessageStop => return Ok(Flow::Done),
            Told::Message(message) => {
                let is_over = message.stop_reason.is_some();
                self.message(message, events)?;
                return Ok(if is_over { Flow::Done } else { Flow::More });
            }
            Told::Error { error } => return Err(Error::told(&error)),
            Told::Other => {}
        }
        Ok(Flow::More)
    }

    /// A whole message, or the empty one a stream begins with.
    fn message(&mut self, message: Message, events: &mut Events) -> Result<(), Error> {
        if let Some(id) = message.id.filter(|id| !id.is_empty()) {
            events.request_id(id);
        }
        for (index, block) in (0..).zip(message.content) {
            self.begin(index, block, events);
            self.stop(index, events)?;
        }
        self.account(message.usage, events);
        finish(message.stop_reason.as_deref(), events);
        Ok(())
    }

    fn begin(&mut self, index: u64, mut block: Value, events: &mut Events) {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => {
                events.text(text("text"));
                for citation in block["citations"].as_array().into_iter().flatten() {
                    events.other("citation", citation.to_string());
                }
            }
            Some("thinking") => {
                events.reasoning(text("thinking"));
                sign(text("signature"), events);
            }
            Some("tool_use") => {
                let slot = self.calls;
                self.calls = self.calls.saturating_add(1);
                events.tool_call(slot, text("id"), text("name"));
                let at_once = Some(block["input"].take()).filter(|input| !input.is_null());
                self.open.insert(index, Block::Call { slot, at_once, spoke: false });
            }
            Some(_) | None => {
                self.open.insert(index, Block::Own { block, input: String::new() });
            }
        }
    }

    fn delta(&mut self, index: u64, delta: Delta, events: &mut Events) -> Result<(), Error> {
        match delta {
            Delta::Text { text } => events.text(text),
            Delta::Thinking { thinking } => events.reasoning(thinking),
            Delta::Signature { signature } => sign(signature, events),
            Delta::Citation { citation } => events.other("citation", citation.to_string()),
            Delta::Input { partial_json } => match self.open.get_mut(&index) {
                Some(Block::Call { slot, spoke, .. }) => {
                    *spoke |= !partial_json.is_empty();
                    events.tool_arguments(*slot, partial_json);
                }
                Some(Block::Own { input, .. }) => input.push_str(&partial_json),
                None => return Err(Error::protocol("arguments for a call that never began")),
            },
            Delta::Other => {}
        }
        Ok(())
    }

    fn stop(&mut self, index: u64, events: &mut Events) -> Result<(), Error> {
        match self.open.remove(&index) {
            // A call without arguments has an empty object, and no pieces of it.
            Some(Block::Call { slot, at_once, spoke: false }) => {
                let input = at_once.map_or_else(|| "{}".to_owned(), |input| input.to_string());
                events.tool_arguments(slot, input);
            }
            Some(Block::Own { mut block, input }) => {
                if !input.is_empty() {
                    block["input"] = serde_json::from_str(&input)
                        .map_err(|_| Error::protocol("a block's input is not JSON"))?;
                }
                let kind = block["type"].as_str().unwrap_or("block").to_owned();
                events.other(kind, block.to_string());
            }
            // Text and thought were said as they came.
            Some(Block::Call { spoke: true, .. }) | None => {}
        }
        Ok(())
    }

    fn account(&mut self, usage: Option<Usage>, events: &mut Events) {
        if let Some(usage) = usage {
            self.usage.update(usage);
            events.usage(self.usage.told());
        }
    }
}

fn finish(reason: Option<&str>, events: &mut Events) {
    let Some(reason) = reason else { return };
    events.finish(match reason {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    });
}

fn sign(signature: String, events: &mut Events) {
    if !signature.is_empty() {
        events.reasoning_signature(signature);
    }
}
