//! The body that asks for an answer.

use serde::Serialize;
use serde_json::{Map, Value};
use sluice_sdk::{Body, ChatRequest, Error, JsonBody, JsonObject, OutputFormat, ToolChoice};

use crate::{message, settings::Settings};

/// Keys that only this module may write, or that other vendors' clients send by habit and that ask for nothing here.
const NOT_THEIRS: [&str; 7] =
    ["model", "messages", "stream", "n", "store", "options", "reasoning_effort"];

/// What a client writes beside the messages and the API wants among the options.
const OPTIONS: [&str; 12] = [
    "top_k",
    "min_p",
    "typical_p",
    "num_ctx",
    "num_keep",
    "num_batch",
    "num_gpu",
    "num_thread",
    "repeat_last_n",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
];

/// Writes the whole body.
pub(crate) fn body(settings: &Settings, chat: &ChatRequest) -> Result<Body, Error> {
    JsonBody::object(|o| {
        o.field("model", &chat.model);
        o.array("messages", |a| chat.messages.iter().for_each(|said| message::write(a, said)));
        tools(o, chat);
        match &chat.format {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => o.field("format", "json"),
            OutputFormat::JsonSchema(schema) => o.json("format", &schema.schema),
        }
        match options(settings, chat) {
            Ok(options) if options.is_empty() => {}
            Ok(options) => o.field("options", &options),
            Err(error) => o.fail(error),
        }
        think(o, chat);
        o.field("stream", &chat.stream);
        let theirs = chat.extras_but(&NOT_THEIRS);
        o.extras(theirs.filter(|extra| !OPTIONS.contains(&extra.key.as_str())));
        if chat.extra("keep_alive").is_none() {
            o.optional("keep_alive", settings.keep_alive.as_deref());
        }
    })
}

/// The operator's, then the client's, then what the contract has words for.
fn options(settings: &Settings, chat: &ChatRequest) -> Result<Map<String, Value>, Error> {
    let read = |value: &str| {
        serde_json::from_str::<Value>(value)
            .map_err(|_| Error::invalid_request("an option is not JSON"))
    };
    let mut options = settings.options.clone();
    if let Some(value) = chat.extra("options")
        && let Value::Object(theirs) = read(value)?
    {
        options.extend(theirs);
    }
    for extra in chat.extras.iter().filter(|extra| OPTIONS.contains(&extra.key.as_str())) {
        options.insert(extra.key.clone(), read(&extra.value)?);
    }
    let stop = (!chat.stop.is_empty()).then_some(&chat.stop);
    put(&mut options, "temperature", chat.temperature);
    put(&mut options, "top_p", chat.top_p);
    put(&mut options, "num_predict", chat.max_output_tokens);
    put(&mut options, "stop", stop);
    put(&mut options, "seed", chat.seed);
    Ok(options)
}

fn put(options: &mut Map<String, Value>, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        options.insert(name.to_owned(), serde_json::json!(value));
    }
}

/// Another vendor's word for how hard to think, unless the client wrote this one's.
fn think(o: &mut JsonObject<'_>, chat: &ChatRequest) {
    if chat.extra("think").is_some() {
        return;
    }
    match chat.extra("reasoning_effort").map(|effort| effort.trim_matches('"')) {
        Some("none") => o.field("think", &false),
        Some(effort @ ("low" | "medium" | "high")) => o.field("think", effort),
        Some(_) | None => {}
    }
}

fn tools(o: &mut JsonObject<'_>, chat: &ChatRequest) {
    match &chat.tool_choice {
        _ if chat.tools.is_empty() => {}
        ToolChoice::Auto => o.function_tools("tools", &chat.tools),
        ToolChoice::None => {}
        ToolChoice::Required | ToolChoice::Named(_) => {
            o.fail(Error::unsupported("Ollama cannot be made to call a tool"));
        }
    }
}
