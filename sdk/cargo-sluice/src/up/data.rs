//! The data directory of a checkout: its development secret, the lock that keeps a second `up`
//! away, and what a running one says about itself. All of it is for this user's eyes only.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// The directory, mode 0700.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
}

/// Held while a gateway of this checkout runs; the system lets go of it when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    state: PathBuf,
}

/// What a running `up` says about itself.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    /// `http://127.0.0.1:8080/chatbox`.
    pub(crate) url: String,
    pub(crate) token: String,
}

impl DataDirectory {
    /// Opens `root/data`, making it if it is not there.
    pub(crate) fn open(root: &Path) -> Result<Self, Problem> {
        let path = root.join("data");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o700)))
            .map_err(|source| problem("made", &path).because(source))?;
        Ok(Self { path })
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the lock, or names the `up` that holds it.
    pub(crate) fn lock(&self) -> Result<Lock, Problem> {
        let path = self.path.join("up.lock");
        let mut file = private()
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| problem("opened", &path).because(source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.held()),
            Err(TryLockError::Error(source)) => {
                return Err(problem("locked", &path).because(source));
            }
        }
        // The number is for people who look; the lock does not depend on it.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).ok();
        Ok(Lock { _file: file, state: self.path.join(STATE) })
    }

    fn held(&self) -> Problem {
        match running(&self.path) {
            Some(Running { pid, url, .. }) => Problem::usage(format!(
                "a gateway of this checkout runs already, at {url} (process {pid})"
            ))
            .mend("stop it there with Ctrl-C, or talk to it with `cargo sluice chat`"),
            None => Problem::usage("another `cargo sluice up` of this checkout is just starting"),
        }
    }

    /// The installation's own random secret, made when first asked for.
    pub(crate) fn secret(&self) -> Result<String, Problem> {
        let path = self.path.join("development-secret");
        match private().create_new(true).open(&path) {
            Ok(mut file) => {
                let secret = random_hex();
                file.write_all(secret.as_bytes())
                    .map_err(|source| problem("written", &path).because(source))?;
                Ok(secret)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                fs::set_permissions(&path, Permissions::from_mode(0o600))
                    .and_then(|()| fs::read_to_string(&path))
                    .map_err(|source| problem("read", &path).because(source))
            }
            Err(source) => Err(problem("made", &path).because(source)),
        }
    }

    /// Tells others of this user what runs.
    pub(crate) fn announce(&self, running: &Running) -> Result<(), Problem> {
        let path = self.path.join(STATE);
        let said = serde_json::to_string(running)
            .map_err(|source| problem("written", &path).because(source))?;
        private()
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut file| file.write_all(said.as_bytes()))
            .map_err(|source| problem("written", &path).because(source))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A leftover would only name a gateway that does not answer.
        fs::remove_file(&self.state).ok();
    }
}

const STATE: &str = "up.json";

/// What runs according to the data directory at `path`.
pub(crate) fn running(path: &Path) -> Option<Running> {
    serde_json::from_str(&fs::read_to_string(path.join(STATE)).ok()?).ok()
}

/// The `up` running in the checkout that `folder` is in.
pub(crate) fn running_around(folder: &Path) -> Option<Running> {
    let folder = folder.canonicalize().ok()?;
    folder.ancestors().find_map(|folder| running(&folder.join("data")))
}

/// An empty log, whatever was in it.
pub(super) fn new_log(path: &Path) -> std::io::Result<File> {
    private().create(true).truncate(true).open(path)
}

/// The end of a log, for whoever asks why.
pub(crate) fn last_lines(log: &Path, count: usize) -> String {
    let mut text = String::new();
    // No log, no lines.
    File::open(log).and_then(|mut file| file.read_to_string(&mut text)).ok();
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn random_hex() -> String {
    loop {
        let bytes: [u8; 32] = rand::random();
        let hex = crate::component::hex_sha256(&bytes);
        // A gateway takes no secret with this in it.
        if !hex.contains("12345") {
            return hex;
        }
    }
}

fn problem(done: &str, path: &Path) -> Problem {
    Problem::internal(format!("{} cannot be {done}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    fn some_running() -> Running {
        Running { pid: 7, url: "http://127.0.0.1:1/chatbox".to_owned(), token: "t".to_owned() }
    }

    #[test]
    fn the_secret_is_random_kept_and_private() {
        let (one, other) = (tempfile::tempdir().expect("a"), tempfile::tempdir().expect("b"));
        let data = DataDirectory::open(one.path()).expect("a directory");

        let secret = data.secret().expect("a secret");

        assert_eq!(secret.len(), 64);
        assert_eq!(data.secret().expect("the same"), secret);
        assert_eq!(mode(&data.file("")), 0o700);
        assert_eq!(mode(&data.file("development-secret")), 0o600);
        let elsewhere = DataDirectory::open(other.path()).expect("a directory");
        assert_ne!(elsewhere.secret().expect("a secret"), secret);
    }

    #[test]
    fn a_second_up_is_refused_and_told_where_the_first_is() {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDirectory::open(root.path()).expect("a directory");
        let held = data.lock().expect("the lock");
        data.announce(&some_running()).expect("the state");

        let refused = data.lock().expect_err("the lock is held").to_string();

        assert!(refused.contains("http://127.0.0.1:1/chatbox (process 7)"), "{refused}");
        drop(held);
        assert!(data.lock().is_ok());
    }

    #[test]
    fn what_runs_is_found_from_inside_the_checkout_until_it_ends() {
        let root = tempfile::tempdir().expect("a folder");
        let inside = root.path().join("plugins/echo");
        fs::create_dir_all(&inside).expect("a folder");
        let data = DataDirectory::open(root.path()).expect("a directory");
        let lock = data.lock().expect("the lock");
        data.announce(&some_running()).expect("the state");

        assert_eq!(running_around(&inside), Some(some_running()));
        assert_eq!(mode(&data.file(STATE)), 0o600);

        drop(lock);
        assert_eq!(running_around(&inside), None);
    }

    #[test]
    fn the_last_lines_of_a_log_are_its_end() {
        let root = tempfile::tempdir().expect("a folder");
        let log = root.path().join("log");
        fs::write(&log, "one\ntwo\nthree\n").expect("a file");

        assert_eq!(last_lines(&log, 2), "two\nthree");
        assert_eq!(last_lines(&root.path().join("none"), 2), "");
    }
}
