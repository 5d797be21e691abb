//! An upgrade under load: the gateway is stopped and another process takes its place while everybody is being answered.
//!
//! The clients here do what `docs/protocol.md` asks of a client and nothing cleverer: they come back, resume, read the history
//! where nothing remembers their position, and send again what was not acknowledged.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sluice_tests::{Call, Client, Dial, FakeProvider, Script, Setup, Signal, kind, patiently};
use tokio::sync::{Semaphore, watch};

/// How many people talk, and how many messages each says.
const PEOPLE: usize = 20;
const MESSAGES: usize = 4;

/// Each answer; a piece a wait while the old process runs.
const PIECES: [&str; 8] =
    ["Once ", "upon ", "a tïme ", "there ", "was 語 ", "a 🦊 ", "that ", "ran."];

/// What everybody waits for.
struct Stage {
    address: String,
    /// Whether people may say more than their first message.
    goes_on: watch::Sender<bool>,
    /// First answers heard to their end, and second messages acknowledged.
    answered: Semaphore,
    asked: Semaphore,
}

/// A message, and its answer as far as it was heard.
#[derive(Debug, Default)]
struct Said {
    client: String,
    /// Known when it is acknowledged, in whatever way.
    id: Option<String>,
    answer: String,
    end: Option<String>,
}

/// Somebody with a client.
struct Person {
    dial: Dial,
    token: String,
    session: String,
    epoch: u64,
    seq: u64,
    said: Vec<Said>,
    /// Close codes, and how long there was nobody after each.
    closed: Vec<u64>,
    gaps: Vec<Duration>,
    /// What the gateway said to each resume.
    resumed: Vec<bool>,
}

impl Person {
    fn new(dial: Dial, token: String, number: usize) -> Self {
        let said = |n: usize| Said { client: format!("{number}-{n}"), ..Said::default() };
        let said = (0..MESSAGES).map(said).collect();
        let (session, closed, gaps, resumed) = Default::default();
        Self { dial, token, session, epoch: 0, seq: 0, said, closed, gaps, resumed }
    }

    /// Talks until everything is said and answered.
    async fn talk(mut self, stage: &Stage) -> Self {
        let mut went: Option<Instant> = None;
        loop {
            let mut client = self.dial.open_when_back().await;
            self.gaps.extend(went.take().map(|went| went.elapsed()));
            self.catch_up(&mut client, stage).await;
            if let Some(code) = self.converse(&mut client, stage).await {
                self.closed.push(code);
                went = Some(Instant::now());
            } else {
                client.leave().await;
                return self;
            }
        }
    }

    /// Resumes. What nothing remembers is read from the history.
    async fn catch_up(&mut self, client: &mut Client, stage: &Stage) {
        if self.session.is_empty() {
            return;
        }
        let (session, epoch, seq) = (&self.session, self.epoch, self.seq);
        let resume = json!({ "type": "resume", "session_id": session, "epoch": epoch, "seq": seq });
        client.send(&resume).await;
        let frame = client.next_of("connection_status").await;
        let is_resumed = frame["resumed"].as_bool().expect("an answer to the resume");
        self.resumed.push(is_resumed);
        if is_resumed {
            return;
        }
        self.place(&frame);
        let path = format!("/chatbox/sessions/{}/messages", self.session);
        let history = Call::new(&stage.address, "GET", &path).bearer(&self.token).send().await;
        assert_eq!(history.status, 200, "{}", history.body);
        for message in history.json()["messages"].as_array().expect("messages") {
            if let Some(said) = self.own(message) {
                said.id = message["message_id"].as_str().map(ToOwned::to_owned);
            } else if let Some(said) = self.answered_by(message) {
                let all = message["content"].as_str().unwrap_or_default();
                assert!(
                    all.starts_with(&said.answer),
                    "{:?} was shown before {all:?}",
                    said.answer
                );
                all.clone_into(&mut said.answer);
                said.end = message["finish_reason"].as_str().map(ToOwned::to_owned);
            }
        }
    }

    /// Says what is to be said, two messages ahead, and listens. The code when it was closed before all was answered.
    async fn converse(&mut self, client: &mut Client, stage: &Stage) -> Option<u64> {
        let mut sent = [false; MESSAGES];
        while self.said.iter().any(|said| said.end.is_none()) {
            let answered = self.said.iter().filter(|said| said.end.is_some()).count();
            let most = if answered == 0 { 1 } else { MESSAGES.min(answered + 2) };
            if answered == 1 {
                let mut goes_on = stage.goes_on.subscribe();
                drop(patiently("everybody else", goes_on.wait_for(|goes_on| *goes_on)).await);
            }
            for (n, is_sent) in sent.iter_mut().enumerate().take(most) {
                if !*is_sent && self.said[n].id.is_none() {
                    *is_sent = true;
                    self.say(client, n).await;
                }
            }
            let frame = client.next_frame().await;
            if frame.get("closed").is_some() {
                return Some(frame["closed"].as_u64().unwrap_or_default());
            }
            self.take(&frame, stage);
        }
        None
    }

    async fn say(&self, client: &mut Client, n: usize) {
        let mut message = json!({
            "type": "user_message", "content": content(n), "client_message_id": self.said[n].client,
        });
        if !self.session.is_empty() {
            message["session_id"] = json!(self.session);
        }
        client.send(&message).await;
    }

    fn take(&mut self, frame: &Value, stage: &Stage) {
        match kind(frame) {
            "ack" | "user_message" => {
                let second = self.said[1].client.clone();
                let said = self.own(frame).expect("nobody else talks here");
                let is_second = said.client == second && said.id.is_none();
                said.id = frame["message_id"].as_str().map(ToOwned::to_owned);
                stage.asked.add_permits(usize::from(is_second));
                self.place(frame);
            }
            "ai_response" => {
                let first = self.said[0].client.clone();
                let said = self.answered_by(frame).expect("an answer to what was acknowledged");
                assert_eq!(
                    frame["offset"],
                    said.answer.len(),
                    "nothing lost, nothing twice: {frame}"
                );
                said.answer += frame["content"].as_str().unwrap_or_default();
                said.end = frame["finish_reason"].as_str().map(ToOwned::to_owned);
                let is_first = said.client == first && said.end.is_some();
                stage.answered.add_permits(usize::from(is_first));
                self.place(frame);
            }
            "loading" => self.place(frame),
            "error" => {
                // Told while it goes down, of what waited: it was not acknowledged and is said again.
                let code = &frame["error"]["code"];
                assert!(frame["client_message_id"].is_string() && code != "CONFLICT", "{frame}");
            }
            _ => {}
        }
    }

    fn place(&mut self, frame: &Value) {
        frame["session_id"].as_str().expect("a session").clone_into(&mut self.session);
        self.epoch = frame["epoch"].as_u64().expect("an epoch");
        self.seq = self.seq.max(frame["seq"].as_u64().expect("a position"));
    }

    fn own(&mut self, frame: &Value) -> Option<&mut Said> {
        let client = frame["client_message_id"].as_str()?;
        self.said.iter_mut().find(|said| said.client == client)
    }

    fn answered_by(&mut self, frame: &Value) -> Option<&mut Said> {
        let asked = frame["in_reply_to"].as_str()?;
        self.said.iter_mut().find(|said| said.id.as_deref() == Some(asked))
    }
}

fn content(n: usize) -> String {
    format!("Message {n} 👋")
}

/// Lets people in front of `gateway` talk, and replaces it in the middle of their second answers.
#[tokio::test]
async fn an_upgrade_under_load_closes_with_1001_and_loses_and_doubles_nothing() {
    let provider = FakeProvider::start().await;
    provider.always(Script::saying(&PIECES));
    let mut gateway = Setup::with(&provider).start().await;
    let stage = Stage {
        address: gateway.address().to_owned(),
        goes_on: watch::Sender::new(false),
        answered: Semaphore::new(0),
        asked: Semaphore::new(0),
    };
    let people = (0..PEOPLE).map(|number| {
        let token = gateway.token(&format!("user-{number}"));
        Person::new(gateway.dial().bearer(&token), token, number)
    });
    let people: Vec<_> = people.collect();
    let everybody = u32::try_from(PEOPLE).expect("a few");

    let talking = join_all(people.into_iter().map(|person| person.talk(&stage)));
    let upgrading = async {
        drop(patiently("the first answers", stage.answered.acquire_many(everybody)).await);
        provider.always(Script::halting(&PIECES));
        stage.goes_on.send_replace(true);
        drop(patiently("the second questions", stage.asked.acquire_many(everybody)).await);
        provider.request(2 * PEOPLE).await;
        provider.release(3 * PEOPLE);
        provider.said(3 * PEOPLE).await;
        let began = Instant::now();
        gateway.signal(Signal::SIGTERM);
        gateway.logged("draining").await;
        // From here on nobody has to wait for a piece: what runs ends within the grace, and what comes later at once.
        provider.release(PEOPLE * MESSAGES * PIECES.len());
        let status = gateway.stop_already().await;
        let stopped = began.elapsed();
        gateway.start_again_there().await;
        (status, stopped, began.elapsed())
    };
    let (people, (status, stopped, replaced)) = tokio::join!(talking, upgrading);

    assert_eq!(status.code(), Some(0), "nothing was cut short");
    let gaps = || people.iter().flat_map(|person| person.gaps.iter().copied());
    let (shortest, longest) = (gaps().min().expect("gaps"), gaps().max().expect("gaps"));
    println!(
        "stopped after {stopped:.0?}, replaced after {replaced:.0?}; \
         {PEOPLE} clients were alone for {shortest:.0?} to {longest:.0?}"
    );
    for (number, person) in people.iter().enumerate() {
        assert_eq!(person.closed, [1001], "{number}");
        assert_eq!(person.resumed.len(), 1, "{number}");
        for said in &person.said {
            assert_eq!((&*said.answer, said.end.as_deref()), (&*PIECES.concat(), Some("stop")));
        }
        let kept = gateway.messages(&format!("user-{number}"), &person.session).await;
        let told: Vec<_> = kept.iter().map(|message| message["content"].as_str()).collect();
        let (asked, answer) = ((0..MESSAGES).map(content).collect::<Vec<_>>(), PIECES.concat());
        let expected = asked.iter().flat_map(|asked| [Some(&**asked), Some(&*answer)]);
        assert_eq!(told, expected.collect::<Vec<_>>(), "{number}");
    }
    assert_eq!(provider.count(), PEOPLE * MESSAGES, "nothing was asked twice");
}
