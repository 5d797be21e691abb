//! The guests of `tests/guests` as components.
//!
//! With `SLUICE_GUESTS` set, `NAME.wasm` is taken from that directory: `cargo sluice test` builds every package of `tests/guests` to
//! `target/plugins/guests/NAME.wasm` and sets it. Otherwise they are built here once, into `target/guests`.

use std::env::var_os;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wit_component::ComponentEncoder;

/// Every guest; each is a package `guest-NAME`.
const GUESTS: [&str; 6] = ["chatty", "count", "flood", "hoard", "spin", "trap"];

/// The component of that guest.
pub(crate) fn component(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = match var_os("SLUICE_GUESTS") {
        Some(directory) => PathBuf::from(directory),
        None => BUILT.get_or_init(build).clone(),
    };
    let path = directory.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing", path.display());
    fs::read(&path).expect("a component that can be read")
}

/// Makes a component of a core module that says what world it is of.
pub(crate) fn componentize(module: &[u8]) -> Vec<u8> {
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(module).expect("a core module with its world");
    encoder.encode().expect("a component")
}

/// Builds them all. A lock keeps processes apart that test at the same time.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = root.join("target/guests");
    let components = target.join("components");
    fs::create_dir_all(&components).expect("a directory for components");
    let lock = File::create(target.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");

    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&root).args(["build", "--quiet", "--profile", "plugin"]);
    cargo.args(["--target", "wasm32-unknown-unknown"]).arg("--target-dir").arg(&target);
    for guest in GUESTS {
        cargo.args(["--package", &format!("guest-{guest}")]);
    }
    assert!(cargo.status().expect("cargo runs").success(), "the guests do not build");

    let modules = target.join("wasm32-unknown-unknown/plugin");
    for guest in GUESTS {
        let module = fs::read(modules.join(format!("guest_{guest}.wasm"))).expect("a module");
        let path = components.join(format!("{guest}.wasm"));
        fs::write(path, componentize(&module)).expect("a component written");
    }
    components
}
