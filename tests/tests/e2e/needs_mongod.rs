//! A MongoDB, killed and stopped under its gateway: what was acknowledged is there, once and in order.
//!
//! Kills of the gateway, on either engine, are in `killer`.
//! Not run where there is no `mongod`, and said so; with `CI=true` that is a failure.

mod import;
mod lease;
mod majority;
mod rehearsal;
mod retention;
mod standalone;
mod start;
mod takeover;

use std::env;

use rand::RngExt as _;
use serde_json::{Value, json};
use sluice_tests::{
    Client, FakeProvider, Gateway, Mongod, Setup, Signal, kind, not_run, patiently,
};

/// Rounds of talking and killing; a hundred with `SLUICE_TESTS=all`.
fn kills() -> usize {
    let all = env::var_os("SLUICE_TESTS").is_some_and(|which| which == "all");
    if all { 100 } else { 30 }
}

fn setup(provider: &FakeProvider, server: &Mongod) -> Setup {
    Setup::with(provider)
        .set("SLUICE_STORAGE__ENGINE", "mongodb")
        .set("SLUICE_STORAGE__MONGODB__URI", &server.address())
        .set("SLUICE_STORAGE__MONGODB__DATABASE", "talks")
        .set("SLUICE_STORAGE__MONGODB__INSTANCE", "the gateway under test")
}

/// What somebody said in one session.
#[derive(Debug, Default)]
struct Talk {
    session: String,
    said: usize,
    acknowledged: Vec<String>,
}

impl Talk {
    fn next(&mut self) -> String {
        self.said += 1;
        format!("word {}", self.said)
    }

    /// Says something and waits for what becomes of it. Says whether it was acknowledged.
    async fn say(&mut self, client: &mut Client) -> bool {
        let content = self.next();
        client.say(&content).await;
        let told = |frame: &Value| ["ack", "error"].contains(&kind(frame));
        let frames = client.frames_until("an ack or an error", told).await;
        let told = frames.last().expect("the one that was waited for");
        if kind(told) == "error" {
            return false;
        }
        told["session_id"].as_str().expect("an id").clone_into(&mut self.session);
        client.enter(&self.session);
        self.acknowledged.push(content);
        true
    }

    /// Hears what became of what was on its way when the database died, and says it again under the same name until it is
    /// acknowledged. Says whether it was at once.
    async fn insist(&mut self, client: &mut Client, id: &str) -> bool {
        let content = format!("word {}", self.said);
        let told = |frame: &Value| {
            frame["client_message_id"] == id && ["ack", "error"].contains(&kind(frame))
        };
        let mut at_once = true;
        patiently("the message to be acknowledged", async {
            loop {
                let frames = client.frames_until("an ack or an error", told).await;
                if frames.last().is_some_and(|frame| kind(frame) == "ack") {
                    return;
                }
                at_once = false;
                client
                    .send(&json!({
                        "type": "user_message",
                        "content": content,
                        "client_message_id": id,
                        "session_id": self.session,
                    }))
                    .await;
            }
        })
        .await;
        self.acknowledged.push(content);
        at_once
    }

    /// Says things until one is acknowledged: the service resumes by itself.
    async fn resume(&mut self, gateway: &Gateway) {
        patiently("the service to resume", async {
            loop {
                let mut client = gateway.connect("alice").await;
                if !self.session.is_empty() {
                    client.enter(&self.session);
                }
                if self.say(&mut client).await {
                    client.answer_end().await;
                    return;
                }
            }
        })
        .await;
    }

    /// Everything acknowledged is stored, in order; nothing is stored twice.
    async fn check(&self, gateway: &Gateway) {
        let path = format!("/sessions/{}/messages?limit=200", self.session);
        let page = gateway.get("alice", &path).await;
        let stored: Vec<_> = page["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .filter(|message| message["sender"] == "user")
            .map(|message| message["content"].as_str().expect("a text").to_owned())
            .collect();
        let kept: Vec<_> =
            stored.iter().filter(|text| self.acknowledged.contains(text)).cloned().collect();
        assert_eq!(kept, self.acknowledged, "lost, doubled or out of order; stored: {stored:?}");
        for text in &stored {
            assert_eq!(stored.iter().filter(|other| *other == text).count(), 1, "{text} twice");
        }
    }
}

async fn server() -> Option<Mongod> {
    match Mongod::is_fetched() {
        Ok(()) => Some(Mongod::start().await),
        Err(why) => {
            not_run("kills of a MongoDB", &why);
            None
        }
    }
}

#[tokio::test]
async fn kills_of_the_database_lose_nothing_that_was_acknowledged() {
    let Some(mut server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let setup = setup(&provider, &server).set("SLUICE_LIMITS__MESSAGES", "100000/1m");
    let mut gateway = setup.start().await;
    let (mut talks, mut at_once) = (Vec::new(), 0);
    for _ in 0..kills() {
        let mut talk = Talk::default();
        let mut client = gateway.connect("alice").await;
        for _ in 0..rand::rng().random_range(1..4) {
            assert!(talk.say(&mut client).await, "nothing is wrong yet");
            client.answer_end().await;
        }
        // One is on its way, at a place that nobody chooses.
        let id = client.say(&talk.next()).await;
        for _ in 0..rand::rng().random_range(0..2_000) {
            tokio::task::yield_now().await;
        }
        server.kill();
        server.start_again().await;
        assert!(gateway.is_running(), "a database that dies takes nobody along");
        if talk.insist(&mut client, &id).await {
            at_once += 1;
        }
        talk.resume(&gateway).await;
        talks.push(talk);
    }
    for talk in &talks {
        talk.check(&gateway).await;
    }
    let (said, acknowledged) = talks.iter().fold((0, 0), |(said, acknowledged), talk| {
        (said + talk.said, acknowledged + talk.acknowledged.len())
    });
    println!(
        "{} kills: {acknowledged} of {said} messages acknowledged, {at_once} of them on their way when it died; {} more when said again",
        kills(),
        kills() - at_once
    );
}

#[tokio::test]
async fn a_database_that_stands_still_gets_no_false_ack_and_the_service_resumes() {
    let Some(server) = server().await else { return };
    let provider = FakeProvider::start().await;
    let mut gateway = setup(&provider, &server).start().await;
    let mut talk = Talk::default();
    let mut client = gateway.connect("alice").await;
    assert!(talk.say(&mut client).await);
    client.answer_end().await;

    server.signal(Signal::SIGSTOP);
    // Each is refused after some five seconds: long enough for the gateway's lease, of ten, to run out.
    let tries = if kills() > 30 { 4 } else { 3 };
    for _ in 0..tries {
        assert!(!talk.say(&mut client).await, "nothing can be stored");
    }
    server.signal(Signal::SIGCONT);

    talk.resume(&gateway).await;
    assert!(gateway.is_running());
    talk.check(&gateway).await;
}
