use proptest::prelude::*;

use super::*;
use crate::{Field, RetryHint};

fn head(status: u16) -> Head {
    let after = Field { name: "retry-after".to_owned(), value: "3".to_owned() };
    Head { status, headers: vec![after] }
}

fn kind(status: u16, body: &str) -> ErrorKind {
    Error::told_by_response(&head(status), body, 0).kind
}

#[test]
fn the_code_says_more_than_the_status() {
    let quota =
        r#"{"error":{"message":"no","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    let rate = r#"{"error":{"message":"no","type":"requests","code":"rate_limit_exceeded"}}"#;
    let long = r#"{"error":{"type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let filter = r#"{"error":{"code":"content_filter","message":"filtered"}}"#;

    assert_eq!(kind(429, quota), ErrorKind::QuotaExhausted);
    assert_eq!(kind(429, rate), ErrorKind::RateLimited);
    assert_eq!(kind(400, long), ErrorKind::ContextTooLong);
    assert_eq!(kind(400, filter), ErrorKind::ContentBlocked);
}

#[test]
fn the_status_says_more_than_invalid_request_error() {
    let body = r#"{"error":{"message":"no","type":"invalid_request_error","code":null}}"#;

    let kinds = [401, 403, 404, 400].map(|status| kind(status, body));

    let expected = [
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::InvalidRequest,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_context_that_is_too_long_is_known_by_its_sentence() {
    let body = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#;

    assert_eq!(kind(400, body), ErrorKind::ContextTooLong);
    assert_eq!(kind(500, body), ErrorKind::Overloaded);
}

#[test]
fn a_pause_is_passed_on_where_waiting_helps() {
    let limited = r#"{"error":{"code":"rate_limit_exceeded"}}"#;
    let quota = r#"{"error":{"code":"insufficient_quota"}}"#;

    assert_eq!(Error::told_by_response(&head(429), limited, 0).retry, RetryHint::AfterMs(3_000));
    assert_eq!(Error::told_by_response(&head(429), quota, 0).retry, RetryHint::OtherCredential);
}

#[test]
fn a_number_in_a_stream_is_a_status() {
    let error = Error::told(&serde_json::json!({ "code": 502, "message": "bad gateway" }));

    assert_eq!((error.kind, error.status), (ErrorKind::Overloaded, Some(502)));
}

#[test]
fn an_error_may_be_a_bare_text_or_nothing() {
    assert_eq!(
        Error::told_by_response(&head(400), r#"{"error":"no"}"#, 0).detail.as_deref(),
        Some("no")
    );
    assert_eq!(kind(404, "<html>"), ErrorKind::NotFound);
    assert_eq!(kind(503, ""), ErrorKind::Overloaded);
    assert_eq!(Error::told(&Value::Null).kind, ErrorKind::Other);
    assert_eq!(Error::told_in_stream("oops").kind, ErrorKind::Other);
}

proptest! {
    /// Whatever an upstream says, it is an error with its status and a short detail.
    #[test]
    fn every_body_is_an_error(status in 300_u16..600, message in ".{0,600}", code in ".{0,10}") {
        let body = serde_json::json!({ "error": { "message": message, "code": code } }).to_string();
        for body in [body, message] {
            let error = Error::told_by_response(&head(status), &body, 0);
            prop_assert_eq!(error.status, Some(status));
            prop_assert!(error.detail.unwrap_or_default().len() <= 512);
        }
    }
}
