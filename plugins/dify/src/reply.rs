//! What the events of one answer add up to.

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_sdk::{Error, ErrorKind, Events, FinishReason, Flow, Usage};

/// One event. Which fields are there depends on which it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    #[serde(default)]
    event: String,
    /// What the app knows the running answer by.
    pub(crate) task_id: Option<String>,
    message_id: Option<String>,
    conversation_id: Option<String>,
    answer: Option<String>,
    metadata: Option<Metadata>,
    data: Option<Run>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    usage: Option<Cost>,
    retriever_resources: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Cost {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_price: Option<Value>,
    currency: Option<Value>,
}

/// How a workflow or a part of it went.
#[derive(Debug, Deserialize)]
struct Run {
    status: Option<String>,
    error: Option<Value>,
}

/// One answer so far.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// Set once the answer was said not to be the answer.
    replaced: bool,
    /// Set once somebody stopped it.
    stopped: bool,
}

impl Reply {
    /// Takes an event; `text` is its JSON, for what is passed on as it is.
    pub(crate) fn take(
        &mut self,
        told: Told,
        text: &str,
        events: &mut Events,
    ) -> Result<Flow, Error> {
        // Both come together, with every event once the conversation has begun.
        if let Some(conversation) = told.conversation_id.filter(|id| !id.is_empty()) {
            events.request_id(told.message_id.unwrap_or_default());
            events.conversation_id(conversation);
        }
        match told.event.as_str() {
            "message" | "agent_message" => events.text(told.answer.unwrap_or_default()),
            "message_end" => {
                Self::account(told.metadata, events);
                if self.stopped {
                    return Err(Error::new(
                        ErrorKind::Other,
                        "the workflow was stopped in the middle",
                    ));
                }
                let replaced = self.replaced.then_some(FinishReason::ContentFilter);
                events.finish(replaced.unwrap_or(FinishReason::Stop));
                return Ok(Flow::Done);
            }
            "error" => return Err(Error::told_in_stream(text)),
            // Moderation puts another text for what was shown; that cannot be taken back, but must not pass for the answer.
            "message_replace" => {
                self.replaced = true;
                events.other("message_replace", text);
            }
            "workflow_finished" => {
                let run = told.data.unwrap_or(Run { status: None, error: None });
                match run.status.as_deref() {
                    Some("failed") => return Err(Error::told(&run.error.unwrap_or_default())),
                    Some("stopped") => self.stopped = true,
                    Some(_) | None => {}
                }
                events.other("workflow_finished", text);
            }
            "ping" => {}
            "" => return Err(Error::protocol("an event without a name")),
            // Thoughts, files, steps of a workflow, and what is not known yet: notices.
            name => events.other(name, text),
        }
        Ok(Flow::More)
    }

    fn account(metadata: Option<Metadata>, events: &mut Events) {
        let Some(Metadata { usage, retriever_resources }) = metadata else { return };
        if let Some(sources) = retriever_resources.filter(|sources| sources.get(0).is_some()) {
            events.other_value("retriever_resources", &sources);
        }
        if let Some(cost) = usage {
            let usage = Usage::tokens(cost.prompt_tokens, cost.completion_tokens);
            events.usage(match cost.total_price {
                Some(price) => {
                    let price = json!({ "amount": price, "currency": cost.currency });
                    usage.other("price", price.to_string())
                }
                None => usage,
            });
        }
    }
}
