//! The engine for those who run a MongoDB: on a replica set with everything that is promised, on a
//! standalone server without transactions, which is said.
//!
//! Tries again on its own ([`retry`]); the driver is told not to, but for a commit, which it repeats
//! once within each try.

mod audit;
mod checkpoint;
mod collection;
mod connect;
mod field;
mod import;
mod lease;
mod message;
mod retry;
mod review;
mod sealing;
mod session;
mod shared;
mod takeover;
mod unit;
mod usage;

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use sluice_chat::id::{
    AuditId, ClientMessageId, Fence, Instant, ModelId, Seq, SessionId, ShareToken, UserId,
};
use sluice_chat::response_times::ResponseTimes;
use sluice_chat::turn::Mode;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::checkpoint::write_checkpoints;
use self::collection::{MESSAGES, PREDECESSORS, PULSE, SESSIONS};
pub use self::connect::DatabaseSettings;
use self::connect::database;
pub(crate) use self::connect::greet;
use self::field::Fields;
use self::lease::keep;
use self::message as messages;
pub use self::retry::Retry;
use self::retry::Tries;
use self::session as sessions;
use self::shared::{CannotCompact, OPERATIONS, Shared, TookTooLong, stand_in, unavailable};
use self::takeover::take_over;
use self::unit::{DEADLINE, Stop};
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

/// Longest that figures over all sessions, or a whole conversation at once, may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// An open database.
pub(crate) struct MongoDb {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

/// Does a unit of work, again and again if that helps. A macro, because no closure that lends can
/// say that its future may move between threads.
macro_rules! atomically {
    ($engine:expr, $unit:ident => $work:expr) => {{
        let shared: &Shared = &$engine.shared;
        let _place = shared.enter().await?;
        let mut tries = Tries::new(shared.retry);
        loop {
            let ended = match shared.begin(&tries).await {
                Err(stop) => Err(stop),
                Ok(mut opened) => {
                    let $unit = &mut opened;
                    let done = timeout(DEADLINE, $work).await;
                    shared.end(opened, done, &mut tries).await
                }
            };
            if let ControlFlow::Break(result) = shared.judge(ended, &mut tries).await {
                break result;
            }
        }
    }};
}

/// Reads, again and again if that helps.
macro_rules! reading {
    ($engine:expr, $work:expr) => {
        reading!($engine, DEADLINE, $work)
    };
    ($engine:expr, $deadline:expr, $work:expr) => {{
        let shared: &Shared = &$engine.shared;
        let _place = shared.enter().await?;
        let mut tries = Tries::new(shared.retry);
        loop {
            let read = match timeout($deadline, $work).await {
                Ok(read) => read,
                Err(_) => Err(Stop::Store(unavailable(TookTooLong))),
            };
            if let ControlFlow::Break(result) = shared.judge(read, &mut tries).await {
                break result;
            }
        }
    }};
}

mod outbox;
mod reservation;

impl MongoDb {
    /// Waits for the database, takes it over and brings it to today's layout.
    pub(crate) async fn connect(settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let database = database(settings).await?;
        let transactions = greet(&database, settings.connect_timeout).await.map_err(|source| {
            OpenError::DatabaseUnavailable { database: settings.database.clone(), source }
        })?;
        if !transactions {
            tracing::warn!(
                "the database is a standalone server: an acknowledged message may be lost when it crashes, use a replica set"
            );
        }
        let lease = take_over(&database, &settings.instance, transactions).await?;
        let theirs = database.list_collection_names().filter(doc! { "name": PREDECESSORS }).await;
        if theirs.is_ok_and(|names| !names.is_empty()) {
            tracing::info!(
                "conversations of an earlier gateway are in the collection sessions of this database; sluice import takes them over"
            );
        }
        let shared = Arc::new(Shared::new(database, transactions, settings.retry, lease));
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(Arc::clone(&shared)));
        tasks.spawn(write_checkpoints(Arc::clone(&shared)));
        Ok(Self { shared, tasks: Mutex::new(tasks) })
    }

    /// Whether what is acknowledged is safe from whatever happens to one server.
    pub(crate) fn is_durable(&self) -> bool {
        self.shared.transactions
    }

    pub(crate) async fn close(&self) {
        let shared = &self.shared;
        if shared.room.is_closed() {
            return;
        }
        self.shared.flush().await;
        // Operations have a deadline, so this has.
        let all = shared.room.acquire_many(OPERATIONS).await;
        shared.room.close();
        drop(all);
        shared.stop.send_replace(true);
        let mut tasks = self.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
        let released = timeout(DEADLINE, shared.lease.release()).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::warn!("the lease of the database was not given back, it runs out by itself");
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.shared.flush().await;
        let beat = doc! { "$inc": { "beats": 1_i64 } };
        atomically!(self, unit => async {
            unit.upsert(PULSE, doc! { "_id": "pulse" }, beat.clone()).await?;
            Ok::<_, Stop<StoreError>>(())
        })
    }

    pub(crate) async fn session(
        &self,
        session: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        reading!(self, sessions::find(&self.shared.database, session))
    }

    pub(crate) async fn take_session(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Result<Option<StoredSession>, StoreError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::take(unit, session, now))
    }

    pub(crate) async fn leave_session(
        &self,
        session: &SessionId,
        fence: Fence,
        head: Seq,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::leave(unit, session, fence, head))
    }

    pub(crate) async fn reserve(
        &self,
        session: &SessionId,
        fence: Fence,
        up_to: Seq,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::reserve(unit, session, fence, up_to))
    }

    pub(crate) async fn append(&self, message: NewMessage) -> Result<Appended, AppendError> {
        self.shared.now.fetch_max(message.at.0, Ordering::Relaxed);
        // Always the user first, so that nobody waits for somebody who waits for them.
        let _user = match &message.client {
            Some(client) => Some(self.user_line(&client.user).await?),
            None => None,
        };
        let _line = self.line(&message.session).await?;
        atomically!(self, unit => messages::append(unit, &message))
    }

    pub(crate) async fn find_client_message(
        &self,
        user: &UserId,
        id: &ClientMessageId,
        now: Instant,
    ) -> Result<Option<Known>, StoreError> {
        reading!(self, messages::find_client(&self.shared, user, id, now))
    }

    pub(crate) fn checkpoint(&self, answer: Answer) {
        if self.shared.room.is_closed() {
            return;
        }
        let mut noted = self.shared.noted();
        noted.waiting.put(answer);
        noted.count += 1;
        drop(noted);
        self.shared.arrived.notify_one();
    }

    pub(crate) async fn begin(&self, answer: Answer) -> Result<(), ChangeError> {
        let _line = self.line(&answer.session).await?;
        atomically!(self, unit => messages::put_answer(unit, &answer, None))
    }

    pub(crate) async fn finish(&self, answer: Answer, outcome: Outcome) -> Result<(), ChangeError> {
        self.shared.noted().waiting.forget(&answer.id);
        let _line = self.line(&answer.session).await?;
        // What was refused wrote nothing, and what it cost is to be kept.
        atomically!(self, unit => async {
            let stored = match messages::put_answer(unit, &answer, Some(&outcome)).await {
                Ok(()) => Ok(()),
                Err(Stop::Told(refusal)) => Err(refusal),
                Err(stop) => return Err(stop),
            };
            usage::record_answer(unit, &answer, &outcome).await?;
            Ok::<_, Stop<ChangeError>>(stored)
        })?
    }

    pub(crate) async fn messages(
        &self,
        session: &SessionId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        reading!(self, messages::page(&self.shared.database, session, before, limit))
    }

    pub(crate) async fn last_user_message(
        &self,
        session: &SessionId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        reading!(self, messages::last_of_user(&self.shared.database, session))
    }

    pub(crate) async fn newest_sessions(
        &self,
        owner: &UserId,
        limit: usize,
        after: Option<&SessionCursor>,
    ) -> Result<Vec<StoredSession>, StoreError> {
        reading!(self, sessions::newest(&self.shared.database, owner, limit, after))
    }

    pub(crate) async fn saying(
        &self,
        sessions: Vec<SessionId>,
        search: Search,
    ) -> Result<HashSet<SessionId>, StoreError> {
        reading!(self, messages::saying(&self.shared.database, &sessions, search.clone()))
    }

    pub(crate) async fn set_name(
        &self,
        session: &SessionId,
        fence: Fence,
        name: &str,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::set_name(unit, session, fence, name))
    }

    pub(crate) async fn set_model(
        &self,
        session: &SessionId,
        fence: Fence,
        model: &ModelId,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::set_model(unit, session, fence, model))
    }

    pub(crate) async fn hand_over(
        &self,
        session: &SessionId,
        fence: Fence,
        mode: Mode,
    ) -> Result<Fence, ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::hand_over(unit, session, fence, mode))
    }

    pub(crate) async fn set_mode(
        &self,
        session: &SessionId,
        fence: Fence,
        mode: Mode,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::set_mode(unit, session, fence, mode))
    }

    pub(crate) async fn end_session(
        &self,
        session: &SessionId,
        fence: Fence,
        now: Instant,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::end(unit, session, fence, now))
    }

    pub(crate) async fn delete_session(
        &self,
        session: &SessionId,
        fence: Fence,
        now: Instant,
    ) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::delete(unit, session, fence, now))
    }

    pub(crate) async fn share_session(
        &self,
        session: &SessionId,
        token: &ShareToken,
    ) -> Result<ShareToken, ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::share(unit, session, token))
    }

    pub(crate) async fn unshare_session(&self, session: &SessionId) -> Result<(), ChangeError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::unshare(unit, session))
    }

    pub(crate) async fn shared_session(
        &self,
        token: &ShareToken,
    ) -> Result<Option<StoredSession>, StoreError> {
        reading!(self, sessions::shared(&self.shared.database, token))
    }

    pub(crate) async fn sweep_quiet(
        &self,
        after: Option<Mark>,
        before: Instant,
        now: Instant,
        limit: usize,
    ) -> Result<Swept, StoreError> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX);
        let read = self.batch(SESSIONS, after.as_ref(), most).await?;
        let next = match read.last().filter(|_| read.len() == limit) {
            Some(last) => Some(Mark(Fields(last).the_text("_id")?)),
            None => None,
        };
        let mut deleted = Vec::new();
        for session in &read {
            // One that cannot be deleted must not keep all those behind it.
            if let Err(error) = self.sweep_one(session, before, now, &mut deleted).await {
                let id = Fields(session).the_text("_id")?;
                tracing::error!(
                    session = id,
                    error = &error as &dyn Error,
                    "could not delete an old session"
                );
                if error.is_retryable() {
                    self.ping().await?;
                }
            }
        }
        Ok(Swept { deleted, next })
    }

    async fn sweep_one(
        &self,
        session: &Document,
        before: Instant,
        now: Instant,
        deleted: &mut Vec<(SessionId, UserId)>,
    ) -> Result<(), StoreError> {
        let StoredSession { id, owner, deleted: gone, last_activity, .. } =
            sessions::stored(session)?;
        // Again, for something may have been said meanwhile.
        if gone.is_none() && last_activity < before && self.delete_quiet(&id, before, now).await? {
            deleted.push((id, owner));
        }
        Ok(())
    }

    async fn delete_quiet(
        &self,
        session: &SessionId,
        before: Instant,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let _line = self.line(session).await?;
        atomically!(self, unit => sessions::delete_quiet(unit, session, before, now))
    }

    pub(crate) async fn import(&self, conversation: Conversation) -> Result<Became, StoreError> {
        let shared: &Shared = &self.shared;
        let _place = shared.enter().await?;
        let _line = self.line(&conversation.id).await?;
        let mut tries = Tries::new(shared.retry);
        loop {
            // Done in part it is taken up where it stopped.
            let putting = async {
                shared.may_write().await?;
                import::put(&shared.database, &conversation).await
            };
            let put = match timeout(PATIENCE, putting).await {
                Ok(put) => put,
                Err(_) => Err(Stop::Store(unavailable(TookTooLong))),
            };
            if let ControlFlow::Break(result) = shared.judge(put, &mut tries).await {
                break result;
            }
        }
    }

    pub(crate) async fn seal_keys(&self) -> Result<Vec<KeyId>, StoreError> {
        reading!(self, sealing::keys(&self.shared.database))
    }

    pub(crate) async fn note_seal_key(&self, key: &KeyId) -> Result<(), StoreError> {
        atomically!(self, unit => sealing::note_key(unit, key))
    }

    pub(crate) async fn keep_seal_key(&self, key: Option<&KeyId>) -> Result<(), StoreError> {
        atomically!(self, unit => sealing::keep_key(unit, key))
    }

    pub(crate) async fn extent(&self) -> Result<u64, StoreError> {
        reading!(self, PATIENCE, sealing::extent(&self.shared.database))
    }

    pub(crate) async fn reseal_names(
        &self,
        keys: &Arc<Keys>,
        after: Option<Mark>,
        limit: u64,
    ) -> Result<Batch, StoreError> {
        let read = self.batch(SESSIONS, after.as_ref(), limit).await?;
        atomically!(self, unit => sealing::reseal_names(unit, keys, &read, limit))
    }

    pub(crate) async fn reseal_messages(
        &self,
        keys: &Arc<Keys>,
        after: Option<Mark>,
        limit: u64,
    ) -> Result<Batch, StoreError> {
        let read = self.batch(MESSAGES, after.as_ref(), limit).await?;
        atomically!(self, unit => sealing::reseal_messages(unit, keys, &read, limit))
    }

    async fn batch(
        &self,
        of: &str,
        after: Option<&Mark>,
        limit: u64,
    ) -> Result<Vec<Document>, StoreError> {
        reading!(self, sealing::batch(&self.shared.database, of, after, limit))
    }

    #[expect(clippy::unused_async, reason = "engines are called alike")]
    pub(crate) async fn compact(&self) -> Result<(), StoreError> {
        Err(unavailable(CannotCompact))
    }

    pub(crate) async fn review(&self, request: ReviewRequest) -> Result<ReviewPage, StoreError> {
        reading!(self, review::page(&self.shared.database, &request))
    }

    pub(crate) async fn responses(
        &self,
        sessions: &[SessionId],
    ) -> Result<HashMap<SessionId, ResponseTimes>, StoreError> {
        reading!(self, review::responses(&self.shared.database, sessions))
    }

    pub(crate) async fn totals(&self, from: Instant, to: Instant) -> Result<Totals, StoreError> {
        reading!(self, PATIENCE, review::totals(&self.shared.database, from, to))
    }

    pub(crate) async fn record(&self, calls: Vec<CallUsage>) -> Result<(), StoreError> {
        atomically!(self, unit => usage::record(unit, &calls))
    }

    pub(crate) async fn note(&self, entry: AuditEntry) -> Result<(), StoreError> {
        atomically!(self, unit => audit::note(unit, &entry))
    }

    pub(crate) async fn settle(&self, id: &AuditId, status: u16) -> Result<(), StoreError> {
        atomically!(self, unit => audit::settle(unit, id, status))
    }

    pub(crate) async fn audit(
        &self,
        filter: AuditFilter,
        limit: usize,
        after: Option<AuditId>,
    ) -> Result<AuditPage, StoreError> {
        reading!(self, audit::page(&self.shared.database, &filter, limit, after.as_ref()))
    }

    /// One write to a session at a time: two would only make each other try again.
    async fn line(&self, session: &SessionId) -> Result<MutexGuard<'_, ()>, StoreError> {
        stand_in(&self.shared.sessions, session).await
    }

    /// One message of a user with a client message id at a time, for the same reason.
    async fn user_line(&self, user: &UserId) -> Result<MutexGuard<'_, ()>, StoreError> {
        stand_in(&self.shared.users, user).await
    }
}
