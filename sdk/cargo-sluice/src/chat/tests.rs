use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::*;

/// A gateway that a test plays: one connection at a time.
struct Gateway {
    listener: TcpListener,
}

struct Peer {
    socket: WebSocketStream<TcpStream>,
    protocols: String,
}

impl Gateway {
    async fn open() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port") }
    }

    fn chat(&self) -> Chat {
        let at = self.listener.local_addr().expect("an address");
        Chat {
            address: Address { url: format!("http://{at}/chatbox"), token: "t0k".to_owned() },
            talk: Conversation::new(None),
            interrupts: signal(SignalKind::user_defined1()).expect("a signal"),
            is_person: false,
            cut: false,
        }
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.expect("a client");
        let mut protocols = String::new();
        #[expect(clippy::result_large_err, reason = "the library's own signature")]
        let look = |request: &Request, mut answer: Response| {
            let asked = &request.headers()["sec-websocket-protocol"];
            asked.to_str().expect("text").clone_into(&mut protocols);
            let chosen = "sluice.v1".parse().expect("a header");
            answer.headers_mut().insert("sec-websocket-protocol", chosen);
            Ok(answer)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, look).await.expect("a handshake");
        Peer { socket, protocols }
    }
}

impl Peer {
    async fn say(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.expect("it is sent");
    }

    async fn welcome(&mut self) {
        self.say(json!({"type": "connection_status", "models": [{"id": "echo", "name": "Echo"}]}))
            .await;
    }

    async fn hear(&mut self) -> Value {
        let text = self.socket.next().await.expect("a frame").expect("no error");
        serde_json::from_str(text.to_text().expect("text")).expect("JSON")
    }

    /// Takes a message and stores it as `m1` in session `s`.
    async fn store(&mut self) -> Value {
        let message = self.hear().await;
        let id = &message["client_message_id"];
        self.say(json!({"type": "ack", "session_id": "s", "epoch": 1, "seq": 1,
                        "message_id": "m1", "client_message_id": id}))
            .await;
        message
    }

    async fn answer(&mut self, seq: u64, offset: usize, content: &str, done: bool) {
        let reason = if done { json!("stop") } else { Value::Null };
        self.say(json!({"type": "ai_response", "session_id": "s", "epoch": 1, "seq": seq,
                        "in_reply_to": "m1", "offset": offset, "content": content,
                        "metadata": {"done": done.to_string()}, "finish_reason": reason}))
            .await;
    }
}

fn lines(typed: &[&str]) -> mpsc::Receiver<Line> {
    let (sender, lines) = mpsc::channel(typed.len().max(1));
    for line in typed.iter().filter_map(|line| input::parse(line)) {
        sender.try_send(line).expect("room");
    }
    lines
}

#[tokio::test]
async fn a_piped_line_is_asked_answered_and_the_chat_ends() {
    let gateway = Gateway::open().await;
    let played = async {
        let mut peer = gateway.accept().await;
        peer.welcome().await;
        let message = peer.store().await;
        peer.answer(3, 0, "hi", true).await;
        (peer.protocols.clone(), message)
    };

    let (outcome, (protocols, message)) = tokio::join!(gateway.chat().run(lines(&["hi"])), played);

    assert!(outcome.is_ok());
    assert_eq!(protocols, "sluice.v1, bearer.t0k");
    assert_eq!(message["content"], "hi");
}

#[tokio::test]
async fn a_connection_lost_in_mid_answer_is_resumed() {
    let gateway = Gateway::open().await;
    let played = async {
        let mut peer = gateway.accept().await;
        peer.welcome().await;
        peer.store().await;
        peer.answer(3, 0, "he", false).await;
        drop(peer);
        let mut peer = gateway.accept().await;
        peer.welcome().await;
        let resume = peer.hear().await;
        peer.say(json!({"type": "connection_status", "session_id": "s", "epoch": 1, "seq": 3,
                        "resumed": true}))
            .await;
        peer.answer(5, 2, "llo", true).await;
        resume
    };

    let (outcome, resume) = tokio::join!(gateway.chat().run(lines(&["hello"])), played);

    assert!(outcome.is_ok());
    assert_eq!(resume, json!({"type": "resume", "session_id": "s", "epoch": 1, "seq": 3}));
}

#[tokio::test]
async fn a_message_that_fails_makes_a_piped_chat_fail() {
    let gateway = Gateway::open().await;
    let played = async {
        let mut peer = gateway.accept().await;
        peer.welcome().await;
        let message = peer.hear().await;
        peer.say(json!({"type": "error", "client_message_id": message["client_message_id"],
                        "error": {"code": "LLM_UNAVAILABLE", "message": "No answer"}}))
            .await;
        peer
    };

    let (outcome, _peer) = tokio::join!(gateway.chat().run(lines(&["hi"])), played);

    assert!(outcome.is_err());
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_a_usage_problem() {
    let address = Address { url: "http://127.0.0.1:1/chatbox".to_owned(), token: "t".to_owned() };

    let refused = Connection::open(&address).await.expect_err("nothing is there").to_string();

    assert!(refused.contains("nothing answers at http://127.0.0.1:1/chatbox"), "{refused}");
    assert!(refused.contains("cargo sluice up"), "{refused}");
}

#[test]
fn what_would_steer_a_terminal_is_not_printed() {
    assert_eq!(printable("a\u{1b}[2Jb\nc\td\u{7}"), "a[2Jb\nc\td");
}
