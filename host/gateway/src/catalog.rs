//! The models on offer, each with the plugin and the upstream that answer for it.

use std::collections::VecDeque;
use std::sync::Arc;

use sluice_chat::bill::Price;
use sluice_chat::id::ModelId;
use sluice_sandbox::Provider;
use sluice_wire::server::ModelOffer;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::credentials::Credentials;
use crate::metrics::Source;

mod spread;

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
    /// How many of the model's conversations begin here, beside `also`.
    pub(crate) weight: u32,
    /// The model's other upstreams: routes of the same id, which have none of their own.
    pub(crate) also: Vec<Arc<Self>>,
    /// Who may use it, by a role each; empty is everybody.
    pub(crate) roles: Vec<String>,
    /// What is known of the upstream's health.
    pub(crate) breaker: Arc<Breaker>,
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

    /// The model's upstreams, in the order in which a conversation asks them. The first is always the same for the same conversation.
    pub(crate) fn spread(self: &Arc<Self>, conversation: &str) -> Vec<Arc<Self>> {
        let mut ways: Vec<_> = std::iter::once(self).chain(&self.also).map(Arc::clone).collect();
        if ways.len() > 1 {
            let lot = |way: &Arc<Self>| {
                let upstream = [way.provider.name(), way.upstream_model.as_str()];
                spread::lot(conversation, upstream, way.weight)
            };
            ways.sort_by(|one, other| lot(other).total_cmp(&lot(one)));
        }
        ways
    }

    /// Whom an answer's tokens are put down to.
    pub(crate) fn source(&self) -> Source {
        Source { provider: self.provider.name().to_owned(), model: self.id.to_string() }
    }
}

/// Every model of the configuration, in its order. Immutable; replaced whole.
#[derive(Debug, Default)]
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

    /// Who answers a conversation with a model, and who does instead, in this order: its other upstreams, then the models it names.
    /// Theirs in turn are not asked: each model names all of its own.
    pub(crate) fn ways(
        &self,
        route: &Arc<Route>,
        roles: &[String],
        conversation: &str,
    ) -> (Arc<Route>, VecDeque<Arc<Route>>) {
        let named = route.fallback.iter().filter_map(|id| self.find(Some(id), roles));
        let mut ways =
            std::iter::once(route).chain(named).flat_map(|model| model.spread(conversation));
        let first = ways.next().unwrap_or_else(|| Arc::clone(route));
        (first, ways.collect())
    }

    /// Whether any model names another to answer in its place.
    pub(crate) fn turns(&self) -> bool {
        self.routes.iter().any(|route| !route.fallback.is_empty())
    }

    /// What somebody with these roles may pick from.
    pub(crate) fn offers(&self, roles: &[String]) -> Vec<ModelOffer> {
        let offer =
            |route: &Arc<Route>| ModelOffer { id: route.id.to_string(), name: route.name.clone() };
        self.allowed(roles).map(offer).collect()
    }

    /// All upstreams of all models.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        let each = self.routes.iter().flat_map(|route| std::iter::once(route).chain(&route.also));
        each.map(AsRef::as_ref)
    }

    /// What is known of the health of a model's upstream, if it was on offer.
    pub(crate) fn breaker(
        &self,
        model: &ModelId,
        plugin: &str,
        upstream: &str,
    ) -> Option<Arc<Breaker>> {
        let mut routes = self.routes();
        let route = routes.find(|route| {
            route.id == *model
                && route.provider.name() == plugin
                && route.upstream_model == upstream
        });
        route.map(|route| Arc::clone(&route.breaker))
    }

    /// The ids of all models.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = &ModelId> {
        self.routes.iter().map(|route| &route.id)
    }

    fn allowed<'a>(&'a self, roles: &[String]) -> impl Iterator<Item = &'a Arc<Route>> {
        self.routes.iter().filter(move |route| route.is_for(roles))
    }
}
