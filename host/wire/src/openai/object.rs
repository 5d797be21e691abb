//! A JSON object that is read field by field, so that what nobody asked for is left over, and word for word as it came.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sluice_chat::request::Extra;

use super::bad_request::{BadRequest, Fault};
use super::intake::Intake;

/// Fields of one object that are read at all.
const MAX_FIELDS: usize = 10_000;

/// The fields that nobody has taken yet. Of two by the same name the last counts.
#[derive(Debug)]
pub(super) struct Object<'a> {
    path: String,
    fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// Reads the object at `path`; the body itself has an empty one.
    pub(super) fn parse(
        text: &'a str,
        path: impl Into<String>,
        intake: &mut Intake,
    ) -> Result<Self, BadRequest> {
        let path = path.into();
        let Ok(Fields(fields)) = serde_json::from_str(text) else {
            let fault = Fault::Expected("a JSON object");
            let param = (!path.is_empty()).then_some(path);
            return Err(BadRequest { fault, param });
        };
        intake.count(fields.len())?;
        Ok(Self { path, fields })
    }

    /// The path of a field.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Refuses the object for one of its fields.
    pub(super) fn fault(&self, name: &str, fault: Fault) -> BadRequest {
        BadRequest::at(self.path(name), fault)
    }

    /// Takes a field as it stands there. Null is as good as nothing.
    pub(super) fn raw(&mut self, name: &str) -> Option<&'a str> {
        self.fields.remove(name).map(RawValue::get).filter(|text| *text != "null")
    }

    /// Leaves a field over that was taken, for whoever knows what it means.
    pub(super) fn put_back(&mut self, name: &str, raw: &'a RawValue) {
        self.fields.insert(name.to_owned(), raw);
    }

    /// Looks at a field without taking it.
    pub(super) fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.get(name).copied().filter(|raw| raw.get() != "null")
    }

    /// Takes a field that may be missing.
    pub(super) fn optional<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<Option<T>, BadRequest> {
        let Some(text) = self.raw(name) else { return Ok(None) };
        let read = serde_json::from_str(text).map(Some);
        read.map_err(|_| self.fault(name, Fault::Expected(expected)))
    }

    /// Takes a field that must be there.
    pub(super) fn required<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<T, BadRequest> {
        self.optional(name, expected)?.ok_or_else(|| self.fault(name, Fault::Missing))
    }

    /// Takes a list that may be missing, entry by entry with the path of each.
    pub(super) fn list(
        &mut self,
        name: &str,
        intake: &mut Intake,
    ) -> Result<Option<Vec<(String, &'a str)>>, BadRequest> {
        let path = self.path(name);
        let Some(text) = self.raw(name) else { return Ok(None) };
        entries(text, &path, intake)?
            .ok_or_else(|| BadRequest::at(path, Fault::Expected("a list")))
            .map(Some)
    }

    /// Takes an object that must be there.
    pub(super) fn object(
        &mut self,
        name: &str,
        intake: &mut Intake,
    ) -> Result<Object<'a>, BadRequest> {
        let text = self.raw(name).ok_or_else(|| self.fault(name, Fault::Missing))?;
        Object::parse(text, self.path(name), intake)
    }

    /// What nobody took and is not null.
    pub(super) fn extras(self) -> Vec<Extra> {
        let told = self.fields.into_iter().filter(|(_, raw)| raw.get() != "null");
        told.map(|(key, raw)| Extra { key, value: raw.get().to_owned() }).collect()
    }
}

/// A text that may be long: lent by the body, unless something in it is escaped.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The entries of a list with the path of each; none when it is no list.
pub(super) fn entries<'a>(
    text: &'a str,
    path: &str,
    intake: &mut Intake,
) -> Result<Option<Vec<(String, &'a str)>>, BadRequest> {
    let Ok(entries) = serde_json::from_str::<Vec<&RawValue>>(text) else { return Ok(None) };
    intake.count(entries.len())?;
    let numbered = entries.into_iter().enumerate();
    Ok(Some(numbered.map(|(n, raw)| (format!("{path}[{n}]"), raw.get())).collect()))
}

struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        impl<'de> Visitor<'de> for Shape {
            type Value = Fields<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    fields.insert(key, value);
                    if fields.len() > MAX_FIELDS {
                        return Err(serde::de::Error::custom("too many fields"));
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Shape)
    }
}
