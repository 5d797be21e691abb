//! What clients send: bytes in, a valid frame or a typed refusal out.

use serde::Deserialize;
use sluice_chat::id::{ClientMessageId, Epoch, MessageId, ModelId, Position, Seq, SessionId};

use crate::error::ErrorCode;

/// Longest text of a field that is only checked and never used, in bytes.
const TOKEN_BYTES: usize = 16 * 1024;

/// One frame of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// The user says something.
    UserMessage {
        /// Trimmed, not empty, at most `max_content` characters.
        content: String,
        /// Session it belongs to; none begins a new one.
        session: Option<SessionId>,
        /// The client's own name for it.
        client: Option<ClientMessageId>,
        /// Model to answer it.
        model: Option<ModelId>,
    },
    /// Stop the answer.
    Cancel {
        /// In which session; none means the one this connection used last.
        session: Option<SessionId>,
        /// Which answer; none means whichever runs.
        message: Option<MessageId>,
    },
    /// Answer the last message again.
    Regenerate {
        /// In which session.
        session: Option<SessionId>,
    },
    /// Follow a session from where the client left off.
    Resume {
        /// Which session.
        session: SessionId,
        /// What was seen; none means follow from now on.
        position: Option<Position>,
    },
    /// Stop following a session.
    Detach {
        /// Which session.
        session: SessionId,
    },
    /// Let another model answer from here on.
    ModelSelect {
        /// In which session; none begins a new one.
        session: Option<SessionId>,
        /// Which model.
        model: ModelId,
    },
    /// Is anybody there?
    Ping {
        /// Whose head position to tell.
        session: Option<SessionId>,
    },
    /// The user wants a human.
    HelpRequest {
        /// Which session; none means the one used last.
        session: Option<SessionId>,
    },
    /// The user is writing.
    Typing {
        /// In which session; none means the one this connection used last.
        session: Option<SessionId>,
    },
    /// A new token for this connection.
    Authenticate {
        /// The token.
        token: String,
    },
}

/// Why a text is no frame. What was wrong is in the code; nothing of the text is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("frame refused: {}", code.as_str())]
pub struct FrameRefused {
    /// What to tell.
    pub code: ErrorCode,
    /// Which field is to blame, a name of this protocol.
    pub field: Option<&'static str>,
    /// The client's own name for the message, where it could be read.
    pub client: Option<ClientMessageId>,
}

/// The flat envelope; fields not named here are ignored.
#[derive(Debug, Deserialize)]
struct Envelope {
    r#type: String,
    session_id: Option<String>,
    content: Option<String>,
    client_message_id: Option<String>,
    message_id: Option<String>,
    model_id: Option<String>,
    token: Option<String>,
    epoch: Option<u64>,
    seq: Option<u64>,
}

impl ClientFrame {
    /// Reads one text frame. `max_content` is in characters.
    pub fn parse(text: &str, max_content: usize) -> Result<Self, FrameRefused> {
        let envelope: Envelope = serde_json::from_str(text).map_err(|_| FrameRefused {
            code: ErrorCode::InvalidFormat,
            field: None,
            client: named_in(text),
        })?;
        let named = envelope.client_message_id.as_deref().map(clean);
        let client = named.as_deref().and_then(ClientMessageId::parse);
        envelope.into_frame(max_content).map_err(|(code, field)| FrameRefused {
            code,
            field: Some(field),
            client,
        })
    }
}

type Refused = (ErrorCode, &'static str);

impl Envelope {
    fn into_frame(self, max_content: usize) -> Result<ClientFrame, Refused> {
        let session = id(self.session_id.as_deref(), "session_id", SessionId::parse)?;
        match self.r#type.as_str() {
            "user_message" => {
                let content = self.content.as_deref().map(clean).unwrap_or_default();
                if content.is_empty() {
                    return Err((ErrorCode::MissingField, "content"));
                }
                if content.chars().count() > max_content {
                    return Err((ErrorCode::InvalidFormat, "content"));
                }
                let named = self.client_message_id.as_deref();
                Ok(ClientFrame::UserMessage {
                    content,
                    session,
                    client: id(named, "client_message_id", ClientMessageId::parse)?,
                    model: id(self.model_id.as_deref(), "model_id", ModelId::parse)?,
                })
            }
            "cancel" => Ok(ClientFrame::Cancel {
                session,
                message: id(self.message_id.as_deref(), "message_id", MessageId::parse)?,
            }),
            "regenerate" => Ok(ClientFrame::Regenerate { session }),
            "resume" => {
                let position = match (self.epoch, self.seq) {
                    (Some(epoch), Some(seq)) => {
                        Some(Position { epoch: Epoch(epoch), seq: Seq(seq) })
                    }
                    (None, None) => None,
                    (None, Some(_)) => return Err((ErrorCode::MissingField, "epoch")),
                    (Some(_), None) => return Err((ErrorCode::MissingField, "seq")),
                };
                Ok(ClientFrame::Resume { session: required(session, "session_id")?, position })
            }
            "detach" => Ok(ClientFrame::Detach { session: required(session, "session_id")? }),
            "model_select" => {
                let model = id(self.model_id.as_deref(), "model_id", ModelId::parse)?;
                Ok(ClientFrame::ModelSelect { session, model: required(model, "model_id")? })
            }
            "ping" => Ok(ClientFrame::Ping { session }),
            "typing_indicator" => Ok(ClientFrame::Typing { session }),
            "authenticate" => {
                let token = self.token.filter(|token| !token.is_empty());
                let token = required(token, "token")?;
                if token.len() > TOKEN_BYTES {
                    return Err((ErrorCode::InvalidToken, "token"));
                }
                Ok(ClientFrame::Authenticate { token })
            }
            "help_request" => Ok(ClientFrame::HelpRequest { session }),
            "file_upload" | "voice_message" => Err((ErrorCode::Unsupported, "type")),
            _ => Err((ErrorCode::InvalidFormat, "type")),
        }
    }
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T, Refused> {
    value.ok_or((ErrorCode::MissingField, field))
}

/// An id that is absent, or valid. Empty counts as absent: today's clients send `""`.
fn id<T>(
    text: Option<&str>,
    field: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Refused> {
    let Some(text) = text.map(clean).filter(|text| !text.is_empty()) else { return Ok(None) };
    parse(&text).map(Some).ok_or((ErrorCode::InvalidFormat, field))
}

/// Without NUL bytes and surrounding white space.
fn clean(text: &str) -> String {
    text.trim().replace('\0', "").trim().to_owned()
}

/// The client's own id in a frame that is wrong otherwise, so that the refusal can name it.
fn named_in(text: &str) -> Option<ClientMessageId> {
    let loose: serde_json::Value = serde_json::from_str(text).ok()?;
    ClientMessageId::parse(&clean(loose.get("client_message_id")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<ClientFrame, FrameRefused> {
        ClientFrame::parse(text, 10)
    }

    fn refused(text: &str) -> (ErrorCode, Option<&'static str>) {
        let FrameRefused { code, field, client: _ } = parse(text).unwrap_err();
        (code, field)
    }

    #[test]
    fn a_user_message_is_trimmed_and_unknown_fields_are_ignored() {
        let frame = parse(
            r#"{"type":"user_message","content":" hi\u0000 ","session_id":"","metadata":{"size":3},"new":[1]}"#,
        );
        let expected = ClientFrame::UserMessage {
            content: "hi".to_owned(),
            session: None,
            client: None,
            model: None,
        };
        assert_eq!(frame, Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_told_by_code_and_field() {
        use ErrorCode::{InvalidFormat, MissingField, Unsupported};
        let table = [
            ("", (InvalidFormat, None)),
            ("[]", (InvalidFormat, None)),
            ("{}", (InvalidFormat, None)),
            (r#"{"type":7}"#, (InvalidFormat, None)),
            (r#"{"type":"ping","session_id":7}"#, (InvalidFormat, None)),
            (r#"{"type":"nonsense"}"#, (InvalidFormat, Some("type"))),
            (r#"{"type":"user_message"}"#, (MissingField, Some("content"))),
            (r#"{"type":"user_message","content":"  "}"#, (MissingField, Some("content"))),
            (
                r#"{"type":"user_message","content":"12345678901"}"#,
                (InvalidFormat, Some("content")),
            ),
            (r#"{"type":"resume"}"#, (MissingField, Some("session_id"))),
            (r#"{"type":"resume","session_id":"s","seq":1}"#, (MissingField, Some("epoch"))),
            (r#"{"type":"resume","session_id":"s","epoch":-1,"seq":1}"#, (InvalidFormat, None)),
            (r#"{"type":"model_select","session_id":"s"}"#, (MissingField, Some("model_id"))),
            (r#"{"type":"authenticate"}"#, (MissingField, Some("token"))),
            (r#"{"type":"file_upload"}"#, (Unsupported, Some("type"))),
            (r#"{"type":"ai_response","content":"x"}"#, (InvalidFormat, Some("type"))),
        ];
        for (text, expected) in table {
            assert_eq!(refused(text), expected, "{text}");
        }
    }

    #[test]
    fn content_is_counted_in_characters() {
        assert!(parse(r#"{"type":"user_message","content":"éééééééééé"}"#).is_ok());
    }

    #[test]
    fn a_refusal_names_the_message_even_when_another_field_has_the_wrong_type() {
        let refusal = parse(r#"{"type":"user_message","content":[],"client_message_id":"c1"}"#);
        assert_eq!(refusal.unwrap_err().client, ClientMessageId::parse("c1"));
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        let deep = format!(r#"{{"type":"ping","x":{}}}"#, "[".repeat(100_000));
        assert_eq!(refused(&deep), (ErrorCode::InvalidFormat, None));
    }

    proptest! {
        /// Whatever arrives, the answer is a frame or a refusal.
        #[test]
        fn no_text_is_too_strange(text in ".{0,200}") {
            let _frame = parse(&text);
        }
    }
}
