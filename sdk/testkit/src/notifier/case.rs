//! The case of a notifier, read: what it is told.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    case::{CaseError, described, recordings},
    recording::Recording,
    subject::Circumstances,
};

/// One case of a notifier: a notice, and what its receiver may answer.
///
/// ```toml
/// about = "A call for help pages whoever is on call."
///
/// [settings]
/// team = "support"
///
/// [notice]                                            # all of it may be left out: a user's call for help
/// kind = "provider_down"
/// severity = "warning"
/// about = { provider = "one" }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NotifierCase {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is about.
    pub about: String,
    /// What the notifier is told first. `now_ms` in `case.toml`, 0 unless given.
    pub circumstances: Circumstances,
    /// What somebody is to be told.
    pub notice: News,
    /// What the receiver may answer, each by itself.
    pub answers: Vec<Recording>,
}

/// What a case tells: a user's call for help at its first try, unless it says more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct News {
    /// The same at every try.
    pub id: String,
    /// What happened, in a word.
    pub kind: String,
    /// How much it matters.
    pub severity: Severity,
    /// In one line.
    pub title: String,
    /// In a sentence.
    pub text: String,
    /// What it is about.
    pub about: BTreeMap<String, String>,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which try it is, from 1.
    pub attempt: u32,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Default for News {
    fn default() -> Self {
        let about = [("user_id", "ada"), ("session_id", "s1")];
        Self {
            id: "n1".to_owned(),
            kind: "help_request".to_owned(),
            severity: Severity::Critical,
            title: "Help Request - User ada".to_owned(),
            text: "User ada asks for help in session s1.".to_owned(),
            about: about.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            at_ms: 0,
            attempt: 1,
        }
    }
}

/// The file `case.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    about: String,
    #[serde(default)]
    now_ms: u64,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    notice: News,
}

impl NotifierCase {
    /// Reads the case in this folder.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, CaseError> {
        let folder = folder.as_ref().to_owned();
        let Description { about, now_ms, settings, notice } = described(&folder)?;
        let answers = recordings(&folder)?;
        let circumstances = Circumstances { settings, now_ms, seed: 0 };
        Ok(Self { folder, about, circumstances, notice, answers })
    }
}
