use std::collections::BTreeMap;

use sluice_chat::exchange::{Field, Piece};

use super::*;
use crate::destination::Destination;
use crate::endpoint::Endpoint;

fn endpoints() -> Endpoints {
    let endpoint = |address: &str, scheme: &str| Endpoint {
        destination: Destination::parse(address).expect("valid"),
        credentials: BTreeMap::from([(
            scheme.to_owned(),
            Credential::header("x-api-key", "sk-canary").ok(),
        )]),
        response_headers: BTreeSet::new(),
    };
    Endpoints(BTreeMap::from([
        ("a".to_owned(), endpoint("https://a.example/v1", "of-a")),
        ("b".to_owned(), endpoint("https://b.example", "of-b")),
    ]))
}

fn described() -> exchange::Request {
    exchange::Request {
        method: exchange::Method::Post,
        endpoint: "a".to_owned(),
        path: "/chat".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        auth: Auth::Scheme("of-a".to_owned()),
        body: exchange::Body::Empty,
        framing: Framing::Whole,
        timeout_ms: None,
        idempotent: false,
    }
}

fn refused(described: exchange::Request) -> Option<RequestError> {
    Request::check(&endpoints(), described, &Blobs::default()).err()
}

fn field(name: &str, value: &str) -> Field {
    Field { name: name.to_owned(), value: value.to_owned() }
}

fn with_headers(headers: Vec<Field>) -> Option<RequestError> {
    refused(exchange::Request { headers, ..described() })
}

fn with_body(pieces: Vec<Piece>, blobs: &Blobs) -> Option<RequestError> {
    let described = exchange::Request { body: exchange::Body::Json(pieces), ..described() };
    Request::check(&endpoints(), described, blobs).err()
}

#[test]
fn a_plain_description_is_taken() {
    assert_eq!(refused(described()), None);
}

#[test]
fn only_configured_names_are_known() {
    let elsewhere = exchange::Request { endpoint: "c".to_owned(), ..described() };
    assert_eq!(refused(elsewhere), Some(RequestError::UnknownEndpoint));

    let foreign = exchange::Request { auth: Auth::Scheme("of-b".to_owned()), ..described() };
    assert_eq!(refused(foreign), Some(RequestError::UnknownScheme));
}

#[test]
fn headers_that_are_ours_are_refused() {
    for name in [
        "Host",
        "host",
        "Content-Length",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Expect",
        "Accept-Encoding",
        "Proxy-Authorization",
        "proxy-connection",
        "X-Forwarded-For",
        "Forwarded",
        // Where the endpoint's own credential goes.
        "X-Api-Key",
    ] {
        let refused = with_headers(vec![field("accept", "a"), field(name, "1")]);
        assert_eq!(refused, Some(RequestError::Header { number: 1 }), "{name}");
    }
}

#[test]
fn headers_that_are_none_are_refused() {
    for (name, value) in [
        ("", "a"),
        ("a b", "a"),
        ("a:", "a"),
        ("a\r\nb", "a"),
        ("ü", "a"),
        ("a", "b\r\nhost: evil"),
        ("a", "b\nc"),
        ("a", "b\0c"),
        ("a", "ü"),
    ] {
        let refused = with_headers(vec![field(name, value)]);
        assert_eq!(refused, Some(RequestError::Header { number: 0 }), "{name:?}: {value:?}");
    }
}

#[test]
fn a_header_comes_once_in_whatever_case() {
    let refused = with_headers(vec![field("x-a", "1"), field("X-A", "2")]);

    assert_eq!(refused, Some(RequestError::Header { number: 1 }));
}

#[test]
fn headers_are_counted_and_weighed() {
    let numbered = |count: usize| (0..count).map(|n| field(&format!("x-{n}"), "1")).collect();
    assert_eq!(with_headers(numbered(64)), None);
    assert_eq!(with_headers(numbered(65)), Some(RequestError::TooManyHeaders));

    let heavy = |bytes: usize| vec![field("x-a", &"v".repeat(bytes - 3))];
    assert_eq!(with_headers(heavy(16 * 1024)), None);
    assert_eq!(with_headers(heavy(16 * 1024 + 1)), Some(RequestError::TooManyHeaders));
}

#[test]
fn a_query_stays_a_query() {
    let endpoints = endpoints();
    let query = vec![field("a", "b#c?d&e=f/../g"), field("h\r\n", "\0")];
    let described = exchange::Request { query, ..described() };

    let taken = Request::check(&endpoints, described, &Blobs::default()).expect("taken");

    assert_eq!(
        taken.url.as_str(),
        "https://a.example/v1/chat?a=b%23c%3Fd%26e%3Df%2F..%2Fg&h%0D%0A=%00"
    );
}

#[test]
fn path_and_query_have_a_length() {
    let query = vec![field("q", &"a".repeat(8 * 1024))];

    let error = refused(exchange::Request { query, ..described() });

    assert_eq!(error, Some(RequestError::TargetTooLong));
    assert!(error.is_some_and(|error| error.is_size()));
}

#[test]
fn texts_and_bodies_have_a_size() {
    let text = |bytes: u64| Piece::Text("a".repeat(usize::try_from(bytes).expect("small")));
    let none = Blobs::default();
    assert_eq!(with_body(vec![text(MAX_TEXT_BYTES)], &none), None);
    let over = vec![text(MAX_TEXT_BYTES), text(1)];
    assert_eq!(with_body(over, &none), Some(RequestError::BodyTooLarge));

    let mut blobs = Blobs::default();
    blobs.insert("fits", vec![0; usize::try_from(MAX_BODY_BYTES / 4 * 3).expect("small")]);
    let fits = || Piece::BlobBase64("fits".to_owned());
    assert_eq!(with_body(vec![fits()], &blobs), None);
    assert_eq!(with_body(vec![fits(), text(1)], &blobs), Some(RequestError::BodyTooLarge));
    assert_eq!(with_body(vec![fits(), fits()], &blobs), Some(RequestError::BodyTooLarge));
}

#[test]
fn a_body_names_only_blobs_of_its_request() {
    let pieces = vec![Piece::BlobBase64("other".to_owned())];

    assert_eq!(with_body(pieces, &Blobs::default()), Some(RequestError::UnknownBlob));
}

#[test]
fn a_checked_request_prints_no_secret() {
    let endpoints = endpoints();

    let taken = Request::check(&endpoints, described(), &Blobs::default()).expect("taken");

    assert!(!format!("{taken:?}").contains("canary"));
}
