//! Where values come from: built-in defaults, files in order, variables. figment merges them and remembers who said what.
//!
//! Nothing is judged here beyond "is this TOML" and "is this one of our variables".

mod file;
mod variable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use self::file::File;
use self::variable::{Meaning, Variable};
use super::keys::table::KEYS;
use super::keys::{Key, Part};
use super::problem::{Findings, Origin, Problem};
use super::suggestion;
use super::value::raw::Raw;

/// Everything that was written, merged, with its origins.
pub(super) struct Sources {
    figment: Figment,
    tree: Value,
    files: Vec<File>,
    parts: Vec<PartWritten>,
    slots: BTreeMap<u8, BTreeMap<&'static str, String>>,
    environment: BTreeMap<String, String>,
}

/// A variable that sets a part of a key.
struct PartWritten {
    key: &'static Key,
    part: Part,
    variable: String,
    raw: String,
}

/// A value and where it came from.
#[derive(Clone)]
pub(super) struct Found<'a> {
    /// The value as written.
    pub(super) raw: Raw<'a>,
    /// Who wrote it.
    pub(super) origin: Origin,
}

impl Sources {
    /// Reads all files and sorts all variables. What cannot be read or is not ours goes to `findings`.
    pub(super) fn gather(
        paths: &[PathBuf],
        environment: impl Iterator<Item = (String, String)>,
        findings: &mut Findings,
    ) -> Self {
        let environment: BTreeMap<_, _> =
            environment.filter(|(_, value)| !value.is_empty()).collect();
        let mut files = Vec::new();
        for path in paths {
            match File::open(path) {
                Ok(file) => files.push(file),
                Err(problem) => findings.problem(problem),
            }
        }
        let mut figment =
            files.iter().fold(Figment::from(Defaults), |figment, file| figment.merge(file));
        let mut sorted = Sorted::new(&environment, &plugin_ids(&figment), findings);
        for variable in sorted.old.iter().chain(&sorted.ours) {
            figment = figment.merge(variable);
        }
        let tree = merged(&figment);
        sorted.parts.sort_by_key(|part| part.part == Part::Window);
        Self { figment, tree, files, parts: sorted.parts, slots: sorted.slots, environment }
    }

    /// The environment without its empty variables.
    pub(super) fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// What was written for a path of names, if anything.
    pub(super) fn find(&self, path: &[&str]) -> Option<Found<'_>> {
        let mut value = &self.tree;
        for name in path {
            value = match value.as_dict() {
                Some(dict) => dict.get(*name)?,
                None => value.as_array()?.get(name.parse::<usize>().ok()?)?,
            };
        }
        Some(self.found(value, path))
    }

    /// A value of the tree with its origin.
    fn found<'a>(&self, value: &'a Value, path: &[&str]) -> Found<'a> {
        let origin = self.origin(value, path);
        let raw = match (&origin, value.as_str()) {
            (Origin::Variable(_), Some(text)) => Raw::Variable(text),
            _ => Raw::Written(value),
        };
        Found { raw, origin }
    }

    /// The names in a table; nothing when there is no such table.
    pub(super) fn names(&self, path: &[&str]) -> Vec<String> {
        let Some(Found { raw: Raw::Written(value), .. }) = self.find(path) else {
            return Vec::new();
        };
        let numbers = value.as_array().map(|list| (0..list.len()).map(|n| n.to_string()).collect());
        let names = value.as_dict().map(|dict| dict.keys().cloned().collect());
        names.or(numbers).unwrap_or_default()
    }

    /// Parts of a key set by variables of their own: numbers before windows.
    pub(super) fn parts(&self, key: &Key) -> impl Iterator<Item = (Part, Origin, &str)> {
        self.parts.iter().filter(|written| written.key.name == key.name).map(|written| {
            (written.part, Origin::Variable(written.variable.clone()), written.raw.as_str())
        })
    }

    /// The providers of `LLM_PROVIDER_<n>_*`, each with the fields that are set.
    pub(super) fn slots(&self) -> &BTreeMap<u8, BTreeMap<&'static str, String>> {
        &self.slots
    }

    fn origin(&self, value: &Value, path: &[&str]) -> Origin {
        match self.figment.get_metadata(value.tag()).and_then(|from| from.source.as_ref()) {
            Some(Source::Custom(name)) => Origin::Variable(name.clone()),
            Some(Source::File(path_of_file)) => {
                let file = self.files.iter().find(|file| file.path == *path_of_file);
                Origin::File(path_of_file.clone(), file.and_then(|file| file.line(path)))
            }
            _ => Origin::Default,
        }
    }
}

/// Variables by what they mean.
#[derive(Default)]
struct Sorted {
    old: Vec<Variable>,
    ours: Vec<Variable>,
    parts: Vec<PartWritten>,
    slots: BTreeMap<u8, BTreeMap<&'static str, String>>,
}

impl Sorted {
    fn new(
        environment: &BTreeMap<String, String>,
        plugins: &[String],
        findings: &mut Findings,
    ) -> Self {
        let mut sorted = Self::default();
        for (name, raw) in environment {
            let variable = |path| Variable { name: name.clone(), path, raw: raw.clone() };
            let origin = || Origin::Variable(name.clone());
            match variable::meaning(name, plugins) {
                Meaning::Ours(path) => sorted.ours.push(variable(path)),
                Meaning::Old(path) => sorted.old.push(variable(path)),
                Meaning::Part(key, part) => sorted.parts.push(PartWritten {
                    key,
                    part,
                    variable: name.clone(),
                    raw: raw.clone(),
                }),
                Meaning::Slot(number, field) => {
                    sorted.slots.entry(number).or_default().insert(field, raw.clone());
                }
                Meaning::Dead(hint) => {
                    findings.warning(name, origin(), format!("has no effect here; {hint}"));
                }
                Meaning::Stray => findings.warning(name, origin(), "is no setting of the gateway"),
                Meaning::Unknown => findings.problem(unknown_variable(name)),
                Meaning::Foreign => {}
            }
        }
        sorted
    }
}

/// The problem of a variable that is named like ours and means nothing.
fn unknown_variable(name: &str) -> Problem {
    let problem = |wrong: &str| Problem::new(name, Origin::Variable(name.into()), wrong);
    if name.starts_with("LLM_PROVIDER_") {
        return problem("is no setting").accepted(
            "LLM_PROVIDER_<n>_ID, _NAME, _TYPE, _ENDPOINT, _API_KEY and _MODEL with n from 1 to 99",
        );
    }
    if name.starts_with("SLUICE_MODELS__") {
        return problem("is no setting: models are named in a file or by LLM_PROVIDER_<n>_*");
    }
    let single = |name: &str| name.replace("__", "_");
    let known: Vec<String> = KEYS.iter().map(|key| single(&key.variable())).collect();
    let meant = suggestion::nearest(&single(name), known.iter().map(String::as_str));
    let meant = KEYS.iter().map(Key::variable).find(|key| meant == Some(&single(key)));
    match meant {
        Some(meant) => problem(&format!("is no setting; did you mean {meant}?")),
        None => problem("is no setting").accepted("SLUICE_SECTION__KEY for a documented key"),
    }
}

/// The built-in defaults as figment's first source.
struct Defaults;

impl Provider for Defaults {
    fn metadata(&self) -> Metadata {
        Metadata::named("default")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let sections: BTreeSet<&str> = KEYS.iter().map(Key::section).collect();
        let mut lines = Vec::new();
        for section in sections {
            lines.push(format!("[{section}]"));
            let keys = KEYS.iter().filter(|key| key.section() == section);
            lines.extend(keys.map(|key| format!("{} = {}", key.leaf(), key.default)));
        }
        let text = lines.join("\n");
        let file = File::parse(Path::new(""), &text).map_err(|problem| problem.to_string())?;
        (&file).data()
    }
}

/// Reads one default of the table of keys.
pub(super) fn default_value(text: &str) -> Option<Value> {
    file::value(text)
}

/// The ids of the plugins that files name.
fn plugin_ids(figment: &Figment) -> Vec<String> {
    let tree = merged(figment);
    let plugins = tree.find_ref("plugins").and_then(Value::as_dict);
    plugins.map(|plugins| plugins.keys().cloned().collect()).unwrap_or_default()
}

/// The whole of what figment holds. None of our providers fails, so there is always something.
fn merged(figment: &Figment) -> Value {
    figment.find_value("").unwrap_or_else(|_| Dict::new().into())
}
