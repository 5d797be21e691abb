//! One JSON text a line. The JSON itself is not looked at.

use memchr::memchr;

use crate::{Frame, FramingError, Limits, line::Line};

/// Cuts at line feeds; blank lines are no frames.
#[derive(Debug)]
pub(crate) struct Ndjson {
    limits: Limits,
    line: Line,
}

impl Ndjson {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, line: Line::default() }
    }

    pub(crate) fn push(
        &mut self,
        mut piece: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), FramingError> {
        while let Some(end) = memchr(b'\n', piece) {
            self.check_pending(end)?;
            let limits = self.limits;
            let line = self.line.complete(&piece[..end], |line| frame(line, limits))?;
            frames.extend(line);
            piece = &piece[end + 1..];
        }
        self.check_pending(piece.len())?;
        self.line.hold(piece);
        Ok(())
    }

    /// The last line counts without its line feed.
    pub(crate) fn finish(self) -> Result<Option<Frame>, FramingError> {
        frame(&self.line.into_bytes(), self.limits)
    }

    /// Bytes allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.line.capacity()
    }

    fn check_pending(&self, more: usize) -> Result<(), FramingError> {
        if self.line.len().saturating_add(more) > self.limits.pending {
            return Err(FramingError::PendingTooLarge { limit: self.limits.pending });
        }
        Ok(())
    }
}

fn frame(line: &[u8], limits: Limits) -> Result<Option<Frame>, FramingError> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let frame = Frame::of(line.to_vec());
    if frame.data.len() > limits.frame {
        return Err(FramingError::FrameTooLarge { limit: limits.frame });
    }
    Ok(Some(frame))
}

#[cfg(test)]
mod tests {
    use crate::{Decoder, Framing, FramingError, Limits};

    fn cut(body: &str, limits: Limits) -> Result<Vec<String>, FramingError> {
        let mut decoder = Decoder::new(Framing::Ndjson, limits);
        let mut frames = Vec::new();
        decoder.push(body.as_bytes(), &mut frames)?;
        frames.extend(decoder.finish()?);
        Ok(frames.into_iter().map(|frame| frame.data).collect())
    }

    #[test]
    fn blank_lines_are_skipped_and_line_ends_may_be_crlf() {
        let frames = cut("{\"a\":1}\r\n\n  \n{\"b\":2}\n", Limits::default());

        assert_eq!(frames.unwrap(), [r#"{"a":1}"#, r#"{"b":2}"#]);
    }

    #[test]
    fn the_last_line_counts_without_a_line_feed() {
        assert_eq!(cut("{}\n[]", Limits::default()).unwrap(), ["{}", "[]"]);
    }

    #[test]
    fn a_line_over_the_limit_is_an_error() {
        let frame = Limits { frame: 4, ..Limits::default() };
        let pending = Limits { pending: 4, ..Limits::default() };

        assert_eq!(cut("12345\n", frame), Err(FramingError::FrameTooLarge { limit: 4 }));
        assert_eq!(cut("12345", frame), Err(FramingError::FrameTooLarge { limit: 4 }));
        assert_eq!(cut("12345\n", pending), Err(FramingError::PendingTooLarge { limit: 4 }));
        assert_eq!(cut("12345", pending), Err(FramingError::PendingTooLarge { limit: 4 }));
    }
}
