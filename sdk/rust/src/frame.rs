//! Reading a frame.

use serde::Deserialize;

use crate::{Error, Frame};

impl Frame {
    /// The frame's text read as JSON; what cannot be read is a protocol error.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_str(&self.data).map_err(|error| {
            // Where, not what: the upstream's text may be anything.
            Error::protocol(format!(
                "unreadable frame, {:?} at column {} of {} bytes",
                error.classify(),
                error.column(),
                self.data.len()
            ))
        })
    }
}
