//! What a case is played against: a plugin natively, or a component in a sandbox.

use serde_json::Value;
use sluice_framing::Frame;

use crate::{
    chat::Chat,
    event::{Event, Failure},
    recording::TransportFailure,
    request::Request,
};

/// Something that makes answers.
pub trait Subject {
    /// One answer.
    type Answer: Steps;

    /// A fresh answer in a plugin configured like this.
    fn open(&self, circumstances: &Circumstances) -> Result<Self::Answer, Failure>;
}

/// One answer, step by step, as the contract has it.
pub trait Steps {
    /// Begins.
    fn start(&mut self, chat: &Chat) -> Output;

    /// Goes on.
    fn step(&mut self, input: Input) -> Output;
}

/// What a plugin is told before anything else.
#[derive(Debug, Clone, PartialEq)]
pub struct Circumstances {
    /// Its settings.
    pub settings: Value,
    /// The time.
    pub now_ms: u64,
    /// Its randomness.
    pub seed: u64,
}

/// What the host says to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Status and headers.
    Head {
        /// Status code.
        status: u16,
        /// Names in lower case.
        headers: Vec<(String, String)>,
    },
    /// What one read yielded.
    Frames(Vec<Frame>),
    /// Orderly end of the body.
    End,
    /// The connection broke.
    Failed(TransportFailure),
    /// The pause is over.
    Woken,
}

/// What an answer says to the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Events in order.
    pub events: Vec<Event>,
    /// What it wants next.
    pub next: Next,
    /// What is to be sent if it is given up; none leaves what was there before.
    pub parting: Option<Request>,
}

/// What an answer wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// More of the open exchange.
    More,
    /// This request sent.
    Send(Request),
    /// A pause of so many milliseconds.
    Wait(u32),
    /// Nothing: it is complete.
    Done,
    /// Nothing: it failed.
    Fail(Failure),
}
