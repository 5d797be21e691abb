//! What the gateway sends: one flat JSON object a frame, the same envelope as the clients' own.

use std::collections::BTreeMap;

use serde::Serialize;
use sluice_chat::bill::Bill;
use sluice_chat::id::{ClientMessageId, Instant, MessageId, Position, SessionId};
use sluice_chat::log::{Delivery, Event};
use sluice_chat::turn::{Mode, Operator, Sender};

use crate::error::ErrorBody;

/// A model on offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelOffer {
    /// What `model_id` takes.
    pub id: String,
    /// What people read.
    pub name: String,
}

/// Limits a client may want to know before it runs into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClientLimits {
    /// Characters of a message's content.
    pub max_content: usize,
    /// Bytes of a frame.
    pub max_message_size: usize,
    /// Messages that wait behind a running answer.
    pub queue: usize,
    /// Sessions one connection follows.
    pub sessions: usize,
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageBody {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Whether the gateway guessed.
    pub estimated: bool,
    /// What that comes to, in millionths of the currency that prices are written in; left out where there is no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

impl From<sluice_chat::answer::Tokens> for UsageBody {
    fn from(tokens: sluice_chat::answer::Tokens) -> Self {
        Self {
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            total_tokens: tokens.total(),
            estimated: tokens.estimated,
            cost_micros: None,
        }
    }
}

impl From<Bill> for UsageBody {
    fn from(bill: Bill) -> Self {
        Self { cost_micros: bill.cost_micros, ..bill.tokens().into() }
    }
}

/// One frame to a client. Absent fields are left out.
#[derive(Debug, Clone, Serialize)]
pub struct ServerFrame {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "String::is_empty")]
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    models: Vec<ModelOffer>,
    timestamp: String,
    sender: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<ClientLimits>,
}

/// RFC 3339 in UTC, to the second.
pub fn timestamp(at: Instant) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The way back from RFC 3339, in whatever zone. A moment before 1970 is none.
pub fn parse_timestamp(text: &str) -> Option<Instant> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_millisecond()).ok().map(Instant)
}

impl ServerFrame {
    fn new(kind: &'static str, sender: Sender, at: Instant) -> Self {
        Self {
            r#type: kind,
            session_id: None,
            epoch: None,
            seq: None,
            first_seq: None,
            message_id: None,
            client_message_id: None,
            in_reply_to: None,
            offset: None,
            content: String::new(),
            model_id: None,
            name: None,
            models: Vec::new(),
            timestamp: timestamp(at),
            sender: sender.as_str(),
            metadata: BTreeMap::new(),
            finish_reason: None,
            usage: None,
            error: None,
            connection_id: None,
            user_id: None,
            mode: None,
            resumed: None,
            heartbeat_ms: None,
            limits: None,
        }
    }

    /// The frame as it goes over the wire.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a frame has string keys and no failing serializer")
    }

    /// Stands at a position of a session.
    #[must_use]
    pub fn at(mut self, session: &SessionId, position: Position) -> Self {
        self.session_id = Some(session.as_str().to_owned());
        self.epoch = Some(position.epoch.0);
        self.seq = Some(position.seq.0);
        self
    }

    /// The first frame of a connection.
    pub fn welcome(
        connection: &str,
        user: &str,
        models: Vec<ModelOffer>,
        heartbeat_ms: u64,
        limits: ClientLimits,
        at: Instant,
    ) -> Self {
        Self {
            connection_id: Some(connection.to_owned()),
            user_id: Some(user.to_owned()),
            models,
            heartbeat_ms: Some(heartbeat_ms),
            limits: Some(limits),
            ..Self::new("connection_status", Sender::System, at)
        }
    }

    /// Adds that a session is followed, and from where.
    #[must_use]
    pub fn following(
        mut self,
        session: &SessionId,
        position: Position,
        mode: Mode,
        resumed: Option<bool>,
    ) -> Self {
        self.mode = Some(mode.as_str());
        self.resumed = resumed;
        self.at(session, position)
    }

    /// Tells about a session that is followed from here on.
    pub fn status(at: Instant) -> Self {
        Self::new("connection_status", Sender::System, at)
    }

    /// A message is stored. `position.seq` is that of its `user_message` event.
    pub fn ack(
        session: &SessionId,
        position: Position,
        message: &MessageId,
        client: Option<&ClientMessageId>,
        at: Instant,
    ) -> Self {
        Self {
            message_id: Some(message.as_str().to_owned()),
            client_message_id: client.map(|id| id.as_str().to_owned()),
            ..Self::new("ack", Sender::System, at)
        }
        .at(session, position)
    }

    /// Something failed.
    pub fn error(body: ErrorBody, client: Option<&ClientMessageId>, at: Instant) -> Self {
        Self {
            client_message_id: client.map(|id| id.as_str().to_owned()),
            error: Some(body),
            ..Self::new("error", Sender::System, at)
        }
    }

    /// The connection is closed after this error.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.error = self.error.map(ErrorBody::fatal);
        self
    }

    /// Somebody is there.
    pub fn pong(at: Instant) -> Self {
        Self::new("pong", Sender::System, at)
    }

    /// Somebody else in the session is writing.
    pub fn typing(sender: Sender, at: Instant) -> Self {
        Self::new("typing_indicator", sender, at)
    }

    /// Something the client should know; `kind` says what.
    pub fn notification(kind: &str, content: &str, at: Instant) -> Self {
        Self {
            content: content.to_owned(),
            metadata: BTreeMap::from([("kind", kind.to_owned())]),
            ..Self::new("notification", Sender::System, at)
        }
    }

    /// An operator came or went; `what` completes the sentence.
    fn operator(kind: &'static str, operator: &Operator, what: &str, at: Instant) -> Self {
        let Operator { id, name } = operator;
        Self {
            content: format!("Administrator {name} {what}"),
            metadata: BTreeMap::from([
                ("admin_id", id.as_str().to_owned()),
                ("admin_name", name.clone()),
            ]),
            ..Self::new(kind, Sender::Admin, at)
        }
    }

    /// What came out of a session's log.
    pub fn delivery(session: &SessionId, position: Position, delivery: Delivery) -> Self {
        let Delivery { first, last, at, event } = delivery;
        let frame = match event {
            Event::Written(written) => Self {
                message_id: Some(written.message.as_str().to_owned()),
                content: written.content.clone(),
                ..Self::new("user_message", written.sender, at)
            },
            Event::Loading(head) => Self {
                message_id: Some(head.answer.as_str().to_owned()),
                in_reply_to: Some(head.in_reply_to.as_str().to_owned()),
                model_id: Some(head.model.as_str().to_owned()),
                ..Self::new("loading", Sender::Ai, at)
            },
            Event::Piece { head, offset, text, end } => Self {
                message_id: Some(head.answer.as_str().to_owned()),
                in_reply_to: Some(head.in_reply_to.as_str().to_owned()),
                model_id: Some(head.model.as_str().to_owned()),
                offset: Some(offset),
                content: text,
                first_seq: (first != last).then_some(first.0),
                metadata: BTreeMap::from([
                    ("streaming", "true".to_owned()),
                    ("done", end.is_some().to_string()),
                ]),
                finish_reason: end.map(|end| end.ending.as_str()),
                usage: end.map(|end| end.bill.into()),
                ..Self::new("ai_response", Sender::Ai, at)
            },
            Event::Model(model) => Self {
                content: format!("Model changed to {model}"),
                model_id: Some(model.as_str().to_owned()),
                ..Self::new("connection_status", Sender::System, at)
            },
            Event::Name(name) => Self {
                content: format!("Name changed to {name}"),
                name: Some(name.as_ref().to_owned()),
                ..Self::new("connection_status", Sender::System, at)
            },
            Event::Mode(mode) => Self {
                content: "Help was asked for".to_owned(),
                mode: Some(mode.as_str()),
                ..Self::new("connection_status", Sender::System, at)
            },
            Event::Joined(operator) => {
                Self::operator("admin_join", &operator, "has joined the session", at)
            }
            Event::Left(operator) => {
                Self::operator("admin_leave", &operator, "has left the session", at)
            }
        };
        frame.at(session, Position { epoch: position.epoch, seq: last })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sluice_chat::answer::{Ending, Tokens};
    use sluice_chat::id::{Epoch, ModelId, Seq};
    use sluice_chat::log::{AnswerEnd, AnswerHead};

    use super::*;

    fn session() -> SessionId {
        SessionId::parse("s1").unwrap()
    }

    fn position(seq: u64) -> Position {
        Position { epoch: Epoch(2), seq: Seq(seq) }
    }

    fn head() -> Arc<AnswerHead> {
        Arc::new(AnswerHead {
            answer: MessageId::parse("a1").unwrap(),
            in_reply_to: MessageId::parse("m1").unwrap(),
            model: ModelId::parse("echo").unwrap(),
        })
    }

    #[test]
    fn a_merged_last_piece_says_what_it_covers_how_it_ended_and_what_it_cost() {
        let tokens = Tokens { input: 3, output: 4, estimated: true };
        let bill = Bill { cost_micros: Some(8), ..tokens.into() };
        let event = Event::Piece {
            head: head(),
            offset: 5,
            text: "and so on".to_owned(),
            end: Some(AnswerEnd { ending: Ending::Stop, bill }),
        };
        let delivery = Delivery { first: Seq(7), last: Seq(9), at: Instant(1_000), event };

        let frame = ServerFrame::delivery(&session(), position(9), delivery).to_json();

        assert_eq!(
            frame,
            r#"{"type":"ai_response","session_id":"s1","epoch":2,"seq":9,"first_seq":7,"message_id":"a1","in_reply_to":"m1","offset":5,"content":"and so on","model_id":"echo","timestamp":"1970-01-01T00:00:01Z","sender":"ai","metadata":{"done":"true","streaming":"true"},"finish_reason":"stop","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7,"estimated":true,"cost_micros":8}}"#
        );
    }

    #[test]
    fn an_ack_names_both_ids_and_the_position_of_the_message() {
        let client = ClientMessageId::parse("c1");
        let message = MessageId::parse("m1").unwrap();

        let frame =
            ServerFrame::ack(&session(), position(4), &message, client.as_ref(), Instant(0));

        assert_eq!(
            frame.to_json(),
            r#"{"type":"ack","session_id":"s1","epoch":2,"seq":4,"message_id":"m1","client_message_id":"c1","timestamp":"1970-01-01T00:00:00Z","sender":"system"}"#
        );
    }
}
