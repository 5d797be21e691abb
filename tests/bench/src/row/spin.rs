//! Eight plugins that compute without end, beside innocent streams: how much later do their pieces come?

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sluice_tests::guest;
use tokio::task::JoinSet;

use super::streams::side_by_side;
use crate::{
    connection::Connection,
    process::Process,
    report::{Goal, Row},
    row::Length,
    stage::{MODEL, Target, gateway},
};

const SPINNERS: usize = 8;
/// Few enough that they do not load the machine themselves.
const STREAMS: usize = 4;
const PIECES: usize = 200;

pub(super) async fn measure(length: Length) -> Vec<Row> {
    let upstream = Process::start(&["upstream"]).await;
    let gateway = gateway(&upstream.address).config(&config(&upstream.address)).start().await;
    let target = Target::of(&gateway);
    let pieces = length.of(PIECES);
    let (mut calm, mut stormy, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..length.rounds() {
        let without = side_by_side(&target, STREAMS, pieces).await.delay / 1e3;
        let storm = Storm::begin(&target);
        let within = side_by_side(&target, STREAMS, pieces).await.delay / 1e3;
        storm.end().await;
        added.push(within - without);
        calm.push(without);
        stormy.push(within);
    }
    vec![
        Row::new("added to a piece, p99", "ms", Goal::AtMost(5.0), added),
        Row::new("a piece, p99 (floor: nobody spins)", "ms", Goal::None, stormy).beside(calm),
    ]
}

/// Answers that spin, begun again as soon as they are stopped.
struct Storm {
    over: Arc<AtomicBool>,
    spinners: JoinSet<()>,
}

impl Storm {
    fn begin(target: &Target) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut spinners = JoinSet::new();
        for _ in 0..SPINNERS {
            let (over, target) = (Arc::clone(&over), target.clone());
            spinners.spawn(async move {
                let request = target.ask("spin", "for ever", false);
                let mut connection = Connection::open(&target.address).await;
                while !over.load(Ordering::SeqCst) {
                    connection.exchange_anyhow(&request).await;
                }
            });
        }
        Self { over, spinners }
    }

    async fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        self.spinners.join_all().await;
    }
}

fn config(upstream: &str) -> String {
    let spin = guest("spin");
    format!(
        "[plugins.openai]\nsource = \"bundled:openai\"\nendpoints.api = \"http://{upstream}/v1\"\n\
         secrets.api_key = \"key-of-the-bench\"\n\n[plugins.spin]\nsource = \"file:{}\"\n\n\
         [[models]]\nid = \"{MODEL}\"\nname = \"fake\"\nplugin = \"openai\"\nupstream = \"fake\"\n\n\
         [[models]]\nid = \"spin\"\nname = \"spin\"\nplugin = \"spin\"\nupstream = \"start\"\n",
        spin.display()
    )
}
