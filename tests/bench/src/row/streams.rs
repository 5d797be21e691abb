//! 512 answers streamed side by side, fifty pieces a second each: is every piece there, in order, and in time?

use std::time::Instant;

use tokio::task::JoinSet;

use crate::{
    connection::Connection,
    percentile::percentile,
    report::{Goal, Row},
    row::Length,
    stage::{MODEL, Stage, Target},
    upstream::stamp,
};

const STREAMS: usize = 512;
const PIECES: usize = 200;

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let stage = Stage::set().await;
    let (floor, gateway) = (stage.floor(), stage.gateway());
    let streams = length.of(STREAMS);
    let pieces = length.of(PIECES);
    let mut lost = Vec::new();
    let (mut first, mut gap, mut delay) = (Pair::default(), Pair::default(), Pair::default());
    for _ in 0..length.rounds() {
        let below = side_by_side(&floor, streams, pieces).await;
        let above = side_by_side(&gateway, streams, pieces).await;
        lost.push(above.lost);
        first.push(below.first, above.first);
        gap.push(below.gap, above.gap);
        delay.push(below.delay, above.delay);
    }
    vec![
        Row::new("pieces lost or out of order", "", Goal::AtMost(0.0), lost),
        Row::new("added to the first piece, p99", "us", Goal::AtMost(500.0), first.added()),
        Row::new("added to a gap, p99", "us", Goal::AtMost(100.0), gap.added()),
        Row::new("first piece, p99", "us", Goal::None, first.above).beside(first.below),
        Row::new("a gap's difference from the upstream's, p99", "us", Goal::None, gap.above)
            .beside(gap.below),
        Row::new("from upstream to client, p99", "us", Goal::None, delay.above).beside(delay.below),
    ]
}

#[derive(Default)]
struct Pair {
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Pair {
    fn push(&mut self, below: f64, above: f64) {
        self.below.push(below);
        self.above.push(above);
    }

    fn added(&self) -> Vec<f64> {
        self.above.iter().zip(&self.below).map(|(above, below)| above - below).collect()
    }
}

/// Percentiles over all streams of a round, in microseconds.
pub(super) struct Seen {
    lost: f64,
    first: f64,
    gap: f64,
    pub(super) delay: f64,
}

/// What one stream showed, in microseconds.
#[derive(Default)]
struct Stream {
    lost: u32,
    first: f64,
    gaps: Vec<f64>,
    delays: Vec<f64>,
}

pub(super) async fn side_by_side(target: &Target, streams: usize, pieces: usize) -> Seen {
    let mut clients = JoinSet::new();
    for _ in 0..streams {
        clients.spawn(stream(target.clone(), pieces));
    }
    let all = clients.join_all().await;
    let mut first: Vec<_> = all.iter().map(|stream| stream.first).collect();
    let mut gaps: Vec<_> = all.iter().flat_map(|stream| stream.gaps.clone()).collect();
    let mut delays: Vec<_> = all.iter().flat_map(|stream| stream.delays.clone()).collect();
    Seen {
        lost: f64::from(all.iter().map(|stream| stream.lost).sum::<u32>()),
        first: percentile(&mut first, 0.99),
        gap: percentile(&mut gaps, 0.99),
        delay: percentile(&mut delays, 0.99),
    }
}

async fn stream(target: Target, pieces: usize) -> Stream {
    let mut connection = Connection::open(&target.address).await;
    let request = target.ask(MODEL, &format!("pace {pieces}"), true);
    let mut seen = Stream::default();
    let mut expected = 0;
    let mut before: Option<f64> = None;
    let begun = Instant::now();
    connection
        .stream(&request, |data| {
            let now = stamp();
            // Pieces may come merged: each is a number, a stamp and a space.
            for piece in text(data).split_terminator(' ') {
                if expected == 0 {
                    seen.first = begun.elapsed().as_secs_f64() * 1e6;
                }
                let (number, sent) = piece.split_once('@').unwrap_or_default();
                if number.parse() != Ok(expected) {
                    seen.lost += 1;
                }
                expected += 1;
                let delay = microseconds(now.saturating_sub(sent.parse().unwrap_or(now)));
                // How much longer or shorter the gap is than it was at the upstream.
                seen.gaps.extend(before.map(|before| (delay - before).abs()));
                seen.delays.push(delay);
                before = Some(delay);
            }
        })
        .await;
    seen.lost += u32::try_from(pieces.saturating_sub(expected)).expect("hundreds");
    seen
}

#[expect(clippy::cast_precision_loss, reason = "a span of seconds")]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// The text of a chunk, found without reading its JSON: the upstream's texts hold nothing that is escaped.
fn text(data: &str) -> &str {
    let begun = data.split_once(r#""content":""#).map_or("", |(_, rest)| rest);
    begun.split_once('"').map_or("", |(text, _)| text)
}
