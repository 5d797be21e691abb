//! The sessions a connection follows: a cursor into each log, and what is for this connection alone.

use std::error::Error;
use std::sync::Arc;

use sluice_archive::{Archive, StoredMessage};
use sluice_chat::id::{Position, Seq, SessionId};
use sluice_chat::log::{Delivery, Event, FellBehind, Log, Next, Recall};
use sluice_chat::turn::Mode;
use sluice_wire::close::CloseCode;
use sluice_wire::server::ServerFrame;
use tokio::sync::{mpsc, oneshot};

use super::{Connection, Farewell, MAX_FOLLOWED, Outcome};
use crate::clock;
use crate::session::{
    Command, FollowRefused, Followed, Follower, Handle, Journal, Outbox, Private,
};

/// Frames for one connection alone that may wait. Who lets them fill up is cut off.
const PRIVATE: usize = 64;

/// A session this connection follows.
pub(super) struct Follow {
    pub(super) handle: Handle,
    pub(super) journal: Journal,
    cursor: Seq,
    /// Up to here the client's own messages are shown too: it asked for a replay.
    replay: Seq,
    /// What was read from the archive last, while the next pieces of it may follow.
    recalled: Option<StoredMessage>,
    mode: Mode,
    /// The session lets go of this connection once it is dropped.
    _follows: Arc<()>,
}

/// Frames for this connection alone, in the order in which sessions sent them.
pub(super) struct Mailbox {
    sender: mpsc::Sender<Box<Private>>,
    received: mpsc::Receiver<Box<Private>>,
    /// The next one.
    waiting: Option<Box<Private>>,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        let (sender, received) = mpsc::channel(PRIVATE);
        Self { sender, received, waiting: None }
    }

    /// Until there is something to send.
    pub(super) async fn wait(&mut self) {
        if self.waiting.is_none() {
            self.waiting = self.received.recv().await;
        }
    }

    /// The next one, without waiting.
    fn front(&mut self) -> Option<&Private> {
        if self.waiting.is_none() {
            self.waiting = self.received.try_recv().ok();
        }
        self.waiting.as_deref()
    }
}

impl Connection {
    pub(super) fn following(&self, session: &SessionId) -> Option<usize> {
        self.follows.iter().position(|follow| follow.handle.id() == session)
    }

    /// Follows the session no more.
    pub(super) fn leave(&mut self, session: &SessionId) {
        self.follows.retain(|follow| follow.handle.id() != session);
        self.current = self.current.take().filter(|current| current != session);
    }

    /// Follows the session, or a new one when it is not there or somebody else's.
    pub(super) async fn enter(
        &mut self,
        session: Option<&SessionId>,
    ) -> Result<usize, FollowRefused> {
        if let Some(index) = session.and_then(|session| self.following(session)) {
            self.current = session.cloned();
            return Ok(index);
        }
        if self.follows.len() >= MAX_FOLLOWED {
            return Err(FollowRefused::TooMany);
        }
        let found = match session {
            Some(session) => self.follow(session, None).await,
            None => Err(FollowRefused::NotFound),
        };
        match found {
            Ok(_) => {}
            Err(FollowRefused::NotFound) => {
                let handle = self.gateway.begin_session(&self.identity.user);
                self.attach(handle, None).await?;
            }
            Err(refused) => return Err(refused),
        }
        Ok(self.follows.len() - 1)
    }

    /// Follows a session of this user that is in memory or in the archive.
    pub(super) async fn follow(
        &mut self,
        session: &SessionId,
        position: Option<Position>,
    ) -> Result<Followed, FollowRefused> {
        // A session that is just leaving memory does not answer; the task that comes after it does.
        for _ in 0..2 {
            let handle = self.gateway.find_session(session, &self.identity.user).await?;
            match self.attach(handle, position).await {
                Err(FollowRefused::Unavailable) => {}
                answered @ (Ok(_)
                | Err(
                    FollowRefused::NotFound | FollowRefused::Deleted | FollowRefused::TooMany,
                )) => return answered,
            }
        }
        Err(FollowRefused::Unavailable)
    }

    async fn attach(
        &mut self,
        handle: Handle,
        resume: Option<Position>,
    ) -> Result<Followed, FollowRefused> {
        if self.follows.len() >= MAX_FOLLOWED {
            return Err(FollowRefused::TooMany);
        }
        let (reply, answer) = oneshot::channel();
        let follows = Arc::new(());
        let outbox = Outbox {
            private: self.private.sender.clone(),
            moved: Arc::clone(&self.moved),
            cut_off: self.cut_off.clone(),
            follows: Arc::downgrade(&follows),
        };
        let follower = Follower { connection: self.id, outbox, resume, reply };
        let follow = Command::Follow(Box::new(follower));
        handle.tell_in_turn(follow).await.map_err(|_| FollowRefused::Unavailable)?;
        let followed = answer.await.map_err(|_| FollowRefused::Unavailable)??;
        self.current = Some(handle.id().clone());
        // Most connections follow one.
        self.follows.reserve_exact(1);
        self.follows.push(Follow {
            handle,
            cursor: followed.cursor.seq,
            replay: followed.journal.read(Log::head).seq,
            recalled: None,
            journal: followed.journal.clone(),
            mode: followed.mode,
            _follows: follows,
        });
        // There may be something to replay.
        self.moved.notify_one();
        Ok(followed)
    }

    /// Answers a ping behind everything that the session's log had by then: whoever has the pong has all of it.
    pub(super) fn pong(&mut self, index: usize) -> Outcome {
        let Follow { handle, journal, .. } = &self.follows[index];
        let head = journal.read(Log::head);
        let frame = ServerFrame::pong(clock::now()).at(handle.id(), head);
        let session = handle.id().clone();
        let private = Box::new(Private { session, after: head.seq, frame, last: false });
        // Who pings on and on without reading lets them fill up.
        self.private.sender.try_send(private).map_err(|_| Farewell::Close(CloseCode::SlowConsumer))
    }

    /// Writes one frame of what is new, if anything is, and comes back for the rest: in between, everything else has its turn.
    ///
    /// The heads are looked up first and the private frames second: what was said privately before an event was appended is in
    /// the mailbox by the time the event is seen, so an ack never comes after the answer it precedes.
    pub(super) async fn step(&mut self) -> Outcome {
        let head = |follow: &Follow| follow.journal.read(Log::head).seq;
        let heads: Vec<Seq> = self.follows.iter().map(head).collect();
        if let Some(Private { session, after, .. }) = self.private.front() {
            let (session, after) = (session.clone(), *after);
            self.moved.notify_one();
            if let Some(index) = self.following(&session)
                && let Some(frame) = self.next(index, after).await?
            {
                return self.send(&frame).await;
            }
            return match self.private.waiting.take() {
                Some(private) => self.tell_privately(private).await,
                None => Ok(()),
            };
        }
        // Whoever was served goes to the end of the line, so that one busy session does not hold up the others.
        for (index, head) in heads.into_iter().enumerate() {
            if let Some(frame) = self.next(index, head).await? {
                self.moved.notify_one();
                let served = self.follows.remove(index);
                self.follows.push(served);
                return self.send(&frame).await;
            }
        }
        Ok(())
    }

    async fn tell_privately(&mut self, private: Box<Private>) -> Outcome {
        let Private { session, frame, last, .. } = *private;
        if !last {
            return self.send(&frame).await;
        }
        self.leave(&session);
        if !self.follows.is_empty() {
            return self.send(&frame).await;
        }
        self.send(&frame.fatal()).await?;
        Err(Farewell::Close(CloseCode::Superseded))
    }

    /// The next frame of a session's log after the cursor and not after a place. Moves the cursor.
    async fn next(&mut self, index: usize, through: Seq) -> Result<Option<ServerFrame>, Farewell> {
        loop {
            let Follow { handle, journal, cursor, replay, .. } = &self.follows[index];
            let (next, epoch) = journal.read(|log| (log.after(*cursor, through), log.head().epoch));
            let (session, replay) = (handle.id().clone(), *replay);
            let delivery = match next {
                Ok(None) => {
                    self.follows[index].recalled = None;
                    return Ok(None);
                }
                Ok(Some(Next::Ready(delivery))) => {
                    self.follows[index].recalled = None;
                    Some(delivery)
                }
                Ok(Some(Next::Stored(shape))) => {
                    let archive = self.gateway.means.archive.clone();
                    let recalled = &mut self.follows[index].recalled;
                    recall(archive, &session, shape, recalled).await?
                }
                Err(FellBehind) => None,
            };
            let Some(delivery) = delivery else { return Ok(Some(self.start_over(index))) };
            let own = matches!(&delivery.event, Event::Written(written)
                if written.origin == Some(self.id) && delivery.last > replay);
            let last = delivery.last;
            self.follows[index].cursor = last;
            if !own {
                let position = Position { epoch, seq: last };
                return Ok(Some(ServerFrame::delivery(&session, position, delivery)));
            }
        }
    }

    /// Too far behind even for the archive: the client starts over from history.
    fn start_over(&mut self, index: usize) -> ServerFrame {
        let follow = &mut self.follows[index];
        let (entrance, head) = follow.journal.read(|log| (log.entrance(), log.head()));
        follow.cursor = entrance;
        let position = Position { seq: entrance, ..head };
        let status = ServerFrame::status(clock::now());
        status.following(follow.handle.id(), position, follow.mode, Some(false))
    }
}

/// Reads the text of what is in memory by its shape only. None when the archive does not have it: deleted, or never stored.
///
/// A long answer is handed out in many pieces: it is read for the first and kept for those that follow.
async fn recall(
    archive: Archive,
    session: &SessionId,
    recall: Recall,
    recalled: &mut Option<StoredMessage>,
) -> Result<Option<Delivery>, Farewell> {
    let is_it = |message: &StoredMessage| message.id == *recall.message();
    if !recalled.as_ref().is_some_and(is_it) {
        let stored = archive.messages(session, Some(recall.place.next()), 1).await;
        let stored = stored.map_err(|error| {
            tracing::error!(error = &error as &dyn Error, %session, "could not read what is replayed");
            // It may be readable again by the time the client comes back.
            Farewell::Close(CloseCode::Internal)
        })?;
        *recalled = stored.into_iter().next_back().filter(is_it);
    }
    Ok(recalled.as_ref().and_then(|message| recall.with(&message.text)))
}
