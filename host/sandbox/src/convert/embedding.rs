//! Passages on their way to a guest, and vectors on their way back.

use sluice_chat::embedding as ours;
use sluice_chat::exchange;
use sluice_chat::request::Extra;

use super::{input, output};
use crate::call::CallError;
use crate::contract::{embedding, http, types};

/// What is asked.
pub(crate) fn request(request: &ours::EmbeddingRequest) -> embedding::EmbeddingRequest {
    let passage = |passage: &ours::Passage| match passage {
        ours::Passage::Text(text) => embedding::Passage::Text(text.clone()),
        ours::Passage::Tokens(tokens) => embedding::Passage::Tokens(tokens.clone()),
    };
    let extra = |extra: &Extra| types::Extra { key: extra.key.clone(), value: extra.value.clone() };
    embedding::EmbeddingRequest {
        model: request.model.clone(),
        passages: request.passages.iter().map(passage).collect(),
        dimensions: request.dimensions,
        user: request.user.clone(),
        extras: request.extras.iter().map(extra).collect(),
    }
}

/// What a plugin wants sent, if that is no more than `most_bytes` of text. It comes whole, whatever the plugin says.
pub(crate) fn exchange(
    request: http::Request,
    most_bytes: usize,
) -> Result<exchange::Request, CallError> {
    let (request, bytes) = output::request(request);
    if bytes > most_bytes {
        return Err(CallError::TooMuchOutput);
    }
    Ok(exchange::Request { framing: exchange::Framing::Whole, ..request })
}

/// The beginning of a response.
pub(crate) fn head(head: exchange::Head) -> http::Head {
    input::head(head)
}

/// What came of it.
pub(crate) fn embedded(embedded: embedding::Embedded) -> ours::Embedded {
    ours::Embedded { vectors: embedded.vectors, usage: Some(output::usage(embedded.usage)) }
}
