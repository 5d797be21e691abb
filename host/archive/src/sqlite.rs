//! The engine that needs nothing but a file: one writer thread, a few readers.

mod audit;
mod column;
mod import;
mod lock;
mod message;
mod outbox;
mod reader;
mod reservation;
mod review;
mod schema;
mod sealing;
mod session;
mod usage;
mod writer;

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use sluice_chat::id::{
    AuditId, ClientMessageId, Fence, Instant, ModelId, Seq, SessionId, ShareToken, UserId,
};
use sluice_chat::response_times::ResponseTimes;
use sluice_chat::turn::Mode;
use tokio::task::spawn_blocking;

use self::lock::{Lock, LockError};
use self::message as messages;
use self::reader::Readers;
use self::schema::SchemaError;
pub(crate) use self::schema::{connect_to_read, is_archive};
use self::session as sessions;
use self::writer::inbox::Inbox;
use self::writer::{Write, Writer};
use crate::audit::{AuditEntry, AuditFilter, AuditPage};
use crate::error::{AppendError, ChangeError, OpenError, StoreError};
use crate::import::{Became, Conversation};
use crate::mark::Mark;
use crate::message::{Answer, Appended, Known, NewMessage, Outcome, StoredMessage};
use crate::reseal::Batch;
use crate::review::{ReviewPage, ReviewRequest};
use crate::seal::{KeyId, Keys};
use crate::search::Search;
use crate::session::{SessionCursor, StoredSession, Swept};
use crate::tally::Totals;
use crate::usage::CallUsage;

/// An open file. Writes wait for a place when 256 others do; reads wait when three others run.
pub(crate) struct Sqlite {
    inbox: Arc<Inbox>,
    readers: Readers,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    /// Opens the archive at `path`, making it and its folders (mode 0700; the file 0600) where they
    /// are missing, and brings it to today's layout. Blocks: for start-up.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Unavailable {
            path: path.to_owned(),
            source,
        };
        make_folder(path).map_err(|error| failed(error.into()))?;
        let lock = Lock::take(path).map_err(|error| match error {
            LockError::Held => OpenError::InUse { path: path.to_owned() },
            LockError::Unavailable(error) => failed(error.into()),
        })?;
        make_file(path).map_err(|error| failed(error.into()))?;
        let connection = connect(path)?;
        let inbox = Arc::new(Inbox::new());
        let thread = Writer::start(path.to_owned(), connection, Arc::clone(&inbox), lock)
            .map_err(|error| failed(error.into()))?;
        let readers = Readers::new(path.to_owned());
        Ok(Self { inbox, readers, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) async fn close(&self) {
        self.inbox.close();
        self.readers.close().await;
        self.stopped().await;
    }

    /// Waits until the thread that writes is gone.
    pub(crate) async fn stopped(&self) {
        self.inbox.stopped().await;
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.prepare_cached("UPDATE pulse SET beats = beats + 1")?.execute([])?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn session(
        &self,
        session: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        let session = session.clone();
        self.readers.read(move |connection| sessions::find(connection, &session)).await
    }

    pub(crate) async fn take_session(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Result<Option<StoredSession>, StoreError> {
        let session = session.clone();
        self.write(move |connection| sessions::take(connection, &session, now)).await
    }

    pub(crate) async fn leave_session(
        &self,
        session: &SessionId,
        fence: Fence,
        head: Seq,
    ) -> Result<(), ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::leave(connection, &session, fence, head)).await
    }

    pub(crate) async fn reserve(
        &self,
        session: &SessionId,
        fence: Fence,
        up_to: Seq,
    ) -> Result<(), ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::reserve(connection, &session, fence, up_to)).await
    }

    pub(crate) async fn append(&self, message: NewMessage) -> Result<Appended, AppendError> {
        self.write(move |connection| messages::append(connection, &message)).await
    }

    pub(crate) async fn find_client_message(
        &self,
        user: &UserId,
        id: &ClientMessageId,
        now: Instant,
    ) -> Result<Option<Known>, StoreError> {
        let (user, id) = (user.clone(), id.clone());
        self.readers
            .read(move |connection| messages::find_client(connection, &user, &id, now))
            .await
    }

    pub(crate) fn checkpoint(&self, answer: Answer) {
        self.inbox.put_checkpoint(answer);
    }

    pub(crate) async fn begin(&self, answer: Answer) -> Result<(), ChangeError> {
        self.write(move |connection| messages::put_answer(connection, &answer, None)).await
    }

    pub(crate) async fn finish(&self, answer: Answer, outcome: Outcome) -> Result<(), ChangeError> {
        self.inbox.forget_checkpoint(&answer.id);
        self.write(move |connection| {
            let stored = messages::put_answer(connection, &answer, Some(&outcome));
            match stored {
                Ok(()) | Err(ChangeError::Fenced | ChangeError::Gone) => {
                    usage::record_answer(connection, &answer, &outcome)?;
                    // What was refused wrote nothing, and what it cost is to be kept.
                    Ok(stored)
                }
                Err(error @ ChangeError::Store(_)) => Err(error),
            }
        })
        .await?
    }

    pub(crate) async fn messages(
        &self,
        session: &SessionId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let session = session.clone();
        self.readers
            .read(move |connection| messages::page(connection, &session, before, limit))
            .await
    }

    pub(crate) async fn last_user_message(
        &self,
        session: &SessionId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let session = session.clone();
        self.readers.read(move |connection| messages::last_of_user(connection, &session)).await
    }

    pub(crate) async fn newest_sessions(
        &self,
        owner: &UserId,
        limit: usize,
        after: Option<&SessionCursor>,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let owner = owner.clone();
        let after = after.cloned();
        self.readers
            .read(move |connection| sessions::newest(connection, &owner, limit, after.as_ref()))
            .await
    }

    pub(crate) async fn saying(
        &self,
        sessions: Vec<SessionId>,
        search: Search,
    ) -> Result<HashSet<SessionId>, StoreError> {
        self.readers.read(move |connection| messages::saying(connection, sessions, search)).await
    }

    pub(crate) async fn set_name(
        &self,
        session: &SessionId,
        fence: Fence,
        name: &str,
    ) -> Result<(), ChangeError> {
        let (session, name) = (session.clone(), name.to_owned());
        self.write(move |connection| sessions::set_name(connection, &session, fence, &name)).await
    }

    pub(crate) async fn set_model(
        &self,
        session: &SessionId,
        fence: Fence,
        model: &ModelId,
    ) -> Result<(), ChangeError> {
        let (session, model) = (session.clone(), model.clone());
        self.write(move |connection| sessions::set_model(connection, &session, fence, &model)).await
    }

    pub(crate) async fn hand_over(
        &self,
        session: &SessionId,
        fence: Fence,
        mode: Mode,
    ) -> Result<Fence, ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::hand_over(connection, &session, fence, mode)).await
    }

    pub(crate) async fn set_mode(
        &self,
        session: &SessionId,
        fence: Fence,
        mode: Mode,
    ) -> Result<(), ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::set_mode(connection, &session, fence, mode)).await
    }

    pub(crate) async fn end_session(
        &self,
        session: &SessionId,
        fence: Fence,
        now: Instant,
    ) -> Result<(), ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::end(connection, &session, fence, now)).await
    }

    pub(crate) async fn delete_session(
        &self,
        session: &SessionId,
        fence: Fence,
        now: Instant,
    ) -> Result<(), ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::delete(connection, &session, fence, now)).await
    }

    pub(crate) async fn share_session(
        &self,
        session: &SessionId,
        token: &ShareToken,
    ) -> Result<ShareToken, ChangeError> {
        let (session, token) = (session.clone(), token.clone());
        self.write(move |connection| sessions::share(connection, &session, &token)).await
    }

    pub(crate) async fn unshare_session(&self, session: &SessionId) -> Result<(), ChangeError> {
        let session = session.clone();
        self.write(move |connection| sessions::unshare(connection, &session)).await
    }

    pub(crate) async fn shared_session(
        &self,
        token: &ShareToken,
    ) -> Result<Option<StoredSession>, StoreError> {
        let token = token.clone();
        self.readers.read(move |connection| sessions::shared(connection, &token)).await
    }

    pub(crate) async fn sweep_quiet(
        &self,
        after: Option<Mark>,
        before: Instant,
        now: Instant,
        limit: usize,
    ) -> Result<Swept, StoreError> {
        self.write(move |connection| {
            sessions::sweep_quiet(connection, after.as_ref(), before, now, limit)
        })
        .await
    }

    pub(crate) async fn import(&self, conversation: Conversation) -> Result<Became, StoreError> {
        self.write(move |connection| import::put(connection, &conversation)).await
    }

    pub(crate) async fn seal_keys(&self) -> Result<Vec<KeyId>, StoreError> {
        self.readers.read(sealing::keys).await
    }

    pub(crate) async fn note_seal_key(&self, key: &KeyId) -> Result<(), StoreError> {
        let key = key.clone();
        self.write(move |connection| sealing::note_key(connection, &key)).await
    }

    pub(crate) async fn keep_seal_key(&self, key: Option<&KeyId>) -> Result<(), StoreError> {
        let key = key.cloned();
        self.write(move |connection| sealing::keep_key(connection, key.as_ref())).await
    }

    pub(crate) async fn extent(&self) -> Result<u64, StoreError> {
        self.readers.read(sealing::extent).await
    }

    pub(crate) async fn reseal_names(
        &self,
        keys: &Arc<Keys>,
        after: Option<Mark>,
        limit: u64,
    ) -> Result<Batch, StoreError> {
        let keys = Arc::clone(keys);
        self.write(move |connection| {
            sealing::reseal_names(connection, &keys, after.as_ref(), limit)
        })
        .await
    }

    pub(crate) async fn reseal_messages(
        &self,
        keys: &Arc<Keys>,
        after: Option<Mark>,
        limit: u64,
    ) -> Result<Batch, StoreError> {
        let keys = Arc::clone(keys);
        self.write(move |connection| {
            sealing::reseal_messages(connection, &keys, after.as_ref(), limit)
        })
        .await
    }

    pub(crate) async fn compact(&self) -> Result<(), StoreError> {
        let path = self.readers.path().to_owned();
        match spawn_blocking(move || sealing::compact(&path)).await {
            Ok(compacted) => Ok(compacted?),
            Err(error) => Err(StoreError::Unavailable { source: Arc::new(error) }),
        }
    }

    pub(crate) async fn review(&self, request: ReviewRequest) -> Result<ReviewPage, StoreError> {
        self.readers.read(move |connection| review::page(connection, &request)).await
    }

    pub(crate) async fn responses(
        &self,
        sessions: &[SessionId],
    ) -> Result<HashMap<SessionId, ResponseTimes>, StoreError> {
        let sessions = sessions.to_vec();
        let read = move |connection: &Connection| {
            let one = |session: SessionId| {
                review::responses(connection, &session).map(|responses| (session, responses))
            };
            sessions.into_iter().map(one).collect()
        };
        self.readers.read(read).await
    }

    pub(crate) async fn totals(&self, from: Instant, to: Instant) -> Result<Totals, StoreError> {
        self.readers.read(move |connection| review::totals(connection, from, to)).await
    }

    pub(crate) async fn record(&self, calls: Vec<CallUsage>) -> Result<(), StoreError> {
        self.write(move |connection| Ok(usage::record(connection, &calls)?)).await
    }

    pub(crate) async fn note(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write(move |connection| Ok(audit::note(connection, &entry)?)).await
    }

    pub(crate) async fn settle(&self, id: &AuditId, status: u16) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |connection| Ok(audit::settle(connection, &id, status)?)).await
    }

    pub(crate) async fn audit(
        &self,
        filter: AuditFilter,
        limit: usize,
        after: Option<AuditId>,
    ) -> Result<AuditPage, StoreError> {
        self.readers
            .read(move |connection| audit::page(connection, &filter, limit, after.as_ref()))
            .await
    }

    /// Runs one write in the next batch and waits until it is durable.
    async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, outcome) = Write::new(work);
        self.inbox.put(Box::new(job)).await?;
        match outcome.await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Closed.into()),
        }
    }
}

impl Drop for Sqlite {
    /// Writes what waits and stops the thread, waiting for it: nothing if [`Sqlite::close`] did.
    fn drop(&mut self) {
        self.inbox.close();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the archive's writer panicked");
        }
    }
}

/// Makes the folder of the archive, for its owner only.
fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the archive's file, for its owner only. Its companions get the same mode.
fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Opens the connection that writes and brings the file up to date.
fn connect(path: &Path) -> Result<Connection, OpenError> {
    let mut connection = schema::connect_to_write(path).map_err(|error| refused(path, error))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    schema::put_temporary_files(&connection, folder.unwrap_or(Path::new(".")));
    // A step may sort all that there is.
    connection.pragma_update(None, "temp_store", "file").map_err(|error| refused(path, error))?;
    schema::migrate(&mut connection).map_err(|error| match error {
        SchemaError::Foreign => OpenError::NotAnArchive { path: path.to_owned(), source: None },
        SchemaError::Newer { found, known } => {
            OpenError::Newer { path: path.to_owned(), found, known }
        }
        SchemaError::Database(error) => refused(path, error),
    })?;
    connection.pragma_update(None, "temp_store", "memory").map_err(|error| refused(path, error))?;
    // The lock says that nobody else has it open: what is still open was cut off with its process.
    sessions::interrupt_all(&connection).map_err(|error| refused(path, error))?;
    reservation::give_all_back(&connection).map_err(|error| refused(path, error))?;
    Ok(connection)
}

/// Tells a file that is no archive from one that cannot be had.
fn refused(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let error = StoreError::from(error);
    let unreadable = matches!(error, StoreError::Damaged { .. });
    let source = Box::new(error);
    if unreadable {
        OpenError::NotAnArchive { path, source: Some(source) }
    } else {
        OpenError::Unavailable { path, source }
    }
}
