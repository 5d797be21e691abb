//! SIGHUP: reads the configuration again and puts in force what may change while the process runs.
//!
//! All of it or nothing: a configuration with any problem changes nothing. No connection is touched.

use std::fmt;
use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::gateway::Gateway;
use crate::rules::Rules;
use crate::serve::{chain_of, routes_of};
use crate::settings::{Configured, Effective, Model, Plugin, Problems, Secret, Settings};
use crate::telemetry::Level;

/// Reads the whole configuration from where it was read at the start.
pub(crate) type Reader = dyn Fn() -> Result<Configured, Problems> + Send + Sync;

/// What the process was started with. Whatever is not reloaded is held against it.
pub(crate) struct Started {
    effective: Vec<Effective>,
    secrets: Vec<Secret>,
    plugins: Vec<Plugin>,
}

impl Started {
    /// Keeps what a later configuration is compared with.
    pub(crate) fn with(settings: &Settings, effective: Vec<Effective>) -> Self {
        let (secrets, plugins) = (settings.auth.secrets.clone(), settings.plugins.clone());
        Self { effective, secrets, plugins }
    }

    /// What is different in a way that only a restart brings into force: keys, and plugins by id.
    fn needs_restart(&self, settings: &Settings, effective: &[Effective]) -> Vec<String> {
        let changed = |now: &&Effective| {
            let before = self.effective.iter().find(|before| before.key == now.key);
            !now.reloaded && before.is_none_or(|before| before.value != now.value)
        };
        let mut needs: Vec<String> =
            effective.iter().filter(changed).map(|now| now.key.to_owned()).collect();
        // Masked secrets look alike.
        if self.secrets != settings.auth.secrets && !needs.iter().any(|key| key.contains("secret"))
        {
            needs.push("auth.jwt_secret".to_owned());
        }
        let ids = self.plugins.iter().chain(&settings.plugins).map(|plugin| plugin.id.as_str());
        let find = |plugins: &'_ [Plugin], id: &str| plugins.iter().position(|p| p.id == id);
        for id in ids.collect::<std::collections::BTreeSet<_>>() {
            let before = find(&self.plugins, id).map(|index| &self.plugins[index]);
            let now = find(&settings.plugins, id).map(|index| &settings.plugins[index]);
            if before != now {
                needs.push(format!("plugins.{id}"));
            }
        }
        needs
    }
}

/// Reloads on request.
pub(crate) struct Reload {
    /// What it changes.
    pub(crate) gateway: Arc<Gateway>,
    /// Where configurations come from.
    pub(crate) reader: Arc<Reader>,
    /// What is logged.
    pub(crate) level: Level,
    /// What the process runs on.
    pub(crate) started: Started,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reload")
    }
}

impl Reload {
    /// Reloads at each signal, until `drain`.
    pub(crate) async fn run(self, mut hangup: Signal, drain: CancellationToken) {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                _ = hangup.recv() => self.reload().await,
            }
        }
    }

    async fn reload(&self) {
        let reader = Arc::clone(&self.reader);
        let read = tokio::task::spawn_blocking(move || reader()).await;
        let Configured { settings, effective, warnings } = match read {
            Ok(Ok(configured)) => configured,
            Ok(Err(problems)) => {
                for problem in problems.each() {
                    tracing::error!(%problem, "not reloaded");
                }
                return tracing::error!("the configuration has problems, the one in force stays");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return tracing::error!(error, "the configuration could not be read");
            }
        };
        for warning in warnings {
            tracing::warn!(%warning, "odd configuration");
        }
        let needs_restart = self.started.needs_restart(&settings, &effective);
        // One that stays off is not asked, as since the start.
        let wanted = settings.models.iter().flat_map(Model::plugins);
        let missing = wanted
            .filter(|plugin| !self.gateway.off.contains_key(*plugin))
            .chain(settings.policies.chain.iter().map(String::as_str))
            .find(|plugin| !self.gateway.plugins.contains_key(*plugin))
            .map(str::to_owned);
        if let Some(plugin) = missing {
            tracing::error!(plugin, "it is wanted and not loaded, which needs a restart");
            return tracing::error!("the configuration has problems, the one in force stays");
        }
        let Settings { server, limits, llm, policies, models, telemetry, .. } = settings;
        let rules = Rules::of(limits, &server);
        let (loaded, means) = (&self.gateway.plugins, &self.gateway.means);
        let made = routes_of(models, loaded, &means.catalog.load()).and_then(|routes| {
            let chain = chain_of(policies, loaded, &means.policies.chain())?;
            Ok((routes, chain))
        });
        let (routes, chain) = match made {
            Ok(made) => made,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return tracing::error!(
                    error,
                    "the configuration has problems, the one in force stays"
                );
            }
        };
        let catalog = Catalog::new(routes, llm.default_model);
        let models = catalog.ids().len();
        self.gateway.rules.store(Arc::new(rules));
        self.gateway.means.catalog.store(Arc::new(catalog));
        self.gateway.means.policies.replace(chain);
        self.level.set(&telemetry.level);
        for key in needs_restart {
            tracing::warn!(key, "changed, but needs a restart");
        }
        tracing::info!(models, "reloaded the configuration");
    }
}
