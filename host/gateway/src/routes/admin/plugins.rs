//! `/admin/plugins`: what runs, and how it fares.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sluice_sandbox::{Hook, Plugin};
use tokio::time::Instant;

use super::{Operator, Shared};
use crate::plugins::Loaded;
use crate::policies::State as Asked;

/// The route of this resource.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/admin/plugins", get(list))
}

#[derive(Debug, Serialize)]
struct List {
    /// By id.
    plugins: Vec<Entry>,
    count: usize,
}

#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum What {
    Loaded {
        contract: String,
        sha256: String,
        used: Used,
        #[serde(flatten)]
        kind: Kind,
    },
    /// It asks for more than it is granted.
    Off {
        /// Always `off`.
        state: &'static str,
        /// Lines of a configuration that would grant it.
        asks_for: Vec<String>,
    },
}

/// Since it was loaded.
#[derive(Debug, Serialize)]
struct Used {
    /// Calls into its sandbox, making an instance included.
    calls: u64,
    /// Of these, how many failed by its own fault.
    failed: u64,
    /// How long all of them took.
    seconds: f64,
    /// Largest memory that any instance had.
    peak_memory_bytes: usize,
}

impl From<sluice_sandbox::Used> for Used {
    fn from(used: sluice_sandbox::Used) -> Self {
        let sluice_sandbox::Used { calls, time, failed, peak_memory_bytes } = used;
        let seconds = time.as_secs_f64();
        Self { calls, failed: failed.all(), seconds, peak_memory_bytes }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind {
    Provider {
        /// What it answers for.
        models: Vec<Answering>,
        /// Its keys, in the order in which they are used; the same place without one counts as one.
        keys: Keys,
    },
    Notifier {},
    Policy {
        /// What it is asked about.
        hooks: Vec<&'static str>,
        /// Its place in the chain, from 1; none if nobody asks it.
        place: Option<usize>,
        /// `closed` or `open`.
        on_failure: &'static str,
        /// `asked`, or `down` since it failed too often.
        state: &'static str,
    },
}

#[derive(Debug, Serialize)]
struct Keys {
    count: usize,
    /// Refused, and not used for a while.
    resting: usize,
}

#[derive(Debug, Serialize)]
struct Answering {
    id: String,
    /// `asked`, or `down` while its upstream failed too often in a row.
    state: &'static str,
}

async fn list(State(gateway): State<Shared>, _: Operator) -> Json<List> {
    let (chain, catalog) = (gateway.means.policies.chain(), gateway.means.catalog.load());
    let kind = |id: &str, Loaded { plugin, credentials, .. }: &Loaded| match plugin {
        Plugin::Provider(_) => {
            let own = catalog.routes().filter(|route| route.provider.name() == id);
            let models = own.map(|route| Answering {
                id: route.id.to_string(),
                state: if route.is_down() { "down" } else { "asked" },
            });
            let (count, resting) = (credentials.count(), credentials.resting(Instant::now()));
            Kind::Provider { models: models.collect(), keys: Keys { count, resting } }
        }
        Plugin::Notifier(_) => Kind::Notifier {},
        Plugin::Policy(policy) => {
            let mut links = chain.links().iter().zip(1..);
            let found = links.find(|(link, _)| link.name() == id);
            let open = found.is_some_and(|(link, _)| link.passes_failures());
            let down = found.is_some_and(|(link, _)| link.state() == Asked::Down);
            Kind::Policy {
                hooks: policy.hooks().map(Hook::as_str).collect(),
                place: found.map(|(_, place)| place),
                on_failure: if open { "open" } else { "closed" },
                state: if down { "down" } else { "asked" },
            }
        }
    };
    let entry = |(id, loaded): (&String, &Loaded)| Entry {
        id: id.clone(),
        what: What::Loaded {
            contract: loaded.plugin.contract().to_string(),
            sha256: loaded.plugin.digest().to_string(),
            used: loaded.plugin.used().into(),
            kind: kind(id, loaded),
        },
    };
    let off = gateway.off.iter().map(|(id, lines)| Entry {
        id: id.clone(),
        what: What::Off { state: "off", asks_for: lines.clone() },
    });
    let mut plugins: Vec<Entry> = gateway.plugins.iter().map(entry).chain(off).collect();
    plugins.sort_by(|one, other| one.id.cmp(&other.id));
    Json(List { count: plugins.len(), plugins })
}
