//! One table of `[plugins.ID]` or `[[models]]`, read field by field.
//!
//! Knows how to report; what a field may hold is said by the caller's reader.

use crate::settings::keys::field::Field;
use crate::settings::problem::{Findings, Origin, Problem};
use crate::settings::sources::Sources;
use crate::settings::suggestion;
use crate::settings::value::raw::{Raw, WrongType};

/// A table whose fields are known.
pub(super) struct Fields<'a> {
    sources: &'a Sources,
    path: Vec<&'a str>,
    /// What the table is called in messages.
    label: String,
    known: &'static [Field],
    /// Where the table begins.
    pub(super) origin: Origin,
}

impl<'a> Fields<'a> {
    /// Opens the table at `path` and reports fields it should not have. `None`, and a problem, when it is no table.
    pub(super) fn open(
        sources: &'a Sources,
        path: Vec<&'a str>,
        label: String,
        known: &'static [Field],
        findings: &mut Findings,
    ) -> Option<Self> {
        let found = sources.find(&path)?;
        if !found.raw.is_table() {
            findings.problem(Problem::new(&label, found.origin, "is not a table"));
            return None;
        }
        let fields = Self { sources, path, label, known, origin: found.origin };
        for name in sources.names(&fields.path) {
            if !known.iter().any(|field| field.head() == name) {
                let meant = suggestion::nearest(&name, known.iter().map(Field::head));
                let wrong = match meant {
                    Some(meant) => format!("is no setting; did you mean {meant}?"),
                    None => "is no setting".into(),
                };
                let accepted = known.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
                findings.problem(fields.wrong(&name, wrong).accepted(accepted));
            }
        }
        Some(fields)
    }

    /// Reads a field. `None` when it is not set, is an empty string, or was wrong, which is reported.
    pub(super) fn get<T>(
        &self,
        name: &str,
        findings: &mut Findings,
        read: impl FnOnce(Raw<'a>) -> Result<T, String>,
    ) -> Option<T> {
        let path: Vec<&str> = self.path.iter().copied().chain(name.split('.')).collect();
        let found = self.sources.find(&path)?;
        if found.raw.text() == Ok("") {
            return None;
        }
        match read(found.raw) {
            Ok(value) => Some(value),
            Err(wrong) => {
                findings.problem(self.wrong(name, wrong).accepted(self.accepted(name)));
                None
            }
        }
    }

    /// Reads a field that must be there; its absence is reported.
    pub(super) fn required<T>(
        &self,
        name: &str,
        findings: &mut Findings,
        read: impl FnOnce(Raw<'a>) -> Result<T, String>,
    ) -> Option<T> {
        let mut set = false;
        let value = self.get(name, findings, |raw| {
            set = true;
            read(raw)
        });
        if !set {
            let problem = self.wrong(name, "is required".into());
            findings.problem(problem.accepted(self.accepted(name)));
        }
        value
    }

    /// The names in a table of this table. Reports it when it is something else.
    pub(super) fn names(&self, name: &str, findings: &mut Findings) -> Vec<String> {
        let path: Vec<&str> = self.path.iter().copied().chain([name]).collect();
        match self.sources.find(&path).map(|found| found.raw) {
            None => Vec::new(),
            Some(raw) if raw.is_table() => self.sources.names(&path),
            Some(_) => {
                findings.problem(self.wrong(name, "is not a table".into()));
                Vec::new()
            }
        }
    }

    /// Whether a field was written at all.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let path: Vec<&str> = self.path.iter().copied().chain([name]).collect();
        self.sources.find(&path).is_some()
    }

    /// A problem of a field, at the place it was written.
    pub(super) fn wrong(&self, name: &str, wrong: String) -> Problem {
        Problem::new(&self.full(name), self.origin_of(name), wrong)
    }

    /// Where a field was written; the table itself when it was not.
    pub(super) fn origin_of(&self, name: &str) -> Origin {
        let path: Vec<&str> = self.path.iter().copied().chain(name.split('.')).collect();
        self.sources.find(&path).map_or_else(|| self.origin.clone(), |found| found.origin)
    }

    /// The full name of a field in messages.
    pub(super) fn full(&self, name: &str) -> String {
        format!("{}.{name}", self.label)
    }

    fn accepted(&self, name: &str) -> &'static str {
        let head = name.split_once('.').map_or(name, |(head, _)| head);
        self.known.iter().find(|field| field.head() == head).map_or("", |field| field.accepted)
    }
}

/// Reads text of bounded length.
pub(super) fn text(most: usize) -> impl Fn(Raw<'_>) -> Result<String, String> {
    move |raw| {
        let text = raw.text().map_err(type_wrong)?;
        if text.len() > most {
            Err(format!("is {} bytes long", text.len()))
        } else {
            Ok(text.into())
        }
    }
}

/// Reads a list of words.
pub(super) fn words(raw: Raw<'_>) -> Result<Vec<String>, String> {
    Ok(raw.words().map_err(type_wrong)?.into_iter().map(Into::into).collect())
}

/// The complaint about a wrong type.
pub(super) fn type_wrong(WrongType(found): WrongType) -> String {
    format!("has the wrong type, {found}")
}
