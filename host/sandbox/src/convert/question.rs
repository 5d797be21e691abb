//! A question on its way to a guest.

use sluice_chat::request as ours;

use crate::contract::{chat, types};

/// A whole request, copied.
pub(crate) fn question(request: &ours::ChatRequest) -> chat::ChatRequest {
    chat::ChatRequest {
        model: request.model.clone(),
        messages: request.messages.iter().map(message).collect(),
        tools: request.tools.iter().map(tool_def).collect(),
        tool_choice: tool_choice(&request.tool_choice),
        temperature: request.temperature,
        top_p: request.top_p,
        max_output_tokens: request.max_output_tokens,
        stop: request.stop.clone(),
        seed: request.seed,
        format: format(&request.format),
        stream: request.stream,
        user: request.user.clone(),
        extras: extras(&request.extras),
    }
}

fn message(message: &ours::Message) -> chat::Message {
    chat::Message {
        role: role(message.role),
        name: message.name.clone(),
        parts: message.parts.iter().map(part).collect(),
        extras: extras(&message.extras),
    }
}

fn role(role: ours::Role) -> chat::Role {
    match role {
        ours::Role::System => chat::Role::System,
        ours::Role::Developer => chat::Role::Developer,
        ours::Role::User => chat::Role::User,
        ours::Role::Assistant => chat::Role::Assistant,
        ours::Role::Tool => chat::Role::Tool,
    }
}

fn part(part: &ours::Part) -> chat::Part {
    chat::Part { content: content(&part.content), extras: extras(&part.extras) }
}

fn content(content: &ours::Content) -> chat::Content {
    match content {
        ours::Content::Text(text) => chat::Content::Text(text.clone()),
        ours::Content::Image(image) => chat::Content::Image(blob(image)),
        ours::Content::Audio(audio) => chat::Content::Audio(blob(audio)),
        ours::Content::Document(document) => chat::Content::Document(blob(document)),
        ours::Content::ToolCall(call) => chat::Content::ToolCall(tool_call(call)),
        ours::Content::ToolResult(result) => chat::Content::ToolResult(tool_result(result)),
        ours::Content::Reasoning(thought) => chat::Content::Reasoning(reasoning(thought)),
        ours::Content::Other(other) => chat::Content::Other(extra(other)),
    }
}

fn blob(blob: &ours::BlobRef) -> chat::BlobRef {
    chat::BlobRef {
        id: blob.id.clone(),
        media_type: blob.media_type.clone(),
        size: blob.size,
        url: blob.url.clone(),
        name: blob.name.clone(),
    }
}

fn tool_call(call: &ours::ToolCall) -> chat::ToolCall {
    chat::ToolCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
        extras: extras(&call.extras),
    }
}

fn tool_result(result: &ours::ToolResult) -> chat::ToolResult {
    chat::ToolResult {
        id: result.id.clone(),
        name: result.name.clone(),
        content: result.content.iter().map(tool_content).collect(),
        is_error: result.is_error,
    }
}

fn tool_content(content: &ours::ToolContent) -> chat::ToolContent {
    match content {
        ours::ToolContent::Text(text) => chat::ToolContent::Text(text.clone()),
        ours::ToolContent::Image(image) => chat::ToolContent::Image(blob(image)),
        ours::ToolContent::Other(other) => chat::ToolContent::Other(extra(other)),
    }
}

fn reasoning(thought: &ours::Reasoning) -> chat::Reasoning {
    chat::Reasoning { text: thought.text.clone(), signature: thought.signature.clone() }
}

fn tool_def(tool: &ours::ToolDef) -> chat::ToolDef {
    match tool {
        ours::ToolDef::Function(function) => chat::ToolDef::Function(chat::FunctionDef {
            name: function.name.clone(),
            description: function.description.clone(),
            parameters: function.parameters.clone(),
            extras: extras(&function.extras),
        }),
        ours::ToolDef::Vendor(json) => chat::ToolDef::Vendor(json.clone()),
    }
}

fn tool_choice(choice: &ours::ToolChoice) -> chat::ToolChoice {
    match choice {
        ours::ToolChoice::Auto => chat::ToolChoice::Auto,
        ours::ToolChoice::None => chat::ToolChoice::None,
        ours::ToolChoice::Required => chat::ToolChoice::Required,
        ours::ToolChoice::Named(name) => chat::ToolChoice::Named(name.clone()),
    }
}

fn format(format: &ours::OutputFormat) -> chat::OutputFormat {
    match format {
        ours::OutputFormat::Text => chat::OutputFormat::Text,
        ours::OutputFormat::JsonObject => chat::OutputFormat::JsonObject,
        ours::OutputFormat::JsonSchema(schema) => {
            chat::OutputFormat::JsonSchema(chat::SchemaFormat {
                name: schema.name.clone(),
                schema: schema.schema.clone(),
                strict: schema.strict,
            })
        }
    }
}

fn extras(extras: &[ours::Extra]) -> Vec<types::Extra> {
    extras.iter().map(extra).collect()
}

fn extra(extra: &ours::Extra) -> types::Extra {
    types::Extra { key: extra.key.clone(), value: extra.value.clone() }
}
