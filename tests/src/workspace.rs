//! Where things lie: the repository, its target directory, the built components.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// The target directory this test was built into.
pub fn target() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(3).expect("target/<profile>/deps/<test>").to_owned()
}

/// The gateway's binary: `SLUICE_BIN`, else what this profile built.
pub fn binary() -> PathBuf {
    let built = || {
        let test = env::current_exe().expect("a test knows its own path");
        test.ancestors().nth(2).expect("target/<profile>").join("sluice")
    };
    let path = env::var_os("SLUICE_BIN").map_or_else(built, PathBuf::from);
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
