//! A chat client over one WebSocket.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message, handshake::client::generate_key, http::Request, protocol::CloseFrame,
    },
};

use crate::{Answer, kind, patiently};

/// The kinds of frame that are events of a session's log, and so move a position on.
const EVENTS: [&str; 5] = ["user_message", "loading", "ai_response", "admin_join", "admin_leave"];

/// Bytes that a narrow connection may hold unread.
const NARROW: u32 = 16 * 1024;

/// A connection about to be made.
#[derive(Debug, Clone)]
#[must_use = "call open()"]
pub struct Dial {
    address: String,
    query: Vec<String>,
    headers: BTreeMap<String, String>,
    narrow: bool,
}

/// An upgrade that was refused.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// What it said.
    pub body: String,
}

/// A connected chat client.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    /// The first `connection_status`.
    pub greeting: Value,
    /// The subprotocol the server chose.
    pub protocol: Option<String>,
    session: Option<String>,
    heard: BTreeMap<String, BTreeSet<u64>>,
}

impl Dial {
    pub(crate) fn to(address: &str) -> Self {
        let (query, headers) = (Vec::new(), BTreeMap::new());
        Self { address: address.to_owned(), query, headers, narrow: false }
    }

    /// Carries the token in the `Authorization` header.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Carries the token as a browser must: among the subprotocols.
    pub fn subprotocol(self, token: &str) -> Self {
        self.header("Sec-WebSocket-Protocol", &format!("sluice.v1, bearer.{token}"))
    }

    /// Adds `name=value` to the query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push(format!("{name}={value}"));
        self
    }

    /// Sets a header, `Host` and `Origin` included.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Goes to another address, a proxy's perhaps.
    pub fn through(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// Leaves the kernel little room for what is not read yet, so that not reading is noticed soon.
    pub fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    async fn stream(&self) -> io::Result<TcpStream> {
        let address = self.address.parse().expect("an address and a port");
        let socket = TcpSocket::new_v4().expect("a socket");
        if self.narrow {
            socket.set_recv_buffer_size(NARROW).expect("a size that any kernel takes");
        }
        socket.connect(address).await
    }

    /// Connects and reads the greeting.
    pub async fn open(self) -> Result<Client, Refusal> {
        match self.attempt().await {
            Ok(opened) => opened,
            Err(error) => panic!("neither opened nor refused: {error}"),
        }
    }

    /// Tries until somebody answers and lets it in, as a client does whose gateway is away for a moment.
    pub async fn open_when_back(&self) -> Client {
        patiently("the gateway to be back", async {
            loop {
                if let Ok(Ok(client)) = self.attempt().await {
                    return client;
                }
                tokio::task::yield_now().await; // nobody tells that it is back
            }
        })
        .await
    }

    /// Connects, if there is anybody.
    async fn attempt(&self) -> Result<Result<Client, Refusal>, Error> {
        let query = self.query.join("&");
        let mut request = Request::builder()
            .uri(format!("ws://{}/chatbox/ws?{query}", self.address))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        if !self.headers.contains_key("Host") {
            request = request.header("Host", &self.address);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(()).expect("a request that can be written");
        let stream = self.stream().await?;
        let opened = patiently("the upgrade", client_async(request, stream)).await;
        let (socket, response) = match opened {
            Ok(opened) => opened,
            Err(Error::Http(response)) => {
                let status = response.status().as_u16();
                let body = response.body().clone().unwrap_or_default();
                let body = String::from_utf8_lossy(&body).into_owned();
                return Ok(Err(Refusal { status, body }));
            }
            Err(error) => return Err(error),
        };
        let protocol = response.headers().get("Sec-WebSocket-Protocol");
        let protocol = protocol.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let mut client = Client {
            socket,
            greeting: Value::Null,
            protocol,
            session: None,
            heard: BTreeMap::new(),
        };
        client.greeting = client.next_frame().await;
        if client.greeting.get("closed").is_some() {
            return Err(Error::ConnectionClosed);
        }
        assert_eq!(client.greeting["type"], "connection_status", "{}", client.greeting);
        Ok(Ok(client))
    }
}

impl Client {
    /// Says something in the session of the last ack, in a new one at first. Returns the `client_message_id`.
    pub async fn say(&mut self, content: &str) -> String {
        let id = format!("m-{:016x}", rand::random::<u64>());
        let mut frame =
            json!({ "type": "user_message", "content": content, "client_message_id": id });
        if let Some(session) = &self.session {
            frame["session_id"] = json!(session);
        }
        self.send(&frame).await;
        id
    }

    /// Says something and hears the answer to its end.
    pub async fn ask(&mut self, content: &str) -> Answer {
        self.say(content).await;
        self.answer().await
    }

    /// Makes the messages that follow go to this session.
    pub fn enter(&mut self, session: &str) {
        self.session = Some(session.to_owned());
    }

    /// The session of the last ack.
    pub fn session(&self) -> &str {
        self.session.as_deref().expect("something was acknowledged")
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends any text as one frame.
    pub async fn send_text(&mut self, text: &str) {
        // A peer that closed in the meantime is news for the next read, not for the write.
        drop(self.socket.send(Message::text(text)).await);
    }

    /// Sends any bytes as one binary frame.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        drop(self.socket.send(Message::binary(bytes)).await);
    }

    /// Sends a ping of the WebSocket protocol itself, which the peer's library answers.
    pub async fn send_ping(&mut self) {
        drop(self.socket.send(Message::Ping(vec![0; 125].into())).await);
    }

    /// The next frame; `{"closed": CODE}` at the end, the code null when there was no close frame.
    pub async fn next_frame(&mut self) -> Value {
        let frame = patiently("a frame", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return serde_json::from_str(&text).expect("each frame is JSON");
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return json!({ "closed": frame.map(|frame| u16::from(frame.code)) });
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(other)) => panic!("frames are text: {other:?}"),
                    Some(Err(_)) | None => return json!({ "closed": null }),
                }
            }
        })
        .await;
        self.note(&frame);
        frame
    }

    /// Keeps book of positions: each event's is above all that was heard before.
    fn note(&mut self, frame: &Value) {
        let (Some(session), Some(seq)) = (frame["session_id"].as_str(), frame["seq"].as_u64())
        else {
            return;
        };
        let heard = self.heard.entry(session.to_owned()).or_default();
        if frame["resumed"].is_boolean() {
            heard.clear(); // from here on it goes on from another position
        }
        if kind(frame) == "ack" {
            self.session = Some(session.to_owned());
            heard.insert(seq);
        } else if is_event(frame) {
            let first = frame["first_seq"].as_u64().unwrap_or(seq);
            assert!(first <= seq, "{frame}");
            for position in first..=seq {
                assert!(heard.insert(position), "position {position} came twice: {frame}");
            }
            assert_eq!(heard.last(), Some(&seq), "positions only rise: {frame}");
        }
    }

    /// Positions of `session` between the first and the last heard that never came, acks counted as heard.
    pub fn missed(&self, session: &str) -> Vec<u64> {
        let Some(heard) = self.heard.get(session) else { return Vec::new() };
        let (Some(first), Some(last)) = (heard.first(), heard.last()) else { return Vec::new() };
        (*first..=*last).filter(|position| !heard.contains(position)).collect()
    }

    /// Reads frames until `last` holds of one, and returns them all, that one at the end.
    pub async fn frames_until(&mut self, what: &str, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next_frame().await;
            let closed = frame.get("closed").is_some();
            let found = last(&frame);
            frames.push(frame);
            if found {
                return frames;
            }
            assert!(!closed, "closed while waiting for {what}: {frames:#?}");
        }
    }

    /// The next frame of that type; what comes before it is passed over.
    pub async fn next_of(&mut self, wanted: &str) -> Value {
        let mut frames = self.frames_until(wanted, |frame| kind(frame) == wanted).await;
        frames.pop().expect("frames_until returns at least one")
    }

    /// Reads frames until the pieces among them say `text` together; how they were cut does not matter.
    pub async fn frames_saying(&mut self, text: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        let mut said = String::new();
        while said != text {
            let piece = self.frames_until(text, |frame| kind(frame) == "ai_response").await;
            said += piece.last().and_then(|piece| piece["content"].as_str()).unwrap_or_default();
            assert!(text.starts_with(&said), "heard {said:?} instead of {text:?}");
            frames.extend(piece);
        }
        frames
    }

    /// Hears the running answer to its end.
    pub async fn answer(&mut self) -> Answer {
        Answer::of(&self.frames_until("the last piece of an answer", is_last_piece).await)
    }

    /// Hears on to the last piece of an answer whose first pieces were read already.
    pub async fn answer_end(&mut self) -> Value {
        let mut frames = self.frames_until("the last piece of an answer", is_last_piece).await;
        frames.pop().expect("frames_until returns at least one")
    }

    /// Sends a ping and returns what came before the pong: nothing, when nothing was on its way.
    pub async fn settled(&mut self) -> Vec<Value> {
        self.send(&json!({ "type": "ping" })).await;
        let mut frames = self.frames_until("the pong", |frame| kind(frame) == "pong").await;
        frames.pop();
        frames
    }

    /// Reads to the end of the connection and returns the close code.
    pub async fn closed(&mut self) -> Option<u64> {
        let frames = self.frames_until("the close", |frame| frame.get("closed").is_some()).await;
        frames.last().and_then(|frame| frame["closed"].as_u64())
    }

    /// Begins to close the connection, with any code. What comes back is still to be read.
    pub async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        drop(self.socket.send(Message::Close(Some(frame))).await);
    }

    /// Closes the connection in an orderly way.
    pub async fn leave(mut self) {
        drop(self.socket.close(None).await);
    }
}

/// Whether a frame stands at a position of its own; a change of model or name is told as a status.
fn is_event(frame: &Value) -> bool {
    let changed = kind(frame) == "connection_status"
        && (frame["model_id"].is_string() || frame["name"].is_string());
    changed || EVENTS.contains(&kind(frame))
}

/// Whether a frame is the last piece of an answer.
pub(crate) fn is_last_piece(frame: &Value) -> bool {
    kind(frame) == "ai_response" && frame["metadata"]["done"] == "true"
}
