//! The siding: where a call goes on that meets the clock twice, so that it holds up nobody. Knows nothing of budgets.
//!
//! Nearly every call is over in microseconds and runs where it was made, without a hand-over. One that is not gives way at its first
//! tick, and at its second moves to a runtime of its own, whose threads take only what the rest of the process leaves them.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;
use wasmtime::Engine;

use crate::ticker::Ticker;

/// How often a call gives way before it is moved. Once, since a call of microseconds may happen to meet a tick.
const PATIENCE: u32 = 1;

/// Niceness of the threads: the least that Linux gives, beside the usual load a seventieth of a processor.
const NICENESS: i32 = 19;

/// The runtime, and the clock. Calls still on it when it is dropped are dropped with it, unseen: who made them is gone.
#[derive(Debug)]
pub(crate) struct Siding {
    ticker: Arc<Ticker>,
    /// Taken on drop only.
    runtime: Option<Runtime>,
}

impl Siding {
    /// Starts it, with a thread for each processor, and the clock of `engine`.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let ticker = Arc::new(Ticker::start(engine)?);
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("sandbox-siding")
            .on_thread_start(step_back)
            .build()?;
        Ok(Self { ticker, runtime: Some(runtime) })
    }

    /// Runs a call to its end, wherever that is, and the clock meanwhile. Dropping the future drops the call: at once here, at its next tick on the siding.
    ///
    /// The call must give way often, since nothing else can move or stop it.
    pub(crate) async fn run<C>(&self, call: C) -> C::Output
    where
        C: Future<Output: Send> + Send + 'static,
    {
        let ticker = Arc::clone(&self.ticker);
        let mut call = Box::pin(async move {
            // Inside, since a call that nobody waits for any more still needs a tick to give way.
            let _ticking = ticker.tick();
            call.await
        });
        let mut met = 0;
        let soon = poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if met == PATIENCE => Poll::Ready(None),
            Poll::Pending => {
                met += 1;
                Poll::Pending
            }
        });
        if let Some(outcome) = soon.await {
            return outcome;
        }
        let runtime = self.runtime.as_ref().expect("taken on drop only");
        match AbortOnDropHandle::new(runtime.spawn(call)).await {
            Ok(outcome) => outcome,
            Err(error) => resume_unwind(error.into_panic()), // nobody aborts it while it is waited for
        }
    }
}

impl Drop for Siding {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting would block the thread of whoever drops the sandbox; a call gives way within a tick, and then is gone.
            runtime.shutdown_background();
        }
    }
}

/// Makes the calling thread take no more than others leave.
#[expect(unsafe_code, reason = "the standard library knows no niceness")]
fn step_back() {
    // SAFETY: takes numbers only. On Linux it concerns the calling thread alone.
    let refused = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    if refused != 0 {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "a thread for slow plugins keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    fn here() -> Option<String> {
        thread::current().name().map(ToOwned::to_owned)
    }

    async fn after(ticks: u32) -> Option<String> {
        for _ in 0..ticks {
            yield_now().await;
        }
        here()
    }

    #[tokio::test]
    async fn a_call_stays_where_it_was_made_until_it_met_the_clock_twice() {
        let siding = Siding::start(Engine::default()).unwrap();

        assert_eq!(siding.run(after(0)).await, here());
        assert_eq!(siding.run(after(1)).await, here());
        assert_eq!(siding.run(after(2)).await.as_deref(), Some("sandbox-siding"));
        assert_eq!(siding.run(after(9)).await.as_deref(), Some("sandbox-siding"));
    }

    #[tokio::test]
    async fn a_call_on_the_siding_ends_when_nobody_waits_for_it_any_more() {
        let siding = Siding::start(Engine::default()).unwrap();
        let (held, moved) = (Arc::new(()), Arc::new(tokio::sync::Notify::new()));
        let (theirs, moving) = (Arc::clone(&held), Arc::clone(&moved));
        let call = siding.run(async move {
            after(2).await;
            moving.notify_one();
            while Arc::strong_count(&theirs) > 0 {
                yield_now().await;
            }
        });

        tokio::select! {
            () = call => unreachable!("it runs for ever"),
            () = moved.notified() => {}
        }

        while Arc::strong_count(&held) > 1 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_siding_may_be_dropped_on_a_runtime() {
        drop(Siding::start(Engine::default()).unwrap());
    }

    #[tokio::test]
    #[should_panic(expected = "as it is")]
    async fn a_panic_on_the_siding_is_the_callers() {
        let siding = Siding::start(Engine::default()).unwrap();

        siding
            .run(async {
                after(2).await;
                panic!("as it is");
            })
            .await;
    }
}
