//! A client that writes down what it sent and what was acknowledged.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use rand::RngExt as _;
use serde_json::{Value, json};
use sluice_tests::{Client, Gateway, kind};

/// Messages sent without waiting for an acknowledgement; fewer than may wait in a session.
const AHEAD: usize = 4;

/// What became of the messages of a chapter.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Acknowledged: there, once, in their place.
    pub(crate) acknowledged: usize,
    /// Of those, acknowledged only when they were sent again.
    pub(crate) on_retry: usize,
    /// Never acknowledged and not sent again.
    pub(crate) unacknowledged: usize,
    /// Of those, stored nevertheless, once.
    pub(crate) stored_nevertheless: usize,
    /// Messages refused with an error, none of which may be there.
    pub(crate) refused: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.on_retry += other.on_retry;
        self.unacknowledged += other.unacknowledged;
        self.stored_nevertheless += other.stored_nevertheless;
        self.refused += other.refused;
    }
}

/// Where an acknowledged message is, as the ack said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    message: String,
    seq: u64,
}

/// A message, in the order they were first sent.
#[derive(Debug)]
struct Sent {
    client_message_id: String,
    content: String,
    tries: usize,
    place: Option<Place>,
    refused: bool,
    /// Not to be sent again: whether it is there, nobody was told.
    given_up: bool,
}

impl Sent {
    fn waits(&self) -> bool {
        self.place.is_none() && !self.refused && !self.given_up
    }
}

/// The client.
pub(crate) struct Witness {
    user: String,
    client: Option<Client>,
    session: Option<String>,
    sent: Vec<Sent>,
    count: u64,
}

impl Witness {
    pub(crate) fn new(user: String) -> Self {
        Self { user, client: None, session: None, sent: Vec::new(), count: 0 }
    }

    /// Connects and sends again what was not acknowledged, as a client should; some of it a client that forgets does not.
    pub(crate) async fn connect(&mut self, gateway: &Gateway) {
        let mut client = gateway.connect(&self.user).await;
        for message in &mut self.sent {
            if message.waits() && message.tries > 0 && rand::rng().random_bool(0.25) {
                message.given_up = true;
            }
        }
        for message in self.sent.iter_mut().filter(|message| message.waits()) {
            message.tries += 1;
            send(&mut client, self.session.as_deref(), message).await;
            if self.session.is_none() {
                // Which session it is in only its ack tells, and the others are to go there too.
                break;
            }
        }
        self.client = Some(client);
    }

    /// Talks for ever. May be cut off at any await.
    pub(crate) async fn talk(&mut self) {
        loop {
            let waiting = self.sent.iter().filter(|message| message.waits()).count();
            let ahead = if self.session.is_some() { AHEAD } else { 1 };
            if waiting < ahead {
                self.say().await;
            } else {
                assert!(self.listen().await, "{}: closed before it was killed", self.user);
            }
        }
    }

    async fn say(&mut self) {
        self.count += 1;
        let client_message_id = format!("{}-{}", self.user, self.count);
        let content = format!("What about {client_message_id}?");
        self.sent.push(Sent {
            client_message_id,
            content,
            tries: 1,
            place: None,
            refused: false,
            given_up: false,
        });
        let (Some(client), Some(message)) = (&mut self.client, self.sent.last()) else { return };
        send(client, self.session.as_deref(), message).await;
    }

    /// Takes in one frame. Returns whether there will be more.
    async fn listen(&mut self) -> bool {
        let Some(client) = &mut self.client else { return false };
        let frame = client.next_frame().await;
        if frame.get("closed").is_some() {
            self.client = None;
            // Nothing more comes on a dead connection: whoever talks waits for the kill to be over.
            return false;
        }
        self.note(&frame);
        true
    }

    fn note(&mut self, frame: &Value) {
        let text = |name: &str| frame[name].as_str().unwrap_or_default();
        let id = text("client_message_id");
        let known = self.sent.iter_mut().find(|message| message.client_message_id == id);
        match (kind(frame), known) {
            ("ack", Some(message)) => {
                let place = Place {
                    message: text("message_id").to_owned(),
                    seq: frame["seq"].as_u64().expect("a seq"),
                };
                assert!(!place.message.is_empty(), "{frame}");
                if let Some(before) = &message.place {
                    assert_eq!(*before, place, "the same message gets the same ack: {frame}");
                }
                message.place = Some(place);
                let session = text("session_id").to_owned();
                let before = self.session.get_or_insert_with(|| session.clone());
                assert_eq!(*before, session, "the conversation goes on: {frame}");
            }
            ("error", Some(message)) if message.place.is_none() => message.refused = true,
            _ => {}
        }
    }

    /// Hears what the dead gateway had still sent.
    pub(crate) async fn hear_the_end(&mut self) {
        while self.listen().await {}
    }

    /// Gets the last acknowledgements, compares the history with what was noted, and begins a new conversation.
    pub(crate) async fn end_chapter(&mut self, gateway: &Gateway) -> Counts {
        self.connect(gateway).await;
        while self.sent.iter().any(Sent::waits) {
            if !self.listen().await {
                self.connect(gateway).await;
            }
        }
        if let Some(client) = self.client.take() {
            client.leave().await;
        }
        let sent = std::mem::take(&mut self.sent);
        match self.session.take() {
            Some(session) => self.compare(&history(gateway, &self.user, &session).await, &sent),
            None => Counts::default(),
        }
    }

    fn compare(&self, history: &[Value], sent: &[Sent]) -> Counts {
        let user = &self.user;
        let places: Vec<_> = history.iter().map(|message| message["seq"].as_u64()).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "{user}: places rise: {places:?}");
        let mut stored: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
        for message in history {
            if let Some(asked) = message["in_reply_to"].as_str() {
                *answers.entry(asked).or_default() += 1;
            } else {
                let id = message["client_message_id"].as_str().expect("all have one");
                stored.entry(id).or_default().push(message);
            }
        }
        assert!(answers.values().all(|count| *count == 1), "{user}: answered twice: {answers:?}");
        let mut counts = Counts::default();
        let mut last = 0;
        for message in sent {
            let found = stored.remove(message.client_message_id.as_str()).unwrap_or_default();
            assert!(found.len() <= 1, "{user}: stored twice: {found:?}");
            let found = found.first();
            if let Some(found) = found {
                assert_eq!(found["content"], message.content, "{user}");
            }
            match (&message.place, found) {
                (Some(place), Some(found)) => {
                    assert_eq!(found["message_id"], place.message, "{user}: {found}");
                    assert_eq!(found["seq"], place.seq, "{user}: {found}");
                    assert!(place.seq > last, "{user}: out of order: {message:?}");
                    last = place.seq;
                    counts.acknowledged += 1;
                    counts.on_retry += usize::from(message.tries > 1);
                }
                (Some(_), None) => unreachable!("{user}: acknowledged and lost: {message:?}"),
                (None, Some(found)) => {
                    assert!(!message.refused, "{user}: refused and stored: {found}");
                    counts.unacknowledged += 1;
                    counts.stored_nevertheless += 1;
                }
                (None, None) if message.refused => counts.refused += 1,
                (None, None) => counts.unacknowledged += 1,
            }
        }
        assert!(stored.is_empty(), "{user}: nobody sent these: {stored:?}");
        counts
    }
}

async fn send(client: &mut Client, session: Option<&str>, message: &Sent) {
    let mut frame = json!({
        "type": "user_message",
        "content": message.content,
        "client_message_id": message.client_message_id,
    });
    if let Some(session) = session {
        frame["session_id"] = json!(session);
    }
    client.send(&frame).await;
}

/// All that is stored of a conversation, oldest first.
async fn history(gateway: &Gateway, user: &str, session: &str) -> Vec<Value> {
    let path = format!("/sessions/{session}/messages?limit=500");
    let mut history: Vec<Value> = Vec::new();
    let mut page = gateway.get(user, &path).await;
    loop {
        let mut messages = page["messages"].as_array().expect("a list").clone();
        messages.append(&mut history);
        history = messages;
        let Some(before) = page["before"].as_u64() else { return history };
        page = gateway.get(user, &format!("{path}&before={before}")).await;
    }
}
