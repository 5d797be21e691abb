//! A real `mongod`, as `cargo sluice` fetches it: a replica set of one, in a folder of its own.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

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
    child: Child,
}

impl Mongod {
    /// Whether the program is there, and if not, how to get it.
    pub fn is_fetched() -> Result<(), String> {
        program().map(|_| ()).ok_or_else(|| "not fetched; run: cargo sluice test".to_owned())
    }

    /// Starts one on a free port, alone in its replica set.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let child = launch(&folder, port).await;
        initiate(port);
        Self { folder, port, child }
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?replicaSet=alone", self.port)
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// Starts it again on the same data, after [`Mongod::kill`].
    pub async fn start_again(&mut self) {
        self.child = launch(&self.folder, self.port).await;
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

/// Starts the process and waits until it takes connections.
async fn launch(folder: &TempDir, port: u16) -> Child {
    let mut child = Command::new(program().expect("asked before"))
        .arg("--dbpath")
        .arg(folder.path())
        .args(["--port", &port.to_string(), "--bind_ip", "127.0.0.1", "--nounixsocket"])
        .args(["--replSet", "alone", "--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"])
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

/// Makes it the only member of its replica set: one message of its protocol, written by hand, since
/// these tests have no driver.
fn initiate(port: u16) {
    let host = format!("127.0.0.1:{port}");
    let member = document(&[(0x10, "_id", &0_i32.to_le_bytes()), (0x02, "host", &text(&host))]);
    let members = document(&[(0x03, "0", &member)]);
    let config = document(&[(0x02, "_id", &text("alone")), (0x04, "members", &members)]);
    let command = document(&[(0x03, "replSetInitiate", &config), (0x02, "$db", &text("admin"))]);
    let length = i32::try_from(16 + 5 + command.len()).expect("short");
    let mut message = Vec::new();
    // Length, id, answer to, kind (a message), flags, then one section with one document.
    for number in [length, 1, 0, 2013, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(command);
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("it takes connections");
    socket.write_all(&message).expect("sent");
    let mut answer = [0; 64];
    let read = socket.read(&mut answer).expect("an answer");
    // `ok` is a floating number, and one.
    let fine = [&b"\x01ok\0"[..], &1_f64.to_le_bytes()].concat();
    assert!(answer[..read].windows(fine.len()).any(|part| part == fine), "not initiated");
}

fn document(fields: &[(u8, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, name, value) in fields {
        body.push(*kind);
        body.extend(name.as_bytes());
        body.push(0);
        body.extend(*value);
    }
    body.push(0);
    let length = i32::try_from(body.len() + 4).expect("short");
    [&length.to_le_bytes()[..], &body].concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = i32::try_from(text.len() + 1).expect("short");
    [&length.to_le_bytes()[..], text.as_bytes(), b"\0"].concat()
}
