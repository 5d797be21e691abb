//! What the archive costs where it costs most: acknowledgements under many writers, and pages of everybody's sessions when
//! there are a million.
//!
//! `--mongodb ADDRESS` measures that server, in a database that is dropped by whoever started it; else a file in a temporary
//! folder is measured. `--sessions NUMBER` puts in so many instead. Prints a line a row: name, unit, and the value of each round, parted by tabs. Every order of every
//! filter goes to standard error. No assertion: a benchmark is no test.

#![expect(clippy::print_stdout, reason = "a benchmark reports to its terminal")]
#![expect(clippy::print_stderr, reason = "and says what it is at")]

mod acks;
mod pages;
mod population;

use std::env::args;
use std::error::Error;
use std::time::{Duration, Instant};

use sluice_archive::{Archive, DatabaseSettings, Retry};

type Failed = Box<dyn Error + Send + Sync>;

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Length {
    rounds: usize,
    /// Time that writers write in a round.
    span: Duration,
    sessions: u64,
}

const FULL: Length = Length { rounds: 5, span: Duration::from_secs(3), sessions: 1_000_000 };
const QUICK: Length = Length { rounds: 1, span: Duration::from_millis(300), sessions: 5_000 };

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = args().collect();
    let length = if arguments.iter().any(|word| word == "--quick") { QUICK } else { FULL };
    let after = |option: &str| {
        let at = arguments.iter().position(|word| word == option)?;
        arguments.get(at + 1)
    };
    let server = after("--mongodb");
    let sessions = after("--sessions").map(|number| number.parse()).transpose()?;
    let length = Length { sessions: sessions.unwrap_or(length.sessions), ..length };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let archive = match server {
            Some(address) => Archive::connect(&settings(address)).await?,
            None => Archive::open(&folder.path().join("sluice.db"))?,
        };
        acks::measure(&archive, length, "").await?;
        let begun = Instant::now();
        population::settle(&archive, length.sessions).await?;
        eprintln!("{} sessions in {:.0?}", length.sessions, begun.elapsed());
        acks::measure(&archive, length, ", beside the sessions").await?;
        pages::measure(&archive, length).await?;
        archive.close().await;
        Ok(())
    })
}

fn settings(address: &str) -> DatabaseSettings {
    DatabaseSettings {
        uri: address.to_owned(),
        database: "bench".to_owned(),
        instance: "the bench".to_owned(),
        retry: Retry {
            attempts: 3,
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(2),
        },
        connect_timeout: Duration::from_secs(30),
    }
}

/// A line of the report.
fn print(name: &str, unit: &str, values: &[f64]) {
    let values: Vec<_> = values.iter().map(|value| format!("{value:.3}")).collect();
    println!("{name}\t{unit}\t{}", values.join("\t"));
}

/// Milliseconds that so many hundredths of all are not above; zero of none. Sorts them.
fn percentile(times: &mut [Duration], hundredths: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
