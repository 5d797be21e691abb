//! What the events of one answer add up to.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_sdk::{Error, Events, Flow, TokenCount, Usage, read_json};

use crate::shape::{Delta, Message, Told};

/// One answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// Blocks that began and did not end, by the vendor's number.
    open: BTreeMap<u64, Block>,
    usage: Usage,
}

/// A block that is not just text or thought.
#[derive(Debug)]
enum Block {
    /// A call of the client's tool, with the input that came at once, until a piece of it does.
    Call { slot: u32, at_once: String },
    /// A block of the vendor's own, passed on when it is whole.
    Own { block: Value, input: String },
}

impl Reply {
    pub(crate) fn take(&mut self, told: Told, events: &mut Events) -> Result<Flow, Error> {
        match told {
            Told::MessageStart { message } | Told::Message(message) => {
                self.message(message, events)?;
            }
            Told::ContentBlockStart { index, content_block } => {
                self.begin(index, content_block, events);
            }
            Told::ContentBlockDelta { index, delta } => self.delta(index, delta, events)?,
            Told::ContentBlockStop { index } => self.stop(index, events)?,
            Told::MessageDelta { delta, usage } => {
                self.account(usage, events);
                events.finish_told(delta.stop_reason.as_deref());
            }
            Told::MessageStop => return Ok(Flow::Done),
            Told::Error { error } => return Err(Error::told(&error)),
            Told::Other => {}
        }
        Ok(Flow::More)
    }

    /// A whole message, or the empty one a stream begins with.
    fn message(&mut self, message: Message, events: &mut Events) -> Result<(), Error> {
        events.request_id(message.id.unwrap_or_default());
        for (index, block) in (0..).zip(message.content) {
            self.begin(index, block, events);
            self.stop(index, events)?;
        }
        self.account(message.usage, events);
        events.finish_told(message.stop_reason.as_deref());
        Ok(())
    }

    fn begin(&mut self, index: u64, block: Value, events: &mut Events) {
        let text = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => {
                events.text(text("text"));
                for citation in block["citations"].as_array().into_iter().flatten() {
                    events.other_value("citation", citation);
                }
            }
            Some("thinking") => {
                events.reasoning(text("thinking"));
                events.reasoning_signature(text("signature"));
            }
            Some("tool_use") => {
                let slot = events.begin_tool_call(text("id"), text("name"));
                // A call without arguments has an empty object, and no pieces of it.
                let input = block.get("input").filter(|input| !input.is_null());
                let at_once = input.map_or_else(|| "{}".to_owned(), Value::to_string);
                self.open.insert(index, Block::Call { slot, at_once });
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
            Delta::Signature { signature } => events.reasoning_signature(signature),
            Delta::Citation { citation } => events.other_value("citation", &citation),
            Delta::Input { partial_json } if partial_json.is_empty() => {}
            Delta::Input { partial_json } => match self.open.get_mut(&index) {
                Some(Block::Call { slot, at_once }) => {
                    at_once.clear();
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
            Some(Block::Call { slot, at_once }) => events.tool_arguments(slot, at_once),
            Some(Block::Own { mut block, input }) => {
                if !input.is_empty() {
                    block["input"] = read_json(&input)?;
                }
                let kind = block["type"].as_str().unwrap_or("block").to_owned();
                events.other(kind, block.to_string());
            }
            // Text and thought were said as they came.
            None => {}
        }
        Ok(())
    }

    fn account(&mut self, usage: Option<TokenCount>, events: &mut Events) {
        if let Some(usage) = usage {
            self.usage.update(usage.into());
            // Tokens of the cache are counted apart.
            events.usage(self.usage.clone().with_cached_in_input());
        }
    }
}
