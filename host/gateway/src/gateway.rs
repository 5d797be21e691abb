//! What the whole process shares: built once by `serve`, handed to every task.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sluice_archive::Durability;
use sluice_chat::id::{Instant, SessionId, UserId};
use sluice_sandbox::{Hook, Plugin, Sandbox};
use sluice_wire::close::CloseCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::Block;
use crate::admission::{Permit, Registry, TurnedAway, Turnstile};
use crate::body::Bodies;
use crate::identity::{Identity, TokenRefused, Verifier};
use crate::ledger::Ledger;
use crate::metrics::{Limiter, Seen};
use crate::plugins::Loaded;
use crate::policies::{Link, State};
use crate::rate::{OverLimit, Windows};
use crate::revocation::Revocations;
use crate::rules::Rules;
use crate::session::{self, Command, FollowRefused, Hall, Handle, Means};
use crate::settings::{Auth, Network};
use crate::{clock, fresh};

/// The running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// What sessions work with.
    pub(crate) means: Arc<Means>,
    /// Checks tokens.
    pub(crate) verifier: Verifier,
    /// Whose tokens count no more.
    pub(crate) revocations: Revocations,
    /// How tokens may come.
    pub(crate) auth: Auth,
    /// Sessions in memory.
    pub(crate) registry: Arc<Registry>,
    /// Connections that are open.
    pub(crate) turnstile: Arc<Turnstile>,
    /// What may change while the process runs.
    pub(crate) rules: ArcSwap<Rules>,
    /// Messages of each user lately.
    pub(crate) messages: Windows<UserId>,
    /// Requests of each operator to the admin routes lately.
    pub(crate) operators: Windows<UserId>,
    /// Requests of each address without a token lately.
    pub(crate) addresses: Windows<Block>,
    /// Refused tokens of each address lately.
    pub(crate) failures: Windows<Block>,
    /// The way in for long requests.
    pub(crate) bodies: Bodies,
    /// Where calls are accounted for.
    pub(crate) ledger: Ledger,
    /// Where routes begin: empty, or a path.
    pub(crate) prefix: String,
    /// Every plugin that is switched on and loaded, by id.
    pub(crate) plugins: BTreeMap<String, Loaded>,
    /// Those that ask for more than they are granted, by id, with the lines that would grant it.
    pub(crate) off: BTreeMap<String, Vec<String>>,
    /// Where plugins run.
    pub(crate) sandbox: Sandbox,
    /// Who may read the metrics.
    pub(crate) metrics_networks: Vec<Network>,
    /// Sessions and connections, so that shutdown can wait for them.
    pub(crate) tasks: TaskTracker,
    /// Sockets that speak plain HTTP; shutdown does not wait for them for long.
    pub(crate) sockets: TaskTracker,
    /// Nothing new; let answers finish.
    pub(crate) drain: CancellationToken,
    /// Answers are cut short.
    pub(crate) halt: CancellationToken,
}

impl Gateway {
    /// Begins a session that nobody knows yet.
    pub(crate) fn begin_session(&self, owner: &UserId) -> Handle {
        let id = fresh::session();
        self.start_session(&id, owner, true).expect("a fresh id belongs to nobody else")
    }

    /// Finds a session of this user, in memory or in the archive.
    pub(crate) async fn find_session(
        &self,
        id: &SessionId,
        owner: &UserId,
    ) -> Result<Handle, FollowRefused> {
        if self.registry.get(id, owner).is_none() {
            let stored = self.means.archive.session(id).await.map_err(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "could not read a session"
                );
                FollowRefused::Unavailable
            })?;
            let stored = stored.filter(|stored| stored.owner == *owner);
            if stored.ok_or(FollowRefused::NotFound)?.deleted.is_some() {
                return Err(FollowRefused::Deleted);
            }
        }
        self.start_session(id, owner, false).ok_or(FollowRefused::NotFound)
    }

    /// Tells a session in memory, and with it who follows it, that it is called otherwise.
    pub(crate) fn tell_name(&self, id: &SessionId, owner: &UserId, name: &str) {
        if let Some(handle) = self.registry.get(id, owner) {
            // The name is stored: who does not hear of it now reads it in the list.
            let _full = handle.tell(Command::Renamed(name.into()));
        }
    }

    /// Tells a session in memory that it is deleted.
    pub(crate) fn forget_session(&self, id: &SessionId, owner: &UserId) {
        if let Some(handle) = self.registry.get(id, owner) {
            // An inbox that is full belongs to a session that finds out when it next writes.
            let _full = handle.tell(Command::Deleted);
        }
    }

    fn start_session(&self, id: &SessionId, owner: &UserId, fresh: bool) -> Option<Handle> {
        let hall = Hall {
            registry: &self.registry,
            means: &self.means,
            tasks: &self.tasks,
            drain: &self.drain,
            halt: &self.halt,
        };
        self.registry.get_or_start(id, owner, |inbox| session::begin(hall, inbox, fresh))
    }

    /// Lets idle sessions leave memory.
    pub(crate) fn sweep(&self, ttl: std::time::Duration) {
        let (removed, kept) = self.registry.sweep(tokio::time::Instant::now(), ttl);
        self.means.metrics.sessions.swept(removed, kept);
        tracing::info!(removed, kept, "swept idle sessions");
    }

    /// Says whose token this is.
    pub(crate) async fn identify(&self, token: &str) -> Result<Identity, TokenRefused> {
        let identity = self.verifier.verify(token, clock::now()).await?;
        if self.is_revoked(&identity) { Err(TokenRefused::Invalid) } else { Ok(identity) }
    }

    /// Whether a token that was good counts no more.
    pub(crate) fn is_revoked(&self, identity: &Identity) -> bool {
        self.revocations.cover(&identity.user, identity.issued)
    }

    /// Refuses every token issued to the user until now, and closes the connections they opened. Returns how many those are.
    pub(crate) fn revoke(&self, user: &UserId, now: Instant) -> usize {
        // In this order: who connects meanwhile is in the turnstile first and looks at the revocations then.
        self.revocations.revoke(user.clone(), now);
        self.turnstile.cut_off(user, CloseCode::TokenExpired)
    }

    /// Lets a connection of this user and address in.
    pub(crate) fn enter(&self, user: &UserId, address: IpAddr) -> Result<Permit, TurnedAway> {
        let rules = self.rules.load();
        let (of_user, of_address) =
            (rules.limits.connections_per_user, rules.limits.connections_per_address);
        let block = (!address.is_loopback()).then(|| Block::of(address));
        self.turnstile.enter((user, of_user), block.map(|block| (block, of_address)))
    }

    /// Counts a message of this user.
    pub(crate) fn charge_message(&self, user: &UserId) -> Result<(), OverLimit> {
        let rate = self.rules.load().limits.messages;
        let taken = self.messages.take(user.clone(), rate, tokio::time::Instant::now());
        taken.inspect_err(|_| self.means.metrics.traffic.blocked(Limiter::Message))
    }

    /// Counts a request of this operator, apart from messages.
    pub(crate) fn charge_operator(&self, operator: &UserId) -> Result<(), OverLimit> {
        let rate = self.rules.load().limits.admin;
        let taken = self.operators.take(operator.clone(), rate, tokio::time::Instant::now());
        taken.inspect_err(|_| self.means.metrics.traffic.blocked(Limiter::Admin))
    }

    /// Counts a request without a token.
    pub(crate) fn charge_public(&self, address: Block) -> Result<(), OverLimit> {
        let rate = self.rules.load().limits.public;
        let taken = self.addresses.take(address, rate, tokio::time::Instant::now());
        taken.inspect_err(|_| self.means.metrics.traffic.blocked(Limiter::Public))
    }

    /// Counts a refused token.
    pub(crate) fn charge_failure(&self, address: Block) -> Result<(), OverLimit> {
        let rate = self.rules.load().limits.public;
        let taken = self.failures.take(address, rate, tokio::time::Instant::now());
        taken.inspect_err(|_| self.means.metrics.traffic.blocked(Limiter::Failure))
    }

    /// What there is at this moment.
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            connections: self.turnstile.connections(),
            connected_users: self.turnstile.users(),
            sessions: self.registry.len(),
            tasks: self.tasks.len(),
            sockets: self.sockets.len(),
            instances: self.sandbox.instances(),
            exchanges: self.means.upstream.open_exchanges(),
            plugins_off: self.off.len(),
            degraded: self.means.archive.durability() == Durability::Degraded,
            limiter_keys: vec![
                (Limiter::Message, self.messages.len()),
                (Limiter::Admin, self.operators.len()),
                (Limiter::Public, self.addresses.len()),
                (Limiter::Failure, self.failures.len()),
            ],
            resting: self.resting(),
            down: self.down(),
            providers: self.providers(),
            hooks: self.hooks(),
            channels: self.means.notices.channels().map(str::to_owned).collect(),
            used: self
                .plugins
                .iter()
                .map(|(id, loaded)| (id.clone(), loaded.plugin.used()))
                .collect(),
        }
    }

    /// Of each provider how many of its models are passed over, and of each policy of the chain whether it is.
    fn down(&self) -> Vec<(String, usize)> {
        let (catalog, chain) = (self.means.catalog.load(), self.means.policies.chain());
        let mut down = BTreeMap::<_, usize>::new();
        for route in catalog.routes() {
            *down.entry(route.provider.name().to_owned()).or_default() +=
                usize::from(route.is_down());
        }
        for link in chain.links() {
            down.insert(link.name().to_owned(), usize::from(link.state() == State::Down));
        }
        down.into_iter().collect()
    }

    fn providers(&self) -> Vec<String> {
        let answers = |loaded: &Loaded| matches!(loaded.plugin, Plugin::Provider(_));
        let providers = self.plugins.iter().filter(|(_, loaded)| answers(loaded));
        providers.map(|(id, _)| id.clone()).collect()
    }

    fn hooks(&self) -> Vec<(String, Hook)> {
        let chain = self.means.policies.chain();
        let hooks = |link: &Arc<Link>| {
            link.policy().hooks().map(|hook| (link.name().to_owned(), hook)).collect::<Vec<_>>()
        };
        chain.links().iter().flat_map(hooks).collect()
    }

    /// How many keys rest of each plugin that has several.
    fn resting(&self) -> Vec<(String, usize)> {
        let now = tokio::time::Instant::now();
        let several = self.plugins.iter().filter(|(_, loaded)| loaded.credentials.count() > 1);
        several.map(|(id, loaded)| (id.clone(), loaded.credentials.resting(now))).collect()
    }

    /// Forgets who was quiet long enough to be within every limit.
    pub(crate) fn sweep_limits(&self) {
        let (rules, now) = (self.rules.load(), tokio::time::Instant::now());
        let users = self.messages.sweep(rules.limits.messages, now);
        let operators = self.operators.sweep(rules.limits.admin, now);
        let addresses = self.addresses.sweep(rules.limits.public, now);
        let failures = self.failures.sweep(rules.limits.public, now);
        tracing::debug!(users, operators, addresses, failures, "swept the limits");
    }
}
