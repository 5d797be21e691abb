//! What the archive promises, kept in maps.

use std::collections::BTreeMap;

use sluice_archive::{
    Answer, Appended, AuditEntry, AuditFilter, CallUsage, IDEMPOTENCY_WINDOW_MS, Known, Metadata,
    NewMessage, Outcome, ReviewRequest, SessionFilter, SessionSort, StoredMessage, StoredSession,
};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::bill::Bill;
use sluice_chat::id::{ClientMessageId, Fence, Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::{Mode, Sender};

use crate::usage::Line;

/// What the archive promises, without a file.
#[derive(Default)]
pub(super) struct Model {
    pub(super) sessions: BTreeMap<SessionId, Row>,
    known: BTreeMap<(UserId, ClientMessageId), (Instant, Known)>,
    /// What each answer cost, whatever became of it and of its session.
    usage: BTreeMap<MessageId, Line>,
    pub(super) audit: Vec<AuditEntry>,
}

pub(super) struct Row {
    pub(super) stored: StoredSession,
    pub(super) in_use: bool,
    pub(super) messages: BTreeMap<Seq, StoredMessage>,
}

/// Outcomes by name: errors of the storage compare to nothing.
pub(super) type Told<T> = Result<T, &'static str>;

impl Model {
    pub(super) fn append(&mut self, message: &NewMessage) -> Told<Appended> {
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

    pub(super) fn put_answer(&mut self, answer: &Answer, outcome: Option<Outcome>) -> Told<()> {
        if let Some(outcome) = outcome
            && self.sessions.contains_key(&answer.session)
        {
            let spent = line(&answer.id, "message", outcome.ending, outcome.bill);
            self.usage.entry(answer.id.clone()).or_insert(spent);
        }
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

    pub(super) fn take(&mut self, session: &SessionId, now: Instant) -> Option<StoredSession> {
        let row = self.sessions.get_mut(session)?;
        if row.stored.deleted.is_none() {
            if row.in_use {
                row.stored.epoch.0 += 1;
                row.stored.head = row.stored.reserved;
            }
            row.in_use = true;
            row.interrupt(&mut self.usage, Some(now));
        }
        Some(row.stored.clone())
    }

    /// The process ends and another begins.
    pub(super) fn restart(&mut self) {
        for row in self.sessions.values_mut() {
            row.interrupt(&mut self.usage, None);
        }
    }

    /// Deletes what was quiet since then, and says which that is.
    pub(super) fn sweep(&mut self, before: Instant, now: Instant) -> Vec<(SessionId, UserId)> {
        let rows = self.sessions.iter_mut();
        let quiet = rows
            .filter(|(_, row)| row.stored.deleted.is_none() && row.stored.last_activity < before);
        quiet
            .map(|(id, row)| {
                row.delete(now);
                (id.clone(), row.stored.owner.clone())
            })
            .collect()
    }

    /// A call costs something.
    pub(super) fn record(&mut self, call: &CallUsage) {
        let spent = line(&call.answer, "call", call.ending, Some(call.bill));
        self.usage.entry(call.answer.clone()).or_insert(spent);
    }

    /// All that is known of costs, in the order of the answers.
    pub(super) fn usage(&self) -> Vec<Line> {
        self.usage.values().cloned().collect()
    }

    /// The lines of the record that are looked for, newest first.
    pub(super) fn audit(&self, filter: &AuditFilter) -> Vec<AuditEntry> {
        let AuditFilter { operator, user, session } = filter;
        let is_wanted = |entry: &&AuditEntry| {
            operator.as_ref().is_none_or(|operator| *operator == entry.operator)
                && (user.is_none() || *user == entry.user)
                && (session.is_none() || *session == entry.session)
        };
        self.audit.iter().rev().filter(is_wanted).cloned().collect()
    }

    /// The sessions that operators look for, in their order, ties by id.
    pub(super) fn review(&self, request: &ReviewRequest) -> Vec<StoredSession> {
        let SessionFilter { owner, ended, assisted, from, to } = &request.filter;
        let rows = self.sessions.values().map(|row| &row.stored);
        let mut found: Vec<_> = rows
            .filter(|stored| {
                stored.deleted.is_none()
                    && owner.as_ref().is_none_or(|owner| *owner == stored.owner)
                    && ended.is_none_or(|ended| ended == stored.ended.is_some())
                    && assisted.is_none_or(|assisted| assisted == stored.assisted)
                    && from.is_none_or(|from| from <= stored.created)
                    && to.is_none_or(|to| stored.created <= to)
            })
            .cloned()
            .collect();
        let place = |stored: &StoredSession| match request.sort {
            SessionSort::Owner => (stored.owner.to_string(), 0),
            SessionSort::Start => (String::new(), stored.created.0),
            SessionSort::End => (String::new(), stored.ended.map_or(0, |ended| ended.0)),
            SessionSort::Messages => (String::new(), stored.message_count),
            SessionSort::Tokens => (String::new(), stored.tokens.total()),
            SessionSort::Activity => (String::new(), stored.last_activity.0),
            SessionSort::Duration => {
                (String::new(), stored.ended.unwrap_or(request.now).0 - stored.created.0)
            }
        };
        found.sort_by_key(|stored| (place(stored), stored.id.clone()));
        if request.descending {
            found.reverse();
        }
        found
    }

    pub(super) fn writable(&mut self, session: &SessionId, fence: Fence) -> Told<&mut Row> {
        let row = self.sessions.get_mut(session).filter(|row| row.stored.deleted.is_none());
        let row = row.ok_or("gone")?;
        if row.stored.fence == fence { Ok(row) } else { Err("fenced") }
    }

    /// The newest first, as lists have them.
    pub(super) fn sessions_of(&self, owner: &UserId) -> Vec<StoredSession> {
        let rows = self.sessions.values().map(|row| &row.stored);
        let mut sessions: Vec<_> = rows
            .filter(|stored| stored.owner == *owner && stored.deleted.is_none())
            .cloned()
            .collect();
        sessions.sort_by(|a, b| (b.last_activity, &b.id).cmp(&(a.last_activity, &a.id)));
        sessions
    }
}

impl Row {
    /// Ends what runs.
    fn interrupt(&mut self, usage: &mut BTreeMap<MessageId, Line>, now: Option<Instant>) {
        for message in self.messages.values_mut() {
            if message.sender == Sender::Ai && message.ending.is_none() {
                message.ending = Some(Ending::Interrupted);
                message.ended = now;
                let unknown = line(&message.id, "message", Ending::Interrupted, None);
                usage.entry(message.id.clone()).or_insert(unknown);
            }
        }
    }

    pub(super) fn delete(&mut self, now: Instant) {
        self.messages.clear();
        self.stored.name = None;
        self.stored.message_count = 0;
        self.stored.deleted = Some(now);
    }
}

fn line(answer: &MessageId, kind: &str, ending: Ending, bill: Option<Bill>) -> Line {
    let (answer, kind, ending) = (answer.to_string(), kind.to_owned(), ending.as_str().to_owned());
    let tokens = bill.map(|bill| bill.tokens());
    let (input, output) = (tokens.map(|tokens| tokens.input), tokens.map(|tokens| tokens.output));
    let counted = bill.map(|bill| bill.counted);
    let parts = [
        counted.map(|counted| counted.cached_input),
        counted.map(|counted| counted.cache_write),
        counted.map(|counted| counted.reasoning),
        bill.and_then(|bill| bill.cost_micros),
    ];
    (answer, kind, ending, input, output, tokens.map(|tokens| tokens.estimated), parts)
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
