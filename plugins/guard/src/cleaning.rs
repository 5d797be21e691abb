//! Messages without what should not pass.

use sluice_sdk::{Content, Denial, Extra, Message, ToolContent};

use crate::patterns::{Found, Patterns, Scanner};

/// A thought that its vendor sealed.
const HIDDEN_THOUGHT: &str = "redacted_thinking";

/// Cleans the messages of one request.
pub(crate) struct Cleaning<'a> {
    patterns: &'a Patterns,
    scanner: Scanner,
    replaced: usize,
}

impl<'a> Cleaning<'a> {
    /// Of what matches these.
    pub(crate) fn new(patterns: &'a Patterns) -> Self {
        Self { patterns, scanner: patterns.scanner(), replaced: 0 }
    }

    /// How much was replaced.
    pub(crate) fn replaced(&self) -> usize {
        self.replaced
    }

    /// The message without it, if there is something of it.
    pub(crate) fn message(&mut self, message: &Message) -> Result<Option<Message>, Denial> {
        let (mut message, before) = (message.clone(), self.replaced);
        let (mut said, mut beside) = (Vec::new(), Vec::new());
        for part in &mut message.parts {
            match &mut part.content {
                Content::Text(text) => said.push(text),
                Content::ToolResult(result) => {
                    for content in &mut result.content {
                        match content {
                            ToolContent::Text(text) => said.push(text),
                            ToolContent::Other(Extra { value, .. }) => beside.push(value),
                            ToolContent::Image(_) => {}
                        }
                    }
                }
                Content::ToolCall(call) => beside.push(&mut call.arguments),
                // Nobody but its vendor can read that, and no other text will do.
                Content::Other(Extra { key, .. }) if key == HIDDEN_THOUGHT => {}
                Content::Other(Extra { value, .. }) => beside.push(value),
                Content::Reasoning(thought) => {
                    // The signature of another text is none.
                    if self.text(&mut thought.text)? {
                        thought.signature = None;
                    }
                }
                Content::Image(_) | Content::Audio(_) | Content::Document(_) => {}
            }
            beside.extend(part.extras.iter_mut().map(|extra| &mut extra.value));
        }
        beside.extend(message.extras.iter_mut().map(|extra| &mut extra.value));
        for text in said.iter_mut().chain(&mut beside) {
            self.text(text)?;
        }
        self.across(&mut said)?;
        Ok((self.replaced > before).then_some(message))
    }

    /// Cleans a text that stands by itself; says whether there was something.
    fn text(&mut self, text: &mut String) -> Result<bool, Denial> {
        let found = self.found(text, |_| true)?;
        if found.is_empty() {
            return Ok(false);
        }
        *text = self.without(text, 0, text.len(), &found);
        Ok(true)
    }

    /// Cleans texts that are read as one of what reaches from one into another.
    fn across(&mut self, texts: &mut [&mut String]) -> Result<(), Denial> {
        if texts.len() < 2 {
            return Ok(());
        }
        let whole: String = texts.iter().map(|text| text.as_str()).collect();
        let mut borders = Vec::with_capacity(texts.len());
        let mut end = 0;
        for text in &*texts {
            end += text.len();
            borders.push(end);
        }
        let crosses = |found: &Found| {
            let next = borders.partition_point(|border| *border <= found.range.start);
            borders[next] < found.range.end
        };
        let found = self.found(&whole, crosses)?;
        if found.is_empty() {
            return Ok(());
        }
        let mut start = 0;
        for (text, end) in texts.iter_mut().zip(borders) {
            let from = found.partition_point(|found| found.range.end <= start);
            let until = found.partition_point(|found| found.range.start < end);
            **text = self.without(&whole, start, end, &found[from..until]);
            start = end;
        }
        Ok(())
    }

    /// What is to be replaced of a text.
    fn found(&mut self, text: &str, counts: impl Fn(&Found) -> bool) -> Result<Vec<Found>, Denial> {
        let scan = self.patterns.scan(&mut self.scanner, text, 0, true);
        if scan.gave_up {
            return Err(Patterns::too_long());
        }
        let mut found = scan.found;
        found.retain(counts);
        if let Some(denial) = found.iter().find_map(|found| self.patterns.denial(found)) {
            return Err(denial);
        }
        self.replaced += found.len();
        Ok(found)
    }

    /// The part of a text from `start` to `end`, in which this was found: what it becomes stands where it begins. Nothing but that is
    /// left of a part that was nothing else, since vendors refuse empty ones.
    fn without(&self, text: &str, start: usize, end: usize, found: &[Found]) -> String {
        let mut left = String::with_capacity(end - start);
        let mut at = start;
        for Found { range, pattern } in found {
            left += text.get(at..range.start).unwrap_or_default();
            if range.start >= start {
                left += self.patterns.replacement(*pattern);
            }
            at = range.end.min(end);
        }
        left += text.get(at..end).unwrap_or_default();
        match found.first() {
            Some(Found { pattern, .. }) if left.is_empty() && start < end => {
                self.patterns.replacement(*pattern).to_owned()
            }
            Some(_) | None => left,
        }
    }
}
