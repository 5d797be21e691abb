//! The body as one frame.

use crate::{Frame, FramingError, Limits, frame::text};

/// Collects a body that must not be larger than one frame.
#[derive(Debug)]
pub(crate) struct Whole {
    limits: Limits,
    body: Vec<u8>,
}

impl Whole {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, body: Vec::new() }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), FramingError> {
        if piece.len() > self.limits.frame.saturating_sub(self.body.len()) {
            return Err(FramingError::FrameTooLarge { limit: self.limits.frame });
        }
        self.body.extend_from_slice(piece);
        Ok(())
    }

    /// Always one frame, even of an empty body.
    pub(crate) fn finish(self) -> Result<Frame, FramingError> {
        let frame = Frame::of(self.body);
        if frame.data.len() > self.limits.frame {
            return Err(FramingError::FrameTooLarge { limit: self.limits.frame });
        }
        Ok(frame)
    }

    /// Bytes allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.body.capacity()
    }
}

/// Collects the beginning of a failed response's body. Never an error: whatever can be read helps whoever reads the log.
#[derive(Debug)]
pub(crate) struct Failure {
    limit: usize,
    body: Vec<u8>,
    /// Something was dropped.
    cut: bool,
}

impl Failure {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limit: limits.failure, body: Vec::new(), cut: false }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        let room = self.limit - self.body.len();
        self.cut |= piece.len() > room;
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// Whether more bytes would change the frame.
    pub(crate) fn wants_more(&self) -> bool {
        self.body.len() < self.limit
    }

    pub(crate) fn finish(mut self) -> Frame {
        if self.cut {
            // A code point that the limit cut in two is dropped, not replaced.
            let whole = match std::str::from_utf8(&self.body) {
                Err(broken) if broken.error_len().is_none() => broken.valid_up_to(),
                Ok(_) | Err(_) => self.body.len(),
            };
            self.body.truncate(whole);
        }
        let mut data = text(self.body);
        if data.len() > self.limit {
            // Replacements are longer than what they replace.
            data.truncate(data.floor_char_boundary(self.limit));
        }
        Frame { event: None, data }
    }

    /// Bytes allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.body.capacity()
    }
}
