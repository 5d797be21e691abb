//! A wire between client and gateway that a test can cut.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional, sink},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// Passes bytes on, until told to cut.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    cuts: watch::Sender<usize>,
    passed: Arc<AtomicU64>,
    shut: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free loopback port and passes everything on to `target`.
    pub async fn to(target: &str) -> Self {
        Self::start(target, None).await
    }

    /// As [`Proxy::to`], but of what `target` says each connection passes so many bytes, no more and no less, and is cut.
    pub async fn cutting(target: &str, after: u64) -> Self {
        Self::start(target, Some(after)).await
    }

    async fn start(target: &str, cut_after: Option<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let cuts = watch::Sender::new(0);
        let passed = Arc::new(AtomicU64::new(0));
        let shut = Arc::new(AtomicBool::new(false));
        let is_shut = Arc::clone(&shut);
        let (target, scissors, count) = (target.to_owned(), cuts.clone(), Arc::clone(&passed));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                if is_shut.load(Ordering::SeqCst) {
                    continue;
                }
                let (target, cut) = (target.clone(), scissors.subscribe());
                let count = Arc::clone(&count);
                connections.spawn(async move {
                    match cut_after {
                        None => pass(near, target, cut).await,
                        Some(after) => pass_some(near, target, cut, after, &count).await,
                    }
                });
            }
        });
        Self { address, cuts, passed, shut, _tasks: tasks }
    }

    /// How much of what the target said was passed on by one that is [cutting](Proxy::cutting), in bytes.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Cuts each connection there is; new ones pass.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts each connection there is; new ones are cut at once, until [`Proxy::open`].
    pub fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Lets new connections pass again.
    pub fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
    }
}

async fn pass(mut near: TcpStream, target: String, mut cut: watch::Receiver<usize>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        passed = copy_bidirectional(&mut near, &mut far) => drop(passed),
        changed = cut.changed() => drop(changed),
    }
}

async fn pass_some(
    near: TcpStream,
    target: String,
    mut cut: watch::Receiver<usize>,
    after: u64,
    count: &AtomicU64,
) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    // One small frame after the other: without this each would wait for the one before to be acknowledged.
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let (mut heard, mut asked) = near.into_split();
    let (said, mut told) = far.into_split();
    tokio::select! {
        () = pass_down(said, &mut asked, after, count) => {}
        copied = copy(&mut heard, &mut told) => drop(copied),
        changed = cut.changed() => drop(changed),
    }
    drop(told);
    // The client gets what was passed, and then the end: closing over unread bytes would take back what it has not read yet.
    drop(asked.shutdown().await);
    drop(copy(&mut heard, &mut sink()).await);
}

/// Passes so many bytes. Each is counted before it goes out, so that whoever has it finds it counted.
async fn pass_down(
    mut from: OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut left: u64,
    count: &AtomicU64,
) {
    let mut bytes = [0; 4096];
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let Ok(read @ 1..) = from.read(&mut bytes[..room]).await else { return };
        left -= read as u64;
        count.fetch_add(read as u64, Ordering::SeqCst);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
