//! Taking a database over from a gateway that died: how long each step may take, and an end of what it left open.
//!
//! A server keeps a transaction whose client is gone for a minute, and nobody else writes meanwhile what it wrote. So whoever
//! takes over ends those transactions, told by the name under which a gateway connects to its database.

use std::error::Error as StdError;
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::Error;
use tokio::time::{Instant, interval, timeout, timeout_at};

use super::collection::{self, MESSAGES, VERSION};
use super::lease::{Lease, LeaseError, RENEWED_EVERY};
use super::shared::cause;
use super::unit::DEADLINE;
use super::{reservation, usage};
use crate::error::OpenError;

/// What the driver or we said of a failure.
type Cause = Box<dyn StdError + Send + Sync>;

/// Longest that taking over may take: more than a server keeps transactions by itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest that making what is missing may take, indexes of many messages among it.
const PREPARING: Duration = Duration::from_hours(1);
/// After so long it is said that something is waited for, and what is left open is ended once more.
const SOON: Duration = Duration::from_secs(1);

/// What a gateway calls itself at the server.
pub(crate) fn app_name(database: &str) -> String {
    format!("sluice {database}")
}

/// Takes the database over for the gateway that calls itself `instance`, brings it to today's layout, and ends what was cut off.
pub(crate) async fn take_over(
    database: &Database,
    instance: &str,
    transactions: bool,
) -> Result<Lease, OpenError> {
    let name = || database.name().to_owned();
    let failed = |source| OpenError::DatabaseUnavailable { database: name(), source };
    let lease = within(PATIENCE, "the lease", async {
        match Lease::take(database, instance).await {
            Ok(lease) => Ok(Some(lease)),
            Err(LeaseError::Held) => Ok(None),
            Err(LeaseError::Failed(error)) => Err(error),
        }
    });
    let Some(lease) = lease.await.map_err(failed)? else {
        return Err(OpenError::DatabaseInUse { database: name() });
    };
    if let Err(error) = Box::pin(holding(&lease, bring_up(database, transactions))).await {
        // Else whoever comes next would wait for the end of its term.
        drop(timeout(DEADLINE, lease.release()).await);
        return Err(error);
    }
    Ok(lease)
}

/// Brings what is there to today's layout, and ends what was cut off.
async fn bring_up(database: &Database, transactions: bool) -> Result<(), OpenError> {
    let name = || database.name().to_owned();
    let failed = |source| OpenError::DatabaseUnavailable { database: name(), source };
    let layout = async { collection::layout(database).await.map_err(cause) };
    let found = within(PATIENCE, "the layout", layout).await.map_err(failed)?;
    if found > VERSION {
        return Err(OpenError::DatabaseNewer { database: name(), found, known: VERSION });
    }
    // Transactions left open hold up new indexes as well.
    let indexes = async { Ok(collection::prepare(database).await?) };
    let indexes = undisturbed(database, transactions, indexes);
    within(PREPARING, "indexes", indexes).await.map_err(failed)?;
    let cut_off = undisturbed(database, transactions, interrupt_all(database));
    within(PATIENCE, "answers that were cut off", cut_off).await.map_err(failed)
}

/// Does something and renews the lease meanwhile.
async fn holding<T>(lease: &Lease, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut beat = interval(RENEWED_EVERY);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beat.tick() => {}
        }
        // One that is not renewed in time is noticed by the first write.
        drop(timeout(SOON, lease.renew()).await);
    }
}

/// Ends every answer that runs, and what was set aside for it: the lease says that nobody else writes, so all that was cut off
/// with its process.
async fn interrupt_all(database: &Database) -> Result<(), Cause> {
    usage::record_all_interrupted(database).await?;
    let running = doc! { "running": true };
    let interrupted = doc! { "$set": { "ending": "interrupted" }, "$unset": { "running": "" } };
    database.collection::<Document>(MESSAGES).update_many(running, interrupted).await?;
    reservation::give_all_back(database).await.map_err(cause)
}

/// Does a step, and says so when it takes long.
async fn within<T, E>(
    patience: Duration,
    step: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Cause>
where
    Cause: From<E>,
{
    let deadline = Instant::now() + patience;
    let mut work = pin!(work);
    if let Ok(done) = timeout(SOON, &mut work).await {
        return Ok(done?);
    }
    tracing::info!(step, ?patience, "waiting for the database");
    Ok(timeout_at(deadline, work).await??)
}

/// Does something that transactions left open may hold up, and ends those as long as they do.
async fn undisturbed<T>(
    database: &Database,
    transactions: bool,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    if !transactions {
        return work.await;
    }
    let mut work = pin!(work);
    loop {
        match timeout(SOON, end_what_is_left(database)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(ended)) => tracing::info!(ended, "ended transactions of a gateway that died"),
            // The server gives them up by itself within a minute.
            Ok(Err(error)) => {
                let error: &dyn StdError = &error;
                tracing::debug!(error, "what a dead gateway left open was not ended");
            }
            Err(_) => tracing::debug!("what a dead gateway left open was not ended in time"),
        }
        if let Ok(done) = timeout(SOON, &mut work).await {
            return done;
        }
    }
}

/// Ends every transaction of those who connect under our name, which is for the holder of the lease to do. Tells how many.
async fn end_what_is_left(database: &Database) -> Result<usize, Error> {
    let ours = [
        doc! { "$currentOp": { "allUsers": false, "idleSessions": true } },
        doc! { "$match": {
            "appName": app_name(database.name()),
            "transaction.parameters.txnNumber": { "$exists": true },
        } },
        doc! { "$project": { "lsid": 1 } },
    ];
    let admin = database.client().database("admin");
    let found: Vec<_> = admin.aggregate(ours).await?.try_collect().await?;
    let ids = found.iter().filter_map(|session| session.get_document("lsid").ok()?.get("id"));
    let sessions: Vec<Bson> = ids.map(|id| Bson::Document(doc! { "id": id })).collect();
    if sessions.is_empty() {
        return Ok(0);
    }
    let ended = sessions.len();
    admin.run_command(doc! { "killSessions": sessions }).await?;
    Ok(ended)
}
