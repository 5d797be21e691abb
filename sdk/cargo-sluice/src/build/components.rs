//! Compiling plugin crates to WebAssembly and making components of them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::{self, Product, WASM_TARGET};
use crate::component::{self, Component};
use crate::problem::Problem;
use crate::say;
use crate::workspace::{PluginCrate, Workspace};

/// Builds every plugin and every test guest of a checkout, in one run of cargo.
pub(crate) fn all(sluice: &Workspace) -> Result<Vec<Component>, Problem> {
    let (plugins, guests) = (sluice.plugins(), sluice.guests());
    remove_others(&sluice.plugin_directory(), &plugins);
    remove_others(&sluice.guest_directory(), &guests);
    let crates: Vec<PluginCrate> = plugins.into_iter().chain(guests).collect();
    let profile = ["--profile", "plugin"].map(OsStr::new);
    encode(sluice, &crates, &compile(&sluice.root, &crates, &profile)?)
}

/// Builds one plugin crate, wherever it is.
pub(crate) fn one(around: &Workspace, plugin: &PluginCrate) -> Result<Component, Problem> {
    // A crate of its own brings its sizes in `[profile.release]`; in a checkout ours counts.
    let profile: &[&OsStr] = if around.is_sluice() {
        &["--profile".as_ref(), "plugin".as_ref()]
    } else {
        &["--release".as_ref()]
    };
    let crates = std::slice::from_ref(plugin);
    let products = compile(plugin.folder(), crates, profile)?;
    encode(around, crates, &products)?
        .pop()
        .ok_or_else(|| Problem::internal("the plugin was built but made no component"))
}

fn compile(
    folder: &Path,
    crates: &[PluginCrate],
    profile: &[&OsStr],
) -> Result<Vec<Product>, Problem> {
    if crates.is_empty() {
        return Ok(Vec::new());
    }
    let mut cargo = cargo::command(folder);
    cargo.args(["build", "--lib", "--target", WASM_TARGET]).args(profile);
    for plugin in crates {
        cargo.args(["--package", &plugin.package]);
    }
    cargo::build(cargo, if crates.len() == 1 { "the plugin" } else { "the plugins" })
}

fn encode(
    around: &Workspace,
    crates: &[PluginCrate],
    products: &[Product],
) -> Result<Vec<Component>, Problem> {
    let stamps = around.target.join("sluice/stamps");
    let mut made = Vec::with_capacity(crates.len());
    let mut problems = Vec::new();
    for plugin in crates {
        let module = products.iter().find_map(|product| module_of(product, plugin));
        let Some(module) = module else {
            problems
                .push(Problem::internal(format!("cargo built no module of {}", plugin.package)));
            continue;
        };
        let progress = say::spinner(&format!("component {}", plugin.id()));
        match component::make(&module, &plugin.component, &stamps) {
            Ok(component) => made.push(component),
            Err(source) => {
                let what = format!("plugin {}", plugin.package);
                problems.push(Problem::usage(what).because(source));
            }
        }
        progress.finish_and_clear();
    }
    Problem::all(problems)?;
    Ok(made)
}

fn module_of(product: &Product, plugin: &PluginCrate) -> Option<PathBuf> {
    let is_wasm = |file: &&PathBuf| file.extension() == Some(OsStr::new("wasm"));
    (product.manifest_path == plugin.manifest_path)
        .then(|| product.files.iter().find(is_wasm).cloned())
        .flatten()
}

/// Removes components whose crate is gone, so that nothing embeds or loads them.
fn remove_others(folder: &Path, crates: &[PluginCrate]) {
    let wanted: BTreeSet<&Path> = crates.iter().map(|plugin| plugin.component.as_path()).collect();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for file in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if file.extension() == Some(OsStr::new("wasm")) && !wanted.contains(file.as_path()) {
            // One that stays only takes space in the gateway.
            fs::remove_file(&file).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(folder: &Path, id: &str) -> PluginCrate {
        PluginCrate {
            package: format!("sluice-{id}"),
            manifest_path: format!("/w/plugins/{id}/Cargo.toml").into(),
            component: folder.join(format!("{id}.wasm")),
        }
    }

    #[test]
    fn a_component_whose_crate_is_gone_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["echo.wasm", "gone.wasm", "notes.txt"] {
            fs::write(folder.path().join(name), "x").expect("a file");
        }

        remove_others(folder.path(), &[plugin(folder.path(), "echo")]);

        assert!(folder.path().join("echo.wasm").exists());
        assert!(!folder.path().join("gone.wasm").exists());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_crates_module_is_the_wasm_file_among_its_products() {
        let product = Product {
            manifest_path: "/w/plugins/echo/Cargo.toml".into(),
            files: vec!["/t/libecho.rlib".into(), "/t/echo.wasm".into()],
            executable: None,
        };

        let echo = module_of(&product, &plugin(Path::new("/t"), "echo"));

        assert_eq!(echo, Some("/t/echo.wasm".into()));
        assert_eq!(module_of(&product, &plugin(Path::new("/t"), "openai")), None);
    }
}
