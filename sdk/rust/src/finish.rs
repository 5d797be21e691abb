//! Reasons to end, by the words that vendors use.

use crate::FinishReason;

/// What vendors call the ends that the contract has a name for; any other word is kept as it is.
///
/// ```
/// use sluice_sdk::FinishReason;
///
/// assert_eq!(FinishReason::from("end_turn"), FinishReason::Stop);
/// assert_eq!(FinishReason::from("pause_turn"), FinishReason::Other("pause_turn".to_owned()));
/// ```
impl From<&str> for FinishReason {
    fn from(word: &str) -> Self {
        match word {
            "stop" | "end_turn" | "stop_sequence" => Self::Stop,
            "length" | "model_length" | "max_tokens" | "model_context_window_exceeded" => {
                Self::Length
            }
            "tool_calls" | "function_call" | "tool_use" => Self::ToolCalls,
            "content_filter" | "refusal" => Self::ContentFilter,
            other => Self::Other(other.to_owned()),
        }
    }
}
