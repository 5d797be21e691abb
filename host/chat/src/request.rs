//! What a provider is asked: one conversation in a vocabulary that belongs to no vendor.
//!
//! Mirrors the interface `chat` of the plugin contract (`sdk/wit`).

/// JSON text whose shape belongs to a third party.
pub type Json = String;

/// Something this vocabulary has no field for, carried through by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Top-level key it was found under.
    pub key: String,
    /// Its value.
    pub value: Json,
}

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the operator.
    System,
    /// Instructions of the application, where a vendor tells them apart.
    Developer,
    /// The human.
    User,
    /// The model.
    Assistant,
    /// The result of a tool.
    Tool,
}

/// Bytes held by the host; plugins see this description only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef {
    /// Name within the request.
    pub id: String,
    /// MIME type.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// HTTPS link that the upstream may fetch by itself.
    pub url: Option<String>,
    /// File name.
    pub name: Option<String>,
}

/// The model wants a tool run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Id that the result names.
    pub id: String,
    /// Function name.
    pub name: String,
    /// Arguments as the model wrote them.
    pub arguments: Json,
    /// Vendor fields.
    pub extras: Vec<Extra>,
}

/// A part of a tool's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolContent {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(BlobRef),
    /// A vendor's own part.
    Other(Extra),
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// Id of the call.
    pub id: String,
    /// Function name.
    pub name: String,
    /// Result.
    pub content: Vec<ToolContent>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// What the model thought before it spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasoning {
    /// Readable part.
    pub text: String,
    /// Opaque token that some vendors want back on the next turn.
    pub signature: Option<String>,
}

/// What a part of a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(BlobRef),
    /// Sound.
    Audio(BlobRef),
    /// A file to read.
    Document(BlobRef),
    /// A tool the model wants run.
    ToolCall(ToolCall),
    /// What a tool gave back.
    ToolResult(ToolResult),
    /// What the model thought.
    Reasoning(Reasoning),
    /// A vendor's own part, untouched.
    Other(Extra),
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Vendor fields of this part.
    pub extras: Vec<Extra>,
}

impl Part {
    /// Bytes of text in it, JSON of calls and vendors included.
    pub fn text_bytes(&self) -> usize {
        let bytes = |extra: &Extra| extra.value.len();
        let content = match &self.content {
            Content::Text(text) => text.len(),
            Content::Image(_) | Content::Audio(_) | Content::Document(_) => 0,
            Content::ToolCall(call) => {
                call.arguments.len() + call.extras.iter().map(bytes).sum::<usize>()
            }
            Content::ToolResult(result) => {
                let bytes = |content: &ToolContent| match content {
                    ToolContent::Text(text) => text.len(),
                    ToolContent::Image(_) => 0,
                    ToolContent::Other(extra) => bytes(extra),
                };
                result.content.iter().map(bytes).sum()
            }
            Content::Reasoning(thought) => thought.text.len(),
            Content::Other(extra) => bytes(extra),
        };
        content + self.extras.iter().map(bytes).sum::<usize>()
    }
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who it is from.
    pub role: Role,
    /// Name of the speaker, where several share a role.
    pub name: Option<String>,
    /// What was said.
    pub parts: Vec<Part>,
    /// Vendor fields of this message.
    pub extras: Vec<Extra>,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        let part = Part { content: Content::Text(text.into()), extras: Vec::new() };
        Self { role, name: None, parts: vec![part], extras: Vec::new() }
    }
}

/// A function the model may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDef {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON schema of its arguments.
    pub parameters: Json,
    /// Vendor fields.
    pub extras: Vec<Extra>,
}

/// A tool on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolDef {
    /// Run by the client.
    Function(FunctionDef),
    /// Run by the vendor, as the client wrote it.
    Vendor(Json),
}

/// Whether tools are to be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// As the model likes.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// JSON schema that the answer is to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFormat {
    /// Its name, where the vendor wants one.
    pub name: Option<String>,
    /// The schema.
    pub schema: Json,
    /// Whether the upstream is to enforce it.
    pub strict: Option<bool>,
}

/// Form of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// Free text.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema(SchemaFormat),
}

/// One question to a provider, whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatRequest {
    /// Model as the upstream knows it.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<ToolDef>,
    /// Whether to use them.
    pub tool_choice: ToolChoice,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Most tokens the answer may have.
    pub max_output_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Seed for sampling, where the upstream has it.
    pub seed: Option<i64>,
    /// Form of the answer.
    pub format: OutputFormat,
    /// Whether pieces are wanted as they come.
    pub stream: bool,
    /// Pseudonymous end-user id.
    pub user: Option<String>,
    /// What the client sent and this vocabulary does not name, by top-level key.
    pub extras: Vec<Extra>,
}

impl ChatRequest {
    /// Bytes of text in its messages, JSON of calls and vendors included.
    pub fn text_bytes(&self) -> usize {
        let bytes = |message: &Message| -> usize {
            let extras = message.extras.iter().map(|extra| extra.value.len());
            message.parts.iter().map(Part::text_bytes).chain(extras).sum()
        };
        self.messages.iter().map(bytes).sum()
    }
}
