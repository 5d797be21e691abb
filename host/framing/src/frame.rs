//! One frame, and how bytes become its text.

/// One frame of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Event name, where the framing has such a thing and the upstream gave one.
    pub event: Option<String>,
    /// The frame's text. Broken UTF-8 was replaced by U+FFFD.
    pub data: String,
}

impl Frame {
    /// A frame without an event name.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { event: None, data: text(bytes) }
    }
}

/// Bytes as text; copies only when something has to be replaced.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}
