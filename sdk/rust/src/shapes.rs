//! Shapes of a request that most vendors took over from chat completions. Whoever wants another writes it field by field.

use crate::{BlobRef, Extra, FunctionDef, JsonArray, JsonObject, Part, ToolContent, ToolDef};

impl JsonObject<'_> {
    /// Tools on offer: functions as they are written here, the vendor's own as the client wrote them. Left out where there is none.
    pub fn tools(
        &mut self,
        key: &str,
        tools: &[ToolDef],
        mut write: impl FnMut(&mut JsonObject<'_>, &FunctionDef),
    ) {
        self.each(key, tools, |a, tool| match tool {
            ToolDef::Function(function) => a.object(|o| write(o, function)),
            ToolDef::Vendor(json) => a.json(key, json),
        });
    }

    /// Tools on offer, functions as most vendors want them: `{"type": "function", "function": {…}}`.
    pub fn function_tools(&mut self, key: &str, tools: &[ToolDef]) {
        self.tools(key, tools, |o, function| {
            o.field("type", "function");
            o.object("function", |o| {
                o.field("name", &function.name);
                o.optional("description", function.description.as_deref());
                if !function.parameters.is_empty() {
                    o.json("parameters", &function.parameters);
                }
                o.extras(&function.extras);
            });
        });
    }

    /// What a tool gave back, likewise a text where that is all; pictures are written as the vendor wants them.
    pub fn tool_content(
        &mut self,
        key: &str,
        content: &[ToolContent],
        mut picture: impl FnMut(&mut JsonArray<'_>, &BlobRef),
    ) {
        self.text_or_list(key, content, |a, part| match part {
            ToolContent::Text(text) => a.text_part(text, &[]),
            ToolContent::Image(blob) => picture(a, blob),
            ToolContent::Other(own) => a.json(&own.key, &own.value),
        });
    }

    /// What was said, as a text where it is a single plain one, which every vendor reads, else as a list; nothing is an empty text.
    ///
    /// ```
    /// use sluice_sdk::{JsonBody, Message, Role};
    ///
    /// let said = Message::of(Role::User, "Hi");
    /// let body = JsonBody::object(|o| {
    ///     o.text_or_list("content", &said.parts, |a, _| a.item("part"));
    /// })?;
    /// assert!(format!("{body:?}").contains("Hi"));
    /// # Ok::<(), sluice_sdk::Error>(())
    /// ```
    pub fn text_or_list<T: Plain>(
        &mut self,
        key: &str,
        parts: &[T],
        write: impl FnMut(&mut JsonArray<'_>, &T),
    ) {
        let text = match parts {
            [] => Some(""),
            [part] => part.plain(),
            _ => None,
        };
        match text {
            Some(text) => self.field(key, text),
            None => self.each(key, parts, write),
        }
    }
}

impl JsonArray<'_> {
    /// A part that is a text: `{"type": "text", "text": …}`, with a client's own fields beside it.
    pub fn text_part(&mut self, text: &str, extras: &[Extra]) {
        self.object(|o| {
            o.field("type", "text");
            o.field("text", text);
            o.extras(extras);
        });
    }
}

/// What may be a text and nothing else.
pub trait Plain {
    /// The text, if it is.
    fn plain(&self) -> Option<&str>;
}

impl Plain for Part {
    /// Without a client's own fields, which a mere text has no place for.
    fn plain(&self) -> Option<&str> {
        self.content.text().filter(|_| self.extras.is_empty())
    }
}

impl<T: Plain> Plain for &T {
    fn plain(&self) -> Option<&str> {
        (**self).plain()
    }
}

impl Plain for ToolContent {
    fn plain(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Image(_) | Self::Other(_) => None,
        }
    }
}
