//! A reference client: what one device knows of a session, put together from frames. No sockets, no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice_tests::kind;

/// A message or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its id.
    pub(crate) id: String,
    /// `user` or `ai`.
    pub(crate) sender: String,
    /// All of it that was heard.
    pub(crate) text: String,
    /// Position of the last event of it.
    pub(crate) last: u64,
    /// How an answer ended; empty until then, and for what users say.
    pub(crate) finish_reason: String,
}

/// A session as one device knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    session: String,
    epoch: u64,
    /// Everything up to here is known.
    seq: u64,
    /// By the position each begins at.
    messages: BTreeMap<u64, Message>,
    /// What this device says itself, by `client_message_id`.
    own: BTreeMap<String, String>,
    /// Which of those are acknowledged.
    acknowledged: BTreeMap<String, u64>,
    /// Own messages that a replay showed.
    shown: BTreeSet<u64>,
}

impl Transcript {
    /// One that will say this under that `client_message_id`.
    pub(crate) fn saying(client: &str, content: &str) -> Self {
        let own = BTreeMap::from([(client.to_owned(), content.to_owned())]);
        Self { own, ..Self::default() }
    }

    /// Begins at a position of somebody else's session.
    pub(crate) fn join(&mut self, session: &str, epoch: u64, seq: u64) {
        session.clone_into(&mut self.session);
        (self.epoch, self.seq) = (epoch, seq);
    }

    /// Takes in the next frame, or says what is wrong with it.
    pub(crate) fn take(&mut self, frame: &Value) -> Result<(), String> {
        let word = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
        match kind(frame) {
            "connection_status" | "pong" => return Ok(()),
            "ack" | "user_message" | "loading" | "ai_response" => {}
            other => return Err(format!("nobody asked for a frame of type {other:?}")),
        }
        self.locate(frame)?;
        let seq = frame["seq"].as_u64().ok_or("no position")?;
        let message = Message {
            id: word("message_id"),
            sender: word("sender"),
            text: word("content"),
            last: seq,
            finish_reason: String::new(),
        };
        match kind(frame) {
            "ack" => self.acknowledge(&word("client_message_id"), message)?,
            "user_message" if self.messages.contains_key(&seq) => self.show_own(&message)?,
            "ai_response" => self.go_on(frame, &message)?,
            _ => {
                self.advance(seq, seq)?;
                self.messages.insert(seq, message);
            }
        }
        // Own messages that were acknowledged ahead of what came before them are not told again.
        while self.acknowledged.values().any(|acknowledged| *acknowledged == self.seq + 1) {
            self.seq += 1;
        }
        Ok(())
    }

    fn locate(&mut self, frame: &Value) -> Result<(), String> {
        let session = frame["session_id"].as_str().ok_or("no session")?;
        let epoch = frame["epoch"].as_u64().ok_or("no epoch")?;
        if self.session.is_empty() {
            self.join(session, epoch, 0);
        }
        let same = self.session == session && self.epoch == epoch;
        same.then_some(()).ok_or_else(|| format!("not of {} {}", self.session, self.epoch))
    }

    /// Events `first..=last` were told: they must be the next ones.
    fn advance(&mut self, first: u64, last: u64) -> Result<(), String> {
        if first != self.seq + 1 || last < first {
            return Err(format!("{first}..={last} is not what comes after {}", self.seq));
        }
        self.seq = last;
        Ok(())
    }

    fn acknowledge(&mut self, client: &str, ack: Message) -> Result<(), String> {
        let text = self.own.get(client).ok_or("an ack for somebody else's message")?.clone();
        let message = Message { text, sender: "user".to_owned(), ..ack };
        if let Some(known) = self.messages.get(&message.last) {
            if *known != message {
                return Err(format!("{known:?} stands where {message:?} was acknowledged"));
            }
        } else if message.last <= self.seq {
            return Err(format!("acknowledged at a position before {} never told", self.seq));
        }
        let before = self.acknowledged.insert(client.to_owned(), message.last);
        if before.is_some_and(|before| before != message.last) {
            return Err(format!("acknowledged at {before:?} before"));
        }
        self.messages.insert(message.last, message);
        Ok(())
    }

    /// A replay shows an own message that was acknowledged: the same one, and once.
    fn show_own(&mut self, message: &Message) -> Result<(), String> {
        let known = self.messages.get(&message.last);
        let own = self.acknowledged.values().any(|seq| *seq == message.last);
        if known != Some(message) || !own || !self.shown.insert(message.last) {
            return Err(format!("{} was told before: {known:?}", message.last));
        }
        Ok(())
    }

    fn go_on(&mut self, frame: &Value, piece: &Message) -> Result<(), String> {
        self.advance(frame["first_seq"].as_u64().unwrap_or(piece.last), piece.last)?;
        let answer = self.messages.values_mut().rev().find(|message| message.id == piece.id);
        let answer = answer.ok_or("a piece of an answer that never began")?;
        if !answer.finish_reason.is_empty() {
            return Err("a piece after the last one".to_owned());
        }
        if frame["offset"] != answer.text.len() {
            return Err(format!("{} bytes were said before", answer.text.len()));
        }
        answer.text += &piece.text;
        answer.last = piece.last;
        let finish_reason = frame["finish_reason"].as_str().unwrap_or_default();
        if (frame["metadata"]["done"] == "true") == finish_reason.is_empty() {
            return Err("the last piece says how it ended, and no other".to_owned());
        }
        finish_reason.clone_into(&mut answer.finish_reason);
        Ok(())
    }

    /// Its id; empty until it is known.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Up to where everything is known.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// The frame that asks for what comes next.
    pub(crate) fn resume(&self) -> Value {
        json!({ "type": "resume", "session_id": self.session, "epoch": self.epoch, "seq": self.seq })
    }

    /// Whether that message of its own is known to be stored.
    pub(crate) fn is_acknowledged(&self, client: &str) -> bool {
        self.acknowledged.contains_key(client)
    }

    /// What was said so far, in order.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.values().cloned().collect()
    }

    /// The answers so far, in order.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Message> {
        self.messages.values().filter(|message| message.sender == "ai")
    }

    /// How many answers are complete.
    pub(crate) fn answered(&self) -> usize {
        self.answers().filter(|answer| !answer.finish_reason.is_empty()).count()
    }
}

/// The messages of a session as they are stored, read from what REST tells.
pub(crate) fn stored(messages: &[Value]) -> Vec<Message> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |message: &Value| Message {
        id: word(&message["message_id"]),
        sender: word(&message["sender"]),
        text: word(&message["content"]),
        last: message["seq"].as_u64().unwrap_or_default(),
        finish_reason: word(&message["finish_reason"]),
    };
    messages.iter().map(read).collect()
}

/// SHA-256 over all there is to know about these messages, in order.
pub(crate) fn hash(messages: &[Message]) -> String {
    let mut digest = Sha256::new();
    for Message { id, sender, text, last, finish_reason } in messages {
        digest.update(json!([id, sender, text, last, finish_reason]).to_string());
    }
    let mut hash = String::new();
    for byte in digest.finalize() {
        write!(hash, "{byte:02x}").expect("a text takes anything");
    }
    hash
}
