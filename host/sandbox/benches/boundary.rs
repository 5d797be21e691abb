//! What the boundary costs the plugin of most vendors, from a fresh instance to a piece, and what policies add to that.
//!
//! Wants the components `openai`, `budget` and `guard` in the directory that `SLUICE_PLUGINS` names (`cargo sluice bench` builds it). A round's value is the
//! median of its answers. What the same plugin costs natively is measured by `tests/bench`.
//!
//! Prints a line a row: name, unit, and the value of each round, parted by tabs. No assertion: a benchmark is no test.

#![expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]

use std::env::{args, var_os};
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sluice_chat::exchange::{Field, Frame, Head};
use sluice_chat::id;
use sluice_chat::policy::{Channel, Subject};
use sluice_chat::request::{ChatRequest, Message, Role};
use sluice_sandbox::{Answer, Input, Limits, Policy, Provider, Sandbox, SandboxSettings};

/// Pieces that are streamed in each answer, one by one.
const PIECES: u32 = 50;

/// Bytes of the question and of an answer that comes whole.
const TEXT_BYTES: usize = 1024;

/// Times of one answer, in the order of `ROWS`.
type Times = [Duration; ROWS.len()];

const ROWS: [&str; 7] = [
    "instantiate",
    "instantiate + first 8 pieces",
    "provider turn, 1 KB",
    "a streamed piece",
    "a policy's hook, 1 KB (budget)",
    "a filter opened and ended (guard)",
    "a filtered piece (guard)",
];

/// What the budget is told to count.
const BUDGET: &str =
    r#"{"limits": [{"name": "day", "within": "day", "at_most": {"tokens": 1000000}}]}"#;

/// What is measured.
struct Plugins {
    provider: Provider,
    budget: Policy,
    guard: Policy,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (rounds, answers) =
        if args().any(|argument| argument == "--quick") { (1, 20) } else { (5, 1_000) };
    let plugins = var_os("SLUICE_PLUGINS").ok_or("SLUICE_PLUGINS names no directory")?;
    let plugins = PathBuf::from(plugins);
    let component = |name: &str| std::fs::read(plugins.join(name).with_extension("wasm"));
    let (openai, budget, guard) = (component("openai")?, component("budget")?, component("guard")?);
    // As in the gateway, whose runtime has several threads; who calls is always the same.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;

    let mut values = vec![Vec::new(); ROWS.len()];
    runtime.block_on(async {
        let sandbox = Sandbox::new(SandboxSettings::default())?;
        let limits = Limits::default;
        let plugins = Plugins {
            provider: sandbox.load("openai", &openai, None, limits(), "{}").await?,
            budget: sandbox.load_policy("budget", &budget, None, limits(), BUDGET).await?,
            guard: sandbox.load_policy("guard", &guard, None, limits(), "{}").await?,
        };
        for _ in 0..answers / 4 {
            measure(&plugins).await?;
        }
        for _ in 0..rounds {
            let mut times = Vec::with_capacity(answers);
            for _ in 0..answers {
                times.push(measure(&plugins).await?);
            }
            for (row, values) in values.iter_mut().enumerate() {
                times.sort_by_key(|times| times[row]);
                values.push(times[answers / 2][row].as_secs_f64() * 1e6);
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;

    for (name, values) in ROWS.into_iter().zip(values) {
        let values: Vec<_> = values.iter().map(|value| format!("{value:.3}")).collect();
        println!("{name}\tus\t{}", values.join("\t"));
    }
    Ok(())
}

async fn measure(plugins: &Plugins) -> Result<Times, Box<dyn Error>> {
    let Plugins { provider, budget, guard } = plugins;
    let mut times = Times::default();

    let begun = Instant::now();
    let mut answer = provider.answer(id::Instant(0), 0).await?;
    times[0] = begun.elapsed();
    answer.start(&question(true)).await?;
    answer.step(head("text/event-stream")).await?;
    let eight = Input::Frames(vec![frame(&piece()); 8]);
    let second = Instant::now();
    answer.step(eight).await?;
    times[1] = times[0] + second.elapsed();
    times[3] = pieces(&mut answer).await?;
    drop(answer);

    let (question, head_of_whole, whole) =
        (question(false), head("application/json"), Input::Frames(vec![frame(&whole())]));
    let begun = Instant::now();
    let mut answer = provider.answer(id::Instant(0), 0).await?;
    answer.start(&question).await?;
    answer.step(head_of_whole).await?;
    answer.step(whole).await?;
    times[2] = begun.elapsed();
    drop(answer);

    let subject = Subject::default();
    let begun = Instant::now();
    budget.on_message(&subject, &question, 0).await?;
    times[4] = begun.elapsed();

    let begun = Instant::now();
    let mut filter = guard.filter(&subject, 0).await?.ok_or("the guard filters")?;
    let opened = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..PIECES {
        filter.check(Channel::Text, " word", false).await?;
    }
    times[6] = begun.elapsed() / PIECES;
    let begun = Instant::now();
    filter.finish().await?;
    times[5] = opened + begun.elapsed();

    Ok(times)
}

async fn pieces(answer: &mut Answer) -> Result<Duration, Box<dyn Error>> {
    let inputs: Vec<_> = (0..PIECES).map(|_| Input::Frames(vec![frame(&piece())])).collect();
    let begun = Instant::now();
    for input in inputs {
        answer.step(input).await?;
    }
    Ok(begun.elapsed() / PIECES)
}

fn question(stream: bool) -> ChatRequest {
    ChatRequest {
        model: "model".to_owned(),
        messages: vec![Message::text(Role::User, "m".repeat(TEXT_BYTES))],
        stream,
        ..ChatRequest::default()
    }
}

fn head(kind: &str) -> Input {
    let kind = Field { name: "content-type".to_owned(), value: kind.to_owned() };
    Input::Head(Head { status: 200, headers: vec![kind] })
}

fn frame(data: &str) -> Frame {
    Frame { event: None, data: data.to_owned() }
}

/// A usual piece of a streamed answer.
fn piece() -> String {
    r#"{"id":"chatcmpl-9xyz","object":"chat.completion.chunk","created":1730000000,"model":"model","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}"#.to_owned()
}

fn whole() -> String {
    let text = "m".repeat(TEXT_BYTES);
    format!(
        r#"{{"id":"chatcmpl-9xyz","object":"chat.completion","created":1730000000,"model":"model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
    )
}
