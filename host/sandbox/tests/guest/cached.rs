//! The compile cache: it saves the second compilation, and nothing planted in it is ever run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sluice_sandbox::{
    CacheError, Digest, Limits, LoadError, Origin, Provider, Sandbox, SandboxSettings, StartError,
};
use tempfile::TempDir;

use crate::component::component;
use crate::world::{ask, begin, load_bytes, texts};

fn start(directory: &Path) -> Result<Sandbox, StartError> {
    let cache_directory = Some(directory.to_owned());
    Sandbox::new(SandboxSettings { max_answers: 1, cache_directory })
}

/// Loads a guest in a sandbox of its own, as after a restart.
async fn load(directory: &Path, guest: &str) -> Provider {
    let sandbox = start(directory).expect("a sandbox");
    let bytes = component(guest);
    sandbox.load(guest, &bytes, None, Limits::default(), "{}").await.expect("a sound guest")
}

fn entry(directory: &Path, guest: &str) -> PathBuf {
    directory.join(format!("{}.code", Digest::of(&component(guest))))
}

#[tokio::test]
async fn a_component_is_compiled_once() {
    let directory = TempDir::new().unwrap();

    let first = load(directory.path(), "count").await;
    let second = load(directory.path(), "count").await;

    assert_eq!(first.origin(), Origin::Compiled);
    assert_eq!(second.origin(), Origin::Cached);
    assert_eq!(texts(&begin(&second).await.start(&ask("")).await.unwrap()), ["start 1"]);
}

#[tokio::test]
async fn what_was_tampered_with_is_compiled_again() {
    let directory = TempDir::new().unwrap();
    let path = entry(directory.path(), "count");
    load(directory.path(), "trap").await;
    load(directory.path(), "count").await;
    let sound = fs::read(&path).unwrap();
    let flip = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        bytes
    };
    let others = fs::read(entry(directory.path(), "trap")).unwrap();
    let planted = [
        flip(0),
        flip(32),
        flip(sound.len() / 2),
        flip(sound.len() - 1),
        sound[..sound.len() / 2].to_vec(),
        sound[..10].to_vec(),
        Vec::new(),
        others,
    ];

    for (case, bytes) in planted.into_iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let provider = load(directory.path(), "count").await;
        assert_eq!(provider.origin(), Origin::Compiled, "case {case}");
        assert_eq!(texts(&begin(&provider).await.start(&ask("")).await.unwrap()), ["start 1"]);
        assert_eq!(fs::read(&path).unwrap(), sound, "case {case}: it is replaced");
    }
}

#[tokio::test]
async fn an_entry_that_others_could_have_written_is_not_trusted() {
    let directory = TempDir::new().unwrap();
    load(directory.path(), "count").await;
    let path = entry(directory.path(), "count");
    fs::set_permissions(&path, Permissions::from_mode(0o622)).unwrap();

    let provider = load(directory.path(), "count").await;

    assert_eq!(provider.origin(), Origin::Compiled);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_directory_is_closed_to_others() {
    let parent = TempDir::new().unwrap();
    let open = parent.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();

    load(&open, "count").await;

    assert_eq!(fs::metadata(&open).unwrap().mode() & 0o777, 0o700);
    for file in fs::read_dir(&open).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    assert_eq!(fs::read_dir(&open).unwrap().count(), 2, "the key and the entry");
}

#[test]
fn a_key_that_others_could_read_stops_the_start() {
    let directory = TempDir::new().unwrap();
    start(directory.path()).unwrap();
    let key = directory.path().join("key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();

    let started = start(directory.path());

    let Err(StartError::Cache(CacheError::NotOurs { path })) = started else {
        panic!("{started:?}");
    };
    assert_eq!(path, key);
}

#[test]
fn a_file_in_place_of_the_directory_stops_the_start() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();

    let started = start(&file);

    assert!(matches!(started, Err(StartError::Cache(CacheError::Io { .. }))), "{started:?}");
}

#[tokio::test]
async fn machine_code_is_not_taken_for_a_plugin() {
    let directory = TempDir::new().unwrap();
    load(directory.path(), "count").await;
    let sealed = fs::read(entry(directory.path(), "count")).unwrap();

    let loaded = load_bytes(&sealed[32..]).await;

    assert!(matches!(loaded, Err(LoadError::Precompiled)), "{loaded:?}");
}
