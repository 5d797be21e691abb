//! HTTP/1.1 by hand, so that a test can send what no client library would.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Events, patiently};

/// A request on its way to the gateway.
#[derive(Debug)]
#[must_use = "call send()"]
pub struct Call {
    address: String,
    method: String,
    path: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, lossily as text.
    pub body: String,
}

impl Call {
    /// Prepares one to `address`; `path` is complete, prefix included.
    pub fn new(address: &str, method: &str, path: &str) -> Self {
        Self {
            address: address.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            host: None,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Carries `token` the way HTTP wants it.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Goes to another address, a proxy's perhaps.
    pub fn through(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// Says another name in `Host` than the address it goes to.
    pub fn host(mut self, name: &str) -> Self {
        self.host = Some(name.to_owned());
        self
    }

    /// Carries a JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    /// Sends it and reads the answer to its end.
    pub async fn send(self) -> Reply {
        let mut bytes = Vec::new();
        let mut stream = self.begin().await;
        let whole = async { stream.read_to_end(&mut bytes).await.expect("the answer has an end") };
        patiently("an HTTP answer", whole).await;
        Reply::parse(&bytes)
    }

    /// Sends it and reads the answer event by event.
    pub async fn events(self) -> Events {
        Events::new(self.begin().await)
    }

    /// Sends all of it but the last byte.
    pub async fn begin_without_end(mut self) -> TcpStream {
        let length = self.body.len().to_string();
        self.body.pop();
        self.begin_saying(&length).await
    }

    /// Sends it; the answer is the caller's to read, or not.
    pub async fn begin(self) -> TcpStream {
        let length = self.body.len().to_string();
        self.begin_saying(&length).await
    }

    async fn begin_saying(self, length: &str) -> TcpStream {
        let Self { address, method, path, host, headers, body } = self;
        let host = host.unwrap_or_else(|| address.clone());
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.extend([&name, ": ", &value, "\r\n"]);
        }
        request.extend(["Content-Length: ", length, "\r\n\r\n", &body]);
        patiently("the gateway to take a request", async {
            let mut stream = TcpStream::connect(&address).await.expect("the gateway listens");
            stream.write_all(request.as_bytes()).await.expect("the request is taken");
            stream
        })
        .await
    }
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = &bytes[end + 4..];
        let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
        let body = if chunked { dechunk(body) } else { body.to_vec() };
        let status = status.expect("a status line");
        Self { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.body))
    }

    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size =
            str::from_utf8(&bytes[..end]).ok().and_then(|n| usize::from_str_radix(n, 16).ok());
        let size = size.expect("a chunk's size");
        if size == 0 {
            break;
        }
        let start = end + 2;
        whole.extend_from_slice(&bytes[start..start + size]);
        bytes = &bytes[start + size + 2..];
    }
    whole
}
