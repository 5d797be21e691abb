//! The session task: owns everything of its session and decides nothing; [`Turn`] decides, this carries out.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;

use sluice_archive::{
    Answer, AppendError, Appended, ChangeError, ClientKey, Digest, NewMessage, Outcome, StoreError,
};
use sluice_chat::history::{self};
use sluice_chat::id::{
    Epoch, Fence, Instant, MessageId, ModelId, Position, Seq, SessionId, UserId,
};
use sluice_chat::log::{Log, Written};
use sluice_chat::policy::Caller;
use sluice_chat::turn::{
    Asker, ConnectionId, Effect, Input, Mode, Question, Refusal, Saved, Say, Sender, Tenure, Turn,
};
use sluice_wire::close::CloseCode;
use sluice_wire::error::{ErrorBody, ErrorCode};
use sluice_wire::server::ServerFrame;
use tokio::time::Instant as Deadline;
use tokio_util::sync::CancellationToken;

use super::journal::Scribe;
use super::{Command, FollowRefused, Followed, Follower, Inbox, Means, Outbox, Private};
use crate::ask::{AskError, Heard};
use crate::metrics::Operation;
use crate::policies::Filtered;
use crate::{clock, fresh};

/// Numbers reserved at a time. None is shown before it is reserved, so that none is ever used twice.
const RESERVED: u64 = 1_024;

/// Runs one session until nobody needs it any more.
///
/// `drain` lets the running answer finish and takes nothing new; `halt` cuts it short and marks it.
///
/// Most sessions wait most of the time: what takes kilobytes while it goes on has them in a box of its own until it is done.
pub(crate) async fn run(
    means: Arc<Means>,
    mut inbox: Inbox,
    fresh: bool,
    drain: CancellationToken,
    halt: CancellationToken,
) {
    if let Some(before) = inbox.before.take() {
        before.cancelled().await;
    }
    let mut session = match Box::pin(Session::open(means, &inbox, fresh)).await {
        Ok(session) => session,
        Err(refused) => return turn_away(inbox, refused).await,
    };
    let (mut draining, mut halted) = (false, false);
    while !(session.lost || draining && session.turn.is_idle()) {
        let checkpoint = session.checkpoint_due();
        tokio::select! {
            command = inbox.commands.recv() => match command {
                Some(Command::Retire) if session.is_needed() || !inbox.commands.is_empty() => {}
                Some(Command::Retire) | None => break,
                Some(command) => Box::pin(session.take(command)).await,
            },
            heard = next(&mut session.asking) => session.hear(heard).await,
            () = sleep_until(checkpoint) => session.checkpoint(),
            () = drain.cancelled(), if !draining => draining = true,
            () = halt.cancelled(), if !halted => {
                halted = true;
                session.apply(Input::Drain).await;
            }
        }
        inbox.activity.set_running(!session.turn.is_idle());
    }
    // Whoever wrote in this very moment hears nothing, and comes again to the task that follows.
    inbox.commands.close();
    Box::pin(session.leave()).await;
}

/// Answers everybody that there is no session, until nobody asks any more.
async fn turn_away(mut inbox: Inbox, refused: FollowRefused) {
    inbox.commands.close();
    while let Some(command) = inbox.commands.recv().await {
        if let Command::Follow(follower) = command {
            // Whoever asked may be gone by now, and then need not know.
            drop(follower.reply.send(Err(refused)));
        }
    }
}

mod answering;
mod screening;

use answering::Running;
use screening::Screened;

async fn next(asking: &mut Option<Filtered>) -> Heard {
    match asking {
        Some(asking) => asking.next().await.unwrap_or(Heard::Ended(Err(AskError::NothingToRead))),
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

struct Session {
    means: Arc<Means>,
    id: SessionId,
    owner: UserId,
    turn: Turn,
    scribe: Scribe,
    reserved: Seq,
    /// Whether the archive has a row for it.
    stored: bool,
    model: Option<ModelId>,
    /// Who asked for what is in hand.
    caller: Arc<Caller>,
    /// What the policies made of it, until it is asked.
    screened: Option<Screened>,
    /// The message answered last, where it stands, for acknowledging it again.
    asked: Option<(MessageId, Seq)>,
    followers: HashMap<ConnectionId, Outbox>,
    asking: Option<Filtered>,
    running: Option<Running>,
    /// Names the failure that the next refusal tells of.
    trace: Option<String>,
    /// Set when the archive says that the session is somebody else's or gone.
    lost: bool,
    /// The answer that could not be stored when it ended, and how it did. Nothing is said before it is.
    unfinished: Option<(Answer, Outcome)>,
    /// Set when the archive could not say whether it stored a message: its number may be used.
    unsure: bool,
}

impl Session {
    async fn open(
        means: Arc<Means>,
        inbox: &Inbox,
        fresh: bool,
    ) -> Result<Box<Self>, FollowRefused> {
        let mut session = Box::new(Self {
            turn: Turn::new(means.queue, Tenure::default()),
            scribe: Scribe::new(Log::new(Position { epoch: Epoch(1), seq: Seq(0) }, means.bounds)),
            means,
            id: inbox.id.clone(),
            owner: inbox.owner.clone(),
            reserved: Seq(0),
            stored: false,
            model: None,
            caller: Arc::default(),
            screened: None,
            asked: None,
            followers: HashMap::new(),
            asking: None,
            running: None,
            trace: None,
            lost: false,
            unfinished: None,
            unsure: false,
        });
        if !fresh {
            session.load().await?;
        }
        Ok(session)
    }

    async fn load(&mut self) -> Result<(), FollowRefused> {
        let taken = self.means.archive.take_session(&self.id, clock::now()).await;
        let stored = taken.map_err(|error| {
            tracing::error!(error = &error as &dyn Error, session = %self.id, "could not load a session");
            FollowRefused::Unavailable
        })?;
        let Some(stored) = stored.filter(|stored| stored.owner == self.owner) else {
            return Err(FollowRefused::NotFound);
        };
        let head = Position { epoch: stored.epoch, seq: stored.head };
        self.scribe = Scribe::new(Log::new(head, self.means.bounds));
        let tenure = Tenure { mode: stored.mode, fence: stored.fence, operator: None };
        self.turn = Turn::new(self.means.queue, tenure);
        self.reserved = stored.reserved;
        self.model = stored.model;
        self.stored = true;
        Ok(())
    }

    /// After a message of which nobody knows whether it is stored: takes the session anew, as after a
    /// crash, above every number that may be used and in a new epoch. Says whether that went well.
    async fn retake(&mut self) -> bool {
        // First: whoever takes a session ends what seems to run in it.
        if !self.finish_late().await {
            return false;
        }
        let taken = match self.means.archive.take_session(&self.id, clock::now()).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not take a session anew");
                return false;
            }
        };
        self.unsure = false;
        // None if the message would have been its first, and was not stored.
        if let Some(stored) = taken {
            let head = Position { epoch: stored.epoch, seq: stored.head };
            let bounds = self.means.bounds;
            self.scribe.write(|log| *log = Log::new(head, bounds));
            self.reserved = stored.reserved;
            self.stored = true;
            self.asked = None;
            for outbox in self.followers.values() {
                outbox.moved.notify_one();
            }
        }
        true
    }

    /// Whether somebody follows or something runs.
    fn is_needed(&mut self) -> bool {
        self.forget_followers();
        !self.followers.is_empty() || !self.turn.is_idle()
    }

    /// Lets go of connections that follow no more.
    fn forget_followers(&mut self) {
        self.followers.retain(|_, outbox| outbox.follows.strong_count() > 0);
    }

    /// Puts the session away, so that the next one to take it knows that nothing was lost.
    async fn leave(mut self: Box<Self>) {
        self.forget_screened().await;
        // What is not stored now ends as after a crash, with the session left in use.
        let finished = self.finish_late().await;
        if self.lost {
            return self.close_for_good();
        }
        if !self.stored || self.unsure || !finished {
            return;
        }
        let head = self.scribe.read(Log::head).seq;
        if let Err(error) = self.means.archive.leave_session(&self.id, self.fence(), head).await {
            tracing::warn!(error = &error as &dyn Error, session = %self.id, "could not put a session away");
        }
    }

    /// Tells everybody who follows that there is nothing to follow any more.
    fn close_for_good(self) {
        let after = self.scribe.read(Log::head);
        for outbox in self.followers.into_values() {
            let body = ErrorBody::new(ErrorCode::SessionClosed, fresh::trace());
            let frame = ServerFrame::error(body, None, clock::now()).at(&self.id, after);
            let (session, after) = (self.id.clone(), after.seq);
            let private = Box::new(Private { session, after, frame, last: true });
            if outbox.private.try_send(private).is_err() {
                outbox.cut_off.because(CloseCode::Superseded);
            }
        }
    }

    async fn take(&mut self, command: Command) {
        if self.unsure
            && matches!(command, Command::Turn(_) | Command::SelectModel(_) | Command::Help(_))
        {
            // What fails now fails again where it is needed, and is told there.
            self.retake().await;
        }
        match command {
            Command::Follow(follower) => {
                let Follower { connection, outbox, resume, reply } = *follower;
                let followed = self.follow(connection, outbox, resume);
                // A connection that closed meanwhile says so itself.
                drop(reply.send(Ok(followed)));
            }
            Command::Turn(input) => self.apply(*input).await,
            Command::SelectModel(selection) => {
                let (asker, model) = *selection;
                self.select_model(asker, model).await;
            }
            Command::Help(asker) => self.ask_for_help(*asker).await,
            Command::Typing { connection } => self.relay_typing(connection),
            Command::Renamed(name) => {
                // Where no number can be had now, the list tells the name all the same.
                if self.reserve(1).await {
                    self.append(|log, now| log.name(&name, now));
                }
            }
            Command::Deleted => {
                // What runs gets its end, though nothing can be stored any more.
                self.apply(Input::Abandon).await;
                self.lost = true;
            }
            Command::Retire => {}
        }
    }

    fn follow(
        &mut self,
        connection: ConnectionId,
        outbox: Outbox,
        resume: Option<Position>,
    ) -> Followed {
        self.followers.insert(connection, outbox);
        let now = clock::now();
        self.scribe.write(|log| log.trim(now));
        let (cursor, resumed) = self.scribe.read(|log| match resume {
            Some(position) if log.reaches(position) => (position, Some(true)),
            // Not from the middle of an answer: history has it only up to its last checkpoint.
            Some(_) => (Position { seq: log.entrance(), ..log.head() }, Some(false)),
            None => (Position { seq: log.entrance(), ..log.head() }, None),
        });
        Followed { journal: self.scribe.journal(), cursor, resumed, mode: self.turn.tenure().mode }
    }

    async fn select_model(&mut self, asker: Asker, model: ModelId) {
        let roles = &asker.caller.principal.roles;
        if self.means.catalog.load().find(Some(&model), roles).is_none() {
            return self.refuse(&asker, &Refusal::InvalidModel);
        }
        // A session without a message has no row yet; its first message brings the model along.
        let kept = !self.stored || self.keep_model(&model).await;
        if !kept {
            return self.refuse(&asker, &Refusal::NotStored);
        }
        self.model = Some(model.clone());
        self.append(|log, now| log.model(model, now));
    }

    /// Calls a human. Everybody who follows learns of it once it is stored; where one answers already, whoever asked learns that.
    async fn ask_for_help(&mut self, asker: Asker) {
        if !self.stored {
            return self.refuse(&asker, &Refusal::NothingToAnswer);
        }
        let mode = self.turn.tenure().mode;
        if mode == Mode::Operator {
            let head = self.scribe.read(Log::head);
            let frame = ServerFrame::status(clock::now()).following(&self.id, head, mode, None);
            return self.whisper(&asker, frame);
        }
        let told = match self.means.archive.set_mode(&self.id, self.fence(), Mode::Waiting).await {
            Ok(()) => self.means.notices.help(&self.id, &self.owner).await,
            Err(ChangeError::Fenced | ChangeError::Gone) => {
                self.lost = true;
                return self.refuse(&asker, &Refusal::Closed);
            }
            Err(ChangeError::Store(error)) => Err(error),
        };
        if let Err(error) = told {
            tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not store a request for help");
            return self.refuse(&asker, &Refusal::NotStored);
        }
        self.turn.wait_for_help();
        if self.reserve(1).await {
            self.append(|log, now| log.mode(Mode::Waiting, now));
        }
    }

    async fn keep_model(&mut self, model: &ModelId) -> bool {
        match self.means.archive.set_model(&self.id, self.fence(), model).await {
            Ok(()) => self.reserve(1).await,
            Err(error) => {
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not keep the model");
                false
            }
        }
    }

    /// Feeds the turn, and carries out what it says until there is nothing left to do.
    async fn apply(&mut self, input: Input) {
        let mut effects = VecDeque::from(self.turn.on(input));
        while let Some(effect) = effects.pop_front() {
            if let Some(result) = Box::pin(self.carry_out(effect)).await {
                effects.extend(self.turn.on(result));
            }
        }
        if self.turn.is_idle() {
            self.forget_screened().await;
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Screen(say) => Some(Input::Screened(self.screen(say).await)),
            Effect::Save(say) => Some(Input::Saved(self.save(say).await)),
            Effect::Recall(asker) => Some(Input::Recalled(self.recall(&asker).await)),
            Effect::Ask(question) => self.ask(question).await,
            Effect::Show(text) => self.show(&text).await,
            Effect::HangUp => {
                self.hang_up().await;
                None
            }
            Effect::Commit(closing) => {
                Some(Input::Committed { stored: self.commit(&closing).await })
            }
            Effect::Close(closing) => {
                self.close(&closing).await;
                None
            }
            Effect::AckAgain(asker) => {
                if let Some((message, seq)) = self.asked.clone() {
                    self.ack(&asker, &message, seq);
                }
                None
            }
            Effect::Refuse(asker, refusal) => {
                self.refuse(&asker, &refusal);
                None
            }
            Effect::Claim(_) => Some(Input::Claimed(self.hand_over(Mode::Operator).await)),
            Effect::Release => Some(Input::Released(self.hand_over(Mode::Bot).await)),
            Effect::Join(operator) => {
                self.append(|log, now| log.joined(operator, now));
                None
            }
            Effect::Leave(operator) => {
                self.append(|log, now| log.left(operator, now));
                None
            }
            Effect::Decline(declined) => {
                tracing::info!(session = %self.id, ?declined, "a session did not change hands");
                None
            }
        }
    }

    /// What every write to the archive names.
    fn fence(&self) -> Fence {
        self.turn.tenure().fence
    }

    /// Changes in the archive who answers. The number of the event that tells of it is reserved with that.
    async fn hand_over(&mut self, mode: Mode) -> Result<Fence, Refusal> {
        // The end of a cut answer, and who came.
        if !self.reserve(2).await {
            return Err(Refusal::NotStored);
        }
        match self.means.archive.hand_over(&self.id, self.fence(), mode).await {
            Ok(fence) => Ok(fence),
            Err(ChangeError::Fenced | ChangeError::Gone) => {
                self.lost = true;
                Err(Refusal::Closed)
            }
            Err(ChangeError::Store(error)) => {
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not hand a session over");
                Err(Refusal::NotStored)
            }
        }
    }

    async fn save(&mut self, say: Say) -> Saved {
        let Say { asker, speaker, content, model, digest } = say;
        let Some(model) = model else { return Saved::Refused(Refusal::InvalidModel) };
        if !self.finish_late().await || self.unsure && !self.retake().await {
            return Saved::Refused(Refusal::NotStored);
        }
        let head = self.scribe.read(Log::head);
        let message = fresh::message();
        let at = clock::now();
        let reserve_to = self.reserved.max(Seq(head.seq.0 + RESERVED));
        let new = NewMessage {
            session: self.id.clone(),
            owner: self.owner.clone(),
            fence: self.fence(),
            epoch: head.epoch,
            reserve_to,
            // The first model used, or picked before the first message, is the session's from then on.
            model: (!self.stored).then(|| self.model.get_or_insert_with(|| model.clone()).clone()),
            name: Some(history::name(&content)),
            seq: head.seq.next(),
            id: message.clone(),
            sender: speaker.sender(),
            text: content.clone(),
            at,
            client: asker.client.clone().map(|id| ClientKey {
                user: self.owner.clone(),
                id,
                digest: Digest(digest),
            }),
            metadata: sluice_archive::Metadata::default(),
        };
        let appended = self.means.archive.append(new);
        let appended = if self.stored {
            appended.await
        } else {
            self.means.metrics.archive.timed(Operation::CreateSession, appended).await
        };
        match appended {
            Ok(Appended::Stored) => {}
            Ok(Appended::Already(known)) => {
                let position = Position { epoch: known.epoch, seq: known.seq };
                let client = asker.client.as_ref();
                let frame =
                    ServerFrame::ack(&known.session, position, &known.message_id, client, at);
                self.whisper(&asker, frame);
                return Saved::Already;
            }
            Err(error) => return Saved::Refused(self.not_appended(error)),
        }
        if !self.stored {
            self.means.metrics.sessions.created.inc();
        }
        self.stored = true;
        self.reserved = reserve_to;
        let origin = Some(asker.connection);
        let written =
            Written { message: message.clone(), sender: speaker.sender(), content, at, origin };
        let seq = self.append(|log, _| log.written(written));
        self.asked = Some((message.clone(), seq));
        self.ack(&asker, &message, seq);
        Saved::Stored(Question { message, answer: fresh::message(), model })
    }

    fn not_appended(&mut self, error: AppendError) -> Refusal {
        match error {
            AppendError::Conflict => Refusal::Conflict,
            AppendError::Fenced | AppendError::NotOwner | AppendError::Gone => {
                self.lost = true;
                Refusal::Closed
            }
            AppendError::Store(error) => {
                self.unsure = matches!(error, StoreError::Uncertain { .. });
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not store a message");
                Refusal::NotStored
            }
        }
    }

    /// Makes sure that the next numbers are reserved.
    async fn reserve(&mut self, count: u64) -> bool {
        let head = self.scribe.read(Log::head).seq;
        if head.0 + count <= self.reserved.0 || !self.stored {
            return true;
        }
        let up_to = Seq(head.0 + RESERVED);
        match self.means.archive.reserve(&self.id, self.fence(), up_to).await {
            Ok(()) => {
                self.reserved = up_to;
                true
            }
            Err(error) => {
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not reserve numbers");
                false
            }
        }
    }

    /// Appends to the log and tells everybody who follows.
    fn append(&mut self, append: impl FnOnce(&mut Log, Instant) -> Seq) -> Seq {
        let now = clock::now();
        let seq = self.scribe.write(|log| append(log, now));
        self.forget_followers();
        for outbox in self.followers.values() {
            outbox.moved.notify_one();
        }
        seq
    }

    fn ack(&self, asker: &Asker, message: &MessageId, seq: Seq) {
        let position = Position { seq, ..self.scribe.read(Log::head) };
        let client = asker.client.as_ref();
        let frame = ServerFrame::ack(&self.id, position, message, client, clock::now());
        self.whisper(asker, frame);
    }

    /// A name for a failure that is being logged; the refusal that comes of it carries it to the client.
    fn blame(&mut self) -> String {
        self.trace.insert(fresh::trace()).clone()
    }

    fn refuse(&mut self, asker: &Asker, refusal: &Refusal) {
        let trace = self.trace.take().unwrap_or_else(fresh::trace);
        tracing::info!(trace, session = %self.id, ?refusal, "a message was refused");
        let code = ErrorCode::from(refusal);
        self.means.metrics.traffic.refused_frame(code.as_str());
        let mut body = ErrorBody::new(code, trace);
        if let Refusal::Denied { detail, retry_after_ms } = refusal {
            body.detail.clone_from(detail);
            body.retry_after = *retry_after_ms;
        }
        let head = self.scribe.read(Log::head);
        let frame = ServerFrame::error(body, asker.client.as_ref(), clock::now());
        self.whisper(asker, frame.at(&self.id, head));
    }

    /// Tells everybody else that somebody is writing. News of the moment: whoever has no room for it does without.
    fn relay_typing(&self, writer: ConnectionId) {
        let head = self.scribe.read(Log::head);
        let others = self.followers.iter().filter(|(connection, _)| **connection != writer);
        for (_, outbox) in others {
            let frame = ServerFrame::typing(Sender::User, clock::now()).at(&self.id, head);
            let (session, after) = (self.id.clone(), head.seq);
            let private = Box::new(Private { session, after, frame, last: false });
            let _no_room = outbox.private.try_send(private);
        }
    }

    /// Tells one connection alone. One that does not listen is cut off: it can resume and ask again.
    fn whisper(&self, asker: &Asker, frame: ServerFrame) {
        let Some(outbox) = self.followers.get(&asker.connection) else {
            tracing::debug!(session = %self.id, "whoever asked is gone");
            return;
        };
        let after = self.scribe.read(Log::head).seq;
        let private = Box::new(Private { session: self.id.clone(), after, frame, last: false });
        if outbox.private.try_send(private).is_err() {
            outbox.cut_off.because(CloseCode::SlowConsumer);
        }
    }
}
