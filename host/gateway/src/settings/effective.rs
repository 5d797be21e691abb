//! What every key comes to and where it came from: for people who ask, and to tell one configuration from another.
//!
//! Values are written as they could stand in a file; secrets are masked.

use std::fmt;

use super::extract::values::Values;
use super::keys::Key;
use super::keys::table::KEYS;
use super::problem::Origin;
use super::value::Typed;
use super::value::duration;
use super::value::origins::Origins;

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    /// The key.
    pub(crate) key: &'static str,
    /// Its value as it could be written.
    pub(crate) value: String,
    /// Where it came from.
    pub(crate) origin: Origin,
    /// Whether a changed value counts after SIGHUP; otherwise it needs a restart.
    pub(crate) reloaded: bool,
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, origin, reloaded: _ } = self;
        match origin {
            Origin::Default => write!(f, "{key} = {value}"),
            Origin::File(..) | Origin::Variable(_) => write!(f, "{key} = {value}  # {origin}"),
        }
    }
}

/// All keys in the order of the table. Those without effect are left out.
pub(super) fn all(values: &Values) -> Vec<Effective> {
    KEYS.iter().filter(|key| key.has_effect()).filter_map(|key| one(key, values)).collect()
}

fn one(key: &'static Key, values: &Values) -> Option<Effective> {
    let value = written(values.typed(key.name)?);
    Some(Effective {
        key: key.name,
        value,
        origin: values.origin(key.name),
        reloaded: key.reloaded,
    })
}

/// A value as it could stand in a file.
fn written(typed: &Typed) -> String {
    let quoted = |text: &dyn fmt::Display| format!("{:?}", text.to_string());
    let list = |words: &mut dyn Iterator<Item = String>| {
        let quoted: Vec<_> = words.map(|word| quoted(&word)).collect();
        format!("[{}]", quoted.join(", "))
    };
    match typed {
        Typed::Address(address) => quoted(address),
        Typed::Text(text) => quoted(text),
        Typed::Origins(Origins::Same) => "[]".into(),
        Typed::Origins(Origins::Any) => "[\"*\"]".into(),
        Typed::Origins(Origins::List(origins)) => list(&mut origins.iter().cloned()),
        Typed::Networks(networks) => list(&mut networks.iter().map(ToString::to_string)),
        Typed::WebAddress(None) => "\"\"".into(),
        Typed::WebAddress(Some(address)) => quoted(address),
        Typed::Flag(flag) => flag.to_string(),
        Typed::Number(number) => number.to_string(),
        Typed::Duration(time) => quoted(&duration::text(*time)),
        Typed::Rate(rate) => quoted(rate),
        Typed::Words(words) => list(&mut words.iter().cloned()),
        Typed::Routes(routes) => {
            let events: Vec<_> = routes
                .iter()
                .map(|(event, names)| format!("{event} = {}", list(&mut names.iter().cloned())))
                .collect();
            if events.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", events.join(", ")) }
        }
        Typed::Secrets(secrets) => match secrets.as_slice() {
            [] => "\"\"".into(),
            [one] => quoted(one),
            many => list(&mut many.iter().map(ToString::to_string)),
        },
    }
}
