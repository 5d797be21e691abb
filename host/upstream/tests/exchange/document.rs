//! Documents: fetched whole within bounds, or not at all.

use std::time::Duration;

use sluice_upstream::{Document, ExchangeError, FetchError};

use crate::fake::Fake;
use crate::upstream;

const LONG: Duration = Duration::from_secs(20);

fn document(fake: &Fake) -> Document {
    Document::parse(&format!("http://{}/keys?a=b", fake.address())).expect("at home")
}

/// What comes of an answer, to somebody who takes ten bytes.
async fn fetched(answer: &str) -> Result<Vec<u8>, FetchError> {
    let fake = Fake::start().await;
    let (upstream, document) = (upstream(), document(&fake));
    let serve = async {
        let mut peer = fake.accept().await;
        let (head, _) = peer.request().await;
        assert!(head.starts_with("get /keys?a=b http/1.1"), "{head}");
        assert!(!head.contains("authorization"), "{head}");
        peer.send(answer).await;
        peer
    };
    let (fetched, _peer) = tokio::join!(upstream.fetch(&document, 10, LONG), serve);
    fetched
}

#[tokio::test]
async fn a_document_is_taken_up_to_its_bound() {
    let ten = fetched("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789").await;
    assert_eq!(ten.expect("ten bytes"), b"0123456789");

    let told = fetched("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789a").await;
    assert!(matches!(told, Err(FetchError::TooLong(10))), "{told:?}");
    let untold =
        fetched("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n0123456789a\r\n").await;
    assert!(matches!(untold, Err(FetchError::TooLong(10))), "{untold:?}");
}

#[tokio::test]
async fn neither_redirects_nor_failures_are_documents() {
    for (status, answer) in [
        (302, "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"),
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
        (500, "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}"),
    ] {
        let failed = fetched(answer).await;
        assert!(matches!(failed, Err(FetchError::Status(s)) if s == status), "{failed:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let fake = Fake::start().await;
    let given_up = upstream().fetch(&document(&fake), 10, Duration::from_millis(20)).await;
    assert!(matches!(given_up, Err(FetchError::Exchange(ExchangeError::Stalled))), "{given_up:?}");
}
