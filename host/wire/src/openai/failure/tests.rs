use super::*;
use crate::openai::Fault;

const KINDS: [ErrorKind; 14] = [
    ErrorKind::InvalidRequest,
    ErrorKind::Authentication,
    ErrorKind::Permission,
    ErrorKind::NotFound,
    ErrorKind::RateLimited,
    ErrorKind::QuotaExhausted,
    ErrorKind::ContextTooLong,
    ErrorKind::ContentBlocked,
    ErrorKind::Overloaded,
    ErrorKind::Timeout,
    ErrorKind::Protocol,
    ErrorKind::Unsupported,
    ErrorKind::Cancelled,
    ErrorKind::Other,
];

/// The published table: a change here is a change of the interface.
#[test]
fn the_failures_stay_as_they_are() {
    let ours = [
        Failure::BadRequest(BadRequest::at("n", Fault::Missing)),
        Failure::BodyTooLarge,
        Failure::TextTooLarge,
        Failure::BodyMissing,
        Failure::NoToken,
        Failure::InvalidToken,
        Failure::ExpiredToken,
        Failure::NoSuchModel,
        Failure::NotFound,
        Failure::MethodNotAllowed,
        Failure::TooManyRequests,
        Failure::Unavailable,
        Failure::Internal,
    ];
    let all = ours.into_iter().chain(KINDS.map(Failure::Provider));
    let line = |failure: Failure| {
        let told = failure.body().error;
        let again = if failure.may_pass() { "may pass" } else { "stays" };
        format!(
            "{failure:?}: {} {} {} {again}",
            failure.status(),
            told.r#type,
            told.code.unwrap_or("-")
        )
    };
    let table: Vec<String> = all.map(line).collect();

    insta::assert_snapshot!(table.join("\n"), @r#"
    BadRequest(BadRequest { fault: Missing, param: Some("n") }): 400 invalid_request_error missing_required_parameter stays
    BodyTooLarge: 413 invalid_request_error request_too_large stays
    TextTooLarge: 413 invalid_request_error request_too_large stays
    BodyMissing: 408 invalid_request_error request_timeout may pass
    NoToken: 401 invalid_request_error invalid_api_key stays
    InvalidToken: 401 invalid_request_error invalid_api_key stays
    ExpiredToken: 401 invalid_request_error invalid_api_key stays
    NoSuchModel: 404 invalid_request_error model_not_found stays
    NotFound: 404 invalid_request_error unknown_url stays
    MethodNotAllowed: 405 invalid_request_error method_not_supported stays
    TooManyRequests: 429 requests rate_limit_exceeded may pass
    Unavailable: 503 server_error unavailable may pass
    Internal: 500 server_error - may pass
    Provider(InvalidRequest): 400 invalid_request_error invalid_request stays
    Provider(Authentication): 502 server_error provider_unavailable stays
    Provider(Permission): 502 server_error provider_unavailable stays
    Provider(NotFound): 502 server_error provider_unavailable stays
    Provider(RateLimited): 503 server_error provider_rate_limited may pass
    Provider(QuotaExhausted): 502 server_error provider_unavailable stays
    Provider(ContextTooLong): 400 invalid_request_error context_length_exceeded stays
    Provider(ContentBlocked): 400 invalid_request_error content_filter stays
    Provider(Overloaded): 503 server_error provider_overloaded may pass
    Provider(Timeout): 504 server_error provider_timeout may pass
    Provider(Protocol): 502 server_error provider_failed may pass
    Provider(Unsupported): 400 invalid_request_error unsupported_value stays
    Provider(Cancelled): 503 server_error interrupted may pass
    Provider(Other): 502 server_error provider_failed may pass
    "#);
}

#[test]
fn the_body_has_openais_shape() {
    let body = serde_json::to_string(&Failure::NoSuchModel.body()).unwrap();

    assert_eq!(
        body,
        r#"{"error":{"message":"There is no such model.","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
    );
}
