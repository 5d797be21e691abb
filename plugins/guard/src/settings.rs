//! What operators say is to be looked for.

use serde::Deserialize;

use crate::patterns::{Patterns, Then};

/// Settings of the plugin. Without any, all formats are replaced in both directions.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Settings {
    /// What is looked for.
    pub(crate) patterns: Patterns,
    /// Whether in what users write.
    pub(crate) input: bool,
    /// Whether in what models say.
    pub(crate) output: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self::try_from(Written::default()).expect("the formats are patterns")
    }
}

/// As they are written.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    formats: Vec<Format>,
    patterns: Vec<Own>,
    input: bool,
    output: bool,
}

impl Default for Written {
    fn default() -> Self {
        let formats = vec![Format::Email, Format::Phone, Format::Card, Format::Key];
        Self { formats, patterns: Vec::new(), input: true, output: true }
    }
}

/// What is known by its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    Email,
    Phone,
    Card,
    Key,
}

/// A pattern of the operator's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    name: String,
    regex: String,
    #[serde(default)]
    then: OwnThen,
    /// What a user reads who is refused.
    text: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OwnThen {
    #[default]
    Redact,
    Deny,
}

impl TryFrom<Written> for Settings {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { formats, patterns, input, output } = written;
        let own = patterns.into_iter().map(|own| {
            let text = own.text.unwrap_or_else(|| "This text is not allowed here.".to_owned());
            let then = match own.then {
                OwnThen::Redact => Then::Redact(format!("[{}]", own.name)),
                OwnThen::Deny => Then::Deny { code: own.name.clone(), text },
            };
            (own.name, own.regex, then)
        });
        Ok(Self { patterns: Patterns::new(&formats, own.collect())?, input, output })
    }
}
