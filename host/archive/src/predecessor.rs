//! The collection in which the gateway that Sluice follows kept its conversations. Read, never
//! written: what it takes to write is not here.

mod cipher;
mod row;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection, Cursor};
use tokio::time::timeout;

pub use self::cipher::Cipher;
pub use self::row::{Past, Reason};

use crate::mongodb::greet;

/// The database when the address names none.
const DATABASE: &str = "chat";

/// Where the conversations are. The address may hold a password, so there is no way to print it.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// `mongodb://…` or `mongodb+srv://…`.
    pub uri: &'a str,
    /// Name of the database; that of the address, else `chat`, where it is not given.
    pub database: Option<&'a str>,
    /// Name of the collection.
    pub collection: &'a str,
    /// How long to wait for the server.
    pub patience: Duration,
}

impl fmt::Debug for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("collection", &self.collection).finish_non_exhaustive()
    }
}

/// Why they cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The address is none. What is wrong with it is not said: it may hold a password.
    #[error("the address of the conversations is not one of a MongoDB")]
    NoAddress,
    /// The database did not answer, or refuses us.
    #[error("the conversations cannot be read")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl From<Error> for OriginError {
    fn from(error: Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// An open collection of conversations.
#[derive(Debug)]
pub struct Predecessor {
    rows: Collection<RawDocumentBuf>,
}

impl Predecessor {
    /// Waits for the server.
    pub async fn connect(origin: Origin<'_>) -> Result<Self, OriginError> {
        let wrong = |_: Error| OriginError::NoAddress;
        let options = timeout(origin.patience, ClientOptions::parse(origin.uri)).await;
        let mut options =
            options.map_err(|elapsed| OriginError::Unavailable(elapsed.into()))?.map_err(wrong)?;
        options.app_name = Some("sluice import".to_owned());
        options.server_selection_timeout.get_or_insert(origin.patience);
        let named = options.default_database.clone();
        let database = origin.database.map(str::to_owned).or(named);
        let client = Client::with_options(options).map_err(wrong)?;
        let database = client.database(database.as_deref().unwrap_or(DATABASE));
        greet(&database, origin.patience).await.map_err(OriginError::Unavailable)?;
        Ok(Self { rows: database.collection(origin.collection) })
    }

    /// The collection's full name.
    pub fn name(&self) -> String {
        self.rows.namespace().to_string()
    }

    /// About how many conversations there are.
    pub async fn count(&self) -> Result<u64, OriginError> {
        Ok(self.rows.estimated_document_count().await?)
    }

    /// All of them, in the order of their ids.
    pub async fn rows(&self) -> Result<Rows, OriginError> {
        Ok(Rows(self.rows.find(doc! {}).sort(doc! { "_id": 1 }).await?))
    }
}

/// The walk over all conversations.
#[derive(Debug)]
pub struct Rows(Cursor<RawDocumentBuf>);

/// One of them, as it is stored there.
#[derive(Debug, Clone)]
pub struct Row(RawDocumentBuf);

impl Rows {
    /// The next one.
    pub async fn next(&mut self) -> Result<Option<Row>, OriginError> {
        if !self.0.advance().await? {
            return Ok(None);
        }
        Ok(Some(Row(self.0.current().to_owned())))
    }
}

impl Row {
    /// Bytes it has.
    pub fn bytes(&self) -> usize {
        self.0.as_bytes().len()
    }
}
