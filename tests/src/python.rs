//! A vendor's own client in Python, as `cargo sluice` fetches it.

use std::{env, fmt::Write as _, fs, path::PathBuf, process::Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{Gateway, patiently, root, target};

/// A running script of `tests/tools`. It ends with the standard input it was given.
#[derive(Debug)]
pub struct Python {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Python {
    /// Whether the packages are there, and if not, how to get them.
    pub fn is_fetched() -> Result<(), String> {
        packages().map(|_| ()).ok_or_else(|| "not fetched; run: cargo sluice test".to_owned())
    }

    /// Starts OpenAI's client as `user` of a gateway, to do these things one after the other.
    pub fn openai(gateway: &Gateway, user: &str, things: &[&str]) -> Self {
        let python = env::var_os("SLUICE_PYTHON").unwrap_or_else(|| "python3".into());
        let mut child = Command::new(python)
            .arg(root().join("tests/tools/openai_client.py"))
            .args(things)
            .env("PYTHONPATH", packages().expect("asked before"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("OPENAI_BASE_URL", format!("http://{}/v1", gateway.address()))
            .env("OPENAI_API_KEY", gateway.token(user))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
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

/// The folder with the clients in it: what the tool says, or where it puts it.
fn packages() -> Option<PathBuf> {
    let told = env::var_os("SLUICE_PYTHON_PACKAGES").map(PathBuf::from);
    let folder = told.unwrap_or_else(|| {
        let list = fs::read(root().join("tests/tools/python.txt")).expect("the list is ours");
        let mut name = String::from("python-");
        for byte in &Sha256::digest(list)[..6] {
            write!(name, "{byte:02x}").expect("a text takes anything");
        }
        target().join("tools").join(name)
    });
    folder.join("openai").is_dir().then_some(folder)
}
