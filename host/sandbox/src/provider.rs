//! A provider plugin that passed every check, ready to answer.

use std::fmt;
use std::sync::Arc;

use sluice_chat::id::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store};

use crate::answer::{Answer, Live, begin};
use crate::beside::Beside;
use crate::call::CallError;
use crate::contract::{
    Border, ContractVersion, EMBEDDING, LISTING, ProviderPluginPre, embedding, lifecycle, listing,
};
use crate::convert::output::refused;
use crate::digest::Digest;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::log::Journal;
use crate::meter::{Meter, Used};
use crate::siding::Siding;

/// What plugins are told of their host.
const HOST: &str = concat!("sluice ", env!("CARGO_PKG_VERSION"), ", contract 0.1.0");

/// Where a component's machine code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Compiled just now.
    Compiled,
    /// Read from the cache.
    Cached,
}

/// A provider plugin. Cheap to clone; clones are one plugin.
#[derive(Debug, Clone)]
pub struct Provider(pub(crate) Arc<Checked<ProviderPre>>);

/// Where in a component its interfaces are.
pub(crate) struct ProviderPre {
    plugin: ProviderPluginPre<Guest>,
    pub(crate) embedding: Option<Beside<embedding::GuestIndices>>,
    pub(crate) listing: Option<Beside<listing::GuestIndices>>,
}

impl ProviderPre {
    /// Finds them.
    pub(crate) fn new(instance: InstancePre<Guest>, border: &Border) -> wasmtime::Result<Self> {
        let beside = |name| border.exports(name).then(|| instance.clone());
        let embedding = beside(EMBEDDING)
            .map(|instance| Beside::new(instance, embedding::GuestIndices::new))
            .transpose()?;
        let listing = beside(LISTING)
            .map(|instance| Beside::new(instance, listing::GuestIndices::new))
            .transpose()?;
        Ok(Self { plugin: ProviderPluginPre::new(instance)?, embedding, listing })
    }
}

/// What loading made of a component.
pub(crate) struct Checked<P> {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) contract: ContractVersion,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) origin: Origin,
    pub(crate) settings: String,
    pub(crate) limits: Arc<Limits>,
    pub(crate) engine: Engine,
    pub(crate) pre: P,
    pub(crate) journal: Arc<Journal>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) places: Places,
    pub(crate) siding: Arc<Siding>,
}

/// Places for answers: of the whole sandbox, and of one plugin if it has a bound of its own.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) all: Arc<Semaphore>,
    pub(crate) own: Option<Arc<Semaphore>>,
}

/// A place taken. Given back on drop.
#[derive(Debug)]
pub(crate) struct Place {
    _all: OwnedSemaphorePermit,
    _own: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(crate) fn take(&self) -> Result<Place, CallError> {
        let take = |places| Semaphore::try_acquire_owned(places).map_err(|_taken| CallError::Busy);
        let own = self.own.clone().map(take).transpose()?;
        Ok(Place { _all: take(Arc::clone(&self.all))?, _own: own })
    }
}

impl<P> fmt::Debug for Checked<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Provider {
    pub(crate) fn new(checked: Checked<ProviderPre>) -> Self {
        Self(Arc::new(checked))
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// SHA-256 of its component.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Version of the contract that it was built for.
    pub fn contract(&self) -> &ContractVersion {
        &self.0.contract
    }

    /// Interfaces it imports, with versions.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// Interfaces it exports, with versions.
    pub fn exports(&self) -> &[String] {
        &self.0.exports
    }

    /// What it has used since it was loaded.
    pub fn used(&self) -> Used {
        self.0.meter.read()
    }

    /// Whether it had to be compiled.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// Begins an answer: a fresh instance, told its settings, the time and a seed for randomness.
    pub async fn answer(&self, now: Instant, seed: u64) -> Result<Answer, CallError> {
        let place = self.0.places.take()?;
        self.instance(Some(place), now, seed).await
    }

    /// An answer that is thrown away: what loading tries. Takes none of the places, the pool has a few to spare.
    pub(crate) async fn trial(&self) -> Result<(), CallError> {
        self.instance(None, Instant(0), 0).await.map(drop)?;
        self.trial_beside().await
    }

    async fn instance(
        &self,
        place: Option<Place>,
        now: Instant,
        seed: u64,
    ) -> Result<Answer, CallError> {
        let checked = Arc::clone(&self.0);
        let call = async move { checked.instance(place, now, seed).await };
        let Checked { limits, siding, .. } = &*self.0;
        let live = siding.run(call).await?;
        Ok(Answer::new(live, Arc::clone(limits), Arc::clone(siding)))
    }
}

impl<P> Checked<P> {
    /// For an instance of it.
    pub(crate) fn store(&self) -> Store<Guest> {
        let (journal, meter) = (Arc::clone(&self.journal), Arc::clone(&self.meter));
        Guest::store(&self.engine, &self.limits, journal, meter)
    }

    /// What each instance is told first.
    pub(crate) fn context(&self, now: Instant, seed: u64) -> lifecycle::Context {
        let settings = self.settings.clone();
        lifecycle::Context { settings, now: now.0, seed, host: HOST.to_owned() }
    }
}

impl Checked<ProviderPre> {
    async fn instance(
        &self,
        place: Option<Place>,
        now: Instant,
        seed: u64,
    ) -> Result<Live, CallError> {
        let mut store = self.store();
        begin(&mut store, self.limits.configure);

        let plugin = match self.pre.plugin.instantiate_async(&mut store).await {
            Ok(plugin) => plugin,
            Err(error) => return Err(store.data().failed(error)),
        };
        let context = self.context(now, seed);
        match plugin.sluice_plugin_lifecycle().call_configure(&mut store, &context).await {
            Ok(configured) => {
                configured.map_err(refused)?;
            }
            Err(error) => return Err(store.data().failed(error)),
        }
        let guest = plugin.sluice_plugin_provider().answer();
        let answer = match guest.call_constructor(&mut store).await {
            Ok(answer) => answer,
            Err(error) => return Err(store.data().failed(error)),
        };
        store.data_mut().rest();
        Ok(Live { store, plugin, answer, _place: place })
    }
}
