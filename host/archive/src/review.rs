//! How operators look through everybody's sessions: filters, sorts, and pages that neither repeat nor leave out.

use std::fmt;

use sluice_chat::id::{Instant, SessionId, UserId};
use sluice_chat::response_times::ResponseTimes;

use crate::message::MAX_PAGE;
use crate::session::StoredSession;

/// Sessions are counted up to here; beyond it the total is at least this.
pub const COUNTED: u64 = 10_000;
/// Most sessions that a page may leave out by number.
pub const MAX_OFFSET: usize = 10_000;

/// Which sessions are looked for. A deleted one never is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFilter {
    /// Of this user.
    pub owner: Option<UserId>,
    /// That were ended, or were not.
    pub ended: Option<bool>,
    /// That an operator ever answered in, or never did.
    pub assisted: Option<bool>,
    /// That began then or later.
    pub from: Option<Instant>,
    /// That began then or earlier.
    pub to: Option<Instant>,
}

/// What they are sorted by. Ties go by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSort {
    /// When they began.
    Start,
    /// When they were ended; those that were not come before all others.
    End,
    /// Messages and answers.
    Messages,
    /// Tokens of prompts and answers.
    Tokens,
    /// Whose they are.
    Owner,
    /// From the beginning to the end, or to the moment the first page was asked for.
    Duration,
    /// When something was last said.
    Activity,
}

impl SessionSort {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::End,
        Self::Messages,
        Self::Tokens,
        Self::Owner,
        Self::Duration,
        Self::Activity,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start_time",
            Self::End => "end_time",
            Self::Messages => "message_count",
            Self::Tokens => "total_tokens",
            Self::Owner => "user_id",
            Self::Duration => "duration",
            Self::Activity => "last_activity",
        }
    }

    /// The sort of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == word)
    }
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRequest {
    /// Which sessions.
    pub filter: SessionFilter,
    /// In which order.
    pub sort: SessionSort,
    /// Largest first.
    pub descending: bool,
    /// At most so many, and at most [`MAX_PAGE`].
    pub limit: usize,
    /// How many to leave out first, at most [`MAX_OFFSET`].
    pub offset: usize,
    /// Where the page before ended; of the same sort and direction.
    pub after: Option<ReviewCursor>,
    /// Now: what a session that goes on is measured by.
    pub now: Instant,
}

impl ReviewRequest {
    /// How many to read: one more than fits tells whether there is another page.
    pub(crate) fn read(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE) + 1
    }

    /// The moment that durations are measured by: that of the first page, so that the order does not move under the reader.
    pub(crate) fn moment(&self) -> Instant {
        self.after.as_ref().map_or(self.now, |after| after.moment)
    }

    /// Makes a page of what was read.
    pub(crate) fn page(&self, mut read: Vec<Reviewed>, total: u64) -> ReviewPage {
        let limit = self.limit.clamp(1, MAX_PAGE);
        let more = read.len() > limit;
        read.truncate(limit);
        let last = read.last().filter(|_| more);
        let next = last.map(|last| ReviewCursor {
            sort: self.sort,
            descending: self.descending,
            moment: self.moment(),
            place: self.place(&last.session),
            id: last.session.id.clone(),
        });
        ReviewPage {
            sessions: read,
            next,
            total: total.min(COUNTED),
            total_at_least: total > COUNTED,
        }
    }

    /// What a session is sorted by.
    fn place(&self, session: &StoredSession) -> Place {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Place::Number(match self.sort {
            SessionSort::Owner => return Place::Text(session.owner.to_string()),
            SessionSort::Start => signed(session.created.0),
            SessionSort::End => signed(session.ended.map_or(0, |ended| ended.0)),
            SessionSort::Messages => signed(session.message_count),
            SessionSort::Tokens => signed(session.tokens.total()),
            SessionSort::Activity => signed(session.last_activity.0),
            // Below zero where a clock was set back.
            SessionSort::Duration => {
                let until = session.ended.unwrap_or_else(|| self.moment());
                signed(until.0) - signed(session.created.0)
            }
        })
    }
}

/// What the last session of a page was sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Number(i64),
    Text(String),
}

/// Where a page ended. Opaque to clients; its text goes into `next_cursor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewCursor {
    pub(crate) sort: SessionSort,
    pub(crate) descending: bool,
    pub(crate) moment: Instant,
    pub(crate) place: Place,
    pub(crate) id: SessionId,
}

impl ReviewCursor {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '.');
        let mut next = || parts.next();
        let sort = SessionSort::parse(next()?)?;
        let descending = match next()? {
            "desc" => true,
            "asc" => false,
            _ => return None,
        };
        let moment = next()?.parse::<u64>().ok().filter(|&ms| i64::try_from(ms).is_ok())?;
        let place = next()?;
        let place = match sort {
            SessionSort::Owner => Place::Text(unhex(place)?),
            SessionSort::Start
            | SessionSort::End
            | SessionSort::Messages
            | SessionSort::Tokens
            | SessionSort::Duration
            | SessionSort::Activity => Place::Number(place.parse().ok()?),
        };
        let moment = Instant(moment);
        Some(Self { sort, descending, moment, place, id: SessionId::parse(next()?)? })
    }

    /// Whether it belongs to pages of this order.
    pub fn fits(&self, sort: SessionSort, descending: bool) -> bool {
        self.sort == sort && self.descending == descending
    }
}

impl fmt::Display for ReviewCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sort, descending, moment, place, id } = self;
        let order = if *descending { "desc" } else { "asc" };
        write!(f, "{}.{order}.{}.", sort.as_str(), moment.0)?;
        match place {
            Place::Number(number) => write!(f, "{number}")?,
            // A user's id may hold any character.
            Place::Text(text) => text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))?,
        }
        write!(f, ".{id}")
    }
}

fn unhex(text: &str) -> Option<String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    if rest.is_empty() { String::from_utf8(bytes).ok() } else { None }
}

/// A session as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// The session.
    pub session: StoredSession,
    /// How long its newest answers took.
    pub responses: ResponseTimes,
}

/// Some of the sessions that were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewPage {
    /// The sessions, in order.
    pub sessions: Vec<Reviewed>,
    /// Where the next page begins, if there is one.
    pub next: Option<ReviewCursor>,
    /// How many there are on all pages, at most [`COUNTED`].
    pub total: u64,
    /// Whether there are more than that.
    pub total_at_least: bool,
}
