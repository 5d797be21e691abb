//! A request's body: texts as they are, and blobs, as they are or becoming base64 while they are sent.

use std::collections::VecDeque;
use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::HeaderValue;
use sluice_chat::exchange::{self, Piece};

use super::form::Form;
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
    content_type: Option<HeaderValue>,
}

#[derive(Debug)]
pub(super) enum Part {
    /// As it is, and the plugin's own.
    Text(Bytes),
    /// As it is.
    Bytes(Bytes),
    /// To be sent as base64.
    Base64(Bytes),
}

impl Part {
    /// Bytes as sent.
    fn length(&self) -> u64 {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.len() as u64,
            Self::Base64(bytes) => (bytes.len() as u64).div_ceil(3) * 4,
        }
    }
}

impl Body {
    /// Checks a body's size and looks up its blobs. None for no body.
    pub(super) fn check(body: exchange::Body, blobs: &Blobs) -> Result<Option<Self>, RequestError> {
        match body {
            exchange::Body::Empty => Ok(None),
            exchange::Body::Json(pieces) => {
                let parts = pieces.into_iter().map(|piece| match piece {
                    Piece::Text(text) => Ok(Part::Text(text.into())),
                    Piece::BlobBase64(id) => blob(blobs, &id).map(Part::Base64),
                });
                Self::of(parts, None).map(Some)
            }
            exchange::Body::Form(parts) => {
                let Form { parts, content_type } = Form::write(parts, blobs)?;
                Self::of(parts.into_iter().map(Ok), Some(content_type)).map(Some)
            }
        }
    }

    /// Puts one together that is not too large.
    fn of(
        parts: impl Iterator<Item = Result<Part, RequestError>>,
        content_type: Option<HeaderValue>,
    ) -> Result<Self, RequestError> {
        let (mut texts, mut length, mut rest) = (0_u64, 0_u64, VecDeque::new());
        for part in parts {
            let part = part?;
            length += part.length();
            if let Part::Text(text) = &part {
                texts += text.len() as u64;
            }
            if texts > MAX_TEXT_BYTES || length > MAX_BODY_BYTES {
                return Err(RequestError::BodyTooLarge);
            }
            rest.push_back(part);
        }
        Ok(Self { length, rest, content_type })
    }

    /// What it is, where that is not for the description to say.
    pub(super) fn content_type(&self) -> Option<HeaderValue> {
        self.content_type.clone()
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
                Part::Bytes(_) | Part::Base64(_) => return None,
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
            Part::Text(bytes) | Part::Bytes(bytes) => Some(bytes),
            Part::Base64(mut blob) => {
                let slice = blob.split_to(blob.len().min(SLICE));
                if !blob.is_empty() {
                    self.rest.push_front(Part::Base64(blob));
                }
                Some(STANDARD.encode(slice).into())
            }
        }
    }
}

/// The blob of the request that is called so.
pub(super) fn blob(blobs: &Blobs, id: &str) -> Result<Bytes, RequestError> {
    blobs.get(id).cloned().ok_or(RequestError::UnknownBlob)
}
