//! The unfinished line between two pieces.

/// What a buffer may keep allocated once it is empty, in bytes.
const KEPT: usize = 16 << 10;

/// The beginning of a line whose end has not arrived.
#[derive(Debug, Default)]
pub(crate) struct Line(Vec<u8>);

impl Line {
    /// Keeps the beginning of a line for later.
    pub(crate) fn hold(&mut self, start: &[u8]) {
        self.0.extend_from_slice(start);
    }

    /// Runs `take` on the complete line; copies only when its beginning came in an earlier piece.
    pub(crate) fn complete<T>(&mut self, end: &[u8], take: impl FnOnce(&[u8]) -> T) -> T {
        if self.0.is_empty() {
            return take(end);
        }
        self.0.extend_from_slice(end);
        let taken = take(&self.0);
        self.0.clear();
        self.0.shrink_to(KEPT);
        taken
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes allocated.
    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// The line as it stands when the body ends.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
