//! The files of a new crate, and the blanks in them.

use std::path::Path;

use crate::problem::Problem;

/// Files by name; `{{…}}` is filled in.
pub(super) type Template = &'static [(&'static str, &'static str)];

/// A provider for a small invented dialect, with one recorded case.
pub(super) const PROVIDER: Template = &[
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    ("README.md", include_str!("../../template/provider/README.md.in")),
    (".gitignore", "/target\n"),
    ("src/lib.rs", include_str!("../../template/provider/lib.rs.in")),
    ("tests/cases.rs", include_str!("../../template/provider/cases.rs.in")),
    ("cases/hello/case.toml", include_str!("../../template/provider/cases/hello/case.toml")),
    (
        "cases/hello/request-1.json",
        include_str!("../../template/provider/cases/hello/request-1.json"),
    ),
    (
        "cases/hello/exchange-1.http",
        include_str!("../../template/provider/cases/hello/exchange-1.http"),
    ),
    ("cases/hello/expect.jsonl", include_str!("../../template/provider/cases/hello/expect.jsonl")),
];

/// A policy that refuses messages with certain words, with a case of each verdict.
pub(super) const POLICY: Template = &[
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    ("README.md", include_str!("../../template/policy/README.md.in")),
    (".gitignore", "/target\n"),
    ("src/lib.rs", include_str!("../../template/policy/lib.rs.in")),
    ("tests/cases.rs", include_str!("../../template/policy/cases.rs.in")),
    ("cases/polite/case.toml", include_str!("../../template/policy/cases/polite/case.toml")),
    ("cases/polite/expect.jsonl", include_str!("../../template/policy/cases/polite/expect.jsonl")),
    ("cases/rude/case.toml", include_str!("../../template/policy/cases/rude/case.toml")),
    ("cases/rude/expect.jsonl", include_str!("../../template/policy/cases/rude/expect.jsonl")),
];

/// A notifier that sends a small JSON body, with a case of it.
pub(super) const NOTIFIER: Template = &[
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    ("README.md", include_str!("../../template/notifier/README.md.in")),
    (".gitignore", "/target\n"),
    ("src/lib.rs", include_str!("../../template/notifier/lib.rs.in")),
    ("tests/cases.rs", include_str!("../../template/notifier/cases.rs.in")),
    ("cases/help/case.toml", include_str!("../../template/notifier/cases/help/case.toml")),
    (
        "cases/help/exchange-1.http",
        include_str!("../../template/notifier/cases/help/exchange-1.http"),
    ),
    ("cases/help/expect.jsonl", include_str!("../../template/notifier/cases/help/expect.jsonl")),
];

/// What a plugin is called, in the spellings that its files need.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// `acme-chat`: package and plugin id.
    id: String,
    /// `acme_chat`: crate.
    krate: String,
    /// `AcmeChat`: type.
    r#type: String,
}

impl Names {
    /// Takes the names from the folder's.
    pub(super) fn of(path: &Path) -> Result<Self, Problem> {
        let id = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_good = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.len() <= 64
            && id.split('-').all(|word| {
                !word.is_empty()
                    && word
                        .chars()
                        .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            });
        if !is_good {
            let what = format!("`{id}` cannot be a plugin's id: lower-case words joined by `-`");
            return Err(Problem::usage(what).mend("a name like `acme` or `acme-chat`"));
        }
        let r#type = id.split('-').map(capitalized).collect();
        Ok(Self { id: id.to_owned(), krate: id.replace('-', "_"), r#type })
    }

    /// Fills the blanks of a file.
    pub(super) fn fill(&self, text: &str, sdk: &Path) -> String {
        // A TOML basic string: a folder may have any name.
        let folder = |name: &str| {
            let path = sdk.join(name).display().to_string();
            path.replace('\\', "\\\\").replace('"', "\\\"")
        };
        text.replace("{{id}}", &self.id)
            .replace("{{crate}}", &self.krate)
            .replace("{{type}}", &self.r#type)
            .replace("{{sdk}}", &folder("rust"))
            .replace("{{testkit}}", &folder("testkit"))
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_come_from_the_folder() {
        let names = Names::of(Path::new("work/acme-chat")).expect("names");

        assert_eq!(
            names.fill("{{id}} {{crate}} {{type}} {{sdk}}", Path::new("/s d\"k")),
            "acme-chat acme_chat AcmeChat /s d\\\"k/rust"
        );
    }

    #[test]
    fn what_cannot_be_an_id_is_refused() {
        for name in ["Acme", "acme_chat", "-acme", "acme--chat", "9lives", "..", "/"] {
            assert!(Names::of(Path::new(name)).is_err(), "{name}");
        }
    }
}
