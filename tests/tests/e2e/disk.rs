//! A disk that is full, read-only or broken: nothing is acknowledged that is not stored, and all goes on by itself afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, kind, not_run, patiently, root};
use tempfile::TempDir;

/// Most messages that are sent until one is refused.
const MANY: usize = 500;

/// Says something and hears whether it was acknowledged or refused.
async fn say(client: &mut Client, session: Option<&str>, id: &str, content: &str) -> Value {
    let mut frame = json!({ "type": "user_message", "content": content, "client_message_id": id });
    if let Some(session) = session {
        frame["session_id"] = json!(session);
    }
    client.send(&frame).await;
    let told =
        |frame: &Value| frame["client_message_id"] == id && ["ack", "error"].contains(&kind(frame));
    let mut frames = client.frames_until("an ack or an error", told).await;
    frames.pop().expect("frames_until returns at least one")
}

/// Lets an answer come to its end, whichever.
async fn settle(client: &mut Client) {
    let over = |frame: &Value| kind(frame) == "error" || frame["metadata"]["done"] == "true";
    client.frames_until("the end of an answer", over).await;
}

/// What one client was told, of which the history must know.
struct Talk {
    client: Client,
    session: String,
    acknowledged: Vec<String>,
    count: usize,
}

impl Talk {
    async fn begin(gateway: &Gateway) -> Self {
        let mut client = gateway.connect("alice").await;
        let ack = say(&mut client, None, "first", "Hello?").await;
        settle(&mut client).await;
        let session = ack["session_id"].as_str().expect("acknowledged").to_owned();
        Self { client, session, acknowledged: vec!["first".to_owned()], count: 0 }
    }

    /// Says something long; true when it was acknowledged. What is refused is refused as something that may work later.
    async fn say(&mut self) -> bool {
        self.count += 1;
        let taken = self.repeat(&format!("m{}", self.count)).await;
        if taken {
            settle(&mut self.client).await;
        }
        taken
    }

    async fn repeat(&mut self, id: &str) -> bool {
        let content = format!("{id} {}", "word ".repeat(1_000));
        let told = say(&mut self.client, Some(&self.session), id, &content).await;
        if kind(&told) == "ack" {
            self.acknowledged.push(id.to_owned());
            return true;
        }
        assert_eq!(told["error"]["code"], "DATABASE_ERROR", "{told}");
        assert_eq!(told["error"]["recoverable"], true, "{told}");
        false
    }

    /// Says the message that was refused again and again, unchanged, until it is taken. That it is answered is not waited for:
    /// it may have been stored before, without anybody knowing, and then it is only acknowledged.
    async fn insist(&mut self) {
        let id = format!("m{}", self.count);
        patiently("the disk to be used again", async { while !self.repeat(&id).await {} }).await;
    }

    /// What is stored is what was acknowledged, in that order.
    async fn compare(&self, gateway: &Gateway) {
        let path = format!("/sessions/{}/messages?limit=900", self.session);
        let history = gateway.get("alice", &path).await;
        let stored: Vec<&str> = history["messages"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|message| message["client_message_id"].as_str())
            .collect();
        assert_eq!(stored, self.acknowledged);
    }
}

async fn readiness(gateway: &Gateway) -> u16 {
    gateway.call("GET", "/chatbox/readyz").send().await.status
}

/// The gateway cannot store: it says so to whoever asks, serves what it has, and stays.
async fn assert_it_bears_up(gateway: &mut Gateway, talk: &mut Talk) {
    for _ in 0..5 {
        assert!(!talk.say().await, "acknowledged, and the disk takes nothing");
    }
    talk.compare(gateway).await;
    assert!(gateway.is_running());
}

/// Compiles the disk that fails, or says why that cannot be.
fn failing_disk(folder: &Path) -> Option<PathBuf> {
    let library = folder.join("failing.so");
    let source = root().join("tests/tests/e2e/disk/failing.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    match compiler.output() {
        Ok(output) if output.status.success() => Some(library),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr);
            not_run("a disk that fails", why.lines().next().unwrap_or("cc failed"));
            None
        }
        Err(_) => {
            not_run("a disk that fails", "there is no C compiler `cc`");
            None
        }
    }
}

/// Makes the disk fail in that way for a while, in the middle of a talk, and then kills the gateway in the same trouble.
async fn fail(fault: &str) {
    let folder = TempDir::new().expect("a folder for the test");
    let Some(library) = failing_disk(folder.path()) else { return };
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider)
        .set("LD_PRELOAD", &library.display().to_string())
        .set("FAILING_DISK", &folder.path().display().to_string())
        .start()
        .await;
    let fault = folder.path().join(fault);
    let mut talk = Talk::begin(&gateway).await;
    assert!(talk.say().await, "the disk is fine yet");

    fs::write(&fault, "").expect("told");
    assert!(!talk.say().await, "acknowledged, and nothing was stored");
    assert_it_bears_up(&mut gateway, &mut talk).await;
    assert_eq!(readiness(&gateway).await, 503);
    fs::remove_file(&fault).expect("told");

    talk.insist().await;
    settle(&mut talk.client).await;
    talk.compare(&gateway).await;
    assert_eq!(readiness(&gateway).await, 200);
    let log = gateway.log();
    assert_eq!(log.matches("archive cannot write").count(), 1, "{log}");
    assert_eq!(log.matches("archive writes again").count(), 1, "{log}");

    fs::write(&fault, "").expect("told");
    assert!(!talk.say().await);
    gateway.kill().await;
    fs::remove_file(&fault).expect("told");
    gateway.start_again().await;
    talk.client = gateway.connect("alice").await;
    talk.insist().await;
    talk.compare(&gateway).await;
}

#[tokio::test]
async fn an_answer_that_ended_while_the_disk_failed_is_stored_when_it_works_again() {
    let folder = TempDir::new().expect("a folder for the test");
    let Some(library) = failing_disk(folder.path()) else { return };
    let provider = FakeProvider::playing(Script::halting(&["Once", " upon", " a time"])).await;
    let gateway = Setup::with(&provider)
        .set("LD_PRELOAD", &library.display().to_string())
        .set("FAILING_DISK", &folder.path().display().to_string())
        .start()
        .await;
    let fault = folder.path().join("full");
    let mut alice = gateway.connect("alice").await;
    alice.say("Tell me a story").await;
    alice.next_of("loading").await;
    provider.release(2);
    alice.frames_saying("Once upon").await;

    fs::write(&fault, "").expect("told");
    alice.send(&json!({ "type": "cancel", "session_id": alice.session() })).await;
    let ended = |frame: &Value| frame["finish_reason"].is_string();
    let frames = alice.frames_until("the end", ended).await;
    let shown = frames.last().expect("the end");
    assert_eq!(shown["finish_reason"], "error", "{shown}");
    fs::remove_file(&fault).expect("told");

    provider.always(Script::saying(&["There."]));
    alice.ask("And then?").await;
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[1]["content"], "Once upon", "{stored:#?}");
    assert_eq!(stored[1]["finish_reason"], "error", "{stored:#?}");
    assert!(stored[1]["usage"].is_object(), "{stored:#?}");
}

#[tokio::test]
async fn after_a_failed_flush_nothing_is_acknowledged_until_one_succeeds() {
    fail("sync").await;
}

#[tokio::test]
async fn a_disk_that_became_read_only_refuses_and_is_used_again() {
    fail("read-only").await;
}

#[tokio::test]
async fn a_disk_without_room_refuses_and_is_used_again() {
    fail("full").await;
}

#[tokio::test]
async fn a_disk_that_runs_full_refuses_and_is_used_again_when_there_is_room() {
    if let Err(why) = Setup::can_have_a_disk() {
        return not_run("a disk that runs full", &why);
    }
    let provider = FakeProvider::start().await;
    let setup = Setup::with(&provider).set("SLUICE_LIMITS__MESSAGES", "100000/1m");
    let mut gateway = setup.on_a_disk_of("3m").start().await;
    let mut talk = Talk::begin(&gateway).await;

    let mut tries = 0;
    while talk.say().await {
        tries += 1;
        assert!(tries < MANY, "the disk never gets full");
    }
    assert!(tries > 10, "there was room for some: {tries}");
    // What is left of the last block must not take a message in, now and then.
    let filler = gateway.disk().join("filler");
    let rest = fs::write(&filler, vec![0; 4 << 20]);
    assert!(rest.is_err(), "it is full");
    assert_it_bears_up(&mut gateway, &mut talk).await;

    gateway.widen_disk("16m");
    talk.insist().await;
    talk.compare(&gateway).await;
    assert_eq!(readiness(&gateway).await, 200);
    assert_eq!(gateway.stop().await.code(), Some(0));
}

/// As in a container with a read-only root, or under a service manager that protects the system.
#[tokio::test]
async fn nothing_but_the_folder_of_the_archive_needs_to_be_writable() {
    if let Err(why) = Setup::can_have_a_disk() {
        return not_run("a gateway that can write to one folder only", &why);
    }
    let provider = FakeProvider::start().await;
    let mut gateway = Setup::with(&provider).with_all_else_read_only().start().await;
    let mut alice = gateway.connect("alice").await;

    // Each is more than the database undoes in place.
    let long = "word ".repeat(2_000);
    for _ in 0..3 {
        assert_eq!(alice.ask(&long).await.finish_reason, "stop");
    }
    let kept = alice.session().to_owned();
    let mut alice = gateway.connect("alice").await;
    assert_eq!(alice.ask(&long).await.finish_reason, "stop");
    let path = format!("/chatbox/sessions/{}", alice.session());
    let token = gateway.token("alice");
    assert_eq!(gateway.call("DELETE", &path).bearer(&token).send().await.status, 204);
    gateway.stop().await;

    gateway.set("ENCRYPTION_KEY", &"k".repeat(32));
    let sealed = gateway.run(&["reseal"]).await;
    assert_eq!((sealed.code, sealed.stderr.contains("free space")), (Some(0), false), "{sealed:?}");
    gateway.start_again().await;
    assert_eq!(gateway.messages("alice", &kept).await.len(), 6);
    let copy = gateway.home().join("disk/copy.db").display().to_string();
    let backup = gateway.run(&["backup", &copy]).await;
    assert_eq!(backup.code, Some(0), "{backup:?}");
}
