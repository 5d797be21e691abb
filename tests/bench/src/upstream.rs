//! The upstream: OpenAI's dialect with fixed answers, faster than whatever stands before it.
//!
//! What it does is asked for by the last message: `pace N` streams N numbered and stamped pieces, fifty a second; `stall` says one piece
//! and then nothing until the peer hangs up; anything else gets 1 KB at once.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// Time between two pieces of a stream.
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Bytes of text in an answer that comes at once.
const ANSWER_BYTES: usize = 1024;

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What ends a stream in the dialect.
const END: &str = r#"{"id":"a","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// Answers until killed. Prints its address.
pub(crate) async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("bound"));
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true));
        connections.spawn(answer(stream));
    }
}

/// Nanoseconds since 1970: comparable between processes of one machine.
pub(crate) fn stamp() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_nanos()).expect("before 2554")
}

/// Answers one request after the other; none when the peer is gone.
async fn answer(stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let whole = whole();
    loop {
        let body = read(&mut stream).await?;
        let last = body.rsplit_once(r#""content":"#).map_or("", |(_, last)| last);
        let number = last.split_once("pace ").and_then(|(_, rest)| rest.split(['"', '\\']).next());
        let socket = stream.get_mut();
        if let Some(pieces) = number.and_then(|number| number.parse().ok()) {
            socket.write_all(STREAM.as_bytes()).await.ok()?;
            paced(socket, pieces).await?;
        } else if last.contains("stall") {
            socket.write_all(STREAM.as_bytes()).await.ok()?;
            socket.write_all(&event(&piece("stalled"))).await.ok()?;
            // Until the peer hangs up.
            stream.read_u8().await.ok()?;
        } else if body.contains(r#""stream":true"#) {
            socket.write_all(STREAM.as_bytes()).await.ok()?;
            socket.write_all(&event(&piece("well"))).await.ok()?;
            end(socket).await?;
        } else {
            socket.write_all(&whole).await.ok()?;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        }
        if let Some(said) = lower.strip_prefix("content-length:") {
            length = said.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    String::from_utf8(body).ok()
}

async fn paced(socket: &mut TcpStream, pieces: u32) -> Option<()> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..pieces {
        pace.tick().await;
        let text = format!("{number}@{} ", stamp());
        socket.write_all(&event(&piece(&text))).await.ok()?;
    }
    end(socket).await
}

async fn end(socket: &mut TcpStream) -> Option<()> {
    let mut bytes = event(END);
    bytes.extend(event("[DONE]"));
    bytes.extend(b"0\r\n\r\n");
    socket.write_all(&bytes).await.ok()
}

fn piece(text: &str) -> String {
    format!(
        r#"{{"id":"a","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
    )
}

fn event(data: &str) -> Vec<u8> {
    let mut event = String::new();
    write!(event, "{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8).expect("into a string");
    event.into_bytes()
}

fn whole() -> Vec<u8> {
    let text = "m".repeat(ANSWER_BYTES);
    let body = format!(
        r#"{{"id":"a","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
    );
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
