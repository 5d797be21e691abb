//! A recorded response, and how the host would hand it to a plugin.

use serde::Deserialize;
use sluice_framing::{Decoder, Framing, FramingError, Limits};

use crate::{request::FramingWish, subject::Input};

/// How a connection broke, in the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportFailure {
    /// No connection.
    Connect,
    /// No TLS.
    Tls,
    /// No answer in time.
    Timeout,
    /// It broke.
    Reset,
    /// Too many bytes.
    TooLarge,
    /// Not let out.
    Blocked,
    /// Not to be cut into frames.
    MalformedFraming,
}

/// One response as it came: `HTTP/1.1 200 OK`, headers, a blank line, the body.
///
/// Head lines may end in LF or CRLF. The body is everything after, byte for byte, with any transfer encoding undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How the connection broke after these bytes; `None` is the orderly end.
    pub breaks: Option<TransportFailure>,
}

impl Recording {
    /// Reads a recording; `None` if it has no proper head.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut line = || -> Option<&str> {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()
        };
        let mut words = line()?.split(' ');
        words.next().filter(|version| version.starts_with("HTTP/"))?;
        let status = words.next()?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            match line()? {
                "" => break,
                header => {
                    let (name, value) = header.split_once(':')?;
                    headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
        Some(Self { status, headers, body: rest.to_vec(), breaks: None })
    }

    /// What the host would say of this response, its body arriving in these pieces.
    pub(crate) fn inputs(&self, wish: FramingWish, pieces: &[&[u8]]) -> Vec<Input> {
        let mut inputs = vec![Input::Head { status: self.status, headers: self.headers.clone() }];
        let end = self.body_inputs(wish, pieces, &mut inputs);
        let broken = match end {
            Ok(()) => self.breaks,
            Err(FramingError::Malformed) => Some(TransportFailure::MalformedFraming),
            Err(
                FramingError::FrameTooLarge { .. }
                | FramingError::PendingTooLarge { .. }
                | FramingError::BodyTooLarge { .. },
            ) => Some(TransportFailure::TooLarge),
        };
        inputs.push(broken.map_or(Input::End, Input::Failed));
        inputs
    }

    fn body_inputs(
        &self,
        wish: FramingWish,
        pieces: &[&[u8]],
        inputs: &mut Vec<Input>,
    ) -> Result<(), FramingError> {
        let Some(mut decoder) = self.decoder(wish) else { return Ok(()) };
        for piece in pieces {
            let mut frames = Vec::new();
            let pushed = decoder.push(piece, &mut frames);
            if !frames.is_empty() {
                inputs.push(Input::Frames(frames));
            }
            pushed?;
        }
        if self.breaks.is_none()
            && let Some(last) = decoder.finish()?
        {
            inputs.push(Input::Frames(vec![last]));
        }
        Ok(())
    }

    fn decoder(&self, wish: FramingWish) -> Option<Decoder> {
        let limits = Limits::default();
        if !(200..300).contains(&self.status) {
            return Some(Decoder::for_failure(limits));
        }
        let framing = match wish {
            FramingWish::Whole => Framing::Whole,
            FramingWish::Sse => Framing::Sse,
            FramingWish::Ndjson => Framing::Ndjson,
            FramingWish::ByContentType => Framing::of(self.header("content-type")),
            FramingWish::Discard => return None,
        };
        Some(Decoder::new(framing, limits))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_may_have_either_line_end_and_a_body_any_bytes() {
        let expected = Recording {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: b"\r\n\xFF\n".to_vec(),
            breaks: None,
        };
        for head in [
            "HTTP/1.1 200 OK\nContent-Type: text/plain\n\n",
            "HTTP/2 200\r\nContent-Type:text/plain\r\n\r\n",
        ] {
            let recording = Recording::parse(&[head.as_bytes(), b"\r\n\xFF\n"].concat());

            assert_eq!(recording.as_ref(), Some(&expected));
        }
    }

    #[test]
    fn what_is_no_response_is_none() {
        for text in ["", "HTTP/1.1 200 OK", "HTTP/1.1 OK\n\n", "200 OK\n\n", "HTTP/1.1 200\nx\n\n"]
        {
            assert_eq!(Recording::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
