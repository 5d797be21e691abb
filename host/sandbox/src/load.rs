//! From bytes to a plugin: everything that can be refused is refused here, before a user waits for an answer.
//!
//! Order matters: what is cheap and needs no trust comes first, the guest's own code runs last.

use std::error::Error;
use std::sync::Arc;

use sluice_chat::event::ProviderError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::cache::Cache;
use crate::call::CallError;
use crate::contract::{
    Border, ContractVersion, Hook, Interface, LIFECYCLE, NOTIFIER, PROVIDER, ProviderPlugin,
    policy_types,
};
use crate::digest::Digest;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::log::Journal;
use crate::meter::Used;
use crate::notifier::{Notifier, NotifierPre};
use crate::policy::{Policy, PolicyPre, Rooms};
use crate::provider::{Checked, Origin, Places, Provider, ProviderPre};
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
    /// It is no plugin, or not of the kind that is needed here.
    #[error("the plugin does not export sluice:plugin/{missing}@{}", ContractVersion::HOST)]
    NoProvider {
        /// Name of the interface.
        missing: &'static str,
    },
    /// It has none of the hooks that make a policy.
    #[error(
        "the plugin is no policy: it exports none of sluice:plugin/on-connect, on-message, on-output, on-admin and on-usage"
    )]
    NoPolicy,
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
    /// For policies' hooks.
    pub(crate) hooks: Arc<Semaphore>,
    /// For policies' filters.
    pub(crate) filters: Arc<Semaphore>,
}

/// What is asked to be loaded.
pub(crate) struct Order<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) pin: Option<&'a Digest>,
    pub(crate) limits: Limits,
    pub(crate) settings: &'a str,
}

/// A plugin of any kind, checked and tried.
#[derive(Debug, Clone)]
pub enum Plugin {
    /// It answers.
    Provider(Provider),
    /// It judges.
    Policy(Policy),
    /// It tells.
    Notifier(Notifier),
}

impl Plugin {
    /// SHA-256 of its component.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Provider(provider) => provider.digest(),
            Self::Policy(policy) => policy.digest(),
            Self::Notifier(notifier) => notifier.digest(),
        }
    }

    /// Version of the contract that it was built for.
    pub fn contract(&self) -> &ContractVersion {
        match self {
            Self::Provider(provider) => provider.contract(),
            Self::Policy(policy) => policy.contract(),
            Self::Notifier(notifier) => notifier.contract(),
        }
    }

    /// What it has used since it was loaded.
    pub fn used(&self) -> Used {
        match self {
            Self::Provider(provider) => provider.used(),
            Self::Policy(policy) => policy.used(),
            Self::Notifier(notifier) => notifier.used(),
        }
    }

    /// Interfaces it imports, with versions.
    pub fn imports(&self) -> &[String] {
        match self {
            Self::Provider(provider) => provider.imports(),
            Self::Policy(policy) => policy.imports(),
            Self::Notifier(notifier) => notifier.imports(),
        }
    }

    /// Interfaces it exports, with versions.
    pub fn exports(&self) -> &[String] {
        match self {
            Self::Provider(provider) => provider.exports(),
            Self::Policy(policy) => policy.exports(),
            Self::Notifier(notifier) => notifier.exports(),
        }
    }
}

impl Bench {
    /// Checks, compiles, checks, tries: a provider.
    pub(crate) async fn load(&self, order: Order<'_>) -> Result<Provider, LoadError> {
        let compiled = self.compiled(&order).await?;
        if !compiled.border.exports(PROVIDER) {
            return Err(LoadError::NoProvider { missing: PROVIDER });
        }
        self.provider(order, compiled).await
    }

    /// The same for a policy.
    pub(crate) async fn load_policy(&self, order: Order<'_>) -> Result<Policy, LoadError> {
        let compiled = self.compiled(&order).await?;
        self.policy(order, compiled).await
    }

    /// The same for whichever it is.
    pub(crate) async fn load_plugin(&self, order: Order<'_>) -> Result<Plugin, LoadError> {
        let compiled = self.compiled(&order).await?;
        if Hook::ALL.iter().any(|hook| compiled.border.exports(hook.interface())) {
            self.policy(order, compiled).await.map(Plugin::Policy)
        } else if compiled.border.exports(NOTIFIER) {
            self.notifier(order, compiled).await.map(Plugin::Notifier)
        } else if compiled.border.exports(PROVIDER) {
            self.provider(order, compiled).await.map(Plugin::Provider)
        } else {
            Err(LoadError::NoProvider { missing: PROVIDER })
        }
    }

    /// Everything that is the same for all kinds.
    async fn compiled(&self, order: &Order<'_>) -> Result<Compiled, LoadError> {
        check_bytes(order.bytes)?;
        let bytes = order.bytes.to_vec();
        let pin = order.pin.copied();
        let bench = self.clone();
        spawn_blocking(move || {
            let digest = check_digest(&bytes, pin)?;
            let (component, origin) = bench.compile(&bytes, &digest)?;
            let border = Border::of(&component, &bench.engine);
            let contract = check_border(&border)?;
            Ok(Compiled { digest, origin, border, contract, component })
        })
        .await
        // A panic of the compiler, most likely; it ends here.
        .map_err(|error| LoadError::Compile(error.into()))?
    }

    async fn provider(&self, order: Order<'_>, compiled: Compiled) -> Result<Provider, LoadError> {
        let pre = link(&self.engine, &compiled.component)
            .and_then(|pre| Ok(ProviderPre::new(pre, &compiled.border)?))
            .map_err(LoadError::Link)?;
        let provider = Provider::new(self.checked(order, compiled, pre));
        tried(provider.trial().await)?;
        Ok(provider)
    }

    async fn policy(&self, order: Order<'_>, compiled: Compiled) -> Result<Policy, LoadError> {
        if !Hook::ALL.iter().any(|hook| compiled.border.exports(hook.interface())) {
            return Err(LoadError::NoPolicy);
        }
        let pre = link(&self.engine, &compiled.component)
            .and_then(|pre| Ok(PolicyPre::new(pre, &compiled.border)?))
            .map_err(LoadError::Link)?;
        let rooms = Rooms { hooks: Arc::clone(&self.hooks), filters: Arc::clone(&self.filters) };
        let policy = Policy::new(self.checked(order, compiled, pre), rooms);
        tried(policy.trial().await)?;
        Ok(policy)
    }

    async fn notifier(&self, order: Order<'_>, compiled: Compiled) -> Result<Notifier, LoadError> {
        let pre = link(&self.engine, &compiled.component)
            .and_then(|pre| Ok(NotifierPre::new(pre)?))
            .map_err(LoadError::Link)?;
        let notifier = Notifier::new(self.checked(order, compiled, pre), Arc::clone(&self.hooks));
        tried(notifier.trial().await)?;
        Ok(notifier)
    }

    fn checked<P>(&self, order: Order<'_>, compiled: Compiled, pre: P) -> Checked<P> {
        Checked {
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
            pre,
            journal: Arc::new(Journal::new(order.name)),
            meter: Arc::default(),
            siding: Arc::clone(&self.siding),
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
    component: Component,
}

/// What a trial says of a plugin.
fn tried(trial: Result<(), CallError>) -> Result<(), LoadError> {
    trial.map_err(|error| match error {
        CallError::Refused(error) => LoadError::Settings { error },
        error @ (CallError::Busy
        | CallError::TimedOut(_)
        | CallError::OutOfMemory
        | CallError::Trapped { .. }
        | CallError::TooMuchOutput
        | CallError::Malformed(_)
        | CallError::Poisoned) => LoadError::Trial(error),
    })
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

/// Whether it is a plugin of a contract that we speak, and wants nothing else of us.
fn check_border(border: &Border) -> Result<ContractVersion, LoadError> {
    let mut contract = None;
    let ours = border.exports.iter().filter_map(|export| Some((export, Interface::parse(export)?)));
    for (export, interface) in ours {
        if !interface.version.runs_on(&ContractVersion::HOST) {
            return Err(LoadError::OtherContract { export: export.clone() });
        }
        contract = Some(interface.version);
    }
    if let Some(import) = border.forbidden.first() {
        return Err(LoadError::ForbiddenImport { import: import.clone() });
    }
    let missing = LoadError::NoProvider { missing: LIFECYCLE };
    contract.filter(|_| border.exports(LIFECYCLE)).ok_or(missing)
}

/// Joins its imports to ours. Wasmtime compares shapes here and, of variants and records, only when it is tried.
fn link(
    engine: &Engine,
    component: &Component,
) -> Result<InstancePre<Guest>, Box<dyn Error + Send + Sync>> {
    let mut linker = Linker::new(engine);
    ProviderPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
    policy_types::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
    Ok(linker.instantiate_pre(component)?)
}
