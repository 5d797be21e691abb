//! The gateway as a child process: started, waited for, stopped.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::data;
use super::provider::Variables;
use crate::problem::Problem;

/// How to start a gateway.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) binary: &'a Path,
    /// Its working directory: relative paths in the configuration begin here.
    pub(super) root: &'a Path,
    pub(super) config: &'a Path,
    pub(super) variables: &'a Variables,
    /// Where its log goes; replaced.
    pub(super) log: &'a Path,
}

/// The line it prints when it is ready, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) address: String,
    #[serde(default = "usual_prefix")]
    pub(super) path_prefix: String,
    /// Ids of the models it offers.
    #[serde(default)]
    pub(super) models: Vec<String>,
}

fn usual_prefix() -> String {
    "/chatbox".to_owned()
}

/// A gateway that answers. Dropping it kills it; [`Gateway::stop`] lets it finish.
#[derive(Debug)]
pub(super) struct Gateway {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    pub(super) ready: Ready,
}

impl Gateway {
    /// Starts it and waits until it is ready.
    pub(super) async fn start(launch: &Launch<'_>) -> Result<Self, Problem> {
        let failed = || Problem::internal("the gateway cannot be started");
        let log = data::new_log(launch.log).map_err(|source| failed().because(source))?;
        let mut child = command(launch)
            .arg("serve")
            .arg("--config")
            .arg(launch.config)
            // Ctrl-C is for us; the gateway gets its own signal, once.
            .process_group(0)
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|source| failed().because(source))?;
        let mut said = BufReader::new(child.stdout.take().ok_or_else(failed)?).lines();
        while let Some(line) = said.next_line().await.map_err(|source| failed().because(source))? {
            if let Ok(ready) = serde_json::from_str(&line) {
                return Ok(Self { child, said, ready });
            }
        }
        child.wait().await.map_err(|source| failed().because(source))?;
        Err(failed().because(data::last_lines(launch.log, 20)))
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) -> Option<ExitStatus> {
        // What else it says on its standard output is for programs; reading keeps it from blocking.
        while let Ok(Some(_)) = self.said.next_line().await {}
        self.child.wait().await.ok()
    }

    /// Asks it to finish; it lets running answers end.
    pub(super) fn stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            // Gone already is what was wanted.
            signal::kill(Pid::from_raw(pid), signal).ok();
        }
    }
}

/// Has the gateway's binary make a token that this gateway accepts.
pub(super) async fn token(launch: &Launch<'_>) -> Result<String, Problem> {
    let failed = || Problem::internal("no development token could be made");
    let made = command(launch)
        .args(["token", "--user", "dev", "--name", "Developer", "--ttl", "12h", "--config"])
        .arg(launch.config)
        .output()
        .await
        .map_err(|source| failed().because(source))?;
    if !made.status.success() {
        return Err(failed().because(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
    }
    let said = String::from_utf8_lossy(&made.stdout);
    said.split_whitespace().last().map(str::to_owned).ok_or_else(failed)
}

fn command(launch: &Launch<'_>) -> Command {
    let mut command = Command::new(launch.binary);
    command.current_dir(launch.root).envs(launch.variables).stdin(Stdio::null());
    command
}
