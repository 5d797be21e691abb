//! OpenAI's own clients, in the languages they come in, as `cargo sluice` fetches them.

use std::{env, fmt::Write as _, fs, path::PathBuf, process::Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{Gateway, patiently, root, target};

/// A language there is a client for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The package `openai` for Python.
    Python,
    /// The package `openai` for Node.js.
    JavaScript,
}

/// A running script of `tests/tools`. It ends with the standard input it was given.
#[derive(Debug)]
pub struct OpenAiClient {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl OpenAiClient {
    /// Whether the packages are there, and if not, how to get them.
    pub fn is_fetched(language: Language) -> Result<(), String> {
        let found = packages(language).map(|_| ());
        found.ok_or_else(|| "not fetched; run: cargo sluice test".to_owned())
    }

    /// Starts the client as `user` of a gateway, to do these things one after the other.
    pub fn start(language: Language, gateway: &Gateway, user: &str, things: &[&str]) -> Self {
        let packages = packages(language).expect("asked before");
        let (program, script, variable) = match language {
            Language::Python => (("SLUICE_PYTHON", "python3"), "openai_client.py", "PYTHONPATH"),
            Language::JavaScript => (("SLUICE_NODE", "node"), "openai_client.mjs", "NODE_PACKAGES"),
        };
        let mut child = Command::new(env::var_os(program.0).unwrap_or_else(|| program.1.into()))
            .arg(root().join("tests/tools").join(script))
            .args(things)
            .env(variable, packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("OPENAI_BASE_URL", format!("http://{}/v1", gateway.address()))
            .env("OPENAI_API_KEY", gateway.token(user))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the language's program starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { lines, _child: child }
    }

    /// What came of the next thing.
    pub async fn next(&mut self) -> Value {
        let line = patiently("a line of the script", self.lines.next_line()).await;
        let line = line.expect("text").expect("the script goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
    }
}

/// The folder with the client in it: what the tool says, or where it puts it.
fn packages(language: Language) -> Option<PathBuf> {
    let (told, list, kind, inside) = match language {
        Language::Python => ("SLUICE_PYTHON_PACKAGES", "python.txt", "python", "openai"),
        Language::JavaScript => {
            ("SLUICE_NODE_PACKAGES", "node.json", "node", "node_modules/openai")
        }
    };
    let ours = || {
        let list = fs::read(root().join("tests/tools").join(list)).expect("the list is ours");
        let mut name = format!("{kind}-");
        for byte in &Sha256::digest(list)[..6] {
            write!(name, "{byte:02x}").expect("a text takes anything");
        }
        target().join("tools").join(name)
    };
    let folder = env::var_os(told).map_or_else(ours, PathBuf::from);
    folder.join(inside).is_dir().then_some(folder)
}
