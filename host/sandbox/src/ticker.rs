//! The epoch ticker: the clock that makes running guests give way. Counts nothing itself.
//!
//! A thread of the operating system, since a blocked runtime must not stop the clock. It sleeps for good while no guest runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// Time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a guest before the thread goes to sleep. Waking it costs a system call, which a step should not pay each time.
const LINGER: u32 = 100;

#[derive(Debug, Default)]
struct Shared {
    /// Calls into guests right now.
    calls: AtomicUsize,
    /// The thread sleeps, or is about to.
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// The thread. Stopped and joined on drop, which takes a tick at most.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread; it sleeps until the first call.
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sandbox-ticker".to_owned())
            .spawn(move || seen.run(&engine))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Ticks while the returned guard lives.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        self.shared.calls.fetch_add(1, Ordering::SeqCst);
        // `calls` is raised before `asleep` is read, and the thread does it the other way round: one of both sees the other.
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread().unpark();
        }
        Ticking { shared: &self.shared }
    }

    fn thread(&self) -> &Thread {
        self.thread.as_ref().expect("the thread is taken on drop only").thread()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread().unpark();
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it adds and sleeps.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn run(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.stop.load(Ordering::SeqCst) {
            if self.calls.load(Ordering::SeqCst) > 0 {
                idle = 0;
            } else if idle < LINGER {
                idle += 1;
            } else {
                self.sleep();
                idle = 0;
            }
            // Parking would end early with every leftover token; a tick that comes early cuts a guest short.
            #[expect(clippy::disallowed_methods, reason = "this thread is the clock")]
            thread::sleep(TICK);
            engine.increment_epoch();
        }
    }

    /// Until a call begins or the end.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.calls.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

/// A call into a guest is under way.
#[derive(Debug)]
pub(crate) struct Ticking<'a> {
    shared: &'a Shared,
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.shared.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_sleeps_without_calls_wakes_for_one_and_ends_on_drop() {
        let ticker = Ticker::start(Engine::default()).unwrap();
        let shared = Arc::clone(&ticker.shared);
        let asleep = |state| shared.asleep.load(Ordering::SeqCst) == state;

        while !asleep(true) {
            thread::yield_now();
        }
        let ticking = ticker.tick();
        while !asleep(false) {
            thread::yield_now();
        }
        drop(ticking);
        drop(ticker);

        assert_eq!(Arc::strong_count(&shared), 1, "the thread is gone");
    }
}
