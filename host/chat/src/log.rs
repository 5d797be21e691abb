//! A session's event log: a bounded ring of what happened, read by any number of cursors.
//!
//! Pure. A reader asks for what comes after its cursor; pieces of one answer that stand side by side are handed out as one, so that
//! a reader which fell behind gets the same text in fewer frames. There is no queue per reader.
//!
//! What falls out of the ring leaves its shape behind (`past`): where each event stood and how far each piece reached. Its text is
//! in the archive by then, so that a reader who stands there still gets every event exactly once.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::id::{Epoch, Instant, ModelId, Position, Seq};
use crate::turn::{Mode, Operator};

mod delivery;
mod past;

pub use delivery::{AnswerEnd, AnswerHead, Delivery, Event, Next, Recall, Written};
use past::Past;

/// Most bytes of text in one merged piece: what one reader holds while it writes.
const MERGED_BYTES: usize = 16 * 1024;
/// What an entry is taken to cost beside its text.
const ENTRY_BYTES: usize = 48;

/// How much a log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes beside the running answer.
    pub bytes: usize,
    /// Bytes of what is remembered of events that fell out of the ring.
    pub past_bytes: usize,
    /// Milliseconds.
    pub age_ms: u64,
}

#[derive(Debug)]
enum Entry {
    Written(Arc<Written>),
    /// Anything that has no text: it is handed out as it is.
    Whole(Event),
    /// Text of the answer up to `upto`, from where the entry before left off.
    Text {
        upto: usize,
    },
    End(AnswerEnd),
}

#[derive(Debug)]
struct Logged {
    at: Instant,
    /// Serial of the answer that `Text` and `End` belong to.
    answer: u64,
    entry: Entry,
}

#[derive(Debug)]
struct AnswerText {
    serial: u64,
    head: Arc<AnswerHead>,
    /// Where it began, which is where the archive has it.
    place: Seq,
    text: String,
    /// Where the text of entries still in the ring begins.
    from: usize,
}

/// The log of one session.
///
/// **Invariant**: events are numbered without holes; what was appended is handed out to every cursor before it in the same order.
#[derive(Debug)]
pub struct Log {
    epoch: Epoch,
    head: Seq,
    /// The newest events; the last one is `head`.
    ring: VecDeque<Logged>,
    /// What stood before the ring.
    past: Past,
    answers: VecDeque<AnswerText>,
    running: Option<u64>,
    serial: u64,
    bytes: usize,
    bounds: Bounds,
}

impl Log {
    /// An empty log whose next event comes after `head`.
    pub fn new(head: Position, bounds: Bounds) -> Self {
        Self {
            epoch: head.epoch,
            head: head.seq,
            ring: VecDeque::new(),
            past: Past::new(head.seq),
            answers: VecDeque::new(),
            running: None,
            serial: 0,
            bytes: 0,
            bounds,
        }
    }

    /// Where the log stands.
    pub fn head(&self) -> Position {
        Position { epoch: self.epoch, seq: self.head }
    }

    /// Where a reader without a position begins: at the head, or before the running answer so that it sees it whole.
    pub fn entrance(&self) -> Seq {
        let Some(running) = self.running else { return self.head };
        let begun = self.ring.iter().position(|logged| {
            logged.answer == running && matches!(logged.entry, Entry::Whole(Event::Loading(_)))
        });
        begun.map_or(self.head, |index| Seq(self.ring_floor().0 + index as u64))
    }

    /// Whether everything after `position` can still be handed out.
    pub fn reaches(&self, position: Position) -> bool {
        position.epoch == self.epoch
            && self.past.floor() <= position.seq
            && position.seq <= self.head
    }

    /// The position before the oldest event whose text is kept.
    fn ring_floor(&self) -> Seq {
        Seq(self.head.0 - self.ring.len() as u64)
    }

    /// Text of the running answer.
    pub fn running_text(&self) -> Option<&str> {
        let serial = self.running?;
        self.answers
            .iter()
            .find(|answer| answer.serial == serial)
            .map(|answer| answer.text.as_str())
    }

    /// Appends that somebody wrote.
    pub fn written(&mut self, written: Written) -> Seq {
        let cost = written.content.len();
        let at = written.at;
        self.push(at, Entry::Written(Arc::new(written)), 0, cost)
    }

    /// Appends that another model answers from here on.
    pub fn model(&mut self, model: ModelId, at: Instant) -> Seq {
        self.push(at, Entry::Whole(Event::Model(model)), 0, 0)
    }

    /// Appends that the session is called otherwise from here on.
    pub fn name(&mut self, name: &str, at: Instant) -> Seq {
        self.push(at, Entry::Whole(Event::Name(name.into())), 0, name.len())
    }

    /// Appends that somebody else is to answer.
    pub fn mode(&mut self, mode: Mode, at: Instant) -> Seq {
        self.push(at, Entry::Whole(Event::Mode(mode)), 0, 0)
    }

    /// Appends that an operator answers from here on.
    pub fn joined(&mut self, operator: Operator, at: Instant) -> Seq {
        self.push(at, Entry::Whole(Event::Joined(operator)), 0, 0)
    }

    /// Appends that the operator left.
    pub fn left(&mut self, operator: Operator, at: Instant) -> Seq {
        self.push(at, Entry::Whole(Event::Left(operator)), 0, 0)
    }

    /// Begins an answer. One runs at a time.
    pub fn loading(&mut self, head: AnswerHead, at: Instant) -> Seq {
        debug_assert!(self.running.is_none(), "one answer at a time");
        self.serial += 1;
        let head = Arc::new(head);
        let text = String::new();
        self.answers.push_back(AnswerText {
            serial: self.serial,
            head: Arc::clone(&head),
            place: self.head.next(),
            text,
            from: 0,
        });
        self.running = Some(self.serial);
        self.push(at, Entry::Whole(Event::Loading(head)), self.serial, 0)
    }

    /// Appends text to the running answer; nothing happens when none runs.
    pub fn text(&mut self, more: &str, at: Instant) -> Seq {
        let Some(serial) = self.running else { return self.head };
        let Some(answer) = self.answers.back_mut().filter(|answer| answer.serial == serial) else {
            return self.head;
        };
        answer.text.push_str(more);
        let upto = answer.text.len();
        self.push(at, Entry::Text { upto }, serial, more.len())
    }

    /// Ends the running answer.
    pub fn end(&mut self, end: AnswerEnd, at: Instant) -> Seq {
        let Some(serial) = self.running.take() else { return self.head };
        self.push(at, Entry::End(end), serial, 0)
    }

    fn push(&mut self, at: Instant, entry: Entry, answer: u64, cost: usize) -> Seq {
        self.head = self.head.next();
        self.bytes += cost + ENTRY_BYTES;
        self.ring.push_back(Logged { at, answer, entry });
        self.trim(at);
        self.head
    }

    /// Drops what is over the bounds, oldest first, but never of the running answer.
    pub fn trim(&mut self, now: Instant) {
        let oldest_kept = Instant(now.0.saturating_sub(self.bounds.age_ms));
        while let Some(front) = self.ring.front() {
            let over = self.bytes > self.bounds.bytes || front.at < oldest_kept;
            let of_running = self.running.is_some() && self.running == Some(front.answer);
            if !over || of_running {
                break;
            }
            let Some(logged) = self.ring.pop_front() else { break };
            self.forget(logged);
        }
        self.past.trim(oldest_kept, self.bounds.past_bytes);
    }

    /// Forgets the text of an event and remembers the rest.
    fn forget(&mut self, logged: Logged) {
        let Logged { at, answer, entry } = logged;
        let held = self.answers.iter_mut().find(|held| held.serial == answer);
        let text_bytes = match entry {
            Entry::Written(written) => {
                self.past.written(&written, at);
                written.content.len()
            }
            Entry::Whole(event) => {
                self.past.whole(event, at);
                0
            }
            Entry::Text { upto } => held.map_or(0, |held| {
                let from = std::mem::replace(&mut held.from, upto);
                self.past.text(&held.head, held.place, from..upto, at);
                upto - from
            }),
            Entry::End(end) => {
                if let Some(held) = held {
                    self.past.end(&held.head, held.from, end, at);
                }
                self.answers.retain(|held| held.serial != answer);
                0
            }
        };
        self.bytes -= text_bytes + ENTRY_BYTES;
    }

    /// What comes after `cursor` and not after `through`, pieces merged: one delivery, or none when there is nothing.
    ///
    /// The cursor must be one the log [reaches](Self::reaches); a reader that fell out of the ring gets [`FellBehind`].
    pub fn after(&self, cursor: Seq, through: Seq) -> Result<Option<Next>, FellBehind> {
        if cursor < self.past.floor() || self.head < cursor {
            return Err(FellBehind);
        }
        if cursor >= through.min(self.head) {
            return Ok(None);
        }
        if cursor < self.ring_floor() {
            return Ok(self.past.after(cursor, through));
        }
        let index = usize::try_from(cursor.0 - self.ring_floor().0).map_err(|_| FellBehind)?;
        let available = usize::try_from(through.min(self.head).0 - cursor.0).unwrap_or(usize::MAX);
        let Some(first) = self.ring.get(index) else { return Ok(None) };
        let mut taken = 1;
        let mut at = first.at;
        let event = match &first.entry {
            Entry::Written(written) => Event::Written(Arc::clone(written)),
            Entry::Whole(event) => event.clone(),
            Entry::Text { .. } | Entry::End(_) => {
                let Some(answer) = self.answers.iter().find(|held| held.serial == first.answer)
                else {
                    return Err(FellBehind);
                };
                let start = self.text_before(index, answer);
                let mut upto = start;
                let mut end = None;
                taken = 0;
                for logged in self.ring.range(index..).take(available) {
                    match &logged.entry {
                        Entry::Text { upto: to } if logged.answer == first.answer => {
                            if taken > 0 && to - start > MERGED_BYTES {
                                break;
                            }
                            upto = *to;
                        }
                        Entry::End(how) if logged.answer == first.answer => end = Some(*how),
                        Entry::Written(_)
                        | Entry::Whole(_)
                        | Entry::Text { .. }
                        | Entry::End(_) => break,
                    }
                    taken += 1;
                    at = logged.at;
                    if end.is_some() {
                        break;
                    }
                }
                let text = answer.text.get(start..upto).unwrap_or_default().to_owned();
                Event::Piece { head: Arc::clone(&answer.head), offset: start, text, end }
            }
        };
        let last = Seq(cursor.0 + taken);
        Ok(Some(Next::Ready(Delivery { first: cursor.next(), last, at, event })))
    }

    /// Bytes of the answer shown before the entry at `index`.
    fn text_before(&self, index: usize, answer: &AnswerText) -> usize {
        let before = self.ring.range(..index).rev().find_map(|logged| match &logged.entry {
            Entry::Text { upto } if logged.answer == answer.serial => Some(*upto),
            Entry::Text { .. } | Entry::Written(_) | Entry::Whole(_) | Entry::End(_) => None,
        });
        before.unwrap_or(answer.from)
    }
}

/// The cursor stands before the oldest event kept: its reader must start over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log no longer reaches back that far")]
pub struct FellBehind;

#[cfg(test)]
mod tests;
