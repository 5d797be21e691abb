//! What a model says, as text or as a list of parts.
//!
//! Read by hand: what serde derives for two shapes keeps a copy of every value, on the path of each word of an answer.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

/// Text, or a list of parts, of which some are thoughts. Most vendors send the one, some the other, some either.
///
/// ```
/// use sluice_sdk::{Events, TextOrParts};
///
/// let mut events = Events::new();
/// for content in [r#""Hi""#, r#"[{"type":"text","text":" there"}]"#] {
///     events.content(serde_json::from_str::<TextOrParts>(content)?);
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
pub enum TextOrParts {
    /// Text alone.
    Text(String),
    /// Parts in order.
    Parts(Vec<SaidPart>),
}

/// A part of a list; what is neither text nor thought is not read.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct SaidPart {
    /// Part of the answer.
    pub text: Option<String>,
    /// Part of what was thought before it.
    pub thinking: Option<TextOrParts>,
}

impl TextOrParts {
    /// Its text, the parts of a list one after the other, without thoughts.
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for TextOrParts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = TextOrParts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text or a list of parts")
    }

    fn visit_str<E>(self, text: &str) -> Result<TextOrParts, E> {
        Ok(TextOrParts::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<TextOrParts, E> {
        Ok(TextOrParts::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TextOrParts, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        Ok(TextOrParts::Parts(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_lists_of_parts_are_read_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Option<TextOrParts>>(json).ok();

        assert_eq!(read("null"), Some(None));
        assert_eq!(read(r#""a\n""#), Some(Some(TextOrParts::Text("a\n".to_owned()))));
        let parts = read(r#"[{"type":"text","text":"a"},{"type":"image"},{"text":"b"}]"#);
        assert_eq!(parts.flatten().map(TextOrParts::into_text).as_deref(), Some("ab"));
        assert_eq!(read("{}"), None);
        assert_eq!(read("[1]"), None);
    }
}
