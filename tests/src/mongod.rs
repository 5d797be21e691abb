//! A real `mongod`, as `cargo sluice` fetches it, in a folder of its own: a replica set of one, a pair, or a server that is in none.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use mongodb::{
    Client, Database,
    bson::{Document, doc},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{Proxy, own_address, patiently};

/// A running server. Killed on drop.
#[derive(Debug)]
pub struct Mongod {
    folder: TempDir,
    address: SocketAddr,
    replicates: bool,
    child: Child,
}

impl Mongod {
    /// Whether the program is there, and if not, how to get it.
    pub fn is_fetched() -> Result<(), String> {
        program().map(|_| ()).ok_or_else(|| "not fetched; run: cargo sluice test".to_owned())
    }

    /// Starts one on a free port, alone in its replica set.
    pub async fn start() -> Self {
        let server = Self::launch(true).await;
        initiate(server.address).await;
        server
    }

    /// Starts two in one replica set. The first one writes and stays the one that does, and the second has all that it has. Only
    /// both are a majority.
    pub async fn pair() -> (Self, Self) {
        let (first, second) = (Self::launch(true).await, Self::launch(true).await);
        // Alone it need not wait for an election.
        let admin = initiate(first.address).await;
        let pair = config(&[first.address, second.address]);
        patiently("the second server to follow the first", async {
            while admin.run_command(doc! { "replSetReconfig": pair.clone() }).await.is_err() {}
            loop {
                let status = admin.run_command(doc! { "replSetGetStatus": 1 }).await;
                let status = status.expect("a member tells");
                let members = status.get_array("members").expect("members").iter();
                let states: Vec<_> = members
                    .filter_map(|member| member.as_document()?.get_str("stateStr").ok())
                    .collect();
                if states == ["PRIMARY", "SECONDARY"] {
                    return;
                }
            }
        })
        .await;
        (first, second)
    }

    /// Starts one on a free port that is in no replica set.
    pub async fn standalone() -> Self {
        Self::launch(false).await
    }

    async fn launch(replicates: bool) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let address = own_address();
        let child = launch(&folder, address, replicates).await;
        Self { folder, address, replicates, child }
    }

    /// Its address.
    pub fn address(&self) -> String {
        let set = if self.replicates { "?replicaSet=alone" } else { "" };
        format!("mongodb://{}/{set}", self.address)
    }

    /// Its address as the driver takes it that is to see nothing but this proxy in front of it.
    pub fn address_behind(proxy: &Proxy) -> String {
        format!("mongodb://{}/?directConnection=true", proxy.address())
    }

    /// A proxy in front of it.
    pub async fn proxy(&self) -> Proxy {
        Proxy::to(&self.address.to_string()).await
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// Starts it again on the same data, after [`Mongod::kill`].
    pub async fn start_again(&mut self) {
        self.child = launch(&self.folder, self.address, self.replicates).await;
    }

    /// Sends any signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("signalled");
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        // It may be dead already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn program() -> Option<PathBuf> {
    env::var_os("SLUICE_MONGOD").map(PathBuf::from).filter(|program| program.is_file())
}

/// Closes the files of what no test uses any more. Each test has a database, and a database some sixty files: of a whole run they
/// are more than a process may have open, and the server then ends.
const CLOSE_IDLE_FILES: &str =
    "file_manager=(close_idle_time=10,close_scan_interval=5,close_handle_minimum=250)";

/// Starts the process and waits until it takes connections.
async fn launch(folder: &TempDir, address: SocketAddr, replicates: bool) -> Child {
    let mut child = Command::new(program().expect("asked before"))
        .arg("--dbpath")
        .arg(folder.path())
        .args(["--bind_ip", &address.ip().to_string(), "--port", &address.port().to_string()])
        .arg("--nounixsocket")
        .args(if replicates { &["--replSet", "alone", "--oplogSize", "64"][..] } else { &[] })
        .args([
            "--wiredTigerCacheSizeGB",
            "0.25",
            "--wiredTigerEngineConfigString",
            CLOSE_IDLE_FILES,
        ])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("mongod starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (ready, is_ready) = oneshot::channel();
    // Reads to the end, so that a server that says much is not stopped by it.
    std::thread::spawn(move || {
        let mut ready = Some(ready);
        for line in lines.map_while(Result::ok) {
            if line.contains("Waiting for connections")
                && let Some(ready) = ready.take()
            {
                // A test that gave up meanwhile said so.
                ready.send(()).ok();
            }
        }
    });
    patiently("mongod to take connections", is_ready).await.expect("mongod stays");
    child
}

/// Makes it the only member of its replica set; returns its database of commands.
async fn initiate(address: SocketAddr) -> Database {
    let uri = format!("mongodb://{address}/?directConnection=true");
    let client = Client::with_uri_str(uri).await.expect("an address");
    let admin = client.database("admin");
    let config = config(&[address]);
    admin.run_command(doc! { "replSetInitiate": config }).await.expect("initiated");
    admin
}

/// Members of a replica set, of which only the first may ever write.
fn config(addresses: &[SocketAddr]) -> Document {
    let members = (0..).zip(addresses).map(|(id, address)| {
        doc! { "_id": id, "host": address.to_string(), "priority": i32::from(id == 0) }
    });
    // One that hears nothing of the other stays what it is for longer than any test.
    let settings = doc! { "electionTimeoutMillis": 600_000 };
    let version = i32::try_from(addresses.len()).expect("two at most");
    doc! { "_id": "alone", "version": version, "members": members.collect::<Vec<_>>(), "settings": settings }
}
