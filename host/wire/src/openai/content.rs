//! What a message says: a text, or a list of parts.

use sluice_chat::request::{Content, Extra, Part, ToolContent};

use super::attachment;
use super::bad_request::{BadRequest, Fault};
use super::intake::Intake;
use super::object::{Object, Text, entries};

/// What `content` is to be.
const EXPECTED: &str = "text or a list of parts";

/// Reads the value of a message's `content`.
pub(super) fn parts(text: &str, path: &str, intake: &mut Intake) -> Result<Vec<Part>, BadRequest> {
    if text.starts_with('"') {
        let said = serde_json::from_str(text);
        let said = said.map_err(|_| BadRequest::at(path, Fault::Expected(EXPECTED)))?;
        return Ok(vec![Part { content: Content::Text(said), extras: Vec::new() }]);
    }
    let entries = entries(text, path, intake)?;
    let entries = entries.ok_or_else(|| BadRequest::at(path, Fault::Expected(EXPECTED)))?;
    entries.into_iter().map(|(path, text)| part(text, path, intake)).collect()
}

/// Reads the `content` of a tool's result, which has no place for more than texts and pictures.
pub(super) fn result(
    text: &str,
    path: &str,
    intake: &mut Intake,
) -> Result<Vec<ToolContent>, BadRequest> {
    let parts = parts(text, path, intake)?.into_iter();
    let content = parts.map(|part| match part.content {
        Content::Text(text) => Ok(ToolContent::Text(text)),
        Content::Image(blob) => Ok(ToolContent::Image(blob)),
        Content::Other(part) => Ok(ToolContent::Other(part)),
        Content::Audio(_)
        | Content::Document(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Reasoning(_) => {
            Err(BadRequest::at(path, Fault::Unsupported("a tool gives texts and pictures")))
        }
    });
    content.collect()
}

fn part(text: &str, path: String, intake: &mut Intake) -> Result<Part, BadRequest> {
    let mut object = Object::parse(text, path, intake)?;
    let kind: String = object.required("type", "text")?;
    match kind.as_str() {
        "text" => {
            let said = object.required("text", "text")?;
            Ok(Part { content: Content::Text(said), extras: object.extras() })
        }
        "image_url" => image(object, intake),
        "input_audio" => {
            let mut inside = object.object("input_audio", intake)?;
            let Text(data) = inside.required("data", "text")?;
            let format: String = inside.required("format", "text")?;
            let blob = attachment::audio(&data, &format, inside.path("data"), intake)?;
            Ok(Part { content: Content::Audio(blob), extras: object.extras() })
        }
        "file" => file(object, text, intake),
        // A vendor's own part.
        _ => Ok(Part {
            content: Content::Other(Extra { key: kind, value: text.to_owned() }),
            extras: Vec::new(),
        }),
    }
}

/// What stands beside the address inside `image_url`, `detail` above all, goes to the part's extras.
fn image(mut object: Object<'_>, intake: &mut Intake) -> Result<Part, BadRequest> {
    let mut inside = object.object("image_url", intake)?;
    let Text(url) = inside.required("url", "text")?;
    let blob = attachment::image(&url, inside.path("url"), intake)?;
    let mut extras = inside.extras();
    extras.extend(object.extras());
    Ok(Part { content: Content::Image(blob), extras })
}

fn file(mut object: Object<'_>, text: &str, intake: &mut Intake) -> Result<Part, BadRequest> {
    let mut inside = object.object("file", intake)?;
    let name: Option<String> = inside.optional("filename", "text")?;
    let Some(Text(data)) = inside.optional("file_data", "text")? else {
        // A file that the vendor has already.
        let whole = Extra { key: "file".to_owned(), value: text.to_owned() };
        return Ok(Part { content: Content::Other(whole), extras: Vec::new() });
    };
    let blob = attachment::document(&data, name, inside.path("file_data"), intake)?;
    Ok(Part { content: Content::Document(blob), extras: object.extras() })
}
