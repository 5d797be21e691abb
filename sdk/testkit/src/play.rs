//! Plays a case once: the host's part of the contract, with recorded responses for a network.

use std::collections::VecDeque;

use crate::{
    case::Case,
    event::{Ending, Event, merged},
    recording::Recording,
    request::Request,
    subject::{Input, Next, Output, Steps, Subject},
};

/// Steps after which an answer is taken for endless.
const MOST_STEPS: usize = 1_000_000;

/// Where the network cuts a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    Nowhere,
    /// Once, after so many bytes.
    After(usize),
    /// After every byte.
    Everywhere,
}

impl Cut {
    fn pieces(self, body: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Nowhere => vec![body],
            Self::After(bytes) => {
                let (first, rest) = body.split_at(bytes.min(body.len()));
                vec![first, rest]
            }
            Self::Everywhere => body.chunks(1).collect(),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// What was asked for, in order.
    pub requests: Vec<Request>,
    /// What was said, adjacent pieces joined.
    pub events: Vec<Event>,
    /// How it ended.
    pub ending: Ending,
    /// What would have been sent last if it had been given up.
    pub parting: Option<Request>,
}

/// The plugin did what no host would put up with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// It asked for more exchanges than were recorded.
    #[error("it asked for exchange {number}, which is not recorded")]
    NotRecorded {
        /// Counted from 1.
        number: usize,
    },
    /// It wanted more where there was no more.
    #[error("it asked for more where nothing was left to come")]
    NothingLeft,
    /// It never came to an end.
    #[error("it went on for {MOST_STEPS} steps")]
    Endless,
}

/// Plays these recordings against a fresh answer.
pub fn play<S: Subject>(
    subject: &S,
    case: &Case,
    recordings: &[Recording],
    cut: Cut,
) -> Result<Played, PlayError> {
    let mut played =
        Played { requests: Vec::new(), events: Vec::new(), ending: Ending::Done, parting: None };
    let mut answer = match subject.open(&case.circumstances) {
        Ok(answer) => answer,
        Err(failure) => return Ok(Played { ending: Ending::Fail(failure), ..played }),
    };
    let mut coming = VecDeque::new();
    let mut output = answer.start(&case.chat);
    for _ in 0..MOST_STEPS {
        let Output { events, next, parting } = output;
        played.events.extend(events);
        played.parting = parting.or(played.parting);
        let input = match next {
            Next::More => coming.pop_front().ok_or(PlayError::NothingLeft)?,
            Next::Send(request) => {
                let index = played.requests.len();
                let recording =
                    recordings.get(index).ok_or(PlayError::NotRecorded { number: index + 1 })?;
                let pieces = cut.pieces(&recording.body);
                coming = recording.inputs(request.framing, &pieces).into();
                played.requests.push(request);
                coming.pop_front().ok_or(PlayError::NothingLeft)?
            }
            Next::Wait(_) => Input::Woken,
            Next::Done => return Ok(played.ended(Ending::Done)),
            Next::Fail(failure) => return Ok(played.ended(Ending::Fail(failure))),
        };
        output = answer.step(input);
    }
    Err(PlayError::Endless)
}

impl Played {
    fn ended(self, ending: Ending) -> Self {
        Self { events: merged(self.events), ending, ..self }
    }

    /// Whether this says no more than what is true, given what the whole recording says: it failed, or it misses nothing.
    pub(crate) fn is_true_to(&self, whole: &Self) -> bool {
        let content = |played: &Self| {
            merged(played.events.iter().filter(|event| event.is_content()).cloned())
        };
        match self.ending {
            Ending::Fail(_) => true,
            Ending::Done => whole.ending == Ending::Done && content(self) == content(whole),
        }
    }
}
