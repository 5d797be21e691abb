//! The body that asks for a completion.

use sluice_sdk::{Body, ChatRequest, Error, JsonBody, JsonObject, OutputFormat, ToolChoice};

use crate::{message, settings::Settings};

/// Keys that only this module may write: the contract has its own words for them, or, as for `n`, room for one answer only.
const OURS: [&str; 7] =
    ["model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"];

/// Name of a schema that the client gave none; the dialect wants one.
const SCHEMA_NAME: &str = "response";

/// Writes the whole body.
pub(crate) fn body(settings: &Settings, chat: &ChatRequest) -> Result<Body, Error> {
    JsonBody::object(|o| {
        o.field("model", &chat.model);
        o.array("messages", |a| {
            for message in &chat.messages {
                message::write(a, message, settings);
            }
        });
        o.function_tools("tools", &chat.tools);
        if !chat.tools.is_empty() {
            tool_choice(o, &chat.tool_choice);
        }
        o.optional("temperature", chat.temperature);
        o.optional("top_p", chat.top_p);
        o.optional(settings.max_tokens_field.name(), chat.max_output_tokens);
        o.list("stop", &chat.stop);
        o.optional("seed", chat.seed);
        format(o, &chat.format);
        o.optional("user", chat.user.as_deref().filter(|_| settings.send_user));
        o.field("stream", &chat.stream);
        if chat.stream && settings.stream_usage {
            o.object("stream_options", |o| o.field("include_usage", &true));
        }
        o.extras(chat.extras_but(&OURS));
    })
}

fn tool_choice(o: &mut JsonObject<'_>, choice: &ToolChoice) {
    match choice {
        ToolChoice::Auto => {}
        ToolChoice::None => o.field("tool_choice", "none"),
        ToolChoice::Required => o.field("tool_choice", "required"),
        ToolChoice::Named(name) => o.object("tool_choice", |o| {
            o.field("type", "function");
            o.object("function", |o| o.field("name", name));
        }),
    }
}

fn format(o: &mut JsonObject<'_>, format: &OutputFormat) {
    match format {
        OutputFormat::Text => {}
        OutputFormat::JsonObject => {
            o.object("response_format", |o| o.field("type", "json_object"));
        }
        OutputFormat::JsonSchema(schema) => o.object("response_format", |o| {
            o.field("type", "json_schema");
            o.object("json_schema", |o| {
                o.field("name", schema.name.as_deref().unwrap_or(SCHEMA_NAME));
                o.json("schema", &schema.schema);
                o.optional("strict", schema.strict);
            });
        }),
    }
}

#[cfg(test)]
mod tests;
