//! Asking for vectors: one exchange for every few passages, one after the other.
//!
//! No other model is asked instead of one that fails: the vectors of two models cannot be compared. A second try of the same is made
//! as for answers.

use std::error::Error;
use std::sync::Arc;

use sluice_chat::embedding::{Embedded, EmbeddingRequest, MAX_PASSAGES};
use sluice_chat::event::{ChatEvent, ErrorKind, FinishReason, ProviderError, RetryHint};
use sluice_chat::exchange::TransportFailure;
use sluice_chat::tally::Tally;
use sluice_sandbox::CallError;
use sluice_upstream::{Blobs, Upstream};
use tokio::time::{Instant, timeout};

use super::attempts::{Attempts, Next, Remedy, rest_after};
use super::{AskError, Patience, Tab};
use crate::catalog::Route;
use crate::clock;
use crate::credentials::Choice;
use crate::metrics::Answers;
use crate::notices::{Notices, Telling};

/// Most numbers that one call gives, 32 MiB of them: what is more is refused.
const MAX_NUMBERS: usize = 8 << 20;

/// What vectors are wanted of, and whom to ask.
#[derive(Debug)]
pub(crate) struct Passages {
    pub(crate) route: Arc<Route>,
    pub(crate) request: EmbeddingRequest,
    pub(crate) upstream: Upstream,
    pub(crate) patience: Patience,
    pub(crate) answers: Answers,
    pub(crate) notices: Arc<Notices>,
    pub(crate) tab: Tab,
}

/// Asks for all of them. What came so far is in `so_far`, also when the future is dropped.
pub(crate) async fn embed(passages: &Passages, so_far: &mut Embedded) -> Result<(), AskError> {
    let mut meter = passages.answers.begin(passages.route.provider.name());
    let asked = timeout(passages.patience.total, passages.all(so_far)).await;
    let asked = asked.unwrap_or(Err(AskError::TookTooLong));
    if asked.is_ok() {
        meter.said();
    }
    meter.ended(asked.is_ok());
    asked
}

impl Passages {
    async fn all(&self, so_far: &mut Embedded) -> Result<(), AskError> {
        let mut numbers = 0;
        for passages in self.request.passages.chunks(MAX_PASSAGES) {
            let request = EmbeddingRequest { passages: passages.to_vec(), ..self.few() };
            let few = self.until_it_stands(&request).await?;
            let (wanted, came) = (passages.len(), few.vectors.len());
            numbers += few.vectors.iter().map(Vec::len).sum::<usize>();
            so_far.add(few);
            let usage = so_far.usage.clone().unwrap_or_default();
            self.tab.note(|tally| tally.hear(&[ChatEvent::Usage(usage)]));
            if came != wanted {
                return Err(failed(ErrorKind::Protocol, "not a vector for each passage"));
            }
            if numbers > MAX_NUMBERS {
                return Err(failed(ErrorKind::InvalidRequest, "more numbers than one call gives"));
            }
        }
        self.tab.note(|tally| tally.hear(&[ChatEvent::Finish(FinishReason::Stop)]));
        Ok(())
    }

    /// The request but for its passages.
    fn few(&self) -> EmbeddingRequest {
        let EmbeddingRequest { model, passages: _, dimensions, user, extras } = &self.request;
        EmbeddingRequest {
            model: model.clone(),
            passages: Vec::new(),
            dimensions: *dimensions,
            user: user.clone(),
            extras: extras.clone(),
        }
    }

    /// Tries until it worked, or another try would not help.
    async fn until_it_stands(&self, request: &EmbeddingRequest) -> Result<Embedded, AskError> {
        let (route, mut attempts) = (&self.route, Attempts::first());
        let mut credential = Choice::of(&route.credentials, Instant::now());
        loop {
            let began = route.breaker.begin();
            let error = match self.once(request, &credential).await {
                Ok(embedded) => {
                    route.breaker.worked(began);
                    return Ok(embedded);
                }
                Err(error) => error,
            };
            if matches!(error, AskError::Provider(_)) {
                self.tab.note(Tally::refused);
            }
            if Remedy::blames_upstream(&error) && route.breaker.failed(began, Instant::now()) {
                self.notices.alarm(Telling::provider_down(&route.id, route.provider.name()));
                return Err(error);
            }
            if let Some(rest) = rest_after(&error)
                && credential.turn(&route.credentials, rest, Instant::now())
            {
                self.answers.turned_key(route.provider.name(), error.kind());
                continue;
            }
            match attempts.after(Remedy::against(&error), rand::random()) {
                Next::GiveUp | Next::OtherWay => return Err(error),
                Next::Again(wait) => {
                    tracing::debug!(model = %route.id, ?wait, error = &error as &dyn Error, "trying again");
                    drop(error);
                    self.answers.tried_again(route.provider.name());
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn once(
        &self,
        request: &EmbeddingRequest,
        credential: &Choice,
    ) -> Result<Embedded, AskError> {
        let Route { provider, credentials, .. } = &*self.route;
        let endpoints = credential.endpoints(credentials);
        let asked = provider.ask_embedding(request, clock::now(), rand::random());
        let exchange = asked.await.map_err(plugin_failed)?;
        let (blobs, timeouts) = (Blobs::default(), &self.patience.exchange);
        self.tab.note(Tally::sent);
        let response = self.upstream.exchange(endpoints, exchange, &blobs, timeouts).await;
        let response = response.map_err(|error| {
            if error.failure() != TransportFailure::Timeout {
                self.tab.note(Tally::refused);
            }
            broke(&error)
        })?;
        let head = response.head().clone();
        let body = response.text().await.map_err(|error| broke(&error))?;
        let read = provider.read_embedding(head, body, clock::now(), rand::random());
        read.await.map_err(plugin_failed)
    }
}

/// What a plugin says of itself is about the upstream; everything else is about the plugin.
fn plugin_failed(error: CallError) -> AskError {
    match error {
        CallError::Refused(told) => AskError::Provider(told),
        error @ (CallError::Busy
        | CallError::TimedOut(_)
        | CallError::OutOfMemory
        | CallError::Trapped { .. }
        | CallError::TooMuchOutput
        | CallError::Malformed(_)
        | CallError::Poisoned) => AskError::Plugin(error),
    }
}

fn broke(error: &sluice_upstream::ExchangeError) -> AskError {
    tracing::debug!(error = error as &dyn Error, "exchange broke");
    AskError::Transport { failure: error.failure(), told: None }
}

fn failed(kind: ErrorKind, detail: &str) -> AskError {
    let detail = Some(detail.to_owned());
    AskError::Provider(ProviderError { kind, detail, status: None, retry: RetryHint::Never })
}
