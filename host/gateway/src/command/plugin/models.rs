//! `sluice plugin models`: what a plugin's upstream has, beside what is offered of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use sluice_sandbox::{CallError, Limits, Plugin, Provider};
use sluice_upstream::{Blobs, Endpoints, ExchangeError, Timeouts, Upstream};
use tokio::time::Instant;

use super::super::{Exit, block_on, chain, print, settings, tell};
use super::configured;
use crate::clock;
use crate::credentials::Choice;
use crate::plugins::{Loaded, PluginError, Shelf, load};
use crate::serve::{granted, sandbox};
use crate::settings::{Llm, Model};

/// Why nobody knows.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error(transparent)]
    Plugin(PluginError),
    #[error("plugin `{0}` has no way to ask")]
    NoWay(String),
    #[error("the upstream did not say")]
    Refused(#[source] CallError),
    #[error("the upstream cannot be asked")]
    Exchange(#[source] ExchangeError),
}

impl Unknown {
    fn exit(&self) -> Exit {
        match self {
            Self::Plugin(_) | Self::NoWay(_) => Exit::Configuration,
            Self::Refused(_) | Self::Exchange(_) => Exit::Unavailable,
        }
    }
}

pub(super) fn run(id: &str, files: &[PathBuf]) -> Result<(), ExitCode> {
    let settings = settings(files)?;
    let plugin = configured(&settings, id)?;
    let internal = |error: &dyn std::error::Error| {
        tell(chain(error));
        ExitCode::from(Exit::Internal)
    };
    let sandbox = sandbox(&settings.sandbox).map_err(|error| internal(&error))?;
    let upstream = Upstream::new(settings.llm.connect_timeout, granted(&settings.plugins))
        .map_err(|error| internal(&error))?;
    let shelf = Shelf::new(&settings.sandbox.plugin_directory);
    let asked = block_on(async {
        let loaded = load(&sandbox, &shelf, plugin, Limits::default()).await;
        let Loaded { plugin, credentials, .. } = loaded.map_err(Unknown::Plugin)?;
        let provider = match plugin {
            Plugin::Provider(provider) if provider.lists() => provider,
            Plugin::Provider(_) | Plugin::Policy(_) | Plugin::Notifier(_) => {
                return Err(Unknown::NoWay(id.to_owned()));
            }
        };
        let key = Choice::of(&credentials, Instant::now());
        ask(&provider, key.endpoints(&credentials), &upstream, &settings.llm).await
    })?;
    let names = asked.map_err(|unknown| {
        tell(chain(&unknown));
        ExitCode::from(unknown.exit())
    })?;
    tell_apart(names, offered(&settings.models, id));
    Ok(())
}

async fn ask(
    provider: &Provider,
    endpoints: &Endpoints,
    upstream: &Upstream,
    llm: &Llm,
) -> Result<Vec<String>, Unknown> {
    let request = provider.ask_listing(clock::now(), rand::random()).await;
    let request = request.map_err(Unknown::Refused)?;
    let timeouts = Timeouts { first_byte: llm.first_byte_timeout, idle: llm.idle_timeout };
    let response = upstream.exchange(endpoints, request, &Blobs::default(), &timeouts).await;
    let response = response.map_err(Unknown::Exchange)?;
    let head = response.head().clone();
    let body = response.text().await.map_err(Unknown::Exchange)?;
    let read = provider.read_listing(head, body, clock::now(), rand::random()).await;
    read.map_err(Unknown::Refused)
}

/// The models that are asked of this plugin, by their names upstream.
fn offered<'a>(models: &'a [Model], plugin: &str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut offered: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for model in models {
        for way in model.reached_at().filter(|way| way.plugin == plugin) {
            offered.entry(&way.upstream).or_default().push(model.id.as_str());
        }
    }
    offered
}

fn tell_apart(names: Vec<String>, mut offered: BTreeMap<&str, Vec<&str>>) {
    for name in names {
        match offered.remove(&*name) {
            Some(ids) => print(format_args!("{name}  {}", ids.join(", "))),
            None => print(name),
        }
    }
    for (name, ids) in offered {
        print(format_args!("not listed  {name}  {}", ids.join(", ")));
    }
}
