//! Server-sent events, as the HTML standard cuts them. `id` and `retry` are read over: nothing here reconnects.

use memchr::{memchr, memchr2};

use crate::{Frame, FramingError, Limits, frame::text, line::Line};

/// Cuts an event stream. Each byte is looked at once, in whatever pieces they come.
#[derive(Debug)]
pub(crate) struct Sse {
    limits: Limits,
    line: Line,
    event: Vec<u8>,
    data: Vec<u8>,
    /// Bytes since the last blank line.
    block: usize,
    /// The last byte was a CR; a LF that follows belongs to it.
    after_cr: bool,
}

impl Sse {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            line: Line::default(),
            event: Vec::new(),
            data: Vec::new(),
            block: 0,
            after_cr: false,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut piece: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), FramingError> {
        if self.after_cr
            && let [first, rest @ ..] = piece
        {
            self.after_cr = false;
            if *first == b'\n' {
                piece = rest;
            }
        }
        while let Some(end) = memchr2(b'\n', b'\r', piece) {
            self.grow(end)?;
            let mut line = std::mem::take(&mut self.line);
            line.complete(&piece[..end], |line| self.take(line, frames))?;
            self.line = line;

            let is_cr = piece[end] == b'\r';
            piece = &piece[end + 1..];
            if is_cr {
                match piece {
                    [] => self.after_cr = true,
                    [b'\n', rest @ ..] => piece = rest,
                    [..] => {}
                }
            }
        }
        self.grow(piece.len())?;
        self.line.hold(piece);
        Ok(())
    }

    /// Bytes allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.line.capacity() + self.event.capacity() + self.data.capacity()
    }

    /// Counts bytes of the current block. Counted before they are kept, and by position rather than by piece, so that the
    /// cuts do not decide what is too large.
    fn grow(&mut self, bytes: usize) -> Result<(), FramingError> {
        self.block = self.block.saturating_add(bytes);
        if self.block > self.limits.pending {
            return Err(FramingError::PendingTooLarge { limit: self.limits.pending });
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8], frames: &mut Vec<Frame>) -> Result<(), FramingError> {
        if line.is_empty() {
            self.block = 0;
            return self.dispatch(frames);
        }
        let (name, value) = match memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                self.data.reserve(value.len() + 1);
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(value);
            }
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, frames: &mut Vec<Frame>) -> Result<(), FramingError> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        if data.pop().is_none() {
            return Ok(());
        }
        let data = text(data);
        let event = (!event.is_empty()).then(|| text(event));
        let size = data.len() + event.as_ref().map_or(0, String::len);
        if size > self.limits.frame {
            return Err(FramingError::FrameTooLarge { limit: self.limits.frame });
        }
        frames.push(Frame { event, data });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
