//! The archive as its users see it, whatever keeps it. Cheap to clone; all clones are one archive.
//!
//! An operation is written three times: here, where its promise is, by passing it on with [`ask!`];
//! and as a method of the same name in each engine, where how it is done is. What both engines must
//! agree on is told to both by the stories in `tests/archive`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sluice_chat::id::{ClientMessageId, Fence, Instant, ModelId, Seq, SessionId, UserId};
use sluice_chat::turn::Mode;

use crate::error::{AppendError, ChangeError, OpenError, StoreError};
use crate::message::{Answer, Appended, Known, NewMessage, Outcome, StoredMessage};
use crate::session::{SessionCursor, SessionPage, StoredSession};
use crate::sqlite::Sqlite;

/// An open archive.
///
/// Every write resolves after it is durable, and in the order the calls were first polled. A write
/// whose future is dropped may still happen. Reading needs a tokio runtime.
#[derive(Clone)]
pub struct Archive {
    engine: Arc<Engine>,
}

/// What keeps the archive.
enum Engine {
    Sqlite(Sqlite),
}

/// Calls the method of the same name on whichever engine there is.
macro_rules! ask {
    ($archive:ident.$method:ident($($argument:expr),*)) => {
        match &*$archive.engine {
            Engine::Sqlite(engine) => engine.$method($($argument),*).await,
        }
    };
}

impl Archive {
    /// Opens the archive at `path`, making it and its folders (mode 0700; the file 0600) where they
    /// are missing, and brings it to today's layout. Blocks: for start-up.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { engine: Arc::new(Engine::Sqlite(Sqlite::open(path)?)) })
    }

    /// Writes what waits, closes the file and lets go of it. Everything asked for later fails with
    /// [`StoreError::Closed`]. Again does nothing.
    pub async fn close(&self) {
        ask!(self.close());
    }

    /// Finds out whether writing works, by writing.
    pub async fn ping(&self) -> Result<(), StoreError> {
        ask!(self.ping())
    }

    /// Reads a session.
    pub async fn session(&self, session: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        ask!(self.session(session))
    }

    /// Makes the caller the owner of a session's log, and reads it.
    ///
    /// If whoever had it before did not leave cleanly, events above the stored head may have been
    /// shown: the epoch is raised and the head is the high-water mark. Answers still open end as
    /// `interrupted`. A deleted session is returned as it is.
    pub async fn take_session(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Result<Option<StoredSession>, StoreError> {
        ask!(self.take_session(session, now))
    }

    /// Notes that a session was cleanly left with exactly this head, so that its epoch can go on.
    pub async fn leave_session(
        &self,
        session: &SessionId,
        fence: Fence,
        head: Seq,
    ) -> Result<(), ChangeError> {
        ask!(self.leave_session(session, fence, head))
    }

    /// Raises a session's high-water mark: no event above it may be shown.
    pub async fn reserve(
        &self,
        session: &SessionId,
        fence: Fence,
        up_to: Seq,
    ) -> Result<(), ChangeError> {
        ask!(self.reserve(session, fence, up_to))
    }

    /// Stores a message, and makes its session if there is none.
    pub async fn append(&self, message: NewMessage) -> Result<Appended, AppendError> {
        ask!(self.append(message))
    }

    /// Finds what a user's client message id stands for, if it was used within the window.
    pub async fn find_client_message(
        &self,
        user: &UserId,
        id: &ClientMessageId,
        now: Instant,
    ) -> Result<Option<Known>, StoreError> {
        ask!(self.find_client_message(user, id, now))
    }

    /// Notes how far an answer got. Does not wait, may be superseded by a newer one, and is dropped
    /// when more than 4,096 answers or 64 MiB wait already: the next one says more.
    pub fn checkpoint(&self, answer: Answer) {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.checkpoint(answer),
        }
    }

    /// Stores that an answer begins. After a crash it is there, marked as interrupted, whatever came of it.
    pub async fn begin(&self, answer: Answer) -> Result<(), ChangeError> {
        ask!(self.begin(answer))
    }

    /// Stores how an answer ended and adds it to its session's totals. Once only: an answer that
    /// has an ending keeps it.
    pub async fn finish(&self, answer: Answer, outcome: Outcome) -> Result<(), ChangeError> {
        ask!(self.finish(answer, outcome))
    }

    /// Reads the newest `limit` messages of a session that stand before a place, oldest first. At
    /// most [`MAX_PAGE`](crate::MAX_PAGE).
    pub async fn messages(
        &self,
        session: &SessionId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        ask!(self.messages(session, before, limit))
    }

    /// Reads the newest message that the user wrote in a session.
    pub async fn last_user_message(
        &self,
        session: &SessionId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        ask!(self.last_user_message(session))
    }

    /// Reads a page of a user's sessions, newest activity first, ties by id. With `wanted`, only
    /// those of the newest [`SEARCHED_SESSIONS`](crate::SEARCHED_SESSIONS) whose name contains it,
    /// in whatever case.
    pub async fn sessions_of(
        &self,
        owner: &UserId,
        limit: usize,
        after: Option<SessionCursor>,
        wanted: Option<&str>,
    ) -> Result<SessionPage, StoreError> {
        ask!(self.sessions_of(owner, limit, after, wanted))
    }

    /// Renames a session.
    pub async fn set_name(
        &self,
        session: &SessionId,
        fence: Fence,
        name: &str,
    ) -> Result<(), ChangeError> {
        ask!(self.set_name(session, fence, name))
    }

    /// Picks a session's model.
    pub async fn set_model(
        &self,
        session: &SessionId,
        fence: Fence,
        model: &ModelId,
    ) -> Result<(), ChangeError> {
        ask!(self.set_model(session, fence, model))
    }

    /// Says who answers in a session. Does not touch its fence.
    pub async fn set_mode(
        &self,
        session: &SessionId,
        fence: Fence,
        mode: Mode,
    ) -> Result<(), ChangeError> {
        ask!(self.set_mode(session, fence, mode))
    }

    /// Ends a session. A further message opens it again.
    pub async fn end_session(
        &self,
        session: &SessionId,
        fence: Fence,
        now: Instant,
    ) -> Result<(), ChangeError> {
        ask!(self.end_session(session, fence, now))
    }

    /// Deletes a session's messages and name for good. Its id stays taken.
    pub async fn delete_session(
        &self,
        session: &SessionId,
        fence: Fence,
        now: Instant,
    ) -> Result<(), ChangeError> {
        ask!(self.delete_session(session, fence, now))
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").finish_non_exhaustive()
    }
}
