//! The models on offer, each with the plugin and the upstream that answer for it.

use std::sync::Arc;

use sluice_chat::bill::Price;
use sluice_chat::id::ModelId;
use sluice_sandbox::Provider;
use sluice_wire::server::ModelOffer;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::credentials::Credentials;
use crate::metrics::Source;

/// How one model is reached.
#[derive(Debug)]
pub(crate) struct Route {
    /// What clients pick.
    pub(crate) id: ModelId,
    /// What people read.
    pub(crate) name: String,
    /// Model as the upstream knows it.
    pub(crate) upstream_model: String,
    /// The plugin.
    pub(crate) provider: Provider,
    /// Where the plugin's exchanges go, with each of its keys.
    pub(crate) credentials: Arc<Credentials>,
    /// Sent in front of each conversation.
    pub(crate) system_prompt: Option<String>,
    /// What its tokens cost, where anybody said.
    pub(crate) price: Option<Price>,
    /// Most tokens of an answer.
    pub(crate) max_output_tokens: Option<u32>,
    /// Models that answer instead when this one cannot, in this order.
    pub(crate) fallback: Vec<ModelId>,
    /// Who may use it, by a role each; empty is everybody.
    pub(crate) roles: Vec<String>,
    /// What is known of the upstream's health.
    pub(crate) breaker: Breaker,
}

impl Route {
    /// Whether somebody with these roles may use it.
    pub(crate) fn is_for(&self, roles: &[String]) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|role| roles.contains(role))
    }

    /// Whether its upstream is passed over now, because it failed too often in a row.
    pub(crate) fn is_down(&self) -> bool {
        self.breaker.is_down(Instant::now())
    }

    /// Whom an answer's tokens are put down to.
    pub(crate) fn source(&self) -> Source {
        Source { provider: self.provider.name().to_owned(), model: self.id.to_string() }
    }
}

/// Every model of the configuration, in its order. Immutable; replaced whole.
#[derive(Debug)]
pub(crate) struct Catalog {
    routes: Vec<Arc<Route>>,
    default: Option<ModelId>,
}

impl Catalog {
    /// The models in the order in which they are offered; without a default the first one is.
    pub(crate) fn new(routes: Vec<Arc<Route>>, default: Option<ModelId>) -> Self {
        Self { routes, default }
    }

    /// The model of that id for somebody with these roles. Without an id the default one, or the first that is theirs to use.
    pub(crate) fn find(&self, model: Option<&ModelId>, roles: &[String]) -> Option<&Arc<Route>> {
        if let Some(model) = model {
            return self.allowed(roles).find(|route| route.id == *model);
        }
        let default = self.default.as_ref();
        let default = default.and_then(|model| self.find(Some(model), roles));
        default.or_else(|| self.allowed(roles).next())
    }

    /// Who answers instead of a model, in this order. Theirs in turn are not asked: each model names all of its own.
    pub(crate) fn others(&self, route: &Route, roles: &[String]) -> Vec<Arc<Route>> {
        let named = route.fallback.iter();
        named.filter_map(|id| self.find(Some(id), roles).map(Arc::clone)).collect()
    }

    /// What somebody with these roles may pick from.
    pub(crate) fn offers(&self, roles: &[String]) -> Vec<ModelOffer> {
        let offer =
            |route: &Arc<Route>| ModelOffer { id: route.id.to_string(), name: route.name.clone() };
        self.allowed(roles).map(offer).collect()
    }

    /// All models.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(AsRef::as_ref)
    }

    /// The ids of all models.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = &ModelId> {
        self.routes.iter().map(|route| &route.id)
    }

    fn allowed<'a>(&'a self, roles: &[String]) -> impl Iterator<Item = &'a Arc<Route>> {
        self.routes.iter().filter(move |route| route.is_for(roles))
    }
}
