//! What the rows measure: the gateway and the floor before one upstream.

use sluice_tests::{Gateway, Setup};

use crate::{connection::request, process::Process};

/// The model that the upstream answers.
pub(crate) const MODEL: &str = "fake";

/// Gateway and floor before one upstream, each a process.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Held: both stand before it.
    _upstream: Process,
    pub(crate) floor: Process,
    pub(crate) gateway: Gateway,
}

/// One of the two, as the load sees it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) process: u32,
    token: String,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let upstream = Process::start(&["upstream"]).await;
        let floor = Process::start(&["floor", &upstream.address]).await;
        let gateway = gateway(&upstream.address).start().await;
        Self { _upstream: upstream, floor, gateway }
    }

    pub(crate) fn floor(&self) -> Target {
        let Process { address, .. } = &self.floor;
        Target { address: address.clone(), process: self.floor.id(), token: "none".to_owned() }
    }

    pub(crate) fn gateway(&self) -> Target {
        Target::of(&self.gateway)
    }
}

impl Target {
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let address = gateway.address().to_owned();
        Self { address, process: gateway.process(), token: gateway.token("bench") }
    }

    /// A request that asks `model` for `content`.
    pub(crate) fn ask(&self, model: &str, content: &str, stream: bool) -> Vec<u8> {
        let body = format!(
            r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"{content}"}}]}}"#
        );
        request(&self.address, &self.token, &body)
    }
}

/// A gateway with everything on: token, limits, a policy, a provider, accounting. Limits are such that no row reaches them.
pub(crate) fn gateway(upstream: &str) -> Setup {
    let config = format!(
        r#"
[policies]
chain = ["access"]

[plugins.access]
source = "bundled:access"
settings.rules = [{{ who = {{ roles = ["suspended"] }}, then = "deny", text = "Not you." }}]

[plugins.vendor]
source = "bundled:openai"
endpoints.api = "http://{upstream}/v1"

[[models]]
id = "{MODEL}"
plugin = "vendor"
"#
    );
    Setup::new()
        .config(&config)
        .set("SLUICE_LIMITS__MESSAGES", "100000/10ms")
        .set("SLUICE_LIMITS__CONNECTIONS_PER_USER", "10000")
        .set("SLUICE_TELEMETRY__LEVEL", "warn")
}
