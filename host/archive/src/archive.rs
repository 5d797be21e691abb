//! The archive as its users see it, whatever keeps it. Cheap to clone; all clones are one archive.
//!
//! An operation is written three times: here, where its promise is, by passing it on with [`ask!`];
//! and as a method of the same name in each engine, where how it is done is. What both engines must
//! agree on is told to both by the stories in `tests/archive`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sluice_chat::id::{AuditId, Fence, Instant, ModelId, Seq, SessionId, ShareToken, UserId};
use sluice_chat::response_times::ResponseTimes;
use sluice_chat::turn::Mode;
use tokio::task::spawn_blocking;

use crate::audit::{AuditEntry, AuditFilter, AuditPage};
use crate::error::{AppendError, ChangeError, KeysError, OpenError, StoreError};
use crate::import::{Conversation, Imported, LARGEST};
use crate::mark::Mark;
use crate::message::{
    Answer, Appended, ClientKey, Digest, Known, NewMessage, Outcome, StoredMessage, metadata_text,
};
use crate::mongodb::{DatabaseSettings, MongoDb};
use crate::reseal::{self, Resealed};
use crate::review::{ReviewPage, ReviewRequest};
use crate::seal::{Key, KeyId, Keys, Place, SealError};
use crate::session::{PageRequest, SessionCursor, SessionPage, StoredSession, Swept};
use crate::sqlite::Sqlite;
use crate::tally::Totals;
use crate::usage::CallUsage;

/// An open archive.
///
/// Every write resolves after it is durable, and in the order the calls were first polled. A write
/// whose future is dropped may still happen. Reading needs a tokio runtime.
#[derive(Clone)]
pub struct Archive {
    engine: Arc<Engine>,
    keys: Arc<Keys>,
}

/// Bytes of texts that are opened where they are asked for; more goes off the runtime.
const OPENED_AT_ONCE: usize = 64 * 1024;

/// How much an acknowledgement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What was acknowledged is there whatever happens.
    Full,
    /// The database is a standalone server: what was acknowledged may be lost or half done when it
    /// crashes.
    Degraded,
}

/// What keeps the archive.
enum Engine {
    Sqlite(Sqlite),
    MongoDb(MongoDb),
}

/// Calls the method of the same name on whichever engine there is.
///
/// What asks MongoDB takes kilobytes, which every task that may ask would keep for it, on whatever
/// engine: it gets them only while it asks.
macro_rules! ask {
    ($archive:ident.$method:ident($($argument:expr),*)) => {
        match &*$archive.engine {
            Engine::Sqlite(engine) => engine.$method($($argument),*).await,
            Engine::MongoDb(engine) => Box::pin(engine.$method($($argument),*)).await,
        }
    };
}

mod outbox;
mod reservation;

impl Archive {
    /// Opens the archive at `path`, making it and its folders (mode 0700; the file 0600) where they
    /// are missing, and brings it to today's layout. Blocks: for start-up.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let engine = Arc::new(Engine::Sqlite(Sqlite::open(path)?));
        Ok(Self { engine, keys: Arc::default() })
    }

    /// Gives it its keys: from here on names, texts and metadata are sealed under the current one.
    ///
    /// Refuses keys that cannot open everything that was ever sealed in it. Without any key at all
    /// an archive that has nothing sealed stays plain.
    pub async fn with_keys(mut self, keys: Keys) -> Result<Self, KeysError> {
        let known = |id: &KeyId| keys.all().any(|key| key.id() == id);
        let used = ask!(self.seal_keys())?;
        let missing: Vec<KeyId> = used.into_iter().filter(|id| !known(id)).collect();
        if !missing.is_empty() {
            return Err(KeysError::Missing(missing));
        }
        if let Some(key) = &keys.current {
            ask!(self.note_seal_key(key.id()))?;
        }
        self.keys = Arc::new(keys);
        Ok(self)
    }

    /// Seals everything under the current key, or under none if there is none. Passes over what is
    /// sealed so already, so it may be cut off and called again. `told` hears how far it is.
    ///
    /// Not while a session is in use: an answer that grows meanwhile may keep its old key.
    pub async fn reseal(&self, mut told: impl FnMut(Resealed)) -> Result<Resealed, StoreError> {
        let mut done = Resealed { total: ask!(self.extent())?, ..Resealed::default() };
        let mut mark = None;
        loop {
            let batch = ask!(self.reseal_names(&self.keys, mark, reseal::BATCH))?;
            done.add(&batch);
            told(done);
            mark = batch.next;
            if mark.is_none() {
                break;
            }
        }
        loop {
            let batch = ask!(self.reseal_messages(&self.keys, mark, reseal::BATCH))?;
            done.add(&batch);
            told(done);
            mark = batch.next;
            if mark.is_none() {
                break;
            }
        }
        if done.unreadable == 0 {
            ask!(self.keep_seal_key(self.keys.current.as_ref().map(Key::id)))?;
        }
        done.compacted = match ask!(self.compact()) {
            Ok(()) => true,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "what was there before may be left in free space");
                false
            }
        };
        told(done);
        Ok(done)
    }

    /// Puts a conversation of another program in, or what of it is not in yet. Messages that no row can
    /// hold are left out.
    ///
    /// One that is there already is brought to what it is by now, as long as nobody was ever
    /// [served](Self::serve) from this archive. From then on only messages are added: its name, its
    /// share and everything else are as its owner left them.
    ///
    /// Not while a gateway has the archive. Cut off, it may be called again.
    pub async fn import(&self, mut conversation: Conversation) -> Result<Imported, StoreError> {
        let id = conversation.id.clone();
        // Pages of the review rely on it.
        conversation.last_activity = conversation.last_activity.max(conversation.created);
        conversation.name = sealed_name(&self.keys, &id, conversation.name.as_deref())?;
        let mut too_large = Vec::new();
        let mut messages = Vec::with_capacity(conversation.messages.len());
        for mut message in conversation.messages {
            let seq = message.seq;
            message.text = self.keys.seal(Place::Text(&id, seq), &message.text)?;
            let place = Place::Metadata(&id, seq);
            message.metadata = self.keys.seal_metadata(place, message.metadata)?;
            let metadata = metadata_text(&message.metadata).map_or(0, |text| text.len());
            if message.text.len() + metadata > LARGEST {
                too_large.push(seq);
            } else {
                messages.push(message);
            }
        }
        conversation.messages = messages;
        Ok(Imported { became: ask!(self.import(conversation))?, too_large })
    }

    /// Waits for a MongoDB, takes it over from a gateway that is gone, and brings it to today's
    /// layout. Refuses one that another gateway has.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let engine = Engine::MongoDb(MongoDb::connect(settings).await?);
        Ok(Self { engine: Arc::new(engine), keys: Arc::default() })
    }

    /// How much an acknowledgement is worth.
    pub fn durability(&self) -> Durability {
        match &*self.engine {
            Engine::Sqlite(_) => Durability::Full,
            Engine::MongoDb(engine) if engine.is_durable() => Durability::Full,
            Engine::MongoDb(_) => Durability::Degraded,
        }
    }

    /// Writes what waits, closes the file and lets go of it. Everything asked for later fails with
    /// [`StoreError::Closed`]. Again does nothing.
    pub async fn close(&self) {
        ask!(self.close());
    }

    /// Notes that users are served from here on, and so finds out whether writing works.
    pub async fn serve(&self) -> Result<(), StoreError> {
        self.ping().await
    }

    /// Waits until it can never write again: it was closed, or what writes died.
    pub async fn stopped(&self) {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.stopped().await,
            // Each operation writes for itself there.
            Engine::MongoDb(_) => std::future::pending().await,
        }
    }

    /// Finds out whether writing works, by writing.
    pub async fn ping(&self) -> Result<(), StoreError> {
        ask!(self.ping())
    }

    /// Reads a session.
    pub async fn session(&self, session: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        ask!(self.session(session))?.map(|stored| self.opened(stored)).transpose()
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
        ask!(self.take_session(session, now))?.map(|stored| self.opened(stored)).transpose()
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
    pub async fn append(&self, mut message: NewMessage) -> Result<Appended, AppendError> {
        let (session, seq) = (&message.session, message.seq);
        message.text = self.keys.seal(Place::Text(session, seq), &message.text)?;
        message.name = sealed_name(&self.keys, session, message.name.as_deref())?;
        let metadata = std::mem::take(&mut message.metadata);
        message.metadata = self.keys.seal_metadata(Place::Metadata(session, seq), metadata)?;
        let client = message.client.clone();
        if let Some(client) = &mut message.client {
            client.digest = self.keys.hide(&client.digest);
        }
        match (ask!(self.append(message))?, client) {
            (Appended::Already(known), Some(client)) => {
                Ok(Appended::Already(self.recognised(known, client.digest)?))
            }
            (appended, _) => Ok(appended),
        }
    }

    /// Finds the message that a user's client message id stands for, if it was used within the window.
    /// That it stands for something else is [`AppendError::Conflict`].
    pub async fn find_client_message(
        &self,
        client: &ClientKey,
        now: Instant,
    ) -> Result<Option<Known>, AppendError> {
        let known = ask!(self.find_client_message(&client.user, &client.id, now))?;
        known.map(|known| self.recognised(known, client.digest)).transpose()
    }

    /// A message under a known id, if it is the one that is meant.
    fn recognised(&self, known: Known, digest: Digest) -> Result<Known, AppendError> {
        let same = self.keys.hides(&known.digest, &digest);
        if same { Ok(Known { digest, ..known }) } else { Err(AppendError::Conflict) }
    }

    /// Notes how far an answer got. Does not wait, may be superseded by a newer one, and is dropped
    /// when more than 4,096 answers or 64 MiB wait already: the next one says more.
    pub fn checkpoint(&self, answer: Answer) {
        let answer = match self.sealed(answer) {
            Ok(answer) => answer,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "checkpoint not sealed");
                return;
            }
        };
        match &*self.engine {
            Engine::Sqlite(engine) => engine.checkpoint(answer),
            Engine::MongoDb(engine) => engine.checkpoint(answer),
        }
    }

    /// Stores that an answer begins. After a crash it is there, marked as interrupted, whatever came of it.
    pub async fn begin(&self, answer: Answer) -> Result<(), ChangeError> {
        let answer = self.sealed(answer)?;
        ask!(self.begin(answer))
    }

    /// Stores how an answer ended and adds it to its session's totals and to what is known of usage.
    /// Once only: an answer that has an ending keeps it. What it cost is stored in any case, also
    /// when the answer may not be, because the session is gone or another's.
    pub async fn finish(&self, answer: Answer, outcome: Outcome) -> Result<(), ChangeError> {
        let answer = self.sealed(answer)?;
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
        let messages = ask!(self.messages(session, before, limit))?;
        let bytes: usize = messages.iter().map(|message| message.text.len()).sum();
        let keys = Arc::clone(&self.keys);
        if bytes < OPENED_AT_ONCE || keys.all().next().is_none() {
            return messages.into_iter().map(|message| opened(&keys, message)).collect();
        }
        let open = move || messages.into_iter().map(|message| opened(&keys, message)).collect();
        spawn_blocking(open)
            .await
            .map_err(|error| StoreError::Damaged { source: Arc::new(error) })?
    }

    /// Reads the newest message that the user wrote in a session.
    pub async fn last_user_message(
        &self,
        session: &SessionId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let found = ask!(self.last_user_message(session))?;
        found.map(|message| opened(&self.keys, message)).transpose()
    }

    /// Reads a page of a user's sessions, newest activity first, ties by id. With `wanted`, only
    /// those of the newest [`SEARCHED_SESSIONS`](crate::SEARCHED_SESSIONS) whose name contains it, in
    /// whatever case; without a key also those in which it was said, as far as 8 MiB of texts reach.
    pub async fn sessions_of(
        &self,
        owner: &UserId,
        limit: usize,
        after: Option<SessionCursor>,
        wanted: Option<&str>,
    ) -> Result<SessionPage, StoreError> {
        // Names may be sealed, so a database cannot search them.
        let request = PageRequest::new(limit, after, wanted);
        let read = ask!(self.newest_sessions(owner, request.read(), request.read_after()))?;
        let opened: Result<Vec<_>, _> = read.into_iter().map(|found| self.opened(found)).collect();
        let read = opened?;
        // Sealed texts are not searched at all: all of them would have to be opened.
        let search = request.search(&read).filter(|_| self.keys.current.is_none());
        let said = match search {
            Some((search, sessions)) => ask!(self.saying(sessions, search))?,
            None => HashSet::new(),
        };
        Ok(request.page(read, &said))
    }

    /// Renames a session.
    pub async fn set_name(
        &self,
        session: &SessionId,
        fence: Fence,
        name: &str,
    ) -> Result<(), ChangeError> {
        let name = self.keys.seal(Place::Name(session), name)?;
        ask!(self.set_name(session, fence, &name))
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

    /// Says who answers in a session from here on, and raises its fence: whoever wrote before has to
    /// learn of it. Returns the fence in force.
    pub async fn hand_over(
        &self,
        session: &SessionId,
        fence: Fence,
        mode: Mode,
    ) -> Result<Fence, ChangeError> {
        ask!(self.hand_over(session, fence, mode))
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

    /// Looks through everybody's sessions. A page after another neither repeats nor leaves out a session that did not change
    /// meanwhile.
    pub async fn review(&self, request: ReviewRequest) -> Result<ReviewPage, StoreError> {
        let mut page: ReviewPage = ask!(self.review(request))?;
        for reviewed in &mut page.sessions {
            reviewed.session = self.opened(reviewed.session.clone())?;
        }
        Ok(page)
    }

    /// Reads how long the newest whole answers of each of these sessions took, all in one query where
    /// the database is on the other side of a socket. A session that has none may be missing.
    pub async fn responses(
        &self,
        sessions: &[SessionId],
    ) -> Result<HashMap<SessionId, ResponseTimes>, StoreError> {
        ask!(self.responses(sessions))
    }

    /// Adds up the sessions that began between two moments, both included. Takes as long as there are such sessions.
    pub async fn totals(&self, from: Instant, to: Instant) -> Result<Totals, StoreError> {
        ask!(self.totals(from, to))
    }

    /// Stores what calls without a session cost, all of them or none. Once only for each answer.
    pub async fn record(&self, calls: Vec<CallUsage>) -> Result<(), StoreError> {
        ask!(self.record(calls))
    }

    /// Adds a line to the record of what operators do.
    pub async fn note(&self, entry: AuditEntry) -> Result<(), StoreError> {
        ask!(self.note(entry))
    }

    /// Says what came of it. A line that has an outcome keeps it.
    pub async fn settle(&self, id: &AuditId, status: u16) -> Result<(), StoreError> {
        ask!(self.settle(id, status))
    }

    /// Reads a page of the record, newest first.
    pub async fn audit(
        &self,
        filter: AuditFilter,
        limit: usize,
        after: Option<AuditId>,
    ) -> Result<AuditPage, StoreError> {
        ask!(self.audit(filter, limit, after))
    }

    /// Lets anybody read a session by a token, and says which: the one it is shared by already, or
    /// else `token`. Of calls at the same time one is first, and all name its token.
    pub async fn share_session(
        &self,
        session: &SessionId,
        token: &ShareToken,
    ) -> Result<ShareToken, ChangeError> {
        ask!(self.share_session(session, token))
    }

    /// Makes a session's token worthless, if it had one.
    pub async fn unshare_session(&self, session: &SessionId) -> Result<(), ChangeError> {
        ask!(self.unshare_session(session))
    }

    /// Finds the session that is shared by this token.
    pub async fn shared_session(
        &self,
        token: &ShareToken,
    ) -> Result<Option<StoredSession>, StoreError> {
        ask!(self.shared_session(token))?.map(|stored| self.opened(stored)).transpose()
    }

    /// Looks at up to `limit` sessions and deletes those in which nothing was said since `before`,
    /// whatever their fence. The walk goes on at [`Swept::next`].
    pub async fn sweep_quiet(
        &self,
        after: Option<Mark>,
        before: Instant,
        now: Instant,
        limit: usize,
    ) -> Result<Swept, StoreError> {
        ask!(self.sweep_quiet(after, before, now, limit))
    }

    /// An answer as it is stored.
    fn sealed(&self, mut answer: Answer) -> Result<Answer, SealError> {
        let place = Place::Text(&answer.session, answer.first_seq);
        answer.text = self.keys.seal(place, &answer.text)?;
        Ok(answer)
    }

    /// A session as it was before it was stored.
    fn opened(&self, mut stored: StoredSession) -> Result<StoredSession, StoreError> {
        if let Some(name) = stored.name.take() {
            stored.name = Some(self.keys.open(Place::Name(&stored.id), name)?);
        }
        Ok(stored)
    }
}

fn sealed_name(
    keys: &Keys,
    session: &SessionId,
    name: Option<&str>,
) -> Result<Option<String>, SealError> {
    name.map(|name| keys.seal(Place::Name(session), name)).transpose()
}

/// A message as it was before it was stored.
fn opened(keys: &Keys, mut message: StoredMessage) -> Result<StoredMessage, StoreError> {
    message.text = keys.open(Place::Text(&message.session, message.seq), message.text)?;
    let place = Place::Metadata(&message.session, message.seq);
    message.metadata = keys.open_metadata(place, message.metadata)?;
    Ok(message)
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").finish_non_exhaustive()
    }
}
