//! Deletes conversations that were quiet for too long, a few at a time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sluice_chat::id::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::gateway::Gateway;

/// Sessions looked at in one write, between which others get their turn.
const AT_ONCE: usize = 100;
/// Sweeps are this many times as frequent as the retention is long, within bounds.
const PARTS: u32 = 24;
const OFTENEST: Duration = Duration::from_secs(1);
const RAREST: Duration = Duration::from_hours(1);

/// Sweeps at once and again and again, until `drain`.
pub(crate) async fn run(gateway: Arc<Gateway>, retention: Duration, drain: CancellationToken) {
    let mut interval = tokio::time::interval((retention / PARTS).clamp(OFTENEST, RAREST));
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            _ = interval.tick() => sweep(&gateway, retention, &drain).await,
        }
    }
}

/// Walks over all sessions once. A storage that fails is tried again by the next sweep.
async fn sweep(gateway: &Gateway, retention: Duration, drain: &CancellationToken) {
    let now = clock::now();
    let age_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
    let before = Instant(now.0.saturating_sub(age_ms));
    let (mut mark, mut deleted) = (None, 0);
    while !drain.is_cancelled() {
        let swept = match gateway.means.archive.sweep_quiet(mark, before, now, AT_ONCE).await {
            Ok(swept) => swept,
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "could not delete old sessions");
                break;
            }
        };
        deleted += swept.deleted.len();
        for (session, owner) in &swept.deleted {
            gateway.forget_session(session, owner);
        }
        mark = swept.next;
        if mark.is_none() {
            break;
        }
    }
    if deleted > 0 {
        tracing::info!(deleted, "deleted old sessions");
    }
}
