//! What a plugin left behind for the case that its answer is given up: the word that makes a vendor stop.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sluice_chat::exchange::{Framing, Request};
use sluice_upstream::{Blobs, Endpoints, Timeouts, Upstream};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Longest that sending it takes; whoever does not take it in that time goes on.
const PATIENCE: Duration = Duration::from_secs(5);

/// How parting words are sent, and what shutdown waits for until they are.
#[derive(Debug, Clone)]
pub(crate) struct Partings {
    pub(crate) upstream: Upstream,
    pub(crate) tasks: TaskTracker,
}

/// Sends what was left when it is dropped, unless the answer came to its end before. Once, and nobody hears what comes of it.
#[derive(Debug)]
pub(super) struct Parting {
    partings: Partings,
    endpoints: Arc<Endpoints>,
    left: Option<Request>,
}

impl Parting {
    /// Nothing was left yet. What will be goes where the answer's exchanges go, with the same key.
    pub(super) fn new(partings: Partings, endpoints: Arc<Endpoints>) -> Self {
        Self { partings, endpoints, left: None }
    }

    /// This takes the place of what was left, if it is anything.
    pub(super) fn leave(&mut self, request: Option<Request>) {
        self.left = request.or_else(|| self.left.take());
    }

    /// The answer came to its end by itself.
    pub(super) fn forget(&mut self) {
        self.left = None;
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        let (Some(request), Ok(runtime)) = (self.left.take(), Handle::try_current()) else {
            return;
        };
        let request = Request { framing: Framing::Discard, ..request };
        let Partings { upstream, tasks } = self.partings.clone();
        let endpoints = Arc::clone(&self.endpoints);
        let sending = async move {
            let timeouts = Timeouts { first_byte: PATIENCE, idle: PATIENCE };
            let blobs = Blobs::default();
            let sent = upstream.exchange(&endpoints, request, &blobs, &timeouts);
            match timeout(PATIENCE, sent).await {
                Ok(Ok(response)) => {
                    tracing::debug!(status = response.head().status, "told a provider to stop");
                }
                Ok(Err(error)) => {
                    let error = &error as &dyn Error;
                    tracing::warn!(error, "could not tell a provider to stop");
                }
                Err(_) => tracing::warn!("a provider was not told to stop in time"),
            }
        };
        drop(tasks.spawn_on(sending, &runtime));
    }
}
