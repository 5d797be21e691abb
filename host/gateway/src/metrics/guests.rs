//! What plugins use of the gateway, looked up when somebody reads.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sluice_sandbox::Used;

use super::label::{Broken, Named};

/// Counters for what the sandbox measures.
#[derive(Debug)]
pub(super) struct Guests {
    calls: Family<Named, Counter>,
    failures: Family<Broken, Counter>,
    seconds: Family<Named, Counter<f64, AtomicU64>>,
    peak_memory: Family<Named, Gauge>,
}

impl Guests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let guests = Self {
            calls: Family::default(),
            failures: Family::default(),
            seconds: Family::default(),
            peak_memory: Family::default(),
        };
        registry.register(
            "sluice_plugin_calls",
            "Calls into a plugin's sandbox, making an instance included.",
            guests.calls.clone(),
        );
        registry.register(
            "sluice_plugin_failures",
            "Calls into a plugin's sandbox that failed by its own fault.",
            guests.failures.clone(),
        );
        registry.register(
            "sluice_plugin_seconds",
            "Time of calls into a plugin's sandbox.",
            guests.seconds.clone(),
        );
        registry.register(
            "sluice_plugin_peak_memory_bytes",
            "Largest memory that any instance of a plugin had.",
            guests.peak_memory.clone(),
        );
        guests
    }

    /// Shows what each plugin has used, by its id.
    pub(super) fn set(&self, used: &[(String, Used)]) {
        for (id, used) in used {
            let Used { calls, time, failed, peak_memory_bytes } = *used;
            let plugin = Named { plugin: id.clone() };
            self.calls.get_or_create(&plugin).inner().store(calls, Ordering::Relaxed);
            let seconds = time.as_secs_f64().to_bits();
            self.seconds.get_or_create(&plugin).inner().store(seconds, Ordering::Relaxed);
            let peak = i64::try_from(peak_memory_bytes).unwrap_or(i64::MAX);
            self.peak_memory.get_or_create(&plugin).set(peak);
            for (outcome, count) in failed.each() {
                let broken = Broken { plugin: id.clone(), outcome };
                self.failures.get_or_create(&broken).inner().store(count, Ordering::Relaxed);
            }
        }
    }
}
