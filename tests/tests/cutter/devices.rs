//! Three devices of one user in one session, each cut at random, end up with the same transcript.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use sluice_tests::{Proxy, Script, patiently};
use tokio::sync::watch;

use crate::{
    all,
    line::Line,
    stage::{Seat, Stage},
    transcript::{Message, Transcript, hash, stored},
};

/// Devices, and messages too: each says one.
const DEVICES: usize = 3;

/// Pieces of each answer.
const PIECES: usize = 8;

/// What happens in one run, made from a seed.
#[derive(Debug, Clone)]
struct Plan {
    devices: Vec<Part>,
    /// What the model's server answers, piece by piece.
    answers: Vec<Vec<String>>,
    /// How many pieces the server may be ahead of the device that heard most.
    lead: usize,
}

/// What one device does.
#[derive(Debug, Clone)]
struct Part {
    /// Bytes that each of its lines passes before it is cut; the line after the last is not cut.
    cuts: Vec<u64>,
    /// How many events it must have heard before it says its message. The first speaks at once.
    after: u64,
}

impl Plan {
    fn of(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let part = |device: usize, dice: &mut StdRng| Part {
            cuts: (0..dice.random_range(1..=4)).map(|_| dice.random_range(0..6_000)).collect(),
            after: if device == 0 { 0 } else { dice.random_range(1..=8) },
        };
        let devices = (0..DEVICES).map(|device| part(device, &mut dice)).collect();
        let answers = (0..DEVICES).map(|_| (0..PIECES).map(|_| piece(&mut dice)).collect());
        let answers = answers.collect();
        Self { devices, answers, lead: dice.random_range(1..=PIECES) }
    }
}

/// A few characters of one to four bytes, never none.
fn piece(dice: &mut StdRng) -> String {
    let letters =
        ['a', 'b', ' ', 'é', 'ß', 'ש', '語', '\u{301}', '🦊', '👩', '\u{200d}', '"', '\n'];
    let count = dice.random_range(1..=12);
    (0..count).filter_map(|_| letters.choose(dice)).collect()
}

/// What the devices of one run share.
struct Room {
    seat: Seat,
    plan: Plan,
    user: String,
    /// Where the session is, once anybody knows.
    session: watch::Sender<Option<(String, u64)>>,
    /// Pieces that the server was let say.
    released: AtomicUsize,
}

impl Room {
    /// Lets the server be ahead of whoever heard so many pieces.
    fn heard(&self, pieces: usize) {
        let upto = (pieces + self.plan.lead).min(DEVICES * PIECES);
        let before = self.released.fetch_max(upto, Ordering::SeqCst);
        self.seat.provider().release(upto.saturating_sub(before));
    }
}

/// One device.
struct Device<'a> {
    room: &'a Room,
    number: usize,
    transcript: Transcript,
    /// Whether it may be that the gateway has its message.
    has_asked: bool,
    /// Each frame and each cut, for whoever has to find out what went wrong.
    heard: Vec<Value>,
}

impl<'a> Device<'a> {
    fn new(room: &'a Room, number: usize) -> Self {
        let transcript = Transcript::saying(&client(number), &content(number));
        Self { room, number, transcript, has_asked: false, heard: Vec::new() }
    }

    /// Line after line, until all answers are over.
    async fn live(mut self) -> Vec<Message> {
        if self.number > 0 {
            self.join().await;
        }
        let gateway = self.room.seat.gateway();
        for cut in self.room.plan.devices[self.number].cuts.clone() {
            let proxy = Proxy::cutting(gateway.address(), cut).await;
            self.stay(proxy.address()).await;
            self.heard.push(json!({ "cut after": cut }));
        }
        self.stay(gateway.address()).await;
        assert!(self.is_over(), "nobody cuts the last line: {:#?}", self.heard);
        self.transcript.messages()
    }

    /// Waits until there is a session, and begins before its first event.
    async fn join(&mut self) {
        let mut session = self.room.session.subscribe();
        let known = patiently("a session to join", session.wait_for(Option::is_some)).await;
        if let Some((session, epoch)) = &*known.expect("the room outlives its devices") {
            self.transcript.join(session, *epoch, 0);
        }
    }

    fn is_over(&self) -> bool {
        self.transcript.answered() == DEVICES
    }

    /// Hears and speaks over one line until all is over or the line cut.
    async fn stay(&mut self, through: &str) {
        if self.is_over() {
            return;
        }
        let opened = Line::open(self.room.seat.gateway(), through, &self.room.user).await;
        let Some(mut line) = opened else { return };
        // What comes over the very first line is all new. On any other it is what comes after the resume.
        let mut is_current = false;
        let mut asked = false;
        if self.transcript.session().is_empty() {
            is_current = !self.has_asked;
            asked = true;
            self.ask(&mut line).await;
        } else {
            line.send(&self.transcript.resume()).await;
        }
        while !self.is_over() {
            let Some(frame) = line.next().await else { return };
            self.heard.push(frame.clone());
            if is_current {
                self.take(&frame);
            } else if !frame["resumed"].is_null() {
                assert_eq!(frame["resumed"], true, "{}: {:#?}", self.name(), self.heard);
                is_current = true;
            } else if frame["type"] == "ack" {
                self.take(&frame);
                line.send(&self.transcript.resume()).await;
            }
            let part = &self.room.plan.devices[self.number];
            let is_due = is_current && !asked && self.transcript.seq() >= part.after;
            if is_due && !self.transcript.is_acknowledged(&client(self.number)) {
                asked = true;
                self.ask(&mut line).await;
            }
        }
    }

    async fn ask(&mut self, line: &mut Line) {
        self.has_asked = true;
        let mut question = json!({
            "type": "user_message", "content": content(self.number),
            "client_message_id": client(self.number), "model_id": self.room.seat.model(),
        });
        if !self.transcript.session().is_empty() {
            question["session_id"] = json!(self.transcript.session());
        }
        line.send(&question).await;
    }

    fn take(&mut self, frame: &Value) {
        let taken = self.transcript.take(frame);
        assert_eq!(taken, Ok(()), "{}: {frame}\nafter {:#?}", self.name(), self.heard);
        self.room.heard(self.pieces_heard());
        if self.number == 0 && frame["type"] == "ack" {
            let epoch = frame["epoch"].as_u64().expect("an ack has a position");
            self.room.session.send_replace(Some((self.transcript.session().to_owned(), epoch)));
        }
    }

    fn pieces_heard(&self) -> usize {
        let mut heard = 0;
        for (answer, pieces) in self.transcript.answers().zip(&self.room.plan.answers) {
            let mut said = 0;
            let ends = pieces.iter().map(|piece| {
                said += piece.len();
                said
            });
            heard += ends.take_while(|end| *end <= answer.text.len()).count();
        }
        heard
    }

    fn name(&self) -> String {
        format!("device {} of {:?}", self.number, self.room.plan)
    }
}

fn client(device: usize) -> String {
    format!("c-{device}")
}

fn content(device: usize) -> String {
    format!("Frage {device} 👋")
}

/// Has one run, and holds what all devices know against what is stored.
async fn run(seat: Seat, seed: u64) -> bool {
    let plan = Plan::of(seed);
    let before = seat.provider().count();
    for answer in &plan.answers {
        let pieces: Vec<_> = answer.iter().map(String::as_str).collect();
        seat.provider().then(Script::halting(&pieces));
    }
    let room = Room {
        seat: seat.clone(),
        plan: plan.clone(),
        user: format!("user-{seed:016x}"),
        session: watch::Sender::default(),
        released: AtomicUsize::new(0),
    };
    room.heard(0);
    let heard = join_all((0..DEVICES).map(|number| Device::new(&room, number).live())).await;

    let session = room.session.borrow().clone().expect("somebody spoke").0;
    let kept = stored(&seat.gateway().messages(&room.user, &session).await);
    for (number, heard) in heard.iter().enumerate() {
        assert_eq!(hash(heard), hash(&kept), "{plan:#?}\n{number}: {heard:#?}\nnot {kept:#?}");
    }
    let told = |sender| kept.iter().filter(move |message| message.sender == sender);
    let answers: Vec<_> = told("ai").map(|answer| answer.text.clone()).collect();
    let scripted: Vec<_> = plan.answers.iter().map(|pieces| pieces.concat()).collect();
    assert_eq!(answers, scripted, "{plan:#?}");
    assert_eq!(told("user").count(), DEVICES, "{plan:#?}");
    assert_eq!(seat.provider().count(), before + DEVICES, "{plan:#?}");
    let sessions = seat.gateway().get(&room.user, "/sessions").await;
    assert_eq!(sessions["count"], 1, "{plan:#?}: {sessions}");
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_cuts_converge() {
    let told = std::env::var_os("SLUICE_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed: u64 = told.unwrap_or_else(|| rand::rng().next_u64());
    println!("SLUICE_SEED={seed} makes the same plans again");
    let runs = if all() { 10_000 } else { 100 };
    let mut seeds = StdRng::seed_from_u64(seed);
    let seeds: Vec<u64> = (0..runs).map(|_| seeds.next_u64()).collect();

    let stage: Arc<Stage> = Stage::open().await;
    let converged = stage.have(seeds.into_iter(), run).await;

    assert_eq!(converged, runs);
}
