//! A wire between client and gateway that a test can cut.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Passes bytes on, until told to cut.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    cuts: watch::Sender<usize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free loopback port and passes everything on to `target`.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let cuts = watch::Sender::new(0);
        let (target, scissors) = (target.to_owned(), cuts.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(pass(near, target.clone(), scissors.subscribe()));
            }
        });
        Self { address, cuts, _tasks: tasks }
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Cuts each connection there is; new ones pass.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(mut near: TcpStream, target: String, mut cut: watch::Receiver<usize>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        passed = copy_bidirectional(&mut near, &mut far) => drop(passed),
        changed = cut.changed() => drop(changed),
    }
}
