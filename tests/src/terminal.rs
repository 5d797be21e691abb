//! A terminal whose reader follows a document from top to bottom.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::{binary, patiently};

/// A shell in a folder, with `sluice` among its programs. What a script exports is there for the next one.
#[derive(Debug)]
pub struct Terminal {
    /// Programs, what was exported, and where it stands unless it was put elsewhere.
    own: TempDir,
    place: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Terminal {
    /// One in a new folder; the environment of the test itself is not passed on.
    pub fn open() -> Self {
        let own = TempDir::new().expect("a folder for the test");
        let place = own.path().join("home");
        let programs = own.path().join("bin");
        for folder in [&place, &programs] {
            fs::create_dir(folder).expect("the folder is ours");
        }
        symlink(binary(), programs.join("sluice")).expect("a link");
        let search = env::var("PATH").expect("a search path");
        let search = format!("{}:{search}", programs.display());
        Self { own, place, variables: [("PATH".to_owned(), search)].into() }
    }

    /// One in that folder.
    pub fn at(place: &Path) -> Self {
        Self { place: place.to_owned(), ..Self::open() }
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// The folder it stands in.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Prepares a program, in this folder and with these variables.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.variables).current_dir(&self.place).kill_on_drop(true);
        command
    }

    /// Runs a script, which has to succeed in each of its commands, and keeps what it exports.
    pub async fn run(&mut self, script: &str) -> Output {
        let exported = self.own.path().join("exported");
        let mut command = self.command("sh");
        command.args(["-euc", &format!("{script}\nenv -0 > '{}'", exported.display())]);
        let output = patiently(script, command.output()).await.expect("a shell");
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&said));
        let text = fs::read_to_string(&exported).expect("text");
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        self.variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        output
    }

    /// Starts a gateway by that line, waits until it is ready, and stops it.
    pub async fn serve(&self, line: &str) {
        let mut command = self.command("sh");
        command.args(["-euc", &format!("exec {line}")]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = patiently("the gateway to be ready", lines.next_line()).await.expect("text");
        assert!(ready.is_some_and(|ready| ready.contains("\"ready\":true")), "{line}");
        let id = child.id().expect("still running").cast_signed();
        kill(Pid::from_raw(id), Signal::SIGTERM).expect("signalled");
        let ended = patiently("the gateway to end", child.wait()).await.expect("waited for");
        assert!(ended.success(), "{line}: {ended}");
    }
}
