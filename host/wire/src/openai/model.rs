//! The models on offer, as OpenAI's clients list them.

use serde::Serialize;

/// The body of `GET /models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelList {
    object: &'static str,
    data: Vec<ModelEntry>,
}

/// One model; also the body of `GET /models/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelEntry {
    id: String,
    object: &'static str,
    /// Nobody knows when; clients want a number.
    created: u64,
    owned_by: &'static str,
}

impl ModelEntry {
    /// The model of that id.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), object: "model", created: 0, owned_by: "sluice" }
    }
}

impl FromIterator<ModelEntry> for ModelList {
    fn from_iter<I: IntoIterator<Item = ModelEntry>>(models: I) -> Self {
        Self { object: "list", data: models.into_iter().collect() }
    }
}
