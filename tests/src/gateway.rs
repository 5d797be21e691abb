//! A running gateway process, and the folder it keeps its data in.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use futures_util::TryStreamExt as _;
use mongodb::{
    Database,
    bson::{RawDocumentBuf, doc},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{
    Call, Client, Dial, Setup, patiently,
    setup::{Disk, OWN_MOUNTS},
    workspace::binary,
};

/// A running gateway. Killed on drop; its log is printed when the test fails.
#[derive(Debug)]
pub struct Gateway {
    setup: Setup,
    home: TempDir,
    child: Child,
    // Held so that a gateway that writes to standard output is not stopped by it.
    output: Lines<BufReader<ChildStdout>>,
    address: String,
}

/// How a process ended that was not expected to stay.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Gateway {
    /// Starts `sluice serve` in a new folder and waits for its readiness line.
    pub(crate) async fn start(setup: Setup) -> Self {
        let home = TempDir::new().expect("a folder for the test");
        let (child, output, address) = launch(&setup, home.path()).await;
        Self { setup, home, child, output, address }
    }

    /// Starts it again on the same data, after [`Gateway::stop`] or [`Gateway::kill`].
    pub async fn start_again(&mut self) {
        (self.child, self.output, self.address) = launch(&self.setup, self.home.path()).await;
    }

    /// As [`Gateway::start_again`], at the address it had.
    pub async fn start_again_there(&mut self) {
        let address = self.address.clone();
        let setup = self.setup.clone().set("SLUICE_SERVER__BIND", &address);
        (self.child, self.output, self.address) = launch(&setup, self.home.path()).await;
    }

    /// Sets a variable for whatever is started from here on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.setup = self.setup.clone().set(name, value);
    }

    /// Runs another command of the binary in the same folder, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        ended_in(&self.setup, self.home.path(), arguments).await
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.stop_already().await
    }

    /// Waits for the end that a signal asked for.
    pub async fn stop_already(&mut self) -> ExitStatus {
        patiently("the gateway to drain", self.child.wait()).await.expect("waited for")
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Sends any signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process().cast_signed()), signal).expect("signalled");
    }

    /// The id of its process.
    pub fn process(&self) -> u32 {
        self.child.id().expect("still running")
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("asked").is_none()
    }

    /// Most memory it ever took, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux tells") * 1024
    }

    /// Where it listens: `HOST:PORT`, both its own.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The folder it runs in.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the disk of [`Setup::on_a_disk_of`] is seen from here.
    pub fn disk(&self) -> PathBuf {
        let id = self.child.id().expect("still running");
        let path = self.home.path().join("disk");
        Path::new(&format!("/proc/{id}/root")).join(path.strip_prefix("/").unwrap_or(&path))
    }

    /// Makes that disk larger.
    pub fn widen_disk(&self, size: &str) {
        let id = self.child.id().expect("still running").to_string();
        let status = std::process::Command::new("nsenter")
            .args(["--target", &id, "--user", "--mount", "--preserve-credentials"])
            .args(["mount", "-o", &format!("remount,size={size}")])
            .arg(self.home.path().join("disk"))
            .status();
        assert!(status.is_ok_and(|status| status.success()), "the disk can be made larger");
    }

    /// The database it keeps its archive in, where that is a MongoDB.
    pub(crate) async fn database(&self) -> Option<Database> {
        let in_a_file = engine(self.home.path()).is_empty() || self.setup.disk.is_some();
        if in_a_file {
            return None;
        }
        let client = mongodb::Client::with_uri_str(server()).await.expect("an address");
        Some(client.database(&database(self.home.path())))
    }

    /// Whether that word stands anywhere in the archive, in any of its files or documents.
    pub async fn is_stored(&self, word: &str) -> bool {
        let found = |bytes: &[u8]| bytes.windows(word.len()).any(|part| part == word.as_bytes());
        let Some(database) = self.database().await else {
            let files = fs::read_dir(self.home.path()).expect("the test's folder");
            return files
                .map(|file| file.expect("a file").path())
                .filter(|path| path.to_string_lossy().contains("sluice.db"))
                .any(|path| found(&fs::read(path).expect("readable")));
        };
        for name in database.list_collection_names().await.expect("asked") {
            let documents = database.collection::<RawDocumentBuf>(&name).find(doc! {}).await;
            let documents: Vec<_> =
                documents.expect("asked").try_collect().await.expect("the database is read");
            if documents.iter().any(|document| found(document.as_bytes())) {
                return true;
            }
        }
        false
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Waits until it logged that.
    pub async fn logged(&self, text: &str) {
        self.logged_often(text, 1).await;
    }

    /// Waits until it logged that so many times.
    pub async fn logged_often(&self, text: &str, times: usize) {
        patiently(text, async {
            while self.log().matches(text).count() < times {
                tokio::task::yield_now().await; // a file tells nobody that it grew
            }
        })
        .await;
    }

    /// A good token for `user`.
    pub fn token(&self, user: &str) -> String {
        self.setup.token(user)
    }

    /// A good token for `user` with these roles.
    pub fn token_with(&self, user: &str, roles: &[&str]) -> String {
        self.setup.token_with(user, roles)
    }

    /// Prepares a WebSocket connection, to be made as the test wants it.
    pub fn dial(&self) -> Dial {
        Dial::to(&self.address)
    }

    /// Connects `user` the ordinary way and reads the greeting.
    pub async fn connect(&self, user: &str) -> Client {
        self.dial().bearer(&self.token(user)).open().await.expect("a good token opens")
    }

    /// Connects `user` to one of its sessions.
    pub async fn follow(&self, user: &str, session: &str) -> Client {
        let dial = self.dial().bearer(&self.token(user)).query("session_id", session);
        dial.open().await.expect("a good token opens")
    }

    /// Prepares an HTTP request; `path` is complete, prefix included.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(&self.address, method, path)
    }

    /// Reads `{prefix}{path}` as `user`; expects 200 and JSON.
    pub async fn get(&self, user: &str, path: &str) -> Value {
        let call = self.call("GET", &format!("/chatbox{path}")).bearer(&self.token(user));
        let reply = call.send().await;
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.body);
        reply.json()
    }

    /// The value of one metric, labels included in its name; none while it is not there. Reading counts as a request without a
    /// token: see [`Setup::watched`].
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let reply = self.call("GET", "/metrics").send().await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let line = reply.body.lines().find(|line| line.starts_with(&format!("{name} ")))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// Waits until a metric has that value.
    pub async fn metric_becomes(&self, name: &str, wanted: f64) {
        patiently(&format!("{name} to be {wanted}"), async {
            while self.metric(name).await != Some(wanted) {}
        })
        .await;
    }

    /// The stored messages of a session, oldest first.
    pub async fn messages(&self, user: &str, session: &str) -> Vec<Value> {
        let page = self.get(user, &format!("/sessions/{session}/messages")).await;
        page["messages"].as_array().expect("a list of messages").clone()
    }
}

impl Drop for Gateway {
    #[expect(clippy::print_stderr, reason = "a failing test shows what the gateway said")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("--- log of the gateway at {} ---\n{tail}\n---", self.address);
        }
    }
}

/// Mounts a disk and becomes the program, so that its id is the program's.
const ON_A_DISK: &str =
    r#"mount -t tmpfs -o size="$2" none "$1" && program="$3" && shift 3 && exec "$program" "$@""#;

/// Makes a folder the only one that can be written to, and becomes the program. What is no mount of its own is refused, and read-only
/// with the one it is on.
const ON_THE_ONLY_PLACE: &str = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit 1
for place in /tmp /var/tmp /dev/shm; do mount -o remount,bind,ro "$place" 2> /dev/null; done
shift && exec "$@""#;

type Running = (Child, Lines<BufReader<ChildStdout>>, String);

async fn launch(setup: &Setup, home: &Path) -> Running {
    let log = File::options().create(true).append(true).open(home.join("log")).expect("a log file");
    let mut command = command(setup, home);
    command.arg("serve").args(setup.arguments(home)).stderr(log);
    let mut child = command.spawn().expect("the gateway's binary starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = patiently("the gateway to be ready", output.next_line()).await.expect("text");
    let ready: Option<Value> = line.as_deref().and_then(|line| serde_json::from_str(line).ok());
    let address = ready.as_ref().and_then(|ready| ready["address"].as_str());
    let Some(address) = address else {
        let log = fs::read_to_string(home.join("log")).unwrap_or_default();
        panic!("no readiness line but {line:?}; its log:\n{log}");
    };
    (child, output, address.to_owned())
}

/// Runs the binary in a new folder until it ends.
pub(crate) async fn ended(setup: &Setup, arguments: &[&str]) -> Ended {
    let home = TempDir::new().expect("a folder for the test");
    ended_in(setup, home.path(), arguments).await
}

async fn ended_in(setup: &Setup, home: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(setup, home);
    command.args(arguments).args(setup.arguments(home)).stderr(Stdio::piped());
    let output = patiently("the process to end", command.output()).await.expect("it ran");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What tells a gateway to use the engine under test: `SLUICE_TEST_ENGINE`, `sqlite` where it is not
/// set. Of a MongoDB, found by `SLUICE_TEST_MONGODB`, each folder has a database.
fn engine(home: &Path) -> Vec<(&'static str, String)> {
    let engine = env::var("SLUICE_TEST_ENGINE").unwrap_or_else(|_| "sqlite".to_owned());
    if engine == "sqlite" {
        return Vec::new();
    }
    assert_eq!(engine, "mongodb", "SLUICE_TEST_ENGINE is sqlite or mongodb");
    let name = database(home);
    vec![
        ("SLUICE_STORAGE__ENGINE", engine),
        ("SLUICE_STORAGE__MONGODB__URI", server()),
        ("SLUICE_STORAGE__MONGODB__DATABASE", name.clone()),
        ("SLUICE_STORAGE__MONGODB__INSTANCE", name),
    ]
}

/// The database of a gateway with that folder.
fn database(home: &Path) -> String {
    let name = home.file_name().expect("a folder of its own");
    // Databases whose names differ in case alone are one.
    name.as_encoded_bytes().iter().fold("e2e_".to_owned(), |mut name, byte| {
        write!(name, "{byte:02x}").expect("a text takes everything");
        name
    })
}

fn server() -> String {
    env::var("SLUICE_TEST_MONGODB").expect("SLUICE_TEST_MONGODB, an address")
}

fn command(setup: &Setup, home: &Path) -> Command {
    let disk = home.join("disk");
    let (mut command, folder) = match &setup.disk {
        None => (Command::new(binary()), home),
        Some(kind) => {
            fs::create_dir_all(&disk).expect("the test's folder is ours");
            let mut command = Command::new("unshare");
            command.args(OWN_MOUNTS).args(["sh", "-c"]);
            match kind {
                Disk::OfSize(size) => command.args([ON_A_DISK, "sh"]).arg(&disk).arg(size),
                Disk::OnlyPlace => command.args([ON_THE_ONLY_PLACE, "sh"]).arg(&disk),
            };
            command.arg(binary());
            (command, disk.as_path())
        }
    };
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("SLUICE_STORAGE__SQLITE__PATH", folder.join("sluice.db"));
    if setup.disk.is_none() {
        command.envs(engine(home));
    }
    command.envs(&setup.environment);
    if matches!(setup.disk, Some(Disk::OnlyPlace)) {
        command.env("SLUICE_SANDBOX__CACHE_DIRECTORY", folder.join("compiled"));
    }
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}
