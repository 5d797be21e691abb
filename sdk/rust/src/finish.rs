//! Reasons to end, by the words that vendors have agreed on.

use crate::FinishReason;

/// `stop`, `length`, `tool_calls` (`function_call`), `content_filter`; any other word is kept as it is.
impl From<&str> for FinishReason {
    fn from(word: &str) -> Self {
        match word {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "tool_calls" | "function_call" => Self::ToolCalls,
            "content_filter" => Self::ContentFilter,
            other => Self::Other(other.to_owned()),
        }
    }
}
