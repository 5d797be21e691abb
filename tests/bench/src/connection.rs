//! An HTTP connection kept open, by hand: a load generator should cost less than what it loads.

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// A keep-alive connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

/// How a body is delimited.
enum Body {
    Whole(usize),
    Chunked,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket of TCP");
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request and reads the answer to its end. Anything but 200 ends the run.
    pub(crate) async fn exchange(&mut self, request: &[u8]) {
        let body = self.begin(request).await;
        self.read(body).await;
    }

    /// Sends a request whatever comes of it, and reads the answer to its end.
    pub(crate) async fn exchange_anyhow(&mut self, request: &[u8]) {
        self.stream.get_mut().write_all(request).await.expect("the request is taken");
        let (_, body) = self.head().await;
        self.read(body).await;
    }

    async fn read(&mut self, body: Body) {
        match body {
            Body::Whole(length) => {
                let mut bytes = vec![0; length];
                self.stream.read_exact(&mut bytes).await.expect("the whole body");
            }
            Body::Chunked => {
                let mut bytes = Vec::new();
                while self.chunk(&mut bytes).await {}
            }
        }
    }

    /// Sends a request and hands each event of the answer to `hear`, as the text behind `data: `.
    pub(crate) async fn stream(&mut self, request: &[u8], mut hear: impl FnMut(&str)) {
        let Body::Chunked = self.begin(request).await else { unreachable!("a stream is chunked") };
        let mut bytes = Vec::new();
        let mut going = true;
        while going {
            going = self.chunk(&mut bytes).await;
            while let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") {
                let event = str::from_utf8(&bytes[..end]).expect("events are text");
                if let Some(data) = event.strip_prefix("data: ") {
                    hear(data);
                }
                bytes.drain(..end + 2);
            }
        }
    }

    async fn begin(&mut self, request: &[u8]) -> Body {
        self.stream.get_mut().write_all(request).await.expect("the request is taken");
        let (status, body) = self.head().await;
        assert_eq!(status, 200, "what is measured is an answer");
        body
    }

    async fn head(&mut self) -> (u16, Body) {
        let mut status = 0;
        let mut body = Body::Whole(0);
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.expect("a line of a head");
            let lower = line.trim_end().to_ascii_lowercase();
            if lower.is_empty() {
                assert_ne!(status, 0, "the server hung up");
                return (status, body);
            }
            if let Some((_, rest)) = lower.split_once("http/1.1 ") {
                status = rest.split(' ').next().and_then(|n| n.parse().ok()).expect("a status");
            } else if let Some(length) = lower.strip_prefix("content-length:") {
                body = Body::Whole(length.trim().parse().expect("a length"));
            } else if lower.starts_with("transfer-encoding:") {
                body = Body::Chunked;
            }
        }
    }

    /// One chunk of a body onto `bytes`; false at the end.
    async fn chunk(&mut self, bytes: &mut Vec<u8>) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.expect("the size of a chunk");
        let size = usize::from_str_radix(line.trim_end(), 16).expect("a size");
        let before = bytes.len();
        bytes.resize(before + size + 2, 0);
        self.stream.read_exact(&mut bytes[before..]).await.expect("a whole chunk");
        bytes.truncate(before + size);
        size > 0
    }
}

/// A `POST` of JSON to the chat route, ready to be sent again and again.
pub(crate) fn request(address: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
