//! What the guard finds, and that it finds the same however a text is cut.

use proptest::prelude::*;
use sluice_guard::{Guard, Settings};
use sluice_sdk::{
    Channel, ChatRequest, Content, Context, Edit, Extra, Judged, Message, MessageDecision,
    OnMessage, OnOutput, OutputVerdict, Part, Reasoning, Replacement, Role, Subject, ToolCall,
    ToolContent, ToolResult,
};

fn context(settings: &str) -> Context<Settings> {
    Context::read(settings).expect("settings that can be read")
}

/// What a host shows of the pieces of one channel: as the contract tells it to.
fn shown(cx: &Context<Settings>, pieces: &[&str]) -> Result<String, String> {
    let (mut guard, subject) = (Guard::default(), Subject::of("u"));
    let (mut shown, mut held) = (String::new(), String::new());
    let end = pieces.iter().map(|piece| (*piece, false)).chain([("", true)]);
    for (piece, last) in end {
        held.push_str(piece);
        let Judged { verdict, hold } =
            OnOutput::check(&mut guard, cx, &subject, Channel::Text, &held, last);
        match verdict {
            OutputVerdict::Pass => {}
            OutputVerdict::Redact(spans) => {
                for span in spans.into_iter().rev() {
                    held.replace_range(span.start as usize..span.end as usize, &span.replacement);
                }
            }
            OutputVerdict::Stop(denial) => return Err(denial.code),
        }
        assert!(!last || hold == 0, "at the end nothing is held back");
        assert!(hold <= 4096 && held.is_char_boundary(held.len() - hold as usize));
        let tail = held.split_off(held.len() - hold as usize);
        shown.push_str(&held);
        held = tail;
    }
    Ok(shown)
}

fn whole(text: &str) -> String {
    shown(&context("{}"), &[text]).expect("nothing is refused")
}

#[test]
fn formats_are_replaced() {
    for (text, clean) in [
        ("Write to jo.doe+x@mail.example.org, please.", "Write to [e-mail], please."),
        ("Pay 20 with 4111 1111 1111 1111 now", "Pay 20 with [card] now"),
        ("card:5500000000000004.", "card:[card]."),
        ("call +49 30 1234567 or (212) 555-0123", "call [phone] or [phone]"),
        ("key sk-abcdefghijklmnopqrstuvwx!", "key [key]!"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB\n-----END RSA PRIVATE KEY-----\nand more",
            "[key]\nand more",
        ),
        (
            r#"{"key":"-----BEGIN PRIVATE KEY-----\r\nMIIEpAIB\n-----END PRIVATE KEY-----\n"}"#,
            r#"{"key":"[key]\n"}"#,
        ),
    ] {
        assert_eq!(whole(text), clean);
    }
}

#[test]
fn benign_text_passes_unchanged() {
    for text in [
        "",
        "In 2026-11-25 20:13:40 there were 1,234,567 users at 10.0.0.1:8080.",
        "1764100000000 is a time, 3.14159265358979323846 is pi, 4111 is a port.",
        "an @mention, a@b, e.g. this; task-sk-1; -----\nruler",
        "ISBN 978-3-16-148410-0, order 4111111111111112",
        "Zażółć gęślą jaźń — 日本語 👩‍👩‍👧‍👦 e\u{301}",
        "fn main() { let x: u64 = 6_000_000_000_000_000; }",
    ] {
        assert_eq!(whole(text), text);
    }
}

#[test]
fn nothing_is_held_back_that_cannot_become_something() {
    let (mut guard, cx) = (Guard::default(), context("{}"));
    let mut held = |chunk: &str| {
        OnOutput::check(&mut guard, &cx, &Subject::of("u"), Channel::Text, chunk, false).hold
    };
    assert_eq!(held("The answer is: "), 0);
    assert_eq!(held("words, and 4111 "), 5);
    assert_eq!(held("a sentence that ends in jo"), 2);
}

#[test]
fn a_pattern_of_ones_own_is_replaced_or_refused() {
    let cx = context(
        r#"{"formats": [], "patterns": [
            {"name": "project", "regex": "(?i)bluebird"},
            {"name": "weapon", "regex": "how to build a bomb", "then": "deny", "text": "Not here."}
        ]}"#,
    );
    assert_eq!(shown(&cx, &["BlueB", "ird flies"]), Ok("[project] flies".to_owned()));
    assert_eq!(shown(&cx, &["how to build", " a bomb?"]), Err("weapon".to_owned()));

    let mut chat = ChatRequest::new("m");
    chat.messages.push(Message::of(Role::User, "how to build a bomb"));
    let denial = Guard::on_message(&cx, &Subject::of("u"), &chat);
    assert_eq!(denial.denial().unwrap().text, "Not here.");
}

#[test]
fn a_message_is_cleaned_and_only_if_it_has_to_be() {
    let mut chat = ChatRequest::new("m");
    chat.messages.push(Message::of(Role::User, "my card is 4111111111111111"));
    let cleaned = Guard::on_message(&context("{}"), &Subject::of("u"), &chat);
    let expected = Message::of(Role::User, "my card is [card]");
    assert_eq!(edits(&cleaned), [(0, &expected)]);

    chat.messages = vec![Message::of(Role::User, "nothing")];
    assert!(Guard::on_message(&context("{}"), &Subject::of("u"), &chat).edits.is_empty());
}

fn edits(decision: &MessageDecision) -> Vec<(u32, &Message)> {
    let replacement = |edit| match edit {
        &Edit::Replace(Replacement { place, ref message }) => Some((place, message)),
        Edit::ReplaceLast(_) | Edit::PrependSystem(_) | Edit::Reroute(_) => None,
    };
    let replaced: Option<Vec<_>> = decision.edits.iter().map(replacement).collect();
    replaced.expect("nothing else")
}

fn part(content: Content) -> Part {
    Part { content, extras: Vec::new() }
}

fn of(role: Role, contents: Vec<Content>) -> Message {
    let parts = contents.into_iter().map(part).collect();
    Message { role, name: None, parts, extras: Vec::new() }
}

/// The places of a conversation that a model reads, each saying this.
fn places(text: &str) -> Vec<Message> {
    let arguments = format!("{{\"a\":\"{text}\"}}");
    let call = ToolCall {
        id: "1".into(),
        name: "f".into(),
        arguments: arguments.clone(),
        extras: Vec::new(),
    };
    let result = |content| ToolResult {
        id: "1".into(),
        name: "f".into(),
        content: vec![content],
        is_error: false,
    };
    let extra = Extra { key: "own".into(), value: arguments };
    let thought = Reasoning { text: text.to_owned(), signature: None };
    let mut refused = Message::of(Role::Assistant, "");
    refused.extras.push(extra.clone());
    let system = Message::of(Role::System, text);
    let mut all = vec![system, Message::of(Role::User, text), Message::of(Role::Assistant, text)];
    all.extend([
        of(Role::Assistant, vec![Content::ToolCall(call)]),
        of(Role::Tool, vec![Content::ToolResult(result(ToolContent::Text(text.to_owned())))]),
        of(Role::Tool, vec![Content::ToolResult(result(ToolContent::Other(extra.clone())))]),
        of(Role::Assistant, vec![Content::Reasoning(thought)]),
        of(Role::User, vec![Content::Other(extra)]),
        refused,
    ]);
    all
}

#[test]
fn everything_that_a_model_reads_is_cleaned_wherever_it_stands() {
    let (dirty, clean) = (places("by 4111111111111111!"), places("by [card]!"));
    let mut chat = ChatRequest::new("m");
    chat.messages.clone_from(&dirty);
    // The newest has nothing.
    chat.messages.push(Message::of(Role::User, "go on"));

    let decision = Guard::on_message(&context("{}"), &Subject::of("u"), &chat);

    let expected: Vec<(u32, &Message)> = (0..).zip(&clean).collect();
    assert_eq!(edits(&decision), expected);

    let deny = context(
        r#"{"formats": [], "patterns": [{"name": "no", "regex": "4111", "then": "deny"}]}"#,
    );
    for message in dirty {
        chat.messages = vec![message, Message::of(Role::User, "go on")];
        let decision = Guard::on_message(&deny, &Subject::of("u"), &chat);
        assert_eq!(decision.denial().map(|denial| denial.code.as_str()), Some("no"), "{chat:?}");
    }
}

#[test]
fn the_signature_of_a_thought_that_is_cleaned_is_gone() {
    let thought = |text: &str, signature: Option<&str>| {
        let signature = signature.map(str::to_owned);
        of(Role::Assistant, vec![Content::Reasoning(Reasoning { text: text.into(), signature })])
    };
    // Which only its vendor can read, whatever it looks like.
    let data = "{\"data\":\"4111111111111111\"}".to_owned();
    let hidden = Content::Other(Extra { key: "redacted_thinking".to_owned(), value: data });
    let mut chat = ChatRequest::new("m");
    chat.messages = vec![
        thought("4111111111111111", Some("s")),
        thought("so", Some("s")),
        of(Role::Assistant, vec![hidden]),
    ];
    let decision = Guard::on_message(&context("{}"), &Subject::of("u"), &chat);
    assert_eq!(edits(&decision), [(0, &thought("[card]", None))]);
}

#[test]
fn parts_of_a_message_are_one_text_and_each_is_one_too() {
    let texts = |texts: &[&str]| {
        of(Role::User, texts.iter().map(|text| Content::Text((*text).to_owned())).collect())
    };
    for (dirty, clean) in [
        (vec!["a 4111 1111 ", "1111 1111 b"], vec!["a [card]", " b"]),
        (vec!["a 4111", "1111", "11111111 b"], vec!["a [card]", "[card]", " b"]),
        (vec!["5", "4111111111111111"], vec!["5", "[card]"]),
        (vec!["x", "sk-abcdefghijklmnopqrstuvwx", ""], vec!["x", "[key]", ""]),
    ] {
        let mut chat = ChatRequest::new("m");
        chat.messages.push(texts(&dirty));
        let decision = Guard::on_message(&context("{}"), &Subject::of("u"), &chat);
        assert_eq!(edits(&decision), [(0, &texts(&clean))]);
    }
}

#[test]
fn a_text_of_beginnings_is_looked_through_or_refused() {
    let ask = |text: String| {
        let mut chat = ChatRequest::new("m");
        chat.messages.push(Message::of(Role::User, text));
        let own = r#"{"patterns": [{"name": "own", "regex": "secret.*project"}]}"#;
        let decision = Guard::on_message(&context(own), &Subject::of("u"), &chat);
        decision.denial().map(|denial| denial.code.clone())
    };
    // As long as a message may be, as far as the gateway's default goes.
    for begun in ["eyJ-", "a.a@", "4 ", "sk-", "-----BEGIN ", "+1 ", "(2"] {
        assert_eq!(ask(begun.repeat(10_000 / begun.len())), None, "{begun}");
    }
    let prose = "The quick brown fox jumps over the lazy dog while 42 other animals watch. ";
    assert_eq!(ask(prose.repeat((2 << 20) / prose.len())), None);
    assert_eq!(ask("secret ".repeat(100_000)), Some("too-long".to_owned()));
}

#[test]
fn a_pattern_that_cannot_be_is_refused_with_its_name() {
    for (regex, why) in [("(", "unclosed"), (r"\bword", "(?-u:"), ("x*", "empty")] {
        let regex = serde_json::to_string(regex).unwrap();
        let settings = format!(r#"{{"patterns": [{{"name": "mine", "regex": {regex}}}]}}"#);
        let refused = Context::<Settings>::read(&settings).unwrap_err().detail.unwrap();
        assert!(refused.contains("mine") && refused.contains(why), "{refused}");
    }
}

/// Texts in which something of everything stands beside everything.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("4111 1111 1111 1111".to_owned()),
        Just("4111111111111111".to_owned()),
        Just("5500-0000-0000-0004".to_owned()),
        Just("jo@example.org".to_owned()),
        Just("+49 30 1234567".to_owned()),
        Just("sk-abcdefghijklmnopqrstuvwx".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----\nAAAA\n".to_owned()),
        Just("-----END PRIVATE KEY-----".to_owned()),
        "[0-9]{1,20}",
        "[ -]{0,2}",
        "[a-z@.+]{0,6}",
        "\\PC{0,3}",
        Just("é👩‍👩‍👧".to_owned()),
        Just(" ".to_owned()),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn wherever_a_text_is_cut_the_same_is_shown(
        text in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut at: Vec<usize> =
            cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len() + 1))).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces: Vec<&str> = at.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap()).collect();
        prop_assert_eq!(shown(&context("{}"), &pieces).unwrap(), whole(&text));
    }

    #[test]
    fn no_card_is_shown_however_it_is_cut(
        before in "[^0-9]{0,8}",
        after in "[^0-9 -]{0,8}",
        every in 1_usize..9,
    ) {
        let text = format!("{before} 4111-1111 1111 1111{after}");
        let characters: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = characters.chunks(every).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let shown = shown(&context("{}"), &pieces).unwrap();
        prop_assert!(shown.contains("[card]") && !shown.contains("1111"), "{}", shown);
    }
}
