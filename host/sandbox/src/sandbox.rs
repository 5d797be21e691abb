//! The sandbox as a whole: one engine, one pool, one clock. Immutable once started.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::cache::{Cache, CacheError};
use crate::digest::Digest;
use crate::engine::{HOOK_SLOTS, engine, filter_slots};
use crate::limits::Limits;
use crate::load::{Bench, LoadError, Order, Plugin};
use crate::policy::Policy;
use crate::provider::Provider;
use crate::siding::Siding;

/// How a sandbox is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSettings {
    /// Answers at a time, over all plugins. Reserves address space, not memory.
    pub max_answers: u32,
    /// Where compiled components are kept; nowhere if none. Created if missing, and closed to other users.
    pub cache_directory: Option<PathBuf>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self { max_answers: 2_000, cache_directory: None }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Wasmtime could not be set up: most likely too little address space for so many answers.
    #[error("the sandbox has no room for {max_answers} answers")]
    Engine {
        /// What was asked for.
        max_answers: u32,
        /// What wasmtime said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no thread for the clock, or none for slow calls.
    #[error("the sandbox has no threads for its clock and its siding")]
    Threads(#[source] std::io::Error),
    /// The compile cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Where plugins run. Cheap to clone; clones are one sandbox. Its clock stops when the last provider and answer are gone too.
#[derive(Debug, Clone)]
pub struct Sandbox {
    bench: Bench,
}

impl Sandbox {
    /// Sets up engine, pool and clock.
    pub fn new(settings: SandboxSettings) -> Result<Self, StartError> {
        let SandboxSettings { max_answers, cache_directory } = settings;
        let engine = engine(max_answers).map_err(|error| StartError::Engine {
            max_answers,
            source: error.into_boxed_dyn_error(),
        })?;
        let cache = match cache_directory {
            Some(directory) => Some(Arc::new(Cache::open(&directory, &engine)?)),
            None => None,
        };
        let siding = Siding::start(engine.clone()).map_err(StartError::Threads)?;
        let places = room_for(max_answers);
        let bench = Bench {
            engine,
            cache,
            siding: Arc::new(siding),
            places: Arc::new(Semaphore::new(places)),
            hooks: Arc::new(Semaphore::new(HOOK_SLOTS as usize)),
            filters: Arc::new(Semaphore::new(room_for(filter_slots(max_answers)))),
        };
        Ok(Self { bench })
    }

    /// How many plugin instances live, as the engine's pool counts them.
    pub fn instances(&self) -> usize {
        let pool = self.bench.engine.pooling_allocator_metrics();
        pool.map_or(0, |pool| usize::try_from(pool.component_instances()).unwrap_or(usize::MAX))
    }

    /// Loads a policy, as [`Sandbox::load`] does a provider.
    pub async fn load_policy(
        &self,
        name: &str,
        bytes: &[u8],
        pin: Option<&Digest>,
        limits: Limits,
        settings_json: &str,
    ) -> Result<Policy, LoadError> {
        self.bench.load_policy(Order { name, bytes, pin, limits, settings: settings_json }).await
    }

    /// Loads a plugin of whichever kind it is. One that could be both is a policy.
    pub async fn load_plugin(
        &self,
        name: &str,
        bytes: &[u8],
        pin: Option<&Digest>,
        limits: Limits,
        settings_json: &str,
    ) -> Result<Plugin, LoadError> {
        self.bench.load_plugin(Order { name, bytes, pin, limits, settings: settings_json }).await
    }

    /// Checks a component, compiles it off the runtime, and tries it once with its settings (at time zero).
    ///
    /// `name` is what it is called in logs; with `pin`, no other component than that is taken; `settings_json` is handed to the
    /// plugin as it is.
    pub async fn load(
        &self,
        name: &str,
        bytes: &[u8],
        pin: Option<&Digest>,
        limits: Limits,
        settings_json: &str,
    ) -> Result<Provider, LoadError> {
        self.bench.load(Order { name, bytes, pin, limits, settings: settings_json }).await
    }
}

/// A number of places as a semaphore counts them.
fn room_for(slots: u32) -> usize {
    usize::try_from(slots).map_or(Semaphore::MAX_PERMITS, |most| most.min(Semaphore::MAX_PERMITS))
}
