//! What a policy's filter makes of one channel of an answer, chunk by chunk.
//!
//! Pure. The tail that a filter held back is put in front of the next chunk, its spans are checked before one byte is taken for
//! granted, and what it let through never comes back to it.

use crate::policy::{Denial, Judged, OutputVerdict, Span};

/// Most bytes that are held back of a channel; more is cut to it, and down to a character.
pub const MOST_HELD: usize = 4_096;
/// Most that a chunk may grow by what is put in place of something, in bytes beyond its own length.
pub const MOST_ADDED: usize = 64 * 1_024;

/// A filter said something of a chunk that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSense {
    /// A part begins before the one in front of it ends, or ends before it begins.
    #[error("the parts to replace overlap or run backwards")]
    Order,
    /// A part begins or ends within a character, or beyond the chunk.
    #[error("a part to replace is no part of the text")]
    Border,
    /// What it puts in place is many times what was there.
    #[error("what is put in place is too much")]
    TooMuch,
}

/// What became of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// This much may be shown; the rest is held back.
    Text(String),
    /// Nothing more may be.
    Stopped(Denial),
}

/// One channel on its way through one filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strand {
    held: String,
}

impl Strand {
    /// Adds what is new, and returns what the filter is to look at: the held tail and that.
    pub fn chunk(&mut self, new: &str) -> &str {
        self.held.push_str(new);
        &self.held
    }

    /// Lets go of everything that is held, unfiltered.
    pub fn give_up(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Does what the filter said of the [chunk](Self::chunk). Nothing is held back of the `last` one. After nonsense all of the
    /// chunk is held still.
    pub fn settle(&mut self, judged: Judged, last: bool) -> Result<Passed, NoSense> {
        let mut text = match judged.verdict {
            OutputVerdict::Pass => std::mem::take(&mut self.held),
            OutputVerdict::Redact(spans) => {
                let redacted = redact(&self.held, &spans)?;
                self.held.clear();
                redacted
            }
            OutputVerdict::Stop(denial) => return Ok(Passed::Stopped(denial)),
        };
        if !last {
            let hold = usize::try_from(judged.hold).unwrap_or(MOST_HELD).min(MOST_HELD);
            let mut from = text.len() - hold.min(text.len());
            while !text.is_char_boundary(from) {
                from += 1;
            }
            self.held = text.split_off(from);
        }
        Ok(Passed::Text(text))
    }
}

/// The chunk with its parts replaced.
fn redact(chunk: &str, spans: &[Span]) -> Result<String, NoSense> {
    let mut text = String::with_capacity(chunk.len());
    let mut shown = 0;
    for Span { start, end, replacement } in spans {
        let place = |at: u32| usize::try_from(at).map_err(|_| NoSense::Border);
        let (start, end) = (place(*start)?, place(*end)?);
        if start < shown || end < start {
            return Err(NoSense::Order);
        }
        if chunk.get(start..end).is_none() {
            return Err(NoSense::Border);
        }
        text.push_str(chunk.get(shown..start).ok_or(NoSense::Border)?);
        text.push_str(replacement);
        if text.len() > chunk.len() + MOST_ADDED {
            return Err(NoSense::TooMuch);
        }
        shown = end;
    }
    text.push_str(chunk.get(shown..).ok_or(NoSense::Border)?);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacting(spans: &[(u32, u32, &str)], hold: u32) -> Judged {
        let span = |&(start, end, replacement): &(u32, u32, &str)| Span {
            start,
            end,
            replacement: replacement.to_owned(),
        };
        Judged { verdict: OutputVerdict::Redact(spans.iter().map(span).collect()), hold }
    }

    fn pass(hold: u32) -> Judged {
        Judged { verdict: OutputVerdict::Pass, hold }
    }

    fn settle(chunk: &str, judged: Judged) -> Result<(String, String), NoSense> {
        let mut strand = Strand::default();
        strand.chunk(chunk);
        match strand.settle(judged, false)? {
            Passed::Text(text) => Ok((text, strand.give_up())),
            Passed::Stopped(_) => panic!("not stopped"),
        }
    }

    #[test]
    fn parts_are_replaced_and_the_tail_is_held_after_that() {
        let judged = redacting(&[(0, 1, "<"), (2, 2, "+"), (3, 5, "")], 2);
        assert_eq!(settle("abcdefg", judged), Ok(("<b+c".to_owned(), "fg".to_owned())));
    }

    #[test]
    fn spans_that_make_no_sense_are_told_from_those_that_do() {
        for (spans, why) in [
            (&[(0, 2, ""), (1, 3, "")][..], NoSense::Order),
            (&[(2, 1, "")], NoSense::Order),
            (&[(3, 3, ""), (0, 0, "")], NoSense::Order),
            (&[(0, 1, "")], NoSense::Border),
            (&[(1, 2, "")], NoSense::Border),
            (&[(0, 99, "")], NoSense::Border),
            (&[(99, 99, "")], NoSense::Border),
            (&[(u32::MAX, u32::MAX, "")], NoSense::Border),
        ] {
            assert_eq!(settle("éaé", redacting(spans, 0)), Err(why), "{spans:?}");
        }
        let flood = "x".repeat(MOST_ADDED + 4);
        assert_eq!(settle("ab", redacting(&[(0, 1, &flood)], 0)), Err(NoSense::TooMuch));
    }

    #[test]
    fn no_more_is_held_than_may_be_and_no_half_character() {
        let long = "é".repeat(MOST_HELD);
        let (shown, held) = settle(&long, pass(u32::MAX)).unwrap();
        assert_eq!((shown.len() + held.len(), held.len()), (long.len(), MOST_HELD));
        assert_eq!(settle("aé", pass(1)), Ok(("aé".to_owned(), String::new())));
    }

    proptest! {
        /// A filter that changes nothing changes nothing, whatever it holds back on the way.
        #[test]
        fn what_passes_is_the_same_however_it_is_cut_and_held(
            chunks in prop::collection::vec(("\\PC{0,12}", 0..40_u32), 0..12),
        ) {
            let mut strand = Strand::default();
            let mut shown = String::new();
            let mut said = String::new();
            let last = chunks.len();
            for (n, (chunk, hold)) in chunks.into_iter().enumerate() {
                said.push_str(&chunk);
                strand.chunk(&chunk);
                let Passed::Text(text) = strand.settle(pass(hold), n + 1 == last).unwrap() else { panic!("not stopped") };
                shown.push_str(&text);
            }
            prop_assert_eq!(shown, said);
            prop_assert_eq!(strand.give_up(), "");
        }

        /// Whatever a filter says, it is done or refused: no panic, and nothing that is not text.
        #[test]
        fn nonsense_is_refused_and_never_more(
            chunk in "\\PC{0,20}",
            spans in prop::collection::vec((0..30_u32, 0..30_u32), 0..4),
            hold in any::<u32>(),
        ) {
            let spans: Vec<(u32, u32, &str)> = spans.into_iter().map(|(start, end)| (start, end, "·")).collect();
            if let Ok((shown, held)) = settle(&chunk, redacting(&spans, hold)) {
                prop_assert!(shown.len() + held.len() <= chunk.len() + 4 * "·".len());
                prop_assert!(held.len() <= MOST_HELD);
            }
        }
    }
}
