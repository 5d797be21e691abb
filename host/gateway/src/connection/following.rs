//! The sessions a connection follows: a cursor into each log, and what is for this connection alone.

use std::collections::VecDeque;
use std::sync::Arc;

use sluice_chat::id::{Position, Seq, SessionId};
use sluice_chat::log::{Delivery, Event, Log};
use sluice_chat::turn::Mode;
use sluice_wire::close::CloseCode;
use sluice_wire::server::ServerFrame;
use tokio::sync::{mpsc, oneshot};

use super::{Connection, Farewell, MAX_FOLLOWED, Outcome};
use crate::clock;
use crate::session::{Command, FollowRefused, Followed, Handle, Journal, Outbox, Private};

/// Frames for one connection alone that may wait. Who lets them fill up is cut off.
const PRIVATE: usize = 64;

/// A session this connection follows.
pub(super) struct Follow {
    pub(super) handle: Handle,
    pub(super) journal: Journal,
    cursor: Seq,
    /// Up to here the client's own messages are shown too: it asked for a replay.
    replay: Seq,
    mode: Mode,
    /// The session lets go of this connection once it is dropped.
    _follows: Arc<()>,
}

/// Frames for this connection alone, in the order in which sessions sent them.
pub(super) struct Mailbox {
    sender: mpsc::Sender<Private>,
    received: mpsc::Receiver<Private>,
    waiting: VecDeque<Private>,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        let (sender, received) = mpsc::channel(PRIVATE);
        Self { sender, received, waiting: VecDeque::new() }
    }

    /// Until there is something to send.
    pub(super) async fn wait(&mut self) {
        if self.waiting.is_empty()
            && let Some(private) = self.received.recv().await
        {
            self.waiting.push_back(private);
        }
    }

    /// The next one, without waiting.
    fn front(&mut self) -> Option<&Private> {
        if self.waiting.is_empty() {
            self.waiting.extend(self.received.try_recv());
        }
        self.waiting.front()
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
        let follow = Command::Follow { connection: self.id, outbox, resume, reply };
        handle.tell(follow).map_err(|_| FollowRefused::Unavailable)?;
        let followed = answer.await.map_err(|_| FollowRefused::Unavailable)??;
        self.current = Some(handle.id().clone());
        self.follows.push(Follow {
            handle,
            cursor: followed.cursor.seq,
            replay: followed.journal.read(Log::head).seq,
            journal: followed.journal.clone(),
            mode: followed.mode,
            _follows: follows,
        });
        // There may be something to replay.
        self.moved.notify_one();
        Ok(followed)
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
                && let Some(frame) = self.next(index, after)
            {
                return self.send(&frame).await;
            }
            return match self.private.waiting.pop_front() {
                Some(private) => self.tell_privately(private).await,
                None => Ok(()),
            };
        }
        // Whoever was served goes to the end of the line, so that one busy session does not hold up the others.
        for (index, head) in heads.into_iter().enumerate() {
            if let Some(frame) = self.next(index, head) {
                self.moved.notify_one();
                let served = self.follows.remove(index);
                self.follows.push(served);
                return self.send(&frame).await;
            }
        }
        Ok(())
    }

    async fn tell_privately(&mut self, private: Private) -> Outcome {
        let Private { session, frame, last, .. } = private;
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
    fn next(&mut self, index: usize, through: Seq) -> Option<ServerFrame> {
        let id = self.id;
        let follow = &mut self.follows[index];
        loop {
            let cursor = follow.cursor;
            let (next, head) = follow.journal.read(|log| (log.after(cursor, through), log.head()));
            let Ok(next) = next else {
                // Too far behind even for merging: the client starts over from history.
                let entrance = follow.journal.read(Log::entrance);
                follow.cursor = entrance;
                let position = Position { seq: entrance, ..head };
                let status = ServerFrame::status(clock::now());
                let session = follow.handle.id();
                return Some(status.following(session, position, follow.mode, Some(false)));
            };
            let delivery = next?;
            follow.cursor = delivery.last;
            let Delivery { event, last, .. } = &delivery;
            let own = matches!(event, Event::Written(written)
                if written.origin == Some(id) && *last > follow.replay);
            if !own {
                return Some(ServerFrame::delivery(follow.handle.id(), head, delivery));
            }
        }
    }
}
