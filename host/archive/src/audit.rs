//! The record of what operators did.

use sluice_chat::id::{AuditId, Instant, SessionId, UserId};

use crate::message::MAX_PAGE;

/// One line of the record. Written before the thing is done, so that nothing is done without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id; later ones sort later.
    pub id: AuditId,
    /// When.
    pub at: Instant,
    /// Who.
    pub operator: UserId,
    /// What: the method and the template of the route, or another fixed word.
    pub action: String,
    /// Whose data it was about, where it was about one user's.
    pub user: Option<UserId>,
    /// Which session it was about, where it was about one.
    pub session: Option<SessionId>,
    /// Why, where the operator said so.
    pub reason: Option<String>,
    /// What came of it, as an HTTP status; none while it is being done, or when the process ended meanwhile.
    pub status: Option<u16>,
}

/// Which lines are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Of this operator.
    pub operator: Option<UserId>,
    /// About this user's data.
    pub user: Option<UserId>,
    /// About this session.
    pub session: Option<SessionId>,
}

/// Some lines of the record, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The lines.
    pub entries: Vec<AuditEntry>,
    /// The line after which the next page begins, if there is one.
    pub next: Option<AuditId>,
}

impl AuditPage {
    /// How many to read for a page of so many: one more tells whether there is another page.
    pub(crate) fn read(limit: usize) -> usize {
        limit.clamp(1, MAX_PAGE) + 1
    }

    /// Makes a page of what was read.
    pub(crate) fn of(limit: usize, mut entries: Vec<AuditEntry>) -> Self {
        let limit = limit.clamp(1, MAX_PAGE);
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|last| last.id.clone());
        Self { entries, next }
    }
}
