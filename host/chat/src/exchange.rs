//! An HTTP exchange as data: a plugin describes it, the gateway performs it.
//!
//! Mirrors the interface `http` of the plugin contract (`sdk/wit`). Nothing here is checked yet; `upstream` does that once, where
//! it turns a description into bytes.

/// Request method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

/// Which credential the gateway adds once the request is final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// None.
    None,
    /// The one of this name.
    Scheme(String),
}

/// A name with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// The base64 of a blob of the request.
    BlobBase64(String),
}

/// What a part of a form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormValue {
    /// Text as it is.
    Text(String),
    /// The bytes of a blob of the request.
    Blob(String),
}

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPart {
    /// Its name.
    pub name: String,
    /// What it was called as a file.
    pub file_name: Option<String>,
    /// What it is.
    pub media_type: Option<String>,
    /// What it holds.
    pub value: FormValue,
}

/// A request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// JSON text in pieces.
    Json(Vec<Piece>),
    /// A form, `multipart/form-data`.
    Form(Vec<FormPart>),
}

/// How a 2xx response is cut into frames. Any other status comes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One frame.
    Whole,
    /// Server-sent events.
    Sse,
    /// One JSON text a line.
    Ndjson,
    /// By the response's content type; whole when that is unknown.
    ByContentType,
    /// Not read.
    Discard,
}

/// What a plugin wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Name of an endpoint of the configuration.
    pub endpoint: String,
    /// Appended to the endpoint's base path.
    pub path: String,
    /// Query, unescaped.
    pub query: Vec<Field>,
    /// Headers.
    pub headers: Vec<Field>,
    /// Credential to add.
    pub auth: Auth,
    /// Body.
    pub body: Body,
    /// How to cut the response.
    pub framing: Framing,
    /// Until the first byte, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// May be sent again if the connection broke before any response.
    pub idempotent: bool,
}

/// Status and headers of a response, as far as plugins may see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<Field>,
}

impl Head {
    /// Whether the upstream took the request.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why an exchange broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportFailure {
    /// No connection.
    Connect,
    /// No agreement on TLS.
    Tls,
    /// A deadline passed.
    Timeout,
    /// The connection broke.
    Reset,
    /// A cap was passed.
    TooLarge,
    /// Not allowed by configuration.
    Blocked,
    /// The body is not what the framing says.
    MalformedFraming,
}

/// One frame of a response: what a plugin reads at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Event name, where the framing has one.
    pub event: Option<String>,
    /// Payload, valid UTF-8.
    pub data: String,
}
