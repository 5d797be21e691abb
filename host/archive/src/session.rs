//! Sessions as stored, and pages of them.

use std::collections::HashSet;
use std::fmt;

use sluice_chat::answer::Tokens;
use sluice_chat::id::{Epoch, Fence, Instant, ModelId, Seq, SessionId, ShareToken, UserId};
use sluice_chat::turn::Mode;

use crate::mark::Mark;
use crate::search::Search;

use crate::message::MAX_PAGE;

/// How many of a user's newest sessions a search by name looks at.
pub const SEARCHED_SESSIONS: usize = 1_000;

/// One session's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is. Never changes.
    pub owner: UserId,
    /// Its name, once it has one.
    pub name: Option<String>,
    /// The model last picked.
    pub model: Option<ModelId>,
    /// Who answers.
    pub mode: Mode,
    /// What a write must name to be taken.
    pub fence: Fence,
    /// Life of its log.
    pub epoch: Epoch,
    /// No event above this was ever shown.
    pub reserved: Seq,
    /// Last event. Exact after [`Archive::take_session`](crate::Archive::take_session) and after a
    /// clean leave, a lower bound in between.
    pub head: Seq,
    /// When its first message was stored.
    pub created: Instant,
    /// When something was last said in it.
    pub last_activity: Instant,
    /// When it was ended, unless a message opened it again.
    pub ended: Option<Instant>,
    /// When it was deleted. Its messages are gone, its id stays taken.
    pub deleted: Option<Instant>,
    /// Whether an operator ever answered in it.
    pub assisted: bool,
    /// Messages and answers in it.
    pub message_count: u64,
    /// What all its answers cost.
    pub tokens: Tokens,
    /// What anybody can read it by, while it is shared.
    pub share: Option<ShareToken>,
}

/// Sessions that were deleted because they were old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Which, and whose they were.
    pub deleted: Vec<(SessionId, UserId)>,
    /// Where the next sweep goes on, if there are sessions that were not looked at.
    pub next: Option<Mark>,
}

/// Where a page of sessions ended. Opaque to clients; its text goes into `next_cursor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCursor {
    pub(crate) last_activity: Instant,
    pub(crate) id: SessionId,
}

impl SessionCursor {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let last_activity = Instant(at.parse().ok().filter(|at| i64::try_from(*at).is_ok())?);
        Some(Self { last_activity, id: SessionId::parse(id)? })
    }
}

impl fmt::Display for SessionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.last_activity.0, self.id)
    }
}

/// Some of a user's sessions, newest activity first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<StoredSession>,
    /// Where the next page begins, if there is one.
    pub next: Option<SessionCursor>,
}

/// What it takes to make one page of a user's sessions: which of them to read, and which to keep.
#[derive(Debug)]
pub(crate) struct PageRequest {
    limit: usize,
    after: Option<SessionCursor>,
    /// In lower case.
    wanted: Option<String>,
}

impl PageRequest {
    /// A page of at most `limit` and [`MAX_PAGE`] sessions.
    pub(crate) fn new(limit: usize, after: Option<SessionCursor>, wanted: Option<&str>) -> Self {
        Self { limit: limit.clamp(1, MAX_PAGE), after, wanted: wanted.map(str::to_lowercase) }
    }

    /// How many of the newest to read.
    pub(crate) fn read(&self) -> usize {
        // One more than asked for tells whether there is another page.
        if self.wanted.is_some() { SEARCHED_SESSIONS } else { self.limit + 1 }
    }

    /// After which to read. A search is over the newest, wherever the page begins.
    pub(crate) fn read_after(&self) -> Option<&SessionCursor> {
        self.after.as_ref().filter(|_| self.wanted.is_none())
    }

    /// What to look for in what was said, and in which of those that were read: their names do not
    /// have it.
    pub(crate) fn search(&self, read: &[StoredSession]) -> Option<(Search, Vec<SessionId>)> {
        let wanted = self.wanted.as_ref()?;
        let unnamed = read.iter().filter(|session| self.is_after(session) && !self.names(session));
        Some((Search::new(wanted), unnamed.map(|session| session.id.clone()).collect()))
    }

    /// Makes the page of what was read, and of what was found in what was said.
    pub(crate) fn page(&self, read: Vec<StoredSession>, said: &HashSet<SessionId>) -> SessionPage {
        let keeps = |session: &StoredSession| {
            let found = self.wanted.is_none() || self.names(session) || said.contains(&session.id);
            found && self.is_after(session)
        };
        let mut sessions: Vec<_> = read.into_iter().filter(keeps).take(self.limit + 1).collect();
        let more = sessions.len() > self.limit;
        sessions.truncate(self.limit);
        let next = sessions
            .last()
            .filter(|_| more)
            .map(|last| SessionCursor { last_activity: last.last_activity, id: last.id.clone() });
        SessionPage { sessions, next }
    }

    fn is_after(&self, session: &StoredSession) -> bool {
        self.after.as_ref().is_none_or(|cursor| {
            (session.last_activity, &session.id) < (cursor.last_activity, &cursor.id)
        })
    }

    /// Whether its name has what is wanted.
    fn names(&self, session: &StoredSession) -> bool {
        let (Some(wanted), Some(name)) = (&self.wanted, &session.name) else { return false };
        name.to_lowercase().contains(wanted)
    }
}
