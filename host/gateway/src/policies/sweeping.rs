//! Keeps what is known of budgets as small as it can be, for as long as the process serves.

use std::error::Error;
use std::time::Duration;

use sluice_archive::Archive;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// Gives back what lapsed and forgets what no longer counts, at once and again and again, until `drain`.
pub(crate) async fn sweep(archive: Archive, drain: CancellationToken) {
    let mut interval = interval(EVERY);
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            _ = interval.tick() => {}
        }
        // In small steps, between which others get their turn. A storage that fails is tried again by the next sweep.
        while !drain.is_cancelled() {
            match archive.sweep_reservations(clock::now()).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let error = &error as &dyn Error;
                    tracing::error!(error, "could not forget what no budget counts any more");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_archive::{Claim, Counter, LAPSED_KEPT_MS, Window};
    use sluice_chat::id::Instant;

    use super::*;

    const CLAIMS: u64 = 300;

    fn counter(which: u64) -> Counter {
        let (name, key) = ("requests".to_owned(), format!("user {which}"));
        Counter { name, key, window: Window::Rolling(1) }
    }

    /// Takes of so many counters at a moment so long ago that none of it counts any more, and of nothing else.
    async fn take(archive: &Archive, past: Instant) {
        for which in 0..CLAIMS {
            let claim = Claim { counter: counter(which), amount: 1, limit: 1 };
            let taken = archive.reserve_claims(&[claim], past, 1).await.unwrap();
            archive.settle_claims(&taken, vec![("requests".to_owned(), 1)]).await.unwrap();
        }
    }

    /// Waits until nothing is known of what was taken then.
    async fn forgotten(archive: &Archive, past: Instant) {
        for which in 0..CLAIMS {
            // Where it stood then is where it stands as long as anything is known of it.
            while archive.standing(&counter(which), past).await.unwrap() > 0 {}
        }
    }

    #[tokio::test]
    async fn what_no_longer_counts_is_forgotten_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(&folder.path().join("chat.db")).unwrap();
        let long_ago = Instant(clock::now().0 - 2 * LAPSED_KEPT_MS);
        take(&archive, long_ago).await;
        let drain = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();

        tasks.spawn(sweep(archive.clone(), drain.clone()));
        forgotten(&archive, long_ago).await;
        take(&archive, long_ago).await;
        tokio::time::pause();
        tokio::time::advance(EVERY).await;
        forgotten(&archive, long_ago).await;

        drain.cancel();
        tasks.join_next().await.unwrap().unwrap();
    }
}
