//! An upstream made of a bare socket, so that a test decides about every byte and when it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice_chat::exchange::{Auth, Body, Field, Framing, Method, Piece, Request};
use sluice_upstream::{Credential, Destination, Endpoint, Endpoints, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longest wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Timeouts that a test on a busy machine does not meet by accident.
pub(crate) const LONG: Timeouts = Timeouts { first_byte: PATIENCE, idle: PATIENCE };

/// A listener that answers nothing by itself.
pub(crate) struct Fake {
    listener: TcpListener,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().expect("bound").to_string()
    }

    /// One endpoint `api` here, with a credential `bearer` and another `key`.
    pub(crate) fn endpoints(&self) -> Endpoints {
        endpoints(&format!("http://{}/base", self.address()))
    }

    pub(crate) async fn accept(&self) -> Peer {
        let accepted = timeout(PATIENCE, self.listener.accept()).await.expect("a connection");
        Peer { stream: accepted.expect("accepted").0 }
    }

    /// Whether somebody is at the door.
    pub(crate) fn is_called(&self) -> bool {
        use futures_util::FutureExt as _;
        self.listener.accept().now_or_never().is_some()
    }
}

pub(crate) fn endpoints(address: &str) -> Endpoints {
    let destination = Destination::parse(address).expect("a destination");
    let credentials = BTreeMap::from([
        ("bearer".to_owned(), Credential::bearer("sk-canary").ok()),
        ("key".to_owned(), Credential::header("x-api-key", "sk-canary").ok()),
    ]);
    let response_headers = BTreeSet::from(["x-granted".to_owned()]);
    let endpoint = Endpoint { destination, credentials, response_headers };
    Endpoints(BTreeMap::from([("api".to_owned(), endpoint)]))
}

/// A plain POST of `{}` to `/chat`, framed as server-sent events.
pub(crate) fn request() -> Request {
    Request {
        method: Method::Post,
        endpoint: "api".to_owned(),
        path: "/chat".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        auth: Auth::None,
        body: Body::Json(vec![Piece::Text("{}".to_owned())]),
        framing: Framing::Sse,
        timeout_ms: None,
        idempotent: false,
    }
}

pub(crate) fn field(name: &str, value: &str) -> Field {
    Field { name: name.to_owned(), value: value.to_owned() }
}

/// One connection, seen from the upstream.
pub(crate) struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Reads one request with a `content-length`, or without a body. Returns head and body.
    pub(crate) async fn request(&mut self) -> (String, Vec<u8>) {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().expect("a length"));
                let body = bytes.split_off(end + 4);
                if body.len() >= length {
                    return (head, body);
                }
                bytes.extend_from_slice(&body);
            }
            assert!(self.read_into(&mut bytes).await > 0, "the request ends too early");
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("sent");
    }

    /// Sends a chunk of a chunked body.
    pub(crate) async fn send_chunk(&mut self, text: &str) {
        self.send(format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// Sends blocks until the other side has enough. Returns how many bytes it took.
    pub(crate) async fn flood(&mut self, block: &[u8]) -> usize {
        let flood = async {
            let mut taken = 0;
            while self.stream.write_all(block).await.is_ok() {
                taken += block.len();
            }
            taken
        };
        timeout(PATIENCE, flood).await.expect("closed")
    }

    /// Waits until the other side has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        while self.read_into(&mut rest).await > 0 {}
    }

    async fn read_into(&mut self, bytes: &mut Vec<u8>) -> usize {
        // A reset is an end too.
        timeout(PATIENCE, self.stream.read_buf(bytes)).await.expect("in time").unwrap_or(0)
    }
}
