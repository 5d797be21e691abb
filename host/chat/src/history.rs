//! What of a conversation is sent along with the newest message, and what a conversation is called.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::request::{Extra, Message, Role};
use crate::upstream_ids::UpstreamIds;

/// One stored message, as far as context goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Whether the user said it; otherwise the model did.
    pub by_user: bool,
    /// What was said.
    pub text: String,
    /// Handle of the conversation that its upstream keeps, where whoever is asked now gave one with it.
    pub conversation: Option<String>,
}

/// How much context is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most messages, the newest one included.
    pub messages: usize,
    /// Most tokens, guessed at four bytes each. The newest message is sent whatever its size.
    pub tokens: usize,
}

/// The conversation to send: the system prompt, then the newest messages that fit, oldest first.
///
/// `spoken` ends with the message to answer. Answers without text are left out, and so is an answer whose question did not fit:
/// several vendors refuse a conversation that begins with the model.
///
/// The newest handle stands at the first message after the answer that it came with: from there on nothing was heard upstream.
pub fn context(system_prompt: Option<&str>, spoken: &[Spoken], budget: Budget) -> Vec<Message> {
    let handle = spoken.iter().rposition(|said| said.conversation.is_some());
    let mut left = budget.tokens;
    let mut kept: Vec<(usize, &Spoken)> = Vec::new();
    for (place, said) in
        spoken.iter().enumerate().rev().filter(|(_, said)| said.by_user || !said.text.is_empty())
    {
        // Of several answers to one message the newest is the one that counts.
        if !said.by_user && kept.last().is_some_and(|(_, later)| !later.by_user) {
            continue;
        }
        let cost = said.text.len().div_ceil(4);
        if !kept.is_empty() && (kept.len() >= budget.messages || cost > left) {
            break;
        }
        left = left.saturating_sub(cost);
        kept.push((place, said));
    }
    while kept.len() > 1 && kept.last().is_some_and(|(_, oldest)| !oldest.by_user) {
        kept.pop();
    }
    let system = system_prompt.map(|prompt| Message::text(Role::System, prompt));
    let mut unheard = handle.and_then(|heard| Some((heard, spoken[heard].conversation.as_ref()?)));
    let sent = kept.into_iter().rev().map(|(place, said)| {
        let role = if said.by_user { Role::User } else { Role::Assistant };
        let mut message = Message::text(role, said.text.as_str());
        if let Some((_, id)) = unheard.take_if(|(heard, _)| place > *heard) {
            let key = UpstreamIds::CONVERSATION_KEY.to_owned();
            message.extras.push(Extra { key, value: format!("\"{id}\"") });
        }
        message
    });
    system.into_iter().chain(sent).collect()
}

/// Most characters of a session's name.
pub const NAME_CHARS: usize = 50;

/// The name of a session that begins with this message: its first sentence, cut between words and never within what people take for
/// one character.
pub fn name(first_message: &str) -> String {
    let line = first_message.trim().lines().next().unwrap_or_default().trim();
    let sentence = line.split_inclusive(['.', '?', '!']).next().unwrap_or_default();
    let visible: String = sentence.chars().filter(|c| !c.is_control()).collect();
    if visible.is_empty() {
        return "New Chat".to_owned();
    }
    if visible.chars().count() <= NAME_CHARS {
        return visible;
    }
    let mut left = NAME_CHARS - 3;
    let fits = |grapheme: &&str| {
        let after = left.checked_sub(grapheme.chars().count());
        left = after.unwrap_or(0);
        after.is_some()
    };
    let short: String = visible.graphemes(true).take_while(fits).collect();
    let cut = short.rsplit_once(' ').map_or(short.as_str(), |(words, _)| words);
    if cut.is_empty() { "New Chat".to_owned() } else { format!("{}...", cut.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Content;

    fn user(text: &str) -> Spoken {
        Spoken { by_user: true, text: text.to_owned(), conversation: None }
    }

    fn model(text: &str) -> Spoken {
        Spoken { by_user: false, text: text.to_owned(), conversation: None }
    }

    fn texts(messages: &[Message]) -> Vec<(Role, &str)> {
        let first_text = |message| {
            let Message { role, parts, .. }: &Message = message;
            let Content::Text(text) = &parts.first()?.content else { return None };
            Some((*role, text.as_str()))
        };
        messages.iter().filter_map(first_text).collect()
    }

    #[test]
    fn the_newest_messages_that_fit_go_along_oldest_first() {
        let spoken = [user("first"), model("one"), user("second"), model("two"), user("third")];

        let sent = context(Some("be kind"), &spoken, Budget { messages: 3, tokens: 100 });

        let expected = [
            (Role::System, "be kind"),
            (Role::User, "second"),
            (Role::Assistant, "two"),
            (Role::User, "third"),
        ];
        assert_eq!(texts(&sent), expected);
    }

    #[test]
    fn the_newest_message_goes_whatever_its_size_and_no_answer_stands_first() {
        let spoken = [user(&"x".repeat(400)), model("answer"), user(&"y".repeat(400))];

        let sent = context(None, &spoken, Budget { messages: 10, tokens: 102 });

        assert_eq!(sent.len(), 1);
    }

    #[test]
    fn of_several_answers_to_one_message_only_the_newest_goes_along() {
        let spoken = [user("a"), model("broken o"), model("whole"), user("b")];

        let sent = context(None, &spoken, Budget { messages: 10, tokens: 100 });

        let expected = [(Role::User, "a"), (Role::Assistant, "whole"), (Role::User, "b")];
        assert_eq!(texts(&sent), expected);
    }

    #[test]
    fn a_handle_stands_where_begins_what_was_not_heard_upstream() {
        let heard = |text, id: &str| Spoken { conversation: Some(id.to_owned()), ..model(text) };
        let begins = |spoken: &[Spoken], messages| {
            let sent = context(Some("be kind"), spoken, Budget { messages, tokens: 100 });
            let texts: Vec<_> = texts(&sent).into_iter().map(|(_, text)| text.to_owned()).collect();
            let mut at = sent.iter().zip(texts).filter(|(message, _)| !message.extras.is_empty());
            let (message, text) = at.next().expect("a handle");
            assert!(at.next().is_none());
            (message.extras[0].value.clone(), text)
        };
        let at = |id: &str, text: &str| (format!("\"{id}\""), text.to_owned());

        let plain = [user("a"), heard("one", "old"), user("b"), heard("two", "new"), user("c")];
        assert_eq!(begins(&plain, 10), at("new", "c"));
        assert_eq!(begins(&plain, 1), at("new", "c"));
        let others = [user("a"), heard("one", "h"), user("b"), model("else"), user("c")];
        assert_eq!(begins(&others, 10), at("h", "b"));
        assert_eq!(begins(&others, 2), at("h", "c"), "no more of it goes along");
        let anew = [user("a"), heard("one", "h"), model("better"), user("b")];
        assert_eq!(begins(&anew, 10), at("h", "better"));
        let silent = [user("a"), heard("", "h"), user("b")];
        assert_eq!(begins(&silent, 10), at("h", "b"));
    }

    #[test]
    fn an_answer_without_text_is_left_out() {
        let spoken = [user("a"), model(""), user("b")];

        let sent = context(None, &spoken, Budget { messages: 10, tokens: 100 });

        assert_eq!(texts(&sent), [(Role::User, "a"), (Role::User, "b")]);
    }

    #[test]
    fn a_session_is_named_after_its_first_sentence() {
        assert_eq!(name("  What is Rust? Tell me."), "What is Rust?");
        assert_eq!(name("one\ntwo"), "one");
        assert_eq!(name(" \n "), "New Chat");
        let long = name(&"ünïcödé wörds ".repeat(10));
        assert!(long.chars().count() <= NAME_CHARS && long.ends_with("wörds..."), "{long}");
        assert_eq!(name(&"é".repeat(60)).chars().count(), NAME_CHARS);
    }

    #[test]
    fn a_name_is_never_cut_within_what_people_take_for_one_character() {
        let family = "👨\u{200d}👩\u{200d}👧";
        assert_eq!(name(&family.repeat(20)), format!("{}...", family.repeat(9)));
        let accented = "e\u{301}";
        assert_eq!(name(&accented.repeat(60)), format!("{}...", accented.repeat(23)));
        assert_eq!(name(&format!("a{}", "\u{301}".repeat(90))), "New Chat", "no part of it fits");
    }
}
