//! Embeds the bundled plugins that `SLUICE_BUNDLE` names: a folder of components, as `cargo sluice build` makes it. Before that
//! there is none, and the gateway comes without plugins.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=SLUICE_BUNDLE");
    let bundle = env::var_os("SLUICE_BUNDLE").map(PathBuf::from);
    let components = bundle.as_deref().map(components).unwrap_or_default();
    let mut table = String::from("pub(super) const PLUGINS: &[(&str, &[u8])] = &[\n");
    for path in components {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_stem().expect("a file has a name").to_string_lossy();
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())
            .expect("a string takes everything");
    }
    table.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("bundle.rs"), table).expect("the build folder can be written");
}

fn components(bundle: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", bundle.display());
    let Ok(entries) = fs::read_dir(bundle) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "wasm")).collect();
    paths.sort();
    paths
}
