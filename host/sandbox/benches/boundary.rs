//! What the boundary costs: a fresh instance, its first call, and steps of one and of eight frames.
//!
//! Wants the guest `count` in the directory that `SLUICE_GUESTS` names (`cargo sluice test` builds it). Rounds are interleaved, so that a
//! noisy neighbour hits every row alike; the median of all rounds is what counts. No assertion: a benchmark is no test.

#![expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]

use std::env::var_os;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sluice_chat::exchange::Frame;
use sluice_chat::id;
use sluice_chat::request::{ChatRequest, Message, Role};
use sluice_sandbox::{Input, Limits, Provider, Sandbox, SandboxSettings};

/// Answers measured, each with every row.
const ROUNDS: usize = 2_000;

/// Answers before that, not measured.
const WARM_UP: usize = 200;

/// Steps of a kind in each answer.
const STEPS: u32 = 50;

/// Messages in the question, and bytes in each: a short conversation.
const MESSAGES: usize = 12;
const MESSAGE_BYTES: usize = 340;

/// Bytes of a frame: a usual piece of a streamed answer.
const FRAME_BYTES: usize = 298;

/// Times of one answer, in the order of `ROWS`.
type Round = [Duration; 5];

const ROWS: [&str; 5] = ["answer()", "start", "step, 1 frame", "step, 8 frames", "drop"];

fn main() -> Result<(), Box<dyn Error>> {
    let guests = var_os("SLUICE_GUESTS").ok_or("SLUICE_GUESTS names no directory of guests")?;
    let component = std::fs::read(PathBuf::from(guests).join("count.wasm"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;

    let mut rounds = runtime.block_on(async {
        let sandbox = Sandbox::new(SandboxSettings::default())?;
        let provider = sandbox.load("count", &component, None, Limits::default(), "{}").await?;
        let question = question();
        for _ in 0..WARM_UP {
            round(&provider, &question).await?;
        }
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            rounds.push(round(&provider, &question).await?);
        }
        Ok::<_, Box<dyn Error>>(rounds)
    })?;

    println!("{:<16}{:>10}{:>10}{:>10}  us", "", "median", "min", "p99");
    for (row, name) in ROWS.into_iter().enumerate() {
        rounds.sort_by_key(|round| round[row]);
        let at = |index: usize| rounds[index][row].as_secs_f64() * 1e6;
        let (median, least, p99) = (at(ROUNDS / 2), at(0), at(ROUNDS * 99 / 100));
        println!("{name:<16}{median:>10.2}{least:>10.2}{p99:>10.2}");
    }
    Ok(())
}

fn question() -> ChatRequest {
    let message = || Message::text(Role::User, "m".repeat(MESSAGE_BYTES));
    ChatRequest {
        model: "count".to_owned(),
        messages: (0..MESSAGES).map(|_| message()).collect(),
        stream: true,
        ..ChatRequest::default()
    }
}

fn frames(count: usize) -> Input {
    let frame = Frame { event: None, data: "f".repeat(FRAME_BYTES) };
    Input::Frames(vec![frame; count])
}

async fn round(provider: &Provider, question: &ChatRequest) -> Result<Round, Box<dyn Error>> {
    let mut times = Round::default();

    let begun = Instant::now();
    let mut answer = provider.answer(id::Instant(0), 0).await?;
    times[0] = begun.elapsed();

    let begun = Instant::now();
    answer.start(question).await?;
    times[1] = begun.elapsed();

    for (row, count) in [(2, 1), (3, 8)] {
        let mut inputs: Vec<_> = (0..STEPS).map(|_| frames(count)).collect();
        let begun = Instant::now();
        for input in inputs.drain(..) {
            answer.step(input).await?;
        }
        times[row] = begun.elapsed() / STEPS;
    }

    let begun = Instant::now();
    drop(answer);
    times[4] = begun.elapsed();
    Ok(times)
}
