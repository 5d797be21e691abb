//! The decoder that callers hold: preamble, total size and poisoning are the same for every framing.

use crate::{
    Frame, Framing, FramingError, Limits,
    ndjson::Ndjson,
    preamble::{Opening, Preamble},
    sse::Sse,
    whole::{Failure, Whole},
};

/// Cuts one body into frames.
#[derive(Debug)]
pub struct Decoder {
    cutter: Cutter,
    preamble: Preamble,
    /// Bytes that may still come.
    left: u64,
    total: u64,
    failed: Option<FramingError>,
}

#[derive(Debug)]
enum Cutter {
    Sse(Sse),
    Ndjson(Ndjson),
    Whole(Whole),
    Failure(Failure),
}

impl Decoder {
    /// A decoder for the body of a response that went well.
    pub fn new(framing: Framing, limits: Limits) -> Self {
        let cutter = match framing {
            Framing::Sse => Cutter::Sse(Sse::new(limits)),
            Framing::Ndjson => Cutter::Ndjson(Ndjson::new(limits)),
            Framing::Whole => Cutter::Whole(Whole::new(limits)),
        };
        Self::with(cutter, limits.total)
    }

    /// A decoder for the body of a response that did not: one frame, cut at [`Limits::failure`], and never an error.
    pub fn for_failure(limits: Limits) -> Self {
        Self::with(Cutter::Failure(Failure::new(limits)), u64::MAX)
    }

    fn with(cutter: Cutter, total: u64) -> Self {
        Self { cutter, preamble: Preamble::default(), left: total, total, failed: None }
    }

    /// Takes the next bytes of the body and appends the frames they completed.
    ///
    /// Frames appended before an error are good. After an error every call returns it again.
    pub fn push(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.admit(piece, frames);
        self.failed = outcome.err();
        outcome
    }

    /// Ends the body and returns its last frame, where the framing allows one without a border.
    ///
    /// An event stream does not: what came after its last blank line is dropped, as the standard has it.
    pub fn finish(mut self) -> Result<Option<Frame>, FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let held = self.preamble.rest().to_vec();
        self.cut(&held, &mut Vec::new())?;
        match self.cutter {
            Cutter::Sse(_) => Ok(None),
            Cutter::Ndjson(ndjson) => ndjson.finish(),
            Cutter::Whole(whole) => whole.finish().map(Some),
            Cutter::Failure(failure) => Ok(Some(failure.finish())),
        }
    }

    /// Whether more bytes can change anything; false once a failure's body is full or an error was returned.
    pub fn wants_more(&self) -> bool {
        let room = match &self.cutter {
            Cutter::Failure(failure) => failure.wants_more(),
            Cutter::Sse(_) | Cutter::Ndjson(_) | Cutter::Whole(_) => true,
        };
        room && self.failed.is_none()
    }

    /// Memory allocated for what has not become a frame yet, in bytes.
    pub fn allocated(&self) -> usize {
        match &self.cutter {
            Cutter::Sse(sse) => sse.allocated(),
            Cutter::Ndjson(ndjson) => ndjson.allocated(),
            Cutter::Whole(whole) => whole.allocated(),
            Cutter::Failure(failure) => failure.allocated(),
        }
    }

    fn admit(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), FramingError> {
        // What fits is still cut, so that the frames before the limit do not depend on the pieces.
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let fits = &piece[..piece.len().min(room)];
        self.left -= fits.len() as u64;
        self.open(fits, frames)?;
        if fits.len() < piece.len() {
            return Err(FramingError::BodyTooLarge { limit: self.total });
        }
        Ok(())
    }

    fn open(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), FramingError> {
        if self.preamble.is_over() || matches!(self.cutter, Cutter::Failure(_)) {
            return self.cut(piece, frames);
        }
        let Opening { held, taken } = self.preamble.admit(piece)?;
        let (held, rest) = (held.to_vec(), &piece[taken..]);
        self.cut(&held, frames)?;
        self.cut(rest, frames)
    }

    fn cut(&mut self, piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), FramingError> {
        match &mut self.cutter {
            Cutter::Sse(sse) => sse.push(piece, frames),
            Cutter::Ndjson(ndjson) => ndjson.push(piece, frames),
            Cutter::Whole(whole) => whole.push(piece),
            Cutter::Failure(failure) => {
                failure.push(piece);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
