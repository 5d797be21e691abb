//! What may be configured: the one table that reading, checking, `config/sluice.toml`, the documentation and
//! `sluice check --explain` are made from.
//!
//! Data and its look-up only; nothing is read here.

pub(super) mod field;
pub(super) mod table;

use self::field::{ALSO_FIELDS, Field, MODEL_FIELDS, PLUGIN_FIELDS, SLOT_FIELDS};
use self::table::{DEAD_VARIABLES, KEYS};
use super::suggestion;
use super::value::Kind;

/// One key outside `[plugins.ID]` and `[[models]]`.
#[derive(Debug)]
pub(super) struct Key {
    /// Full name with dots, `server.bind`.
    pub(super) name: &'static str,
    /// What may be written.
    pub(super) kind: Kind,
    /// Default as a TOML value. An empty string or list means nothing is set.
    pub(super) default: &'static str,
    /// What it does, in whole sentences without line breaks.
    pub(super) text: &'static str,
    /// Variables that set it beside `SLUICE_SECTION__KEY`.
    pub(super) old: &'static [Old],
    /// What writing it does today.
    pub(super) effect: Effect,
    /// Whether a changed value counts after SIGHUP; otherwise it needs a restart.
    pub(super) reloaded: bool,
}

/// A variable operators used before there was `SLUICE_*`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Old {
    /// Name of the variable.
    pub(super) name: &'static str,
    /// How much of the key it sets.
    pub(super) part: Part,
}

/// How much of a key an old variable sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The port of an address.
    Port,
    /// The number of a rate, counted per minute.
    PerMinute,
    /// The window of a rate.
    Window,
}

/// What a written value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// What the text says.
    Now,
    /// Nothing yet: a warning.
    Later,
}

impl Key {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        text: &'static str,
    ) -> Self {
        Self { name, kind, default, text, old: &[], effect: Effect::Now, reloaded: false }
    }

    const fn old(mut self, old: &'static [Old]) -> Self {
        self.old = old;
        self
    }

    const fn reloaded(mut self) -> Self {
        self.reloaded = true;
        self
    }

    /// Whether writing it does anything.
    pub(super) fn has_effect(&self) -> bool {
        self.effect == Effect::Now
    }

    const fn later(mut self) -> Self {
        self.effect = Effect::Later;
        self
    }

    /// The table it is written in: everything before the last dot.
    pub(super) fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within that table.
    pub(super) fn leaf(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, leaf)| leaf)
    }

    /// The variable that sets it whatever else does.
    pub(super) fn variable(&self) -> String {
        format!("SLUICE_{}", self.name.to_uppercase().replace('.', "__"))
    }

    /// Every variable that sets it, in words.
    pub(super) fn variables(&self) -> Vec<String> {
        let old = self.old.iter().map(|old| match old.part {
            Part::Whole => old.name.to_owned(),
            Part::Port => format!("{} (the port)", old.name),
            Part::PerMinute => format!("{} (the number, per minute)", old.name),
            Part::Window => format!("{} (the window)", old.name),
        });
        std::iter::once(self.variable()).chain(old).collect()
    }
}

const fn old(name: &'static str) -> Old {
    Old { name, part: Part::Whole }
}

/// Finds a key by its full name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Tells all about a key, a field (`plugins.ID.source`, `models.id`) or a variable. `None` for any other word.
pub(super) fn explain(asked: &str) -> Option<String> {
    let named = |key: &&Key| {
        key.name == asked || key.variable() == asked || key.old.iter().any(|old| old.name == asked)
    };
    if let Some(key) = KEYS.iter().find(named) {
        return Some(explain_key(key));
    }
    if let Some((name, instead)) = DEAD_VARIABLES.iter().find(|(name, _)| *name == asked) {
        return Some(format!("{name}\n  has no effect: {instead}"));
    }
    let field = find_field(asked)?;
    Some(format!("{asked}\n  {}\n  accepted: {}", field.text, field.accepted))
}

/// Names of keys that a word which is none may have meant: the nearest one, or those it is a part of, eight at most.
pub(super) fn meant(asked: &str) -> Vec<String> {
    let variables: Vec<_> = KEYS.iter().flat_map(Key::variables).collect();
    // What is told beside a variable's name is no part of it.
    let variables = variables.iter().filter_map(|variable| variable.split(' ').next());
    let names = KEYS.iter().map(|key| key.name).chain(variables);
    if let Some(nearest) = suggestion::nearest(asked, names) {
        return vec![nearest.to_owned()];
    }
    let word = asked.to_lowercase();
    let parts = KEYS.iter().filter(|key| !word.is_empty() && key.name.contains(&word));
    parts.take(8).map(|key| key.name.to_owned()).collect()
}

/// Finds the field a full name or a variable means.
fn find_field(asked: &str) -> Option<&'static Field> {
    let parts: Vec<&str> = asked.split('.').collect();
    let (fields, name) = match parts.as_slice() {
        ["plugins", _, name, ..] => (PLUGIN_FIELDS, *name),
        ["models", name] => (MODEL_FIELDS, *name),
        ["models", "also", name] => (ALSO_FIELDS, *name),
        [variable] => {
            let slot = variable.strip_prefix("LLM_PROVIDER_")?;
            let name = slot.trim_start_matches(|digit: char| digit.is_ascii_digit());
            (SLOT_FIELDS, name.strip_prefix('_')?)
        }
        _ => return None,
    };
    fields.iter().find(|field| field.head() == name)
}

fn explain_key(key: &Key) -> String {
    let effect = match key.effect {
        Effect::Now => "",
        Effect::Later => "\n  no effect yet",
    };
    let reload = if key.reloaded { "reloaded on SIGHUP" } else { "needs a restart" };
    format!(
        "{}\n  {}\n  accepted: {}\n  default: {}\n  variables: {}\n  a change: {reload}{effect}",
        key.name,
        key.text,
        key.kind.accepted(),
        key.default,
        key.variables().join(", "),
    )
}

#[cfg(test)]
mod tests;
