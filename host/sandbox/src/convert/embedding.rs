//! Passages on their way to a guest, and vectors on their way back.

use sluice_chat::embedding as ours;
use sluice_chat::request::Extra;

use super::output;
use crate::contract::{embedding, types};

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

/// What came of it.
pub(crate) fn embedded(embedded: embedding::Embedded) -> ours::Embedded {
    ours::Embedded { vectors: embedded.vectors, usage: Some(output::usage(embedded.usage)) }
}
