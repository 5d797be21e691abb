//! The life of the process: build in order, serve, drain.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use sluice_archive::{Archive, Durability};
use sluice_chat::history::Budget;
use sluice_chat::log::Bounds;
use sluice_mail::{Mailer, MailerError};
use sluice_sandbox::{Limits, Plugin as Component, Sandbox, SandboxSettings};
use sluice_upstream::{Granted, Timeouts, Upstream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept;
use crate::admission::{Registry, Turnstile};
use crate::ask::Patience;
use crate::body::Bodies;
use crate::catalog::{Catalog, Route};
use crate::drain::{Ended, WayOut};
use crate::every::every;
use crate::gateway::Gateway;
use crate::identity::{KeyRing, KeySource, Verifier};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::notices::{self, Channel, Notices, Telling};
use crate::plugins::{self, Loaded, PluginError, Shelf};
use crate::policies::{self, Chain, Link, Policies};
use crate::rate::Windows;
use crate::reload::{Reader, Reload, Started};
use crate::retention;
use crate::revocation::Revocations;
use crate::routes::{self, HostCheck};
use crate::rules::Rules;
use crate::session::Means;
use crate::settings::{Jwks, MAIL, Model, Notify, Plugin, Policies as Judges, Reached, Settings};
use crate::storage::{self, StorageError};
use crate::telemetry::Level;

/// Bytes of frames that a session keeps for replay beside its running answer.
const REPLAY_BYTES: usize = 256 * 1024;
/// Bytes of what a session remembers of frames beyond that, whose text is in the archive: some 8,000 pieces.
const PAST_BYTES: usize = 64 * 1024;

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The archive cannot be had.
    #[error(transparent)]
    Archive(StorageError),
    /// The address cannot be had.
    #[error(
        "cannot listen on {address}; is another gateway running there? choose another with server.bind or SERVER_PORT"
    )]
    Listen { address: SocketAddr, source: std::io::Error },
    /// Plugins of the configuration cannot be used.
    #[error("{} of the configured plugins cannot be used", .0.len())]
    Plugins(Vec<PluginError>),
    /// Anything that is not the operator's to mend.
    #[error(transparent)]
    Internal(anyhow::Error),
}

/// What each plugin may use. Where several answer, none takes more than three quarters of the places there are, however many ask it:
/// the models of the others go on.
fn limits_of(models: &[Model], max_answers: u32) -> Limits {
    let answering: BTreeSet<&str> = models.iter().flat_map(Model::plugins).collect();
    let share = max_answers - max_answers / 4;
    let live_answers = usize::try_from(share).ok().filter(|_| answering.len() > 1);
    Limits { live_answers, ..Limits::default() }
}

/// The plugins of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Plugins {
    /// Those that can be used, by id.
    pub(crate) loaded: BTreeMap<String, Loaded>,
    /// Those that are switched on and stay off: they ask for more than they are granted. By id, the lines that would grant it.
    pub(crate) off: BTreeMap<String, Vec<String>>,
}

impl Plugins {
    /// Why those that are off are off.
    pub(crate) fn refused(&self) -> Vec<PluginError> {
        let refused = self
            .off
            .iter()
            .map(|(id, lines)| PluginError::AsksForMore { id: id.clone(), lines: lines.clone() });
        refused.collect()
    }

    /// Goes on without those that are off, if it can: not without one that judges or tells, or when nobody is left.
    fn spare(&self, policies: &Judges, notify: &Notify) -> Result<(), ServeError> {
        let events = &notify.events;
        let mut needed = policies.chain.iter().chain(&events.help_request).chain(&events.alarm);
        if needed.any(|id| self.off.contains_key(id)) || self.loaded.is_empty() {
            return Err(ServeError::Plugins(self.refused()));
        }
        for error in self.refused() {
            let error = &error as &dyn Error;
            tracing::error!(error, "a plugin stays off");
        }
        Ok(())
    }
}

/// Loads every enabled plugin; what went wrong is told together. That one asks for more than it is granted is not wrong: it stays off.
pub(crate) async fn load_plugins(
    sandbox: &Sandbox,
    shelf: &Shelf,
    plugins: &[Plugin],
    limits: Limits,
) -> Result<Plugins, Vec<PluginError>> {
    let mut sorted = Plugins::default();
    let mut problems = Vec::new();
    for plugin in plugins.iter().filter(|plugin| plugin.enabled) {
        match plugins::load(sandbox, shelf, plugin, limits.clone()).await {
            Ok(ready) => {
                sorted.loaded.insert(plugin.id.clone(), ready);
            }
            Err(PluginError::AsksForMore { id, lines }) => {
                sorted.off.insert(id, lines);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(sorted) } else { Err(problems) }
}

/// The sandbox of this configuration.
pub(crate) fn sandbox(settings: &crate::settings::Sandbox) -> Result<Sandbox, ServeError> {
    let cache_directory = Some(settings.cache_directory.clone());
    let settings = SandboxSettings { max_answers: settings.max_answers, cache_directory };
    Sandbox::new(settings).map_err(|error| ServeError::Internal(error.into()))
}

/// What clients may pick. Each model's plugin is loaded; one that does not answer is an error. What is known of the health of those
/// that were on offer `before` stays known.
pub(crate) fn routes_of(
    models: Vec<Model>,
    loaded: &BTreeMap<String, Loaded>,
    before: &Catalog,
) -> Result<Vec<Arc<Route>>, PluginError> {
    let route = |model: &Model, reached: Reached, also: Vec<Arc<Route>>| {
        let Reached { plugin: id, upstream, weight, price } = reached;
        let Loaded { plugin, credentials, .. } = loaded.get(&id)?.clone();
        let Component::Provider(provider) = plugin else {
            let cannot = "a model is to be answered by it, and it does not answer";
            return Some(Err(PluginError::OtherKind { id, cannot }));
        };
        let model = model.clone();
        let breaker = before.breaker(&model.id, &id, &upstream).unwrap_or_default();
        Some(Ok(Arc::new(Route {
            id: model.id,
            name: model.name,
            upstream_model: upstream,
            provider,
            credentials,
            system_prompt: model.system_prompt,
            price,
            max_output_tokens: model.max_output_tokens,
            fallback: model.fallback,
            weight,
            also,
            roles: model.roles,
            breaker,
        })))
    };
    let model = |model: Model| {
        let also = model.also.iter().cloned();
        let also = also.filter_map(|reached| route(&model, reached, Vec::new()));
        match also.collect::<Result<Vec<_>, _>>() {
            Ok(also) => route(&model, model.reached.clone(), also),
            Err(problem) => Some(Err(problem)),
        }
    };
    models.into_iter().filter_map(model).collect()
}

/// Who judges. Each is loaded; one that does not judge is an error. Those who were asked `before` are the same still, with all that
/// is known of their health.
pub(crate) fn chain_of(
    policies: Judges,
    loaded: &BTreeMap<String, Loaded>,
    before: &Chain,
) -> Result<Chain, PluginError> {
    let link = |id: String| {
        let Loaded { plugin, on_failure, .. } = loaded.get(&id)?.clone();
        let Component::Policy(policy) = plugin else {
            let cannot = "it is in policies.chain, and it does not judge";
            return Some(Err(PluginError::OtherKind { id, cannot }));
        };
        let known = before.links().iter().find(|link| link.name() == id);
        Some(Ok(known.map_or_else(|| Arc::new(Link::new(policy, on_failure)), Arc::clone)))
    };
    let links = policies.chain.into_iter().filter_map(link).collect::<Result<Vec<_>, _>>()?;
    Ok(Chain::new(links, policies.break_glass))
}

/// Names that the operator lets lead into private networks.
pub(crate) fn granted(plugins: &[Plugin]) -> Granted {
    let granted = plugins.iter().filter(|plugin| plugin.grants.private_network);
    let urls = granted.flat_map(|plugin| plugin.endpoints.values());
    urls.filter_map(|url| url.host_str().map(str::to_ascii_lowercase)).collect()
}

/// What a reload works with.
pub(crate) struct Reloading {
    /// Where configurations come from.
    pub(crate) reader: Arc<Reader>,
    /// What is logged.
    pub(crate) level: Level,
    /// What the process is started with.
    pub(crate) started: Started,
}

/// Runs the gateway until it is told to stop.
pub(crate) async fn run(settings: Settings, reloading: Reloading) -> Result<Ended, ServeError> {
    let internal = |error: anyhow::Error| ServeError::Internal(error);
    let Settings {
        server,
        auth,
        limits,
        session,
        llm,
        storage,
        sandbox: sandboxed,
        policies,
        plugins,
        models,
        notify,
        telemetry,
    } = settings;
    // The archive first: its lock tells a second gateway on the same data at once.
    let retention = storage.retention;
    let archive = storage::open(storage).await.map_err(ServeError::Archive)?;
    let listener = accept::listen(server.bind)
        .map_err(|source| ServeError::Listen { address: server.bind, source })?;
    let address = listener.local_addr().map_err(|error| internal(error.into()))?;
    let revocations =
        Revocations::recall(&archive).await.map_err(|error| internal(error.into()))?;
    let shelf = Shelf::new(&sandboxed.plugin_directory);
    let sandbox = sandbox(&sandboxed)?;
    let bounds = limits_of(&models, sandboxed.max_answers);
    let ready =
        load_plugins(&sandbox, &shelf, &plugins, bounds).await.map_err(ServeError::Plugins)?;
    ready.spare(&policies, &notify)?;
    let Plugins { loaded, off } = ready;
    let upstream = Upstream::new(llm.connect_timeout, granted(&plugins))
        .map_err(|error| internal(error.into()))?;
    let unfit = |problem| ServeError::Plugins(vec![problem]);
    let routes = routes_of(models, &loaded, &Catalog::default()).map_err(unfit)?;
    let catalog = Catalog::new(routes, llm.default_model);
    let chain = chain_of(policies, &loaded, &Chain::default()).map_err(unfit)?;
    let offered: Vec<String> = catalog.ids().map(ToString::to_string).collect();
    let ring = auth.jwks.clone().map(|jwks| {
        KeyRing::new(match jwks {
            Jwks::File(path) => KeySource::File(path),
            Jwks::Web(document) => KeySource::Web(upstream.clone(), document),
        })
    });
    let (ring, keeper) = ring.unzip();
    let age_ms = u64::try_from(session.reconnect_timeout.as_millis()).unwrap_or(u64::MAX);
    let metrics = Arc::new(Metrics::new());
    let notices =
        Arc::new(notices(notify, &archive, &metrics, &loaded, &upstream).map_err(|error| {
            match error {
                NoNotices::Mail(error) => internal(error.into()),
                NoNotices::Plugin(error) => ServeError::Plugins(vec![error]),
            }
        })?);
    if archive.durability() == Durability::Degraded {
        notices.alarm(Telling::archive_degraded());
    }
    let (stored, judging) = (archive.clone(), metrics.judging.clone());
    let judges = Policies::new(chain, stored, judging, llm.stream_timeout);
    let tasks = TaskTracker::new();
    let means = Means {
        archive,
        policies: Arc::new(judges),
        catalog: Arc::new(ArcSwap::from_pointee(catalog)),
        upstream,
        patience: Patience {
            total: llm.stream_timeout,
            exchange: Timeouts { first_byte: llm.first_byte_timeout, idle: llm.idle_timeout },
        },
        budget: Budget { messages: session.history_messages, tokens: session.history_tokens },
        system_prompt: session.system_prompt,
        bounds: Bounds { bytes: REPLAY_BYTES, past_bytes: PAST_BYTES, age_ms },
        queue: session.queue,
        metrics,
        notices,
        tasks: tasks.clone(),
    };
    let turnstile = Turnstile::new(server.max_connections);
    let gateway = Arc::new(Gateway {
        ledger: Ledger::new(means.archive.clone(), tasks.clone()),
        means: Arc::new(means),
        verifier: Verifier::new(&auth, ring),
        revocations,
        auth,
        registry: Arc::new(Registry::default()),
        turnstile: Arc::new(turnstile),
        messages: Windows::new(),
        operators: Windows::new(),
        addresses: Windows::new(),
        failures: Windows::new(),
        bodies: Bodies::new(),
        rules: ArcSwap::from_pointee(Rules::of(limits, &server)),
        prefix: server.path_prefix,
        plugins: loaded,
        off,
        sandbox,
        metrics_networks: telemetry.metrics_networks,
        tasks,
        sockets: TaskTracker::new(),
        drain: CancellationToken::new(),
        halt: CancellationToken::new(),
    });
    let host = server.public_url.as_ref().and_then(|url| url.host_str());
    let hosts = HostCheck {
        loopback: address.ip().is_loopback(),
        names: host.into_iter().map(str::to_owned).collect(),
    };
    let app = routes::all(&gateway, hosts);

    if let Err(error) = gateway.means.archive.serve().await {
        // It may be mended while the gateway runs, which says so at `/readyz` until then.
        tracing::error!(error = &error as &dyn Error, "the archive cannot be written to");
    }
    let mut services = JoinSet::new();
    if let Some(keeper) = keeper {
        services.spawn(keeper.run(gateway.drain.clone()));
    }
    let (sockets, ruled) = (gateway.sockets.clone(), Arc::clone(&gateway));
    let is_ours = move |peer: IpAddr| {
        ruled.rules.load().trusted_proxies.iter().any(|proxies| proxies.contains(peer))
    };
    services.spawn(accept::serve(listener, app, sockets, gateway.drain.clone(), is_ours));
    let (swept, ttl) = (Arc::clone(&gateway), session.ttl);
    let interval = move || session.cleanup_interval;
    services.spawn(every(interval, gateway.drain.clone(), move || swept.sweep(ttl)));
    let (swept, ruled) = (Arc::clone(&gateway), Arc::clone(&gateway));
    let interval = move || ruled.rules.load().limits.cleanup_interval;
    services.spawn(every(interval, gateway.drain.clone(), move || swept.sweep_limits()));
    if let Some(retention) = retention {
        services.spawn(retention::run(Arc::clone(&gateway), retention, gateway.drain.clone()));
    }
    services.spawn(policies::sweep(gateway.means.archive.clone(), gateway.drain.clone()));
    services.spawn(notices::run(Arc::clone(&gateway.means.notices), gateway.drain.clone()));
    // Before anybody learns that there is something to stop.
    let mut stop = Stop::listen().map_err(|error| internal(error.into()))?;
    let hangup = signal(SignalKind::hangup()).map_err(|error| internal(error.into()))?;
    let Reloading { reader, level, started } = reloading;
    let reload = Reload { gateway: Arc::clone(&gateway), reader, level, started };
    services.spawn(reload.run(hangup, gateway.drain.clone()));
    announce(address, &gateway.prefix, &offered);

    let died = tokio::select! {
        () = stop.asked() => false,
        _ = services.join_next() => true,
        () = gateway.means.archive.stopped() => true,
    };
    let way = WayOut {
        tasks: &gateway.tasks,
        sockets: &gateway.sockets,
        drain: &gateway.drain,
        halt: &gateway.halt,
    };
    let stored = gateway.means.archive.close();
    let ended = way.go(services, stored, stop.asked(), server.shutdown_timeout).await;
    if died {
        return Err(internal(anyhow::anyhow!("a service ended on its own")));
    }
    Ok(ended)
}

/// Why nobody can be told.
enum NoNotices {
    Mail(MailerError),
    Plugin(PluginError),
}

/// Where it is handed in what somebody is to be told.
fn notices(
    notify: Notify,
    archive: &Archive,
    metrics: &Metrics,
    loaded: &BTreeMap<String, Loaded>,
    upstream: &Upstream,
) -> Result<Notices, NoNotices> {
    let Notify { events, mail } = notify;
    let mut channels = BTreeMap::new();
    if let Some(mail) = mail {
        let mailer = Arc::new(Mailer::new(&mail).map_err(NoNotices::Mail)?);
        channels.extend(mailer.recipients().iter().map(|recipient| {
            let (mailer, recipient) = (Arc::clone(&mailer), Box::new(recipient.clone()));
            (format!("{MAIL}:{}", recipient.email), Channel::Mail { mailer, recipient })
        }));
    }
    for id in events.help_request.iter().chain(&events.alarm).filter(|id| *id != MAIL) {
        let Some(Loaded { plugin, credentials, .. }) = loaded.get(id) else { continue };
        let Component::Notifier(notifier) = plugin else {
            let cannot = "it is in notify.on, and it does not tell anybody";
            return Err(NoNotices::Plugin(PluginError::OtherKind { id: id.clone(), cannot }));
        };
        let (notifier, endpoints) = (notifier.clone(), Arc::clone(credentials.first()));
        let upstream = upstream.clone();
        channels.insert(id.clone(), Channel::Plugin { notifier, endpoints, upstream });
    }
    Ok(Notices::new(archive.clone(), events, channels, Arc::clone(&metrics.notified)))
}

/// Says on stdout, in one line, that requests are taken.
#[expect(clippy::print_stdout, reason = "the readiness line is what stdout is for")]
fn announce(address: SocketAddr, prefix: &str, models: &[String]) {
    let line = serde_json::json!({
        "ready": true,
        "address": address.to_string(),
        "path_prefix": prefix,
        "models": models,
        "version": env!("CARGO_PKG_VERSION"),
    });
    println!("{line}");
    tracing::info!(%address, models = models.len(), "ready");
}

/// The signals that ask the process to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Until one comes.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
