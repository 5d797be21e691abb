//! One gateway for very many short chats, a few at a time, each with a model's server of its own.

use std::sync::{Arc, Mutex};

use sluice_tests::{FakeProvider, Gateway, Setup};
use tokio::task::JoinSet;

/// How many chats go on at the same time.
const SEATS: usize = 8;

/// The gateway and its models.
#[derive(Debug)]
pub(crate) struct Stage {
    gateway: Gateway,
    providers: Vec<FakeProvider>,
}

/// Where one chat after the other takes place.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    stage: Arc<Stage>,
    number: usize,
}

impl Stage {
    /// Starts everything.
    pub(crate) async fn open() -> Arc<Self> {
        let mut setup = Setup::new()
            .set("SLUICE_LIMITS__MESSAGES", "100000/1m")
            .set("SLUICE_LIMITS__CONNECTIONS_PER_USER", "1000");
        let mut providers = Vec::new();
        for number in 0..SEATS {
            let provider = FakeProvider::start().await;
            setup = setup.and(&model(number), &provider);
            providers.push(provider);
        }
        Arc::new(Self { gateway: setup.start().await, providers })
    }

    /// One of the seats.
    pub(crate) fn seat(self: &Arc<Self>, number: usize) -> Seat {
        Seat { stage: Arc::clone(self), number }
    }

    /// Has `chat` on every one of `runs`, on all seats at once, and counts how many came out true.
    pub(crate) async fn have<R, I, C, F>(self: &Arc<Self>, runs: I, chat: C) -> usize
    where
        R: Send,
        I: Iterator<Item = R> + Send + 'static,
        C: Fn(Seat, R) -> F + Clone + Send + 'static,
        F: Future<Output = bool> + Send,
    {
        let runs = Arc::new(Mutex::new(runs));
        let mut seats = JoinSet::new();
        for number in 0..SEATS {
            let (seat, runs, chat) = (self.seat(number), Arc::clone(&runs), chat.clone());
            seats.spawn(async move {
                let mut came_true = 0;
                loop {
                    let next = runs.lock().expect("no run panicked in here").next();
                    let Some(run) = next else { return came_true };
                    came_true += usize::from(chat(seat.clone(), run).await);
                }
            });
        }
        let mut came_true = 0;
        while let Some(seat) = seats.join_next().await {
            came_true += seat.expect("no chat failed");
        }
        came_true
    }
}

impl Seat {
    /// The gateway.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.stage.gateway
    }

    /// The model's server of this seat.
    pub(crate) fn provider(&self) -> &FakeProvider {
        &self.stage.providers[self.number]
    }

    /// The model's id.
    pub(crate) fn model(&self) -> String {
        model(self.number)
    }
}

fn model(number: usize) -> String {
    format!("model-{number}")
}
