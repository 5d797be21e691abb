//! Where written secrets lead: to themselves, to a variable (`env:VAR`) or to a file (`file:PATH`).
//!
//! Answers name the variable or the file, never what was in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use super::Secret;
use super::strength::is_placeholder;

/// Longest secret, and most that is read of a file.
const MOST_BYTES: u64 = 64 * 1024;

/// Follows secrets to their place. Holds the environment it was given; reads no other.
pub(crate) struct Vault<'a> {
    environment: &'a BTreeMap<String, String>,
}

/// Why there is no secret to be had.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Locked {
    /// What follows `env:` is no name of a variable, so it is not repeated here.
    #[error("names no variable after env:")]
    Name,
    /// The variable does not exist or is empty.
    #[error("names the variable {0}, which is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("names the file {path}, which cannot be read ({kind})")]
    Unreadable {
        /// As it was written.
        path: String,
        /// Why.
        kind: io::ErrorKind,
    },
    /// The file is empty, too long or no text.
    #[error("names the file {0}, which does not hold one line of text")]
    Unfit(String),
    /// A template's text was left in place.
    #[error("is still a placeholder")]
    Placeholder,
}

impl<'a> Vault<'a> {
    /// A vault over the environment of this process.
    pub(crate) fn new(environment: &'a BTreeMap<String, String>) -> Self {
        Self { environment }
    }

    /// Follows one written secret. `None` when nothing was written.
    pub(crate) fn open(&self, written: &str) -> Result<Option<Secret>, Locked> {
        let text = if let Some(name) = written.strip_prefix("env:") {
            self.variable(name)?
        } else if let Some(path) = written.strip_prefix("file:") {
            contents(path)?
        } else {
            written.into()
        };
        if is_placeholder(&text) {
            return Err(Locked::Placeholder);
        }
        Ok((!text.is_empty()).then(|| Secret::new(text)))
    }

    fn variable(&self, name: &str) -> Result<String, Locked> {
        let named = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !named {
            return Err(Locked::Name);
        }
        let found = self.environment.get(name).filter(|value| !value.is_empty());
        found.cloned().ok_or_else(|| Locked::Unset(name.into()))
    }
}

/// Reads a file of one secret, without the line end that editors leave.
fn contents(path: &str) -> Result<String, Locked> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| Locked::Unreadable { path: path.into(), kind: error.kind() })?;
    let fits = text.len() as u64 <= MOST_BYTES;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || !fits {
        return Err(Locked::Unfit(path.into()));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> BTreeMap<String, String> {
        [("KEY", "sk-1"), ("NOTHING", ""), ("LEFT", "YOUR-KEY")]
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    }

    #[test]
    fn a_secret_is_followed_to_its_variable_or_file() {
        let environment = environment();
        let vault = Vault::new(&environment);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "sk-2\r\n").unwrap();

        let open = |written: &str| vault.open(written).unwrap().map(|s| s.expose().to_owned());
        assert_eq!(open("sk-0").as_deref(), Some("sk-0"));
        assert_eq!(open("env:KEY").as_deref(), Some("sk-1"));
        assert_eq!(open(&format!("file:{}", path.display())).as_deref(), Some("sk-2"));
        assert_eq!(open(""), None);
    }

    #[test]
    fn a_place_without_a_secret_is_named() {
        let environment = environment();
        let vault = Vault::new(&environment);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        std::fs::write(&path, "\n").unwrap();
        let path = path.display().to_string();

        assert_eq!(vault.open("env:MISSING"), Err(Locked::Unset("MISSING".into())));
        assert_eq!(vault.open("env:NOTHING"), Err(Locked::Unset("NOTHING".into())));
        assert_eq!(vault.open("env:not a name"), Err(Locked::Name));
        assert_eq!(vault.open("env:LEFT"), Err(Locked::Placeholder));
        assert_eq!(vault.open(&format!("file:{path}")), Err(Locked::Unfit(path)));
        assert_eq!(
            vault.open("file:/no/such/file"),
            Err(Locked::Unreadable { path: "/no/such/file".into(), kind: io::ErrorKind::NotFound })
        );
    }
}
