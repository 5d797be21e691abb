//! What a log remembers of events that fell out of its ring: their places and shapes, not their texts.
//!
//! Eight bytes a piece of an answer and a little for everything else, so that a position in the middle of an answer that is long
//! over can still be served, from the archive.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::delivery::Wanted;
use super::{AnswerEnd, AnswerHead, Delivery, Event, MERGED_BYTES, Next, Recall, Written};
use crate::id::{Instant, MessageId, Seq};
use crate::turn::{ConnectionId, Sender};

/// Pieces in one run: what is forgotten together.
const RUN: usize = 512;
/// What one run is taken to cost beside its pieces.
const RUN_BYTES: usize = 160;
/// What one piece costs.
const PIECE_BYTES: usize = size_of::<usize>();

/// Events that stand side by side.
#[derive(Debug)]
struct Run {
    first: Seq,
    /// When the last of them happened.
    at: Instant,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Written {
        message: MessageId,
        sender: Sender,
        origin: Option<ConnectionId>,
    },
    /// An event that has no text.
    Whole(Event),
    /// Pieces of one answer: the first begins at `from`, each ends where `ends` says.
    Pieces {
        head: Arc<AnswerHead>,
        place: Seq,
        from: usize,
        ends: Vec<usize>,
    },
    End {
        head: Arc<AnswerHead>,
        offset: usize,
        end: AnswerEnd,
    },
}

impl Run {
    fn events(&self) -> usize {
        match &self.shape {
            Shape::Pieces { ends, .. } => ends.len(),
            Shape::Written { .. } | Shape::Whole(_) | Shape::End { .. } => 1,
        }
    }

    fn cost(&self) -> usize {
        RUN_BYTES + PIECE_BYTES * self.events()
    }
}

/// Events before the ring, oldest first.
///
/// **Invariant**: they are numbered without holes up to the ring.
#[derive(Debug)]
pub(super) struct Past {
    runs: VecDeque<Run>,
    /// The newest event here.
    head: Seq,
    bytes: usize,
}

impl Past {
    /// Nothing, up to a place.
    pub(super) fn new(head: Seq) -> Self {
        Self { runs: VecDeque::new(), head, bytes: 0 }
    }

    /// The position before the oldest event remembered.
    pub(super) fn floor(&self) -> Seq {
        self.runs.front().map_or(self.head, |run| Seq(run.first.0 - 1))
    }

    /// Remembers that somebody wrote.
    pub(super) fn written(&mut self, written: &Written, at: Instant) {
        let Written { message, sender, origin, content: _, at: _ } = written;
        let (message, sender, origin) = (message.clone(), *sender, *origin);
        self.push(at, Shape::Written { message, sender, origin });
    }

    /// Remembers an event that has no text.
    pub(super) fn whole(&mut self, event: Event, at: Instant) {
        self.push(at, Shape::Whole(event));
    }

    /// Remembers which bytes of an answer that began at `place` were a piece.
    pub(super) fn text(
        &mut self,
        head: &Arc<AnswerHead>,
        place: Seq,
        bytes: Range<usize>,
        at: Instant,
    ) {
        if let Some(Run { at: last, shape: Shape::Pieces { head: same, ends, .. }, .. }) =
            self.runs.back_mut()
            && Arc::ptr_eq(same, head)
            && ends.len() < RUN
        {
            ends.push(bytes.end);
            *last = at;
            self.bytes += PIECE_BYTES;
            self.head = self.head.next();
            return;
        }
        let head = Arc::clone(head);
        self.push(at, Shape::Pieces { head, place, from: bytes.start, ends: vec![bytes.end] });
    }

    /// Remembers how an answer ended, after so many bytes.
    pub(super) fn end(
        &mut self,
        head: &Arc<AnswerHead>,
        offset: usize,
        end: AnswerEnd,
        at: Instant,
    ) {
        self.push(at, Shape::End { head: Arc::clone(head), offset, end });
    }

    fn push(&mut self, at: Instant, shape: Shape) {
        self.head = self.head.next();
        let run = Run { first: self.head, at, shape };
        self.bytes += run.cost();
        self.runs.push_back(run);
    }

    /// Forgets what is older than an instant or over a size, oldest first.
    pub(super) fn trim(&mut self, oldest_kept: Instant, most_bytes: usize) {
        while let Some(front) = self.runs.front()
            && (front.at < oldest_kept || self.bytes > most_bytes)
        {
            self.bytes -= front.cost();
            self.runs.pop_front();
        }
    }

    /// What comes after `cursor`, which must stand here, and not after `through`. Pieces of one answer are handed out together.
    pub(super) fn after(&self, cursor: Seq, through: Seq) -> Option<Next> {
        let first = cursor.next();
        let index = self.runs.partition_point(|run| run.first <= first).checked_sub(1)?;
        let run = &self.runs[index];
        let ready = |event| Some(Next::Ready(Delivery { first, last: first, at: run.at, event }));
        match &run.shape {
            Shape::Whole(event) => ready(event.clone()),
            Shape::End { head, offset, end } => ready(Event::Piece {
                head: Arc::clone(head),
                offset: *offset,
                text: String::new(),
                end: Some(*end),
            }),
            Shape::Written { message, sender, origin } => Some(Next::Stored(Recall {
                first,
                last: first,
                at: run.at,
                place: first,
                wanted: Wanted::Written {
                    message: message.clone(),
                    sender: *sender,
                    origin: *origin,
                    at: run.at,
                },
            })),
            Shape::Pieces { .. } => self.pieces(index, first, through),
        }
    }

    /// Pieces of one answer from `first` in the run at `index` on, and its end where that follows at once.
    fn pieces(&self, index: usize, first: Seq, through: Seq) -> Option<Next> {
        let Run { first: run_first, shape: Shape::Pieces { head, place, from, ends }, .. } =
            &self.runs[index]
        else {
            return None;
        };
        let skipped = usize::try_from(first.0 - run_first.0).ok()?;
        let start = skipped.checked_sub(1).map_or(*from, |before| ends[before]);
        let (mut upto, mut last, mut at, mut end) = (start, Seq(first.0 - 1), Instant(0), None);
        let mut skip = skipped;
        'runs: for run in self.runs.range(index..) {
            match &run.shape {
                Shape::Pieces { head: same, ends, .. } if Arc::ptr_eq(same, head) => {
                    for to in &ends[skip..] {
                        let full = last >= first && to - start > MERGED_BYTES;
                        if full || last >= through {
                            break 'runs;
                        }
                        (upto, last, at) = (*to, last.next(), run.at);
                    }
                    skip = 0;
                }
                Shape::End { head: same, end: how, .. }
                    if Arc::ptr_eq(same, head) && last < through =>
                {
                    (last, at, end) = (last.next(), run.at, Some(*how));
                    break;
                }
                Shape::Written { .. }
                | Shape::Whole(_)
                | Shape::Pieces { .. }
                | Shape::End { .. } => break,
            }
        }
        let wanted = Wanted::Piece { head: Arc::clone(head), bytes: start..upto, end };
        Some(Next::Stored(Recall { first, last, at, place: *place, wanted }))
    }
}
