//! The host's part of filtering: what was held back goes in front of what comes next, and what is left is shown.

use super::case::Spoken;
use super::judging::{Channel, Filtering, Judged, OutputVerdict, Span, Stopped};
use super::said::{Denial, Effect, Shown};

/// Most that a filter may hold back, in bytes.
const MOST_HELD: usize = 4096;

/// Where the network cuts what a model says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// As the case has it.
    Nowhere,
    /// Each text once, after so many characters.
    After(usize),
    /// After every character.
    Everywhere,
}

/// What is left of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Left {
    /// All channels, and what is kept of it.
    Whole(Vec<Shown>, Effect),
    /// So far, until the filter ended the answer.
    Stopped(Vec<Shown>, Denial),
}

/// Spans that make no sense.
#[derive(Debug, thiserror::Error)]
#[error(
    "it redacts {span:?} of a chunk of {bytes} bytes: not in order, not on characters, or beyond its end"
)]
struct BadSpan {
    span: Span,
    bytes: usize,
}

/// One channel: what was shown, and what waits.
struct Line {
    channel: Channel,
    shown: String,
    held: String,
}

/// Filters it all.
pub(super) fn show(
    mut filter: impl Filtering,
    spoken: &[Spoken],
    cut: Cut,
) -> Result<Left, Stopped> {
    let mut lines: Vec<Line> = Vec::new();
    for one in spoken {
        let (channel, text) = match one {
            Spoken::Text(text) => (Channel::Text, text.clone()),
            Spoken::Reasoning(text) => (Channel::Reasoning, text.clone()),
            Spoken::ToolArguments { slot, text } => (Channel::ToolArguments(*slot), text.clone()),
            Spoken::Citation(value) => (Channel::Citation, value.to_string()),
        };
        let known = lines.iter().position(|line| line.channel == channel);
        // Each citation is a text of its own.
        let at = known.filter(|_| channel != Channel::Citation).unwrap_or_else(|| {
            lines.push(Line { channel, shown: String::new(), held: String::new() });
            lines.len() - 1
        });
        let is_whole = channel == Channel::Citation;
        for piece in if is_whole { vec![text.as_str()] } else { pieces(&text, cut) } {
            lines[at].held.push_str(piece);
            if let Some(denial) = advance(&mut filter, &mut lines[at], is_whole)? {
                return Ok(Left::Stopped(shown(lines), denial));
            }
        }
    }
    for line in lines.iter_mut().filter(|line| line.channel != Channel::Citation) {
        if let Some(denial) = advance(&mut filter, line, true)? {
            return Ok(Left::Stopped(shown(lines), denial));
        }
    }
    let effect = filter.finish()?;
    Ok(Left::Whole(shown(lines), effect))
}

/// Asks about what waits of one channel and shows what may be; a denial ends it.
fn advance(
    filter: &mut impl Filtering,
    line: &mut Line,
    last: bool,
) -> Result<Option<Denial>, Stopped> {
    let Judged { verdict, hold } = filter.check(line.channel, &line.held, last)?;
    match verdict {
        OutputVerdict::Pass => {}
        OutputVerdict::Stop(denial) => return Ok(Some(denial)),
        OutputVerdict::Redact(spans) => {
            line.held =
                redacted(&line.held, &spans).map_err(|bad| Stopped::Fault(Box::new(bad)))?;
        }
    }
    let hold = if last { 0 } else { (hold as usize).min(MOST_HELD) };
    let show = line.held.floor_char_boundary(line.held.len().saturating_sub(hold));
    line.shown.extend(line.held.drain(..show));
    Ok(None)
}

fn redacted(chunk: &str, spans: &[Span]) -> Result<String, BadSpan> {
    let (mut text, mut done) = (String::new(), 0);
    for span in spans {
        let bad = || BadSpan { span: span.clone(), bytes: chunk.len() };
        let (start, end) = (span.start as usize, span.end as usize);
        let kept = chunk.get(done..start).ok_or_else(bad)?;
        chunk.get(start..end).ok_or_else(bad)?;
        text.push_str(kept);
        text.push_str(&span.replacement);
        done = end;
    }
    text.push_str(chunk.get(done..).unwrap_or_default());
    Ok(text)
}

fn shown(lines: Vec<Line>) -> Vec<Shown> {
    let one = |line: Line| match line.channel {
        Channel::Text => Shown::Text(line.shown),
        Channel::Reasoning => Shown::Reasoning(line.shown),
        Channel::ToolArguments(slot) => Shown::ToolArguments { slot, text: line.shown },
        Channel::Citation => {
            Shown::Citation(serde_json::from_str(&line.shown).unwrap_or(line.shown.into()))
        }
    };
    lines.into_iter().map(one).collect()
}

fn pieces(text: &str, cut: Cut) -> Vec<&str> {
    let border = |characters| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
    match cut {
        Cut::Nowhere => vec![text],
        Cut::After(characters) => {
            let (first, rest) = text.split_at(border(characters));
            vec![first, rest]
        }
        Cut::Everywhere => text.split_inclusive(|_| true).collect(),
    }
}
