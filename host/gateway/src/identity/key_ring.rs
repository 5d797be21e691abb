//! Where public keys come from and how long they are believed.
//!
//! One task, the [`Keeper`], fetches them: regularly, and when a token names a key nobody knows. So there is one fetch at a time
//! however many wait for it, and a flood of invented names costs one every few seconds.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use sluice_upstream::{Document, FetchError, Upstream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::TokenRefused;
use super::key_set::{KeySet, NoKeys};
use crate::settings::Algorithm;

/// How old keys become before they are fetched again.
const REFRESH: Duration = Duration::from_mins(5);
/// How soon after a failure they are asked for again.
const RETRY: Duration = Duration::from_secs(30);
/// The least time between two fetches, whoever asks.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// How long keys are believed that cannot be fetched again.
const MAX_AGE: Duration = Duration::from_hours(24);
/// Longest time for a fetch, and for a token to wait for one.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest set of keys.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Where the keys are.
#[derive(Debug, Clone)]
pub(crate) enum KeySource {
    /// A file, read again as an address would be.
    File(PathBuf),
    /// An address.
    Web(Upstream, Document),
}

/// The keys in force. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing {
    published: watch::Receiver<Published>,
    wanted: Arc<Notify>,
}

/// Fetches keys, alone.
#[derive(Debug)]
pub(crate) struct Keeper {
    source: KeySource,
    publish: watch::Sender<Published>,
    wanted: Arc<Notify>,
}

#[derive(Debug, Clone, Default)]
struct Published {
    /// The last set that could be read, and when.
    keys: Option<(Arc<KeySet>, Instant)>,
    /// The last try, whatever came of it.
    tried: Option<Instant>,
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfetched {
    /// The file is not there or not to be read.
    #[error("the file of the keys cannot be read")]
    File(#[source] std::io::Error),
    /// The file has more bytes than are read.
    #[error("the file of the keys is too long")]
    TooLong,
    /// The address did not answer, or not with a document.
    #[error("the keys cannot be fetched")]
    Web(#[source] FetchError),
    /// There is a document, but no key in it.
    #[error("there are no keys in it")]
    NoKeys(#[source] NoKeys),
}

impl KeyRing {
    /// A ring without keys, and who fills it.
    pub(crate) fn new(source: KeySource) -> (Self, Keeper) {
        let (publish, published) = watch::channel(Published::default());
        let wanted = Arc::new(Notify::new());
        let keeper = Keeper { source, publish, wanted: Arc::clone(&wanted) };
        (Self { published, wanted }, keeper)
    }

    /// Whether one of the keys of an algorithm and name is the one. If there is none of that name, they are fetched once more, unless
    /// that was just done.
    pub(super) async fn find(
        &self,
        (algorithm, id): (Algorithm, Option<&str>),
        signed_by: impl Fn(&DecodingKey) -> bool,
    ) -> Result<bool, TokenRefused> {
        let seen = self.published.borrow().clone();
        if let Some(keys) = seen.believed() {
            let mut known = keys.of(algorithm, id).peekable();
            if known.peek().is_some() {
                return Ok(known.any(signed_by));
            }
        }
        if seen.tried.is_none_or(|tried| tried.elapsed() >= COOL_DOWN) {
            self.wanted.notify_one();
            let mut published = self.published.clone();
            let tried_again = published.wait_for(|now| now.tried > seen.tried);
            // Without news the old keys have the word.
            drop(timeout(PATIENCE, tried_again).await);
        }
        let now = self.published.borrow().clone();
        let keys = now.believed().ok_or(TokenRefused::Unknowable)?;
        Ok(keys.of(algorithm, id).any(signed_by))
    }

    /// Whether tokens can be judged now.
    pub(crate) fn is_filled(&self) -> bool {
        self.published.borrow().believed().is_some()
    }
}

impl Published {
    /// The keys, unless they are too old to be believed.
    fn believed(&self) -> Option<&KeySet> {
        let (keys, fetched) = self.keys.as_ref()?;
        (fetched.elapsed() < MAX_AGE).then_some(keys)
    }
}

impl Keeper {
    /// Fetches once, and again and again until `drain`.
    pub(crate) async fn run(self, drain: CancellationToken) {
        tokio::select! {
            () = drain.cancelled() => {}
            () = self.keep() => {}
        }
    }

    async fn keep(&self) {
        loop {
            let pause = if self.fetch().await { REFRESH } else { RETRY };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wanted.notified() => {}
            }
            let tried = self.publish.borrow().tried;
            sleep_until(tried.map_or_else(Instant::now, |tried| tried + COOL_DOWN)).await;
        }
    }

    /// Fetches and publishes what came of it. Old keys stay where there are no new ones.
    pub(super) async fn fetch(&self) -> bool {
        let fetched = self.source.fetch().await;
        let now = Instant::now();
        let keys = match fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the keys of tokens");
                Some((Arc::new(keys), now))
            }
            Err(error) => {
                let age = self.publish.borrow().keys.as_ref().map(|(_, at)| at.elapsed());
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, ?age, "no new keys for tokens, the old ones stay for a day");
                None
            }
        };
        let fresh = keys.is_some();
        self.publish.send_modify(|published| {
            published.tried = Some(now);
            if keys.is_some() {
                published.keys = keys;
            }
        });
        fresh
    }
}

impl KeySource {
    async fn fetch(&self) -> Result<KeySet, Unfetched> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || KeySet::read(&path)).await;
                read.map_err(|error| Unfetched::File(error.into()))?
            }
            Self::Web(upstream, document) => {
                let fetched = upstream.fetch(document, MAX_DOCUMENT_BYTES, PATIENCE).await;
                KeySet::parse(&fetched.map_err(Unfetched::Web)?).map_err(Unfetched::NoKeys)
            }
        }
    }
}

impl KeySet {
    /// Reads a file. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self, Unfetched> {
        let mut bytes = Vec::new();
        let most = MAX_DOCUMENT_BYTES as u64 + 1;
        let file = File::open(path).map_err(Unfetched::File)?;
        file.take(most).read_to_end(&mut bytes).map_err(Unfetched::File)?;
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(Unfetched::TooLong);
        }
        Self::parse(&bytes).map_err(Unfetched::NoKeys)
    }
}

#[cfg(test)]
mod tests;
