//! What providers are asked, how long it takes and what it costs.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sluice_chat::bill::Bill;
use sluice_chat::event::ErrorKind;
use tokio::time::Instant;

use super::SECONDS;
use super::label::{Provider, Source, Spent, Streamed, Turned};

/// Buckets for whole answers, in seconds: from a word to the longest timeout that is usual.
const ANSWERS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

type Firsts = Family<Provider, Histogram, fn() -> Histogram>;
type Streams = Family<Streamed, Histogram, fn() -> Histogram>;

/// Counts answers.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    requests: Family<Provider, Counter>,
    errors: Family<Provider, Counter>,
    firsts: Firsts,
    streams: Streams,
    tokens_used: Family<Provider, Counter>,
    tokens: Family<Spent, Counter>,
    cost: Family<Source, Counter>,
    running: Gauge,
    tries: Family<Provider, Counter>,
    turns: Family<Turned, Counter>,
    key_turns: Family<Turned, Counter>,
}

impl Answers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let firsts: fn() -> Histogram = || Histogram::new(SECONDS);
        let streams: fn() -> Histogram = || Histogram::new(ANSWERS);
        let answers = Self {
            requests: Family::default(),
            errors: Family::default(),
            firsts: Firsts::new_with_constructor(firsts),
            streams: Streams::new_with_constructor(streams),
            tokens_used: Family::default(),
            tokens: Family::default(),
            cost: Family::default(),
            running: Gauge::default(),
            tries: Family::default(),
            turns: Family::default(),
            key_turns: Family::default(),
        };
        registry.register(
            "chatbox_llm_requests",
            "Answers asked of a provider.",
            answers.requests.clone(),
        );
        registry.register(
            "chatbox_llm_errors",
            "Answers that failed: the upstream, the plugin, or out of time.",
            answers.errors.clone(),
        );
        registry.register(
            "chatbox_llm_latency_seconds",
            "Time until an answer's first piece.",
            answers.firsts.clone(),
        );
        registry.register(
            "chatbox_tokens_used",
            "Tokens of prompts and answers.",
            answers.tokens_used.clone(),
        );
        registry.register(
            "sluice_tokens",
            "Tokens, by model, direction, and whether they were guessed.",
            answers.tokens.clone(),
        );
        registry.register(
            "sluice_cost_micros",
            "What answers cost at the models' prices, in millionths of the currency they are written in.",
            answers.cost.clone(),
        );
        registry.register(
            "sluice_stream_duration_seconds",
            "Time of a whole answer; dropped means that it was cancelled or nobody waited any more.",
            answers.streams.clone(),
        );
        registry.register("sluice_running_answers", "Answers under way.", answers.running.clone());
        registry.register(
            "sluice_retries",
            "Second tries of the same provider, before anybody was shown anything.",
            answers.tries.clone(),
        );
        registry.register(
            "sluice_fallbacks",
            "Answers that another model gave instead, by whom it was instead of and why.",
            answers.turns.clone(),
        );
        registry.register(
            "sluice_credential_turns",
            "Keys of a provider that were refused and left for another, by why.",
            answers.key_turns.clone(),
        );
        answers
    }

    /// Shows a provider that may be asked, also one that never was.
    pub(super) fn show(&self, provider: &str) {
        let provider = Provider { provider: provider.to_owned() };
        drop(self.requests.get_or_create(&provider));
        drop(self.errors.get_or_create(&provider));
    }

    /// A key of a provider was refused, and another is used.
    pub(crate) fn turned_key(&self, provider: &str, because: ErrorKind) {
        let turned = Turned { provider: provider.to_owned(), reason: because.as_str() };
        self.key_turns.get_or_create(&turned).inc();
    }

    /// A provider is asked once more.
    pub(crate) fn tried_again(&self, provider: &str) {
        self.tries.get_or_create(&Provider { provider: provider.to_owned() }).inc();
    }

    /// Another one is asked instead of a provider.
    pub(crate) fn turned(&self, provider: &str, because: ErrorKind) {
        let turned = Turned { provider: provider.to_owned(), reason: because.as_str() };
        self.turns.get_or_create(&turned).inc();
    }

    /// An answer begins. It runs until the meter is dropped.
    pub(crate) fn begin(&self, provider: &str) -> Meter {
        let provider = Provider { provider: provider.to_owned() };
        self.requests.get_or_create(&provider).inc();
        self.running.inc();
        Meter {
            answers: self.clone(),
            provider,
            begun: Instant::now(),
            spoke: false,
            outcome: "dropped",
        }
    }

    /// What an answer cost.
    pub(crate) fn spent(&self, source: &Source, bill: &Bill) {
        let tokens = bill.tokens();
        if let Some(cost) = bill.cost_micros {
            self.cost.get_or_create(source).inc_by(cost);
        }
        let Source { provider, model } = source.clone();
        self.tokens_used
            .get_or_create(&Provider { provider: provider.clone() })
            .inc_by(tokens.total());
        let estimated = if tokens.estimated { "true" } else { "false" };
        let input = Spent { provider, model, direction: "input", estimated };
        let output = Spent { direction: "output", ..input.clone() };
        self.tokens.get_or_create(&input).inc_by(tokens.input);
        self.tokens.get_or_create(&output).inc_by(tokens.output);
    }
}

/// Measures one answer.
#[derive(Debug)]
pub(crate) struct Meter {
    answers: Answers,
    provider: Provider,
    begun: Instant,
    spoke: bool,
    outcome: &'static str,
}

impl Meter {
    /// The provider said something.
    pub(crate) fn said(&mut self) {
        if !std::mem::replace(&mut self.spoke, true) {
            let first = self.begun.elapsed().as_secs_f64();
            self.answers.firsts.get_or_create(&self.provider).observe(first);
        }
    }

    /// Another provider is asked instead: this one failed.
    pub(crate) fn turned(mut self, provider: &str) -> Self {
        self.ended(false);
        self.answers.begin(provider)
    }

    /// The answer ended by itself, well or not.
    pub(crate) fn ended(&mut self, well: bool) {
        self.outcome = if well { "finished" } else { "failed" };
        if !well {
            self.answers.errors.get_or_create(&self.provider).inc();
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.answers.running.dec();
        let streamed = Streamed { provider: self.provider.provider.clone(), outcome: self.outcome };
        let time = self.begun.elapsed().as_secs_f64();
        self.answers.streams.get_or_create(&streamed).observe(time);
    }
}
