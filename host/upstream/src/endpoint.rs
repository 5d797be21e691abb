//! What one plugin instance may reach, by the names its descriptions use.

use std::collections::{BTreeMap, BTreeSet};

use crate::credential::Credential;
use crate::destination::Destination;

/// A destination and the credentials that may be sent there, by scheme name.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where it is.
    pub destination: Destination,
    /// What may be added to requests. A scheme of one endpoint is unknown at any other.
    /// One that is known and adds nothing is `None`: for servers that want no key.
    pub credentials: BTreeMap<String, Option<Credential>>,
    /// Headers of responses that are told beyond the usual ones, in lower case.
    pub response_headers: BTreeSet<String>,
}

/// The endpoints of one plugin instance, by name.
#[derive(Debug, Clone, Default)]
pub struct Endpoints(pub BTreeMap<String, Endpoint>);
