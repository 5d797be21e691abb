//! The compile cache: machine code on disk, so that a restart does not compile again.
//!
//! Machine code from here runs with all rights of the process, so an entry is believed only if
//! its directory and file belong to this user and nobody else may touch them, and
//! its seal (HMAC-SHA256 under a key that lives in the same directory, readable by this user only) fits its bytes, its component and
//! this very compiler. The bytes that were checked are the bytes that run: they are read once into memory, not mapped from a file
//! that could change in between. Whoever can already act as this user is not kept out. Anything else in an entry's place is passed over,
//! and the component is compiled again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;

/// Largest entry that is read: machine code is a few times the size of its component.
const MOST_BYTES: u64 = 256 << 20;

/// Bytes of the key, and of a seal.
const SEAL_BYTES: usize = 32;

/// Why there is no cache in that directory.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be created, read or written.
    #[error("the compile cache in {} cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It belongs to somebody else, who could have put code there.
    #[error("{} belongs to another user or is open to others", path.display())]
    NotOurs {
        /// The file or directory.
        path: PathBuf,
    },
}

impl CacheError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }
}

/// A directory of sealed machine code.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    user: u32,
    key: [u8; SEAL_BYTES],
    compiler: [u8; 32],
}

impl Cache {
    /// Opens the directory, which is created or closed to others as needed, and its key.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> Result<Self, CacheError> {
        let mut create = DirBuilder::new();
        create.recursive(true).mode(0o700);
        create.create(directory).map_err(CacheError::io(directory))?;
        let user = user(directory).map_err(CacheError::io(directory))?;
        let found = fs::symlink_metadata(directory).map_err(CacheError::io(directory))?;
        if !found.is_dir() || found.uid() != user {
            return Err(CacheError::NotOurs { path: directory.to_owned() });
        }
        let closed = Permissions::from_mode(0o700);
        fs::set_permissions(directory, closed).map_err(CacheError::io(directory))?;
        let key = key(&directory.join("key"), user)?;
        Ok(Self { directory: directory.to_owned(), user, key, compiler: compiler(engine) })
    }

    /// The component's machine code, if a sound entry has it.
    pub(crate) fn read(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let path = self.path(digest);
        let sealed = match read_ours(&path, self.user) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled plugin passed over");
                return None;
            }
        };
        let (seal, code) = sealed.split_first_chunk::<SEAL_BYTES>()?;
        if self.mac(digest, code).verify_slice(seal).is_err() {
            tracing::warn!(path = %path.display(), "compiled plugin passed over: its seal is wrong");
            return None;
        }
        run_sealed(engine, code)
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "compiled plugin passed over");
            })
            .ok()
    }

    /// Keeps the component's machine code. What is in the way is replaced whole.
    pub(crate) fn write(&self, digest: &Digest, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(io::Error::other)?;
        let seal = self.mac(digest, &code).finalize().into_bytes();
        let path = self.path(digest);
        let fresh = fresh_name(&path);
        let written = create_ours(&fresh).and_then(|mut file| {
            file.write_all(&seal)?;
            file.write_all(&code)?;
            fs::rename(&fresh, &path)
        });
        if written.is_err() {
            // Best effort: an unfinished file is never read, it only takes room.
            drop(fs::remove_file(&fresh));
        }
        written
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{digest}.code"))
    }

    fn mac(&self, digest: &Digest, code: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        mac.update(&self.compiler);
        mac.update(digest.as_bytes());
        mac.update(code);
        mac
    }
}

/// Makes a component of machine code whose seal was checked.
#[expect(unsafe_code, reason = "machine code can only be trusted, not checked")]
fn run_sealed(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must come from `Component::serialize`. `Cache::write` sealed exactly these after calling it, under a key that
    // only this user can read; the seal was checked on this very slice, which nobody else can write to.
    unsafe { Component::deserialize(engine, code) }
}

/// What tells this compiler's code from another's: wasmtime's version, its settings, the processor's features.
fn compiler(engine: &Engine) -> [u8; 32] {
    let mut hasher = Fingerprint(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// Collects what is hashed; the short hash is of no use here.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The key in `path`, made on first use.
fn key(path: &Path, user: u32) -> Result<[u8; SEAL_BYTES], CacheError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = rand::random::<[u8; SEAL_BYTES]>();
            let fresh = fresh_name(path);
            create_ours(&fresh)
                .and_then(|mut file| file.write_all(&key))
                // Whoever is first wins: two processes may open one directory.
                .and_then(|()| match fs::hard_link(&fresh, path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    linked => linked,
                })
                .and_then(|()| fs::remove_file(&fresh))
                .map_err(CacheError::io(path))?;
        }
        Err(error) => return Err(CacheError::io(path)(error)),
        Ok(_) => {}
    }
    let bytes = read_ours(path, user).map_err(|error| {
        if error.kind() == io::ErrorKind::PermissionDenied {
            CacheError::NotOurs { path: path.to_owned() }
        } else {
            CacheError::io(path)(error)
        }
    })?;
    let short = || io::Error::new(io::ErrorKind::InvalidData, "the key has not 32 bytes");
    bytes.try_into().map_err(|_bytes| CacheError::io(path)(short()))
}

/// Who we are: the owner of a file we make.
fn user(directory: &Path) -> io::Result<u32> {
    let probe = fresh_name(&directory.join("probe"));
    let owner = create_ours(&probe)?.metadata()?.uid();
    fs::remove_file(&probe)?;
    Ok(owner)
}

/// A new file that only this user may touch.
fn create_ours(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Reads a plain file that only this user may touch; what holds for the open file holds for what is read.
fn read_ours(path: &Path, user: u32) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != user || found.mode() & 0o077 != 0 {
        let reason = "not a file of this user alone";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    if found.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name beside `path` that nobody else uses.
fn fresh_name(path: &Path) -> PathBuf {
    path.with_extension(format!("{:016x}", rand::random::<u64>()))
}
