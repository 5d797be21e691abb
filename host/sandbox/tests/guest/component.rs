//! The guests of `tests/guests` and the plugin `echo` as components.
//!
//! `cargo sluice test` builds them all beforehand and says where: `SLUICE_GUESTS` names the directory of the guests
//! (`target/plugins/guests`), `SLUICE_PLUGINS` that of the plugins (`target/plugins`), each with `NAME.wasm`. Without these variables
//! they are built here, once, into `target/guests`.

use std::env::var_os;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use wit_component::ComponentEncoder;

/// Packages to build, and what their components are called.
const PACKAGES: [(&str, &str); 13] = [
    ("guest-chatty", "chatty"),
    ("guest-count", "count"),
    ("guest-doorman", "doorman"),
    ("guest-flood", "flood"),
    ("guest-hoard", "hoard"),
    ("guest-judge", "judge"),
    ("guest-spin", "spin"),
    ("guest-trap", "trap"),
    ("sluice-access", "access"),
    ("sluice-admin-rules", "admin-rules"),
    ("sluice-budget", "budget"),
    ("sluice-echo", "echo"),
    ("sluice-guard", "guard"),
];

/// The component of that guest.
pub(crate) fn component(name: &str) -> Vec<u8> {
    read("SLUICE_GUESTS", name)
}

/// The component of that plugin.
pub(crate) fn plugin(name: &str) -> Vec<u8> {
    read("SLUICE_PLUGINS", name)
}

fn read(variable: &str, name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory =
        var_os(variable).map_or_else(|| BUILT.get_or_init(build).clone(), PathBuf::from);
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
    cargo.current_dir(&root).args(["build", "--lib", "--quiet", "--profile", "plugin"]);
    cargo.args(["--target", "wasm32-unknown-unknown"]).arg("--target-dir").arg(&target);
    for (package, _name) in PACKAGES {
        cargo.args(["--package", package]);
    }
    assert!(cargo.status().expect("cargo runs").success(), "the guests do not build");

    let modules = target.join("wasm32-unknown-unknown/plugin");
    for (package, name) in PACKAGES {
        let module = modules.join(format!("{}.wasm", package.replace('-', "_")));
        let component = componentize(&fs::read(module).expect("a module"));
        // Renamed into place: another process may be reading the one before.
        let unfinished = components.join(format!("{name}.unfinished"));
        fs::write(&unfinished, component).expect("room for it");
        fs::rename(&unfinished, components.join(format!("{name}.wasm"))).expect("in one folder");
    }
    components
}
