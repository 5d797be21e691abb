//! From the forms of a case to what the sandbox is asked and told. No decisions.

use serde_json::{Map, Value};
use sluice_chat::exchange::{self, Field, Head};
use sluice_chat::request as ours;
use sluice_sandbox::Input;
use sluice_testkit as testkit;
use sluice_testkit::{
    Blob, Chat, Content, Format, Function, Message, Part, Role, SchemaFormat, Tool, ToolChoice,
    ToolContent, TransportFailure,
};

/// The question of a case.
pub(super) fn chat(chat: &Chat) -> ours::ChatRequest {
    let Chat {
        model,
        messages,
        tools,
        tool_choice,
        temperature,
        top_p,
        max_output_tokens,
        stop,
        seed,
        format,
        stream,
        user,
        extras,
    } = chat;
    ours::ChatRequest {
        model: model.clone(),
        messages: messages.iter().map(message).collect(),
        tools: tools.iter().map(tool).collect(),
        tool_choice: match tool_choice {
            ToolChoice::Auto => ours::ToolChoice::Auto,
            ToolChoice::None => ours::ToolChoice::None,
            ToolChoice::Required => ours::ToolChoice::Required,
            ToolChoice::Named(name) => ours::ToolChoice::Named(name.clone()),
        },
        temperature: *temperature,
        top_p: *top_p,
        max_output_tokens: *max_output_tokens,
        stop: stop.clone(),
        seed: *seed,
        format: match format {
            Format::Text => ours::OutputFormat::Text,
            Format::JsonObject => ours::OutputFormat::JsonObject,
            Format::JsonSchema(SchemaFormat { name, schema, strict }) => {
                ours::OutputFormat::JsonSchema(ours::SchemaFormat {
                    name: name.clone(),
                    schema: schema.to_string(),
                    strict: *strict,
                })
            }
        },
        stream: *stream,
        user: user.clone(),
        extras: extras_of(extras),
    }
}

fn message(message: &Message) -> ours::Message {
    let Message { role, name, text, parts, extras } = message;
    let short = text
        .iter()
        .map(|text| ours::Part { content: ours::Content::Text(text.clone()), extras: Vec::new() });
    ours::Message {
        role: match role {
            Role::System => ours::Role::System,
            Role::Developer => ours::Role::Developer,
            Role::User => ours::Role::User,
            Role::Assistant => ours::Role::Assistant,
            Role::Tool => ours::Role::Tool,
        },
        name: name.clone(),
        parts: short.chain(parts.iter().map(part)).collect(),
        extras: extras_of(extras),
    }
}

fn part(part: &Part) -> ours::Part {
    let content = match &part.content {
        Content::Text(text) => ours::Content::Text(text.clone()),
        Content::Image(image) => ours::Content::Image(blob(image)),
        Content::Audio(audio) => ours::Content::Audio(blob(audio)),
        Content::Document(document) => ours::Content::Document(blob(document)),
        Content::ToolCall { id, name, arguments, extras } => {
            ours::Content::ToolCall(ours::ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
                extras: extras_of(extras),
            })
        }
        Content::ToolResult { id, name, content, is_error } => {
            ours::Content::ToolResult(ours::ToolResult {
                id: id.clone(),
                name: name.clone(),
                content: content.iter().map(tool_content).collect(),
                is_error: *is_error,
            })
        }
        Content::Reasoning { text, signature } => ours::Content::Reasoning(ours::Reasoning {
            text: text.clone(),
            signature: signature.clone(),
        }),
        Content::Other { key, value } => ours::Content::Other(extra(key, value)),
    };
    ours::Part { content, extras: extras_of(&part.extras) }
}

fn tool_content(content: &ToolContent) -> ours::ToolContent {
    match content {
        ToolContent::Text(text) => ours::ToolContent::Text(text.clone()),
        ToolContent::Image(image) => ours::ToolContent::Image(blob(image)),
        ToolContent::Other { key, value } => ours::ToolContent::Other(extra(key, value)),
    }
}

fn blob(blob: &Blob) -> ours::BlobRef {
    let Blob { id, media_type, size, url, name } = blob.clone();
    ours::BlobRef { id, media_type, size, url, name }
}

fn tool(tool: &Tool) -> ours::ToolDef {
    match tool {
        Tool::Function(Function { name, description, parameters, extras }) => {
            ours::ToolDef::Function(ours::FunctionDef {
                name: name.clone(),
                description: description.clone(),
                parameters: parameters.to_string(),
                extras: extras_of(extras),
            })
        }
        Tool::Vendor(tool) => ours::ToolDef::Vendor(tool.to_string()),
    }
}

fn extras_of(extras: &Map<String, Value>) -> Vec<ours::Extra> {
    extras.iter().map(|(key, value)| extra(key, value)).collect()
}

fn extra(key: &str, value: &Value) -> ours::Extra {
    ours::Extra { key: key.to_owned(), value: value.to_string() }
}

/// What came of an exchange.
pub(super) fn input(input: &testkit::Input) -> Input {
    match input {
        testkit::Input::Head { status, headers } => {
            let field = |(name, value): &(String, String)| Field {
                name: name.clone(),
                value: value.clone(),
            };
            Input::Head(Head { status: *status, headers: headers.iter().map(field).collect() })
        }
        testkit::Input::Frames(frames) => {
            let frames = frames.iter().map(|frame| exchange::Frame {
                event: frame.event.clone(),
                data: frame.data.clone(),
            });
            Input::Frames(frames.collect())
        }
        testkit::Input::End => Input::End,
        testkit::Input::Failed(failure) => Input::Failed(match failure {
            TransportFailure::Connect => exchange::TransportFailure::Connect,
            TransportFailure::Tls => exchange::TransportFailure::Tls,
            TransportFailure::Timeout => exchange::TransportFailure::Timeout,
            TransportFailure::Reset => exchange::TransportFailure::Reset,
            TransportFailure::TooLarge => exchange::TransportFailure::TooLarge,
            TransportFailure::Blocked => exchange::TransportFailure::Blocked,
            TransportFailure::MalformedFraming => exchange::TransportFailure::MalformedFraming,
        }),
        testkit::Input::Woken => Input::Woken,
    }
}
