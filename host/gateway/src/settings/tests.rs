//! What [`load`] makes of whole configurations.

mod canary;
mod file;
mod notify;
mod provider;
mod validation;
mod variable;
mod wrong;

use std::path::PathBuf;

use super::*;

/// A secret no rule complains about.
const GOOD: &str = "9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB";

/// One model and the plugin behind it.
const ECHO: &str = "
[plugins.echo]
source = \"bundled:echo\"
[[models]]
id = \"echo\"
plugin = \"echo\"
";

/// A configuration under test: files and variables.
#[derive(Default)]
struct Configuration {
    files: Vec<(&'static str, String)>,
    variables: Vec<(String, String)>,
}

/// What came of it, with the files' folder cut out of all messages.
type Loaded = Result<(Settings, Vec<String>), Vec<String>>;

impl Configuration {
    /// Nothing at all.
    fn empty() -> Self {
        Self::default()
    }

    /// The least that works: a secret and a model.
    fn working() -> Self {
        Self::empty().variable("JWT_SECRET", GOOD).file("base.toml", ECHO)
    }

    fn file(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.push((name, text.into()));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn load(self) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let mut paths: Vec<PathBuf> = Vec::new();
        for (name, text) in self.files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            paths.push(path);
        }
        let cut = format!("{}/", folder.path().display());
        let lines = |text: String| text.replace(&cut, "").lines().map(Into::into).collect();
        match load(&paths, self.variables.into_iter()) {
            Ok(Configured { settings, warnings, effective: _ }) => {
                Ok((settings, warnings.iter().map(|w| w.to_string().replace(&cut, "")).collect()))
            }
            Err(problems) => Err(lines(problems.to_string())),
        }
    }

    /// Loads what must be good and free of warnings.
    fn settings(self) -> Settings {
        let (settings, warnings) = self.load().unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(warnings, Vec::<String>::new());
        settings
    }

    /// Loads what must be bad.
    fn problems(self) -> Vec<String> {
        self.load().expect_err("there is a problem")
    }

    /// Loads what must be good and returns what it warns of.
    fn warnings(self) -> Vec<String> {
        self.load().unwrap_or_else(|problems| panic!("{problems:#?}")).1
    }
}
