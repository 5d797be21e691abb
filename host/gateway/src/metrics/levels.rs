//! How much there is of what, looked up when somebody reads.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sluice_sandbox::{Hook, Used};

use super::label::{Limited, Limiter, Named, Provider};

/// What the parts of the gateway hold at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Connections that are open.
    pub(crate) connections: usize,
    /// Users who have one.
    pub(crate) connected_users: usize,
    /// Sessions in memory.
    pub(crate) sessions: usize,
    /// Tasks of sessions, connections and calls.
    pub(crate) tasks: usize,
    /// Sockets that speak plain HTTP.
    pub(crate) sockets: usize,
    /// Plugin instances that live.
    pub(crate) instances: usize,
    /// Exchanges with upstreams that are open.
    pub(crate) exchanges: usize,
    /// Plugins that stay off because they ask for more than they are granted.
    pub(crate) plugins_off: usize,
    /// Whether the archive may lose what it acknowledged when its server dies.
    pub(crate) degraded: bool,
    /// Keys that each limiter remembers.
    pub(crate) limiter_keys: Vec<(Limiter, usize)>,
    /// Keys that rest, by the id of their plugin.
    pub(crate) resting: Vec<(String, usize)>,
    /// Of a provider its models that are passed over, of a policy of the chain 1 while it is not asked, by the plugin's id.
    pub(crate) down: Vec<(String, usize)>,
    /// Providers that may be asked.
    pub(crate) providers: Vec<String>,
    /// Policies that are asked, with each of their hooks.
    pub(crate) hooks: Vec<(String, Hook)>,
    /// Ways to tell somebody.
    pub(crate) channels: Vec<String>,
    /// What each plugin has used, by its id.
    pub(crate) used: Vec<(String, Used)>,
}

/// The gauges for it.
#[derive(Debug)]
pub(crate) struct Levels {
    connections: Gauge,
    connected_users: Gauge,
    sessions: Gauge,
    tasks: Gauge,
    sockets: Gauge,
    instances: Gauge,
    exchanges: Gauge,
    plugins_off: Gauge,
    degraded: Gauge,
    limiter_keys: Family<Limited, Gauge>,
    resting: Family<Provider, Gauge>,
    down: Family<Named, Gauge>,
}

impl Levels {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let levels = Self {
            connections: Gauge::default(),
            connected_users: Gauge::default(),
            sessions: Gauge::default(),
            tasks: Gauge::default(),
            sockets: Gauge::default(),
            instances: Gauge::default(),
            exchanges: Gauge::default(),
            plugins_off: Gauge::default(),
            degraded: Gauge::default(),
            limiter_keys: Family::default(),
            resting: Family::default(),
            down: Family::default(),
        };
        let gauges = [
            (
                "chatbox_websocket_connections_total",
                "Connections that are open.",
                &levels.connections,
            ),
            ("sluice_connections", "Connections that are open.", &levels.connections),
            ("sluice_connected_users", "Users who have a connection.", &levels.connected_users),
            ("chatbox_active_sessions_total", "Sessions in memory.", &levels.sessions),
            ("sluice_sessions", "Sessions in memory.", &levels.sessions),
            ("sluice_tasks", "Tasks of sessions, connections and calls.", &levels.tasks),
            ("sluice_plain_sockets", "Sockets that speak plain HTTP.", &levels.sockets),
            ("sluice_plugin_instances", "Plugin instances that live.", &levels.instances),
            (
                "sluice_upstream_exchanges",
                "Exchanges with upstreams that are open.",
                &levels.exchanges,
            ),
            (
                "sluice_plugins_off",
                "Plugins that stay off because they ask for more than they are granted.",
                &levels.plugins_off,
            ),
            (
                "sluice_archive_degraded",
                "1 if the archive may lose what it acknowledged when its server dies, else 0.",
                &levels.degraded,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "sluice_limiter_keys",
            "Users or addresses that a limiter remembers.",
            levels.limiter_keys.clone(),
        );
        registry.register(
            "sluice_credentials_resting",
            "Keys of a provider that were refused and are not used for a while.",
            levels.resting.clone(),
        );
        registry.register(
            "sluice_plugin_down",
            "Models of a provider that are passed over, or 1 while a policy is not asked.",
            levels.down.clone(),
        );
        levels
    }

    pub(super) fn set(&self, seen: &Seen) {
        let Seen {
            connections,
            connected_users,
            sessions,
            tasks,
            sockets,
            instances,
            exchanges,
            plugins_off,
            degraded,
            limiter_keys,
            resting,
            down,
            providers: _,
            hooks: _,
            channels: _,
            used: _,
        } = seen;
        let set = |gauge: &Gauge, count: usize| {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set(&self.connections, *connections);
        set(&self.connected_users, *connected_users);
        set(&self.sessions, *sessions);
        set(&self.tasks, *tasks);
        set(&self.sockets, *sockets);
        set(&self.instances, *instances);
        set(&self.exchanges, *exchanges);
        set(&self.plugins_off, *plugins_off);
        set(&self.degraded, usize::from(*degraded));
        for (provider, keys) in resting {
            let provider = Provider { provider: provider.clone() };
            set(&self.resting.get_or_create(&provider), *keys);
        }
        // Another configuration may have others.
        self.down.clear();
        for (plugin, count) in down {
            set(&self.down.get_or_create(&Named { plugin: plugin.clone() }), *count);
        }
        for (limiter, keys) in limiter_keys {
            set(&self.limiter_keys.get_or_create(&Limited { limiter: *limiter }), *keys);
        }
    }
}
