//! One answer put together from its frames, as a careful client would.

use serde_json::Value;

use crate::kind;

/// An answer from its first piece to its last.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its id, the same in each piece.
    pub message_id: String,
    /// The message it answers.
    pub in_reply_to: String,
    /// All that was said.
    pub text: String,
    /// The `ai_response` frames in order.
    pub pieces: Vec<Value>,
    /// How it ended; empty when its last piece is not among the frames.
    pub finish_reason: String,
    /// What the last piece counts.
    pub usage: Value,
}

impl Answer {
    /// Puts together the first answer among `frames`, other frames between its pieces or not.
    ///
    /// Holds what the protocol promises of any answer: one id, no gap and no repetition in the
    /// offsets, `done` in the last piece and nowhere else.
    pub fn of(frames: &[Value]) -> Self {
        let first = frames.iter().find(|frame| kind(frame) == "ai_response");
        let id = &first.expect("an answer has at least its last piece")["message_id"];
        let pieces: Vec<_> = frames
            .iter()
            .filter(|frame| kind(frame) == "ai_response" && frame["message_id"] == *id)
            .cloned()
            .collect();
        let mut text = String::new();
        for (n, piece) in pieces.iter().enumerate() {
            assert_eq!(
                piece["offset"],
                text.len(),
                "a piece goes on where the last ended: {piece}"
            );
            text += piece["content"].as_str().unwrap_or_default();
            assert_eq!(piece["metadata"]["streaming"], "true", "{piece}");
            assert_eq!(piece["in_reply_to"], pieces[0]["in_reply_to"], "{piece}");
            let done = piece["metadata"]["done"] == "true";
            assert!(
                !done || n + 1 == pieces.len(),
                "nothing comes after the last piece: {pieces:#?}"
            );
            assert_eq!(done, piece["finish_reason"].is_string(), "{piece}");
        }
        let last = pieces.last().expect("at least one");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            message_id: word(id),
            in_reply_to: word(&last["in_reply_to"]),
            finish_reason: word(&last["finish_reason"]),
            usage: last["usage"].clone(),
            text,
            pieces,
        }
    }
}
