//! The messages of a request.

use std::collections::HashMap;

use sluice_chat::request::{Content, Extra, Message, Part, Reasoning, Role, ToolCall, ToolResult};

use super::bad_request::{BadRequest, Fault};
use super::content;
use super::intake::Intake;
use super::object::Object;
use super::own;

/// Reads messages in order; a tool's result finds the name of its function in the call before it.
#[derive(Debug, Default)]
pub(super) struct Messages {
    called: HashMap<String, String>,
}

impl Messages {
    /// Reads the next message.
    pub(super) fn read(
        &mut self,
        text: &str,
        path: String,
        intake: &mut Intake,
    ) -> Result<Message, BadRequest> {
        let mut object = Object::parse(text, path, intake)?;
        let role = role(&mut object)?;
        let name = object.optional("name", "text")?;
        let path = object.path("content");
        let said = object.raw("content");
        let mut parts = Vec::new();
        match (role, said) {
            (Role::Tool, Some(said)) => {
                let id: String = object.required("tool_call_id", "text")?;
                let function = name.clone().or_else(|| self.called.get(&id).cloned());
                parts.push(part(Content::ToolResult(ToolResult {
                    id,
                    name: function.unwrap_or_default(),
                    content: content::result(said, &path, intake)?,
                    is_error: false,
                })));
            }
            (Role::Assistant, said) => {
                parts.extend(reasoning(&mut object, intake)?);
                if let Some(said) = said {
                    parts.extend(content::parts(said, &path, intake)?);
                }
                parts.extend(self.calls(&mut object, intake)?);
            }
            (_, Some(said)) => parts = content::parts(said, &path, intake)?,
            (_, None) => return Err(BadRequest::at(path, Fault::Missing)),
        }
        let mut extras = object.extras();
        // By such keys the gateway tells plugins what it keeps itself, such as whose conversation this is.
        extras.retain(|extra| !extra.key.starts_with("x-upstream-"));
        Ok(Message { role, name, parts, extras })
    }

    fn calls(
        &mut self,
        object: &mut Object<'_>,
        intake: &mut Intake,
    ) -> Result<Vec<Part>, BadRequest> {
        if object.raw("function_call").is_some() {
            let instead = Fault::Unsupported("tool_calls took its place");
            return Err(object.fault("function_call", instead));
        }
        let entries = object.list("tool_calls", intake)?.unwrap_or_default();
        let calls = entries.into_iter().map(|(path, text)| {
            let call = call(text, path, intake)?;
            self.called.insert(call.id.clone(), call.name.clone());
            Ok(part(Content::ToolCall(call)))
        });
        calls.collect()
    }
}

fn part(content: Content) -> Part {
    Part { content, extras: Vec::new() }
}

fn role(object: &mut Object<'_>) -> Result<Role, BadRequest> {
    let role: String = object.required("role", "text")?;
    match role.as_str() {
        "system" => Ok(Role::System),
        "developer" => Ok(Role::Developer),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        "function" => Err(object.fault("role", Fault::Unsupported("the role tool took its place"))),
        _ => {
            let known = "system, developer, user, assistant or tool";
            Err(object.fault("role", Fault::Expected(known)))
        }
    }
}

/// What we gave out as `thinking_blocks` or `reasoning_content` and a client sends back. The former say more.
fn reasoning(object: &mut Object<'_>, intake: &mut Intake) -> Result<Vec<Part>, BadRequest> {
    let thought: Option<String> = object.optional("reasoning_content", "text")?;
    if let Some(blocks) = object.list(own::THOUGHTS, intake)? {
        let blocks = blocks.into_iter().map(|(path, text)| block(text, path, intake));
        return blocks.collect();
    }
    let thought = thought.filter(|thought| !thought.is_empty());
    let thought = thought.map(|text| Content::Reasoning(Reasoning { text, signature: None }));
    Ok(thought.map(part).into_iter().collect())
}

fn block(text: &str, path: String, intake: &mut Intake) -> Result<Part, BadRequest> {
    let mut object = Object::parse(text, path, intake)?;
    let kind: String = object.required("type", "text")?;
    Ok(part(if kind == "thinking" {
        let text = object.required("thinking", "text")?;
        let signature = object.optional("signature", "text")?;
        Content::Reasoning(Reasoning { text, signature })
    } else {
        Content::Other(Extra { key: kind, value: text.to_owned() })
    }))
}

fn call(text: &str, path: String, intake: &mut Intake) -> Result<ToolCall, BadRequest> {
    let mut object = Object::parse(text, path, intake)?;
    let kind: Option<String> = object.optional("type", "text")?;
    if kind.is_some_and(|kind| kind != "function") {
        return Err(object.fault("type", Fault::Unsupported("calls of functions are")));
    }
    let id = object.required("id", "text")?;
    let mut function = object.object("function", intake)?;
    let name = function.required("name", "text")?;
    let arguments = function.optional("arguments", "JSON as a text")?.unwrap_or_default();
    let mut extras = function.extras();
    extras.extend(object.extras());
    Ok(ToolCall { id, name, arguments, extras })
}
