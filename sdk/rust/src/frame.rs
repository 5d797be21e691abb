//! Reading a frame.

use serde::Deserialize;

use crate::{Error, Frame};

impl Frame {
    /// The frame's text read as JSON; what cannot be read is a protocol error.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        read_json(&self.data)
    }
}

/// What an upstream sent, read as JSON; what cannot be read is a protocol error.
pub fn read_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| {
        // Where, not what: the upstream's text may be anything.
        Error::protocol(format!(
            "unreadable frame, {:?} at column {} of {} bytes",
            error.classify(),
            error.column(),
            text.len()
        ))
    })
}
