//! Answers on their way into the archive that nobody waits for: the newest of each is kept, and none
//! when too many are.

use std::collections::{HashMap, VecDeque};

use sluice_chat::id::MessageId;

use crate::message::Answer;

/// Answers whose checkpoint may wait; at the bound, a further answer's is dropped.
const ANSWERS: usize = 4_096;
/// Text of all that wait, in bytes; at the bound likewise.
const BYTES: usize = 64 * 1024 * 1024;

/// The checkpoints that wait.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    newest: HashMap<MessageId, Answer>,
    /// Their answers in the order they came; a newer checkpoint takes the place of the older.
    order: VecDeque<MessageId>,
    bytes: usize,
}

impl Checkpoints {
    /// Notes one instead of the answer's earlier one.
    pub(crate) fn put(&mut self, answer: Answer) {
        let earlier = self.newest.get(&answer.id).map(|earlier| earlier.text.len());
        let others = self.bytes.saturating_sub(earlier.unwrap_or(0));
        let bytes = others.saturating_add(answer.text.len());
        let full = earlier.is_none() && self.newest.len() >= ANSWERS;
        if full || bytes > BYTES {
            return;
        }
        self.bytes = bytes;
        if earlier.is_none() {
            self.order.push_back(answer.id.clone());
        }
        self.newest.insert(answer.id.clone(), answer);
    }

    /// Forgets an answer's, because something better is on its way.
    pub(crate) fn forget(&mut self, answer: &MessageId) {
        if let Some(forgotten) = self.newest.remove(answer) {
            self.bytes = self.bytes.saturating_sub(forgotten.text.len());
            self.order.retain(|id| id != answer);
        }
    }

    /// Takes out the oldest, at most `most`.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Answer> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(id) = self.order.pop_front()
            && let Some(answer) = self.newest.remove(&id)
        {
            self.bytes = self.bytes.saturating_sub(answer.text.len());
            taken.push(answer);
        }
        taken
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }
}

#[cfg(test)]
mod tests;
