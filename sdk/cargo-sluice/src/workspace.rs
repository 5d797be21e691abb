//! Which crates there are around a folder, and which of them are plugins. Builds nothing.

use std::path::{Path, PathBuf};

use crate::cargo::{self, Metadata, Package};
use crate::problem::Problem;

/// The crates of one cargo workspace; a lone crate is a workspace of one.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    packages: Vec<Package>,
}

/// A crate that becomes a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PluginCrate {
    pub(crate) package: String,
    pub(crate) manifest_path: PathBuf,
    /// Where its component goes.
    pub(crate) component: PathBuf,
}

impl PluginCrate {
    /// The plugin's id: its component's name.
    pub(crate) fn id(&self) -> &str {
        self.component.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    /// The crate's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }
}

impl Workspace {
    /// The workspace `folder` is in.
    pub(crate) fn around(folder: &Path) -> Result<Option<Self>, Problem> {
        Ok(cargo::metadata(folder)?.map(Self::from))
    }

    /// Sluice's own workspace, when `folder` is in a checkout of it.
    pub(crate) fn of_sluice(folder: &Path) -> Result<Option<Self>, Problem> {
        Ok(Self::around(folder)?.filter(Self::is_sluice))
    }

    /// Whether this is Sluice's own.
    pub(crate) fn is_sluice(&self) -> bool {
        self.packages.iter().any(|package| package.name == "sluice-gateway")
    }

    /// The plugins that come with the gateway.
    pub(crate) fn plugins(&self) -> Vec<PluginCrate> {
        self.components_in(&self.root.join("plugins"), "sluice-", &self.plugin_directory())
    }

    /// The guests that tests load, well-behaved or not.
    pub(crate) fn guests(&self) -> Vec<PluginCrate> {
        self.components_in(&self.root.join("tests/guests"), "guest-", &self.guest_directory())
    }

    /// The crate in `folder`, which must be one that becomes a component.
    pub(crate) fn plugin_at(&self, folder: &Path) -> Result<PluginCrate, Problem> {
        let manifest = folder.join("Cargo.toml");
        let manifest = manifest.canonicalize().unwrap_or(manifest);
        let package =
            self.packages.iter().find(|package| package.manifest_path == manifest).ok_or_else(
                || {
                    Problem::usage(format!("{} is no crate", folder.display()))
                        .mend("cargo sluice new PATH --kind provider")
                },
            )?;
        if !package.is_component() {
            let what = format!("{} is no plugin: it builds no `cdylib`", folder.display());
            return Err(Problem::usage(what)
                .mend("add `crate-type = [\"cdylib\", \"rlib\"]` under [lib] in its Cargo.toml"));
        }
        let guest = self.guests().into_iter().find(|guest| guest.package == package.name);
        Ok(guest.unwrap_or_else(|| package.component("sluice-", &self.plugin_directory())))
    }

    /// Where plugins' components go.
    pub(crate) fn plugin_directory(&self) -> PathBuf {
        self.target.join("plugins")
    }

    /// Where guests' components go.
    pub(crate) fn guest_directory(&self) -> PathBuf {
        self.plugin_directory().join("guests")
    }

    /// Where what tests need from outside goes.
    pub(crate) fn tool_directory(&self) -> PathBuf {
        self.target.join("tools")
    }

    fn components_in(&self, folder: &Path, prefix: &str, into: &Path) -> Vec<PluginCrate> {
        self.packages
            .iter()
            .filter(|package| package.is_component() && package.is_in(folder))
            .map(|package| package.component(prefix, into))
            .collect()
    }
}

impl From<Metadata> for Workspace {
    fn from(metadata: Metadata) -> Self {
        let Metadata { packages, target_directory, workspace_root } = metadata;
        Self { root: workspace_root, target: target_directory, packages }
    }
}

impl Package {
    fn is_component(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "cdylib"))
    }

    fn is_in(&self, folder: &Path) -> bool {
        self.manifest_path.parent().and_then(Path::parent) == Some(folder)
    }

    fn component(&self, prefix: &str, into: &Path) -> PluginCrate {
        let id = self.name.strip_prefix(prefix).unwrap_or(&self.name);
        PluginCrate {
            package: self.name.clone(),
            manifest_path: self.manifest_path.clone(),
            component: into.join(format!("{id}.wasm")),
        }
    }
}

/// Makes `path` absolute and free of links, or says that it is not there.
pub(crate) fn existing(path: &Path) -> Result<PathBuf, Problem> {
    path.canonicalize().map_err(|source| {
        Problem::usage(format!("{} is not there", path.display())).because(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Target;

    fn package(name: &str, manifest: &str, kinds: &[&str]) -> Package {
        let kind = kinds.iter().map(|&kind| kind.to_owned()).collect();
        Package {
            name: name.to_owned(),
            manifest_path: manifest.into(),
            targets: vec![Target { kind }],
        }
    }

    fn workspace() -> Workspace {
        Workspace {
            root: "/w".into(),
            target: "/w/target".into(),
            packages: vec![
                package("sluice-gateway", "/w/host/gateway/Cargo.toml", &["bin"]),
                package("sluice-echo", "/w/plugins/echo/Cargo.toml", &["cdylib", "rlib"]),
                package("guest-spin", "/w/tests/guests/spin/Cargo.toml", &["cdylib"]),
                package("my-vendor", "/w/mine/Cargo.toml", &["cdylib"]),
            ],
        }
    }

    #[test]
    fn plugins_and_guests_are_told_apart_by_where_they_are() {
        let (plugins, guests) = (workspace().plugins(), workspace().guests());

        assert_eq!(plugins.iter().map(PluginCrate::id).collect::<Vec<_>>(), ["echo"]);
        assert_eq!(guests.iter().map(PluginCrate::id).collect::<Vec<_>>(), ["spin"]);
        assert_eq!(guests[0].component, Path::new("/w/target/plugins/guests/spin.wasm"));
    }

    #[test]
    fn a_plugins_id_is_its_name_without_ours() {
        let found = workspace();

        let mine = found.plugin_at(Path::new("/w/mine")).expect("a plugin");
        let echo = found.plugin_at(Path::new("/w/plugins/echo")).expect("a plugin");

        assert_eq!((mine.id(), echo.id()), ("my-vendor", "echo"));
    }

    #[test]
    fn a_crate_that_builds_no_component_is_refused_with_the_line_that_is_missing() {
        let refused = workspace().plugin_at(Path::new("/w/host/gateway")).expect_err("no plugin");

        assert!(refused.to_string().contains("crate-type"), "{refused}");
    }

    #[test]
    fn only_a_workspace_with_the_gateway_is_sluices() {
        let mut found = workspace();
        assert!(found.is_sluice());

        found.packages.remove(0);

        assert!(!found.is_sluice());
    }
}
