//! A session: one task that owns a turn and a log, and the handle others speak to it by.

use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use sluice_archive::Archive;
use sluice_chat::history::Budget;
use sluice_chat::id::{ModelId, Position, Seq, SessionId, UserId};
use sluice_chat::log::Bounds;
use sluice_chat::turn::{Asker, ConnectionId, Input, Mode};
use sluice_upstream::Upstream;
use sluice_wire::close::CloseCode;
use sluice_wire::server::ServerFrame;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::admission::Registry;
use crate::ask::{Partings, Patience};
use crate::catalog::Catalog;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::policies::Policies;

mod idle;
mod journal;
mod task;

pub(crate) use idle::{Activity, InUse};
pub(crate) use journal::Journal;
use task::run;

/// Commands that wait for a session. Beyond that the sender is told that the session is busy.
const INBOX: usize = 64;

/// What every session works with.
#[derive(Debug)]
pub(crate) struct Means {
    /// Where messages are kept.
    pub(crate) archive: Archive,
    /// Models on offer.
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    /// Who judges.
    pub(crate) policies: Arc<Policies>,
    /// The way out.
    pub(crate) upstream: Upstream,
    /// How long asking may take.
    pub(crate) patience: Patience,
    /// What is sent as context.
    pub(crate) budget: Budget,
    /// Sent in front of each conversation, unless the model has one of its own.
    pub(crate) system_prompt: Option<String>,
    /// How much a log keeps.
    pub(crate) bounds: Bounds,
    /// Messages that may wait behind a running one.
    pub(crate) queue: usize,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Where it is handed in what somebody is to be told.
    pub(crate) notices: Arc<Notices>,
    /// What outlives a session for a moment, and shutdown waits for.
    pub(crate) tasks: TaskTracker,
}

impl Means {
    /// How providers are told to stop.
    pub(crate) fn partings(&self) -> Partings {
        Partings { upstream: self.upstream.clone(), tasks: self.tasks.clone() }
    }
}

/// A frame for one connection alone. Comes in a box, since each connection keeps room for many.
#[derive(Debug)]
pub(crate) struct Private {
    /// Session it speaks of.
    pub(crate) session: SessionId,
    /// Everything up to here is to be shown before it.
    pub(crate) after: Seq,
    /// The frame.
    pub(crate) frame: ServerFrame,
    /// Whether the session is over for good, so that nobody can follow it any more.
    pub(crate) last: bool,
}

/// The way to one connection.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    /// Frames for it alone; bounded, and who does not empty it is cut off.
    pub(crate) private: mpsc::Sender<Box<Private>>,
    /// Told whenever a log moved on.
    pub(crate) moved: Arc<Notify>,
    /// Cuts the connection off.
    pub(crate) cut_off: CutOff,
    /// Gone once the connection follows this session no more.
    pub(crate) follows: Weak<()>,
}

/// Ends a connection from outside of it. The first reason counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct CutOff {
    token: CancellationToken,
    code: Arc<OnceLock<CloseCode>>,
}

impl CutOff {
    /// Ends it.
    pub(crate) fn because(&self, code: CloseCode) {
        self.code.get_or_init(|| code);
        self.token.cancel();
    }

    /// Waits for the end.
    pub(crate) async fn cut(&self) -> CloseCode {
        self.token.cancelled().await;
        self.code.get().copied().unwrap_or(CloseCode::Internal)
    }
}

/// A session that is followed from here on.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Its log.
    pub(crate) journal: Journal,
    /// Where the reader begins.
    pub(crate) cursor: Position,
    /// Whether the position asked for could be served; none when none was asked for.
    pub(crate) resumed: Option<bool>,
    /// Who answers.
    pub(crate) mode: Mode,
}

/// Why a session cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FollowRefused {
    /// It is not there, or somebody else's.
    #[error("there is no such session")]
    NotFound,
    /// The user deleted it.
    #[error("the session is deleted")]
    Deleted,
    /// The archive cannot be read now.
    #[error("the session cannot be read now")]
    Unavailable,
    /// The connection follows as many as it may.
    #[error("no more sessions can be followed")]
    TooMany,
}

/// A connection that wants to follow.
#[derive(Debug)]
pub(crate) struct Follower {
    /// Which.
    pub(crate) connection: ConnectionId,
    /// The way to it.
    pub(crate) outbox: Outbox,
    /// Where it left off.
    pub(crate) resume: Option<Position>,
    /// Hears what comes of it.
    pub(crate) reply: oneshot::Sender<Result<Followed, FollowRefused>>,
}

/// What a session is told. Small, since each session keeps room for many: what is large comes in a box.
#[derive(Debug)]
pub(crate) enum Command {
    /// A connection wants to follow.
    Follow(Box<Follower>),
    /// Something for the turn.
    Turn(Box<Input>),
    /// Another model is to answer from here on.
    SelectModel(Box<(Asker, ModelId)>),
    /// The user asks for a human.
    Help(Box<Asker>),
    /// Somebody is writing: for the others who follow.
    Typing { connection: ConnectionId },
    /// The session has another name from here on, which is stored.
    Renamed(Box<str>),
    /// The user deleted the session: nothing of it goes on.
    Deleted,
    /// Nobody has needed the session for a while: it may leave memory, unless somebody came meanwhile.
    Retire,
}

/// The session did not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// Too many wait.
    #[error("the session takes no more commands now")]
    Full,
    /// Its task is over; another one may take its place.
    #[error("the session left memory")]
    Over,
}

/// Speaks to a session's task. While anybody but the registry holds one, the session stays in memory.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    id: SessionId,
    owner: UserId,
    inbox: mpsc::Sender<Command>,
    activity: Arc<Activity>,
    gone: CancellationToken,
}

/// The task's end of a [`Handle`]. Dropped when the session has put itself away.
#[derive(Debug)]
pub(crate) struct Inbox {
    id: SessionId,
    owner: UserId,
    commands: mpsc::Receiver<Command>,
    activity: Arc<Activity>,
    /// The task of the same session that came before, if it is not yet gone.
    before: Option<CancellationToken>,
    /// Says so to the one that comes after.
    _gone: DropGuard,
}

impl Inbox {
    /// Tells this session's task from one that comes after it.
    pub(crate) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }
}

impl Handle {
    /// A handle and what its task needs.
    ///
    /// `before` is the handle of the task that had the session until now: two never own it at a time.
    pub(crate) fn new(id: SessionId, owner: UserId, before: Option<&Self>) -> (Self, Inbox) {
        let (inbox, commands) = mpsc::channel(INBOX);
        let activity = Arc::new(Activity::new());
        let gone = CancellationToken::new();
        let handle = Self {
            id: id.clone(),
            owner: owner.clone(),
            inbox,
            activity: Arc::clone(&activity),
            gone: gone.clone(),
        };
        let before = before.map(|before| before.gone.clone());
        (handle, Inbox { id, owner, commands, activity, before, _gone: gone.drop_guard() })
    }

    /// Which session.
    pub(crate) fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose.
    pub(crate) fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Whether it speaks to the task of that activity.
    pub(crate) fn speaks_to(&self, activity: &Arc<Activity>) -> bool {
        Arc::ptr_eq(&self.activity, activity)
    }

    /// Tells the session, without waiting.
    pub(crate) fn tell(&self, command: Command) -> Result<(), NotTaken> {
        self.activity.touch();
        self.inbox.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Closed(_) => NotTaken::Over,
        })
    }

    /// Tells the session, and waits for room where many tell it at once. The session waits for nobody, so there soon is some.
    pub(crate) async fn tell_in_turn(&self, command: Command) -> Result<(), NotTaken> {
        self.activity.touch();
        self.inbox.send(command).await.map_err(|_| NotTaken::Over)
    }

    /// Lets the session leave memory, if it agrees that nobody needs it. Does not count as activity.
    pub(crate) fn retire(&self) {
        // A session with a full inbox is needed.
        drop(self.inbox.try_send(Command::Retire));
    }

    /// Whether the task takes nothing any more.
    pub(crate) fn is_over(&self) -> bool {
        self.inbox.is_closed()
    }

    /// What the session is doing.
    pub(crate) fn in_use(&self, now: tokio::time::Instant) -> InUse {
        InUse {
            held: self.inbox.strong_count() > 1,
            waited_for: self.inbox.capacity() < INBOX,
            running: self.activity.is_running(),
            quiet: self.activity.quiet(now),
        }
    }
}

/// Begins the task of a session, and takes it out of the registry when it is over.
pub(crate) fn begin(hall: Hall<'_>, inbox: Inbox, fresh: bool) {
    let Hall { registry, means, tasks, drain, halt } = hall;
    let (registry, means) = (Arc::clone(registry), Arc::clone(means));
    let (drain, halt) = (drain.clone(), halt.clone());
    let (id, activity) = (inbox.id.clone(), inbox.activity());
    // Whatever is logged in it, also below, carries this. Not below whoever began it: it outlives them.
    let span = tracing::error_span!(parent: None, "session", %id, user = %inbox.owner);
    let task = async move {
        run(means, inbox, fresh, drain, halt).await;
        registry.remove(&id, &activity);
    };
    tasks.spawn(task.instrument(span));
}

/// Where sessions live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hall<'a> {
    /// Those in memory.
    pub(crate) registry: &'a Arc<Registry>,
    /// What they work with.
    pub(crate) means: &'a Arc<Means>,
    /// Their tasks.
    pub(crate) tasks: &'a TaskTracker,
    /// Nothing new; answers finish.
    pub(crate) drain: &'a CancellationToken,
    /// Answers are cut short.
    pub(crate) halt: &'a CancellationToken,
}

#[cfg(test)]
mod tests;
