//! A connection: one task that owns a socket and a cursor into each session it follows.
//!
//! It keeps no frames waiting: what a reader has not taken yet stays in the session's log, and is merged when it comes to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use sha2::{Digest as _, Sha256};
use sluice_chat::id::{ClientMessageId, Instant, ModelId, Position, Seq, SessionId};
use sluice_chat::log::{Event, Log};
use sluice_chat::turn::{Asker, ConnectionId, Input, Mode, Say};
use sluice_wire::client::ClientFrame;
use sluice_wire::close::CloseCode;
use sluice_wire::error::{ErrorBody, ErrorCode};
use sluice_wire::server::{ClientLimits, ServerFrame};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant as Deadline, timeout};

use crate::admission::Permit;
use crate::clock;
use crate::fresh;
use crate::gateway::Gateway;
use crate::identity::{Identity, TokenRefused};
use crate::rate::OverLimit;
use crate::session::{Command, CutOff, FollowRefused, Followed, Handle, Journal, Outbox, Private};

/// Sessions one connection may follow.
pub(crate) const MAX_FOLLOWED: usize = 16;
/// How often a sign of life is asked for.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(25);
/// How long one may stay silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_mins(1);
/// How long one frame may take to be taken off the socket.
const PROGRESS: Duration = Duration::from_secs(10);
/// How long before its token runs out a client is told.
const EXPIRY_NOTICE_MS: u64 = 60_000;
/// Frames for this connection alone that may wait.
const PRIVATE: usize = 64;

/// What a client said about itself when it opened the socket.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Whose token it brought.
    pub(crate) identity: Identity,
    /// Its place.
    pub(crate) permit: Permit,
    /// A session to follow at once.
    pub(crate) session: Option<SessionId>,
    /// Where it left off.
    pub(crate) position: Option<Position>,
}

/// A session this connection follows.
struct Follow {
    handle: Handle,
    journal: Journal,
    cursor: Seq,
    /// Up to here the client's own messages are shown too: it asked for a replay.
    replay: Seq,
    mode: Mode,
}

/// Why the connection ends.
enum Farewell {
    /// The client left, or its network did.
    Gone,
    /// We close it.
    Close(CloseCode),
}

type Outcome = Result<(), Farewell>;

struct Connection {
    gateway: Arc<Gateway>,
    socket: WebSocket,
    id: ConnectionId,
    identity: Identity,
    follows: Vec<Follow>,
    /// The session used last: what a frame without a session means.
    current: Option<SessionId>,
    outbox: Outbox,
    private: mpsc::Receiver<Private>,
    noticed_expiry: bool,
}

/// Serves one socket until it closes.
pub(crate) async fn run(gateway: Arc<Gateway>, socket: WebSocket, arrival: Arrival) {
    let Arrival { identity, permit, session, position } = arrival;
    let (sender, private) = mpsc::channel(PRIVATE);
    let outbox =
        Outbox { private: sender, moved: Arc::new(Notify::new()), cut_off: CutOff::default() };
    let mut connection = Connection {
        gateway,
        socket,
        id: permit.connection(),
        identity,
        follows: Vec::new(),
        current: None,
        outbox,
        private,
        noticed_expiry: false,
    };
    let farewell = match connection.welcome(session, position).await {
        Ok(()) => connection.serve().await,
        Err(farewell) => farewell,
    };
    connection.part(farewell).await;
    drop(permit);
}

impl Connection {
    async fn serve(&mut self) -> Farewell {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.reset();
        let mut heard = Deadline::now();
        let cut_off = self.outbox.cut_off.clone();
        let moved = Arc::clone(&self.outbox.moved);
        let drain = self.gateway.drain.clone();
        loop {
            let due = self.expiry();
            let outcome = tokio::select! {
                () = drain.cancelled() => Err(Farewell::Close(CloseCode::GoingAway)),
                code = cut_off.cut() => Err(Farewell::Close(code)),
                message = self.socket.recv() => {
                    heard = Deadline::now();
                    self.receive(message).await
                }
                Some(private) = self.private.recv() => self.pump(Some(private)).await,
                () = moved.notified() => self.pump(None).await,
                _ = heartbeat.tick() => self.beat(heard).await,
                () = until(due) => self.expire().await,
            };
            if let Err(farewell) = outcome {
                return farewell;
            }
        }
    }

    /// Says goodbye and lets go of everything.
    async fn part(mut self, farewell: Farewell) {
        for follow in self.follows.drain(..) {
            // A session that is busy drops the outbox when it next writes to it.
            let _busy = follow.handle.tell(Command::Leave(self.id));
        }
        if let Farewell::Close(code) = farewell {
            tracing::debug!(connection = self.id.0, code = code.code(), "closing a connection");
            let frame = CloseFrame { code: code.code(), reason: code.reason().into() };
            let close = async {
                self.socket.send(Message::Close(Some(frame))).await?;
                // The peer's own close frame ends the exchange; until then it may still be reading.
                while let Some(Ok(_)) = self.socket.recv().await {}
                Ok::<(), axum::Error>(())
            };
            // Whoever does not read does not see the close frame either.
            drop(timeout(Duration::from_secs(2), close).await);
        }
    }

    async fn welcome(&mut self, session: Option<SessionId>, position: Option<Position>) -> Outcome {
        let limits = ClientLimits {
            max_content: self.gateway.limits.max_content,
            max_message_size: self.gateway.limits.max_message_size,
            queue: self.gateway.means.queue,
            sessions: MAX_FOLLOWED,
        };
        let mut frame = ServerFrame::welcome(
            &fresh::trace(),
            self.identity.user.as_str(),
            self.gateway.means.catalog.load().offers(),
            u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
            limits,
            clock::now(),
        );
        // One that is not there, or not theirs, looks as if none had been named.
        if let Some(session) = session
            && let Ok(followed) = self.follow(&session, position).await
        {
            frame = frame.following(&session, followed.cursor, followed.mode, followed.resumed);
        }
        self.send(&frame).await?;
        self.pump(None).await
    }

    async fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Outcome {
        match message {
            Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await,
            Some(Ok(Message::Binary(_))) => Err(Farewell::Close(CloseCode::Unsupported)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(Farewell::Gone),
            Some(Err(error)) => Err(farewell_for(error)),
        }
    }

    async fn hear(&mut self, text: &str) -> Outcome {
        match ClientFrame::parse(text, self.gateway.limits.max_content) {
            Ok(frame) => self.act(frame).await,
            Err(refused) => {
                let body = self
                    .error_body(refused.code, refused.field.map(|field| format!("field: {field}")));
                self.send_error(body, refused.client.as_ref()).await
            }
        }
    }

    async fn act(&mut self, frame: ClientFrame) -> Outcome {
        match frame {
            ClientFrame::UserMessage { content, session, client, model } => {
                self.say(content, session, client, model).await
            }
            ClientFrame::Cancel { session, message } => {
                self.tell(session, Command::Turn(Input::Cancel(message))).await
            }
            ClientFrame::Regenerate { session } => {
                let asker = Asker { connection: self.id, client: None };
                self.tell(session, Command::Turn(Input::Regenerate(asker))).await
            }
            ClientFrame::Resume { session, position } => self.resume(session, position).await,
            ClientFrame::Detach { session } => {
                if let Some(index) = self.following(&session) {
                    let follow = self.follows.swap_remove(index);
                    let _busy = follow.handle.tell(Command::Leave(self.id));
                }
                self.current = self.current.take().filter(|current| *current != session);
                Ok(())
            }
            ClientFrame::ModelSelect { session, model } => self.select_model(session, model).await,
            ClientFrame::Ping { session } => {
                let session = session.or_else(|| self.current.clone());
                let mut pong = ServerFrame::pong(clock::now());
                if let Some(index) = session.and_then(|session| self.following(&session)) {
                    let follow = &self.follows[index];
                    pong = pong.at(follow.handle.id(), follow.journal.read(Log::head));
                }
                self.send(&pong).await
            }
            ClientFrame::Authenticate { token } => self.authenticate(&token).await,
        }
    }

    async fn say(
        &mut self,
        content: String,
        session: Option<SessionId>,
        client: Option<ClientMessageId>,
        model: Option<ModelId>,
    ) -> Outcome {
        if let Err(over) = self.gateway.messages.take(self.identity.user.clone(), Deadline::now()) {
            return self.send_over_limit(over, client.as_ref()).await;
        }
        let session = match (session, &client) {
            // A first message sent again after a lost ack names no session, but has one.
            (None, Some(id)) => self.session_of(id).await,
            (session, _) => session,
        };
        let index = match self.enter(session.as_ref()).await {
            Ok(index) => index,
            Err(code) => return self.send_code(code, client.as_ref()).await,
        };
        let digest = digest(&content, model.as_ref());
        let asker = Asker { connection: self.id, client: client.clone() };
        let say = Say { asker, content, model, digest };
        match self.follows[index].handle.tell(Command::Turn(Input::Say(say))) {
            Ok(()) => Ok(()),
            Err(_) => self.send_code(ErrorCode::Busy, client.as_ref()).await,
        }
    }

    /// The session in which the client used that id before.
    async fn session_of(&mut self, client: &ClientMessageId) -> Option<SessionId> {
        let archive = &self.gateway.means.archive;
        let known = archive.find_client_message(&self.identity.user, client, clock::now()).await;
        known.ok().flatten().map(|known| known.session)
    }

    /// Follows the session, or a new one when it is not there or somebody else's.
    async fn enter(&mut self, session: Option<&SessionId>) -> Result<usize, ErrorCode> {
        if let Some(index) = session.and_then(|session| self.following(session)) {
            self.current = session.cloned();
            return Ok(index);
        }
        if self.follows.len() >= MAX_FOLLOWED {
            return Err(ErrorCode::Busy);
        }
        let found = match session {
            Some(session) => match self.follow(session, None).await {
                Ok(_) => true,
                Err(FollowRefused::NotFound) => false,
                Err(refused) => return Err(refused.into()),
            },
            None => false,
        };
        if !found {
            let handle = self.gateway.begin_session(&self.identity.user);
            self.attach(handle, None).await.map_err(|_| ErrorCode::ServiceError)?;
        }
        Ok(self.follows.len() - 1)
    }

    async fn select_model(&mut self, session: Option<SessionId>, model: ModelId) -> Outcome {
        let session = session.or_else(|| self.current.clone());
        let index = match self.enter(session.as_ref()).await {
            Ok(index) => index,
            Err(code) => return self.send_code(code, None).await,
        };
        let asker = Asker { connection: self.id, client: None };
        match self.follows[index].handle.tell(Command::SelectModel { asker, model }) {
            Ok(()) => Ok(()),
            Err(_) => self.send_code(ErrorCode::Busy, None).await,
        }
    }

    /// Tells a session that is followed, or the one used last.
    async fn tell(&mut self, session: Option<SessionId>, command: Command) -> Outcome {
        let Some(session) = session.or_else(|| self.current.clone()) else {
            return self.send_code(ErrorCode::MissingField, None).await;
        };
        let index = match self.following(&session) {
            Some(index) => index,
            None => match self.follow(&session, None).await {
                Ok(_) => self.follows.len() - 1,
                Err(refused) => return self.send_code(refused.into(), None).await,
            },
        };
        match self.follows[index].handle.tell(command) {
            Ok(()) => Ok(()),
            Err(_) => self.send_code(ErrorCode::Busy, None).await,
        }
    }

    async fn resume(&mut self, session: SessionId, position: Option<Position>) -> Outcome {
        if let Some(index) = self.following(&session) {
            self.follows.swap_remove(index);
        }
        if self.follows.len() >= MAX_FOLLOWED {
            return self.send_code(ErrorCode::Busy, None).await;
        }
        match self.follow(&session, position).await {
            Ok(followed) => {
                let Followed { cursor, resumed, mode, .. } = followed;
                let status = ServerFrame::status(clock::now());
                self.send(&status.following(&session, cursor, mode, resumed)).await?;
                self.pump(None).await
            }
            Err(refused) => self.send_code(refused.into(), None).await,
        }
    }

    fn following(&self, session: &SessionId) -> Option<usize> {
        self.follows.iter().position(|follow| follow.handle.id() == session)
    }

    /// Follows a session of this user that is in memory or in the archive.
    async fn follow(
        &mut self,
        session: &SessionId,
        position: Option<Position>,
    ) -> Result<Followed, FollowRefused> {
        // A session that is just leaving memory does not answer; the task that comes after it does.
        for _ in 0..2 {
            let handle = self.gateway.find_session(session, &self.identity.user).await?;
            match self.attach(handle, position).await {
                Err(FollowRefused::Unavailable) => {}
                answered @ (Ok(_) | Err(FollowRefused::NotFound | FollowRefused::Deleted)) => {
                    return answered;
                }
            }
        }
        Err(FollowRefused::Unavailable)
    }

    async fn attach(
        &mut self,
        handle: Handle,
        resume: Option<Position>,
    ) -> Result<Followed, FollowRefused> {
        let (reply, answer) = oneshot::channel();
        let outbox = self.outbox.clone();
        let follow = Command::Follow { connection: self.id, outbox, resume, reply };
        handle.tell(follow).map_err(|_| FollowRefused::Unavailable)?;
        let followed = answer.await.map_err(|_| FollowRefused::Unavailable)??;
        let cursor = followed.cursor.seq;
        let journal = followed.journal.clone();
        let replay = journal.read(Log::head).seq;
        self.current = Some(handle.id().clone());
        let mode = followed.mode;
        self.follows.push(Follow { handle, journal, cursor, replay, mode });
        Ok(followed)
    }

    /// Writes what is new.
    ///
    /// The heads are looked up first and the private frames second: what was said privately before an event was appended is in
    /// the mailbox by the time the event is seen, so an ack never comes after the answer it precedes.
    async fn pump(&mut self, first: Option<Private>) -> Outcome {
        let heads: Vec<(SessionId, Seq)> = self
            .follows
            .iter()
            .map(|follow| (follow.handle.id().clone(), follow.journal.read(Log::head).seq))
            .collect();
        let mut waiting = VecDeque::from_iter(first);
        while let Ok(private) = self.private.try_recv() {
            waiting.push_back(private);
        }
        for Private { session, after, frame } in waiting {
            self.catch_up(&session, after).await?;
            self.send(&frame).await?;
        }
        for (session, head) in heads {
            self.catch_up(&session, head).await?;
        }
        Ok(())
    }

    /// Writes the session's log from the cursor through a position.
    async fn catch_up(&mut self, session: &SessionId, through: Seq) -> Outcome {
        while let Some(index) = self.following(session) {
            let Follow { journal, cursor, replay, .. } = &self.follows[index];
            let (from, replay) = (*cursor, *replay);
            let (next, head) = journal.read(|log| (log.after(from, through), log.head()));
            match next {
                Ok(None) => return Ok(()),
                Ok(Some(delivery)) => {
                    self.follows[index].cursor = delivery.last;
                    let own = matches!(&delivery.event, Event::Written(written)
                        if written.origin == Some(self.id) && delivery.last > replay);
                    if !own {
                        self.send(&ServerFrame::delivery(session, head, delivery)).await?;
                    }
                }
                // Too far behind even for merging: the client starts over from history.
                Err(_) => {
                    self.follows[index].cursor = head.seq;
                    let mode = self.follows[index].mode;
                    let status = ServerFrame::status(clock::now());
                    self.send(&status.following(session, head, mode, Some(false))).await?;
                }
            }
        }
        Ok(())
    }

    async fn authenticate(&mut self, token: &str) -> Outcome {
        match self.gateway.seal.verify(token) {
            Ok(identity) if identity.user == self.identity.user => {
                self.identity = identity;
                self.noticed_expiry = false;
                Ok(())
            }
            Ok(_) => Err(Farewell::Close(CloseCode::Forbidden)),
            Err(refused) => {
                let code = match refused {
                    TokenRefused::Expired => ErrorCode::ExpiredToken,
                    TokenRefused::Invalid => ErrorCode::InvalidToken,
                };
                // The token in force stays in force.
                self.send_code(code, None).await
            }
        }
    }

    /// When something is to be said about the token in force.
    fn expiry(&self) -> Instant {
        let expires = self.identity.expires.0;
        let before = if self.noticed_expiry { 0 } else { EXPIRY_NOTICE_MS };
        Instant(expires.saturating_sub(before))
    }

    async fn expire(&mut self) -> Outcome {
        if self.noticed_expiry {
            self.send_code(ErrorCode::ExpiredToken, None).await?;
            return Err(Farewell::Close(CloseCode::TokenExpired));
        }
        self.noticed_expiry = true;
        let text = "The token expires soon; authenticate again.";
        self.send(&ServerFrame::notification("token_expiring", text, clock::now())).await
    }

    async fn beat(&mut self, heard: Deadline) -> Outcome {
        if heard.elapsed() > SILENCE {
            return Err(Farewell::Close(CloseCode::HeartbeatLost));
        }
        self.write(Message::Ping(bytes::Bytes::new())).await
    }

    fn error_body(&self, code: ErrorCode, detail: Option<String>) -> ErrorBody {
        let trace = fresh::trace();
        tracing::debug!(trace, connection = self.id.0, code = code.as_str(), "refused a frame");
        ErrorBody { detail, ..ErrorBody::new(code, trace) }
    }

    async fn send_over_limit(
        &mut self,
        over: OverLimit,
        client: Option<&ClientMessageId>,
    ) -> Outcome {
        // Rounded up: who comes back then is let in.
        let ms = u64::try_from(over.retry_after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let body = self.error_body(ErrorCode::TooManyRequests, None);
        self.send_error(ErrorBody { retry_after: Some(ms.max(1)), ..body }, client).await
    }

    async fn send_code(&mut self, code: ErrorCode, client: Option<&ClientMessageId>) -> Outcome {
        let body = self.error_body(code, None);
        self.send_error(body, client).await
    }

    async fn send_error(&mut self, body: ErrorBody, client: Option<&ClientMessageId>) -> Outcome {
        self.send(&ServerFrame::error(body, client, clock::now())).await
    }

    async fn send(&mut self, frame: &ServerFrame) -> Outcome {
        self.write(Message::Text(frame.to_json().into())).await
    }

    async fn write(&mut self, message: Message) -> Outcome {
        match timeout(PROGRESS, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Farewell::Gone),
            Err(_) => Err(Farewell::Close(CloseCode::SlowConsumer)),
        }
    }
}

/// Waits for a time of day. A day at most: timers do not reach for ever, and the loop asks again.
async fn until(due: Instant) {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    loop {
        let wait = due.0.saturating_sub(clock::now().0).min(DAY_MS);
        if wait == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// What a client's own id for a message stands for.
fn digest(content: &str, model: Option<&ModelId>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(content.len().to_le_bytes());
    hash.update(content);
    hash.update(model.map_or("", ModelId::as_str));
    hash.finalize().into()
}

impl From<FollowRefused> for ErrorCode {
    fn from(refused: FollowRefused) -> Self {
        match refused {
            FollowRefused::NotFound => Self::NotFound,
            FollowRefused::Deleted => Self::SessionClosed,
            FollowRefused::Unavailable => Self::DatabaseError,
        }
    }
}

/// What a broken socket is told, if anything can be told at all.
fn farewell_for(error: axum::Error) -> Farewell {
    let error = error.into_inner();
    match error.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => Farewell::Close(CloseCode::TooLarge),
        Some(tungstenite::Error::Utf8(_)) => Farewell::Close(CloseCode::NotUtf8),
        Some(tungstenite::Error::Protocol(problem))
            if *problem != tungstenite::error::ProtocolError::ResetWithoutClosingHandshake =>
        {
            Farewell::Close(CloseCode::Protocol)
        }
        _ => Farewell::Gone,
    }
}
