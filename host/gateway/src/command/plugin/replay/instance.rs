//! One instance of the component, answering. Holds it to what the gateway holds it to, beyond what the sandbox does: batches,
//! manners, the number of exchanges. No network: what it is told comes from a recording.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sluice_chat::answer::{Breach, Manners};
use sluice_chat::exchange::Frame;
use sluice_chat::id;
use sluice_chat::request::ChatRequest;
use sluice_sandbox::{Answer, CallError, Directive, Input, Output, Provider};
use sluice_testkit as testkit;

use super::{asked, said};

/// Most frames that are handed over at a time, as in the contract.
const BATCH_FRAMES: usize = 64;
/// Most bytes of frames that are handed over at a time, as in the contract; a larger frame comes alone.
const BATCH_BYTES: usize = 64 << 10;
/// Most exchanges of one answer, as in the contract.
const MOST_EXCHANGES: u32 = 6;

/// What no gateway puts up with. A case never expects it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The sandbox ended the call.
    #[error("the sandbox stopped it")]
    Stopped(#[source] CallError),
    /// It broke the order of an answer.
    #[error("it broke the contract")]
    Breach(#[source] Breach),
    /// It sent and sent.
    #[error("it wanted more than {MOST_EXCHANGES} exchanges")]
    TooManyExchanges,
    /// It said something else when it was told the same again.
    #[error("it is not repeatable: told the same again, it said something else")]
    Unsteady,
}

impl Fault {
    /// Where it crashed, if it did: one frame after the other, innermost first.
    pub(super) fn backtrace(&self) -> impl Iterator<Item = &str> {
        let text = match self {
            Self::Stopped(CallError::Trapped { backtrace, .. }) => backtrace,
            Self::Stopped(_) | Self::Breach(_) | Self::TooManyExchanges | Self::Unsteady => "",
        };
        // The sandbox made one line of it; what is left of a line break is the indent after it.
        text.split("    ").map(str::trim).filter(|frame| !frame.is_empty())
    }
}

/// The instance.
#[derive(Debug)]
pub(super) struct Instance {
    answer: Answer,
    manners: Manners,
    exchanges: u32,
    /// The open exchange broke: whatever the plugin makes of it, the answer does not end well.
    broken: bool,
    /// Read already, not handed over yet.
    waiting: VecDeque<Frame>,
    guest_time: Duration,
}

impl Instance {
    /// A fresh one.
    pub(super) async fn open(provider: &Provider, now_ms: u64, seed: u64) -> Result<Self, Fault> {
        let answer = provider.answer(id::Instant(now_ms), seed).await.map_err(Fault::Stopped)?;
        Ok(Self {
            answer,
            manners: Manners::default(),
            exchanges: 0,
            broken: false,
            waiting: VecDeque::new(),
            guest_time: Duration::ZERO,
        })
    }

    /// Asks.
    pub(super) async fn start(&mut self, question: &ChatRequest) -> Result<testkit::Output, Fault> {
        let since = Instant::now();
        let said = self.answer.start(question).await;
        self.guest_time += since.elapsed();
        self.hear(said).map(said::output)
    }

    /// Tells what came next; frames in as many batches as they need.
    pub(super) async fn step(&mut self, input: &testkit::Input) -> Result<testkit::Output, Fault> {
        let first = match asked::input(input) {
            Input::Frames(frames) => {
                self.waiting.extend(frames);
                Input::Frames(self.batch())
            }
            other @ (Input::Head(_) | Input::End | Input::Failed(_) | Input::Woken) => other,
        };
        self.broken |= matches!(first, Input::Failed(_));
        let mut said = self.tell(first).await?;
        while said.next == Directive::More && !self.waiting.is_empty() {
            let batch = Input::Frames(self.batch());
            let more = self.tell(batch).await?;
            said.events.extend(more.events);
            said.next = more.next;
        }
        Ok(said::output(said))
    }

    /// Time that its calls took since this was last asked, the crossing of the border included.
    pub(super) fn take_guest_time(&mut self) -> Duration {
        std::mem::take(&mut self.guest_time)
    }

    /// Its largest memory so far, in bytes.
    pub(super) fn peak_memory_bytes(&self) -> usize {
        self.answer.spent().peak_memory_bytes
    }

    async fn tell(&mut self, input: Input) -> Result<Output, Fault> {
        let since = Instant::now();
        let said = self.answer.step(input).await;
        self.guest_time += since.elapsed();
        self.hear(said)
    }

    fn hear(&mut self, said: Result<Output, CallError>) -> Result<Output, Fault> {
        let said = said.map_err(Fault::Stopped)?;
        self.manners.hear(&said.events).map_err(Fault::Breach)?;
        match &said.next {
            Directive::Send(_) => {
                // An exchange that is still open is dropped, with what was read of it.
                self.waiting.clear();
                self.exchanges += 1;
                if self.exchanges > MOST_EXCHANGES {
                    return Err(Fault::TooManyExchanges);
                }
            }
            Directive::Done if !self.broken => {
                std::mem::take(&mut self.manners).ended().map_err(Fault::Breach)?;
            }
            Directive::Done | Directive::More | Directive::Wait(_) | Directive::Fail(_) => {}
        }
        Ok(said)
    }

    fn batch(&mut self) -> Vec<Frame> {
        let mut bytes = 0_usize;
        let fits = |frame: &Frame| {
            bytes += frame.data.len() + frame.event.as_ref().map_or(0, String::len);
            bytes <= BATCH_BYTES
        };
        let few = self.waiting.iter().take(BATCH_FRAMES).map(fits).take_while(|fits| *fits).count();
        self.waiting.drain(..few.max(1).min(self.waiting.len())).collect()
    }
}
