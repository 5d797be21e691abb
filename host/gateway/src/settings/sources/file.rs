//! One TOML file: its values for figment, and on which line each of them stands.
//!
//! Messages about bad TOML never quote the file: the bad line may hold a secret.

use std::collections::BTreeMap;
use std::fs::File as Opened;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use toml_edit::{Document, Item, TableLike};

use crate::settings::problem::{Origin, Problem};

/// Most that is read of a file.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A file that was read, or what is known of it.
pub(super) struct File {
    /// As it was named on the command line.
    pub(super) path: PathBuf,
    dict: Dict,
    lines: BTreeMap<Vec<String>, usize>,
}

impl File {
    /// Reads a file.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let refuse = |wrong| Problem::new("", Origin::File(path.into(), None), wrong);
        let mut text = String::new();
        let read = Opened::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
            .map_err(|error| refuse(format!("cannot be read ({})", error.kind())))?;
        if read as u64 > MOST_BYTES {
            return Err(refuse(format!("is longer than {MOST_BYTES} bytes")));
        }
        Self::parse(path, &text)
    }

    /// Takes the text of a file.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let document = Document::parse(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, &span));
            // toml_edit's message says what was expected; its `Display` would show the line itself.
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            Problem::new("", Origin::File(path.into(), line), format!("is not TOML: {message}"))
        })?;
        let mut reading = Reading { text, path: Vec::new(), lines: BTreeMap::new() };
        let dict = reading.table(document.as_table());
        Ok(Self { path: path.into(), dict, lines: reading.lines })
    }

    /// The line of a key, or of the nearest table around it.
    pub(super) fn line(&self, path: &[&str]) -> Option<usize> {
        let mut path: Vec<String> = path.iter().copied().map(Into::into).collect();
        while !path.is_empty() {
            if let Some(line) = self.lines.get(&path) {
                return Some(*line);
            }
            path.pop();
        }
        None
    }
}

/// Reads one value as it would stand behind a `=`. The table of keys is written in such values.
pub(super) fn value(text: &str) -> Option<Value> {
    let mut reading = Reading { text, path: Vec::new(), lines: BTreeMap::new() };
    Some(reading.item(&Item::Value(text.parse().ok()?)))
}

impl Provider for &File {
    fn metadata(&self) -> Metadata {
        Metadata::from("file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// A walk through a document.
struct Reading<'a> {
    text: &'a str,
    path: Vec<String>,
    lines: BTreeMap<Vec<String>, usize>,
}

impl Reading<'_> {
    fn table(&mut self, table: &dyn TableLike) -> Dict {
        let mut dict = Dict::new();
        for (name, item) in table.iter() {
            let span = table.get_key_value(name).and_then(|(key, _)| key.span());
            let value = self.inside(name.into(), span, |reading| reading.item(item));
            dict.insert(name.into(), value);
        }
        dict
    }

    fn item(&mut self, item: &Item) -> Value {
        if let Some(table) = item.as_table_like() {
            return self.table(table).into();
        }
        if let Some(tables) = item.as_array_of_tables() {
            let read = tables.iter().enumerate().map(|(index, table)| {
                self.inside(index.to_string(), table.span(), |reading| reading.table(table).into())
            });
            return read.collect::<Vec<Value>>().into();
        }
        if let Some(array) = item.as_array() {
            let read = array.iter().enumerate().map(|(index, value)| {
                let item = Item::Value(value.clone());
                self.inside(index.to_string(), value.span(), |reading| reading.item(&item))
            });
            return read.collect::<Vec<Value>>().into();
        }
        scalar(item)
    }

    /// Goes one step down, noting the line.
    fn inside<T>(
        &mut self,
        name: String,
        span: Option<Range<usize>>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.path.push(name);
        if let Some(span) = span {
            self.lines.insert(self.path.clone(), line_of(self.text, &span));
        }
        let value = read(self);
        self.path.pop();
        value
    }
}

/// Anything that is no table and no list.
fn scalar(item: &Item) -> Value {
    if let Some(text) = item.as_str() {
        text.into()
    } else if let Some(number) = item.as_integer() {
        number.into()
    } else if let Some(number) = item.as_float() {
        number.into()
    } else if let Some(flag) = item.as_bool() {
        flag.into()
    } else {
        // A date: nothing here is one, so it goes on as the text it was.
        item.as_datetime().map(ToString::to_string).unwrap_or_default().into()
    }
}

/// The line a span begins on, counted from 1.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}
