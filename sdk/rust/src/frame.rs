//! Reading a frame.

use serde::Deserialize;

use crate::{Error, Frame};

impl Frame {
    /// The frame's text read as JSON; what cannot be read is a protocol error.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        read_json(&self.data)
    }

    /// What the frame tells, read as JSON. None for one without data, which keeps the connection alive; an event that is named
    /// `error` is the error it tells.
    ///
    /// ```
    /// use serde_json::Value;
    /// use sluice_sdk::{ErrorKind, Frame};
    ///
    /// let frame = |event: Option<&str>, data: &str| Frame { event: event.map(str::to_owned), data: data.to_owned() };
    /// assert_eq!(frame(Some("ping"), "").told::<Value>()?, None);
    /// assert_eq!(frame(None, "1").told::<Value>()?, Some(Value::from(1)));
    /// let error = frame(Some("error"), r#"{"error":{"type":"overloaded_error"}}"#).told::<Value>();
    /// assert_eq!(error.unwrap_err().kind, ErrorKind::Overloaded);
    /// # Ok::<(), sluice_sdk::Error>(())
    /// ```
    pub fn told<'a, T: Deserialize<'a>>(&'a self) -> Result<Option<T>, Error> {
        match (self.event.as_deref(), self.data.trim()) {
            (Some("error"), told) => Err(Error::told_in_stream(told)),
            (_, "") => Ok(None),
            (_, _) => self.json().map(Some),
        }
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
