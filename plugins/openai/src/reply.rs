//! What a chunk says.

use sluice_sdk::{Error, ErrorKind, Events, Flow, Usage};

use crate::chunk::{Choice, Chunk, Piece};

/// Takes a chunk or a whole completion.
pub(crate) fn take(chunk: Chunk, events: &mut Events) -> Result<Flow, Error> {
    if let Some(error) = chunk.error {
        return Err(Error::told(&error));
    }
    events.request_id(chunk.id.unwrap_or_default());
    // Only one answer was asked for.
    for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index == 0) {
        take_choice(choice, events)?;
    }
    events.standing(chunk.own);
    let usage = chunk.usage.map(Usage::from).filter(|usage| *usage != Usage::default());
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
pub(crate) fn end(events: &mut Events) -> Result<Flow, Error> {
    if !events.is_finished() && !events.spoke() {
        return Err(Error::protocol("the upstream ended without saying anything"));
    }
    events.finish(events.usual_end());
    Ok(Flow::Done)
}

fn take_choice(choice: Choice, events: &mut Events) -> Result<(), Error> {
    let is_whole = choice.message.is_some();
    for piece in [choice.delta, choice.message].into_iter().flatten() {
        take_piece(piece, events);
    }
    if let Some(likely) = choice.logprobs {
        events.other_value("logprobs", &likely);
    }
    // OpenRouter's word, DeepSeek's and vLLM's: what was said is not the answer.
    if let Some("error" | "insufficient_system_resource" | "abort") =
        choice.finish_reason.as_deref()
    {
        return Err(Error::new(ErrorKind::Overloaded, "the upstream gave up in the middle"));
    }
    events.finish_told(choice.finish_reason.as_deref());
    // A JSON text that could be read was not cut, whatever it leaves out.
    if is_whole {
        events.finish(events.usual_end());
    }
    Ok(())
}

fn take_piece(piece: Piece, events: &mut Events) {
    events.reasoning(piece.reasoning_content.or(piece.reasoning).unwrap_or_default());
    if let Some(content) = piece.content {
        events.content(content);
    }
    // What the model says instead of an answer is still what it says to the user; who wants to know finds out that it is that.
    if let Some(refusal) = piece.refusal.filter(|refusal| !refusal.is_empty()) {
        events.other_value("refusal", &refusal);
        events.text(refusal);
    }
    events.others(piece.own);
    for call in piece.tool_calls.into_iter().flatten() {
        events.tool_piece(call);
    }
}
