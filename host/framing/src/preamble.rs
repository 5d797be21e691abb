//! The first bytes of a body: drops a byte order mark, refuses what cannot be text.

use crate::FramingError;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
/// gzip and both UTF-16 marks. None of them can begin a UTF-8 text, so none is refused by mistake.
const NOT_TEXT: [[u8; 2]; 3] = [[0x1F, 0x8B], [0xFE, 0xFF], [0xFF, 0xFE]];

/// Holds at most two bytes until it is clear what they begin.
#[derive(Debug, Default)]
pub(crate) struct Preamble {
    held: [u8; 3],
    len: usize,
    over: bool,
}

/// What becomes of a piece at the start of a body.
pub(crate) struct Opening<'a> {
    /// Bytes held back earlier that turned out to be content, to be taken first.
    pub(crate) held: &'a [u8],
    /// How many bytes of the piece belong to the preamble.
    pub(crate) taken: usize,
}

impl Preamble {
    /// Looks at the next bytes of the body.
    pub(crate) fn admit(&mut self, piece: &[u8]) -> Result<Opening<'_>, FramingError> {
        let mut taken = 0;
        for &byte in piece {
            if self.over {
                break;
            }
            self.held[self.len] = byte;
            self.len += 1;
            taken += 1;
            let seen = &self.held[..self.len];
            if NOT_TEXT.iter().any(|mark| mark == seen) {
                return Err(FramingError::Malformed);
            }
            if seen == BYTE_ORDER_MARK {
                self.over = true;
                return Ok(Opening { held: &[], taken });
            }
            let may_go_on = BYTE_ORDER_MARK.starts_with(seen)
                || NOT_TEXT.iter().any(|mark| mark.starts_with(seen));
            if !may_go_on {
                self.over = true;
                return Ok(Opening { held: &self.held[..self.len], taken });
            }
        }
        Ok(Opening { held: &[], taken })
    }

    /// Whether the preamble is behind us.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// What is still held back when the body ends.
    pub(crate) fn rest(&self) -> &[u8] {
        if self.over { &[] } else { &self.held[..self.len] }
    }
}
