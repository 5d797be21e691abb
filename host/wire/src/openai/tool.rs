//! The tools of a request, and whether they are to be used.

use sluice_chat::request::{FunctionDef, ToolChoice, ToolDef};

use super::bad_request::{BadRequest, Fault};
use super::intake::Intake;
use super::object::Object;

/// Reads a tool. What is no function is the vendor's own, as the client wrote it.
pub(super) fn tool(text: &str, path: String, intake: &mut Intake) -> Result<ToolDef, BadRequest> {
    let mut object = Object::parse(text, path, intake)?;
    let kind: String = object.required("type", "text")?;
    if kind != "function" {
        return Ok(ToolDef::Vendor(text.to_owned()));
    }
    let mut function = object.object("function", intake)?;
    let name = function.required("name", "text")?;
    let description = function.optional("description", "text")?;
    let parameters = function.raw("parameters").unwrap_or_default();
    if !(parameters.is_empty() || parameters.starts_with('{')) {
        return Err(function.fault("parameters", Fault::Expected("a JSON schema")));
    }
    let mut extras = function.extras();
    extras.extend(object.extras());
    Ok(ToolDef::Function(FunctionDef {
        name,
        description,
        parameters: parameters.to_owned(),
        extras,
    }))
}

/// Takes `tool_choice`. A choice of a vendor's own is left over.
pub(super) fn choice(body: &mut Object<'_>, intake: &mut Intake) -> Result<ToolChoice, BadRequest> {
    const NAME: &str = "tool_choice";
    let Some(raw) = body.peek(NAME) else { return Ok(ToolChoice::Auto) };
    if raw.get().starts_with('{') {
        let mut object = body.object(NAME, intake)?;
        let kind: Option<String> = object.optional("type", "text")?;
        if kind.as_deref() != Some("function") {
            body.put_back(NAME, raw);
            return Ok(ToolChoice::Auto);
        }
        let mut function = object.object("function", intake)?;
        return function.required("name", "text").map(ToolChoice::Named);
    }
    let expected = "auto, none, required, or an object that names a function";
    match body.optional::<String>(NAME, expected)?.as_deref() {
        None | Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required") => Ok(ToolChoice::Required),
        Some(_) => Err(body.fault(NAME, Fault::Expected(expected))),
    }
}
