//! What is looked for, as one automaton that also tells what may still become a match.

use std::{error::Error, ops::Range};

use regex_automata::{
    Anchored, Input, MatchError,
    hybrid::dfa::{Cache, DFA},
};
use sluice_sdk::Denial;

use crate::{
    card::{self, Card},
    settings::Format,
};

/// Longest match, in bytes: what is longer is replaced up to here. Within what a host lets a filter hold back (4,096).
const LONGEST: usize = 4000;

/// Steps of the automaton that a text may take beyond [`STEPS_A_BYTE`]: about half of what a host gives a filter's look.
const STEPS: usize = 1_000_000;
/// Steps for each byte of it, which ordinary text never needs: about half of what a host gives for more bytes.
const STEPS_A_BYTE: usize = 12;

/// What is done about a match.
#[derive(Debug, Clone)]
pub(crate) enum Then {
    /// It is replaced by this.
    Redact(String),
    /// The message is refused, or the answer ended.
    Deny { code: String, text: String },
}

/// All patterns.
#[derive(Debug)]
pub(crate) struct Patterns {
    dfa: DFA,
    /// By the number of the pattern; the last is cards'.
    then: Vec<Then>,
    cards: bool,
}

/// What an automaton has learned so far; costs a little to make, so one is kept for an answer.
#[derive(Debug)]
pub(crate) struct Scanner {
    cache: Cache,
    /// Whether nothing begins with a byte after another, for each two that were seen: most of a text is over with one step.
    barren: Vec<Option<bool>>,
    /// Steps that are left.
    steps: usize,
}

impl Scanner {
    /// Readies it for what is scanned next: a text, or some that are judged together.
    pub(crate) fn begin(&mut self) {
        self.steps = STEPS;
    }

    /// The place of a byte and the one before it, if any.
    fn pair(text: &[u8], at: usize) -> usize {
        let before = at.checked_sub(1).map_or(256, |before| usize::from(text[before]));
        before * 256 + usize::from(text[at])
    }
}

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where, in bytes.
    pub(crate) range: Range<usize>,
    /// Of which pattern.
    pub(crate) pattern: usize,
}

/// What was found in a text.
#[derive(Debug)]
pub(crate) struct Scan {
    /// In order, not overlapping.
    pub(crate) found: Vec<Found>,
    /// From this byte on a match may begin that is not whole yet.
    pub(crate) decided: usize,
    /// It was given up there: too much could have begun in it and did not.
    pub(crate) gave_up: bool,
}

/// What begins at a place.
enum Look {
    Nothing,
    Match(Found),
    /// Nothing can be said before more is known.
    Growing,
    /// No steps are left.
    GaveUp,
}

impl Patterns {
    /// Of these formats and these patterns, each with its name.
    pub(crate) fn new(
        formats: &[Format],
        own: Vec<(String, String, Then)>,
    ) -> Result<Self, String> {
        let (mut written, mut then) = (Vec::new(), Vec::new());
        let mut cards = false;
        for format in formats {
            match format {
                Format::Card => cards = true,
                Format::Email | Format::Phone | Format::Key => {
                    for regex in regexes(*format) {
                        written.push((*regex).to_owned());
                        then.push(Then::Redact(replacement(*format).to_owned()));
                    }
                }
            }
        }
        for (name, regex, what) in own {
            let dfa = build(&[&regex]).map_err(|why| format!("pattern {name:?}: {why}"))?;
            if matches_empty(&dfa) {
                return Err(format!("pattern {name:?} matches the empty text"));
            }
            written.push(regex);
            then.push(what);
        }
        then.push(Then::Redact(replacement(Format::Card).to_owned()));
        Ok(Self { dfa: build(&written)?, then, cards })
    }

    pub(crate) fn scanner(&self) -> Scanner {
        let (cache, barren) = (self.dfa.create_cache(), vec![None; 257 * 256]);
        Scanner { cache, barren, steps: STEPS }
    }

    /// Why a text is refused that would take too long.
    pub(crate) fn too_long() -> Denial {
        Denial::new("too-long", "This cannot be checked in a reasonable time; make it shorter.")
    }

    /// What a match becomes.
    pub(crate) fn replacement(&self, pattern: usize) -> &str {
        match &self.then[pattern] {
            Then::Redact(by) => by,
            Then::Deny { .. } => "",
        }
    }

    /// Why a match is refused, if it is.
    pub(crate) fn denial(&self, found: &Found) -> Option<Denial> {
        match &self.then[found.pattern] {
            Then::Redact(_) => None,
            Then::Deny { code, text } => Some(Denial::new(code.clone(), text.clone())),
        }
    }

    /// Looks through a text from a byte on; what is before it is only context. With `last` nothing follows, and all is decided.
    ///
    /// Everything that is decided is decided as it would be of the whole text: at each place what can begin there is followed until it
    /// is over, or until the text is. That takes as long as the text, times as many matches as begin and come to nothing: so the
    /// steps are counted, and a text that takes too many is given up.
    pub(crate) fn scan(&self, scanner: &mut Scanner, text: &str, from: usize, last: bool) -> Scan {
        scanner.steps += STEPS_A_BYTE * (text.len() - from);
        let mut scan = Scan { found: Vec::new(), decided: from, gave_up: false };
        while scan.decided < text.len() {
            match self.look(scanner, text, scan.decided, last) {
                Look::Nothing => scan.decided = text.ceil_char_boundary(scan.decided + 1),
                Look::Match(of) => {
                    scan.decided = of.range.end;
                    scan.found.push(of);
                }
                Look::Growing => break,
                Look::GaveUp => {
                    scan.gave_up = true;
                    break;
                }
            }
        }
        scan
    }

    fn look(&self, scanner: &mut Scanner, text: &str, at: usize, last: bool) -> Look {
        let by_pattern = self.by_pattern(scanner, text, at, last);
        let by_number = if self.cards { card::look(text.as_bytes(), at, last) } else { Card::No };
        match (by_pattern, by_number) {
            (Ok(Look::GaveUp), _) => Look::GaveUp,
            (Ok(Look::Growing), _) | (_, Card::Growing) => Look::Growing,
            (Ok(Look::Match(of)), Card::UpTo(end)) if of.range.end >= end => Look::Match(of),
            (_, Card::UpTo(end)) => {
                Look::Match(Found { range: at..end, pattern: self.then.len() - 1 })
            }
            (Ok(look), Card::No) => look,
            // The automaton gives up only where it was not built to: see `build`. Then nothing passes.
            (Err(_), Card::No) => {
                Look::Match(Found { range: at..text.len(), pattern: self.then.len() - 1 })
            }
        }
    }

    /// Follows the automaton from `at` until nothing more can match, the longest match is over, or the text is.
    fn by_pattern(
        &self,
        Scanner { cache, barren, steps }: &mut Scanner,
        text: &str,
        at: usize,
        last: bool,
    ) -> Result<Look, MatchError> {
        let pair = Scanner::pair(text.as_bytes(), at);
        if barren[pair] == Some(true) {
            return Ok(Look::Nothing);
        }
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        let mut state = self.dfa.start_state_forward(cache, &input)?;
        let mut longest = None;
        let until = text.len().min(at + LONGEST);
        for (place, byte) in text.as_bytes().iter().enumerate().take(until).skip(at) {
            state =
                self.dfa.next_state(cache, state, *byte).map_err(|_| MatchError::gave_up(place))?;
            // The automaton says a match one byte after its end.
            if state.is_match() {
                let pattern = self.dfa.match_pattern(cache, state, 0).as_usize();
                longest = Some(Found { range: at..place, pattern });
            }
            if place == at {
                barren[pair] = Some(state.is_dead());
            }
            if state.is_dead() {
                return Ok(longest.map_or(Look::Nothing, Look::Match));
            }
            *steps = steps.saturating_sub(1);
            if *steps == 0 {
                return Ok(Look::GaveUp);
            }
        }
        if until == text.len() && until < at + LONGEST && !last {
            return Ok(Look::Growing);
        }
        let end = self.dfa.next_eoi_state(cache, state).map_err(|_| MatchError::gave_up(until))?;
        if end.is_match() {
            let pattern = self.dfa.match_pattern(cache, end, 0).as_usize();
            longest = Some(Found { range: at..until, pattern });
        }
        Ok(longest.map_or(Look::Nothing, Look::Match))
    }
}

/// The automaton of all patterns. It takes no word border of Unicode, since it could not tell one before the next character is whole.
fn build<P: AsRef<str>>(patterns: &[P]) -> Result<DFA, String> {
    DFA::builder().build_many(patterns).map_err(|error| {
        let mut cause: &dyn Error = &error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        let last = cause.to_string();
        if last.contains("word bound") {
            r"a word border is written (?-u:\b)".to_owned()
        } else {
            last
        }
    })
}

/// Whether a pattern finds something where nothing is.
fn matches_empty(dfa: &DFA) -> bool {
    let mut cache = dfa.create_cache();
    let input = Input::new("").anchored(Anchored::Yes);
    let start = dfa.start_state_forward(&mut cache, &input);
    let end = start.ok().and_then(|state| dfa.next_eoi_state(&mut cache, state).ok());
    end.is_some_and(|state| state.is_match())
}

fn replacement(format: Format) -> &'static str {
    match format {
        Format::Email => "[e-mail]",
        Format::Phone => "[phone]",
        Format::Card => "[card]",
        Format::Key => "[key]",
    }
}

/// What the formats look like. Those of keys are documented by who issues them.
fn regexes(format: Format) -> &'static [&'static str] {
    match format {
        Format::Email => &[
            r"(?-u:\b)[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?-u:\b)",
        ],
        // International, as E.123 of the ITU writes them, and those of North America.
        Format::Phone => &[
            r"\+[1-9][0-9]{0,2}(?:[ ./()-]{0,2}[0-9]){6,13}(?-u:\b)",
            r"(?:\([2-9][0-9]{2}\) ?|(?-u:\b)[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?-u:\b)",
        ],
        Format::Key => &[
            r"(?-u:\b)sk-[A-Za-z0-9_-]{20,}",
            r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)",
            r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{36,}",
            r"(?-u:\b)github_pat_[A-Za-z0-9_]{22,}",
            r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}",
            r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}",
            r"(?-u:\b)AIza[A-Za-z0-9_-]{35}",
            r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,300}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
            r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:[A-Za-z0-9+/=\r\n ]|\\[nr])*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?",
        ],
        // By `card`.
        Format::Card => &[],
    }
}
