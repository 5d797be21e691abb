//! Holds an answer to its time: whatever it is waiting for, it is over then.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::{Advance, AskError, Heard};
use crate::metrics::Meter;

/// Hands on what the `steps` of an answer say, until they end, fail, or `total` is over. The end is told once and last, and the
/// steps are gone by then, with everything that they held.
pub(super) fn within<S>(
    total: Duration,
    steps: S,
    meter: Meter,
) -> impl Stream<Item = Heard> + Send + use<S>
where
    S: Stream<Item = Result<Advance, AskError>> + Send,
{
    let deadline = Instant::now() + total;
    stream::unfold(Some((Box::pin(steps), meter)), move |state| async move {
        let (mut steps, mut meter) = state?;
        let heard = match timeout_at(deadline, steps.next()).await {
            Ok(Some(Ok(Advance::Said(events)))) => {
                meter.said();
                return Some((Heard::Said(events), Some((steps, meter))));
            }
            Ok(Some(Ok(Advance::Turned(route)))) => {
                let meter = meter.turned(route.provider.name());
                return Some((Heard::Turned(route), Some((steps, meter))));
            }
            Ok(Some(Ok(Advance::Ended(finish)))) => Ok(finish),
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Err(AskError::NothingToRead),
            Err(_) => Err(AskError::TookTooLong),
        };
        meter.ended(heard.is_ok());
        Some((Heard::Ended(heard), None))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;
    use sluice_chat::event::{ChatEvent, FinishReason};
    use sluice_chat::turn::Refusal;
    use sluice_wire::error::ErrorCode;
    use tokio::time::sleep;

    use super::*;
    use crate::metrics::Metrics;

    /// A provider that says a piece after each of these pauses, and then hangs for ever or ends. Holds `open` all the while, as an
    /// answer holds its exchange.
    fn provider(
        pauses: Vec<Duration>,
        hangs: bool,
        open: Arc<()>,
    ) -> impl Stream<Item = Result<Advance, AskError>> + Send {
        stream::unfold((pauses.into_iter(), open), move |(mut pauses, open)| async move {
            let step = match pauses.next() {
                Some(pause) => {
                    sleep(pause).await;
                    Advance::Said(vec![ChatEvent::Text("piece".to_owned())])
                }
                None if hangs => std::future::pending().await,
                None => Advance::Ended(FinishReason::Stop),
            };
            Some((Ok(step), (pauses, open)))
        })
    }

    /// What was heard, when the end came, and whether the exchange was still open then.
    struct Told {
        pieces: usize,
        ends: Vec<Result<FinishReason, AskError>>,
        after: Duration,
        open: bool,
    }

    async fn told(total: Duration, pauses: Vec<Duration>, hangs: bool) -> Told {
        let open = Arc::new(());
        let meter = Metrics::new().answers.begin("fake");
        let begun = Instant::now();
        let steps = provider(pauses, hangs, Arc::clone(&open));
        let mut heard = std::pin::pin!(within(total, steps, meter));
        let mut told = Told { pieces: 0, ends: Vec::new(), after: Duration::ZERO, open: false };
        while let Some(heard) = heard.next().await {
            match heard {
                Heard::Said(events) => told.pieces += events.len(),
                Heard::Turned(_) => panic!("there is nobody to turn to"),
                Heard::Ended(ended) => {
                    told.ends.push(ended);
                    told.after = begun.elapsed();
                    told.open = Arc::strong_count(&open) > 1;
                }
            }
        }
        told
    }

    /// Runs one case under the paused clock.
    fn paused(case: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(case)
    }

    fn pauses() -> impl Strategy<Value = Vec<Duration>> {
        prop::collection::vec((0..100_000_u64).prop_map(Duration::from_millis), 0..8)
    }

    proptest! {
        /// For any timeout from 1 s to 300 s and whatever the provider does, the answer is over by then: a provider that is done
        /// before ends it itself, any other is cut exactly then.
        #[test]
        fn streaming_requests_have_timeout(
            seconds in 1..=300_u64,
            pauses in pauses(),
            hangs in any::<bool>(),
        ) {
            let total = Duration::from_secs(seconds);
            let whole: Duration = pauses.iter().sum();
            paused(async {
                let told = told(total, pauses, hangs).await;

                let in_time = !hangs && whole < total;
                // At the very moment either may be first.
                if whole != total {
                    prop_assert_eq!(told.after, if in_time { whole } else { total });
                    prop_assert_eq!(told.ends[0].is_ok(), in_time);
                }
                prop_assert!(told.after <= total);
                Ok(())
            })?;
        }

        /// A provider that hangs is cancelled at the timeout: what it held is gone before anybody is told, the client is told
        /// LLM_TIMEOUT exactly once, what was said until then was heard, and nothing says that the answer was whole.
        #[test]
        fn timeout_cancels_streaming(seconds in 1..=300_u64, pauses in pauses()) {
            let total = Duration::from_secs(seconds);
            let mut at = Duration::ZERO;
            let in_time = |pause: &&Duration| {
                at += **pause;
                at < total
            };
            let expected = pauses.iter().take_while(in_time).count();
            // A piece that comes at the very moment may be heard or not.
            prop_assume!(at != total);
            paused(async {
                let told = told(total, pauses, true).await;

                prop_assert_eq!(told.after, total);
                prop_assert!(!told.open, "the exchange is still open");
                prop_assert_eq!(told.pieces, expected);
                prop_assert_eq!(told.ends.len(), 1);
                prop_assert!(matches!(told.ends[0], Err(AskError::TookTooLong)));
                let error = told.ends[0].as_ref().unwrap_err();
                let code = ErrorCode::from(&Refusal::Failed(error.kind()));
                prop_assert_eq!(code, ErrorCode::LlmTimeout);
                Ok(())
            })?;
        }
    }
}
