//! The frames of the client protocol, as far as a terminal needs them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the gateway says. Fields it does not use are absent, fields not named here are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incoming {
    pub(super) r#type: String,
    pub(super) session_id: Option<String>,
    pub(super) epoch: Option<u64>,
    pub(super) seq: Option<u64>,
    pub(super) client_message_id: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) in_reply_to: Option<String>,
    /// Bytes of the answer before this piece.
    pub(super) offset: Option<usize>,
    pub(super) content: String,
    pub(super) sender: String,
    pub(super) models: Vec<Model>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) finish_reason: Option<String>,
    pub(super) resumed: Option<bool>,
    pub(super) error: Option<Failure>,
}

/// A model on offer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
}

/// Why something was not done.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) detail: Option<String>,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Outgoing {
    /// A message; without a session it begins one.
    UserMessage {
        content: String,
        client_message_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        model_id: Option<String>,
    },
    /// Stops the running answer.
    Cancel {
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
    },
    /// Goes on where the connection broke.
    Resume { session_id: String, epoch: u64, seq: u64 },
    /// Stops following a session.
    Detach { session_id: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_message_names_no_session() {
        let message = Outgoing::UserMessage {
            content: "hi".to_owned(),
            client_message_id: "c1".to_owned(),
            session_id: None,
            model_id: None,
        };

        assert_eq!(
            serde_json::to_string(&message).expect("JSON"),
            r#"{"type":"user_message","content":"hi","client_message_id":"c1"}"#
        );
    }

    #[test]
    fn a_frame_with_unknown_fields_is_read() {
        let frame: Incoming = serde_json::from_str(
            r#"{"type":"ai_response","seq":9,"offset":5,"content":"x","new":{"a":1}}"#,
        )
        .expect("a frame");

        assert_eq!((frame.seq, frame.offset), (Some(9), Some(5)));
    }
}
