//! What stands in a message.

use crate::{BlobRef, Content, FunctionDef, ToolCall, ToolContent, ToolResult};

/// The parameters of a function that takes none.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

impl Content {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Image(_)
            | Self::Audio(_)
            | Self::Document(_)
            | Self::ToolCall(_)
            | Self::ToolResult(_)
            | Self::Reasoning(_)
            | Self::Other(_) => None,
        }
    }

    /// Picture, sound or file, with the word for which it is: `image`, `audio`, `document`.
    pub fn blob(&self) -> Option<(&'static str, &BlobRef)> {
        match self {
            Self::Image(blob) => Some(("image", blob)),
            Self::Audio(blob) => Some(("audio", blob)),
            Self::Document(blob) => Some(("document", blob)),
            Self::Text(_)
            | Self::ToolCall(_)
            | Self::ToolResult(_)
            | Self::Reasoning(_)
            | Self::Other(_) => None,
        }
    }
}

impl ToolCall {
    /// Its arguments as a JSON object, for vendors that want no text; none are an empty object.
    pub fn arguments_object(&self) -> &str {
        if self.arguments.trim().is_empty() { "{}" } else { &self.arguments }
    }
}

impl ToolResult {
    /// What can be read of it, one after the other, for vendors that want a text; a vendor's own part as its JSON.
    pub fn text(&self) -> String {
        let texts = self.content.iter().filter_map(|part| match part {
            ToolContent::Text(text) => Some(text.as_str()),
            ToolContent::Other(own) => Some(own.value.as_str()),
            ToolContent::Image(_) => None,
        });
        texts.collect()
    }

    /// The pictures in it.
    pub fn images(&self) -> impl Iterator<Item = &BlobRef> {
        self.content.iter().filter_map(|part| match part {
            ToolContent::Image(blob) => Some(blob),
            ToolContent::Text(_) | ToolContent::Other(_) => None,
        })
    }
}

impl FunctionDef {
    /// The schema of its parameters, for vendors that want one; of none it is that of an empty object.
    pub fn schema(&self) -> &str {
        if self.parameters.is_empty() { NO_PARAMETERS } else { &self.parameters }
    }
}
