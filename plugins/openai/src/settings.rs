//! What an operator, or a preset, may set.

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_sdk::{AuthScheme, Request};

/// Quirks of a vendor. The defaults suit OpenAI and most others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one quirk that a preset switches")]
pub struct Settings {
    /// What the limit of output tokens is called.
    pub max_tokens_field: MaxTokensField,
    /// Whether a stream is asked for usage; a few vendors refuse `stream_options`.
    pub stream_usage: bool,
    /// Whether the role `developer` is known; where it is not, such messages go as `system`.
    pub developer_role: bool,
    /// Whether the model's earlier reasoning is sent back, as `reasoning_content`.
    pub send_reasoning: bool,
    /// Whether the pseudonym of the user is sent; a few vendors refuse `user`.
    pub send_user: bool,
    /// How the key is sent.
    pub auth: AuthScheme,
    /// Added to the address, such as Azure's `api-version`.
    pub query: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_tokens_field: MaxTokensField::default(),
            stream_usage: true,
            developer_role: true,
            send_reasoning: false,
            send_user: true,
            auth: AuthScheme::default(),
            query: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// A request the way the vendor wants it.
    pub(crate) fn send(&self, request: Request) -> Request {
        request.auth(self.auth).queries(&self.query)
    }
}

/// Name of the limit of output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// The name every vendor knows, but for OpenAI's reasoning models.
    #[default]
    MaxTokens,
    /// The name those ask for.
    MaxCompletionTokens,
}

impl MaxTokensField {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}
