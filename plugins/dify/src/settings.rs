//! What an operator may set.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What an app is told with each question.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Values of the app's variables. A client's own count more.
    pub inputs: Map<String, Value>,
    /// The variable that takes the system prompt. Without one it is put before the first question of a conversation.
    pub system_prompt_input: Option<String>,
}
