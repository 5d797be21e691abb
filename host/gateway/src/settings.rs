//! The one place where configuration is read: defaults, files, environment. What comes out is valid.
//!
//! Nothing else reads the environment, and nobody keeps [`Settings`] as a whole: each part gets its own slice by value.
//! What may be written is the table in [`keys`]; `config/sluice.toml` and the documentation are made from it.

mod effective;
mod extract;
#[cfg(test)]
mod generate;
pub(crate) mod guest_limit;
mod keys;
mod preset;
mod problem;
mod secret;
mod sources;
mod suggestion;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sluice_archive::{DatabaseSettings, Keys};
use sluice_chat::bill::Price;
use sluice_chat::id::ModelId;
use sluice_mail::ServerSettings;
use sluice_upstream::Document;
use url::Url;

pub(crate) use self::effective::Effective;
pub(crate) use self::extract::MAIL;
pub(crate) use self::problem::{Problems, Warning};
pub(crate) use self::secret::Secret;
pub(crate) use self::secret::vault::Locked;
pub(crate) use self::value::algorithm::Algorithm;
pub(crate) use self::value::network::Network;
pub(crate) use self::value::origins::Origins;
pub(crate) use self::value::rate::Rate;

use self::guest_limit::GuestLimits;
use self::problem::Findings;
use self::secret::vault::Vault;
use self::sources::Sources;

/// What the process runs on. [`load`] makes the only ones there are, so holding one proves that the checks passed.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Sockets and addresses.
    pub(crate) server: Server,
    /// Tokens.
    pub(crate) auth: Auth,
    /// Bounds per user, address and message.
    pub(crate) limits: Limits,
    /// Conversations in memory.
    pub(crate) session: Session,
    /// Waiting for providers.
    pub(crate) llm: Llm,
    /// Conversations on disk.
    pub(crate) storage: Storage,
    /// Running plugins.
    pub(crate) sandbox: Sandbox,
    /// Which policies are asked.
    pub(crate) policies: Policies,
    /// The plugins: those of the files by id, then `provider-<n>` by number. Ids are unique.
    pub(crate) plugins: Vec<Plugin>,
    /// The models in the order written, those of the variables last. Never empty, ids are unique, and each names a plugin
    /// of [`Settings::plugins`] that is switched on.
    pub(crate) models: Vec<Model>,
    /// Telling people.
    pub(crate) notify: Notify,
    /// Logs.
    pub(crate) telemetry: Telemetry,
}

/// Sockets and addresses.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Where to listen. Port 0 takes a free one.
    pub(crate) bind: SocketAddr,
    /// Path before the routes: empty, or `/…` without a slash at its end.
    pub(crate) path_prefix: String,
    /// Pages that may open a WebSocket.
    pub(crate) allowed_origins: Origins,
    /// Pages of other hosts that may call the HTTP routes; [`Origins::Same`] means none.
    pub(crate) cors_origins: Origins,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Open connections at one time, 1 to 1,000,000.
    pub(crate) max_connections: usize,
    /// One deadline over the whole drain, 0 to 1 h.
    pub(crate) shutdown_timeout: Duration,
    /// Address under which users reach the gateway: http or https, no query, no credentials.
    pub(crate) public_url: Option<Url>,
}

/// Tokens.
#[derive(Debug, Clone)]
pub(crate) struct Auth {
    /// The first signs, all verify. Empty only where there are keys. Each has at least 32 characters and no weakness the rules know.
    pub(crate) secrets: Vec<Secret>,
    /// Where the public keys are that verify too.
    pub(crate) jwks: Option<Jwks>,
    /// What a token may be signed with; never empty, and for each there is a secret or a set of keys.
    pub(crate) algorithms: Vec<Algorithm>,
    /// How far clocks may be apart, 0 to 5 min.
    pub(crate) leeway: Duration,
    /// Whether a WebSocket may carry its token as `?token=`.
    pub(crate) allow_query_token: bool,
    /// What `iss` must be.
    pub(crate) issuer: Option<String>,
    /// What `aud` must contain.
    pub(crate) audience: Option<String>,
    /// Roles that make a user an operator.
    pub(crate) admin_roles: Vec<String>,
}

/// Where public keys are.
#[derive(Debug, Clone)]
pub(crate) enum Jwks {
    /// A file with at least one key when it was read. A relative path is meant from the working directory.
    File(PathBuf),
    /// An address.
    Web(Document),
}

/// Bounds per user, address and message. All reloaded on SIGHUP.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Messages of one user.
    pub(crate) messages: Rate,
    /// Requests of one operator to the admin routes.
    pub(crate) admin: Rate,
    /// Requests without a token, and refused tokens, of one address; each has a budget of its own.
    pub(crate) public: Rate,
    /// How often forgotten counters are swept, 10 ms to 30 d.
    pub(crate) cleanup_interval: Duration,
    /// Open connections of one user, 1 to 10,000.
    pub(crate) connections_per_user: usize,
    /// Open connections of one address, 1 to 1,000,000; loopback is not counted.
    pub(crate) connections_per_address: usize,
    /// Longest WebSocket message in bytes, 1 KiB to 64 MiB.
    pub(crate) max_message_size: usize,
    /// Longest text of a user message in characters; not above `max_message_size`.
    pub(crate) max_content: usize,
    /// Longest body of an HTTP request in bytes, 1 KiB to 1 GiB.
    pub(crate) max_body: usize,
}

/// Conversations in memory.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// How long one that nobody uses stays, 10 ms to 30 d.
    pub(crate) ttl: Duration,
    /// How often idle ones are swept, 10 ms to 30 d.
    pub(crate) cleanup_interval: Duration,
    /// How far back a replay reaches, 10 ms to 1 d.
    pub(crate) reconnect_timeout: Duration,
    /// User messages that may wait, 0 to 1,000.
    pub(crate) queue: usize,
    /// Context sent to the model in estimated tokens, at least 1.
    pub(crate) history_tokens: usize,
    /// Context sent to the model in messages, at least 1.
    pub(crate) history_messages: usize,
    /// Sent before every conversation unless the model has its own; never empty.
    pub(crate) system_prompt: Option<String>,
}

/// Waiting for providers. Each is 10 ms to 1 h, and none is longer than `stream_timeout`.
#[derive(Debug, Clone)]
pub(crate) struct Llm {
    /// For a whole answer.
    pub(crate) stream_timeout: Duration,
    /// Until an answer begins.
    pub(crate) first_byte_timeout: Duration,
    /// Silence within an answer.
    pub(crate) idle_timeout: Duration,
    /// To connect.
    pub(crate) connect_timeout: Duration,
    /// One of [`Settings::models`]; `None` means the first.
    pub(crate) default_model: Option<ModelId>,
}

/// What keeps conversations.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    /// A database file. A relative path is meant from the working directory.
    Sqlite(PathBuf),
    /// A database elsewhere.
    MongoDb(DatabaseSettings),
}

/// Conversations on disk.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    /// What keeps them.
    pub(crate) engine: Engine,
    /// What seals what is stored.
    pub(crate) keys: Keys,
    /// How long conversations are kept in which nothing is said; for good when absent.
    pub(crate) retention: Option<Duration>,
}

/// Running plugins.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    /// Where bundled plugins lie that are not embedded. A relative path is meant from the folder of the executable, never
    /// from the working directory.
    pub(crate) plugin_directory: PathBuf,
    /// Plugin calls at one time, 1 to 100,000.
    pub(crate) max_answers: u32,
    /// Where compiled plugins are kept. A relative path is meant from the working directory.
    pub(crate) cache_directory: PathBuf,
}

/// Which policies are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policies {
    /// Ids of plugins that are switched on, none of them twice, in the order in which they are asked.
    pub(crate) chain: Vec<String>,
    /// Users whose actions as operators none is asked about.
    pub(crate) break_glass: Vec<String>,
}

/// What becomes of what a policy cannot judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnFailure {
    /// It is refused.
    #[default]
    Closed,
    /// It passes.
    Open,
}

/// What an operator lets a plugin do beyond what any may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Grants {
    /// Whether names of its endpoints that may be anywhere may lead into private networks.
    pub(crate) private_network: bool,
    /// Headers of responses that it may see beyond those that any may, in lower case.
    pub(crate) response_headers: BTreeSet<String>,
}

impl Grants {
    /// Whether a header of that name, in lower case, may be granted: it carries no credential.
    pub(crate) fn may_hold_header(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let hidden = ["cookie", "authenticat", "authoriz"].iter().any(|part| name.contains(part));
        !name.is_empty() && name.len() <= 100 && name.bytes().all(plain) && !hidden
    }
}

/// One plugin instance.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Plugin {
    /// Its name here: 1 to 64 of `a-z0-9-_`.
    pub(crate) id: String,
    /// Where the component is.
    pub(crate) source: Source,
    /// What its digest must be.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Handed to the plugin; always an object.
    pub(crate) settings: serde_json::Value,
    /// Hosts it may reach, each https or a private host.
    pub(crate) endpoints: BTreeMap<String, Url>,
    /// What is added to its calls; none of them empty, and at least one of each name. Empty when the plugin is switched off.
    pub(crate) secrets: BTreeMap<String, Vec<Secret>>,
    /// Whether it is loaded.
    pub(crate) enabled: bool,
    /// What it may do beyond what any plugin may.
    pub(crate) grants: Grants,
    /// Its bounds, where they are not those of any plugin.
    pub(crate) limits: GuestLimits,
    /// What becomes of what it cannot judge, if it is a policy.
    pub(crate) on_failure: OnFailure,
}

/// Shows which settings there are but not what they say: people put keys there.
impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            source,
            sha256,
            settings,
            endpoints,
            secrets,
            enabled,
            grants,
            limits,
            on_failure,
        } = self;
        let settings: Vec<_> = settings.as_object().into_iter().flatten().map(|(k, _)| k).collect();
        f.debug_struct("Plugin")
            .field("id", id)
            .field("source", source)
            .field("sha256", sha256)
            .field("settings", &settings)
            .field("endpoints", endpoints)
            .field("secrets", secrets)
            .field("enabled", enabled)
            .field("grants", grants)
            .field("limits", limits)
            .field("on_failure", on_failure)
            .finish()
    }
}

/// Where a plugin's component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Comes with the gateway under this name.
    Bundled(String),
    /// A file. A relative path is meant from the working directory.
    File(PathBuf),
}

/// One model as clients pick it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What clients pick.
    pub(crate) id: ModelId,
    /// What people see, at most 200 bytes.
    pub(crate) name: String,
    /// Who answers.
    pub(crate) reached: Reached,
    /// Who else does, each a part of its conversations.
    pub(crate) also: Vec<Reached>,
    /// Instead of the general prompt; never empty.
    pub(crate) system_prompt: Option<String>,
    /// Longest answer in tokens, at least 1.
    pub(crate) max_output_tokens: Option<u32>,
    /// Who answers instead, in order: other models that exist.
    pub(crate) fallback: Vec<ModelId>,
    /// Who may use it, by a role each; empty is everybody.
    pub(crate) roles: Vec<String>,
}

/// One upstream of a model.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    /// Who answers: the id of a plugin that is switched on.
    pub(crate) plugin: String,
    /// What the provider calls it.
    pub(crate) upstream: String,
    /// Its part of the conversations, as a number beside those of the model's other upstreams; 0 to 1,000.
    pub(crate) weight: u32,
    /// What its tokens cost.
    pub(crate) price: Option<Price>,
}

impl Model {
    /// Its upstreams.
    pub(crate) fn reached_at(&self) -> impl Iterator<Item = &Reached> {
        std::iter::once(&self.reached).chain(&self.also)
    }

    /// The plugins that answer for it.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &str> {
        self.reached_at().map(|reached| reached.plugin.as_str())
    }
}

/// Telling people.
#[derive(Debug, Clone)]
pub(crate) struct Notify {
    /// Who is told of what.
    pub(crate) events: Events,
    /// The way by e-mail, if there is one. Its addresses are addresses.
    pub(crate) mail: Option<ServerSettings>,
}

/// Who is told of what: `mail`, and ids of plugins that are switched on. A channel that is not there is nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Events {
    /// Of a user who asks for help.
    pub(crate) help_request: Vec<String>,
    /// Of what is wrong.
    pub(crate) alarm: Vec<String>,
    /// Where operators look at sessions.
    pub(crate) panel: Option<Url>,
}

/// Logs.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    /// Form of a line.
    pub(crate) log_format: LogFormat,
    /// Directives for the filter: `info`, `info,sluice=debug`.
    pub(crate) level: String,
    /// Who may read the metrics; nobody when it is empty.
    pub(crate) metrics_networks: Vec<Network>,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A configuration that was read.
#[derive(Debug)]
pub(crate) struct Configured {
    /// What the process runs on.
    pub(crate) settings: Settings,
    /// What every key comes to.
    pub(crate) effective: Vec<Effective>,
    /// What is odd about it.
    pub(crate) warnings: Vec<Warning>,
}

/// Reads defaults, then `files` in order, then `environment`, and checks everything.
///
/// Returns all problems together, or settings that need no further check and what in them does nothing yet. Reads no
/// environment but the one given; reads `files` and the files that secrets name.
pub(crate) fn load(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configured, Problems> {
    look(files, environment, |_| true)
}

/// As [`load`], for who needs nothing but these sections: what is wrong elsewhere is not looked at. `take` takes of them alone, since
/// of others nobody knows whether they are sound.
pub(crate) fn load_part<T>(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
    sections: &[&str],
    take: impl FnOnce(Settings) -> T,
) -> Result<(T, Vec<Warning>), Problems> {
    let concerns = |key: &str| {
        let section = key.split_once('.').map_or(key, |(section, _)| section);
        key.is_empty() || sections.contains(&section)
    };
    let Configured { settings, warnings, .. } = look(files, environment, concerns)?;
    Ok((take(settings), warnings))
}

/// Reads everything, and minds what is found of keys that matter.
fn look(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
    matters: impl Fn(&str) -> bool,
) -> Result<Configured, Problems> {
    let mut findings = Findings::default();
    let sources = Sources::gather(files, environment, &mut findings);
    let (settings, effective) = extract::settings(&sources, &mut findings);
    let Findings { mut problems, mut warnings } = findings;
    problems.retain(|problem| matters(&problem.key));
    warnings.retain(|warning| matters(&warning.key));
    if problems.is_empty() {
        Ok(Configured { settings, effective, warnings })
    } else {
        Err(Problems(problems))
    }
}

/// Follows a secret that is written on the command line, as those of the configuration are: itself, `env:VAR` or
/// `file:PATH`. `None` when nothing was written.
pub(crate) fn open_secret(
    written: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Option<Secret>, Locked> {
    Vault::new(&environment.collect()).open(written)
}

/// Reads a duration as it is written in the configuration: `90s`, `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    value::duration::parse(text)
}

/// Tells what a key, a field of a plugin or model, or a variable means. `None` when there is none of that name.
pub(crate) fn explain(name: &str) -> Option<String> {
    keys::explain(name)
}

/// Names that may have been meant by one that [`explain`] does not know; eight at most.
pub(crate) fn meant(name: &str) -> Vec<String> {
    keys::meant(name)
}

#[cfg(test)]
mod tests;
