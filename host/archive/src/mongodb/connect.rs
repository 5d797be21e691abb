//! The way to the database: its address, how the driver is set up, and the first answer.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use mongodb::bson::doc;
use mongodb::error::Error;
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Database};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::checkpoint::AT_ONCE;
use super::retry::{Retry, is_transient};
use super::shared::OPERATIONS;
use super::takeover::app_name;
use crate::error::OpenError;

/// How long the driver looks for a server that takes the operation, each try.
const SELECTION: Duration = Duration::from_millis(1_500);
/// How often who waits for the database asks again.
const ASKED_EVERY: Duration = Duration::from_millis(200);
/// Connections beside those of the operations: the lease, and what the driver needs itself.
const SPARE: u32 = 4;

/// Where the database is and how to deal with it. Its address may hold a password, so there is no
/// way to print it.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `mongodb://…` or `mongodb+srv://…`. What it says of write concern, read preference, retries
    /// and compression does not count.
    pub uri: String,
    /// Name of the database.
    pub database: String,
    /// What this gateway is called: the same name comes back at once after a crash.
    pub instance: String,
    /// How often and how patiently an operation is tried.
    pub retry: Retry,
    /// How long to wait for the database's first answer when opening.
    pub connect_timeout: Duration,
}

impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSettings").field("database", &self.database).finish_non_exhaustive()
    }
}

/// The driver's view of the database, set up so that what we promise depends on no address.
pub(crate) async fn database(settings: &DatabaseSettings) -> Result<Database, OpenError> {
    // What the driver says of an address may quote its password.
    let wrong = |_: Error| OpenError::NoAddress { database: settings.database.clone() };
    let mut options = timeout(settings.connect_timeout, ClientOptions::parse(&settings.uri))
        .await
        .map_err(|elapsed| OpenError::DatabaseUnavailable {
            database: settings.database.clone(),
            source: elapsed.into(),
        })?
        .map_err(wrong)?;
    options.app_name = Some(app_name(&settings.database));
    options.retry_reads = Some(false);
    options.retry_writes = Some(false);
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.write_concern =
        Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    options.read_concern = None;
    options.server_selection_timeout = Some(SELECTION);
    options.connect_timeout = Some(SELECTION);
    options.max_pool_size = Some(OPERATIONS + AT_ONCE + SPARE);
    let client = Client::with_options(options).map_err(wrong)?;
    Ok(client.database(&settings.database))
}

/// Waits for the server, and asks whether it has transactions.
pub(crate) async fn greet(
    database: &Database,
    patience: Duration,
) -> Result<bool, Box<dyn StdError + Send + Sync>> {
    let deadline = Instant::now() + patience;
    let admin = database.client().database("admin");
    let mut waiting = false;
    loop {
        let error = match timeout_at(deadline, admin.run_command(doc! { "hello": 1 })).await {
            Ok(Ok(hello)) => {
                let is_router = hello.get_str("msg").is_ok_and(|message| message == "isdbgrid");
                return Ok(is_router || hello.get_str("setName").is_ok());
            }
            Ok(Err(error)) => error,
            Err(elapsed) => return Err(elapsed.into()),
        };
        if !is_transient(&error) || Instant::now() >= deadline {
            return Err(error.into());
        }
        if !waiting {
            tracing::info!(patience = ?patience, "waiting for the database");
            waiting = true;
        }
        sleep(ASKED_EVERY).await;
    }
}
