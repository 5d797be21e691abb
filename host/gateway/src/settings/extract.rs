//! From what was written to [`Settings`]: key by key, collecting everything that is wrong on the way.
//!
//! The only place that makes a [`Settings`]. Nothing is read from disk or environment here but secrets, through the vault.

mod auth;
mod engine;
mod fields;
mod model;
mod notify;
mod plugin;
mod policies;
mod slot;
mod unknown;
pub(super) mod values;

use sluice_archive::{Form, Key, Keys};
use sluice_chat::id::ModelId;

use self::engine::engine;
use self::model::Written;
pub(crate) use self::notify::MAIL;
use self::values::Values;
use super::effective::{self, Effective};
use super::problem::{Findings, Origin, Problem, quoted};
use super::secret::Secret;
use super::secret::vault::Vault;
use super::sources::Sources;
use super::{Limits, Llm, LogFormat, Sandbox, Server, Session, Settings, Storage, Telemetry};

/// Reads everything. The result counts only when `findings` has no problem afterwards: what was wrong is replaced by a
/// default or left out in it.
pub(super) fn settings(sources: &Sources, findings: &mut Findings) -> (Settings, Vec<Effective>) {
    let (settings, effective, _left) = place(sources, findings);
    (settings, effective)
}

/// Puts every value into its place. What is left over has no effect yet, which a test holds.
fn place(sources: &Sources, findings: &mut Findings) -> (Settings, Vec<Effective>, Values) {
    let vault = Vault::new(sources.environment());
    unknown::report(sources, findings);
    let mut values = Values::read(sources, &vault, findings);
    for lower in ["llm.first_byte_timeout", "llm.idle_timeout", "llm.connect_timeout"] {
        values.at_most(lower, "llm.stream_timeout", findings);
    }
    values.at_most("limits.max_content", "limits.max_message_size", findings);

    let effective = effective::all(&values);
    let auth = auth::read(&mut values, findings);
    let mut plugins = plugin::read(sources, &vault, findings);
    let mut models = model::read(sources, findings);
    slot::read(sources, &vault, &mut plugins, &mut models, findings);
    model::check(&models, &plugins, findings);
    if sources.names(&["models"]).is_empty() && sources.slots().is_empty() {
        findings.problem(no_model());
    }
    let default_model = default_model(&mut values, &models, findings);

    let settings = Settings {
        server: server(&mut values),
        auth,
        limits: limits(&mut values),
        session: session(&mut values),
        llm: llm(&mut values, default_model),
        storage: storage(&mut values, findings),
        sandbox: sandbox(&mut values),
        notify: notify::read(&mut values, &plugins.named, findings),
        policies: policies::read(&mut values, &plugins.named, findings),
        plugins: plugins.sound,
        models: models.into_iter().map(|written| written.model).collect(),
        telemetry: telemetry(&mut values),
    };
    (settings, effective, values)
}

fn server(values: &mut Values) -> Server {
    Server {
        bind: values.address("server.bind"),
        path_prefix: values.text("server.path_prefix"),
        allowed_origins: values.origins("server.allowed_origins"),
        cors_origins: values.origins("server.cors_origins"),
        trusted_proxies: values.networks("server.trusted_proxies"),
        max_connections: values.count("server.max_connections"),
        shutdown_timeout: values.duration("server.shutdown_timeout"),
        public_url: values.web_address("server.public_url"),
    }
}

fn limits(values: &mut Values) -> Limits {
    Limits {
        messages: values.rate("limits.messages"),
        admin: values.rate("limits.admin"),
        public: values.rate("limits.public"),
        cleanup_interval: values.duration("limits.cleanup_interval"),
        connections_per_user: values.count("limits.connections_per_user"),
        connections_per_address: values.count("limits.connections_per_address"),
        max_message_size: values.count("limits.max_message_size"),
        max_content: values.count("limits.max_content"),
        max_body: values.count("limits.max_body"),
    }
}

fn session(values: &mut Values) -> Session {
    Session {
        ttl: values.duration("session.ttl"),
        cleanup_interval: values.duration("session.cleanup_interval"),
        reconnect_timeout: values.duration("session.reconnect_timeout"),
        queue: values.count("session.queue"),
        history_tokens: values.count("session.history_tokens"),
        history_messages: values.count("session.history_messages"),
        system_prompt: values.some_text("session.system_prompt"),
    }
}

fn llm(values: &mut Values, default_model: Option<ModelId>) -> Llm {
    Llm {
        stream_timeout: values.duration("llm.stream_timeout"),
        first_byte_timeout: values.duration("llm.first_byte_timeout"),
        idle_timeout: values.duration("llm.idle_timeout"),
        connect_timeout: values.duration("llm.connect_timeout"),
        default_model,
    }
}

fn storage(values: &mut Values, findings: &mut Findings) -> Storage {
    let (current, previous) = ("storage.encryption_key", "storage.previous_encryption_keys");
    let mut keys = |key: &str| {
        let origin = values.origin(key);
        let parse = |secret: Secret| {
            let (key_itself, form) = Key::parse(secret.expose())?;
            if form == Form::Raw {
                let text = "is 32 characters as they are typed; `openssl rand -base64 32` makes a better key";
                findings.warning(key, origin.clone(), text);
            }
            Some(key_itself)
        };
        values.secrets(key).into_iter().filter_map(parse).collect::<Vec<Key>>()
    };
    let keys = Keys { current: keys(current).pop(), previous: keys(previous) };
    Storage {
        engine: engine(values, findings),
        keys,
        retention: Some(values.duration("storage.retention")).filter(|time| !time.is_zero()),
    }
}

fn sandbox(values: &mut Values) -> Sandbox {
    Sandbox {
        plugin_directory: values.path("sandbox.plugin_directory"),
        max_answers: u32::try_from(values.number("sandbox.max_answers")).unwrap_or(u32::MAX),
        cache_directory: values.path("sandbox.cache_directory"),
    }
}

fn telemetry(values: &mut Values) -> Telemetry {
    let log_format = values.text("telemetry.log_format");
    Telemetry {
        log_format: if log_format == "json" { LogFormat::Json } else { LogFormat::Text },
        level: values.text("telemetry.level"),
        metrics_networks: values.networks("telemetry.metrics_networks"),
    }
}

/// Takes the default model and holds it to be one of the models.
fn default_model(
    values: &mut Values,
    models: &[Written],
    findings: &mut Findings,
) -> Option<ModelId> {
    let key = "llm.default_model";
    let (sound, origin) = (values.is_sound(key), values.origin(key));
    let text = values.some_text(key).filter(|_| sound)?;
    let found = models.iter().find(|written| written.model.id.as_str() == text);
    if found.is_none() {
        let ids: Vec<_> = models.iter().map(|written| written.model.id.as_str()).collect();
        let wrong = format!("{} is no model", quoted(&text));
        let problem = Problem::new(key, origin, wrong);
        findings.problem(problem.accepted(model::one_of(&ids, "a model that exists")));
    }
    found.map(|written| written.model.id.clone())
}

/// The problem of a gateway that has nobody to ask.
fn no_model() -> Problem {
    Problem::new("models", Origin::Default, "there is no model to answer with").accepted(
        "LLM_PROVIDER_1_ID, _TYPE, _ENDPOINT, _API_KEY and _MODEL, or a table [[models]] and its [plugins.ID] in a file",
    )
}

#[cfg(test)]
mod tests;
