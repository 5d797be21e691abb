//! `sluice plugin`: what a component is, whether it can be used here, and whether it does what its cases say.

mod models;
mod replay;
mod running;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use sluice_sandbox::{Hook, Limits, Plugin, Sandbox, SandboxSettings};

use super::{Exit, block_on, chain, print, settings, tell};
use crate::plugins::Shelf;
use crate::plugins::manifest::{Ask, Manifest, Stands};
use crate::serve;
use crate::settings::{Plugin as Configured, Settings};

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Lists the plugins that come with the gateway and those of the configuration; with `--url` those of a gateway that runs instead.
    ///
    /// A gateway that runs tells of each plugin whether it is asked, how often it was called and how many of these calls failed by
    /// its own fault, how long they took together, and the most memory it had, since it was loaded.
    List {
        /// A TOML file, as for `serve`.
        #[arg(long = "config", value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Address of a gateway, path prefix included: `https://chat.example/chatbox`.
        #[arg(long)]
        url: Option<String>,
        /// An operator's token, for the gateway. The variable `SLUICE_TOKEN` keeps it out of the list of processes.
        #[arg(long, value_name = "TOKEN", requires = "url")]
        token: Option<String>,
    },
    /// Prints what a component offers and asks for; of a plugin of a configuration also what it has of that.
    Inspect {
        /// The component, the name of a bundled one, or with `--config` the ID of a plugin there.
        file: PathBuf,
        /// A TOML file, as for `serve`.
        #[arg(long = "config", value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Loads a component as the gateway would, and tries it.
    Check {
        /// The component, or the name of a bundled one.
        file: PathBuf,
        /// Settings to try it with, as JSON.
        #[arg(long, default_value = "{}")]
        settings: String,
    },
    /// Asks a provider's upstream which models it has, with the plugin's own key.
    ///
    /// One name a line, as `upstream` of a model takes it, and the ids of the models that are asked of it. Those of the
    /// configuration that are not in the list come after it; some upstreams answer to names that they do not list.
    ///
    /// Exit codes: 0 it said so, 64 there is no such plugin or it cannot ask, 69 the upstream did not say.
    Models {
        /// The ID of a plugin of the configuration.
        id: String,
        /// A TOML file, as for `serve`.
        #[arg(long = "config", value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Replays a plugin's recorded cases against its component, in the sandbox.
    ///
    /// Each case is played as it was recorded, cut at every byte, byte by byte and with a byte order mark: none of that may
    /// show. Then the recording is broken: it ends or is reset after every byte, error pages are put into it, its status
    /// becomes 500: none of that may pass for a whole answer.
    ///
    /// Most bytes make no difference to a plugin, which is handed whole frames. A replay that tells it exactly what an earlier one
    /// told it is not run again; `--all` runs every replay of every byte, each in a fresh instance, which takes several times as long.
    ///
    /// Exit codes: 0 every case passed, 64 a case failed or there is none, 70 the sandbox cannot be had.
    Test(replay::Wanted),
}

/// Does it.
pub(crate) fn run(command: &PluginCommand) -> ExitCode {
    let done = match command {
        PluginCommand::List { url: Some(url), token, .. } => running::list(url, token.as_deref()),
        PluginCommand::List { files, .. } => list(files),
        PluginCommand::Inspect { file, files } if files.is_empty() => inspect(file),
        PluginCommand::Inspect { file, files } => inspect_configured(file, files),
        PluginCommand::Check { file, settings } => check(file, settings),
        PluginCommand::Models { id, files } => models::run(id, files),
        PluginCommand::Test(wanted) => replay::run(wanted),
    };
    done.map_or_else(|exit| exit, |()| ExitCode::SUCCESS)
}

fn inspect(file: &Path) -> Result<(), ExitCode> {
    let (name, bytes) = component(file)?;
    let manifest = manifest(&bytes)?;
    describe_whole(&name, &load(&name, &bytes, "{}")?);
    for ask in manifest.alone() {
        print(format_args!("asks for  {ask}"));
    }
    Ok(())
}

/// With what its operator gave it.
fn inspect_configured(id: &Path, files: &[PathBuf]) -> Result<(), ExitCode> {
    let settings = settings(files)?;
    let plugin = configured(&settings, &id.to_string_lossy())?;
    let bytes = Shelf::new(&settings.sandbox.plugin_directory).read(plugin).map_err(|problem| {
        tell(chain(&problem));
        ExitCode::from(Exit::Configuration)
    })?;
    let manifest = manifest(&bytes)?;
    describe_whole(&plugin.id, &load(&plugin.id, &bytes, &plugin.settings.to_string())?);
    for Ask { what, stands } in manifest.asks(plugin) {
        let stands = match stands {
            Stands::Given => "given".to_owned(),
            Stands::Without => "not given".to_owned(),
            Stands::Missing(line) => format!("not granted; this line would grant it: {line}"),
        };
        print(format_args!("asks for  {what}: {stands}"));
    }
    for key in manifest.not_asked(plugin) {
        print(format_args!("no ask    {key} is given and not asked for"));
    }
    Ok(())
}

/// The plugin of that id.
fn configured<'a>(settings: &'a Settings, id: &str) -> Result<&'a Configured, ExitCode> {
    settings.plugins.iter().find(|plugin| plugin.id == id).ok_or_else(|| {
        let ids: Vec<_> = settings.plugins.iter().map(|plugin| plugin.id.as_str()).collect();
        tell(format_args!("no plugin {id} there; there are {}", ids.join(", ")));
        Exit::Configuration.into()
    })
}

fn manifest(component: &[u8]) -> Result<Manifest, ExitCode> {
    Manifest::of(component).map_err(|error| {
        tell(chain(&error));
        Exit::Configuration.into()
    })
}

fn check(file: &Path, settings: &str) -> Result<(), ExitCode> {
    let (name, bytes) = component(file)?;
    manifest(&bytes)?;
    describe(&name, &load(&name, &bytes, settings)?);
    print("ok");
    Ok(())
}

fn describe_whole(name: &str, plugin: &Plugin) {
    describe(name, plugin);
    print(format_args!("imports   {}", plugin.imports().join(", ")));
    print(format_args!("exports   {}", plugin.exports().join(", ")));
}

fn describe(name: &str, plugin: &Plugin) {
    print(format_args!("name      {name}"));
    print(format_args!("kind      {}", kind(plugin)));
    print(format_args!("contract  {}", plugin.contract()));
    print(format_args!("sha256    {}", plugin.digest()));
}

/// What it is, and of a policy what it is asked about.
fn kind(plugin: &Plugin) -> String {
    match plugin {
        Plugin::Provider(_) => "provider".to_owned(),
        Plugin::Notifier(_) => "notifier".to_owned(),
        Plugin::Policy(policy) => {
            let hooks: Vec<&str> = policy.hooks().map(Hook::as_str).collect();
            format!("policy of {}", hooks.join(", "))
        }
    }
}

fn list(files: &[PathBuf]) -> Result<(), ExitCode> {
    let settings = settings(files)?;
    let shelf = Shelf::new(&settings.sandbox.plugin_directory);
    for name in shelf.names() {
        print(format_args!("bundled     {name}"));
    }
    let sandbox = serve::sandbox(&settings.sandbox).map_err(|error| {
        tell(chain(&error));
        ExitCode::from(Exit::Internal)
    })?;
    for plugin in &settings.plugins {
        let state = if plugin.enabled {
            match block_on(crate::plugins::load(&sandbox, &shelf, plugin, Limits::default()))? {
                Ok(loaded) => {
                    format!("{}  contract {}", kind(&loaded.plugin), loaded.plugin.contract())
                }
                Err(problem) => chain(&problem),
            }
        } else {
            "switched off".to_owned()
        };
        print(format_args!("configured  {}  {state}", plugin.id));
    }
    Ok(())
}

/// Loads a component as any plugin is.
fn load(name: &str, bytes: &[u8], settings: &str) -> Result<Plugin, ExitCode> {
    let sandbox = sandbox()?;
    let loaded = block_on(sandbox.load_plugin(name, bytes, None, Limits::default(), settings))?;
    loaded.map_err(|error| {
        tell(chain(&error));
        Exit::Configuration.into()
    })
}

/// A component's name and bytes, from a file or from the bundle.
fn component(file: &Path) -> Result<(String, Vec<u8>), ExitCode> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => Shelf::new(Path::new("plugins"))
            .component(&name)
            .filter(|_| file.components().count() == 1)
            .ok_or_else(|| {
                tell(format_args!("cannot read {}: {error}", file.display()));
                ExitCode::from(Exit::Configuration)
            })?,
    };
    Ok((name, bytes))
}

/// A sandbox for a command that is soon over.
fn sandbox() -> Result<Sandbox, ExitCode> {
    let few = SandboxSettings { max_answers: 16, cache_directory: None };
    Sandbox::new(few).map_err(|error| {
        tell(chain(&error));
        Exit::Internal.into()
    })
}
