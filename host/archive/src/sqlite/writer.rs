//! The one thread that writes, and group commit: whatever queued up while the last commit went to
//! the disk goes into the next one. No timer: alone, a write is committed at once.
//!
//! Knows nothing of sessions and messages but the ids that let a newer checkpoint replace an older.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::oneshot;

use self::inbox::{Batch, Inbox};
use super::lock::Lock;
use super::message::put_answer;
use super::schema;
use crate::error::StoreError;

pub(crate) mod inbox;

/// A write with its way back to whoever waits for it.
pub(crate) trait Job: Send {
    /// Does the work inside the batch's transaction. Says whether to keep what it wrote.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Reports the outcome, or that the whole batch failed. Only called after the commit.
    fn report(self: Box<Self>, batch: Result<(), StoreError>);
}

/// A [`Job`] made of a closure.
pub(crate) struct Write<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Write<F, T, E> {
    /// A write, and where its outcome will be heard.
    pub(crate) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, outcome) = oneshot::channel();
        (Self { work: Some(work), outcome: None, reply }, outcome)
    }
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: FnOnce(&Connection) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        self.outcome = self.work.take().map(|work| work(connection));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn report(self: Box<Self>, batch: Result<(), StoreError>) {
        let outcome = match (batch, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // Whoever asked may have left meanwhile; what was committed stays.
        drop(self.reply.send(outcome));
    }
}

/// The writing side, on its own thread.
pub(crate) struct Writer {
    path: PathBuf,
    /// None after the disk failed, until it could be opened again.
    connection: Option<Connection>,
    inbox: Arc<Inbox>,
    failing: bool,
    /// Given back last.
    _lock: Lock,
}

impl Writer {
    /// Starts the thread. It ends when the inbox is closed and empty.
    pub(crate) fn start(
        path: PathBuf,
        connection: Connection,
        inbox: Arc<Inbox>,
        lock: Lock,
    ) -> std::io::Result<thread::JoinHandle<()>> {
        let writer =
            Self { path, connection: Some(connection), inbox, failing: false, _lock: lock };
        thread::Builder::new().name("archive-writer".to_owned()).spawn(move || writer.run())
    }

    fn run(mut self) {
        // Declared before `self` is used up, so that it is dropped after the lock is given back.
        let _departure = inbox::Departure::of(&self.inbox);
        while let Some(batch) = self.inbox.next() {
            self.write(batch);
        }
        drop(self);
    }

    /// Commits one batch and reports to everybody in it.
    fn write(&mut self, mut batch: Batch) {
        let committed = self.connected().and_then(|connection| commit(connection, &mut batch));
        if let Err(error) = &committed {
            if !self.failing {
                tracing::error!(error = error as &dyn std::error::Error, "archive cannot write");
            }
            if is_broken(error) {
                // A failed flush leaves open what the disk holds of this batch, and nothing of the
                // batch is counted as written: the next one overwrites it in the log, through a
                // connection that knows only what is committed, and is acknowledged when its own
                // flush succeeds. What earlier batches wrote was flushed before they were.
                self.connection = None;
            }
        } else if self.failing {
            tracing::info!("archive writes again");
        }
        self.failing = committed.is_err();
        let committed = committed.map_err(StoreError::from);
        for job in batch.writes {
            job.report(committed.clone());
        }
    }

    fn connected(&mut self) -> rusqlite::Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => schema::connect_to_write(&self.path)?,
        };
        Ok(self.connection.insert(connection))
    }
}

/// Runs everything in one transaction. A job that fails is undone alone.
fn commit(connection: &mut Connection, batch: &mut Batch) -> rusqlite::Result<()> {
    // Checkpoints alone need not wait for the disk: the next durable write takes them along.
    let level = if batch.writes.is_empty() { "normal" } else { "full" };
    connection.pragma_update(None, "synchronous", level)?;
    let mut transaction = connection.transaction()?;
    for job in &mut batch.writes {
        let point = transaction.savepoint()?;
        if job.run(&point) {
            point.commit()?;
        } else {
            // After some failures (a full disk) the database has undone everything already; then
            // this fails too, and with it the batch.
            drop(point);
            check_open(&transaction)?;
        }
    }
    for answer in &batch.checkpoints {
        let point = transaction.savepoint()?;
        match put_answer(&point, answer, None) {
            Ok(()) => point.commit()?,
            Err(error) => {
                drop(point);
                check_open(&transaction)?;
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "checkpoint not stored");
            }
        }
    }
    transaction.commit()
}

/// Fails if the database ended the transaction on its own, which it does when the disk fails it.
fn check_open(transaction: &Connection) -> rusqlite::Result<()> {
    if transaction.is_autocommit() {
        let code = ffi::Error::new(ffi::SQLITE_IOERR);
        return Err(rusqlite::Error::SqliteFailure(code, None));
    }
    Ok(())
}

/// Whether the connection must not be trusted any more.
fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
        )
    )
}

#[cfg(test)]
mod tests;
