//! What the gateway counts about itself: one registry, built once, its counters handed out as handles.
//!
//! Names that operators' dashboards know already begin with `chatbox_`, ours with `sluice_`; docs/operating/metrics.md lists them
//! all. No label ever holds what a client may choose: only configured ids, route templates and words of our own. What others
//! hold exactly, such as how many sessions there are, is asked of them when somebody reads, and not counted a second time.

use std::sync::Arc;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

mod answers;
mod archive;
mod guests;
mod judging;
mod label;
mod levels;
mod notified;
mod sessions;
mod traffic;

pub(crate) use answers::{Answers, Meter};
pub(crate) use archive::{Archiving, Operation};
use guests::Guests;
pub(crate) use judging::{Judging, Verdict};
pub(crate) use label::{Limiter, Source};
pub(crate) use levels::{Levels, Seen};
pub(crate) use notified::Notified;
pub(crate) use sessions::Sessions;
pub(crate) use traffic::{Told, Traffic};

/// Buckets of the predecessor's histograms, in seconds.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All of it.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Sockets, frames, requests, refusals.
    pub(crate) traffic: Traffic,
    /// What providers are asked and what it costs.
    pub(crate) answers: Answers,
    /// Sessions and sweeps.
    pub(crate) sessions: Sessions,
    /// Operations of the archive that operators watch.
    pub(crate) archive: Archiving,
    /// What policies say.
    pub(crate) judging: Judging,
    /// Who was told.
    pub(crate) notified: Arc<Notified>,
    levels: Levels,
    guests: Guests,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("sluice_build", "Which version runs.", version);
        Self {
            traffic: Traffic::register(&mut registry),
            answers: Answers::register(&mut registry),
            sessions: Sessions::register(&mut registry),
            archive: Archiving::register(&mut registry),
            judging: Judging::register(&mut registry),
            notified: Arc::new(Notified::register(&mut registry)),
            levels: Levels::register(&mut registry),
            guests: Guests::register(&mut registry),
            registry,
        }
    }

    /// All of it in Prometheus' text format, with what was just `seen`.
    pub(crate) fn read(&self, seen: &Seen) -> String {
        self.levels.set(seen);
        self.guests.set(&seen.used);
        // An alert sees a counter grow, not come into being: it is there before there is anything to count.
        seen.providers.iter().for_each(|provider| self.answers.show(provider));
        seen.hooks.iter().for_each(|(policy, hook)| self.judging.show(policy, *hook));
        seen.channels.iter().for_each(|channel| self.notified.show(channel));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a string takes everything");
        text
    }
}

#[cfg(test)]
mod tests;
