//! `cargo sluice build`: components, and the gateway that embeds them.

mod components;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::cargo;
use crate::component::Component;
use crate::prerequisite::{self, Need};
use crate::problem::Problem;
use crate::say;
use crate::workspace::{self, Workspace};

pub(crate) use components::{all as components, one as component};

/// What to build.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A plugin crate. Without one: all of Sluice, in a checkout of it.
    path: Option<PathBuf>,
    /// Optimise the gateway, as it is to be deployed: slower to build. Plugins always are.
    #[arg(long, conflicts_with = "path")]
    release: bool,
}

/// Builds one plugin, or everything there is to serve with.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    if let Some(path) = &arguments.path {
        let folder = workspace::existing(path)?;
        prerequisite::check(&folder, Need::Plugins)?;
        return plugin(&folder).map(|_| ());
    }
    let here = Path::new(".");
    if let Some(sluice) = Workspace::of_sluice(here)? {
        prerequisite::check(here, Need::Everything)?;
        return everything(&sluice, arguments.release).map(|_| ());
    }
    prerequisite::check(here, Need::Plugins)?;
    plugin(&workspace::existing(here)?).map(|_| ())
}

/// Builds the plugin crate in `folder` and says how to switch it on.
pub(crate) fn plugin(folder: &Path) -> Result<Component, Problem> {
    let around = Workspace::around(folder)?.ok_or_else(|| {
        Problem::usage(format!("{} is no crate", folder.display()))
            .mend("cargo sluice new PATH --kind provider")
    })?;
    let plugin = around.plugin_at(folder)?;
    let made = component(&around, &plugin)?;
    say::line(&format!("{}  {}  {}", made.file.display(), made.kind, say::size(made.size)));
    say::line(&format!("sha256 {}", made.sha256));
    say::line("");
    say::line("To switch it on, in the gateway's configuration:");
    say::line("");
    say::line(&configuration(plugin.id(), &made));
    Ok(made)
}

/// Builds all components and the gateway of a checkout; returns the gateway's binary.
pub(crate) fn everything(sluice: &Workspace, optimised: bool) -> Result<PathBuf, Problem> {
    let since = Instant::now();
    let made = components(sluice)?;
    let gateway = gateway(sluice, optimised)?;
    say::note(&format!(
        "{} components and the gateway, {}",
        made.len(),
        say::time(since.elapsed())
    ));
    say::line(&gateway.display().to_string());
    Ok(gateway)
}

/// Builds the gateway with the workspace's components inside; returns its binary.
pub(crate) fn gateway(sluice: &Workspace, optimised: bool) -> Result<PathBuf, Problem> {
    let mut cargo = cargo::command(&sluice.root);
    cargo.args(["build", "--package", "sluice-gateway", "--bin", "sluice"]);
    if optimised {
        cargo.arg("--release");
    }
    bundle(&mut cargo, sluice);
    cargo::build(cargo, "the gateway")?
        .into_iter()
        .find_map(|product| product.executable)
        .ok_or_else(|| Problem::internal("the gateway was built but has no binary"))
}

/// Tells the gateway's build script where the components are that it shall embed.
pub(crate) fn bundle(cargo: &mut Command, sluice: &Workspace) {
    cargo.env("SLUICE_BUNDLE", sluice.plugin_directory());
}

/// The lines that switch a plugin on.
fn configuration(id: &str, made: &Component) -> String {
    use crate::component::Kind;
    let head = format!(
        "[plugins.{id}]\nsource = \"file:{}\"\nsha256 = \"{}\"\n",
        made.file.display(),
        made.sha256
    );
    match made.kind {
        Kind::Provider => format!(
            "{head}# endpoints.api = \"https://api.example.com\"\n# secrets.api_key = \"env:EXAMPLE_API_KEY\"\n\n\
             [[models]]\nid = \"{id}\"\nname = \"{id}\"\nplugin = \"{id}\"\nupstream = \"{id}\""
        ),
        Kind::Policy => format!("{head}\n[policies]\nchain = [\"{id}\"]"),
        Kind::Notifier => format!("{head}\n[notify]\non = {{ help_request = [\"{id}\"] }}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Kind;

    fn made(kind: Kind) -> Component {
        Component { file: "/t/acme.wasm".into(), size: 1, sha256: "ab".to_owned(), kind }
    }

    #[test]
    fn a_provider_is_switched_on_with_a_plugin_and_a_model() {
        let lines = configuration("acme", &made(Kind::Provider));

        assert!(
            lines.starts_with("[plugins.acme]\nsource = \"file:/t/acme.wasm\"\nsha256 = \"ab\"\n")
        );
        assert!(lines.contains("[[models]]\nid = \"acme\""), "{lines}");
    }

    #[test]
    fn a_policy_is_switched_on_in_the_chain() {
        assert!(configuration("acme", &made(Kind::Policy)).contains("chain = [\"acme\"]"));
    }
}
