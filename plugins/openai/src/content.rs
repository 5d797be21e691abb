//! Content as text or as a list of parts.
//!
//! Read by hand: what serde derives for two shapes keeps a copy of every value, on the path of each word of an answer.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

/// Text, or Mistral's list of parts.
#[derive(Debug, PartialEq)]
pub(crate) enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

/// A part of a list; what is neither text nor thought is not read.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct ContentPart {
    pub(crate) text: Option<String>,
    pub(crate) thinking: Option<Content>,
}

impl Content {
    /// Its text, the parts of a list one after the other.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Content;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text or a list of parts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        Ok(Content::Parts(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_lists_of_parts_are_read_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Option<Content>>(json).ok();

        assert_eq!(read("null"), Some(None));
        assert_eq!(read(r#""a\n""#), Some(Some(Content::Text("a\n".to_owned()))));
        let parts = read(r#"[{"type":"text","text":"a"},{"type":"image"},{"text":"b"}]"#);
        assert_eq!(parts.flatten().map(Content::into_text).as_deref(), Some("ab"));
        assert_eq!(read("{}"), None);
        assert_eq!(read("[1]"), None);
    }
}
