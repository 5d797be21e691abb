//! What a plugin said, by all that it had been told until then. A fresh instance that is told the same says the same: it has no
//! clock, no randomness but its seed, and nobody else to ask.
//!
//! Lives as long as one case.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;

use sluice_testkit::{Input, Output};

/// Everything an answer was told so far, as one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Story(u64);

impl Story {
    /// The story with this after it.
    pub(super) fn then(self, input: &Input) -> Self {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        mem::discriminant(input).hash(&mut hasher);
        match input {
            Input::Head { status, headers } => (status, headers).hash(&mut hasher),
            Input::Frames(frames) => {
                for frame in frames {
                    (&frame.event, &frame.data).hash(&mut hasher);
                }
            }
            Input::Failed(failure) => mem::discriminant(failure).hash(&mut hasher),
            Input::End | Input::Woken => {}
        }
        Self(hasher.finish())
    }
}

/// What was said.
#[derive(Debug)]
pub(super) enum Memory {
    /// Of everything.
    Of(HashMap<Story, Output>),
    /// Of nothing: every story is new.
    Nothing,
}

impl Memory {
    /// What was said at this point, if it is known.
    pub(super) fn recall(&self, story: Story) -> Option<&Output> {
        match self {
            Self::Of(said) => said.get(&story),
            Self::Nothing => None,
        }
    }

    /// Keeps what was said at this point.
    pub(super) fn keep(&mut self, story: Story, said: &Output) {
        if let Self::Of(known) = self {
            known.insert(story, said.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::{Recording, TransportFailure};

    use super::*;

    fn head(status: u16) -> Input {
        let recording = format!("HTTP/1.1 {status}\nx: y\n\n");
        let Recording { status, headers, .. } =
            Recording::parse(recording.as_bytes()).expect("a recording");
        Input::Head { status, headers }
    }

    #[test]
    fn two_stories_are_one_when_the_same_was_told_in_the_same_order() {
        let begin = Story::default();
        let told = [
            vec![head(200)],
            vec![head(201)],
            vec![head(200), Input::End],
            vec![Input::End, head(200)],
            vec![head(200), Input::Woken],
            vec![head(200), Input::Failed(TransportFailure::Reset)],
            vec![head(200), Input::Failed(TransportFailure::Timeout)],
            vec![head(200), Input::Frames(Vec::new())],
        ];

        let stories: Vec<_> =
            told.iter().map(|inputs| inputs.iter().fold(begin, |story, i| story.then(i))).collect();

        for (index, story) in stories.iter().enumerate() {
            assert_eq!(stories.iter().position(|other| other == story), Some(index));
            let again = told[index].iter().fold(begin, |story, input| story.then(input));
            assert_eq!(*story, again);
        }
    }
}
