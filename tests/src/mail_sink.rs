//! A mail server that keeps what it gets, or takes nothing while the test says so.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::patiently;

/// A running mail server; gone when dropped.
#[derive(Debug)]
pub struct MailSink {
    port: u16,
    stage: Arc<Stage>,
    _tasks: JoinSet<()>,
}

/// A letter as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Whom it is to, by the envelope.
    pub to: Vec<String>,
    /// Head and body.
    pub text: String,
}

impl Letter {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug, Default)]
struct Stage {
    refuses: AtomicBool,
    /// Addresses that it takes nothing for, ever.
    unknown: Mutex<Vec<String>>,
    seen: watch::Sender<Seen>,
}

impl Stage {
    fn is_unknown(&self, recipient: &str) -> bool {
        let unknown = self.unknown.lock().expect("nobody panics with it");
        unknown.iter().any(|address| recipient.contains(&format!("<{address}>")))
    }
}

#[derive(Debug, Default)]
struct Seen {
    letters: Vec<Letter>,
    refused: usize,
}

impl MailSink {
    /// Starts one on a free loopback port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let stage = Arc::new(Stage::default());
        let mut tasks = JoinSet::new();
        let audience = Arc::clone(&stage);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let audience = Arc::clone(&audience);
                connections.spawn(async move {
                    // A client that broke off said so itself.
                    serve(stream, audience).await.unwrap_or_default();
                });
            }
        });
        Self { port, stage, _tasks: tasks }
    }

    /// Takes nothing for this address from here on.
    pub fn forget(&self, address: &str) {
        self.stage.unknown.lock().expect("nobody panics with it").push(address.to_owned());
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From here on it takes no letter, or takes each.
    pub fn refuse(&self, refuses: bool) {
        self.stage.refuses.store(refuses, Ordering::Release);
    }

    /// What it got so far.
    pub fn letters(&self) -> Vec<Letter> {
        self.stage.seen.borrow().letters.clone()
    }

    /// Waits until it got so many letters.
    pub async fn got(&self, letters: usize) -> Vec<Letter> {
        let mut seen = self.stage.seen.subscribe();
        let came = seen.wait_for(|seen| seen.letters.len() >= letters);
        patiently("letters", came).await.expect("the sink stays").letters.clone()
    }

    /// Waits until it refused so many letters.
    pub async fn refused(&self, letters: usize) {
        let mut seen = self.stage.seen.subscribe();
        let came = seen.wait_for(|seen| seen.refused >= letters);
        patiently("a letter that is refused", came).await.expect("the sink stays");
    }
}

/// Speaks as little of SMTP as will do. A client that breaks off ends it.
async fn serve(stream: TcpStream, stage: Arc<Stage>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut to = Vec::new();
    stream.write_all(b"220 sink\r\n").await.ok()?;
    loop {
        let line = line(&mut stream).await?;
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match word.as_str() {
            "EHLO" | "HELO" => b"250 sink\r\n",
            "RCPT" if stage.is_unknown(&line) => b"550 no such user\r\n",
            "RCPT" => {
                to.push(line.trim_end().to_owned());
                b"250 ok\r\n"
            }
            "DATA" if stage.refuses.load(Ordering::Acquire) => {
                stage.seen.send_modify(|seen| seen.refused += 1);
                b"451 not now\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let text = body(&mut stream).await?;
                let letter = Letter { to: std::mem::take(&mut to), text };
                stage.seen.send_modify(|seen| seen.letters.push(letter));
                b"250 taken\r\n"
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n").await.ok(),
            _ => b"250 ok\r\n",
        };
        stream.write_all(reply).await.ok()?;
    }
}

/// One line; none at the end.
async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then_some(line)
}

/// Everything up to the dot that ends it.
async fn body(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = line(stream).await?;
        if line == ".\r\n" {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
