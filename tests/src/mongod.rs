//! A real `mongod`, as `cargo sluice` fetches it, in a folder of its own: a replica set of one, or a server that is in none.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use mongodb::{Client, bson::doc};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::patiently;

/// A running server. Killed on drop.
#[derive(Debug)]
pub struct Mongod {
    folder: TempDir,
    port: u16,
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
        initiate(server.port).await;
        server
    }

    /// Starts one on a free port that is in no replica set.
    pub async fn standalone() -> Self {
        Self::launch(false).await
    }

    async fn launch(replicates: bool) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let child = launch(&folder, port, replicates).await;
        Self { folder, port, replicates, child }
    }

    /// Its address.
    pub fn address(&self) -> String {
        let set = if self.replicates { "?replicaSet=alone" } else { "" };
        format!("mongodb://127.0.0.1:{}/{set}", self.port)
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// Starts it again on the same data, after [`Mongod::kill`].
    pub async fn start_again(&mut self) {
        self.child = launch(&self.folder, self.port, self.replicates).await;
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
async fn launch(folder: &TempDir, port: u16, replicates: bool) -> Child {
    let mut child = Command::new(program().expect("asked before"))
        .arg("--dbpath")
        .arg(folder.path())
        .args(["--port", &port.to_string(), "--bind_ip", "127.0.0.1", "--nounixsocket"])
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

/// Makes it the only member of its replica set.
async fn initiate(port: u16) {
    let address = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let client = Client::with_uri_str(address).await.expect("an address");
    let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
    let config = doc! { "_id": "alone", "members": [member] };
    let admin = client.database("admin");
    admin.run_command(doc! { "replSetInitiate": config }).await.expect("initiated");
}
