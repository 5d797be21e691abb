//! A case folder, read. No plugin is known here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    chat::Chat,
    recording::{Recording, TransportFailure},
    subject::Circumstances,
};

/// Why a case cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file is missing or cannot be read or written.
    #[error("cannot access {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `case.toml` is not what it should be.
    #[error("{} is no case", .path.display())]
    Description {
        /// Which.
        path: PathBuf,
        /// Why.
        source: toml_edit::de::Error,
    },
    /// The chat of `case.toml` is not what it should be.
    #[error("{} asks for no chat", .path.display())]
    Chat {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A recording has no proper head.
    #[error("{} is no recorded response", .path.display())]
    Recording {
        /// Which.
        path: PathBuf,
    },
}

/// One case: what is asked of the plugin, and what the upstream said to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is about.
    pub about: String,
    /// What the plugin is told first. `now_ms` in `case.toml`, 0 unless given.
    pub circumstances: Circumstances,
    /// What is asked.
    pub chat: Chat,
    /// What the upstream answered, in order. None for plugins without a network.
    pub recordings: Vec<Recording>,
}

/// The file `case.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    about: String,
    #[serde(default)]
    now_ms: u64,
    /// How the connection breaks after the last recorded byte.
    breaks: Option<TransportFailure>,
    #[serde(default)]
    settings: Value,
    chat: Chat,
}

impl Case {
    /// Reads the case in this folder.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, CaseError> {
        let folder = folder.as_ref().to_owned();
        let Description { about, now_ms, breaks, settings, chat } = described(&folder)?;
        let mut recordings = recordings(&folder)?;
        if let Some(last) = recordings.last_mut() {
            last.breaks = breaks;
        }
        let circumstances = Circumstances { settings, now_ms, seed: 0 };
        Ok(Self { folder, about, circumstances, chat, recordings })
    }

    /// The settings alone of the case in this folder, of whichever kind of plugin it is.
    pub fn settings(folder: impl AsRef<Path>) -> Result<Value, CaseError> {
        #[derive(Deserialize)]
        struct Settings {
            #[serde(default)]
            settings: Value,
        }
        described::<Settings>(folder.as_ref()).map(|described| described.settings)
    }

    /// Every folder in `cases` that holds a case, by name.
    pub fn folders(cases: impl AsRef<Path>) -> Result<Vec<PathBuf>, CaseError> {
        let path = cases.as_ref();
        let inaccessible = |source| CaseError::File { path: path.to_owned(), source };
        let mut folders = Vec::new();
        for entry in fs::read_dir(path).map_err(inaccessible)? {
            let folder = entry.map_err(inaccessible)?.path();
            if folder.join("case.toml").is_file() {
                folders.push(folder);
            }
        }
        folders.sort();
        Ok(folders)
    }
}

/// What the file `case.toml` says.
pub(crate) fn described<T: DeserializeOwned>(folder: &Path) -> Result<T, CaseError> {
    let path = folder.join("case.toml");
    let text = fs::read_to_string(&path)
        .map_err(|source| CaseError::File { path: path.clone(), source })?;
    toml_edit::de::from_str(&text).map_err(|source| CaseError::Description { path, source })
}

/// `exchange-1.http`, `exchange-2.http` … as far as they go.
pub(crate) fn recordings(folder: &Path) -> Result<Vec<Recording>, CaseError> {
    let mut recordings = Vec::new();
    loop {
        let path = folder.join(format!("exchange-{}.http", recordings.len() + 1));
        match fs::read(&path) {
            Ok(bytes) => match Recording::parse(&bytes) {
                Some(recording) => recordings.push(recording),
                None => return Err(CaseError::Recording { path }),
            },
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(recordings),
            Err(source) => return Err(CaseError::File { path, source }),
        }
    }
}
