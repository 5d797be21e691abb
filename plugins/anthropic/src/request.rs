//! The body that asks for a message.

use sluice_sdk::{
    Body, ChatRequest, Error, Extra, FunctionDef, JsonArray, JsonBody, JsonObject, OutputFormat,
    ToolChoice, ToolDef,
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
        message::system(o, &chat.messages);
        message::conversation(o, &chat.messages);
        if !chat.tools.is_empty() {
            o.array("tools", |a| chat.tools.iter().for_each(|offered| tool(a, offered)));
            tool_choice(o, chat);
        }
        o.optional("temperature", chat.temperature);
        o.optional("top_p", chat.top_p);
        if !chat.stop.is_empty() {
            o.field("stop_sequences", &chat.stop);
        }
        format(o, &chat.format);
        if let Some(user) = &chat.user {
            o.object("metadata", |o| o.field("user_id", user));
        }
        o.field("stream", &chat.stream);
        let theirs: Vec<Extra> =
            chat.extras.iter().filter(|extra| is_theirs(extra)).cloned().collect();
        o.extras(&theirs);
    })
}

fn is_theirs(extra: &Extra) -> bool {
    let means_nothing = || extra.value.trim().parse() == Ok(0.0_f64);
    let key = extra.key.as_str();
    !(NOT_THEIRS.contains(&key) || PENALTIES.contains(&key) && means_nothing())
}

fn tool(a: &mut JsonArray<'_>, offered: &ToolDef) {
    match offered {
        ToolDef::Function(FunctionDef { name, description, parameters, extras }) => a.object(|o| {
            o.field("name", name);
            o.optional("description", description.as_deref());
            let nothing = r#"{"type":"object","properties":{}}"#;
            o.json("input_schema", if parameters.is_empty() { nothing } else { parameters });
            o.extras(extras);
        }),
        ToolDef::Vendor(json) => a.json("tools", json),
    }
}

fn tool_choice(o: &mut JsonObject<'_>, chat: &ChatRequest) {
    let parallel = chat.extras.iter().find(|extra| extra.key == "parallel_tool_calls");
    let one_at_a_time = parallel.is_some_and(|extra| extra.value.trim() == "false");
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
