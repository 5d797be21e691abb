//! Which way a body is cut.

/// How a body is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// The whole body is one frame.
    Whole,
    /// Server-sent events.
    Sse,
    /// One JSON text a line.
    Ndjson,
}

impl Framing {
    /// The framing that a content type announces; `Whole` when there is none or it is unknown.
    pub fn of(content_type: Option<&str>) -> Self {
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let is = |known: &str| essence.eq_ignore_ascii_case(known);
        if is("text/event-stream") {
            Self::Sse
        } else if NDJSON.into_iter().any(is) {
            Self::Ndjson
        } else {
            Self::Whole
        }
    }
}

/// No registered type exists, so each vendor has its own.
const NDJSON: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_of_a_content_type_do_not_matter() {
        assert_eq!(Framing::of(Some("Text/Event-Stream;charset=UTF-8")), Framing::Sse);
        assert_eq!(Framing::of(Some(" application/x-ndjson ")), Framing::Ndjson);
    }

    #[test]
    fn an_unknown_content_type_is_taken_whole() {
        for unknown in [None, Some(""), Some("application/json"), Some("text/event-streams")] {
            assert_eq!(Framing::of(unknown), Framing::Whole);
        }
    }
}
