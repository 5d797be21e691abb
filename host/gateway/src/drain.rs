//! The way out: nothing new, let answers finish, cut the rest short, with one deadline over all of it.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long responses under way are waited for once all chats are done.
const LAST_RESPONSES: Duration = Duration::from_secs(1);
/// How much of the grace period is left to mark, store and say goodbye once answers are cut short.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything was finished and stored.
    Drained,
    /// The grace period ran out, or somebody was impatient.
    CutShort,
}

/// What is told and waited for.
#[derive(Debug)]
pub(crate) struct WayOut<'a> {
    /// Sessions and connections.
    pub(crate) tasks: &'a TaskTracker,
    /// Sockets that speak plain HTTP.
    pub(crate) sockets: &'a TaskTracker,
    /// Nothing new; let answers finish.
    pub(crate) drain: &'a CancellationToken,
    /// Answers are cut short.
    pub(crate) halt: &'a CancellationToken,
}

impl WayOut<'_> {
    /// Goes it within `grace`: tells everybody, waits for `services`, and stores what is left with `stored`. `again` ends it at
    /// once.
    pub(crate) async fn go(
        self,
        mut services: JoinSet<()>,
        stored: impl Future<Output = ()>,
        again: impl Future<Output = ()>,
        grace: Duration,
    ) -> Ended {
        let Self { tasks, sockets, drain, halt } = self;
        tracing::info!(grace = ?grace, tasks = tasks.len(), "draining");
        let deadline = Instant::now() + grace;
        drain.cancel();
        tasks.close();
        sockets.close();
        let finished = async {
            tasks.wait().await;
            while services.join_next().await.is_some() {}
            // A peer that does not take its response must not hold up the rest.
            drop(timeout(LAST_RESPONSES, sockets.wait()).await);
            stored.await;
        };
        tokio::pin!(finished);
        let in_time = async {
            if timeout_at(deadline - LAST_WORDS.min(grace / 2), finished.as_mut()).await.is_ok() {
                return Ended::Drained;
            }
            tracing::warn!(tasks = tasks.len(), "grace period over, cutting answers short");
            halt.cancel();
            drop(timeout_at(deadline, finished.as_mut()).await);
            Ended::CutShort
        };
        tokio::select! {
            ended = in_time => ended,
            () = again => {
                tracing::warn!(tasks = tasks.len(), "asked twice, leaving at once");
                Ended::CutShort
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use tokio::time::sleep;

    use super::*;

    /// How somebody behaves who is told to go.
    #[derive(Debug, Clone, Copy)]
    enum Manner {
        /// A connection whose peer reads: says goodbye and is gone.
        Prompt,
        /// A connection whose peer reads nothing: is left after a while.
        NeverReads(u64),
        /// An answer that ends by itself, or once it is cut short.
        Answers(u64),
        /// Does not go at all.
        Stuck,
    }

    /// What came of it.
    struct Outcome {
        ended: Ended,
        took: Duration,
        told: usize,
    }

    fn manner() -> impl Strategy<Value = Manner> {
        prop_oneof![
            4 => Just(Manner::Prompt),
            1 => (1..3_000_u64).prop_map(Manner::NeverReads),
            1 => (1..5_000_u64).prop_map(Manner::Answers),
        ]
    }

    /// Lets so many behave, with a second signal perhaps, under the paused clock.
    fn gone(manners: &[Manner], grace: u64, again: Option<u64>) -> Outcome {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (tasks, sockets) = (TaskTracker::new(), TaskTracker::new());
            let (drain, halt) = (CancellationToken::new(), CancellationToken::new());
            let told = Arc::new(AtomicUsize::new(0));
            for manner in manners.iter().copied() {
                let (drain, halt, told) = (drain.clone(), halt.clone(), Arc::clone(&told));
                tasks.spawn(async move {
                    drain.cancelled().await;
                    told.fetch_add(1, Ordering::AcqRel);
                    match manner {
                        Manner::Prompt => {}
                        Manner::NeverReads(millis) => sleep(Duration::from_millis(millis)).await,
                        Manner::Answers(millis) => tokio::select! {
                            () = sleep(Duration::from_millis(millis)) => {}
                            () = halt.cancelled() => {}
                        },
                        Manner::Stuck => pending().await,
                    }
                });
            }
            let way = WayOut { tasks: &tasks, sockets: &sockets, drain: &drain, halt: &halt };
            let impatient = async {
                match again {
                    Some(millis) => sleep(Duration::from_millis(millis)).await,
                    None => pending().await,
                }
            };
            let start = Instant::now();
            let grace = Duration::from_millis(grace);
            let ended = way.go(JoinSet::new(), ready(()), impatient, grace).await;
            Outcome { ended, took: start.elapsed(), told: told.load(Ordering::Acquire) }
        })
    }

    proptest! {
        /// Whatever connections and answers do, also if some never go, it is over by the deadline.
        #[test]
        fn shutdown_respects_deadline(
            manners in prop::collection::vec(manner(), 0..60), stuck in 0..3_usize, grace in 100..=2_000_u64,
        ) {
            let mut manners = manners;
            manners.extend(vec![Manner::Stuck; stuck]);
            let outcome = gone(&manners, grace, None);

            prop_assert!(outcome.took <= Duration::from_millis(grace + 1), "{:?}", outcome.took);
            prop_assert_eq!(outcome.told, manners.len());
            if stuck > 0 {
                prop_assert_eq!(outcome.ended, Ended::CutShort);
            }
        }

        /// Every connection is told to close, and all that go in time leave nothing cut short.
        #[test]
        fn shutdown_closes_all_connections(
            prompt in 0..=20_usize, never_read in prop::collection::vec(1..2_000_u64, 0..=20),
            answers in prop::collection::vec(1..2_000_u64, 0..=20),
        ) {
            let mut manners = vec![Manner::Prompt; prompt];
            manners.extend(never_read.iter().copied().map(Manner::NeverReads));
            manners.extend(answers.iter().copied().map(Manner::Answers));

            let outcome = gone(&manners, 5_000, None);

            prop_assert_eq!(outcome.ended, Ended::Drained);
            prop_assert_eq!(outcome.told, manners.len());
            let slowest = never_read.iter().chain(&answers).max().copied().unwrap_or(0);
            prop_assert!(outcome.took <= Duration::from_millis(slowest + 1), "{:?}", outcome.took);
        }

        /// A second signal ends it at that moment, whoever is still there.
        #[test]
        fn asked_twice_it_leaves_at_once(
            manners in prop::collection::vec(manner(), 0..20), again in 0..1_000_u64,
        ) {
            let mut manners = manners;
            manners.push(Manner::Stuck);
            let outcome = gone(&manners, 60_000, Some(again));

            prop_assert_eq!(outcome.ended, Ended::CutShort);
            prop_assert!(outcome.took <= Duration::from_millis(again + 1), "{:?}", outcome.took);
        }
    }
}
