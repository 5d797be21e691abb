//! A model's server of our own: says what the test scripted, when the test lets it. Its scripts speak OpenAI's dialect unless they
//! were recorded from another vendor.

mod script;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, watch},
    task::JoinSet,
};

pub use script::Script;
use script::Step;

use crate::patiently;

/// A running fake provider; gone when dropped.
#[derive(Debug)]
pub struct FakeProvider {
    address: String,
    stage: Arc<Stage>,
    _tasks: JoinSet<()>,
}

/// A request for an answer, as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method, such as `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Request {
    /// The path without its query.
    fn place(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// Role and text of each message of the prompt.
    pub fn prompt(&self) -> Vec<(&str, &str)> {
        let messages = self.body["messages"].as_array().expect("a prompt has messages");
        messages.iter().map(|m| (text(&m["role"]), text(&m["content"]))).collect()
    }

    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn text(value: &Value) -> &str {
    let part = &value[0]["text"];
    value.as_str().or_else(|| part.as_str()).unwrap_or_default()
}

#[derive(Debug)]
struct Stage {
    scripts: Mutex<VecDeque<Script>>,
    otherwise: Mutex<Script>,
    releases: Semaphore,
    seen: watch::Sender<Seen>,
}

impl Stage {
    fn next_script(&self) -> Script {
        let queued = self.scripts.lock().expect("no test panicked in here").pop_front();
        let otherwise = || self.otherwise.lock().expect("no test panicked in here").clone();
        queued.unwrap_or_else(otherwise)
    }
}

/// What happened so far, for tests to wait on.
#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Request>,
    hung_up: usize,
    /// Halts that an answer went past.
    went_on: usize,
    /// Connections that are open.
    open: usize,
}

impl FakeProvider {
    /// Starts one on a free loopback port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let stage = Arc::new(Stage {
            scripts: Mutex::default(),
            otherwise: Mutex::default(),
            releases: Semaphore::new(0),
            seen: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        let audience = Arc::clone(&stage);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&audience)));
            }
        });
        Self { address, stage, _tasks: tasks }
    }

    /// Starts one whose first answer is `script`.
    pub async fn playing(script: Script) -> Self {
        let provider = Self::start().await;
        provider.then(script);
        provider
    }

    /// Queues what the next request gets. Past the queue each gets "Hello there."
    pub fn then(&self, script: Script) {
        self.stage.scripts.lock().expect("no test panicked in here").push_back(script);
    }

    /// Sets what each request past the queue gets.
    pub fn always(&self, script: Script) {
        *self.stage.otherwise.lock().expect("no test panicked in here") = script;
    }

    /// Lets halted answers go on by so many steps.
    pub fn release(&self, steps: usize) {
        self.stage.releases.add_permits(steps);
    }

    /// Base address as a vendor writes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits for the request number `n`, counted from one.
    pub async fn request(&self, n: usize) -> Request {
        let mut seen = self.stage.seen.subscribe();
        let waiting = seen.wait_for(|seen| seen.requests.len() >= n);
        let seen = patiently(&format!("request {n} at the provider"), waiting).await;
        seen.expect("the stage outlives this").requests[n - 1].clone()
    }

    /// Waits until somebody asked exactly that, after the first `earlier` requests.
    pub async fn asked(&self, text: &str, earlier: usize) {
        let asks = |request: &Request| request.prompt().last().is_some_and(|said| said.1 == text);
        let mut seen = self.stage.seen.subscribe();
        let waiting = seen.wait_for(|seen| seen.requests.iter().skip(earlier).any(asks));
        drop(patiently("a request at the provider", waiting).await);
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.stage.seen.borrow().requests.len()
    }

    /// Waits until halted answers went on by so many steps.
    pub async fn said(&self, steps: usize) {
        let mut seen = self.stage.seen.subscribe();
        let waiting = seen.wait_for(|seen| seen.went_on >= steps);
        drop(patiently("a halted answer to go on", waiting).await);
    }

    /// Waits until no connection of the gateway is open.
    pub async fn left_alone(&self) {
        let mut seen = self.stage.seen.subscribe();
        let waiting = seen.wait_for(|seen| seen.open == 0);
        drop(patiently("the gateway to close its connections", waiting).await);
    }

    /// Waits until the gateway has hung up on `n` answers that were not at their end.
    pub async fn hung_up(&self, n: usize) {
        let mut seen = self.stage.seen.subscribe();
        let waiting = seen.wait_for(|seen| seen.hung_up >= n);
        drop(patiently("the gateway to hang up on the provider", waiting).await);
    }
}

/// Where the vendors there are plugins for are asked.
const ANSWERED: [&str; 10] = [
    "/chat/completions",
    "/messages",
    "/chat-messages",
    "/files/upload",
    "/stop",
    "/api/chat",
    "/embeddings",
    "/api/embed",
    "/models",
    "/api/tags",
];

/// A connection of the gateway's, as long as it is open.
struct Open(Arc<Stage>);

impl Open {
    fn new(stage: &Arc<Stage>) -> Self {
        stage.seen.send_modify(|seen| seen.open += 1);
        Self(Arc::clone(stage))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.seen.send_modify(|seen| seen.open -= 1);
    }
}

/// How an answer ended on this side.
enum Exit {
    Kept,
    Cut,
    HungUp,
}

async fn serve(stream: TcpStream, stage: Arc<Stage>) {
    let _open = Open::new(&stage);
    drop(stream.set_nodelay(true));
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = read_request(&mut reader).await {
        let exit = if ANSWERED.iter().any(|path| request.place().ends_with(path)) {
            let script = stage.next_script();
            stage.seen.send_modify(|seen| seen.requests.push(request));
            play(&script, &mut reader, &mut writer, &stage).await
        } else {
            let nothing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            if writer.write_all(nothing).await.is_ok() { Exit::Kept } else { Exit::Cut }
        };
        match exit {
            Exit::Kept => {}
            Exit::Cut => return,
            Exit::HungUp => return stage.seen.send_modify(|seen| seen.hung_up += 1),
        }
    }
}

async fn play(
    script: &Script,
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
    stage: &Stage,
) -> Exit {
    for step in script.steps() {
        let went_on = match step {
            Step::Bytes(bytes) => writer.write_all(&bytes).await.is_ok(),
            Step::Wait => tokio::select! {
                permit = stage.releases.acquire() => {
                    permit.expect("never closed").forget();
                    stage.seen.send_modify(|seen| seen.went_on += 1);
                    true
                }
                () = gone(reader) => false,
            },
            Step::Stall => {
                gone(reader).await;
                false
            }
            Step::Flood(bytes) => {
                while writer.write_all(&bytes).await.is_ok() {}
                false
            }
            Step::Cut => return Exit::Cut,
        };
        if !went_on {
            return Exit::HungUp;
        }
    }
    Exit::Kept
}

/// Waits until the peer closes.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    if matches!(reader.fill_buf().await, Ok(bytes) if !bytes.is_empty()) {
        std::future::pending::<()>().await; // it spoke out of turn: leave that for the next request
    }
}

async fn read_request(reader: &mut BufReader<OwnedReadHalf>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, n)| n.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Request { method, path, headers, body, text })
}
