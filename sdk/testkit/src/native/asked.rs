//! From the forms of a case to the SDK's types.

use serde_json::{Map, Value};
use sluice_sdk as sdk;

use crate::{
    chat::{
        Blob, Chat, Content, Format, Function, Message, Part, Role, SchemaFormat, Tool, ToolChoice,
        ToolContent,
    },
    recording::TransportFailure,
    subject::Input,
};

pub(crate) fn chat(chat: &Chat) -> sdk::ChatRequest {
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
    sdk::ChatRequest {
        model: model.clone(),
        messages: messages.iter().map(message).collect(),
        tools: tools.iter().map(tool).collect(),
        tool_choice: match tool_choice {
            ToolChoice::Auto => sdk::ToolChoice::Auto,
            ToolChoice::None => sdk::ToolChoice::None,
            ToolChoice::Required => sdk::ToolChoice::Required,
            ToolChoice::Named(name) => sdk::ToolChoice::Named(name.clone()),
        },
        temperature: *temperature,
        top_p: *top_p,
        max_output_tokens: *max_output_tokens,
        stop: stop.clone(),
        seed: *seed,
        format: match format {
            Format::Text => sdk::OutputFormat::Text,
            Format::JsonObject => sdk::OutputFormat::JsonObject,
            Format::JsonSchema(SchemaFormat { name, schema, strict }) => {
                sdk::OutputFormat::JsonSchema(sdk::SchemaFormat {
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

fn message(message: &Message) -> sdk::Message {
    let Message { role, name, text, parts, extras } = message;
    let short = text
        .iter()
        .map(|text| sdk::Part { content: sdk::Content::Text(text.clone()), extras: Vec::new() });
    sdk::Message {
        role: match role {
            Role::System => sdk::Role::System,
            Role::Developer => sdk::Role::Developer,
            Role::User => sdk::Role::User,
            Role::Assistant => sdk::Role::Assistant,
            Role::Tool => sdk::Role::Tool,
        },
        name: name.clone(),
        parts: short.chain(parts.iter().map(part)).collect(),
        extras: extras_of(extras),
    }
}

fn part(part: &Part) -> sdk::Part {
    let content = match &part.content {
        Content::Text(text) => sdk::Content::Text(text.clone()),
        Content::Image(image) => sdk::Content::Image(blob(image)),
        Content::Audio(audio) => sdk::Content::Audio(blob(audio)),
        Content::Document(document) => sdk::Content::Document(blob(document)),
        Content::ToolCall { id, name, arguments, extras } => {
            sdk::Content::ToolCall(sdk::ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
                extras: extras_of(extras),
            })
        }
        Content::ToolResult { id, name, content, is_error } => {
            sdk::Content::ToolResult(sdk::ToolResult {
                id: id.clone(),
                name: name.clone(),
                content: content.iter().map(tool_content).collect(),
                is_error: *is_error,
            })
        }
        Content::Reasoning { text, signature } => sdk::Content::Reasoning(sdk::Reasoning {
            text: text.clone(),
            signature: signature.clone(),
        }),
        Content::Other { key, value } => sdk::Content::Other(extra(key, value)),
    };
    sdk::Part { content, extras: extras_of(&part.extras) }
}

fn tool_content(content: &ToolContent) -> sdk::ToolContent {
    match content {
        ToolContent::Text(text) => sdk::ToolContent::Text(text.clone()),
        ToolContent::Image(image) => sdk::ToolContent::Image(blob(image)),
        ToolContent::Other { key, value } => sdk::ToolContent::Other(extra(key, value)),
    }
}

fn blob(blob: &Blob) -> sdk::BlobRef {
    let Blob { id, media_type, size, url, name } = blob.clone();
    sdk::BlobRef { id, media_type, size, url, name }
}

fn tool(tool: &Tool) -> sdk::ToolDef {
    match tool {
        Tool::Function(Function { name, description, parameters, extras }) => {
            sdk::ToolDef::Function(sdk::FunctionDef {
                name: name.clone(),
                description: description.clone(),
                parameters: parameters.to_string(),
                extras: extras_of(extras),
            })
        }
        Tool::Vendor(tool) => sdk::ToolDef::Vendor(tool.to_string()),
    }
}

fn extras_of(extras: &Map<String, Value>) -> Vec<sdk::Extra> {
    extras.iter().map(|(key, value)| extra(key, value)).collect()
}

fn extra(key: &str, value: &Value) -> sdk::Extra {
    sdk::Extra { key: key.to_owned(), value: value.to_string() }
}

pub(crate) fn input(input: Input) -> sdk::Input {
    match input {
        Input::Head { status, headers } => {
            let field = |(name, value)| sdk::Field { name, value };
            sdk::Input::Head(sdk::Head {
                status,
                headers: headers.into_iter().map(field).collect(),
            })
        }
        Input::Frames(frames) => {
            let frame = |sluice_framing::Frame { event, data }| sdk::Frame { event, data };
            sdk::Input::Frames(frames.into_iter().map(frame).collect())
        }
        Input::End => sdk::Input::End,
        Input::Failed(failure) => sdk::Input::Failed(match failure {
            TransportFailure::Connect => sdk::TransportFailure::Connect,
            TransportFailure::Tls => sdk::TransportFailure::Tls,
            TransportFailure::Timeout => sdk::TransportFailure::Timeout,
            TransportFailure::Reset => sdk::TransportFailure::Reset,
            TransportFailure::TooLarge => sdk::TransportFailure::TooLarge,
            TransportFailure::Blocked => sdk::TransportFailure::Blocked,
            TransportFailure::MalformedFraming => sdk::TransportFailure::MalformedFraming,
        }),
        Input::Woken => sdk::Input::Woken,
    }
}
