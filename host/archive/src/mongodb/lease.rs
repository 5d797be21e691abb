//! One gateway per database: a document that says who may write, and until when by the server's
//! clock. Who does not renew it in time loses it; who may have lost it does not write.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::error::Error;
use mongodb::{Collection, Database};
use sluice_chat::id::Instant as Moment;
use tokio::time::{Instant, interval, sleep, timeout};

use super::collection::LEASE;
use super::message::sweep_clients;
use super::shared::Shared;
use super::unit::DEADLINE;

/// How long it lasts without being renewed.
const TERM: Duration = Duration::from_secs(10);
/// How often it is renewed.
pub(crate) const RENEWED_EVERY: Duration = Duration::from_secs(3);
/// How often used-up client message ids are swept out, in renewals.
const SWEPT_EVERY: u32 = 20;
/// How often who waits for it looks again.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// Why there is no [`Lease`].
#[derive(Debug)]
pub(crate) enum LeaseError {
    /// Another gateway has it, and renews it.
    Held,
    /// The database failed.
    Failed(Error),
}

impl From<Error> for LeaseError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The right to write.
#[derive(Debug)]
pub(crate) struct Lease {
    collection: Collection<Document>,
    /// Which run of which gateway: ours only.
    run: String,
    /// By our clock, and never later than the server thinks.
    valid_until: Mutex<Instant>,
    lost: AtomicBool,
}

impl Lease {
    /// Takes it for the gateway that calls itself `instance`. If another one has it, waits until
    /// that is known to be alive or its term is over.
    pub(crate) async fn take(database: &Database, instance: &str) -> Result<Self, LeaseError> {
        let collection = database.collection::<Document>(LEASE);
        let nobody = doc! { "holder": "", "run": "", "until": DateTime::from_millis(0) };
        let there = doc! { "$setOnInsert": nobody };
        collection.update_one(doc! { "_id": "gateway" }, there).upsert(true).await?;
        let run = format!("{:032x}", rand::random::<u128>());
        let free = doc! {
            "_id": "gateway",
            "$or": [{ "holder": instance }, { "$expr": { "$lte": ["$until", "$$NOW"] } }],
        };
        let taking = vec![doc! { "$set": {
            "holder": { "$literal": instance },
            "run": { "$literal": &run },
            "until": until(),
        } }];
        let mut seen: Option<Bson> = None;
        loop {
            let asked = Instant::now();
            if collection.find_one_and_update(free.clone(), taking.clone()).await?.is_some() {
                let valid_until = Mutex::new(asked + TERM);
                return Ok(Self { collection, run, valid_until, lost: AtomicBool::new(false) });
            }
            // Bounded by its term: either it is renewed, which shows, or it runs out.
            let found = collection.find_one(doc! { "_id": "gateway" }).await?;
            let until = found.and_then(|found| found.get("until").cloned());
            match &seen {
                None => {
                    tracing::info!("another gateway had this database, waiting for a sign of life");
                    seen = until;
                }
                Some(before) if Some(before) != until.as_ref() => return Err(LeaseError::Held),
                Some(_) => {}
            }
            sleep(ASKED_EVERY).await;
        }
    }

    /// Whether it surely is ours for now.
    pub(crate) fn is_valid(&self) -> bool {
        Instant::now() < *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another gateway has it. Then it does not come back.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Prolongs it.
    pub(crate) async fn renew(&self) -> Result<(), Error> {
        let asked = Instant::now();
        let longer = vec![doc! { "$set": { "until": until() } }];
        let renewed = self.collection.update_one(self.ours(), longer).await?;
        if renewed.matched_count == 1 {
            *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner) = asked + TERM;
        } else if !self.lost.swap(true, Ordering::Relaxed) {
            tracing::error!("another gateway took the database over, this one writes no more");
        }
        Ok(())
    }

    /// Gives it back, so that the next one need not wait.
    pub(crate) async fn release(&self) -> Result<(), Error> {
        let nobody = doc! { "holder": "", "run": "", "until": DateTime::from_millis(0) };
        self.collection.update_one(self.ours(), doc! { "$set": nobody }).await?;
        *self.valid_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    fn ours(&self) -> Document {
        doc! { "_id": "gateway", "run": &self.run }
    }
}

/// A term from now, by the server's clock.
fn until() -> Document {
    let term = i64::try_from(TERM.as_millis()).unwrap_or(i64::MAX);
    doc! { "$add": ["$$NOW", term] }
}

/// Renews the lease and sweeps, until told to stop.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let mut stop = shared.stop.subscribe();
    let mut beat = interval(RENEWED_EVERY);
    let mut beats = 0_u32;
    loop {
        tokio::select! {
            // The sender is a field of ours, so waiting cannot fail.
            _ = stop.wait_for(|stop| *stop) => return,
            _ = beat.tick() => {}
        }
        match timeout(DEADLINE, shared.lease.renew()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn StdError, "could not renew the lease");
            }
            Err(_) => tracing::warn!("could not renew the lease in time"),
        }
        beats += 1;
        if beats.is_multiple_of(SWEPT_EVERY) {
            let now = Moment(shared.now.load(Ordering::Relaxed));
            let swept = timeout(DEADLINE, sweep_clients(&shared.database, now)).await;
            if !matches!(swept, Ok(Ok(()))) {
                tracing::debug!("used-up client message ids stay for now");
            }
        }
    }
}
