//! Where things lie: the repository, its target directory, the built components.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// The target directory this program was built into.
pub fn target() -> PathBuf {
    profile().parent().expect("target/<profile>").to_owned()
}

/// Where this program's profile puts binaries: `target/<profile>`, of which tests lie in `deps/`.
fn profile() -> PathBuf {
    let program = env::current_exe().expect("a program knows its own path");
    let folder = program.parent().expect("a program lies in a folder");
    if folder.ends_with("deps") { folder.parent().expect("target/<profile>") } else { folder }
        .to_owned()
}

/// The gateway's binary: `SLUICE_BIN`, else what this profile built.
pub fn binary() -> PathBuf {
    let path = env::var_os("SLUICE_BIN").map_or_else(|| profile().join("sluice"), PathBuf::from);
    assert!(path.is_file(), "{} is missing; build it with: cargo sluice build", path.display());
    path
}

/// A guest component of `tests/guests`, from `SLUICE_GUESTS` or where the tool puts it.
pub fn guest(name: &str) -> PathBuf {
    let folder = env::var_os("SLUICE_GUESTS")
        .map_or_else(|| target().join("plugins").join("guests"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; build it with: cargo sluice build", path.display());
    path
}
