//! Everything a call may fail with, and how OpenAI's clients are told. Texts are fixed; what a provider said never passes.

use serde::Serialize;
use sluice_chat::event::ErrorKind;

use super::bad_request::BadRequest;

/// Why a call has no answer, or no whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Something is wrong with the request.
    BadRequest(BadRequest),
    /// The body is longer than a body may be.
    BodyTooLarge,
    /// What of the body is no picture, sound or file is longer than a provider may be sent.
    TextTooLarge,
    /// The body did not come, or not in time.
    BodyMissing,
    /// No token.
    NoToken,
    /// A token that is not taken.
    InvalidToken,
    /// A token that was valid once.
    ExpiredToken,
    /// A policy said no, in its own words.
    Denied(String),
    /// No such model.
    NoSuchModel,
    /// No such route.
    NotFound,
    /// Not with this method.
    MethodNotAllowed,
    /// The user's own messages came too fast.
    TooManyRequests,
    /// No room now, or going down.
    Unavailable,
    /// The provider, in the words that every vendor's errors map to.
    Provider(ErrorKind),
    /// The gateway.
    Internal,
}

/// Status, type, code and text.
type Row = (u16, &'static str, Option<&'static str>, &'static str);

/// The client's own doing.
const REQUEST: &str = "invalid_request_error";
/// Somebody else's.
const SERVER: &str = "server_error";

impl Failure {
    /// A word for it that is one of a few: its code, or its type where OpenAI has no code.
    pub fn code(&self) -> &'static str {
        let (_, kind, code, _) = self.row();
        code.unwrap_or(kind)
    }

    fn row(&self) -> Row {
        match self {
            Self::BadRequest(_) => (400, REQUEST, None, ""),
            Self::BodyTooLarge => {
                (413, REQUEST, Some("request_too_large"), "The body is too large.")
            }
            Self::TextTooLarge => (
                413,
                REQUEST,
                Some("request_too_large"),
                "The text of the request is too large, pictures and files not counted.",
            ),
            Self::BodyMissing => {
                (408, REQUEST, Some("request_timeout"), "The body did not come in time.")
            }
            Self::NoToken => (
                401,
                REQUEST,
                Some("invalid_api_key"),
                "A token is needed: Authorization: Bearer TOKEN.",
            ),
            Self::InvalidToken => {
                (401, REQUEST, Some("invalid_api_key"), "The token is not valid.")
            }
            Self::ExpiredToken => (401, REQUEST, Some("invalid_api_key"), "The token has expired."),
            Self::Denied(_) => {
                (403, REQUEST, Some("policy_denied"), "A policy does not allow this.")
            }
            Self::NoSuchModel => (404, REQUEST, Some("model_not_found"), "There is no such model."),
            Self::NotFound => (404, REQUEST, Some("unknown_url"), "There is nothing here."),
            Self::MethodNotAllowed => {
                (405, REQUEST, Some("method_not_supported"), "Not with this method.")
            }
            Self::TooManyRequests => (
                429,
                "requests",
                Some("rate_limit_exceeded"),
                "Too many messages; try again later.",
            ),
            Self::Unavailable => (503, SERVER, Some("unavailable"), "Try again later."),
            Self::Provider(kind) => of_provider(*kind),
            Self::Internal => (500, SERVER, None, "Something went wrong; try again."),
        }
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.row().0
    }

    /// Whether the same call may do better in a while, as far as anybody can tell.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::BodyMissing | Self::TooManyRequests | Self::Unavailable | Self::Internal => true,
            Self::Provider(kind) => !matches!(
                kind,
                ErrorKind::InvalidRequest
                    | ErrorKind::Authentication
                    | ErrorKind::Permission
                    | ErrorKind::NotFound
                    | ErrorKind::QuotaExhausted
                    | ErrorKind::ContextTooLong
                    | ErrorKind::ContentBlocked
                    | ErrorKind::Unsupported
            ),
            Self::BadRequest(_)
            | Self::BodyTooLarge
            | Self::TextTooLarge
            | Self::NoToken
            | Self::InvalidToken
            | Self::ExpiredToken
            | Self::Denied(_)
            | Self::NoSuchModel
            | Self::NotFound
            | Self::MethodNotAllowed => false,
        }
    }

    /// The body, also of an event in mid-stream.
    pub fn body(&self) -> FailureBody {
        let (_, kind, code, message) = self.row();
        let (code, message, param) = match self {
            Self::BadRequest(bad) => (Some(bad.code()), bad.message(), bad.param.clone()),
            Self::Denied(text) if !text.is_empty() => (code, text.clone(), None),
            Self::NoSuchModel => (code, message.to_owned(), Some("model".to_owned())),
            Self::BodyTooLarge
            | Self::TextTooLarge
            | Self::BodyMissing
            | Self::NoToken
            | Self::InvalidToken
            | Self::ExpiredToken
            | Self::Denied(_)
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::TooManyRequests
            | Self::Unavailable
            | Self::Provider(_)
            | Self::Internal => (code, message.to_owned(), None),
        };
        FailureBody { error: Told { message, r#type: kind, param, code } }
    }
}

/// A provider's trouble with its own key, quota or routes is none of the client's: 502, never the status it came with. That it
/// limits the rate of this gateway is 503, so that 429 always means the caller's own.
fn of_provider(kind: ErrorKind) -> Row {
    const FAILED: Row = (502, SERVER, Some("provider_failed"), "The model could not answer.");
    const UNUSABLE: Row =
        (502, SERVER, Some("provider_unavailable"), "The model cannot be used now.");
    match kind {
        ErrorKind::InvalidRequest => {
            (400, REQUEST, Some("invalid_request"), "The model does not take this request.")
        }
        ErrorKind::ContextTooLong => (
            400,
            REQUEST,
            Some("context_length_exceeded"),
            "The conversation is too long for the model.",
        ),
        ErrorKind::ContentBlocked => {
            (400, REQUEST, Some("content_filter"), "The request was refused for its content.")
        }
        ErrorKind::Unsupported => {
            (400, REQUEST, Some("unsupported_value"), "The model cannot do this.")
        }
        ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::NotFound
        | ErrorKind::QuotaExhausted => UNUSABLE,
        ErrorKind::RateLimited => {
            (503, SERVER, Some("provider_rate_limited"), "The model is asked too much now.")
        }
        ErrorKind::Overloaded => {
            (503, SERVER, Some("provider_overloaded"), "The model is busy; try again later.")
        }
        ErrorKind::Timeout => {
            (504, SERVER, Some("provider_timeout"), "The model took too long to answer.")
        }
        ErrorKind::Cancelled => {
            (503, SERVER, Some("interrupted"), "The answer was cut short; try again.")
        }
        ErrorKind::Protocol | ErrorKind::Other => FAILED,
    }
}

/// `{"error": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureBody {
    error: Told,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Told {
    message: String,
    r#type: &'static str,
    param: Option<String>,
    code: Option<&'static str>,
}

#[cfg(test)]
mod tests;
