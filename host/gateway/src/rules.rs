//! What may change while the process runs: one immutable value, replaced whole, so that whoever reads it sees one list or another
//! and never a mixture.

use crate::settings::{Limits, Network, Origins, Server};

/// The rules in force.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// How much is let through.
    pub(crate) limits: Limits,
    /// Pages that may open a socket.
    pub(crate) origins: Origins,
    /// Pages of other hosts that may call the HTTP routes.
    pub(crate) cors_origins: Origins,
    /// Proxies whose word on addresses counts.
    pub(crate) trusted_proxies: Vec<Network>,
}

impl Rules {
    /// The rules of a configuration.
    pub(crate) fn of(limits: Limits, server: &Server) -> Self {
        Self {
            limits,
            origins: server.allowed_origins.clone(),
            cors_origins: server.cors_origins.clone(),
            trusted_proxies: server.trusted_proxies.clone(),
        }
    }
}
