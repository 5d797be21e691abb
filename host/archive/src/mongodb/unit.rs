//! What one operation does to the database: on a replica set all of it or nothing, in a transaction;
//! on a standalone server, which has none, one statement after another.

use std::time::Duration;

use mongodb::action::{Action as _, Delete, FindOne, FindOneAndUpdate, InsertOne, Update};
use mongodb::bson::Document;
use mongodb::error::{Error, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReturnDocument, UpdateModifications};
use mongodb::results::UpdateResult;
use mongodb::{ClientSession, Database};

use super::retry::Tries;
use crate::error::StoreError;

/// Longest one try may take. A try that takes longer is the last.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// Why a unit of work ended early.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    /// Because of what is stored. Final.
    Told(E),
    /// Because of what is stored, or was to be, in a way that is nobody's refusal. Final.
    Store(StoreError),
    /// The database failed, and nothing was done if there was a transaction.
    Failed(Error),
    /// The database failed while it committed: done or not, nobody knows.
    Unsure(Error),
}

impl<E> From<Error> for Stop<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<E> From<StoreError> for Stop<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A unit of work in progress. Dropped without a commit it never happened.
pub(crate) struct Unit {
    database: Database,
    transaction: Option<ClientSession>,
    /// Whether an earlier try may have done a part: never so in a transaction.
    pub(crate) may_be_done: bool,
}

impl Unit {
    /// Begins one.
    pub(crate) async fn begin(
        database: &Database,
        transactions: bool,
        tries: &Tries,
    ) -> Result<Self, Error> {
        let transaction = if transactions {
            let mut session = database.client().start_session().await?;
            session.start_transaction().await?;
            Some(session)
        } else {
            None
        };
        let may_be_done = !transactions && tries.is_repeated();
        Ok(Self { database: database.clone(), transaction, may_be_done })
    }

    /// One that is done statement by statement wherever it is: for when nobody else is there.
    pub(crate) fn alone(database: &Database) -> Self {
        Self { database: database.clone(), transaction: None, may_be_done: false }
    }

    /// Whether all of it happens or nothing.
    pub(crate) fn is_whole(&self) -> bool {
        self.transaction.is_some()
    }

    /// Makes it durable. Asked again, a server knows whether it committed already.
    pub(crate) async fn commit<E>(mut self, tries: &mut Tries) -> Result<(), Stop<E>> {
        let Some(session) = &mut self.transaction else { return Ok(()) };
        loop {
            let Err(error) = session.commit_transaction().await else { return Ok(()) };
            if !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) {
                return Err(Stop::Failed(error));
            }
            if !tries.again(&error).await {
                return Err(Stop::Unsure(error));
            }
        }
    }

    /// Undoes it, and waits for that: the next one on the same documents need not.
    pub(crate) async fn undo(mut self) {
        if let Some(session) = &mut self.transaction
            && let Err(error) = session.abort_transaction().await
        {
            // The server gives it up by itself.
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "a transaction was not ended");
        }
    }

    pub(crate) async fn find(
        &mut self,
        from: &str,
        filter: Document,
    ) -> Result<Option<Document>, Error> {
        self.database
            .collection::<Document>(from)
            .find_one(filter)
            .optional(self.transaction.as_mut(), FindOne::session)
            .await
    }

    pub(crate) async fn insert(&mut self, into: &str, document: Document) -> Result<(), Error> {
        self.database
            .collection::<Document>(into)
            .insert_one(document)
            .optional(self.transaction.as_mut(), InsertOne::session)
            .await?;
        Ok(())
    }

    pub(crate) async fn update(
        &mut self,
        of: &str,
        filter: Document,
        change: impl Into<UpdateModifications>,
    ) -> Result<UpdateResult, Error> {
        self.database
            .collection::<Document>(of)
            .update_one(filter, change)
            .optional(self.transaction.as_mut(), Update::session)
            .await
    }

    /// As [`Unit::update`], making the document if there is none.
    pub(crate) async fn upsert(
        &mut self,
        of: &str,
        filter: Document,
        change: impl Into<UpdateModifications>,
    ) -> Result<UpdateResult, Error> {
        self.database
            .collection::<Document>(of)
            .update_one(filter, change)
            .upsert(true)
            .optional(self.transaction.as_mut(), Update::session)
            .await
    }

    /// As [`Unit::update`], returning what the document became.
    pub(crate) async fn updated(
        &mut self,
        of: &str,
        filter: Document,
        change: impl Into<UpdateModifications>,
    ) -> Result<Option<Document>, Error> {
        self.database
            .collection::<Document>(of)
            .find_one_and_update(filter, change)
            .return_document(ReturnDocument::After)
            .optional(self.transaction.as_mut(), FindOneAndUpdate::session)
            .await
    }

    /// Deletes one document. Says whether there was one.
    pub(crate) async fn delete(&mut self, from: &str, filter: Document) -> Result<bool, Error> {
        let deleted = self
            .database
            .collection::<Document>(from)
            .delete_one(filter)
            .optional(self.transaction.as_mut(), Delete::session)
            .await?;
        Ok(deleted.deleted_count > 0)
    }

    pub(crate) async fn delete_all(&mut self, from: &str, filter: Document) -> Result<(), Error> {
        self.database
            .collection::<Document>(from)
            .delete_many(filter)
            .optional(self.transaction.as_mut(), Delete::session)
            .await?;
        Ok(())
    }
}
