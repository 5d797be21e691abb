//! What an answer costs so far, between whoever asks and whoever pays.

use std::sync::{Arc, Mutex, PoisonError};

use sluice_chat::request::ChatRequest;
use sluice_chat::tally::Tally;

/// The count of one answer. Kept where providers are heard, before any filter: what is not shown is paid for too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tab(Arc<Mutex<Tally>>);

impl Tab {
    /// Of a question as it is sent.
    pub(crate) fn of(request: &ChatRequest) -> Self {
        Self(Arc::new(Mutex::new(Tally::of(request))))
    }

    /// Of a prompt of so many bytes.
    pub(crate) fn of_bytes(prompt_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Tally::new(prompt_bytes))))
    }

    /// What is known by now.
    pub(crate) fn so_far(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, news: impl FnOnce(&mut Tally)) {
        news(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
