//! `sluice check`: everything that `serve` would find out, without serving.

use std::path::PathBuf;
use std::process::ExitCode;

use sluice_sandbox::Limits;

use super::{Exit, block_on, chain, configured, print, tell};
use crate::catalog::Catalog;
use crate::plugins::Shelf;
use crate::policies::Chain;
use crate::serve;
use crate::settings::{self as configuration, Configured, Engine, Reached};

/// Validates the configuration, loads every plugin, prints every key with its value and origin (secrets masked) and what would
/// run.
pub(crate) fn run(files: &[PathBuf]) -> ExitCode {
    let Configured { settings, effective, warnings: _ } = match configured(files) {
        Ok(configured) => configured,
        Err(exit) => return exit,
    };
    let sandbox = match serve::sandbox(&settings.sandbox) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            tell(chain(&error));
            return Exit::Internal.into();
        }
    };
    let shelf = Shelf::new(&settings.sandbox.plugin_directory);
    let loaded =
        match block_on(serve::load_plugins(&sandbox, &shelf, &settings.plugins, Limits::default()))
        {
            Ok(Ok(plugins)) if plugins.off.is_empty() => plugins.loaded,
            Ok(other) => {
                let problems = other.map_or_else(|problems| problems, |plugins| plugins.refused());
                for problem in &problems {
                    tell(chain(problem));
                }
                return Exit::Configuration.into();
            }
            Err(exit) => return exit,
        };
    let fit = serve::routes_of(settings.models.clone(), &loaded, &Catalog::default())
        .and_then(|_| serve::chain_of(settings.policies.clone(), &loaded, &Chain::default()));
    if let Err(problem) = fit {
        tell(chain(&problem));
        return Exit::Configuration.into();
    }
    for line in &effective {
        print(line);
    }
    print(format_args!("listens on  {}{}/", settings.server.bind, settings.server.path_prefix));
    match &settings.storage.engine {
        Engine::Sqlite(path) => print(format_args!("archive     {}", path.display())),
        Engine::MongoDb(database) => {
            print(format_args!("archive     the database {} of a MongoDB", database.database));
        }
    }
    for (id, plugin) in &loaded {
        let (contract, digest) = (plugin.plugin.contract(), plugin.plugin.digest());
        print(format_args!("plugin      {id}  contract {contract}  sha256 {digest}"));
    }
    for model in &settings.models {
        for Reached { plugin, upstream, .. } in model.reached_at() {
            print(format_args!("model       {}  {upstream} by {plugin}", model.id));
        }
    }
    for (place, id) in settings.policies.chain.iter().enumerate() {
        print(format_args!("policy      {}. {id}", place + 1));
    }
    print("everything is in order");
    ExitCode::SUCCESS
}

/// Explains one key.
pub(crate) fn explain(key: &str) -> ExitCode {
    let Some(text) = configuration::explain(key) else {
        let meant = configuration::meant(key);
        let hint = match meant.as_slice() {
            [] => "config/sluice.toml has them all".to_owned(),
            some => format!("did you mean {}?", some.join(", ")),
        };
        tell(format_args!("there is no key `{key}`; {hint}"));
        return Exit::Configuration.into();
    };
    print(text);
    ExitCode::SUCCESS
}
