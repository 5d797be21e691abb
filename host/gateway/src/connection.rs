//! A connection: one task that owns a socket and a cursor into each session it follows.
//!
//! It keeps no frames waiting: what a reader has not taken yet stays in the session's log, and is merged when it comes to it.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use sha2::{Digest as _, Sha256};
use sluice_archive::{AppendError, ClientKey, Digest, Known};
use sluice_chat::id::{ClientMessageId, Instant, ModelId, Position, SessionId};
use sluice_chat::policy::Caller;
use sluice_chat::turn::{Asker, ConnectionId, Input, Say, Speaker};
use sluice_wire::client::ClientFrame;
use sluice_wire::close::CloseCode;
use sluice_wire::error::ErrorCode;
use sluice_wire::server::{ClientLimits, ServerFrame};
use tokio::sync::Notify;
use tokio::time::{Instant as Deadline, timeout};

use crate::accept::Line;
use crate::admission::Permit;
use crate::clock;
use crate::fresh;
use crate::gateway::Gateway;
use crate::identity::{Identity, TokenRefused};
use crate::rate::OverLimit;
use crate::session::{Command, CutOff, FollowRefused, Followed, NotTaken};

/// Sessions one connection may follow.
pub(crate) const MAX_FOLLOWED: usize = 16;
/// How often a sign of life is asked for.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(25);
/// How long one may stay silent before the connection counts as lost.
const SILENCE: Duration = Duration::from_mins(1);
/// How long the closing handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// How long before its token runs out a client is told.
const EXPIRY_NOTICE_MS: u64 = 60_000;

/// What a client said about itself when it opened the socket.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Whose token it brought.
    pub(crate) identity: Identity,
    /// From where it comes.
    pub(crate) address: IpAddr,
    /// Its place.
    pub(crate) permit: Permit,
    /// A session to follow at once.
    pub(crate) session: Option<SessionId>,
    /// Where it left off.
    pub(crate) position: Option<Position>,
}

/// Why the connection ends.
enum Farewell {
    /// The network is gone.
    Gone,
    /// The client closes it.
    Left,
    /// We close it.
    Close(CloseCode),
}

mod following;
mod pace;
mod writing;

use following::{Follow, Mailbox};
use pace::Pace;

type Outcome = Result<(), Farewell>;

struct Connection {
    gateway: Arc<Gateway>,
    socket: WebSocket,
    line: Line,
    id: ConnectionId,
    identity: Identity,
    address: IpAddr,
    caller: Arc<Caller>,
    follows: Vec<Follow>,
    /// The session used last: what a frame without a session means.
    current: Option<SessionId>,
    private: Mailbox,
    moved: Arc<Notify>,
    cut_off: CutOff,
    noticed_expiry: bool,
    paced: Pace,
}

/// What log lines about the connection carry, whoever writes them.
pub(crate) fn span(arrival: &Arrival) -> tracing::Span {
    let (id, user) = (arrival.permit.connection().0, &arrival.identity.user);
    tracing::error_span!(parent: None, "connection", id, %user)
}

/// Serves one socket until it closes.
///
/// Most connections wait most of the time: what takes kilobytes while it goes on has them in a box of its own until it is done.
pub(crate) async fn run(gateway: Arc<Gateway>, socket: WebSocket, line: Line, arrival: Arrival) {
    let Arrival { identity, address, permit, session, position } = arrival;
    let (arrived, metrics) = (Deadline::now(), Arc::clone(&gateway.means.metrics));
    let mut connection = Connection {
        gateway,
        socket,
        line,
        id: permit.connection(),
        caller: identity.caller(address),
        identity,
        address,
        follows: Vec::new(),
        current: None,
        private: Mailbox::new(),
        moved: Arc::new(Notify::new()),
        cut_off: permit.cut_off(),
        noticed_expiry: false,
        paced: Pace::default(),
    };
    let farewell = match Box::pin(connection.welcome(session, position)).await {
        Ok(()) => connection.serve().await,
        Err(farewell) => farewell,
    };
    Box::pin(connection.part(farewell)).await;
    metrics.traffic.stayed(arrived.elapsed());
    drop(permit);
}

impl Connection {
    async fn serve(&mut self) -> Farewell {
        // Everybody at a beat of their own: those who all came back at once are not asked at once for ever after.
        let first = HEARTBEAT.mul_f64(rand::random_range(0.2..1.0));
        let mut heartbeat = tokio::time::interval_at(Deadline::now() + first, HEARTBEAT);
        let mut heard = Deadline::now();
        let (cut_off, moved) = (self.cut_off.clone(), Arc::clone(&self.moved));
        let drain = self.gateway.drain.clone();
        loop {
            let due = self.expiry();
            let outcome = tokio::select! {
                () = drain.cancelled() => Err(Farewell::Close(CloseCode::GoingAway)),
                code = cut_off.cut() => Err(Farewell::Close(code)),
                message = self.socket.recv() => {
                    heard = Deadline::now();
                    Box::pin(self.receive(message)).await
                }
                () = self.private.wait() => Box::pin(self.step()).await,
                () = moved.notified() => Box::pin(self.step()).await,
                _ = heartbeat.tick() => Box::pin(self.beat(heard)).await,
                () = until(due) => Box::pin(self.expire()).await,
            };
            if let Err(farewell) = outcome {
                return farewell;
            }
        }
    }

    /// Says goodbye. What it followed lets go of it by itself.
    async fn part(mut self, farewell: Farewell) {
        self.follows.clear();
        let close = match farewell {
            Farewell::Gone => return,
            Farewell::Left => None,
            Farewell::Close(code) => {
                tracing::debug!(connection = self.id.0, code = code.code(), "closing a connection");
                Some(CloseFrame { code: code.code(), reason: code.reason().into() })
            }
        };
        if close.is_some()
            && let Err(error) = self.line.make_room()
        {
            tracing::debug!(error = &error as &dyn Error, "could not make room for a farewell");
        }
        let handshake = async {
            if let Some(frame) = close {
                self.socket.send(Message::Close(Some(frame))).await?;
            }
            // Reading on answers the peer's close frame, or waits for its answer to ours.
            while let Some(Ok(_)) = self.socket.recv().await {}
            Ok::<(), axum::Error>(())
        };
        // Whoever does not read does not see the close frame either.
        drop(timeout(HANDSHAKE, handshake).await);
    }

    async fn welcome(&mut self, session: Option<SessionId>, position: Option<Position>) -> Outcome {
        let (max_content, max_message_size) = {
            let rules = self.gateway.rules.load();
            (rules.limits.max_content, rules.limits.max_message_size)
        };
        let limits = ClientLimits {
            max_content,
            max_message_size,
            queue: self.gateway.means.queue,
            sessions: MAX_FOLLOWED,
        };
        let mut frame = ServerFrame::welcome(
            &fresh::trace(),
            self.identity.user.as_str(),
            self.gateway.means.catalog.load().offers(&self.identity.roles),
            u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
            limits,
            clock::now(),
        );
        let followed = match &session {
            Some(session) => self.follow(session, position).await.map(Some),
            None => Ok(None),
        };
        if let (Some(session), Ok(Some(followed))) = (&session, &followed) {
            frame = frame.following(session, followed.cursor, followed.mode, followed.resumed);
        }
        self.send(&frame).await?;
        match followed {
            // One that is not there, or not theirs, looks as if none had been named.
            Ok(_) | Err(FollowRefused::NotFound) => Ok(()),
            Err(refused) => self.send_code(refused.into(), None).await,
        }
    }

    async fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Outcome {
        // Pings too: each is answered, and the answers of one who does not read them pile up.
        if matches!(message, Some(Ok(_))) && !self.paced.allows(Deadline::now()) {
            return Err(Farewell::Close(CloseCode::RateLimited));
        }
        match message {
            Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await,
            Some(Ok(Message::Binary(_))) => Err(Farewell::Close(CloseCode::Unsupported)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) => Err(Farewell::Left),
            None => Err(Farewell::Gone),
            Some(Err(error)) => Err(farewell_for(error)),
        }
    }

    async fn hear(&mut self, text: &str) -> Outcome {
        self.traffic().received();
        let max_content = self.gateway.rules.load().limits.max_content;
        match ClientFrame::parse(text, max_content) {
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
                let asker = self.asker(None);
                self.tell(session, Command::Turn(Box::new(Input::Cancel { asker, which: message })))
                    .await
            }
            ClientFrame::Regenerate { session } => {
                if let Err(over) = self.charge() {
                    return self.send_over_limit(over, None).await;
                }
                let asker = self.asker(None);
                self.tell(session, Command::Turn(Box::new(Input::Regenerate(asker)))).await
            }
            ClientFrame::Resume { session, position } => self.resume(session, position).await,
            ClientFrame::Detach { session } => {
                self.leave(&session);
                Ok(())
            }
            ClientFrame::ModelSelect { session, model } => self.select_model(session, model).await,
            ClientFrame::Ping { session } => {
                let session = session.or_else(|| self.current.clone());
                match session.and_then(|session| self.following(&session)) {
                    Some(index) => self.pong(index),
                    None => self.send(&ServerFrame::pong(clock::now())).await,
                }
            }
            ClientFrame::HelpRequest { session } => {
                if let Err(over) = self.charge() {
                    return self.send_over_limit(over, None).await;
                }
                let asker = self.asker(None);
                self.tell(session, Command::Help(Box::new(asker))).await
            }
            ClientFrame::Typing { session } => {
                self.tell(session, Command::Typing { connection: self.id }).await
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
        let digest = digest(&content, model.as_ref());
        if let Some(id) = &client {
            match self.known(id, digest).await {
                Ok(Some(known)) => return self.say_again(id, known).await,
                Err(AppendError::Conflict) => {
                    return self.send_code(ErrorCode::Conflict, Some(id)).await;
                }
                // When the archive cannot say, storing the message will find out.
                Ok(None)
                | Err(
                    AppendError::Fenced
                    | AppendError::NotOwner
                    | AppendError::Gone
                    | AppendError::Store(_),
                ) => {}
            }
        }
        if let Err(over) = self.charge() {
            return self.send_over_limit(over, client.as_ref()).await;
        }
        let index = match self.enter(session.as_ref()).await {
            Ok(index) => index,
            Err(refused) => return self.send_code(refused.into(), client.as_ref()).await,
        };
        let asker = self.asker(client.clone());
        let say = Say { asker, speaker: Speaker::User, content, model, digest };
        self.hand_over(index, Command::Turn(Box::new(Input::Say(say))), client.as_ref()).await
    }

    /// The message that was stored under a client's own id.
    async fn known(
        &mut self,
        client: &ClientMessageId,
        digest: [u8; 32],
    ) -> Result<Option<Known>, AppendError> {
        let archive = &self.gateway.means.archive;
        let client = ClientKey {
            user: self.identity.user.clone(),
            id: client.clone(),
            digest: Digest(digest),
        };
        archive.find_client_message(&client, clock::now()).await
    }

    /// Acknowledges a message that is stored already: neither the limit nor what runs has anything to do with it.
    async fn say_again(&mut self, client: &ClientMessageId, known: Known) -> Outcome {
        if let Err(refused) = self.enter(Some(&known.session)).await {
            return self.send_code(refused.into(), Some(client)).await;
        }
        let position = Position { epoch: known.epoch, seq: known.seq };
        let (message, at) = (&known.message_id, clock::now());
        let ack = ServerFrame::ack(&known.session, position, message, Some(client), at);
        self.send(&ack).await
    }

    fn asker(&self, client: Option<ClientMessageId>) -> Asker {
        Asker { caller: Arc::clone(&self.caller), connection: self.id, client }
    }

    /// Counts a message of this user.
    fn charge(&self) -> Result<(), OverLimit> {
        self.gateway.charge_message(&self.identity.user)
    }

    async fn select_model(&mut self, session: Option<SessionId>, model: ModelId) -> Outcome {
        let session = session.or_else(|| self.current.clone());
        let begins = session.as_ref().and_then(|session| self.following(session)).is_none();
        if begins && let Err(over) = self.charge() {
            return self.send_over_limit(over, None).await;
        }
        let index = match self.enter(session.as_ref()).await {
            Ok(index) => index,
            Err(refused) => return self.send_code(refused.into(), None).await,
        };
        let asker = self.asker(None);
        self.hand_over(index, Command::SelectModel(Box::new((asker, model))), None).await
    }

    /// Tells a session that is followed, or the one used last.
    async fn tell(&mut self, session: Option<SessionId>, command: Command) -> Outcome {
        let Some(session) = session.or_else(|| self.current.clone()) else {
            return self.send_missing("session_id").await;
        };
        let index = match self.following(&session) {
            Some(index) => Ok(index),
            None => self.follow(&session, None).await.map(|_| self.follows.len() - 1),
        };
        match index {
            Ok(index) => self.hand_over(index, command, None).await,
            Err(refused) => self.send_code(refused.into(), None).await,
        }
    }

    async fn hand_over(
        &mut self,
        index: usize,
        command: Command,
        client: Option<&ClientMessageId>,
    ) -> Outcome {
        match self.follows[index].handle.tell(command) {
            Ok(()) => Ok(()),
            Err(NotTaken::Full) => self.send_code(ErrorCode::Busy, client).await,
            Err(NotTaken::Over) => {
                // The next frame finds the task that comes after it.
                self.follows.swap_remove(index);
                self.send_code(ErrorCode::ServiceError, client).await
            }
        }
    }

    async fn resume(&mut self, session: SessionId, position: Option<Position>) -> Outcome {
        self.leave(&session);
        match self.follow(&session, position).await {
            Ok(Followed { cursor, resumed, mode, .. }) => {
                let status = ServerFrame::status(clock::now());
                self.send(&status.following(&session, cursor, mode, resumed)).await
            }
            Err(FollowRefused::NotFound) => self.send_code(ErrorCode::ResumeFailed, None).await,
            Err(refused) => self.send_code(refused.into(), None).await,
        }
    }

    async fn authenticate(&mut self, token: &str) -> Outcome {
        match self.gateway.identify(token).await {
            Ok(identity) if identity.user == self.identity.user => {
                self.caller = identity.caller(self.address);
                self.identity = identity;
                self.noticed_expiry = false;
                Ok(())
            }
            Ok(_) => Err(Farewell::Close(CloseCode::Forbidden)),
            Err(refused) => {
                let code = match refused {
                    TokenRefused::Expired => ErrorCode::ExpiredToken,
                    TokenRefused::Invalid => ErrorCode::InvalidToken,
                    TokenRefused::Unknowable => ErrorCode::ServiceError,
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
            let body = self.error_body(ErrorCode::ExpiredToken, None).fatal();
            self.send_error(body, None).await?;
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
            FollowRefused::TooMany => Self::Busy,
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
