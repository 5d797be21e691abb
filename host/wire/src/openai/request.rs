//! The body of `POST /chat/completions`.

use serde::Deserialize;
use sluice_chat::request::{ChatRequest, OutputFormat, SchemaFormat};

use super::bad_request::{BadRequest, Fault};
use super::intake::{Blob, Intake};
use super::message::Messages;
use super::object::Object;
use super::tool;

/// A call, ready to be asked but for the model's name upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatCall {
    /// The model as clients know it.
    pub model: String,
    /// What is asked. Its own `model` is empty; `stream` is what this gateway wants, which is pieces, in any case.
    pub request: ChatRequest,
    /// Bytes that the messages refer to.
    pub blobs: Vec<Blob>,
    /// Whether the client wants pieces.
    pub stream: bool,
    /// Whether the client wants usage at the end of them.
    pub include_usage: bool,
    /// Bytes of the body that were no blobs.
    pub text_bytes: usize,
}

impl ChatCall {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let not_json = BadRequest::body(Fault::Expected("a JSON object"));
        let text = std::str::from_utf8(body).map_err(|_| not_json)?;
        let mut intake = Intake::default();
        let intake = &mut intake;
        let mut object = Object::parse(text, "", intake)?;
        let model: String = object.required("model", "text")?;
        let stream = object.optional("stream", "true or false")?.unwrap_or_default();
        let include_usage = include_usage(&mut object, intake)?;
        only_what_comes_back(&mut object)?;

        let mut messages = Messages::default();
        let list = object.list("messages", intake)?;
        let list = list.ok_or_else(|| object.fault("messages", Fault::Missing))?;
        if list.is_empty() {
            return Err(object.fault("messages", Fault::Expected("at least one message")));
        }
        let messages = list.into_iter().map(|(path, text)| messages.read(text, path, intake));
        let messages = messages.collect::<Result<_, _>>()?;
        let tools = object.list("tools", intake)?.unwrap_or_default();
        let tools = tools.into_iter().map(|(path, text)| tool::tool(text, path, intake));
        let request = ChatRequest {
            model: String::new(),
            messages,
            tools: tools.collect::<Result<_, _>>()?,
            tool_choice: tool::choice(&mut object, intake)?,
            temperature: object.optional("temperature", "a number")?,
            top_p: object.optional("top_p", "a number")?,
            max_output_tokens: max_tokens(&mut object)?,
            stop: stop(&mut object)?,
            seed: object.optional("seed", "a whole number")?,
            format: format(&mut object, intake)?,
            stream: true,
            user: object.optional("user", "text")?,
            extras: object.extras(),
        };
        let blobs = std::mem::take(&mut intake.blobs);
        let text_bytes = body.len().saturating_sub(intake.encoded_bytes);
        Ok(Self { model, request, blobs, stream, include_usage, text_bytes })
    }
}

/// Takes `stream_options`. What else it may say is about the client's stream and not the upstream's.
fn include_usage(body: &mut Object<'_>, intake: &mut Intake) -> Result<bool, BadRequest> {
    if body.peek("stream_options").is_none() {
        return Ok(false);
    }
    let mut options = body.object("stream_options", intake)?;
    Ok(options.optional("include_usage", "true or false")?.unwrap_or_default())
}

/// Refuses what would be asked for and then be missing from the answer.
fn only_what_comes_back(body: &mut Object<'_>) -> Result<(), BadRequest> {
    let n: Option<u64> = body.optional("n", "a whole number")?;
    if n.is_some_and(|n| n != 1) {
        return Err(body.fault("n", Fault::Unsupported("one answer is given to each call")));
    }
    for deprecated in ["functions", "function_call"] {
        if body.raw(deprecated).is_some() {
            let instead = Fault::Unsupported("tools and tool_choice took its place");
            return Err(body.fault(deprecated, instead));
        }
    }
    let modalities: Option<Vec<String>> = body.optional("modalities", "a list of texts")?;
    if modalities.is_some_and(|wanted| wanted.iter().any(|wanted| wanted != "text")) {
        return Err(body.fault("modalities", Fault::Unsupported("answers are text")));
    }
    Ok(())
}

/// The newer name wins over the older one.
fn max_tokens(body: &mut Object<'_>) -> Result<Option<u32>, BadRequest> {
    const EXPECTED: &str = "a whole number above 0";
    let mut most = None;
    for name in ["max_tokens", "max_completion_tokens"] {
        let told: Option<u32> = body.optional(name, EXPECTED)?;
        if told == Some(0) {
            return Err(body.fault(name, Fault::Expected(EXPECTED)));
        }
        most = told.or(most);
    }
    Ok(most)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Several(Vec<String>),
}

fn stop(body: &mut Object<'_>) -> Result<Vec<String>, BadRequest> {
    Ok(match body.optional("stop", "a text or a list of texts")? {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text],
        Some(Stop::Several(texts)) => texts,
    })
}

/// Takes `response_format`. A form of a vendor's own is left over.
fn format(body: &mut Object<'_>, intake: &mut Intake) -> Result<OutputFormat, BadRequest> {
    const NAME: &str = "response_format";
    let Some(raw) = body.peek(NAME) else { return Ok(OutputFormat::Text) };
    let mut object = body.object(NAME, intake)?;
    let kind: String = object.required("type", "text")?;
    match kind.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => {
            let mut inside = object.object("json_schema", intake)?;
            let schema = inside.raw("schema").filter(|schema| schema.starts_with('{'));
            let schema =
                schema.ok_or_else(|| inside.fault("schema", Fault::Expected("a JSON schema")))?;
            Ok(OutputFormat::JsonSchema(SchemaFormat {
                name: inside.optional("name", "text")?,
                schema: schema.to_owned(),
                strict: inside.optional("strict", "true or false")?,
            }))
        }
        _ => {
            body.put_back(NAME, raw);
            Ok(OutputFormat::Text)
        }
    }
}

#[cfg(test)]
mod tests;
