//! Sessions that come, end and leave memory.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    /// A session got its first message.
    pub(crate) created: Counter,
    /// A user ended one.
    pub(crate) ended: Counter,
    removed: Counter,
    kept: Gauge,
}

impl Sessions {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let sessions = Self {
            created: Counter::default(),
            ended: Counter::default(),
            removed: Counter::default(),
            kept: Gauge::default(),
        };
        registry.register(
            "chatbox_sessions_created",
            "Sessions that got their first message.",
            sessions.created.clone(),
        );
        registry.register(
            "chatbox_sessions_ended",
            "Sessions that their users ended.",
            sessions.ended.clone(),
        );
        registry.register(
            "sluice_sweep_removed",
            "Sessions that sweeps let leave memory; they stay in the archive.",
            sessions.removed.clone(),
        );
        registry.register(
            "sluice_sweep_kept",
            "Sessions that the last sweep left in memory.",
            sessions.kept.clone(),
        );
        // Known names that stay at zero: nobody can take over yet, and nothing for an operator is ever dropped.
        let (takeovers, dropped) = (Counter::<u64>::default(), Counter::<u64>::default());
        let help = "Sessions that operators took over; none, since they cannot yet.";
        registry.register("chatbox_admin_takeovers", help, takeovers);
        let help = "Frames for operators that were dropped; none, since none ever is.";
        registry.register("chatbox_admin_messages_dropped", help, dropped);
        sessions
    }

    /// A sweep let so many leave memory and so many stay.
    pub(crate) fn swept(&self, removed: usize, kept: usize) {
        self.removed.inc_by(removed as u64);
        self.kept.set(i64::try_from(kept).unwrap_or(i64::MAX));
    }
}
