//! From configuration to plugins that are loaded, checked and tried.

pub(crate) mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_sandbox::{Digest, Limits, LoadError, Plugin as Component, Sandbox};
use sluice_upstream::{
    Credential, CredentialError, Destination, DestinationError, Endpoint, Endpoints,
};

use self::manifest::{Manifest, Stands, UnreadableManifest};
use crate::credentials::Credentials;
use crate::settings::{OnFailure, Plugin, Secret, Source};

/// The secret that every scheme sends.
const KEY_SECRET: &str = "api_key";
/// The secret that signs what is sent.
const SIGNING_SECRET: &str = "signing_key";
/// The scheme that signs with it.
const SIGNATURE: &str = "signature";
/// The scheme that sends it as a bearer token.
const BEARER: &str = "bearer";
/// Schemes that send it as it is, in the header of that name.
const KEY_HEADERS: [&str; 2] = ["x-api-key", "api-key"];

/// A plugin of the configuration, ready to be used.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The checked component.
    pub(crate) plugin: Component,
    /// Where its exchanges go, with each of its keys.
    pub(crate) credentials: Arc<Credentials>,
    /// What becomes of what it cannot judge.
    pub(crate) on_failure: OnFailure,
}

/// Why a plugin of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    /// No bundled plugin goes by that name.
    #[error("plugin `{id}`: no bundled plugin is called `{name}`; there are: {known}")]
    Unknown { id: String, name: String, known: String },
    /// Its file cannot be read.
    #[error("plugin `{id}`: cannot read {}", path.display())]
    Unreadable { id: String, path: PathBuf, source: std::io::Error },
    /// It is meant for something that it cannot do.
    #[error("plugin `{id}`: {cannot}")]
    OtherKind { id: String, cannot: &'static str },
    /// Nobody can tell what it asks for.
    #[error("plugin `{id}`")]
    Manifest { id: String, source: UnreadableManifest },
    /// It is given what it does not ask for: a name misspelt, most likely.
    #[error("plugin `{id}` asks for no {}; `sluice plugin inspect` shows what it asks for", keys.join(", "))]
    NotAsked { id: String, keys: Vec<String> },
    /// It asks for more than it is given.
    #[error("plugin `{id}` asks for more than it is granted; these lines would grant it: {}", lines.join("; "))]
    AsksForMore { id: String, lines: Vec<String> },
    /// It was refused.
    #[error("plugin `{id}`")]
    Refused { id: String, source: LoadError },
    /// One of its endpoints is no place to go.
    #[error("plugin `{id}`: endpoint `{endpoint}`")]
    Endpoint { id: String, endpoint: String, source: DestinationError },
    /// One of its secrets cannot be sent.
    #[error("plugin `{id}`: secret `{secret}`")]
    Secret { id: String, secret: &'static str, source: CredentialError },
}

mod bundle {
    include!(concat!(env!("OUT_DIR"), "/bundle.rs"));
}

/// The plugins that come with the gateway.
#[derive(Debug)]
pub(crate) struct Shelf {
    directory: Option<PathBuf>,
}

impl Shelf {
    /// Bundled plugins are embedded; a build without them looks beside the executable, never in the working directory.
    pub(crate) fn new(directory: &Path) -> Self {
        let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        Self { directory: beside.map(|beside| beside.join(directory)) }
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        let embedded = bundle::PLUGINS.iter().map(|(name, _)| (*name).to_owned());
        let files = self.directory.iter().filter_map(|directory| directory.read_dir().ok());
        let beside = files.flatten().filter_map(|entry| {
            let path = entry.ok()?.path();
            let wasm = path.extension().is_some_and(|extension| extension == "wasm");
            wasm.then(|| path.file_stem()?.to_str().map(str::to_owned)).flatten()
        });
        let names: BTreeSet<String> = embedded.chain(beside).collect();
        names.into_iter().collect()
    }

    /// The component of that name.
    pub(crate) fn component(&self, name: &str) -> Option<Vec<u8>> {
        let embedded = bundle::PLUGINS.iter().find(|(known, _)| *known == name);
        embedded.map(|(_, bytes)| bytes.to_vec()).or_else(|| {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            let path = self.directory.as_ref().filter(|_| plain)?.join(format!("{name}.wasm"));
            std::fs::read(path).ok()
        })
    }

    /// The component of a plugin of the configuration.
    pub(crate) fn read(&self, plugin: &Plugin) -> Result<Vec<u8>, PluginError> {
        match &plugin.source {
            Source::Bundled(name) => self.component(name).ok_or_else(|| PluginError::Unknown {
                id: plugin.id.clone(),
                name: name.clone(),
                known: self.names().join(", "),
            }),
            Source::File(path) => std::fs::read(path).map_err(|source| PluginError::Unreadable {
                id: plugin.id.clone(),
                path: path.clone(),
                source,
            }),
        }
    }
}

/// Loads one plugin and tries it: what it returns can be used, within these limits.
pub(crate) async fn load(
    sandbox: &Sandbox,
    shelf: &Shelf,
    plugin: &Plugin,
    limits: Limits,
) -> Result<Loaded, PluginError> {
    let bytes = shelf.read(plugin)?;
    let id = || plugin.id.clone();
    let manifest =
        Manifest::of(&bytes).map_err(|source| PluginError::Manifest { id: id(), source })?;
    let keys = manifest.not_asked(plugin);
    if !keys.is_empty() {
        return Err(PluginError::NotAsked { id: id(), keys });
    }
    let missing = manifest.asks(plugin).into_iter().filter_map(|ask| match ask.stands {
        Stands::Missing(line) => Some(line),
        Stands::Given | Stands::Without => None,
    });
    let lines: Vec<String> = missing.collect();
    if !lines.is_empty() {
        return Err(PluginError::AsksForMore { id: id(), lines });
    }
    let limits = manifest.limits(plugin, limits);
    let pin = plugin.sha256.map(Digest::from);
    let settings = plugin.settings.to_string();
    let component = sandbox
        .load_plugin(&plugin.id, &bytes, pin.as_ref(), limits, &settings)
        .await
        .map_err(|source| PluginError::Refused { id: id(), source })?;
    let credentials = Arc::new(credentials(plugin, &manifest.response_headers(plugin))?);
    Ok(Loaded { plugin: component, credentials, on_failure: plugin.on_failure })
}

/// Where the plugin may go with each of its keys, and which headers it may see of what comes back.
fn credentials(plugin: &Plugin, headers: &BTreeSet<String>) -> Result<Credentials, PluginError> {
    let mut keys = plugin.secrets.get(KEY_SECRET).into_iter().flatten();
    let first = endpoints(plugin, keys.next(), headers)?;
    let others = keys.map(|key| endpoints(plugin, Some(key), headers)).collect::<Result<_, _>>()?;
    Ok(Credentials::new(first, others))
}

/// Where the plugin may go, and what is added on the way.
fn endpoints(
    plugin: &Plugin,
    key: Option<&Secret>,
    response_headers: &BTreeSet<String>,
) -> Result<Endpoints, PluginError> {
    let credentials = schemes(plugin, key)?;
    let mut endpoints = BTreeMap::new();
    for (name, url) in &plugin.endpoints {
        let destination = Destination::parse(url.as_str()).map_err(|source| {
            PluginError::Endpoint { id: plugin.id.clone(), endpoint: name.clone(), source }
        })?;
        let (credentials, response_headers) = (credentials.clone(), response_headers.clone());
        endpoints.insert(name.clone(), Endpoint { destination, credentials, response_headers });
    }
    Ok(Endpoints(endpoints))
}

/// Every way there is to use the plugin's secrets; which one is used the plugin says. Without its secret each adds nothing.
fn schemes(
    plugin: &Plugin,
    key: Option<&Secret>,
) -> Result<BTreeMap<String, Option<Credential>>, PluginError> {
    type Make = fn(&str, &str) -> Result<Credential, CredentialError>;
    let signing = plugin.secrets.get(SIGNING_SECRET).and_then(|keys| keys.first());
    let add = |scheme: &str, secret: &'static str, make: Make| {
        let key = if secret == SIGNING_SECRET { signing } else { key };
        let made = key.map(|key| make(scheme, key.expose())).transpose();
        let made =
            made.map_err(|source| PluginError::Secret { id: plugin.id.clone(), secret, source })?;
        Ok((scheme.to_owned(), made))
    };
    let headers = KEY_HEADERS.iter().map(|name| add(name, KEY_SECRET, Credential::header));
    let others = [
        add(BEARER, KEY_SECRET, |_, secret| Credential::bearer(secret)),
        add(SIGNATURE, SIGNING_SECRET, |_, secret| Credential::signature(secret)),
    ];
    headers.chain(others).collect()
}
