//! A response as plugins read it: a head, then frames as they arrive.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use sluice_chat::exchange::{self, Field, Frame, Head};
use sluice_framing::{Decoder, Framing, Limits};
use tokio::time::timeout;

use crate::error::ExchangeError;
use crate::upstream::Open as Held;

/// Most frames handed out at once.
const BATCH_FRAMES: usize = 64;
/// Most bytes of frames handed out at once; a larger frame comes alone.
const BATCH_BYTES: usize = 64 * 1024;
/// Largest body that comes in one frame because it was asked for whole: vectors are much text.
const WHOLE_BYTES: usize = 4 << 20;
/// Longest value of a header that is passed on, in bytes.
const MAX_VALUE_BYTES: usize = 1_024;
/// Most headers passed on.
const MAX_HEADERS: usize = 64;

/// A response on its way. Dropping it ends the exchange.
#[derive(Debug)]
pub struct Response {
    head: Head,
    idle: Duration,
    body: Body,
    /// Cut already, not handed out yet.
    waiting: VecDeque<Frame>,
    _held: Held,
}

#[derive(Debug)]
enum Body {
    Open(Box<Open>),
    /// Ended in order.
    Ended,
    /// Ended otherwise; to be told once what waits is handed out.
    Failed(Option<ExchangeError>),
}

/// A body that is still coming.
#[derive(Debug)]
struct Open {
    response: reqwest::Response,
    decoder: Decoder,
}

impl Response {
    /// A response whose head has arrived. Only 2xx are cut as asked; others come whole.
    pub(crate) fn begin(
        response: reqwest::Response,
        wanted: exchange::Framing,
        idle: Duration,
        held: Held,
        granted: &BTreeSet<String>,
    ) -> Result<Self, ExchangeError> {
        let status = response.status();
        let head = Head { status: status.as_u16(), headers: visible(response.headers(), granted) };
        let limits = match wanted {
            exchange::Framing::Whole => {
                Limits { frame: WHOLE_BYTES, pending: WHOLE_BYTES, ..Limits::default() }
            }
            exchange::Framing::Sse
            | exchange::Framing::Ndjson
            | exchange::Framing::ByContentType
            | exchange::Framing::Discard => Limits::default(),
        };
        let body = if status.is_success() {
            if is_compressed(response.headers()) {
                return Err(ExchangeError::Compressed);
            }
            match framing(wanted, response.headers()) {
                None => Body::Ended,
                Some(framing) => {
                    let decoder = Decoder::new(framing, limits);
                    Body::Open(Box::new(Open { response, decoder }))
                }
            }
        } else {
            Body::Open(Box::new(Open { response, decoder: Decoder::for_failure(limits) }))
        };
        Ok(Self { head, idle, body, waiting: VecDeque::new(), _held: held })
    }

    /// Status and the headers that plugins may see.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// All that is still to come, as text.
    pub async fn text(mut self) -> Result<String, ExchangeError> {
        let mut text = String::new();
        while let Some(frames) = self.next().await? {
            text.extend(frames.into_iter().map(|frame| frame.data));
        }
        Ok(text)
    }

    /// The next frames: what one read yielded, at most 64 frames or 64 KiB, never none.
    /// `None` is the orderly end. After an error there is nothing but errors.
    ///
    /// May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Option<Vec<Frame>>, ExchangeError> {
        while self.waiting.is_empty() {
            match &mut self.body {
                Body::Open(open) if open.decoder.wants_more() => {
                    let read = timeout(self.idle, open.response.chunk()).await;
                    self.take(read);
                }
                // A failed response that is longer than anybody reads: the rest is left.
                Body::Open(_) => self.finish(),
                Body::Ended => return Ok(None),
                Body::Failed(error) => return Err(error.take().unwrap_or(ExchangeError::Over)),
            }
        }
        Ok(Some(self.batch()))
    }

    /// Cuts what one read brought.
    fn take<B: AsRef<[u8]>>(
        &mut self,
        read: Result<Result<Option<B>, reqwest::Error>, tokio::time::error::Elapsed>,
    ) {
        let Body::Open(open) = &mut self.body else { return };
        let failure = match read {
            Ok(Ok(Some(piece))) => {
                let mut frames = Vec::new();
                let cut = open.decoder.push(piece.as_ref(), &mut frames);
                self.waiting.extend(frames.into_iter().map(passed_on));
                cut.err().map(ExchangeError::Framing)
            }
            Ok(Ok(None)) => return self.finish(),
            Ok(Err(error)) => Some(ExchangeError::while_reading(error)),
            Err(_) => Some(ExchangeError::Stalled),
        };
        if failure.is_some() {
            // Drops the connection too.
            self.body = Body::Failed(failure);
        }
    }

    /// Ends the body in order, unless its last frame says otherwise.
    fn finish(&mut self) {
        let Body::Open(open) = std::mem::replace(&mut self.body, Body::Ended) else { return };
        match open.decoder.finish() {
            Ok(last) => self.waiting.extend(last.map(passed_on)),
            Err(error) => self.body = Body::Failed(Some(error.into())),
        }
    }

    /// Takes as many of the waiting frames as go out at once.
    fn batch(&mut self) -> Vec<Frame> {
        let mut batch = Vec::new();
        let mut bytes = 0_usize;
        while let Some(frame) = self.waiting.front() {
            bytes += frame.data.len() + frame.event.as_ref().map_or(0, String::len);
            let fits = batch.len() < BATCH_FRAMES && bytes <= BATCH_BYTES;
            if !batch.is_empty() && !fits {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        batch
    }
}

fn passed_on(frame: sluice_framing::Frame) -> Frame {
    let sluice_framing::Frame { event, data } = frame;
    Frame { event, data }
}

/// How the body of a 2xx is cut; none when it is not read.
fn framing(wanted: exchange::Framing, headers: &HeaderMap) -> Option<Framing> {
    match wanted {
        exchange::Framing::Whole => Some(Framing::Whole),
        exchange::Framing::Sse => Some(Framing::Sse),
        exchange::Framing::Ndjson => Some(Framing::Ndjson),
        exchange::Framing::ByContentType => {
            let announced = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            Some(Framing::of(announced))
        }
        exchange::Framing::Discard => None,
    }
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| {
        let plain = value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
        !plain
    })
}

/// The headers that a plugin may see: the usual ones, and those that it was granted.
fn visible(headers: &HeaderMap, granted: &BTreeSet<String>) -> Vec<Field> {
    headers
        .iter()
        .filter(|(name, _)| is_visible(name) || granted.contains(name.as_str()))
        .filter(|(_, value)| value.len() <= MAX_VALUE_BYTES)
        .filter_map(|(name, value)| {
            let value = value.to_str().ok()?.to_owned();
            Some(Field { name: name.as_str().to_owned(), value })
        })
        .take(MAX_HEADERS)
        .collect()
}

/// Content type, when to come again, what is left of a limit, and what the upstream calls the
/// request, in the spellings that are about.
fn is_visible(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "content-type"
        || name.starts_with("retry-after")
        || name == "ratelimit"
        || name.contains("ratelimit-")
        || name.ends_with("request-id")
        || name.ends_with("requestid")
}
