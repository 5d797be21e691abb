//! The chat of a case, in the form that the table `[chat]` of `case.toml` holds. Mirrors the contract, with short ways to write
//! what is common.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is asked.
///
/// ```toml
/// [chat]
/// model = "acme-1"
/// temperature = 0.2
/// messages = [
///     { role = "system", text = "Be kind." },
///     { role = "user", parts = [{ text = "What is this?" }, { image = { id = "b1", media_type = "image/png" } }] },
/// ]
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// Model as the upstream knows it.
    pub model: String,
    /// The conversation.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Tools on offer.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Whether they are to be used.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// Sampling.
    pub temperature: Option<f64>,
    /// Sampling.
    pub top_p: Option<f64>,
    /// Limit of the answer.
    pub max_output_tokens: Option<u32>,
    /// Words to stop at.
    #[serde(default)]
    pub stop: Vec<String>,
    /// For repeatable answers.
    pub seed: Option<i64>,
    /// Shape of the answer.
    #[serde(default)]
    pub format: Format,
    /// Whether the answer is to come in pieces; it is, unless the case says no.
    #[serde(default = "yes")]
    pub stream: bool,
    /// Pseudonym of the user.
    pub user: Option<String>,
    /// What the client sent beside it.
    #[serde(default)]
    pub extras: Map<String, Value>,
}

fn yes() -> bool {
    true
}

/// One message.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who it is from.
    pub role: Role,
    /// Name of the speaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Short for a first part of this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Vendor fields.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extras: Map<String, Value>,
}

impl Message {
    /// With its only part as [`text`](Self::text), where that is one of plain text: as an author would write it.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let is_plain = matches!(&self.parts[..], [Part { content: Content::Text(_), extras }] if extras.is_empty());
        if self.text.is_none()
            && is_plain
            && let Some(Part { content: Content::Text(text), .. }) = self.parts.pop()
        {
            self.text = Some(text);
        }
        self
    }
}

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator.
    System,
    /// The application.
    Developer,
    /// The human.
    User,
    /// The model.
    Assistant,
    /// A tool.
    Tool,
}

/// One part: `{ text = "…" }`, `{ image = {…}, extras = {…} }`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Part {
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
    /// Vendor fields.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extras: Map<String, Value>,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Blob),
    /// Sound.
    Audio(Blob),
    /// A file.
    Document(Blob),
    /// A tool the model wants run.
    ToolCall {
        /// Its id.
        id: String,
        /// Function name.
        name: String,
        /// JSON text.
        arguments: String,
        /// Vendor fields.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        extras: Map<String, Value>,
    },
    /// What a tool gave back.
    ToolResult {
        /// Id of the call.
        id: String,
        /// Function name.
        name: String,
        /// Its parts.
        content: Vec<ToolContent>,
        /// Whether the tool failed.
        #[serde(default)]
        is_error: bool,
    },
    /// What the model thought.
    Reasoning {
        /// Readable part.
        text: String,
        /// Opaque token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// A vendor's own part.
    Other {
        /// Its name.
        key: String,
        /// Its value.
        value: Value,
    },
}

/// A part of a tool's result.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolContent {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Blob),
    /// A vendor's own part.
    Other {
        /// Its name.
        key: String,
        /// Its value.
        value: Value,
    },
}

/// Bytes that the host would hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Name within the chat.
    pub id: String,
    /// MIME type.
    pub media_type: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// File name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A tool on offer: `{ function = {…} }` or `{ vendor = {…} }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Run by the client.
    Function(Function),
    /// Run by the vendor.
    Vendor(Value),
}

/// A function of the client's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON schema of its arguments.
    pub parameters: Value,
    /// Vendor fields.
    #[serde(default)]
    pub extras: Map<String, Value>,
}

/// Whether tools are to be used: `"auto"`, `"none"`, `"required"`, `{ named = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// No.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// Shape of the answer: `"text"`, `"json_object"`, `{ json_schema = {…} }`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Any text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema(SchemaFormat),
}

/// A schema to answer by.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaFormat {
    /// Its name.
    pub name: Option<String>,
    /// JSON schema.
    pub schema: Value,
    /// Whether the answer must fit.
    pub strict: Option<bool>,
}
