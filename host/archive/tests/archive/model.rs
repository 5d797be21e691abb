//! Random stories, told to the archive and to a model of a few dozen lines that keeps everything in
//! maps. They must agree on every answer and on everything that is there afterwards.

mod memory;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use proptest::option;
use proptest::prelude::*;
use sluice_archive::{
    Answer, AppendError, AuditEntry, AuditFilter, CallUsage, ChangeError, ClientKey, Digest,
    IDEMPOTENCY_WINDOW_MS, Metadata, NewMessage, Outcome, ReviewRequest, SessionCursor,
    SessionFilter, SessionSort,
};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::id::{
    AuditId, ClientMessageId, Epoch, Fence, Instant, MessageId, ModelId, Seq, SessionId,
};
use sluice_chat::turn::{Mode, Sender};

use self::memory::Model;
use crate::support::{Place, cases, message_id, session, user};
use crate::usage::lines;

/// One thing that happens. Numbers pick a session, a user or a client message id out of a few.
#[derive(Debug, Clone)]
enum Step {
    Append {
        session: u8,
        owner: u8,
        fence: u64,
        client: Option<u8>,
        body: u8,
    },
    /// Several append at the same time: session, client message id, body.
    Crowd {
        messages: Vec<(u8, Option<u8>, u8)>,
    },
    Checkpoint {
        session: u8,
        fence: u64,
        grown: u8,
    },
    Finish {
        session: u8,
        fence: u64,
        ending: u8,
    },
    Take {
        session: u8,
    },
    Leave {
        session: u8,
        fence: u64,
    },
    Reserve {
        session: u8,
        up_to: u64,
    },
    Name {
        session: u8,
        name: u8,
    },
    End {
        session: u8,
    },
    Delete {
        session: u8,
    },
    Mode {
        session: u8,
        mode: Mode,
    },
    /// What was quiet for so long goes, looked for so many sessions at a time.
    Sweep {
        quiet_ms: u64,
        limit: usize,
    },
    /// A call without a session.
    Record {
        call: u8,
        ending: u8,
    },
    /// A line of the record, about a session or none.
    Note {
        operator: u8,
        about: Option<u8>,
    },
    /// What came of the newest line but so many.
    Settle {
        line: usize,
        status: u16,
    },
    /// A session is read in pages of so many messages.
    Read {
        session: u8,
        limit: usize,
    },
    /// Operators look through all sessions.
    Review {
        filter: SessionFilter,
        sort: SessionSort,
        descending: bool,
    },
    /// And through the record of what they did.
    Audit {
        operator: Option<u8>,
        about: Option<u8>,
    },
    Wait {
        ms: u64,
    },
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let session = 0..3_u8;
    // Now and then a fence that is not the session's.
    let fence = prop_oneof![9 => Just(0_u64), 1 => Just(1)];
    let client = option::of(0..3_u8);
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
        1 => session.clone().prop_map(|session| Step::Delete { session }),
        1 => (session.clone(), prop::sample::select(vec![Mode::Bot, Mode::Operator]))
            .prop_map(|(session, mode)| Step::Mode { session, mode }),
        2 => prop::collection::vec((session.clone(), option::of(0..3_u8), 0..2_u8), 2..6)
            .prop_map(|messages| Step::Crowd { messages }),
        1 => (0..200_u64, 1..4_usize)
            .prop_map(|(quiet_ms, limit)| Step::Sweep { quiet_ms, limit }),
        1 => (0..3_u8, 0..9_u8).prop_map(|(call, ending)| Step::Record { call, ending }),
        2 => (0..2_u8, option::of(session.clone()))
            .prop_map(|(operator, about)| Step::Note { operator, about }),
        1 => (0..4_usize, 200..600_u16).prop_map(|(line, status)| Step::Settle { line, status }),
        1 => (session.clone(), 1..4_usize).prop_map(|(session, limit)| Step::Read { session, limit }),
        3 => (any_filter(), prop::sample::select(SessionSort::ALL.to_vec()), any::<bool>())
            .prop_map(|(filter, sort, descending)| Step::Review { filter, sort, descending }),
        1 => (option::of(0..2_u8), option::of(session))
            .prop_map(|(operator, about)| Step::Audit { operator, about }),
        3 => prop_oneof![0..100_u64, 0..IDEMPOTENCY_WINDOW_MS * 2]
            .prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Restart),
    ]
}

/// Times are those at which these stories begin, or a little later.
fn any_filter() -> impl Strategy<Value = SessionFilter> {
    let at = || option::weighted(0.2, (1_000..1_300_u64).prop_map(Instant));
    let flag = || option::weighted(0.3, any::<bool>());
    (option::weighted(0.3, 0..2_u8), flag(), flag(), at(), at()).prop_map(
        |(owner, ended, assisted, from, to)| {
            let owner = owner.map(|owner| user(&format!("u{owner}")));
            SessionFilter { owner, ended, assisted, from, to }
        },
    )
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
                let expected = self.model.writable(&id, Fence(0)).map(|row| row.delete(now));
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Mode { session, mode } => {
                let id = named(session);
                let told = self.place.archive.set_mode(&id, Fence(0), mode).await;
                let expected = self.model.writable(&id, Fence(0)).map(|row| {
                    row.stored.mode = mode;
                    row.stored.assisted |= mode == Mode::Operator;
                });
                assert_eq!(told.map_err(|error| why_not_changed(&error)), expected);
            }
            Step::Crowd { messages } => self.crowd(messages).await,
            Step::Sweep { quiet_ms, limit } => self.sweep(quiet_ms, limit).await,
            Step::Record { call, ending } => {
                let call = CallUsage {
                    answer: message_id(format!("call{call}")),
                    trace: "00ff".to_owned(),
                    user: user("u0"),
                    model: ModelId::parse("fake").expect("an id"),
                    started: self.now,
                    ended: self.now,
                    ending: Ending::ALL[usize::from(ending)],
                    bill: Tokens { input: ending.into(), output: 1, estimated: false }.into(),
                };
                self.place.archive.record(vec![call.clone()]).await.expect("stored");
                self.model.record(&call);
            }
            Step::Note { operator, about } => {
                let entry = self.noted(operator, about.map(named));
                self.place.archive.note(entry.clone()).await.expect("stored");
                self.model.audit.push(entry);
            }
            Step::Settle { line, status } => {
                if let Some(entry) = self.model.audit.iter_mut().rev().nth(line) {
                    self.place.archive.settle(&entry.id, status).await.expect("stored");
                    entry.status = entry.status.or(Some(status));
                }
            }
            Step::Read { session, limit } => self.read(&named(session), limit).await,
            Step::Review { filter, sort, descending } => {
                let (now, after) = (self.now, None);
                let request =
                    ReviewRequest { filter, sort, descending, limit: 1, offset: 0, after, now };
                self.review(request).await;
            }
            Step::Audit { operator, about } => {
                let operator = operator.map(|operator| user(&format!("operator{operator}")));
                let filter = AuditFilter { operator, user: None, session: about.map(named) };
                self.audit(filter).await;
            }
            Step::Wait { ms } => self.now.0 += ms,
            Step::Restart => {
                self.place = self.place.reopen().await;
                self.model.restart();
            }
        }
        self.compare().await;
        self
    }

    /// Writes are stored in the order in which they were asked for, however many wait.
    async fn crowd(&mut self, messages: Vec<(u8, Option<u8>, u8)>) {
        let mut said = Vec::new();
        for (number, client, body) in messages {
            let id = session(&format!("s{number}"));
            said.push(self.message(id, number, Fence(0), client, body));
        }
        let told = join_all(said.iter().map(|one| self.place.archive.append(one.clone()))).await;
        for (message, told) in said.iter().zip(told) {
            let told = told.map_err(|error| why_not_appended(&error));
            assert_eq!(told, self.model.append(message));
        }
    }

    async fn sweep(&mut self, quiet_ms: u64, limit: usize) {
        let before = Instant(self.now.0.saturating_sub(quiet_ms));
        let (mut deleted, mut mark) = (Vec::new(), None);
        loop {
            let swept = self.place.archive.sweep_quiet(mark, before, self.now, limit).await;
            let swept = swept.expect("swept");
            deleted.extend(swept.deleted);
            mark = swept.next;
            if mark.is_none() {
                break;
            }
        }
        deleted.sort();
        assert_eq!(deleted, self.model.sweep(before, self.now));
    }

    /// Pages of messages, put together, are all messages.
    async fn read(&self, session: &SessionId, limit: usize) {
        let (mut read, mut before) = (Vec::new(), None);
        loop {
            let page = self.place.archive.messages(session, before, limit).await.expect("read");
            assert!(page.len() <= limit);
            let Some(first) = page.first() else { break };
            before = Some(first.seq);
            read.splice(0..0, page);
        }
        let row = self.model.sessions.get(session);
        let expected: Vec<_> = row.into_iter().flat_map(|row| row.messages.values()).collect();
        assert_eq!(read.iter().collect::<Vec<_>>(), expected);
    }

    async fn review(&self, mut request: ReviewRequest) {
        let expected = self.model.review(&request);
        let mut found = Vec::new();
        loop {
            let page = self.place.archive.review(request.clone()).await.expect("read");
            assert_eq!((page.total, page.total_at_least), (expected.len() as u64, false));
            found.extend(page.sessions.into_iter().map(|reviewed| reviewed.session));
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{request:?}");
    }

    async fn audit(&self, filter: AuditFilter) {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.place.archive.audit(filter.clone(), 2, after).await.expect("read");
            found.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, self.model.audit(&filter));
    }

    fn noted(&mut self, operator: u8, about: Option<SessionId>) -> AuditEntry {
        self.seq += 1;
        AuditEntry {
            id: AuditId::parse(&format!("{:08}", self.seq)).expect("an id"),
            at: self.now,
            operator: user(&format!("operator{operator}")),
            action: "GET /admin/sessions".to_owned(),
            user: None,
            session: about,
            reason: None,
            status: None,
        }
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
            assert_eq!(lines(&story.place).await, story.model.usage());
        });
    }
}
