//! Error codes: what a client may rely on. Texts are fixed per code; causes stay in the log, under the trace id.

use serde::Serialize;
use sluice_chat::event::ErrorKind;
use sluice_chat::turn::Refusal;

/// Published and append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The token is not valid.
    InvalidToken,
    /// The token ran out.
    ExpiredToken,
    /// No token, or not one for this.
    Unauthorized,
    /// The role is missing.
    InsufficientPermissions,
    /// Not a frame of this protocol.
    InvalidFormat,
    /// A field is missing.
    MissingField,
    /// Not there, or not yours.
    NotFound,
    /// No such model.
    InvalidModel,
    /// Not offered by this gateway.
    Unsupported,
    /// The client's own id stands for another message.
    Conflict,
    /// Too many messages wait.
    Busy,
    /// Stopped on request.
    Cancelled,
    /// A policy said no.
    PolicyDenied,
    /// The session is deleted.
    SessionClosed,
    /// What was asked for cannot be replayed.
    ResumeFailed,
    /// Too many messages.
    TooManyRequests,
    /// Too many connections.
    ConnectionLimitExceeded,
    /// The provider cannot be used now.
    LlmUnavailable,
    /// The provider took too long.
    LlmTimeout,
    /// Not stored; try again.
    DatabaseError,
    /// The gateway failed.
    ServiceError,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 21] = [
        Self::InvalidToken,
        Self::ExpiredToken,
        Self::Unauthorized,
        Self::InsufficientPermissions,
        Self::InvalidFormat,
        Self::MissingField,
        Self::NotFound,
        Self::InvalidModel,
        Self::Unsupported,
        Self::Conflict,
        Self::Busy,
        Self::Cancelled,
        Self::PolicyDenied,
        Self::SessionClosed,
        Self::ResumeFailed,
        Self::TooManyRequests,
        Self::ConnectionLimitExceeded,
        Self::LlmUnavailable,
        Self::LlmTimeout,
        Self::DatabaseError,
        Self::ServiceError,
    ];

    /// The word on the wire, and its fixed text.
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidToken => ("INVALID_TOKEN", "The token is not valid."),
            Self::ExpiredToken => ("EXPIRED_TOKEN", "The token has expired."),
            Self::Unauthorized => ("UNAUTHORIZED", "A valid token is needed."),
            Self::InsufficientPermissions => {
                ("INSUFFICIENT_PERMISSIONS", "You may not do this here.")
            }
            Self::InvalidFormat => ("INVALID_FORMAT", "The message is not in the expected format."),
            Self::MissingField => ("MISSING_FIELD", "A required field is missing."),
            Self::NotFound => ("NOT_FOUND", "There is nothing here by that name."),
            Self::InvalidModel => ("INVALID_MODEL", "There is no such model."),
            Self::Unsupported => ("UNSUPPORTED", "This is not supported here."),
            Self::Conflict => ("CONFLICT", "Another message goes by this client_message_id."),
            Self::Busy => ("BUSY", "Too many messages are waiting already."),
            Self::Cancelled => ("CANCELLED", "The message was cancelled."),
            Self::PolicyDenied => ("POLICY_DENIED", "A policy does not allow this."),
            Self::SessionClosed => ("SESSION_CLOSED", "The session no longer exists."),
            Self::ResumeFailed => ("RESUME_FAILED", "That position cannot be resumed."),
            Self::TooManyRequests => ("TOO_MANY_REQUESTS", "Too many messages; try again later."),
            Self::ConnectionLimitExceeded => {
                ("CONNECTION_LIMIT_EXCEEDED", "Too many connections; close one first.")
            }
            Self::LlmUnavailable => ("LLM_UNAVAILABLE", "The model cannot answer now."),
            Self::LlmTimeout => ("LLM_TIMEOUT", "The model took too long to answer."),
            Self::DatabaseError => ("DATABASE_ERROR", "It could not be stored; try again."),
            Self::ServiceError => ("SERVICE_ERROR", "Something went wrong; try again."),
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// What people are told.
    pub fn message(self) -> &'static str {
        self.row().1
    }
}

impl From<&Refusal> for ErrorCode {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            Refusal::Cancelled => Self::Cancelled,
            Refusal::Conflict => Self::Conflict,
            Refusal::InvalidModel => Self::InvalidModel,
            Refusal::NothingToAnswer => Self::NotFound,
            Refusal::Denied { .. } => Self::PolicyDenied,
            Refusal::NotStored => Self::DatabaseError,
            Refusal::Closed => Self::SessionClosed,
            Refusal::NotYours => Self::InsufficientPermissions,
            Refusal::Internal => Self::ServiceError,
            Refusal::Failed(ErrorKind::Timeout) => Self::LlmTimeout,
            Refusal::Failed(
                ErrorKind::InvalidRequest
                | ErrorKind::Authentication
                | ErrorKind::Permission
                | ErrorKind::NotFound
                | ErrorKind::RateLimited
                | ErrorKind::QuotaExhausted
                | ErrorKind::ContextTooLong
                | ErrorKind::ContentBlocked
                | ErrorKind::Overloaded
                | ErrorKind::Protocol
                | ErrorKind::Unsupported
                | ErrorKind::Cancelled
                | ErrorKind::Other,
            ) => Self::LlmUnavailable,
        }
    }
}

/// The `error` object of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// One of [`ErrorCode`].
    pub code: &'static str,
    /// Fixed text of the code.
    pub message: &'static str,
    /// A policy's own text, at most 512 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether the connection goes on.
    pub recoverable: bool,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Under which the log tells the cause.
    pub trace_id: String,
}

impl ErrorBody {
    /// The object for a code, with nothing optional set. The connection goes on.
    pub fn new(code: ErrorCode, trace_id: String) -> Self {
        Self {
            code: code.as_str(),
            message: code.message(),
            detail: None,
            recoverable: true,
            retry_after: None,
            trace_id,
        }
    }

    /// The connection is closed after it.
    #[must_use]
    pub fn fatal(self) -> Self {
        Self { recoverable: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published list: a change here is a change of the protocol.
    #[test]
    fn the_codes_stay_as_they_are() {
        let codes = ErrorCode::ALL.map(ErrorCode::as_str).join(" ");
        let expected = "INVALID_TOKEN EXPIRED_TOKEN UNAUTHORIZED INSUFFICIENT_PERMISSIONS \
            INVALID_FORMAT MISSING_FIELD NOT_FOUND INVALID_MODEL UNSUPPORTED CONFLICT BUSY \
            CANCELLED POLICY_DENIED SESSION_CLOSED RESUME_FAILED TOO_MANY_REQUESTS \
            CONNECTION_LIMIT_EXCEEDED LLM_UNAVAILABLE LLM_TIMEOUT DATABASE_ERROR SERVICE_ERROR";
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_provider_that_took_too_long_is_told_apart_from_one_that_failed() {
        assert_eq!(ErrorCode::from(&Refusal::Failed(ErrorKind::Timeout)), ErrorCode::LlmTimeout);
        assert_eq!(
            ErrorCode::from(&Refusal::Failed(ErrorKind::Authentication)),
            ErrorCode::LlmUnavailable
        );
    }
}
