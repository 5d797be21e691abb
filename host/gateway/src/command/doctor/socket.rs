//! One WebSocket to the gateway, and one turn over it.

use std::time::Duration;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use serde_json::{Value, json};
use sluice_upstream::{UpgradeError, Visitor};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tungstenite::handshake::client::generate_key;
use tungstenite::protocol::Role;
use tungstenite::{Error, Message};

use super::PATIENCE;
use crate::command::chain;

/// Longest wait for a whole answer: `llm.stream_timeout` as it comes.
const ANSWER: Duration = Duration::from_mins(2);

/// What the model is asked: little, so that the answer costs little.
const QUESTION: &str = "Say only: well.";

trait Line:
    Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send
{
}
impl<T> Line for T where
    T: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send
{
}

/// An open socket.
pub(super) struct Socket {
    line: Box<dyn Line>,
    greeting: Value,
}

impl Socket {
    /// Opens one and reads the greeting. An error says what is wrong, for a person.
    pub(super) async fn open(visitor: &Visitor) -> Result<Self, String> {
        let headers = [
            ("sec-websocket-version", "13".to_owned()),
            ("sec-websocket-key", generate_key()),
            ("sec-websocket-protocol", "sluice.v1".to_owned()),
        ];
        let line = visitor.upgrade("/ws", "websocket", &headers).await.map_err(refused)?;
        let line = WebSocketStream::from_raw_socket(line, Role::Client, None).await;
        let mut socket = Self { line: Box::new(line), greeting: Value::Null };
        socket.greeting = socket.hear(Instant::now() + PATIENCE).await?;
        if socket.greeting["type"] != "connection_status" {
            return Err("the first frame is no greeting".to_owned());
        }
        Ok(socket)
    }

    /// Who the gateway takes the token's bearer for.
    pub(super) fn user(&self) -> &str {
        self.greeting["user_id"].as_str().unwrap_or_default()
    }

    /// Which model to ask: the one that is wanted, else `echo`, else the first on offer.
    pub(super) fn model(&self, wanted: Option<&str>) -> Option<String> {
        let models = self.greeting["models"].as_array()?;
        let ids: Vec<_> = models.iter().filter_map(|model| model["id"].as_str()).collect();
        let among = |id: &str| ids.contains(&id).then(|| id.to_owned());
        match wanted {
            Some(id) => among(id),
            None => among("echo").or_else(|| ids.first().map(|&id| id.to_owned())),
        }
    }

    /// Asks and hears the answer to its end. Returns the session that came to be, and what was wrong.
    pub(super) async fn turn(&mut self, model: &str) -> (Option<String>, Result<(), String>) {
        let until = Instant::now() + ANSWER;
        let question = json!({
            "type": "user_message",
            "content": QUESTION,
            "model_id": model,
            "client_message_id": format!("doctor-{}", uuid::Uuid::new_v4().simple()),
        });
        let mut session = None;
        if let Err(error) = self.line.send(Message::text(question.to_string())).await {
            return (session, Err(chain(&error)));
        }
        loop {
            let frame = match self.hear(until).await {
                Ok(frame) => frame,
                Err(problem) => return (session, Err(problem)),
            };
            match frame["type"].as_str() {
                Some("ack") => session = frame["session_id"].as_str().map(ToOwned::to_owned),
                Some("error") => {
                    let code = frame["error"]["code"].as_str().unwrap_or("an error");
                    let trace = frame["error"]["trace_id"].as_str().unwrap_or("-");
                    return (session, Err(format!("{code}; its cause is in the log: {trace}")));
                }
                Some("ai_response") => match frame["finish_reason"].as_str() {
                    Some("stop" | "length") => return (session, Ok(())),
                    // The error that says why comes next.
                    Some("error") | None => {}
                    Some(other) => return (session, Err(format!("the answer ended as {other}"))),
                },
                _ => {}
            }
        }
    }

    /// The next frame.
    async fn hear(&mut self, until: Instant) -> Result<Value, String> {
        loop {
            match timeout_at(until, self.line.next()).await {
                Err(_) => return Err("nothing came for too long".to_owned()),
                Ok(Some(Ok(Message::Text(text)))) => {
                    return serde_json::from_str(&text).map_err(|error| chain(&error));
                }
                Ok(Some(Ok(Message::Close(Some(close))))) => {
                    return Err(format!("closed with {}", u16::from(close.code)));
                }
                Ok(Some(Ok(Message::Close(None))) | None) => return Err("closed".to_owned()),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(chain(&error)),
            }
        }
    }
}

fn refused(error: UpgradeError) -> String {
    match error {
        UpgradeError::Exchange(error) => chain(&error),
        UpgradeError::Refused(answer) => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let code = body["code"].as_str().unwrap_or_default();
            let hint = match answer.status {
                200 | 400 | 404 | 426 => "; does the proxy pass WebSockets on?",
                429 => "; too many connections of this user or address",
                _ => "",
            };
            format!("{} {code}{hint}", answer.status)
        }
    }
}
