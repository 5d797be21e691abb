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
    use std::collections::HashSet;

    use sluice_testkit::TransportFailure;

    use super::*;

    fn story(told: &[Input]) -> Story {
        told.iter().fold(Story::default(), Story::then)
    }

    #[test]
    fn a_story_is_what_was_told_in_its_order_and_nothing_else() {
        let head = |status| Input::Head { status, headers: Vec::new() };
        let failed = Input::Failed;
        let stories = || {
            [
                story(&[]),
                story(&[head(200)]),
                story(&[head(201)]),
                story(&[head(200), Input::End]),
                story(&[Input::End, head(200)]),
                story(&[head(200), Input::Woken]),
                story(&[head(200), failed(TransportFailure::Reset)]),
                story(&[head(200), failed(TransportFailure::Timeout)]),
                story(&[head(200), Input::Frames(Vec::new())]),
            ]
        };

        assert_eq!(HashSet::from(stories()).len(), stories().len());
        assert_eq!(stories(), stories());
    }
}
