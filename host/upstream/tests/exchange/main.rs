//! Exchanges with an upstream that behaves as badly as a test wants.

mod document;
mod fake;

use std::time::Duration;

use fake::{Fake, LONG, endpoints, field, request};
use sluice_chat::exchange::{Auth, Body, Frame, Framing, Method, Piece, TransportFailure};
use sluice_upstream::{Blobs, ExchangeError, Granted, Response, Timeouts, Upstream};

const SSE: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// Soon, for tests in which it is the upstream that never does anything.
const SHORT: Duration = Duration::from_millis(50);

fn upstream() -> Upstream {
    Upstream::new(Duration::from_secs(10), Granted::new()).expect("a client")
}

/// Sends the request and lets the fake answer with this beginning.
async fn begun(fake: &Fake, asked: sluice_chat::exchange::Request, answer: &str) -> Begun {
    let (upstream, endpoints, blobs) = (upstream(), fake.endpoints(), Blobs::default());
    let (response, (peer, head, body)) =
        tokio::join!(upstream.exchange(&endpoints, asked, &blobs, &LONG), async {
            let mut peer = fake.accept().await;
            let (head, body) = peer.request().await;
            peer.send(answer).await;
            (peer, head, body)
        });
    Begun { response, peer, head, body, upstream }
}

struct Begun {
    response: Result<Response, ExchangeError>,
    peer: fake::Peer,
    head: String,
    body: Vec<u8>,
    /// Part of this, so that it is not the client's end that closes connections.
    upstream: Upstream,
}

fn data(frames: Option<Vec<Frame>>) -> Vec<String> {
    frames.unwrap_or_default().into_iter().map(|frame| frame.data).collect()
}

#[tokio::test]
async fn frames_come_as_theupstream_sends_them() {
    let fake = Fake::start().await;
    let Begun { response, mut peer, .. } = begun(&fake, request(), SSE).await;
    let mut response = response.expect("a head");

    peer.send_chunk("event: a\ndata: one\n\ndata: tw").await;
    let first = response.next().await.expect("frames");
    peer.send_chunk("o\n\n").await;
    let second = response.next().await.expect("frames");
    peer.send("0\r\n\r\n").await;
    let end = response.next().await.expect("an end");

    let one = Frame { event: Some("a".to_owned()), data: "one".to_owned() };
    assert_eq!(first, Some(vec![one]));
    assert_eq!(data(second), ["two"]);
    assert_eq!(end, None);
    assert_eq!(response.next().await.expect("still the end"), None);
}

#[tokio::test]
async fn a_description_becomes_the_request_it_says() {
    let fake = Fake::start().await;
    let mut asked = request();
    asked.method = Method::Put;
    asked.query = vec![field("a b", "c&d=é"), field("empty", "")];
    asked.headers = vec![field("X-Vendor", "yes"), field("User-Agent", "vendor-sdk/1")];

    let Begun { head, body, .. } = begun(&fake, asked, "HTTP/1.1 204 No Content\r\n\r\n").await;

    let mut lines: Vec<&str> = head.lines().collect();
    lines.sort_unstable();
    let host = format!("host: {}", fake.address());
    assert_eq!(
        lines,
        [
            "accept-encoding: identity",
            "accept: */*",
            "content-length: 2",
            "content-type: application/json",
            host.as_str(),
            "put /base/chat?a+b=c%26d%3d%c3%a9&empty= http/1.1",
            "user-agent: vendor-sdk/1",
            "x-vendor: yes",
        ]
    );
    assert_eq!(body, b"{}");
}

#[tokio::test]
async fn a_credential_is_on_the_wire_and_nowhere_else() {
    let fake = Fake::start().await;
    for (scheme, line) in
        [("bearer", "authorization: bearer sk-canary"), ("key", "x-api-key: sk-canary")]
    {
        let mut asked = request();
        asked.auth = Auth::Scheme(scheme.to_owned());
        let mut begun = begun(&fake, asked, SSE).await;
        begun.peer.send("not a chunk\r\n").await;
        let mut response = begun.response.expect("a head");
        let error = response.next().await.expect_err("no chunk");

        assert!(begun.head.lines().any(|sent| sent == line), "{}", begun.head);
        let told = format!("{:?} {response:?} {error:?} {error}", fake.endpoints());
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn blobs_are_spliced_into_the_body_as_base64() {
    let fake = Fake::start().await;
    let picture: Vec<u8> = (0..=255).cycle().take(100_001).collect();
    let mut blobs = Blobs::default();
    blobs.insert("picture", picture.clone());
    blobs.insert("nothing", Vec::new());
    let text = |text: &str| Piece::Text(text.to_owned());
    let mut asked = request();
    asked.body = Body::Json(vec![
        text("{\"a\":\""),
        Piece::BlobBase64("picture".to_owned()),
        text("\",\"b\":\""),
        Piece::BlobBase64("nothing".to_owned()),
        text("\"}"),
    ]);

    let (upstream, endpoints) = (upstream(), fake.endpoints());
    let (response, body) =
        tokio::join!(upstream.exchange(&endpoints, asked, &blobs, &LONG), async {
            let mut peer = fake.accept().await;
            let (_, body) = peer.request().await;
            peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            body
        });

    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(picture);
    assert_eq!(response.expect("a head").head().status, 204);
    assert_eq!(String::from_utf8_lossy(&body), format!("{{\"a\":\"{encoded}\",\"b\":\"\"}}"));
}

#[tokio::test]
async fn only_headers_that_plugins_may_see_are_passed_on() {
    let fake = Fake::start().await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nSet-Cookie: a=b\r\n\
        Server: x\r\nRetry-After: 3\r\nX-RateLimit-Remaining: 7\r\nratelimit-reset: 1\r\n\
        vendor-ratelimit-tokens: 5\r\nX-Request-Id: r1\r\nX-Internal: secret\r\nX-Granted: yes\r\n\
        Location: http://elsewhere/\r\nContent-Length: 0\r\n\r\n";

    let head = begun(&fake, request(), answer).await.response.expect("a head").head().clone();

    let expected = [
        field("content-type", "text/event-stream"),
        field("retry-after", "3"),
        field("x-ratelimit-remaining", "7"),
        field("ratelimit-reset", "1"),
        field("vendor-ratelimit-tokens", "5"),
        field("x-request-id", "r1"),
        field("x-granted", "yes"),
    ];
    assert_eq!(head.status, 200);
    assert_eq!(head.headers, expected);
}

#[tokio::test]
async fn anupstream_that_never_answers_is_left() {
    let fake = Fake::start().await;
    let (upstream, endpoints) = (upstream(), fake.endpoints());
    let timeouts = Timeouts { first_byte: SHORT, ..LONG };
    let blobs = Blobs::default();

    let (error, mut peer) =
        tokio::join!(upstream.exchange(&endpoints, request(), &blobs, &timeouts), fake.accept());

    let error = error.expect_err("no answer");
    assert!(matches!(error, ExchangeError::NoFirstByte), "{error:?}");
    assert_eq!(error.failure(), TransportFailure::Timeout);
    peer.closed().await;
}

#[tokio::test]
async fn a_plugin_may_wait_less_but_not_longer() {
    let fake = Fake::start().await;
    let (upstream, endpoints) = (upstream(), fake.endpoints());
    for (asked_ms, ours) in [(20, LONG.first_byte), (u32::MAX, SHORT)] {
        let mut asked = request();
        asked.timeout_ms = Some(asked_ms);
        let timeouts = Timeouts { first_byte: ours, ..LONG };

        let error = upstream.exchange(&endpoints, asked, &Blobs::default(), &timeouts).await;

        assert!(matches!(error, Err(ExchangeError::NoFirstByte)), "{error:?}");
    }
}

#[tokio::test]
async fn anupstream_that_stalls_is_left_after_its_last_frame() {
    let fake = Fake::start().await;
    let (upstream, endpoints) = (upstream(), fake.endpoints());
    let timeouts = Timeouts { idle: SHORT, ..LONG };
    let blobs = Blobs::default();
    let (response, mut peer) =
        tokio::join!(upstream.exchange(&endpoints, request(), &blobs, &timeouts), async {
            let mut peer = fake.accept().await;
            peer.request().await;
            peer.send(SSE).await;
            peer.send_chunk("data: one\n\ndata: never fin").await;
            peer
        });
    let mut response = response.expect("a head");

    let frames = response.next().await.expect("a frame");
    let error = response.next().await.expect_err("nothing more");

    assert_eq!(data(frames), ["one"]);
    assert!(matches!(error, ExchangeError::Stalled), "{error:?}");
    peer.closed().await;
    let again = response.next().await.expect_err("no end after a failure");
    assert!(matches!(again, ExchangeError::Over), "{again:?}");
}

#[tokio::test]
async fn a_connection_cut_within_a_chunk_is_no_end() {
    let fake = Fake::start().await;
    let Begun { response, mut peer, .. } = begun(&fake, request(), SSE).await;
    let mut response = response.expect("a head");
    peer.send("40\r\ndata: one\n\ndata: tw").await;

    let frames = response.next().await.expect("a frame");
    drop(peer);
    let error = response.next().await.expect_err("cut");

    assert_eq!(data(frames), ["one"]);
    assert!(matches!(error, ExchangeError::Reset(_)), "{error:?}");
    assert_eq!(error.failure(), TransportFailure::Reset);
}

#[tokio::test]
async fn a_connection_cut_between_chunks_is_no_end() {
    let fake = Fake::start().await;
    let Begun { response, mut peer, .. } = begun(&fake, request(), SSE).await;
    peer.send_chunk("data: one\n\n").await;
    drop(peer);
    let mut response = response.expect("a head");

    assert_eq!(data(response.next().await.expect("a frame")), ["one"]);
    let error = response.next().await.expect_err("cut");
    assert!(matches!(error, ExchangeError::Reset(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_cut_before_the_head_is_a_reset() {
    let fake = Fake::start().await;
    let Begun { response, peer, upstream, .. } = begun(&fake, request(), SSE).await;
    drop((response, peer));
    let endpoints = fake.endpoints();
    let blobs = Blobs::default();

    let (error, ()) =
        tokio::join!(upstream.exchange(&endpoints, request(), &blobs, &LONG), async {
            let mut peer = fake.accept().await;
            peer.request().await;
            peer.send("HTTP/1.1 20").await;
        });

    let error = error.expect_err("cut");
    assert!(matches!(error, ExchangeError::Reset(_)), "{error:?}");
}

#[tokio::test]
async fn dropping_a_response_closes_its_connection() {
    let fake = Fake::start().await;
    let Begun { response, mut peer, upstream: _upstream, .. } = begun(&fake, request(), SSE).await;
    peer.send_chunk("data: one\n\n").await;
    let mut response = response.expect("a head");
    response.next().await.expect("a frame");

    drop(response);

    peer.closed().await;
}

#[tokio::test]
async fn dropping_an_exchange_closes_its_connection() {
    let fake = Fake::start().await;
    let (upstream, endpoints) = (upstream(), fake.endpoints());
    let blobs = Blobs::default();

    let mut peer = tokio::select! {
        answered = upstream.exchange(&endpoints, request(), &blobs, &LONG) => {
            panic!("nobody answered: {answered:?}")
        }
        peer = async {
            let mut peer = fake.accept().await;
            peer.request().await;
            peer
        } => peer,
    };

    peer.closed().await;
}

#[tokio::test]
async fn a_response_that_was_read_to_its_end_leaves_its_connection_for_the_next() {
    let fake = Fake::start().await;
    let Begun { response, mut peer, upstream, .. } = begun(&fake, request(), SSE).await;
    let mut response = response.expect("a head");
    peer.send("0\r\n\r\n").await;
    assert_eq!(response.next().await.expect("an end"), None);
    let (endpoints, blobs) = (fake.endpoints(), Blobs::default());

    let (again, _) = tokio::join!(upstream.exchange(&endpoints, request(), &blobs, &LONG), async {
        let request = peer.request().await;
        peer.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        request
    });

    assert_eq!(again.expect("a head").head().status, 204);
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let (fake, elsewhere) = (Fake::start().await, Fake::start().await);
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://{}/\r\ncontent-length: 4\r\n\r\nmove",
            elsewhere.address()
        );

        let begun = begun(&fake, request(), &answer).await;

        let mut response = begun.response.expect("a head");
        assert_eq!(response.head().status, status);
        assert_eq!(response.head().headers, []);
        assert_eq!(data(response.next().await.expect("a body")), ["move"]);
        assert_eq!(response.next().await.expect("an end"), None);
        assert!(!elsewhere.is_called());
    }
}

#[tokio::test]
async fn compressed_content_is_never_unpacked() {
    let fake = Fake::start().await;
    let labelled = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x08";

    let begun = begun(&fake, request(), labelled).await;

    let error = begun.response.expect_err("refused");
    assert!(matches!(error, ExchangeError::Compressed), "{error:?}");
    assert_eq!(error.failure(), TransportFailure::MalformedFraming);
}

#[tokio::test]
async fn compressed_content_without_a_label_is_no_text() {
    let fake = Fake::start().await;
    let Begun { response, mut peer, .. } = begun(&fake, request(), SSE).await;
    peer.send(b"4\r\n\x1f\x8b\x08\x00\r\n").await;

    let error = response.expect("a head").next().await.expect_err("refused");

    assert_eq!(error.failure(), TransportFailure::MalformedFraming);
}

#[tokio::test]
async fn an_endless_line_is_cut_off() {
    let fake = Fake::start().await;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\ndata: ";
    let Begun { response, mut peer, .. } = begun(&fake, request(), answer).await;
    let mut response = response.expect("a head");
    let block = vec![b'a'; 65_536];

    let (taken, error) = tokio::join!(peer.flood(&block), response.next());

    let error = error.expect_err("too large");
    assert_eq!(error.failure(), TransportFailure::TooLarge);
    // A frame's worth, and what fits into buffers on the way.
    assert!(taken < 64 << 20, "{taken} bytes were taken");
}

#[tokio::test]
async fn a_body_that_fails_is_one_frame_of_64_kib_at_most() {
    let fake = Fake::start().await;
    let answer = "HTTP/1.1 500 Oops\r\ncontent-length: 1073741824\r\n\r\n";
    let Begun { response, mut peer, .. } = begun(&fake, request(), answer).await;
    let mut response = response.expect("a head");
    let block = vec![b'a'; 65_536];

    let (taken, frames) = tokio::join!(peer.flood(&block), async {
        let frames = data(response.next().await.expect("a body"));
        assert_eq!(response.next().await.expect("an end"), None);
        frames
    });

    assert_eq!(frames, ["a".repeat(65_536)]);
    assert!(taken < 64 << 20, "{taken} bytes were taken");
}

#[tokio::test]
async fn many_frames_of_one_read_come_in_batches() {
    let fake = Fake::start().await;
    let big = format!("data: {}\n\n", "b".repeat(40_000));
    let body = format!("{}{big}{big}data: {}\n\n", "data: x\n\n".repeat(1_000), "c".repeat(70_000));
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut response = begun(&fake, request(), &answer).await.response.expect("a head");

    let mut sizes = Vec::new();
    while let Some(batch) = response.next().await.expect("frames") {
        let bytes: usize = batch.iter().map(|frame| frame.data.len()).sum();
        assert!(!batch.is_empty() && batch.len() <= 64);
        assert!(bytes <= 65_536 || batch.len() == 1);
        sizes.push(batch.len());
    }

    assert_eq!(sizes.iter().sum::<usize>(), 1_003);
}

#[tokio::test]
async fn a_body_nobody_wants_is_not_read() {
    let fake = Fake::start().await;
    let mut asked = request();
    asked.framing = Framing::Discard;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    let Begun { response, mut peer, upstream: _upstream, .. } = begun(&fake, asked, answer).await;

    assert_eq!(response.expect("a head").next().await.expect("an end"), None);
    peer.closed().await;
}

#[tokio::test]
async fn the_content_type_chooses_the_framing_where_asked_to() {
    let fake = Fake::start().await;
    for (kind, expected) in [
        ("application/x-ndjson", vec!["1", "2"]),
        ("text/event-stream", Vec::new()),
        ("text/plain", vec!["1\n2\n"]),
    ] {
        let mut asked = request();
        asked.framing = Framing::ByContentType;
        let answer =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 4\r\n\r\n1\n2\n");
        let mut response = begun(&fake, asked, &answer).await.response.expect("a head");

        let mut heard = Vec::new();
        while let Some(frames) = response.next().await.expect("frames") {
            heard.extend(data(Some(frames)));
        }

        assert_eq!(heard, expected, "{kind}");
    }
}

#[tokio::test]
async fn a_closed_port_is_no_connection() {
    let address = Fake::start().await.address();
    let endpoints = endpoints(&format!("http://{address}"));

    let error = upstream().exchange(&endpoints, request(), &Blobs::default(), &LONG).await;

    let error = error.expect_err("nobody there");
    assert!(matches!(error, ExchangeError::Connect(_)), "{error:?}");
    assert_eq!(error.failure(), TransportFailure::Connect);
}

#[tokio::test]
async fn anupstream_without_tls_is_told_from_one_that_is_not_there() {
    let fake = Fake::start().await;
    let endpoints = endpoints(&format!("https://{}", fake.address()));
    let (upstream, blobs) = (upstream(), Blobs::default());

    let (error, _peer) =
        tokio::join!(upstream.exchange(&endpoints, request(), &blobs, &LONG), async {
            let mut peer = fake.accept().await;
            peer.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
            peer
        });

    let error = error.expect_err("no TLS");
    assert!(matches!(error, ExchangeError::Tls(_)), "{error:?}");
    assert_eq!(error.failure(), TransportFailure::Tls);
}

#[tokio::test]
async fn what_is_refused_never_reaches_theupstream() {
    let fake = Fake::start().await;
    let mut asked = request();
    asked.path = "//elsewhere/".to_owned();

    let error = upstream()
        .exchange(&fake.endpoints(), asked, &Blobs::default(), &LONG)
        .await
        .expect_err("refused");

    assert_eq!(error.failure(), TransportFailure::Blocked);
    assert!(!fake.is_called());
}
