//! An answer that comes event by event, and may be left in the middle.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
};

use crate::patiently;

/// Server-sent events as they arrive. Dropping it hangs up.
#[derive(Debug)]
pub struct Events {
    reader: BufReader<TcpStream>,
    /// What came of the body and is not read yet.
    body: String,
    over: bool,
}

impl Events {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { reader: BufReader::new(stream), body: String::new(), over: false }
    }

    /// Reads the head of the answer, once; expects 200 and a stream of events.
    pub async fn begun(mut self) -> Self {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let line = patiently("the head of an answer", self.reader.read_line(&mut head)).await;
            assert_ne!(line.expect("text"), 0, "no end of the head: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{head}");
        self
    }

    /// The data of the next event; none at the end of the body.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.body.find("\n\n") {
                let event: String = self.body.drain(..end + 2).collect();
                let data = event.trim_end().strip_prefix("data: ").expect("every event is data");
                return Some(data.to_owned());
            }
            if self.over {
                assert_eq!(self.body, "", "the body ends with an event");
                return None;
            }
            patiently("a piece of an answer", self.chunk()).await;
        }
    }

    /// The next event, which is JSON.
    pub async fn json(&mut self) -> Value {
        let data = self.next().await.expect("there is one more event");
        serde_json::from_str(&data).unwrap_or_else(|error| panic!("no JSON ({error}): {data}"))
    }

    /// All that come until the body ends.
    pub async fn rest(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(data) = self.next().await {
            all.push(data);
        }
        all
    }

    async fn chunk(&mut self) {
        let mut size = String::new();
        self.reader.read_line(&mut size).await.expect("the size of a chunk");
        let size = usize::from_str_radix(size.trim(), 16).expect("a number");
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes).await.expect("a whole chunk");
        self.over = size == 0;
        self.body += str::from_utf8(&bytes[..size]).expect("text");
    }
}
