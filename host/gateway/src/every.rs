//! Work that is done again and again for as long as the process serves.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Does something after each interval, until `drain`. The interval is asked for anew each time, since it may be changed.
pub(crate) async fn every(
    interval: impl Fn() -> Duration,
    drain: CancellationToken,
    mut work: impl FnMut(),
) {
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = sleep(interval()) => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::rate::Windows;
    use crate::settings::Rate;

    /// Runs one case under the paused clock.
    fn paused(case: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(case)
    }

    proptest! {
        /// Without anybody asking, everything is forgotten within the window and one interval.
        #[test]
        fn cleanup_runs_periodically(interval in 10..500_u64, window in 10..500_u64, users in 1..=20_usize) {
            paused(async {
                let windows = Arc::new(Windows::new());
                let rate = Rate { count: 5, window: Duration::from_millis(window) };
                let interval = Duration::from_millis(interval);
                let drain = CancellationToken::new();
                let mut services = JoinSet::new();
                let swept = Arc::clone(&windows);
                let sweep = move || {
                    swept.sweep(rate, Instant::now());
                };
                services.spawn(every(move || interval, drain.clone(), sweep));
                for user in 0..users {
                    prop_assert!(windows.take(user, rate, Instant::now()).is_ok());
                }
                prop_assert_eq!(windows.events(), users);

                sleep(rate.window + interval + Duration::from_millis(1)).await;

                prop_assert_eq!(windows.events(), 0);
                Ok(())
            })?;
        }

        /// It ends as soon as it is told to, whatever its interval, and being told twice changes nothing.
        #[test]
        fn cleanup_goroutine_terminates(interval in 10..1_000_000_u64) {
            paused(async {
                let drain = CancellationToken::new();
                let mut services = JoinSet::new();
                let interval = Duration::from_millis(interval);
                services.spawn(every(move || interval, drain.clone(), || {}));
                tokio::task::yield_now().await;
                let told = Instant::now();

                drain.cancel();
                drain.cancel();
                services.join_next().await.unwrap().unwrap();

                prop_assert_eq!(told.elapsed(), Duration::ZERO);
                Ok(())
            })?;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_interval_counts_from_the_next_round_on() {
        let millis = Arc::new(AtomicUsize::new(100));
        let count = Arc::new(AtomicUsize::new(0));
        let (asked, counted) = (Arc::clone(&millis), Arc::clone(&count));
        let mut services = JoinSet::new();
        let interval = move || Duration::from_millis(asked.load(Ordering::Acquire) as u64);
        let work = move || {
            counted.fetch_add(1, Ordering::AcqRel);
        };
        services.spawn(every(interval, CancellationToken::new(), work));
        tokio::task::yield_now().await;

        millis.store(10, Ordering::Release);
        advance(Duration::from_millis(50)).await;
        tokio::task::yield_now().await;
        assert_eq!(count.load(Ordering::Acquire), 0);
        sleep(Duration::from_millis(101)).await;

        assert_eq!(count.load(Ordering::Acquire), 6);
    }
}
