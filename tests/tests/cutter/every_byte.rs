//! One answer, cut at every byte of it.

use std::sync::Arc;

use serde_json::{Value, json};
use sluice_tests::{Proxy, Script};

use crate::{
    all,
    line::Line,
    stage::{Seat, Stage},
    transcript::{Transcript, hash, stored},
};

const QUESTION: &str = "Was gibt es Neues? 👋";

/// Of one byte to four, of characters made of several, from right to left, and one that has to be escaped.
const PIECES: [&str; 25] = [
    "Es ",
    "war ",
    "ein",
    "mal ",
    "ein ",
    "K",
    "ö",
    "nig",
    ". ",
    "🦊",
    "👩‍👩‍👧‍👦",
    " ",
    "e\u{301}",
    "日本",
    "語",
    "\n",
    "שלום ",
    "\"so\"",
    " ",
    "🇩🇪",
    "x",
    "…",
    " und ",
    "Schluß",
    " 🎬",
];

/// How the model's server says the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// All at once: the gateway merges pieces as it comes.
    AtOnce,
    /// Each piece when the one before was heard: each is a frame, and a cut falls into a running answer.
    Halting,
}

/// A chat of one question and one answer.
struct Chat {
    seat: Seat,
    pace: Pace,
    user: String,
    /// Pieces the server was allowed to say.
    released: usize,
    transcript: Transcript,
    /// Each frame and each cut, for whoever has to find out what went wrong.
    heard: Vec<Value>,
}

impl Chat {
    fn new(seat: Seat, pace: Pace, user: String) -> Self {
        let transcript = Transcript::saying("c-1", QUESTION);
        Self { seat, pace, user, released: 0, transcript, heard: Vec::new() }
    }

    fn question(&self) -> Value {
        json!({
            "type": "user_message", "content": QUESTION, "client_message_id": "c-1",
            "model_id": self.seat.model(),
        })
    }

    async fn open(&self, through: &str) -> Option<Line> {
        Line::open(self.seat.gateway(), through, &self.user).await
    }

    /// The next frame, noted.
    async fn hear(&mut self, line: &mut Line) -> Option<Value> {
        let frame = line.next().await;
        self.heard.push(frame.clone().unwrap_or_else(|| json!("cut")));
        frame
    }

    fn take(&mut self, frame: &Value) {
        let taken = self.transcript.take(frame);
        assert_eq!(taken, Ok(()), "{}: {frame}\nafter {:#?}", self.user, self.heard);
    }

    fn is_over(&self) -> bool {
        self.transcript.answered() == 1
    }

    /// Lets the server say so many pieces in all, if it waits at all.
    fn release(&mut self, pieces: usize) {
        let pieces = pieces.min(PIECES.len());
        if self.pace == Pace::Halting && pieces > self.released {
            self.seat.provider().release(pieces - self.released);
            self.released = pieces;
        }
    }

    fn pieces_heard(&self) -> usize {
        let heard = self.transcript.answers().map(|answer| answer.text.len()).sum();
        let mut said = 0;
        let ends = PIECES.iter().map(|piece| {
            said += piece.len();
            said
        });
        ends.take_while(|end| *end <= heard).count()
    }

    /// Asks over a line, and hears the answer until it is over or the line cut.
    async fn ask(&mut self, through: &str) {
        let Some(mut line) = self.open(through).await else { return };
        line.send(&self.question()).await;
        while !self.is_over() {
            self.release(self.pieces_heard() + 1);
            let Some(frame) = self.hear(&mut line).await else { return };
            self.take(&frame);
        }
    }

    /// Goes on over a line that nobody cuts.
    async fn go_on(&mut self) {
        let address = self.seat.gateway().address().to_owned();
        let mut line = self.open(&address).await.expect("nobody cuts this one");
        if !self.transcript.is_acknowledged("c-1") {
            line.send(&self.question()).await;
            let ack = self.hear(&mut line).await.expect("nobody cuts this one");
            self.take(&ack);
            assert!(self.transcript.is_acknowledged("c-1"), "the ack comes first: {ack}");
        }
        line.send(&self.transcript.resume()).await;
        // Until then it may hear, from the beginning, what it is about to resume.
        let status = loop {
            let frame = self.hear(&mut line).await.expect("nobody cuts this one");
            if !frame["resumed"].is_null() {
                break frame;
            }
        };
        assert_eq!(status["resumed"], true, "{}: {:#?}", self.user, self.heard);
        self.release(PIECES.len());
        while !self.is_over() {
            let frame = self.hear(&mut line).await.expect("nobody cuts this one");
            self.take(&frame);
        }
    }

    /// Holds what was heard against what is stored.
    async fn compare(&self) {
        let gateway = self.seat.gateway();
        let sessions = gateway.get(&self.user, "/sessions").await;
        let session = self.transcript.session();
        let heard = self.transcript.messages();
        let kept = stored(&gateway.messages(&self.user, session).await);

        assert_eq!(sessions["count"], 1, "{sessions}");
        assert_eq!(heard, kept, "{}: {:#?}", self.user, self.heard);
        assert_eq!(hash(&heard), hash(&kept));
        assert_eq!(kept.len(), 2, "one message and one answer: {kept:#?}");
        assert_eq!(kept[0].text, QUESTION);
        assert_eq!(kept[1].text, PIECES.concat());
        assert_eq!(kept[1].finish_reason, "stop");
    }
}

/// Has one chat whose first line is cut after so many bytes. Whether it was cut before the end.
async fn chat(seat: Seat, pace: Pace, cut: u64) -> bool {
    let provider = seat.provider();
    let before = provider.count();
    provider.always(script(pace));
    let proxy = Proxy::cutting(seat.gateway().address(), cut).await;
    let mut chat = Chat::new(seat.clone(), pace, format!("{pace:?}-{cut:05}"));
    chat.ask(proxy.address()).await;
    let was_cut = !chat.is_over();
    if was_cut {
        // Sometimes the answer goes on while nobody listens.
        chat.release(chat.released + usize::try_from(cut % 4).expect("it is small"));
        chat.go_on().await;
    }
    chat.compare().await;
    assert_eq!(provider.count(), before + 1, "{}: one request", chat.user);
    was_cut
}

fn script(pace: Pace) -> Script {
    match pace {
        Pace::AtOnce => Script::saying(&PIECES),
        Pace::Halting => Script::halting(&PIECES),
    }
}

/// Length in bytes of what the gateway says over one line, from the handshake to the last piece.
async fn length(stage: &Arc<Stage>, pace: Pace, n: usize) -> u64 {
    let seat = stage.seat(0);
    seat.provider().always(script(pace));
    let proxy = Proxy::cutting(seat.gateway().address(), u64::MAX).await;
    let mut chat = Chat::new(seat, pace, format!("{pace:?}-full{n}"));
    chat.ask(proxy.address()).await;
    chat.compare().await;
    proxy.passed()
}

/// Cuts at every byte, or when there is no time for that, at every `stride`th.
async fn cut_at_every_byte(pace: Pace, stride: usize) {
    let stage = Stage::open().await;
    let mut longest = 0;
    for n in 0..5 {
        longest = longest.max(length(&stage, pace, n).await);
    }
    let offsets = (0..longest).step_by(if all() { 1 } else { stride });
    let runs = offsets.clone().count();

    let cut = stage.have(offsets, move |seat, cut| chat(seat, pace, cut)).await;

    // What is merged and what is not differs from run to run, and so does where the last byte is.
    assert!(cut > runs / 2, "only {cut} of {runs} were cut before they were over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_cut_at_every_byte_is_resumed_without_loss_or_doubling() {
    cut_at_every_byte(Pace::AtOnce, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_answer_cut_at_every_byte_is_resumed_without_loss_or_doubling() {
    cut_at_every_byte(Pace::Halting, 7).await;
}
