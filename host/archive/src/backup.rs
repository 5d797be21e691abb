//! A copy of an SQLite archive, taken while a gateway may be writing it.
//!
//! Reads through a connection of its own, as a second process may: the lock beside the file keeps
//! out a second *writer*. One read transaction sees the archive as it was at one moment, so the copy
//! holds everything that was acknowledged before and nothing whose cause it does not hold. Sealed
//! texts stay sealed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::sqlite::{connect_to_read, is_archive};

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Sessions, deleted ones left out.
    pub sessions: u64,
    /// Messages and answers.
    pub messages: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// Why there is no copy. Where it was to be, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something already.
    #[error("{} is there already; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// What is to be copied is not there, or no archive of ours.
    #[error("{} is not an archive of this program", .0.display())]
    NotAnArchive(PathBuf),
    /// The archive could not be read, or the copy not be written.
    #[error("{} could not be copied to {}", from.display(), to.display())]
    Copy {
        /// The archive.
        from: PathBuf,
        /// Where the copy was being made.
        to: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// The file of the copy could not be made, kept or named.
    #[error("{} cannot be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy was made and is not sound: the archive may be damaged.
    #[error("the copy of {} is not sound", .0.display())]
    Unsound(PathBuf),
}

/// Copies the archive at `from` to a new file at `to`, for its owner only. Blocks. The copy gets its
/// name when it is whole, checked and on the disk; until then it is beside it, with `.part`.
pub fn backup(from: &Path, to: &Path) -> Result<Backup, BackupError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::File { path, source }
    };
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    if !from.is_file() {
        return Err(BackupError::NotAnArchive(from.to_owned()));
    }
    let part = Part::begin(to).map_err(file(&beside(to)))?;
    let copied = copy(from, &part.0).map_err(|source| BackupError::Copy {
        from: from.into(),
        to: part.0.clone(),
        source,
    })?;
    let Copied::Sound { sessions, messages } = copied else {
        return Err(match copied {
            Copied::Foreign => BackupError::NotAnArchive(from.to_owned()),
            Copied::Sound { .. } | Copied::Unsound => BackupError::Unsound(from.to_owned()),
        });
    };
    let bytes = part.keep().map_err(file(&part.0))?;
    // A link fails where there is something, a renaming would not.
    fs::hard_link(&part.0, to).map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AlreadyExists;
        if taken { BackupError::Exists(to.to_owned()) } else { file(to)(error) }
    })?;
    drop(part);
    sync_folder(to).map_err(file(to))?;
    Ok(Backup { sessions, messages, bytes })
}

/// A copy that is not whole yet. Removed when dropped.
struct Part(PathBuf);

impl Part {
    fn begin(to: &Path) -> io::Result<Self> {
        let path = beside(to);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A leftover of a copy that was cut off is nobody's.
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        options.open(&path)?;
        Ok(Self(path))
    }

    /// Brings it to the disk and says how long it is.
    fn keep(&self) -> io::Result<u64> {
        let file = File::options().read(true).write(true).open(&self.0)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have gone already; what is left says itself what it is.
        drop(fs::remove_file(&self.0));
    }
}

fn beside(to: &Path) -> PathBuf {
    let mut name = OsString::from(to);
    name.push(".part");
    name.into()
}

/// What came of copying.
enum Copied {
    Sound { sessions: u64, messages: u64 },
    Unsound,
    Foreign,
}

fn copy(from: &Path, to: &Path) -> rusqlite::Result<Copied> {
    let source = connect_to_read(from)?;
    if !is_archive(&source)? {
        return Ok(Copied::Foreign);
    }
    source.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    drop(source);
    let copy = Connection::open(to)?;
    // Whatever comes after this moment is seen by clients and lost with a restore, in any conversation:
    // each goes on in a new epoch, as after a crash.
    copy.execute("UPDATE sessions SET in_use = 1 WHERE deleted IS NULL", [])?;
    let verdict: String = copy.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Copied::Unsound);
    }
    let count = |table: &str| copy.query_row(table, [], |row| row.get::<_, i64>(0));
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    let sessions = number(count("SELECT count(*) FROM sessions WHERE deleted IS NULL")?);
    let messages = number(count("SELECT count(*) FROM messages")?);
    Ok(Copied::Sound { sessions, messages })
}

/// Makes sure that the name is on the disk as well.
fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
