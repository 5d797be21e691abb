//! From bytes to a provider: everything that can be refused is refused here, before a user waits for an answer.
//!
//! Order matters: what is cheap and needs no trust comes first, the guest's own code runs last.

use std::error::Error;
use std::sync::Arc;

use sluice_chat::event::ProviderError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::cache::Cache;
use crate::call::CallError;
use crate::contract::{
    Border, ContractVersion, EXPORTS, Interface, ProviderPlugin, ProviderPluginPre,
};
use crate::digest::Digest;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::log::Journal;
use crate::provider::{Checked, Origin, Places, Provider};
use crate::siding::Siding;

/// Largest component, in bytes.
const MOST_BYTES: usize = 8 << 20;

/// First bytes of every component.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// First bytes of every core module.
const MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Why a component was not taken. Nothing of it stays behind.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is too large.
    #[error("the plugin has {bytes} bytes, {most} at most are taken")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// It is machine code already, which cannot be checked.
    #[error("the plugin is precompiled machine code; only WebAssembly components are taken")]
    Precompiled,
    /// It is something else.
    #[error("the plugin is {0}, not a WebAssembly component")]
    NotAComponent(&'static str),
    /// It is not the component that the configuration names.
    #[error("the plugin's SHA-256 is {found}, the configuration says {pinned}")]
    WrongDigest {
        /// What the configuration says.
        pinned: Digest,
        /// What it is.
        found: Digest,
    },
    /// It does not validate, goes beyond what the engine takes, or the compiler gave up.
    #[error("the plugin cannot be compiled")]
    Compile(#[source] Box<dyn Error + Send + Sync>),
    /// It wants something from the host that the contract does not have.
    #[error("the plugin imports {import}, which is not part of the contract")]
    ForbiddenImport {
        /// Full name: `wasi:sockets/tcp@0.2.0`, or with a function `sluice:plugin/log@0.1.0#shout`.
        import: String,
    },
    /// It is a plugin for another host.
    #[error("the plugin speaks {export}, this host speaks contract {}", ContractVersion::HOST)]
    OtherContract {
        /// The export that says so.
        export: String,
    },
    /// It is no provider.
    #[error("the plugin does not export sluice:plugin/{missing}@{}", ContractVersion::HOST)]
    NoProvider {
        /// Name of the interface.
        missing: &'static str,
    },
    /// Its interfaces have the right names and the wrong shape.
    #[error("the plugin does not fit the contract")]
    Link(#[source] Box<dyn Error + Send + Sync>),
    /// It does not like its settings. Its own words, cut and cleaned.
    #[error("the plugin refuses its settings: {}", error.detail.as_deref().unwrap_or("no reason given"))]
    Settings {
        /// What it said.
        error: ProviderError,
    },
    /// It failed when it was tried.
    #[error("the plugin failed on trial")]
    Trial(#[source] CallError),
}

/// What loading takes from the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) siding: Arc<Siding>,
    pub(crate) places: Arc<Semaphore>,
}

/// What is asked to be loaded.
pub(crate) struct Order<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) pin: Option<&'a Digest>,
    pub(crate) limits: Limits,
    pub(crate) settings: &'a str,
}

impl Bench {
    /// Checks, compiles, checks, tries.
    pub(crate) async fn load(&self, order: Order<'_>) -> Result<Provider, LoadError> {
        check_bytes(order.bytes)?;
        let bytes = order.bytes.to_vec();
        let pin = order.pin.copied();
        let bench = self.clone();
        let compiled = spawn_blocking(move || {
            let digest = check_digest(&bytes, pin)?;
            let (component, origin) = bench.compile(&bytes, &digest)?;
            let border = Border::of(&component, &bench.engine);
            let contract = check_border(&border)?;
            let pre = link(&bench.engine, &component).map_err(LoadError::Link)?;
            Ok(Compiled { digest, origin, border, contract, pre })
        })
        .await
        // A panic of the compiler, most likely; it ends here.
        .map_err(|error| LoadError::Compile(error.into()))??;

        let provider = Provider::new(Checked {
            name: order.name.to_owned(),
            digest: compiled.digest,
            contract: compiled.contract,
            imports: compiled.border.imports,
            exports: compiled.border.exports,
            origin: compiled.origin,
            settings: order.settings.to_owned(),
            places: Places {
                all: Arc::clone(&self.places),
                own: order.limits.live_answers.map(|most| Arc::new(Semaphore::new(most))),
            },
            limits: Arc::new(order.limits),
            engine: self.engine.clone(),
            pre: compiled.pre,
            journal: Arc::new(Journal::new(order.name)),
            siding: Arc::clone(&self.siding),
        });
        match provider.trial().await {
            Ok(()) => Ok(provider),
            Err(CallError::Refused(error)) => Err(LoadError::Settings { error }),
            Err(error) => Err(LoadError::Trial(error)),
        }
    }

    /// From the cache if it can be, otherwise anew. Blocks.
    fn compile(&self, bytes: &[u8], digest: &Digest) -> Result<(Component, Origin), LoadError> {
        if let Some(cache) = &self.cache
            && let Some(component) = cache.read(&self.engine, digest)
        {
            return Ok((component, Origin::Cached));
        }
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| LoadError::Compile(error.into_boxed_dyn_error()))?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.write(digest, &component)
        {
            tracing::warn!(%error, "compiled plugin not kept");
        }
        Ok((component, Origin::Compiled))
    }
}

/// What the blocking part gives back.
struct Compiled {
    digest: Digest,
    origin: Origin,
    border: Border,
    contract: ContractVersion,
    pre: ProviderPluginPre<Guest>,
}

/// What the first bytes say.
fn check_bytes(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > MOST_BYTES {
        return Err(LoadError::TooLarge { bytes: bytes.len(), most: MOST_BYTES });
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(LoadError::Precompiled);
    }
    match bytes.get(..8) {
        Some(head) if head == COMPONENT => Ok(()),
        Some(head) if head == MODULE => Err(LoadError::NotAComponent("a core module")),
        _ if bytes.is_empty() => Err(LoadError::NotAComponent("empty")),
        _ => Err(LoadError::NotAComponent("something unknown")),
    }
}

/// Whether it is the component that was meant.
fn check_digest(bytes: &[u8], pin: Option<Digest>) -> Result<Digest, LoadError> {
    let found = Digest::of(bytes);
    match pin {
        Some(pinned) if pinned != found => Err(LoadError::WrongDigest { pinned, found }),
        _ => Ok(found),
    }
}

/// Whether it is a provider of a contract that we speak, and wants nothing else of us.
fn check_border(border: &Border) -> Result<ContractVersion, LoadError> {
    let mut contract = None;
    let ours = border.exports.iter().filter_map(|export| Some((export, Interface::parse(export)?)));
    let mut seen = Vec::new();
    for (export, interface) in ours {
        if !interface.version.runs_on(&ContractVersion::HOST) {
            return Err(LoadError::OtherContract { export: export.clone() });
        }
        seen.push(interface.name);
        contract = Some(interface.version);
    }
    if let Some(import) = border.forbidden.first() {
        return Err(LoadError::ForbiddenImport { import: import.clone() });
    }
    if let Some(missing) = EXPORTS.into_iter().find(|name| !seen.contains(name)) {
        return Err(LoadError::NoProvider { missing });
    }
    Ok(contract.expect("the exports looked for are of the contract"))
}

/// Joins its imports to ours. Wasmtime compares shapes here and, of variants and records, only when it is tried.
fn link(
    engine: &Engine,
    component: &Component,
) -> Result<ProviderPluginPre<Guest>, Box<dyn Error + Send + Sync>> {
    let mut linker = Linker::new(engine);
    ProviderPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
    let pre = linker.instantiate_pre(component)?;
    Ok(ProviderPluginPre::new(pre)?)
}
