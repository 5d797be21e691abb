//! What became of everything that was read. Names rows, never what was said in them.

use std::fmt::Write as _;

use sluice_archive::{Became, Imported, Past, Reason};

/// Losses that are named one by one; of the others it is said how many they are.
const NAMED: usize = 1_000;

/// The count of it all.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Conversations that were read.
    pub(super) conversations: u64,
    taken: u64,
    known: u64,
    deleted: u64,
    refused: u64,
    /// Messages that stand in them, of those that could be read at all.
    messages: u64,
    added: u64,
    there: u64,
    gone: u64,
    lost: u64,
    mended: u64,
    surplus: u64,
    losses: Vec<String>,
}

impl Account {
    /// Notes a conversation that could be read, and what of it could not.
    pub(super) fn read(&mut self, label: &str, past: &Past) {
        let lost = past.left_out.len() as u64;
        self.messages += past.conversation.messages.len() as u64 + lost;
        self.lost += lost;
        self.mended += u64::from(past.mended);
        self.surplus += u64::from(past.surplus);
        for (number, reason) in &past.left_out {
            self.lose(|| format!("conversation {label}, message {number}: {reason}"));
        }
    }

    /// Notes a conversation that is not taken over, nor are these messages of it.
    pub(super) fn refuse(&mut self, label: &str, messages: u64, reason: Reason) {
        self.refused += 1;
        self.lost += messages;
        self.lose(|| format!("conversation {label}: {reason}"));
    }

    /// Notes a conversation that is not stored because nothing is.
    pub(super) fn would_take(&mut self, past: &Past) {
        self.taken += 1;
        self.added += past.conversation.messages.len() as u64;
    }

    /// Notes what became of a conversation with so many messages.
    pub(super) fn store(&mut self, label: &str, messages: u64, imported: &Imported) {
        let too_large = imported.too_large.len() as u64;
        for seq in &imported.too_large {
            self.lose(|| format!("conversation {label}, message {seq}: {}", Reason::TooLarge));
        }
        self.lost += too_large;
        let messages = messages - too_large;
        match imported.became {
            Became::New { added } => {
                self.taken += 1;
                self.added += added;
                self.there += messages - added;
            }
            Became::Known { added, displaced } => {
                self.known += 1;
                self.added += added;
                self.lost += displaced;
                self.there += messages - added - displaced;
                if displaced > 0 {
                    self.lose(|| {
                        format!("conversation {label}, {displaced} messages: {}", Reason::Displaced)
                    });
                }
            }
            Became::Deleted => {
                self.deleted += 1;
                self.gone += messages;
            }
            Became::Foreign => self.refuse(label, messages, Reason::Foreign),
        }
    }

    fn lose(&mut self, words: impl FnOnce() -> String) {
        if self.losses.len() < NAMED {
            self.losses.push(words());
        }
    }

    /// What was not taken over and why, a line each, and a last one if there are more.
    pub(super) fn losses(&self) -> impl Iterator<Item = &str> {
        let full = self.losses.len() == NAMED;
        let more = full.then_some("and more, which are counted and not named");
        self.losses.iter().map(String::as_str).chain(more)
    }

    /// The figures.
    pub(super) fn summary(&self, dry: bool) -> String {
        let Self { conversations, taken, known, deleted, refused, .. } = self;
        let Self { messages, added, there, gone, lost, .. } = self;
        let take = if dry { "would be taken over" } else { "taken over" };
        let mut text = format!(
            "conversations  {conversations} read: {taken} {take}, {known} there already, {deleted} deleted here, {refused} not taken over\n\
             messages       {messages} read: {added} {take}, {there} there already, {gone} deleted here, {lost} not taken over"
        );
        let mut note = |count: u64, words: &str| {
            if count > 0 {
                write!(text, "\n{count} conversations {words}").expect("a text takes everything");
            }
        };
        note(
            self.mended,
            "had something put right: a time that cannot be, a name, bytes that are no text",
        );
        note(self.surplus, "have fields that are not known, which stay behind");
        text
    }
}
