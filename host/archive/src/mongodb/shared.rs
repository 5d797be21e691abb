//! What every operation needs: a place among the others, the lease, its tries, and what to say when
//! they are over.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::error::Error as StdError;
use std::hash::{Hash, Hasher as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mongodb::Database;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use tokio::sync::{Mutex, MutexGuard, Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::lease::Lease;
use super::retry::{Retry, Tries, is_transient};
use super::unit::{DEADLINE, Stop, Unit};
use crate::checkpoint::Checkpoints;
use crate::error::StoreError;

/// Operations at the same time; further ones wait their turn.
pub(crate) const OPERATIONS: u32 = 64;
/// Locks that sessions, users and counters share by hash.
const LINES: usize = 256;

/// Another gateway has the lease, or the last one could not be renewed in time.
#[derive(Debug, thiserror::Error)]
#[error("this gateway may not write to the database at the moment")]
pub(crate) struct NoLease;

/// The server cleans up in its own time, and tells nobody.
#[derive(Debug, thiserror::Error)]
#[error("a MongoDB gives free space back by itself, or by its command compact")]
pub(crate) struct CannotCompact;

/// It took longer than [`DEADLINE`].
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time")]
pub(crate) struct TookTooLong;

/// What the operations and the two tasks share.
pub(crate) struct Shared {
    pub(crate) database: Database,
    /// Whether the server has transactions: a replica set or more.
    pub(crate) transactions: bool,
    pub(crate) retry: Retry,
    pub(crate) lease: Lease,
    pub(crate) room: Semaphore,
    pub(crate) sessions: Vec<Mutex<()>>,
    pub(crate) users: Vec<Mutex<()>>,
    pub(crate) counters: Vec<Mutex<()>>,
    pub(crate) checkpoints: std::sync::Mutex<Noted>,
    pub(crate) arrived: Notify,
    /// How many checkpoints were noted when those that waited were last all written.
    pub(crate) written: watch::Sender<u64>,
    /// The latest time that any operation named.
    pub(crate) now: AtomicU64,
    pub(crate) stop: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct Noted {
    pub(crate) waiting: Checkpoints,
    pub(crate) count: u64,
}

/// Longest wait for a turn at counters, at which a crowd may be standing.
const COUNTER_PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a turn among those whose key has the same hash, as long as anything may take.
pub(crate) async fn stand_in(
    lines: &[Mutex<()>],
    key: impl Hash,
) -> Result<MutexGuard<'_, ()>, StoreError> {
    timeout(DEADLINE, lines[place(key)].lock()).await.map_err(|_| unavailable(TookTooLong))
}

/// Waits for a turn at several keys at once. Everybody takes them in one order, so that nobody waits for somebody who waits
/// for them.
pub(crate) async fn stand_in_all<K: Hash>(
    lines: &[Mutex<()>],
    keys: impl IntoIterator<Item = K>,
) -> Result<Vec<MutexGuard<'_, ()>>, StoreError> {
    let places: BTreeSet<usize> = keys.into_iter().map(place).collect();
    let taking = async {
        let mut taken = Vec::with_capacity(places.len());
        for place in places {
            taken.push(lines[place].lock().await);
        }
        taken
    };
    timeout(COUNTER_PATIENCE, taking).await.map_err(|_| unavailable(TookTooLong))
}

/// The line for a key.
fn place(key: impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % LINES as u64).unwrap_or(0)
}

impl Shared {
    pub(crate) fn new(database: Database, transactions: bool, retry: Retry, lease: Lease) -> Self {
        Self {
            database,
            transactions,
            retry,
            lease,
            room: Semaphore::new(OPERATIONS as usize),
            sessions: (0..LINES).map(|_| Mutex::default()).collect(),
            users: (0..LINES).map(|_| Mutex::default()).collect(),
            counters: (0..LINES).map(|_| Mutex::default()).collect(),
            checkpoints: std::sync::Mutex::default(),
            arrived: Notify::new(),
            written: watch::Sender::new(0),
            now: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        }
    }

    /// A place among the operations.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match timeout(DEADLINE, self.room.acquire()).await {
            Ok(place) => place.map_err(|_| StoreError::Closed),
            Err(_) => Err(unavailable(TookTooLong)),
        }
    }

    /// Begins a unit of work. Each try asks for the lease anew: it may have run out, and been taken,
    /// while the last ones failed.
    pub(crate) async fn begin<E>(&self, tries: &Tries) -> Result<Unit, Stop<E>> {
        self.may_write().await?;
        Ok(Unit::begin(&self.database, self.transactions, tries).await?)
    }

    /// Makes sure of the lease.
    pub(crate) async fn may_write<E>(&self) -> Result<(), Stop<E>> {
        if !self.lease.is_valid() && !self.lease.is_lost() {
            // It ran out while the database was away. It is still ours unless somebody took it.
            match timeout(DEADLINE, self.lease.renew()).await {
                Ok(renewed) => renewed?,
                Err(_) => return Err(Stop::Store(unavailable(TookTooLong))),
            }
        }
        if self.lease.is_valid() { Ok(()) } else { Err(Stop::Store(unavailable(NoLease))) }
    }

    /// Commits a unit of work that went well, and undoes one that did not.
    pub(crate) async fn end<T, E>(
        &self,
        unit: Unit,
        done: Result<Result<T, Stop<E>>, Elapsed>,
        tries: &mut Tries,
    ) -> Result<T, Stop<E>> {
        match done {
            Ok(Ok(value)) => match timeout(DEADLINE, unit.commit(tries)).await {
                Ok(committed) => committed.map(|()| value),
                Err(_) => Err(Stop::Store(uncertain(TookTooLong))),
            },
            Ok(Err(stop @ (Stop::Told(_) | Stop::Store(_)))) => {
                // One that takes too long is given up by the server.
                drop(timeout(DEADLINE, unit.undo()).await);
                Err(stop)
            }
            Ok(Err(stop @ (Stop::Failed(_) | Stop::Unsure(_)))) => Err(stop),
            Err(_) if self.transactions => Err(Stop::Store(unavailable(TookTooLong))),
            Err(_) => Err(Stop::Store(uncertain(TookTooLong))),
        }
    }

    /// Says what is the case after a try, or that there is another.
    pub(crate) async fn judge<T, E: From<StoreError>>(
        &self,
        ended: Result<T, Stop<E>>,
        tries: &mut Tries,
    ) -> ControlFlow<Result<T, E>> {
        ControlFlow::Break(match ended {
            Ok(value) => Ok(value),
            Err(Stop::Told(refusal)) => Err(refusal),
            Err(Stop::Store(error)) => Err(error.into()),
            Err(Stop::Unsure(error)) => Err(uncertain(error).into()),
            Err(Stop::Failed(error)) => {
                if tries.again(&error).await {
                    return ControlFlow::Continue(());
                }
                let done_in_part = !self.transactions && is_transient(&error);
                let error = if done_in_part { uncertain(error) } else { store_error(error) };
                Err(error.into())
            }
        })
    }
}

/// What the storage cannot do for now, and why.
pub(crate) fn unavailable(source: impl StdError + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable { source: Arc::new(source) }
}

/// What may have been done or not, and why nobody knows.
pub(crate) fn uncertain(source: impl StdError + Send + Sync + 'static) -> StoreError {
    StoreError::Uncertain { source: Arc::new(source) }
}

/// The place of what the driver said among our own errors.
pub(crate) fn store_error(error: Error) -> StoreError {
    let contradicts = matches!(
        error.kind.as_ref(),
        ErrorKind::Write(WriteFailure::WriteError(_)) | ErrorKind::Bson(_)
    ) || matches!(error.kind.as_ref(), ErrorKind::Command(refused) if refused.code == 11_000);
    let source = Arc::new(error);
    if contradicts { StoreError::Rejected { source } } else { StoreError::Unavailable { source } }
}

pub(crate) fn stopped(stop: Stop<StoreError>) -> StoreError {
    match stop {
        Stop::Told(error) | Stop::Store(error) => error,
        Stop::Failed(error) | Stop::Unsure(error) => store_error(error),
    }
}

pub(crate) fn cause(stop: Stop<StoreError>) -> Box<dyn StdError + Send + Sync> {
    Box::new(stopped(stop))
}
