//! A request's body: texts as they are, and blobs that become base64 while they are sent.

use std::collections::VecDeque;
use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use sluice_chat::exchange::{self, Piece};

use super::{MAX_BODY_BYTES, MAX_TEXT_BYTES, RequestError};
use crate::blob::Blobs;

/// Bytes of a blob that are encoded at a time. A multiple of three, so that padding only comes at
/// the end.
const SLICE: usize = 48 * 1024;

/// A body whose length is known before it is sent.
#[derive(Debug)]
pub(crate) struct Body {
    length: u64,
    rest: VecDeque<Part>,
}

#[derive(Debug)]
enum Part {
    Text(Bytes),
    Blob(Bytes),
}

impl Body {
    /// Checks a body's size and looks up its blobs. None for no body.
    pub(super) fn check(body: exchange::Body, blobs: &Blobs) -> Result<Option<Self>, RequestError> {
        let pieces = match body {
            exchange::Body::Empty => return Ok(None),
            exchange::Body::Json(pieces) => pieces,
        };
        let (mut texts, mut length) = (0_u64, 0_u64);
        let mut rest = VecDeque::with_capacity(pieces.len());
        for piece in pieces {
            let part = match piece {
                Piece::Text(text) => {
                    texts += text.len() as u64;
                    length += text.len() as u64;
                    Part::Text(text.into())
                }
                Piece::BlobBase64(id) => {
                    let blob = blobs.get(&id).ok_or(RequestError::UnknownBlob)?;
                    length += (blob.len() as u64).div_ceil(3) * 4;
                    Part::Blob(blob.clone())
                }
            };
            if texts > MAX_TEXT_BYTES || length > MAX_BODY_BYTES {
                return Err(RequestError::BodyTooLarge);
            }
            rest.push_back(part);
        }
        Ok(Some(Self { length, rest }))
    }

    /// Bytes as sent.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// All of it, where it is nothing but text.
    pub(crate) fn text(&self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        for part in &self.rest {
            match part {
                Part::Text(more) => text.extend_from_slice(more),
                Part::Blob(_) => return None,
            }
        }
        Some(text)
    }

    /// What is sent, made piece by piece as the connection takes it.
    pub(crate) fn into_sent(self) -> reqwest::Body {
        reqwest::Body::wrap_stream(stream::iter(self.map(Ok::<Bytes, Infallible>)))
    }
}

impl Iterator for Body {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match self.rest.pop_front()? {
            Part::Text(text) => Some(text),
            Part::Blob(mut blob) => {
                let slice = blob.split_to(blob.len().min(SLICE));
                if !blob.is_empty() {
                    self.rest.push_front(Part::Blob(blob));
                }
                Some(STANDARD.encode(slice).into())
            }
        }
    }
}
