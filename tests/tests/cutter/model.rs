//! The reference client held against a list: however frames are merged, cut and told again, it ends up with what the list says.
//!
//! In this process: if this holds, what the other tests find wrong is the gateway's.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::transcript::{Message, Transcript};

/// One event of a session, at the position that is its place in the list, counted from one.
#[derive(Debug, Clone)]
enum Event {
    /// The message of that turn.
    Written(usize),
    /// Its answer begins.
    Loading(usize),
    /// More of the answer; the last piece has no text.
    Piece { turn: usize, text: String, last: bool },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let turns = vec(vec("[a-z ß語🦊\u{301}\u{200d}]{1,5}", 0..6), 1..4);
    turns.prop_map(|turns| turns.into_iter().enumerate().flat_map(told).collect())
}

fn told((turn, pieces): (usize, Vec<String>)) -> Vec<Event> {
    let mut events = vec![Event::Written(turn), Event::Loading(turn)];
    let piece = |text| Event::Piece { turn, text, last: false };
    events.extend(pieces.into_iter().map(piece));
    events.push(Event::Piece { turn, text: String::new(), last: true });
    events
}

/// What the list says: the model that the client is held against.
fn messages(events: &[Event]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for (event, seq) in events.iter().zip(1..) {
        let message = |id: String, sender: &str, text: String| Message {
            id,
            sender: sender.to_owned(),
            text,
            last: seq,
            finish_reason: String::new(),
        };
        match event {
            Event::Written(turn) => {
                messages.push(message(format!("m-{turn}"), "user", content(*turn)));
            }
            Event::Loading(turn) => {
                messages.push(message(format!("a-{turn}"), "ai", String::new()));
            }
            Event::Piece { text, last, .. } => {
                let answer = messages.last_mut().expect("an answer begins before it goes on");
                answer.text += text;
                answer.last = seq;
                if *last {
                    "stop".clone_into(&mut answer.finish_reason);
                }
            }
        }
    }
    messages
}

fn content(turn: usize) -> String {
    format!("question {turn}")
}

fn client() -> Transcript {
    let mut client = Transcript::saying("c-0", &content(0));
    client.join("s", 1, 0);
    client
}

fn ack() -> Value {
    json!({
        "type": "ack", "session_id": "s", "epoch": 1, "seq": 1, "message_id": "m-0",
        "client_message_id": "c-0", "sender": "system",
    })
}

/// The frames that tell what comes after a position. A piece is merged into the one before where `merge` says so.
fn frames(events: &[Event], after: u64, merge: &[bool]) -> Vec<Value> {
    let mut frames: Vec<Value> = Vec::new();
    let mut offset = 0;
    for ((event, seq), merge) in events.iter().zip(1_u64..).zip(merge.iter().cycle()) {
        let mut frame = json!({ "session_id": "s", "epoch": 1, "seq": seq });
        match event {
            Event::Written(turn) => {
                frame["type"] = json!("user_message");
                frame["sender"] = json!("user");
                frame["message_id"] = json!(format!("m-{turn}"));
                frame["content"] = json!(content(*turn));
            }
            Event::Loading(turn) => {
                offset = 0;
                frame["type"] = json!("loading");
                frame["sender"] = json!("ai");
                frame["message_id"] = json!(format!("a-{turn}"));
            }
            Event::Piece { turn, text, last } => {
                frame["type"] = json!("ai_response");
                frame["sender"] = json!("ai");
                frame["message_id"] = json!(format!("a-{turn}"));
                frame["offset"] = json!(offset);
                frame["content"] = json!(text);
                frame["metadata"] = json!({ "done": last.to_string() });
                if *last {
                    frame["finish_reason"] = json!("stop");
                }
                offset += text.len();
            }
        }
        if seq <= after {
            continue;
        }
        let before = frames.last_mut().filter(|before| before["type"] == "ai_response" && *merge);
        match before {
            Some(before) if frame["type"] == "ai_response" => merge_into(before, frame),
            _ => frames.push(frame),
        }
    }
    frames
}

fn merge_into(before: &mut Value, mut piece: Value) {
    let text = |frame: &Value| frame["content"].as_str().unwrap_or_default().to_owned();
    let first = before.get("first_seq").unwrap_or(&before["seq"]).clone();
    piece["first_seq"] = first;
    piece["content"] = json!(text(before) + &text(&piece));
    piece["offset"] = before["offset"].take();
    *before = piece;
}

/// How one connection goes: what is merged, when it is cut, and whether its own message is acknowledged once more.
type Connection = (Vec<bool>, Index, bool);

fn connections() -> impl Strategy<Value = Vec<Connection>> {
    vec((vec(any::<bool>(), 1..20), any::<Index>(), any::<bool>()), 0..6)
}

proptest! {
    #[test]
    fn merging_and_cutting_anywhere_never_changes_the_result(
        events in events(),
        connections in connections(),
        merge in vec(any::<bool>(), 1..20),
    ) {
        let mut client = client();
        for (merge, cut, acknowledge) in connections {
            let frames = frames(&events, client.seq(), &merge);
            for frame in &frames[..cut.index(frames.len() + 1)] {
                prop_assert_eq!(client.take(frame), Ok(()));
            }
            // Sent again: acknowledged again if it was told, and if not, for the first time.
            if acknowledge && (client.seq() == 0 || client.is_acknowledged("c-0")) {
                prop_assert_eq!(client.take(&ack()), Ok(()));
            }
        }
        for frame in frames(&events, client.seq(), &merge) {
            prop_assert_eq!(client.take(&frame), Ok(()));
        }

        prop_assert_eq!(client.messages(), messages(&events));
    }

    #[test]
    fn a_message_of_its_own_may_be_acknowledged_told_or_both(
        events in events(),
        merge in vec(any::<bool>(), 1..20),
        told_first in any::<bool>(),
        told_at_all in any::<bool>(),
    ) {
        let mut client = client();
        let frames = frames(&events, 0, &merge);
        if told_first {
            prop_assert_eq!(client.take(&frames[0]), Ok(()));
        }
        prop_assert_eq!(client.take(&ack()), Ok(()));
        if !told_first && told_at_all {
            prop_assert_eq!(client.take(&frames[0]), Ok(()));
        }
        for frame in &frames[1..] {
            prop_assert_eq!(client.take(frame), Ok(()));
        }

        prop_assert_eq!(client.messages(), messages(&events));
    }

    #[test]
    fn a_frame_lost_or_told_twice_is_noticed(
        events in events(),
        merge in vec(any::<bool>(), 1..20),
        which in any::<Index>(),
        twice in any::<bool>(),
    ) {
        let mut damaged = frames(&events, 0, &merge);
        let which = which.index(damaged.len() - 1);
        if twice {
            damaged.insert(which, damaged[which].clone());
        } else {
            damaged.remove(which);
        }

        let mut client = client();
        let faults = damaged.iter().filter(|frame| client.take(frame).is_err()).count();

        prop_assert!(faults > 0, "{damaged:#?}");
    }
}
