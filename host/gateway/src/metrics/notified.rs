//! Who was told, and who was not.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A way to tell somebody: `mail`, or the id of a plugin in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Told {
    channel: String,
    outcome: &'static str,
}

/// Counts notices.
#[derive(Debug)]
pub(crate) struct Notified {
    tries: Family<Told, Counter>,
    dropped: Counter,
    waiting: Gauge,
}

impl Notified {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let notified = Self {
            tries: Family::default(),
            dropped: Counter::default(),
            waiting: Gauge::default(),
        };
        registry.register(
            "sluice_notice_tries",
            "Tries to tell somebody, by what came of them.",
            notified.tries.clone(),
        );
        registry.register(
            "sluice_notices_dropped",
            "Notices that nobody, or not everybody, is told: too many of one key, or too many at once.",
            notified.dropped.clone(),
        );
        registry.register(
            "sluice_notices_waiting",
            "Notices that some channel has still to be told.",
            notified.waiting.clone(),
        );
        notified
    }

    /// The channel took it.
    pub(crate) fn sent(&self, channel: &str) {
        self.count(channel, "sent");
    }

    /// The channel did not take it.
    pub(crate) fn failed(&self, channel: &str) {
        self.count(channel, "failed");
    }

    /// Nobody tries any more.
    pub(crate) fn given_up(&self, channel: &str) {
        self.count(channel, "given_up");
    }

    /// Nobody is told, or not everybody.
    pub(crate) fn dropped(&self) {
        self.dropped.inc();
    }

    /// So many wait.
    pub(crate) fn waiting(&self, notices: u64) {
        self.waiting.set(i64::try_from(notices).unwrap_or(i64::MAX));
    }

    /// Shows all that may come of a channel, also what never did.
    pub(super) fn show(&self, channel: &str) {
        for outcome in ["sent", "failed", "given_up"] {
            drop(self.tries.get_or_create(&Told { channel: channel.to_owned(), outcome }));
        }
    }

    fn count(&self, channel: &str, outcome: &'static str) {
        self.tries.get_or_create(&Told { channel: channel.to_owned(), outcome }).inc();
    }
}
