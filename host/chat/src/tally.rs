//! What is known of an answer's tokens while it runs: what was sent, what was said, what the provider told.

use crate::answer::Tokens;
use crate::bill::Counted;
use crate::event::{ChatEvent, Usage};
use crate::request::{
    ChatRequest, Content, FunctionDef, Message, OutputFormat, ToolContent, ToolDef,
};

/// The count of one answer. What nobody told is guessed from bytes, at four a token; what was never taken in by a provider is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    prompt_bytes: usize,
    said_bytes: usize,
    usage: Option<Usage>,
    /// What the present try told before anything that somebody is shown. Of one that fails there nothing counts.
    early: Option<Usage>,
    /// Whether a provider has it, as far as anybody knows.
    taken: bool,
    /// Whether anything came of it.
    heard: bool,
    /// Whether the model came to its end. What was told before that is a state of affairs.
    finished: bool,
}

impl Tally {
    /// Of a prompt of so many bytes.
    pub fn new(prompt_bytes: usize) -> Self {
        Self { prompt_bytes, ..Self::default() }
    }

    /// Of a question as it is sent: the texts of all its messages, of tools and of the form it asks for.
    pub fn of(request: &ChatRequest) -> Self {
        let messages = request.messages.iter().map(bytes_of_message);
        let tools = request.tools.iter().map(|tool| match tool {
            ToolDef::Function(FunctionDef { name, description, parameters, extras: _ }) => {
                name.len() + description.as_ref().map_or(0, String::len) + parameters.len()
            }
            ToolDef::Vendor(definition) => definition.len(),
        });
        let format = match &request.format {
            OutputFormat::JsonSchema(format) => format.schema.len(),
            OutputFormat::Text | OutputFormat::JsonObject => 0,
        };
        Self::new(messages.chain(tools).sum::<usize>() + format)
    }

    /// It is sent. From here on a provider may have it, until [`refused`](Self::refused) says otherwise.
    pub fn sent(&mut self) {
        self.taken = true;
    }

    /// The provider did not take it: it could not be reached, or said no before anything else.
    pub fn refused(&mut self) {
        self.taken = false;
    }

    /// Takes in what is held back until the provider says something that is shown, or [`forget`](Self::forget) gives it up.
    pub fn hear_early(&mut self, events: &[ChatEvent]) {
        for event in events {
            if let ChatEvent::Usage(told) = event {
                self.early = Some(told.clone());
            }
        }
    }

    /// Another try begins.
    pub fn forget(&mut self) {
        self.early = None;
    }

    /// Takes in what the provider said.
    pub fn hear(&mut self, events: &[ChatEvent]) {
        self.heard |= !events.is_empty();
        for event in events {
            match event {
                ChatEvent::Text(text) => self.said_bytes += text.len(),
                ChatEvent::Reasoning(thought) => self.said_bytes += thought.text.len(),
                ChatEvent::ToolDelta(delta) => {
                    let name = delta.name.as_ref().map_or(0, String::len);
                    self.said_bytes += name + delta.arguments.len();
                }
                ChatEvent::Usage(told) => self.usage = Some(told.clone()),
                ChatEvent::Finish(_) => self.finished = true,
                ChatEvent::UpstreamId { .. } | ChatEvent::Other(_) => {}
            }
        }
    }

    /// Whether no provider has done anything for it.
    pub fn is_nothing(&self) -> bool {
        !self.taken && !self.heard
    }

    /// What the provider told.
    pub fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref().or(self.early.as_ref())
    }

    /// As the provider told, or guessed. Of an answer that was cut the provider may have told what it had said by then, or less:
    /// what was heard counts at least, as a guess. A part that nobody told is none.
    pub fn counted(&self) -> Counted {
        if self.is_nothing() {
            return Counted::default();
        }
        let told = self.usage();
        let part = |of: fn(&Usage) -> Option<u64>| told.and_then(of);
        let input = part(|usage| usage.input_tokens);
        let output = part(|usage| usage.output_tokens);
        let at_the_end = output.filter(|_| self.finished);
        let tokens = Tokens {
            input: input.unwrap_or_else(|| guess(self.prompt_bytes)),
            output: at_the_end
                .unwrap_or_else(|| output.unwrap_or_default().max(guess(self.said_bytes))),
            estimated: input.is_none() || at_the_end.is_none(),
        };
        Counted {
            tokens,
            cached_input: part(|usage| usage.cached_input_tokens).unwrap_or_default(),
            cache_write: part(|usage| usage.cache_write_tokens).unwrap_or_default(),
            reasoning: part(|usage| usage.reasoning_tokens).unwrap_or_default(),
        }
    }
}

fn guess(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

fn bytes_of_message(message: &Message) -> usize {
    let bytes = |content: &Content| match content {
        Content::Text(text) => text.len(),
        Content::Reasoning(thought) => thought.text.len(),
        Content::ToolCall(call) => call.name.len() + call.arguments.len(),
        Content::ToolResult(result) => {
            let bytes = |content: &ToolContent| match content {
                ToolContent::Text(text) => text.len(),
                ToolContent::Image(_) | ToolContent::Other(_) => 0,
            };
            result.content.iter().map(bytes).sum()
        }
        // What these come to is known to their vendors alone.
        Content::Image(_) | Content::Audio(_) | Content::Document(_) | Content::Other(_) => 0,
    };
    message.parts.iter().map(|part| bytes(&part.content)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{FinishReason, ToolDelta};
    use crate::request::{Part, Reasoning, Role, ToolCall, ToolResult};

    fn told(input: u64, output: u64) -> ChatEvent {
        ChatEvent::Usage(Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
            ..Usage::default()
        })
    }

    fn text(bytes: usize) -> ChatEvent {
        ChatEvent::Text("x".repeat(bytes))
    }

    fn of(prompt_bytes: usize, events: &[ChatEvent]) -> Tokens {
        let mut tally = Tally::new(prompt_bytes);
        tally.sent();
        tally.hear(events);
        tally.counted().tokens
    }

    const END: ChatEvent = ChatEvent::Finish(FinishReason::Stop);

    #[test]
    fn what_is_told_of_a_whole_answer_is_taken_and_what_is_not_is_guessed() {
        let guessed = Tokens { input: 3, output: 1, estimated: true };
        assert_eq!(of(9, &[text(4), END]), guessed);
        let exact = Tokens { input: 5, output: 7, estimated: false };
        assert_eq!(of(9, &[text(400), told(5, 7), END]), exact);
        assert_eq!(of(9, &[text(400), END, told(5, 7)]), exact, "usage may come last");
    }

    #[test]
    fn what_was_told_early_counts_if_it_is_cut_there_and_not_if_it_failed() {
        let mut tally = Tally::new(9);
        tally.sent();
        tally.hear_early(&[told(25, 1)]);
        tally.hear_early(&[ChatEvent::UpstreamId {
            name: "request".to_owned(),
            value: "r".to_owned(),
        }]);
        let cut = Tokens { input: 25, output: 1, estimated: true };
        assert_eq!(tally.counted().tokens, cut);

        tally.forget();
        assert_eq!(tally.counted().tokens, Tokens { input: 3, output: 0, estimated: true });
    }

    #[test]
    fn what_was_told_before_a_cut_is_no_count_of_what_was_said() {
        let cut = of(9, &[told(25, 1), text(400)]);
        assert_eq!(cut, Tokens { input: 25, output: 100, estimated: true });
        let late = of(9, &[text(4), told(25, 70)]);
        assert_eq!(late, Tokens { input: 25, output: 70, estimated: true });
    }

    #[test]
    fn thoughts_and_arguments_count_as_text_does() {
        let thought = Reasoning { text: "x".repeat(40), signature: None };
        let (id, name) = (Some("call".to_owned()), Some("find".to_owned()));
        let delta = ToolDelta { index: 0, id, name, arguments: "x".repeat(16) };
        let said = [ChatEvent::Reasoning(thought), ChatEvent::ToolDelta(delta), text(20)];

        assert_eq!(of(0, &said).output, 20);
    }

    #[test]
    fn what_no_provider_took_is_nothing_and_no_guess() {
        let mut tally = Tally::new(400);
        assert_eq!(tally.counted(), Counted::default(), "it was never sent");
        tally.sent();
        assert_eq!(tally.counted().tokens.input, 100, "it may be at work");
        tally.refused();
        assert_eq!(tally.counted(), Counted::default());
        tally.hear(&[text(4)]);
        assert_eq!(tally.counted().tokens, Tokens { input: 100, output: 1, estimated: true });
    }

    #[test]
    fn all_texts_of_a_question_count() {
        let part = |content| Part { content, extras: Vec::new() };
        let thought = Reasoning { text: "three".to_owned(), signature: None };
        let (id, name, arguments) = ("1".to_owned(), "four".to_owned(), "{}".to_owned());
        let call = ToolCall { id: id.clone(), name: name.clone(), arguments, extras: Vec::new() };
        let content = vec![ToolContent::Text("seven77".to_owned())];
        let result = ToolResult { id, name, content, is_error: false };
        let mut message = Message::text(Role::Assistant, "one");
        message.parts.extend([
            part(Content::Reasoning(thought)),
            part(Content::ToolCall(call)),
            part(Content::ToolResult(result)),
        ]);
        let tools = vec![ToolDef::Vendor("{\"type\":\"search\"}".to_owned())];
        let messages = vec![Message::text(Role::System, "be kind"), message];
        let request = ChatRequest { messages, tools, ..ChatRequest::default() };

        assert_eq!(Tally::of(&request), Tally::new(7 + 3 + 5 + 6 + 7 + 17));
    }
}
