//! Random stories, told to the archive and to a model of a few dozen lines that keeps everything in
//! maps. They must agree on every answer and on everything that is there afterwards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluice_archive::{
    Answer, AppendError, Appended, ChangeError, ClientKey, Digest, IDEMPOTENCY_WINDOW_MS, Known,
    Metadata, NewMessage, Outcome, SessionCursor, StoredMessage, StoredSession,
};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::id::{ClientMessageId, Epoch, Fence, Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::{Mode, Sender};

use crate::support::{Place, cases, message_id, session, user};

/// One thing that happens. Numbers pick a session, a user or a client message id out of a few.
#[derive(Debug, Clone)]
enum Step {
    Append { session: u8, owner: u8, fence: u64, client: Option<u8>, body: u8 },
    Checkpoint { session: u8, fence: u64, grown: u8 },
    Finish { session: u8, fence: u64, ending: u8 },
    Take { session: u8 },
    Leave { session: u8, fence: u64 },
    Reserve { session: u8, up_to: u64 },
    Name { session: u8, name: u8 },
    End { session: u8 },
    Delete { session: u8 },
    Wait { ms: u64 },
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let session = 0..3_u8;
    // Now and then a fence that is not the session's.
    let fence = prop_oneof![9 => Just(0_u64), 1 => Just(1)];
    let client = proptest::option::of(0..3_u8);
    prop_oneof![
        8 => (session.clone(), 0..8_u8, fence.clone(), client, 0..3_u8).prop_map(
            |(session, owner, fence, client, body)| Step::Append {
                session,
                // Mostly whose it is.
                owner: if owner == 0 { session + 1 } else { session },
                fence,
                client,
                body: body / 2,
            }
        ),
        4 => (session.clone(), fence.clone(), 0..9_u8)
            .prop_map(|(session, fence, grown)| Step::Checkpoint { session, fence, grown }),
        4 => (session.clone(), fence.clone(), 0..9_u8)
            .prop_map(|(session, fence, ending)| Step::Finish { session, fence, ending }),
        2 => session.clone().prop_map(|session| Step::Take { session }),
        2 => (session.clone(), fence)
            .prop_map(|(session, fence)| Step::Leave { session, fence }),
        1 => (session.clone(), 0..3_000_u64)
            .prop_map(|(session, up_to)| Step::Reserve { session, up_to }),
        1 => (session.clone(), 0..3_u8).prop_map(|(session, name)| Step::Name { session, name }),
        1 => session.clone().prop_map(|session| Step::End { session }),
        1 => session.prop_map(|session| Step::Delete { session }),
        3 => prop_oneof![0..100_u64, 0..IDEMPOTENCY_WINDOW_MS * 2]
            .prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Restart),
    ]
}

/// What the archive promises, without a file.
#[derive(Default)]
struct Model {
    sessions: BTreeMap<SessionId, Row>,
    known: BTreeMap<(UserId, ClientMessageId), (Instant, Known)>,
}

struct Row {
    stored: StoredSession,
    in_use: bool,
    messages: BTreeMap<Seq, StoredMessage>,
}

/// Outcomes by name: errors of the storage compare to nothing.
type Told<T> = Result<T, &'static str>;

impl Model {
    fn append(&mut self, message: &NewMessage) -> Told<Appended> {
        if let Some(client) = &message.client
            && let Some((at, known)) = self.known.get(&(client.user.clone(), client.id.clone()))
            && message.at.0 < at.0 + IDEMPOTENCY_WINDOW_MS
        {
            let same = known.digest == client.digest;
            return if same { Ok(Appended::Already(known.clone())) } else { Err("conflict") };
        }
        match self.sessions.get(&message.session) {
            None if message.fence != Fence(0) => return Err("fenced"),
            Some(row) if row.stored.owner != message.owner => return Err("not owner"),
            Some(row) if row.stored.deleted.is_some() => return Err("gone"),
            Some(row) if row.stored.fence != message.fence => return Err("fenced"),
            None | Some(_) => {}
        }
        let row = self.sessions.entry(message.session.clone()).or_insert_with(|| begun(message));
        let stored = &mut row.stored;
        stored.name = stored.name.take().or_else(|| message.name.clone());
        stored.reserved = stored.reserved.max(message.reserve_to).max(message.seq);
        stored.head = stored.head.max(message.seq);
        stored.last_activity = stored.last_activity.max(message.at);
        stored.ended = None;
        stored.message_count += 1;
        row.in_use = true;
        row.messages.insert(message.seq, said(message));
        if let Some(client) = &message.client {
            let known = Known {
                message_id: message.id.clone(),
                session: message.session.clone(),
                seq: message.seq,
                epoch: row.stored.epoch,
                digest: client.digest,
            };
            self.known.insert((client.user.clone(), client.id.clone()), (message.at, known));
        }
        Ok(Appended::Stored)
    }

    fn put_answer(&mut self, answer: &Answer, outcome: Option<Outcome>) -> Told<()> {
        let row = self.writable(&answer.session, answer.fence)?;
        if row.messages.get(&answer.first_seq).is_some_and(|known| known.ending.is_some()) {
            return Ok(());
        }
        if row.messages.insert(answer.first_seq, answered(answer, outcome)).is_none() {
            row.stored.message_count += 1;
        }
        if let Some(outcome) = outcome {
            let tokens = outcome.bill.unwrap_or_default().tokens();
            row.stored.tokens.input += tokens.input;
            row.stored.tokens.output += tokens.output;
            row.stored.tokens.estimated |= tokens.estimated;
            row.stored.head = row.stored.head.max(answer.last_seq);
            row.stored.reserved = row.stored.reserved.max(answer.last_seq);
            row.stored.last_activity = row.stored.last_activity.max(outcome.at);
        }
        Ok(())
    }

    fn take(&mut self, session: &SessionId, now: Instant) -> Option<StoredSession> {
        let row = self.sessions.get_mut(session)?;
        if row.stored.deleted.is_none() {
            if row.in_use {
                row.stored.epoch.0 += 1;
                row.stored.head = row.stored.reserved;
            }
            row.in_use = true;
            for message in row.messages.values_mut() {
                if message.sender == Sender::Ai && message.ending.is_none() {
                    message.ending = Some(Ending::Interrupted);
                    message.ended = Some(now);
                }
            }
        }
        Some(row.stored.clone())
    }

    fn writable(&mut self, session: &SessionId, fence: Fence) -> Told<&mut Row> {
        let row = self.sessions.get_mut(session).filter(|row| row.stored.deleted.is_none());
        let row = row.ok_or("gone")?;
        if row.stored.fence == fence { Ok(row) } else { Err("fenced") }
    }

    /// The newest first, as lists have them.
    fn sessions_of(&self, owner: &UserId) -> Vec<StoredSession> {
        let rows = self.sessions.values().map(|row| &row.stored);
        let mut sessions: Vec<_> = rows
            .filter(|stored| stored.owner == *owner && stored.deleted.is_none())
            .cloned()
            .collect();
        sessions.sort_by(|a, b| (b.last_activity, &b.id).cmp(&(a.last_activity, &a.id)));
        sessions
    }
}

fn begun(message: &NewMessage) -> Row {
    let stored = StoredSession {
        id: message.session.clone(),
        owner: message.owner.clone(),
        name: None,
        model: None,
        mode: Mode::Bot,
        fence: message.fence,
        epoch: message.epoch,
        reserved: message.reserve_to,
        head: message.seq,
        created: message.at,
        last_activity: message.at,
        ended: None,
        deleted: None,
        assisted: false,
        message_count: 0,
        tokens: Tokens::default(),
        share: None,
    };
    Row { stored, in_use: true, messages: BTreeMap::new() }
}

fn said(message: &NewMessage) -> StoredMessage {
    StoredMessage {
        id: message.id.clone(),
        session: message.session.clone(),
        seq: message.seq,
        last_seq: message.seq,
        sender: message.sender,
        text: message.text.clone(),
        at: message.at,
        model: message.model.clone(),
        in_reply_to: None,
        ending: None,
        tokens: None,
        client_message_id: message.client.as_ref().map(|client| client.id.clone()),
        upstream_request_id: None,
        first_piece: None,
        ended: None,
        metadata: message.metadata.clone(),
    }
}

fn answered(answer: &Answer, outcome: Option<Outcome>) -> StoredMessage {
    StoredMessage {
        id: answer.id.clone(),
        session: answer.session.clone(),
        seq: answer.first_seq,
        last_seq: answer.last_seq,
        sender: Sender::Ai,
        text: answer.text.clone(),
        at: answer.started,
        model: answer.model.clone(),
        in_reply_to: Some(answer.in_reply_to.clone()),
        ending: outcome.map(|outcome| outcome.ending),
        tokens: outcome.and_then(|outcome| outcome.bill).map(|bill| bill.tokens()),
        client_message_id: None,
        upstream_request_id: answer.upstream_request_id.clone(),
        first_piece: answer.first_piece,
        ended: outcome.map(|outcome| outcome.at),
        metadata: Metadata::new(),
    }
}

/// The archive, the model, and what a gateway would know between the steps.
struct Story {
    place: Place,
    model: Model,
    now: Instant,
    /// Numbers given out so far, in all sessions together.
    seq: u64,
    /// The answer that runs in each session.
    running: BTreeMap<SessionId, Answer>,
}

impl Story {
    async fn tell(mut self, step: Step) -> Self {
        let named = |number: u8| session(&format!("s{number}"));
        match step {
            Step::Append { session, owner, fence, client, body } => {
                let message = self.message(named(session), owner, Fence(fence), client, body);
                let told = self.place.archive.append(message.clone()).await;
                assert_eq!(
                    told.map_err(|error| why_not_appended(&error)),
                    self.model.append(&message)
                );
            }
            Step::Checkpoint { session, fence, grown } => {
                let mut answer = self.running(named(session), grown);
                answer.fence = Fence(fence);
                self.place.archive.checkpoint(answer.clone());
                // Refused checkpoints are refused in silence.
                self.model.put_answer(&answer, None).ok();
            }
            Step::Finish { session, fence, ending } => {
                let mut answer = self.running(named(session), 1);
                answer.fence = Fence(fence);
                self.running.remove(&answer.session);
                let outcome = self.outcome(ending);
                let told = self.place.archive.finish(answer.clone(), outcome).await;
                let expected = self.model.put_answer(&answer, Some(outcome));
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Take { session } => {
                let taken = self.place.archive.take_session(&named(session), self.now).await;
                // Whatever ran ended with that.
                self.running.remove(&named(session));
                assert_eq!(taken.expect("written"), self.model.take(&named(session), self.now));
            }
            Step::Leave { session, fence } => {
                self.seq += 1;
                let (id, head) = (named(session), Seq(self.seq));
                let told = self.place.archive.leave_session(&id, Fence(fence), head).await;
                let expected = self.model.writable(&id, Fence(fence)).map(|row| {
                    row.stored.head = head;
                    row.stored.reserved = row.stored.reserved.max(head);
                    row.in_use = false;
                });
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Reserve { session, up_to } => {
                let (id, up_to) = (named(session), Seq(up_to));
                let told = self.place.archive.reserve(&id, Fence(0), up_to).await;
                let expected = self.model.writable(&id, Fence(0)).map(|row| {
                    row.stored.reserved = row.stored.reserved.max(up_to);
                });
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Name { session, name } => {
                let (id, name) = (named(session), format!("name {name}"));
                let told = self.place.archive.set_name(&id, Fence(0), &name).await;
                let expected = self.model.writable(&id, Fence(0)).map(|row| {
                    row.stored.name = Some(name);
                });
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::End { session } => {
                let (id, now) = (named(session), self.now);
                let told = self.place.archive.end_session(&id, Fence(0), now).await;
                let expected = self.model.writable(&id, Fence(0)).map(|row| {
                    row.stored.ended = row.stored.ended.or(Some(now));
                });
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Delete { session } => {
                let (id, now) = (named(session), self.now);
                let told = self.place.archive.delete_session(&id, Fence(0), now).await;
                let expected = self.model.writable(&id, Fence(0)).map(|row| {
                    row.messages.clear();
                    row.stored.name = None;
                    row.stored.message_count = 0;
                    row.stored.deleted = Some(now);
                });
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Wait { ms } => self.now.0 += ms,
            Step::Restart => {
                self.place = self.place.reopen().await;
                let rows = self.model.sessions.values_mut();
                for message in rows.flat_map(|row| row.messages.values_mut()) {
                    if message.sender == Sender::Ai && message.ending.is_none() {
                        message.ending = Some(Ending::Interrupted);
                    }
                }
            }
        }
        self.compare().await;
        self
    }

    /// Everything that can be read is the same.
    async fn compare(&self) {
        // Checkpoints are written by then.
        self.place.archive.ping().await.expect("written");
        for (id, row) in &self.model.sessions {
            let messages: Vec<_> = row.messages.values().cloned().collect();
            let stored = self.place.archive.messages(id, None, usize::MAX).await.expect("read");
            assert_eq!(stored, messages);
            let stored = self.place.archive.session(id).await.expect("read");
            assert_eq!(stored.as_ref(), Some(&row.stored));
        }
        for owner in [user("u0"), user("u1")] {
            let mut listed = Vec::new();
            let mut after: Option<SessionCursor> = None;
            loop {
                let page = self.place.archive.sessions_of(&owner, 1, after, None).await;
                let page = page.expect("read");
                listed.extend(page.sessions);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(listed, self.model.sessions_of(&owner));
        }
    }

    fn message(
        &mut self,
        session: SessionId,
        owner: u8,
        fence: Fence,
        client: Option<u8>,
        body: u8,
    ) -> NewMessage {
        self.seq += 1;
        // Two users share the sessions out among themselves.
        let owner = user(&format!("u{}", owner % 2));
        let client = client.and_then(|client| {
            let id = ClientMessageId::parse(&format!("c{client}"))?;
            Some(ClientKey { user: owner.clone(), id, digest: Digest([body; 32]) })
        });
        NewMessage {
            session,
            owner,
            fence,
            epoch: Epoch(1),
            reserve_to: Seq(self.seq / 1_024 * 1_024 + 1_024),
            model: None,
            name: (body == 0).then(|| "first".to_owned()),
            seq: Seq(self.seq),
            id: self.fresh_id(),
            sender: Sender::User,
            text: "text".to_owned(),
            at: self.now,
            client,
            metadata: Metadata::new(),
        }
    }

    /// The answer that runs in a session, a few events on; a new one where none does.
    fn running(&mut self, session: SessionId, grown: u8) -> Answer {
        self.seq += 1;
        let (id, first_seq, started) = (self.fresh_id(), Seq(self.seq), self.now);
        self.seq += u64::from(grown);
        let answer = self.running.entry(session.clone()).or_insert_with(|| Answer {
            session,
            fence: Fence(0),
            id,
            in_reply_to: message_id("whatever"),
            first_seq,
            last_seq: first_seq,
            model: None,
            text: String::new(),
            upstream_request_id: None,
            started,
            first_piece: None,
        });
        answer.last_seq = Seq(self.seq);
        answer.text.push_str(&"…".repeat(grown.into()));
        answer.first_piece = answer.first_piece.or(Some(started));
        answer.clone()
    }

    fn outcome(&self, ending: u8) -> Outcome {
        let n = u64::from(ending);
        let tokens = Tokens { input: n, output: 2 * n, estimated: ending == 8 };
        Outcome {
            ending: Ending::ALL[usize::from(ending)],
            bill: (ending > 0).then(|| tokens.into()),
            at: self.now,
        }
    }

    fn fresh_id(&self) -> MessageId {
        message_id(format!("id{}", self.seq))
    }
}

fn why_not_appended(error: &AppendError) -> &'static str {
    match error {
        AppendError::Conflict => "conflict",
        AppendError::Fenced => "fenced",
        AppendError::NotOwner => "not owner",
        AppendError::Gone => "gone",
        AppendError::Store(_) => "store",
    }
}

fn why_not_changed(error: &ChangeError) -> &'static str {
    match error {
        ChangeError::Fenced => "fenced",
        ChangeError::Gone => "gone",
        ChangeError::Store(_) => "store",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(64), ..ProptestConfig::default() })]

    /// Whatever happens in whatever order, the archive tells and keeps what the model does.
    #[test]
    fn the_archive_agrees_with_its_model(steps in prop::collection::vec(any_step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut story = Story {
                place: Place::new().await,
                model: Model::default(),
                now: Instant(1_000),
                seq: 0,
                running: BTreeMap::new(),
            };
            for step in steps {
                story = story.tell(step).await;
            }
        });
    }
}
