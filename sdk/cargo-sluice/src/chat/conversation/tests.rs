use super::*;

fn frame(json: &str) -> Incoming {
    serde_json::from_str(json).expect("a frame")
}

fn told(step: &Step) -> Vec<&Show> {
    step.show.iter().collect()
}

/// A conversation whose first message is stored as `m1` in session `s`.
fn asked() -> Conversation {
    let mut chat = Conversation::new(None);
    chat.hear(frame(r#"{"type":"connection_status","models":[{"id":"echo","name":"Echo"}]}"#));
    chat.ask("hi".to_owned(), "c1".to_owned());
    chat.hear(frame(
        r#"{"type":"ack","session_id":"s","epoch":1,"seq":1,"message_id":"m1","client_message_id":"c1"}"#,
    ));
    chat
}

fn piece(seq: u64, offset: usize, content: &str) -> Incoming {
    frame(&format!(
        r#"{{"type":"ai_response","session_id":"s","epoch":1,"seq":{seq},"in_reply_to":"m1","offset":{offset},"content":"{content}"}}"#
    ))
}

fn last_piece(seq: u64, reason: &str) -> Incoming {
    frame(&format!(
        r#"{{"type":"ai_response","session_id":"s","epoch":1,"seq":{seq},"in_reply_to":"m1","metadata":{{"done":"true"}},"finish_reason":"{reason}"}}"#
    ))
}

#[test]
fn an_answer_is_shown_piece_by_piece_until_it_is_over() {
    let mut chat = asked();

    let first = chat.hear(piece(3, 0, "he"));
    let second = chat.hear(piece(4, 2, "llo"));
    let end = chat.hear(last_piece(5, "stop"));

    assert_eq!(told(&first), [&Show::Text("he".to_owned())]);
    assert_eq!(told(&second), [&Show::Text("llo".to_owned())]);
    assert_eq!(told(&end), [&Show::End]);
    assert!(!chat.is_busy());
    assert_eq!(chat.failures(), 0);
}

#[test]
fn a_new_connection_resumes_where_the_old_one_broke_and_shows_nothing_twice() {
    let mut chat = asked();
    chat.hear(piece(3, 0, "he"));

    let opened = chat.hear(frame(r#"{"type":"connection_status"}"#));
    chat.hear(frame(r#"{"type":"connection_status","session_id":"s","resumed":true}"#));
    let merged = chat.hear(piece(5, 0, "hello"));

    let resume = Outgoing::Resume { session_id: "s".to_owned(), epoch: 1, seq: 3 };
    assert_eq!(opened.send, [resume]);
    assert_eq!(told(&merged), [&Show::Text("llo".to_owned())]);
}

#[test]
fn a_message_that_may_not_have_arrived_is_sent_again_under_the_same_id() {
    let mut chat = Conversation::new(None);
    let first = chat.ask("hi".to_owned(), "c1".to_owned());

    let again = chat.hear(frame(r#"{"type":"connection_status"}"#));

    assert_eq!(again.send, first.send);
}

#[test]
fn an_answer_that_broke_off_is_over_when_its_error_came() {
    let mut chat = asked();
    chat.hear(piece(3, 0, "he"));
    chat.hear(last_piece(4, "error"));
    assert!(chat.is_busy());

    let told = chat.hear(frame(
        r#"{"type":"error","client_message_id":"c1","error":{"code":"LLM_TIMEOUT","message":"Too slow"}}"#,
    ));

    assert_eq!(told.show, [Show::Note("Too slow (LLM_TIMEOUT)".to_owned())]);
    assert!(!chat.is_busy());
    assert_eq!(chat.failures(), 1);
}

#[test]
fn a_cut_answer_says_how_it_ended() {
    let mut chat = asked();

    assert_eq!(chat.cancel().send, [Outgoing::Cancel { session_id: Some("s".to_owned()) }]);
    let end = chat.hear(last_piece(3, "cancelled"));

    assert_eq!(end.show, [Show::End, Show::Note("(cancelled)".to_owned())]);
    assert!(chat.cancel().send.is_empty());
}

#[test]
fn a_position_that_is_gone_ends_the_wait() {
    let mut chat = asked();

    chat.hear(frame(r#"{"type":"connection_status"}"#));
    let lost = chat.hear(frame(
        r#"{"type":"connection_status","session_id":"s","epoch":2,"seq":9,"resumed":false}"#,
    ));

    assert_eq!(lost.show.len(), 1);
    assert!(!chat.is_busy());
}

#[test]
fn a_model_is_chosen_among_those_on_offer() {
    let mut chat = asked();

    let unknown = chat.choose_model("none");
    chat.choose_model("echo");

    assert_eq!(unknown.show, [Show::Note("no model `none`; there are: echo".to_owned())]);
    let asked = chat.ask("x".to_owned(), "c2".to_owned()).send;
    let [Outgoing::UserMessage { model_id, session_id, .. }] = asked.as_slice() else {
        panic!("one message, not {asked:?}");
    };
    assert_eq!((model_id.as_deref(), session_id.as_deref()), (Some("echo"), Some("s")));
}

#[test]
fn a_new_conversation_leaves_the_old_one() {
    let mut chat = asked();
    chat.hear(last_piece(3, "stop"));

    let left = chat.begin_anew();

    assert_eq!(left.send, [Outgoing::Detach { session_id: "s".to_owned() }]);
    assert!(chat.hear(piece(4, 0, "late")).show.is_empty());
}

#[test]
fn a_piece_of_another_session_is_not_shown() {
    let mut chat = asked();

    let foreign = chat.hear(frame(
        r#"{"type":"ai_response","session_id":"t","epoch":1,"seq":2,"in_reply_to":"m1","content":"no"}"#,
    ));

    assert!(foreign.show.is_empty());
}
