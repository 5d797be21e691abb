//! Making errors: by kind, and from a response that says no.

use crate::{Error, ErrorKind, Head, RetryHint, TransportFailure, retry_after_ms};

/// Pause proposed where another try may help and the upstream gave no time.
const PAUSE_MS: u32 = 1_000;
/// What is kept of a failed response for the log, in bytes. The host redacts it, and truncates further.
const DETAIL_BYTES: usize = 512;

impl Error {
    /// An error of this kind, with the retry hint that suits the kind. `detail` is for operators only.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: Some(detail.into()), status: None, retry: usual_retry(kind) }
    }

    /// The upstream sent what cannot be read, or stopped before its end.
    pub fn protocol(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, detail)
    }

    /// The chat cannot be asked this way.
    pub fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, detail)
    }

    /// The vendor has no such thing.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, detail)
    }

    /// What a response that is not 2xx means by itself: kind by status, pause by `retry-after`, the beginning of the body as
    /// detail. Vendors that say more in the body look there first and use this for the rest.
    pub fn from_response(head: &Head, body: &str, now_ms: u64) -> Self {
        let detail = body.get(..body.floor_char_boundary(DETAIL_BYTES)).unwrap_or_default().trim();
        Self::new(kind_of_status(head.status), detail)
            .with_status(head.status)
            .with_pause(head, now_ms)
    }

    /// What a broken connection means.
    pub fn from_transport(failure: TransportFailure) -> Self {
        let (kind, detail) = match failure {
            TransportFailure::Connect => (ErrorKind::Overloaded, "could not connect"),
            TransportFailure::Tls => (ErrorKind::Other, "TLS failed"),
            TransportFailure::Timeout => (ErrorKind::Timeout, "no answer in time"),
            TransportFailure::Reset => (ErrorKind::Protocol, "the connection broke"),
            TransportFailure::TooLarge => (ErrorKind::Protocol, "the response is too large"),
            TransportFailure::Blocked => (ErrorKind::Other, "the request was not let out"),
            TransportFailure::MalformedFraming => {
                (ErrorKind::Protocol, "the response cannot be cut into frames")
            }
        };
        let error = Self::new(kind, detail);
        // A break is nobody's answer: asking again may well go through.
        if failure == TransportFailure::Reset { error.with_retry_after_ms(PAUSE_MS) } else { error }
    }

    /// With the upstream's status code.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// With the pause that a response's `retry-after` asks for, if another try may help at all.
    #[must_use]
    pub fn with_pause(self, head: &Head, now_ms: u64) -> Self {
        match (self.retry, retry_after_ms(head, now_ms)) {
            (RetryHint::AfterMs(_), Some(pause_ms)) => self.with_retry_after_ms(pause_ms),
            (RetryHint::AfterMs(_) | RetryHint::Never | RetryHint::OtherCredential, _) => self,
        }
    }

    /// Another try may help after so many milliseconds.
    #[must_use]
    pub fn with_retry_after_ms(self, pause_ms: u32) -> Self {
        Self { retry: RetryHint::AfterMs(pause_ms), ..self }
    }
}

impl ErrorKind {
    /// The kind that a status code alone speaks of.
    pub fn of_status(status: u16) -> Self {
        kind_of_status(status)
    }
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::QuotaExhausted,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        429 => ErrorKind::RateLimited,
        501 => ErrorKind::Unsupported,
        400..=499 => ErrorKind::InvalidRequest,
        500..=599 => ErrorKind::Overloaded,
        _ => ErrorKind::Other,
    }
}

fn usual_retry(kind: ErrorKind) -> RetryHint {
    match kind {
        ErrorKind::RateLimited | ErrorKind::Overloaded | ErrorKind::Timeout => {
            RetryHint::AfterMs(PAUSE_MS)
        }
        ErrorKind::Authentication | ErrorKind::QuotaExhausted => RetryHint::OtherCredential,
        ErrorKind::InvalidRequest
        | ErrorKind::Permission
        | ErrorKind::NotFound
        | ErrorKind::ContextTooLong
        | ErrorKind::ContentBlocked
        | ErrorKind::Protocol
        | ErrorKind::Unsupported
        | ErrorKind::Cancelled
        | ErrorKind::Other => RetryHint::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;

    fn head(status: u16, retry_after: Option<&str>) -> Head {
        let field = |value: &str| Field { name: "retry-after".to_owned(), value: value.to_owned() };
        Head { status, headers: retry_after.map(field).into_iter().collect() }
    }

    #[test]
    fn a_pause_is_proposed_where_another_try_may_help() {
        let retry = |status, after| Error::from_response(&head(status, after), "", 0).retry;

        assert_eq!(retry(429, Some("7")), RetryHint::AfterMs(7_000));
        assert_eq!(retry(503, None), RetryHint::AfterMs(PAUSE_MS));
        assert_eq!(retry(400, Some("7")), RetryHint::Never);
        assert_eq!(retry(401, Some("7")), RetryHint::OtherCredential);
    }

    #[test]
    fn every_status_has_a_kind() {
        let kinds = [301, 400, 401, 402, 403, 404, 408, 418, 429, 500, 501, 503, 504, 529, 999];

        let kinds = kinds.map(ErrorKind::of_status);

        use ErrorKind::{
            Authentication, InvalidRequest, NotFound, Other, Overloaded, Permission,
            QuotaExhausted, RateLimited, Timeout, Unsupported,
        };
        let expected = [
            Other,
            InvalidRequest,
            Authentication,
            QuotaExhausted,
            Permission,
            NotFound,
            Timeout,
            InvalidRequest,
            RateLimited,
            Overloaded,
            Unsupported,
            Overloaded,
            Timeout,
            Overloaded,
            Other,
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn the_detail_is_the_beginning_of_the_body() {
        let error = Error::from_response(&head(500, None), &"é".repeat(400), 0);

        assert_eq!(error.detail.unwrap().len(), DETAIL_BYTES);
        assert_eq!(error.status, Some(500));
    }
}
