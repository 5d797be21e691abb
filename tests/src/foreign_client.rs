//! Clients that others wrote, in the languages they come in, as `cargo sluice` fetches them.

use std::{env, fmt::Write as _, fs, path::PathBuf, process::Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{Gateway, patiently, root, target};

/// Somebody's client for the interface of OpenAI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// OpenAI's own for Python.
    OpenAiPython,
    /// OpenAI's own for JavaScript.
    OpenAiJavaScript,
    /// Vercel's AI SDK, for JavaScript.
    AiSdk,
    /// `LangChain`, for Python.
    LangChain,
    /// The command `llm`, in Python.
    Llm,
}

/// How what is fetched for a language is found and run.
struct Language {
    program: (&'static str, &'static str),
    /// What tells the program where its packages are.
    looks_in: &'static str,
    /// What tells tests where the packages are.
    told: &'static str,
    list: &'static str,
    kind: &'static str,
    inside: &'static str,
}

const PYTHON: Language = Language {
    program: ("SLUICE_PYTHON", "python3"),
    looks_in: "PYTHONPATH",
    told: "SLUICE_PYTHON_PACKAGES",
    list: "python.txt",
    kind: "python",
    inside: "openai",
};

const JAVA_SCRIPT: Language = Language {
    program: ("SLUICE_NODE", "node"),
    looks_in: "NODE_PACKAGES",
    told: "SLUICE_NODE_PACKAGES",
    list: "node.json",
    kind: "node",
    inside: "node_modules/openai",
};

impl Library {
    fn language(self) -> Language {
        match self {
            Self::OpenAiPython | Self::LangChain | Self::Llm => PYTHON,
            Self::OpenAiJavaScript | Self::AiSdk => JAVA_SCRIPT,
        }
    }

    /// The script of `tests/tools` that speaks through it.
    fn script(self) -> &'static str {
        match self {
            Self::OpenAiPython => "openai_client.py",
            Self::OpenAiJavaScript => "openai_client.mjs",
            Self::AiSdk => "ai_sdk_client.mjs",
            Self::LangChain => "langchain_client.py",
            Self::Llm => "llm_client.py",
        }
    }
}

/// A running script of `tests/tools`. It ends with the standard input it was given.
#[derive(Debug)]
pub struct ForeignClient {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl ForeignClient {
    /// Whether the packages are there, and if not, how to get them.
    pub fn is_fetched(library: Library) -> Result<(), String> {
        let found = packages(&library.language()).map(|_| ());
        found.ok_or_else(|| "not fetched; run: cargo sluice test".to_owned())
    }

    /// Starts the client as `user` of a gateway, to do these things one after the other.
    pub fn start(library: Library, gateway: &Gateway, user: &str, things: &[&str]) -> Self {
        let language = library.language();
        let packages = packages(&language).expect("asked before");
        let (told, else_called) = language.program;
        let mut child = Command::new(env::var_os(told).unwrap_or_else(|| else_called.into()))
            .arg(root().join("tests/tools").join(library.script()))
            .args(things)
            .env(language.looks_in, packages)
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

/// The folder with the packages of a language in it: what the tool says, or where it puts it.
fn packages(language: &Language) -> Option<PathBuf> {
    let ours = || {
        let list = root().join("tests/tools").join(language.list);
        let list = fs::read(list).expect("the list is ours");
        let mut name = format!("{}-", language.kind);
        for byte in &Sha256::digest(list)[..6] {
            write!(name, "{byte:02x}").expect("a text takes anything");
        }
        target().join("tools").join(name)
    };
    let folder = env::var_os(language.told).map_or_else(ours, PathBuf::from);
    folder.join(language.inside).is_dir().then_some(folder)
}
