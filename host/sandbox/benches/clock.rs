//! What keeps a spinning guest from holding up its neighbours, and what that costs a guest that does not spin.
//!
//! Bare wasmtime, none of our crate: it measures the ways that were open (docs/decisions). Eight guests that spin without end, stopped
//! after twenty ticks each and begun again, beside one task that is woken every other millisecond and makes a short call: how long from
//! being woken to having its result? And without spinners: what does a short call cost? Rounds are interleaved.
//!
//! Prints a line a row: name, unit, and the value of each round, parted by tabs. No assertion: a benchmark is no test.

#![expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]
#![expect(clippy::disallowed_methods, reason = "the clock and the pace are threads that sleep")]

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use wasmtime::{Config, Engine, Instance, Module, Store, TypedFunc, UpdateDeadline};

const SPINNERS: usize = 8;
const WORKERS: usize = 2;
const TICK: Duration = Duration::from_millis(1);
/// Ticks that a spinner gets for a call, as a step of a plugin does.
const BUDGET: u32 = 20;
/// Ticks of the hard budget that a synchronous call would need to be harmless.
const HARD_BUDGET: u32 = 2;
const PACE: Duration = Duration::from_millis(2);
const STEPS: u32 = 20_000;

/// A guest that spins, and one that works for about a microsecond.
const GUEST: &str = r#"(module
    (func (export "spin") (result i32) (loop (br 0)) unreachable)
    (func (export "step") (result i32) (local i32)
        (loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))
              (br_if 0 (i32.lt_u (local.get 0) (i32.const 1000))))
        (local.get 0)))"#;

/// How a guest is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Synchronously; the worker is held until the budget is over.
    Hard(u32),
    /// Asynchronously on the one runtime, giving way at every tick.
    Yield,
    /// Every call on a runtime of its own.
    Apart,
    /// On the one runtime until so many ticks were met, then on the other.
    Aside(u32),
}

/// Rows: a way, and how nice the other runtime's threads are.
const WAYS: [(&str, Way, i32); 8] = [
    ("synchronous, 20 ticks", Way::Hard(BUDGET), 0),
    ("synchronous, 2 ticks", Way::Hard(HARD_BUDGET), 0),
    ("yield", Way::Yield, 0),
    ("own runtime, nice 0", Way::Apart, 0),
    ("own runtime, nice 19", Way::Apart, 19),
    ("aside at the 1st tick, nice 19", Way::Aside(1), 19),
    ("aside at the 2nd tick, nice 19", Way::Aside(2), 19),
    ("aside at the 2nd tick, nice 10", Way::Aside(2), 10),
];

type Guest = (Store<u32>, TypedFunc<(), i32>);

struct Bench {
    engine: Engine,
    module: Module,
    main: Runtime,
}

fn main() -> Result<(), Box<dyn Error>> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, span) =
        if quick { (1, Duration::from_millis(500)) } else { (5, Duration::from_secs(1)) };

    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, wat::parse_str(GUEST)?)?;
    let clock = engine.clone();
    // Ends with the process.
    thread::spawn(move || -> ! {
        loop {
            thread::sleep(TICK);
            clock.increment_epoch();
        }
    });
    let main = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let bench = Bench { engine, module, main };

    let mut alone = Vec::new();
    let mut delays = vec![(Vec::new(), Vec::new()); WAYS.len()];
    let mut costs = vec![Vec::new(); WAYS.len()];
    for _ in 0..rounds {
        alone.push(bench.delays(Way::Yield, 19, 0, span)?.0);
        for (row, (_, way, nice)) in WAYS.into_iter().enumerate() {
            let (p99, most) = bench.delays(way, nice, SPINNERS, span)?;
            delays[row].0.push(p99);
            delays[row].1.push(most);
            costs[row].push(bench.cost(way, nice)?);
        }
    }

    print("nobody spins, p99", "ms", &alone);
    for (row, (name, _, _)) in WAYS.into_iter().enumerate() {
        print(&format!("{name}, p99"), "ms", &delays[row].0);
        print(&format!("{name}, longest"), "ms", &delays[row].1);
        print(&format!("{name}, a call"), "us", &costs[row]);
    }
    Ok(())
}

fn print(name: &str, unit: &str, rounds: &[f64]) {
    let rounds: Vec<_> = rounds.iter().map(|value| format!("{value:.3}")).collect();
    println!("{name}\t{unit}\t{}", rounds.join("\t"));
}

impl Bench {
    /// 99th percentile and maximum of the innocent task's delay in milliseconds.
    fn delays(
        &self,
        way: Way,
        nice: i32,
        spinners: usize,
        span: Duration,
    ) -> Result<(f64, f64), Box<dyn Error>> {
        let other = other(nice)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, mut woken) = mpsc::channel::<Instant>(1_000);
        let ending = Arc::clone(&stop);
        let pace = thread::spawn(move || {
            let begun = Instant::now();
            while begun.elapsed() < span {
                thread::sleep(PACE);
                // A task that is a thousand beats behind has shown enough.
                wake.try_send(Instant::now()).ok();
            }
            ending.store(true, Ordering::SeqCst);
        });
        let mut delays = self.main.block_on(async {
            let mut tasks = JoinSet::new();
            for _ in 0..spinners {
                let (engine, module) = (self.engine.clone(), self.module.clone());
                let (other, stop) = (other.handle().clone(), Arc::clone(&stop));
                tasks.spawn(async move {
                    while !stop.load(Ordering::SeqCst) {
                        let spin = guest(&engine, &module, way, "spin");
                        drop(call(way, spin, &other).await);
                        yield_now().await;
                    }
                    Vec::new()
                });
            }
            let mut innocent = guest(&self.engine, &self.module, way, "step");
            let handle = other.handle().clone();
            tasks.spawn(async move {
                let mut delays = Vec::new();
                while let Some(since) = woken.recv().await {
                    // A call cut short by its hard budget counts as made: what matters here is when.
                    innocent = call(way, innocent, &handle).await.0;
                    delays.push(since.elapsed().as_secs_f64() * 1e3);
                }
                delays
            });
            tasks.join_all().await.concat()
        });
        pace.join().map_err(|_panic| "the pace broke")?;
        other.shutdown_background();
        delays.sort_by(f64::total_cmp);
        let most = delays.last().copied().unwrap_or_default();
        Ok((delays[delays.len() * 99 / 100], most))
    }

    /// Mean of a short call in microseconds, nobody else about.
    fn cost(&self, way: Way, nice: i32) -> Result<f64, Box<dyn Error>> {
        let other = other(nice)?;
        let handle = other.handle().clone();
        let mut innocent = guest(&self.engine, &self.module, way, "step");
        let mut tasks = JoinSet::new();
        let took = self.main.block_on(async {
            tasks.spawn(async move {
                let begun = Instant::now();
                for _ in 0..STEPS {
                    innocent = call(way, innocent, &handle).await.0;
                }
                begun.elapsed()
            });
            tasks.join_next().await
        });
        other.shutdown_background();
        let took = took.ok_or("no task")??;
        Ok(took.as_secs_f64() * 1e6 / f64::from(STEPS))
    }
}

/// The plugins' own runtime.
fn other(nice: i32) -> std::io::Result<Runtime> {
    let unkind = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&unkind);
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .on_thread_start(move || {
            if !be_nice(nice) {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()?;
    assert_eq!(unkind.load(Ordering::SeqCst), 0, "a thread may always be nicer");
    Ok(runtime)
}

#[expect(unsafe_code, reason = "the standard library knows no niceness")]
fn be_nice(nice: i32) -> bool {
    // SAFETY: takes numbers only. On Linux it concerns the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) == 0 }
}

fn guest(engine: &Engine, module: &Module, way: Way, export: &str) -> Guest {
    let mut store = Store::new(engine, 0_u32);
    store.epoch_deadline_callback(move |mut context| {
        let ticks = context.data_mut();
        *ticks = ticks.saturating_sub(1);
        Ok(match way {
            _ if *ticks == 0 => UpdateDeadline::Interrupt,
            Way::Hard(_) => UpdateDeadline::Continue(1),
            Way::Yield | Way::Apart | Way::Aside(_) => {
                UpdateDeadline::YieldCustom(1, Box::pin(yield_now()))
            }
        })
    });
    store.set_epoch_deadline(1_000);
    let instance = Instance::new(&mut store, module, &[]).expect("the guest imports nothing");
    let export = instance.get_typed_func(&mut store, export).expect("the guest has it");
    (store, export)
}

/// Calls a guest; the outcome is gone when it ran out of ticks.
async fn call(way: Way, mut guest: Guest, other: &Handle) -> (Guest, Option<i32>) {
    *guest.0.data_mut() = if let Way::Hard(budget) = way { budget } else { BUDGET };
    guest.0.set_epoch_deadline(1);
    if let Way::Hard(_) = way {
        let called = guest.1.call(&mut guest.0, ()).ok();
        return (guest, called);
    }
    let running = Box::pin(async move {
        let called = guest.1.call_async(&mut guest.0, ()).await.ok();
        (guest, called)
    });
    match way {
        Way::Hard(_) | Way::Yield => running.await,
        Way::Apart => other.spawn(running).await.expect("a guest does not panic"),
        Way::Aside(most) => aside(running, most, other).await,
    }
}

/// Runs a call here until it gave way so many times, then there.
async fn aside<F>(mut running: Pin<Box<F>>, most: u32, there: &Handle) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut met = 0;
    let quick = poll_fn(|context| match running.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => {
            met += 1;
            if met == most { Poll::Ready(None) } else { Poll::Pending }
        }
    });
    match quick.await {
        Some(outcome) => outcome,
        None => there.spawn(running).await.expect("a guest does not panic"),
    }
}
