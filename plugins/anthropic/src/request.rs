//! The body that asks for a message.

use sluice_sdk::{
    Body, ChatRequest, Error, Extra, FunctionDef, JsonBody, JsonObject, OutputFormat, ToolChoice,
};

use crate::{message, settings::Settings};

/// Keys that only this module may write, or that another vendor's clients send by habit and that ask for nothing here.
const NOT_THEIRS: [&str; 7] =
    ["model", "messages", "stream", "max_tokens", "n", "store", "parallel_tool_calls"];
/// What other vendors' clients set to nought where they mean nothing.
const PENALTIES: [&str; 2] = ["frequency_penalty", "presence_penalty"];

/// Writes the whole body.
pub(crate) fn body(settings: &Settings, chat: &ChatRequest) -> Result<Body, Error> {
    JsonBody::object(|o| {
        o.field("model", &chat.model);
        o.field("max_tokens", &chat.max_output_tokens.unwrap_or(settings.max_tokens));
        message::system(o, chat);
        message::conversation(o, chat);
        o.tools("tools", &chat.tools, function);
        if !chat.tools.is_empty() {
            tool_choice(o, chat);
        }
        o.optional("temperature", chat.temperature);
        o.optional("top_p", chat.top_p);
        o.list("stop_sequences", &chat.stop);
        format(o, &chat.format);
        if let Some(user) = &chat.user {
            o.object("metadata", |o| o.field("user_id", user));
        }
        o.field("stream", &chat.stream);
        o.extras(chat.extras_but(&NOT_THEIRS).filter(|extra| !means_nothing(extra)));
    })
}

fn means_nothing(extra: &Extra) -> bool {
    PENALTIES.contains(&extra.key.as_str()) && extra.value.trim().parse() == Ok(0.0_f64)
}

fn function(o: &mut JsonObject<'_>, function: &FunctionDef) {
    o.field("name", &function.name);
    o.optional("description", function.description.as_deref());
    o.json("input_schema", function.schema());
    o.extras(&function.extras);
}

fn tool_choice(o: &mut JsonObject<'_>, chat: &ChatRequest) {
    let one_at_a_time = chat.extra("parallel_tool_calls") == Some("false");
    let (kind, name) = match &chat.tool_choice {
        ToolChoice::Auto if !one_at_a_time => return,
        ToolChoice::Auto => ("auto", None),
        ToolChoice::None => ("none", None),
        ToolChoice::Required => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(name)),
    };
    o.object("tool_choice", |o| {
        o.field("type", kind);
        o.optional("name", name);
        if one_at_a_time && kind != "none" {
            o.field("disable_parallel_tool_use", &true);
        }
    });
}

fn format(o: &mut JsonObject<'_>, format: &OutputFormat) {
    match format {
        OutputFormat::Text => {}
        OutputFormat::JsonObject => {
            o.fail(Error::unsupported("JSON is answered by a schema only: `json_schema`"));
        }
        OutputFormat::JsonSchema(schema) => o.object("output_config", |o| {
            o.object("format", |o| {
                o.field("type", "json_schema");
                o.json("schema", &schema.schema);
            });
        }),
    }
}
