use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::event::ErrorKind;
use crate::id::{ClientMessageId, ModelId, UserId};

fn message(name: &str) -> MessageId {
    MessageId::parse(name).unwrap()
}

fn asker(connection: u64, client: Option<&str>) -> Asker {
    let client = client.and_then(ClientMessageId::parse);
    Asker { caller: Arc::default(), connection: ConnectionId(connection), client }
}

fn saying(connection: u64, client: Option<&str>, content: &str) -> Say {
    let digest = [u8::try_from(content.len()).unwrap(); 32];
    let asker = asker(connection, client);
    Say { asker, speaker: Speaker::User, content: content.to_owned(), model: None, digest }
}

fn question() -> Question {
    Question { message: message("m"), answer: message("a"), model: ModelId::parse("echo").unwrap() }
}

fn ended(ending: Ending) -> Input {
    let failure = (ending == Ending::Error).then_some(ErrorKind::Protocol);
    Input::Ended(Outcome { ending, failure })
}

fn said(text: &str) -> Input {
    Input::Said(text.to_owned())
}

fn cancel(which: Option<MessageId>) -> Input {
    Input::Cancel { asker: asker(1, None), which }
}

fn operator(name: &str) -> Operator {
    Operator { id: UserId::parse(name).unwrap(), name: name.to_owned() }
}

fn of_operator(name: &str, content: &str) -> Say {
    Say { speaker: Speaker::Operator(operator(name).id), ..saying(9, None, content) }
}

/// Lets an operator take over a turn, whose archive agrees.
fn taken_over(mut turn: Turn, name: &str) -> Turn {
    turn.on(Input::TakeOver(operator(name)));
    turn.on(Input::Claimed(Ok(Fence(1))));
    turn.on(Input::Committed { stored: true });
    turn
}

/// A turn whose answer to `say` is running.
fn answering(say: &Say) -> Turn {
    let mut turn = Turn::new(2, Tenure::default());
    turn.on(Input::Say(say.clone()));
    turn.on(Input::Screened(Ok(say.clone())));
    turn.on(Input::Saved(Saved::Stored(question())));
    turn
}

#[test]
fn a_message_is_screened_saved_asked_committed_and_closed_in_that_order() {
    let say = saying(1, None, "hello");
    let mut turn = Turn::new(2, Tenure::default());

    assert_eq!(turn.on(Input::Say(say.clone())), [Effect::Screen(say.clone())]);
    assert_eq!(turn.on(Input::Screened(Ok(say.clone()))), [Effect::Save(say)]);
    assert_eq!(turn.on(Input::Saved(Saved::Stored(question()))), [Effect::Ask(question())]);
    assert_eq!(turn.on(said("hi")), [Effect::Show("hi".to_owned())]);
    let closing = Closing { question: question(), ending: Ending::Stop };
    assert_eq!(turn.on(ended(Ending::Stop)), [Effect::Commit(closing.clone())]);
    assert_eq!(turn.on(Input::Committed { stored: true }), [Effect::Close(closing)]);
    assert!(turn.is_idle());
}

#[test]
fn a_failed_answer_is_closed_before_its_asker_is_told() {
    let say = saying(7, Some("c"), "hello");
    let mut turn = answering(&say);

    turn.on(ended(Ending::Error));
    let effects = turn.on(Input::Committed { stored: true });

    let [Effect::Close(closing), Effect::Refuse(told, Refusal::Failed(ErrorKind::Protocol))] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!((closing.ending, told), (Ending::Error, &say.asker));
}

#[test]
fn an_answer_that_cannot_be_stored_never_ends_with_stop() {
    let mut turn = answering(&saying(1, None, "hello"));

    turn.on(ended(Ending::Stop));
    let effects = turn.on(Input::Committed { stored: false });

    assert!(matches!(&effects[0], Effect::Close(closing) if closing.ending == Ending::Error));
    assert!(matches!(&effects[1], Effect::Refuse(_, Refusal::NotStored)));
}

#[test]
fn cancel_hangs_up_keeps_what_was_said_and_drops_what_waits() {
    let mut turn = answering(&saying(1, None, "hello"));
    turn.on(Input::Say(saying(2, Some("w"), "next")));

    let effects = turn.on(cancel(None));

    assert_eq!(effects[0], Effect::HangUp);
    assert!(matches!(&effects[1], Effect::Commit(closing) if closing.ending == Ending::Cancelled));
    assert_eq!(effects[2], Effect::Refuse(asker(2, Some("w")), Refusal::Cancelled));
}

#[test]
fn a_cancel_that_names_another_answer_changes_nothing() {
    let mut turn = answering(&saying(1, None, "hello"));

    assert_eq!(turn.on(cancel(Some(message("gone")))), []);
    assert_eq!(turn.on(cancel(Some(message("a"))))[0], Effect::HangUp);
}

#[test]
fn messages_wait_in_order_up_to_the_queue_and_no_further() {
    let mut turn = answering(&saying(1, None, "hello"));

    assert_eq!(turn.on(Input::Say(saying(1, None, "a"))), []);
    assert_eq!(turn.on(Input::Say(saying(1, None, "bb"))), []);
    let refused = turn.on(Input::Say(saying(9, None, "ccc")));
    assert_eq!(refused, [Effect::Refuse(asker(9, None), Refusal::Busy)]);
    turn.on(ended(Ending::Stop));
    let effects = turn.on(Input::Committed { stored: true });
    assert_eq!(effects[1], Effect::Screen(saying(1, None, "a")));
}

#[test]
fn a_waiting_message_sent_again_is_not_doubled_and_its_new_sender_hears_of_it() {
    let mut turn = answering(&saying(1, None, "hello"));
    turn.on(Input::Say(saying(1, Some("c"), "next")));

    assert_eq!(turn.on(Input::Say(saying(2, Some("c"), "next"))), []);
    let conflict = turn.on(Input::Say(saying(3, Some("c"), "other")));
    assert_eq!(conflict, [Effect::Refuse(asker(3, Some("c")), Refusal::Conflict)]);
    turn.on(ended(Ending::Stop));
    let effects = turn.on(Input::Committed { stored: true });
    assert_eq!(effects[1..], [Effect::Screen(saying(2, Some("c"), "next"))]);
}

#[test]
fn a_message_sent_again_while_its_answer_runs_is_acknowledged_at_once() {
    let mut turn = answering(&saying(1, Some("c"), "hello"));

    let again = turn.on(Input::Say(saying(2, Some("c"), "hello")));
    let other = turn.on(Input::Say(saying(3, Some("c"), "different")));

    assert_eq!(again, [Effect::AckAgain(asker(2, Some("c")))]);
    assert_eq!(other, [Effect::Refuse(asker(3, Some("c")), Refusal::Conflict)]);
    turn.on(ended(Ending::Error));
    let effects = turn.on(Input::Committed { stored: true });
    assert!(matches!(&effects[1], Effect::Refuse(told, _) if told.connection == ConnectionId(2)));
}

#[test]
fn a_cancel_while_the_message_is_being_saved_stops_the_answer_before_it_is_asked() {
    let say = saying(1, None, "hello");
    let mut turn = Turn::new(2, Tenure::default());
    turn.on(Input::Say(say.clone()));
    turn.on(Input::Screened(Ok(say.clone())));

    turn.on(cancel(None));
    let effects = turn.on(Input::Saved(Saved::Stored(question())));

    assert_eq!(effects, [Effect::Refuse(say.asker, Refusal::Cancelled)]);
}

#[test]
fn after_drain_nothing_new_begins() {
    let mut turn = answering(&saying(1, None, "hello"));

    assert_eq!(turn.on(Input::Drain)[0], Effect::HangUp);
    let refused = turn.on(Input::Say(saying(1, None, "more")));
    assert_eq!(refused, [Effect::Refuse(asker(1, None), Refusal::Busy)]);
    turn.on(Input::Committed { stored: true });
    assert!(turn.is_idle());
}

#[test]
fn a_takeover_cuts_what_runs_and_lets_the_operator_in_once_it_is_closed() {
    let mut turn = answering(&saying(1, None, "hello"));

    assert_eq!(turn.on(Input::TakeOver(operator("o"))), [Effect::Claim(operator("o"))]);
    assert_eq!(turn.on(said("still")), [Effect::Show("still".to_owned())], "nothing is decided");
    let closing = Closing { question: question(), ending: Ending::Takeover };
    assert_eq!(
        turn.on(Input::Claimed(Ok(Fence(1)))),
        [Effect::HangUp, Effect::Commit(closing.clone())]
    );
    assert_eq!(turn.on(said("too late")), []);
    assert_eq!(
        turn.on(Input::Committed { stored: true }),
        [Effect::Close(closing), Effect::Join(operator("o"))]
    );
    let held = Some(operator("o"));
    assert_eq!(*turn.tenure(), Tenure { mode: Mode::Operator, fence: Fence(1), operator: held });
}

#[test]
fn an_answer_to_a_claim_that_nobody_made_changes_nothing() {
    let mut turn = answering(&saying(1, None, "hello"));
    turn.on(Input::TakeOver(operator("o")));
    turn.on(Input::Claimed(Ok(Fence(1))));

    assert_eq!(turn.on(Input::Claimed(Ok(Fence(7)))), []);
    let effects = turn.on(Input::Committed { stored: true });

    assert_eq!(effects.last(), Some(&Effect::Join(operator("o"))));
    assert_eq!(turn.tenure().fence, Fence(1));
}

#[test]
fn a_takeover_that_the_archive_refuses_leaves_the_answer_alone() {
    let mut turn = answering(&saying(1, None, "hello"));
    turn.on(Input::TakeOver(operator("o")));

    let declined = turn.on(Input::Claimed(Err(Refusal::NotStored)));

    assert_eq!(declined, [Effect::Decline(Declined::Refused(Refusal::NotStored))]);
    assert_eq!(*turn.tenure(), Tenure::default());
    assert_eq!(turn.on(said("on")), [Effect::Show("on".to_owned())]);
}

#[test]
fn messages_that_wait_go_to_the_operator_and_never_to_the_model() {
    let mut turn = answering(&saying(1, None, "hello"));
    turn.on(Input::Say(saying(1, None, "more")));
    turn.on(Input::TakeOver(operator("o")));
    turn.on(Input::Claimed(Ok(Fence(1))));

    let effects = turn.on(Input::Committed { stored: true });

    let more = saying(1, None, "more");
    assert_eq!(effects[1..], [Effect::Join(operator("o")), Effect::Screen(more.clone())]);
    assert_eq!(turn.on(Input::Screened(Ok(more.clone()))), [Effect::Save(more)]);
    assert_eq!(turn.on(Input::Saved(Saved::Stored(question()))), []);
    assert!(turn.is_idle());
}

#[test]
fn meanwhile_cancel_and_regenerate_are_refused_and_only_the_holder_speaks_as_an_operator() {
    let mut turn = taken_over(Turn::new(2, Tenure::default()), "o");

    let not_yours = |asker| [Effect::Refuse(asker, Refusal::NotYours)];
    assert_eq!(turn.on(cancel(None)), not_yours(asker(1, None)));
    assert_eq!(turn.on(Input::Regenerate(asker(1, None))), not_yours(asker(1, None)));
    assert_eq!(turn.on(Input::Say(of_operator("p", "me too"))), not_yours(asker(9, None)));
    let say = of_operator("o", "I am here");
    assert_eq!(turn.on(Input::Say(say.clone())), [Effect::Screen(say)]);
}

#[test]
fn a_session_that_is_held_is_not_claimed_again_and_names_its_holder() {
    let mut turn = taken_over(Turn::new(2, Tenure::default()), "o");

    for name in ["o", "p"] {
        let held = Declined::Held(operator("o"));
        assert_eq!(turn.on(Input::TakeOver(operator(name))), [Effect::Decline(held)]);
    }
}

#[test]
fn after_a_release_the_model_answers_again_and_the_operator_is_silent() {
    let mut turn = taken_over(Turn::new(2, Tenure::default()), "o");

    assert_eq!(turn.on(Input::Release), [Effect::Release]);
    assert_eq!(turn.on(Input::Released(Ok(Fence(2)))), [Effect::Leave(operator("o"))]);
    assert_eq!(*turn.tenure(), Tenure { fence: Fence(2), ..Tenure::default() });
    assert_eq!(turn.on(Input::Release), [Effect::Decline(Declined::NotHeld)]);
    let refused = turn.on(Input::Say(of_operator("o", "one more thing")));
    assert_eq!(refused, [Effect::Refuse(asker(9, None), Refusal::NotYours)]);
}

fn any_input() -> impl Strategy<Value = Input> {
    let say = (0..3_u64, prop::option::of("[ab]"), "[a-c]{1,3}")
        .prop_map(|(connection, client, content)| saying(connection, client.as_deref(), &content));
    let ending = prop::sample::select(vec![Ending::Stop, Ending::Length, Ending::Error]);
    prop_oneof![
        4 => say.clone().prop_map(Input::Say),
        1 => Just(Input::Regenerate(asker(1, None))),
        1 => prop::option::of("[am]").prop_map(|id| cancel(id.as_deref().map(message))),
        3 => say.prop_map(|say| Input::Screened(Ok(say))),
        1 => Just(Input::Screened(Err(Refusal::InvalidModel))),
        3 => Just(Input::Saved(Saved::Stored(question()))),
        1 => Just(Input::Saved(Saved::Already)),
        1 => Just(Input::Saved(Saved::Refused(Refusal::Conflict))),
        1 => Just(Input::Recalled(Ok(question()))),
        1 => Just(Input::Recalled(Err(Refusal::NothingToAnswer))),
        4 => "[a-z]{0,3}".prop_map(|text| said(&text)),
        3 => ending.prop_map(ended),
        3 => any::<bool>().prop_map(|stored| Input::Committed { stored }),
        1 => "[op]".prop_map(|name| Input::TakeOver(operator(&name))),
        2 => (0..9_u64).prop_map(|fence| Input::Claimed(Ok(Fence(fence)))),
        1 => Just(Input::Claimed(Err(Refusal::NotStored))),
        1 => Just(Input::Release),
        1 => (0..9_u64).prop_map(|fence| Input::Released(Ok(Fence(fence)))),
        1 => "[op]".prop_map(|name| Input::Say(of_operator(&name, "here"))),
    ]
}

proptest! {
    /// Whatever arrives in whatever order: one ask is open at a time, each is committed once and closed once, nothing is shown
    /// outside of it, and nothing is screened or saved while it runs.
    #[test]
    fn every_ask_is_committed_once_and_closed_once(inputs in prop::collection::vec(any_input(), 0..60)) {
        let mut turn = Turn::new(2, Tenure::default());
        let (mut open, mut committing) = (false, false);
        for effect in inputs.into_iter().flat_map(|input| turn.on(input)) {
            match effect {
                Effect::Ask(_) => {
                    prop_assert!(!open && !committing);
                    open = true;
                }
                Effect::Show(text) => prop_assert!(open && !text.is_empty()),
                Effect::HangUp => prop_assert!(open),
                Effect::Commit(_) => {
                    prop_assert!(open && !committing);
                    (open, committing) = (false, true);
                }
                Effect::Close(_) => {
                    prop_assert!(committing);
                    committing = false;
                }
                Effect::Screen(_) | Effect::Save(_) | Effect::Recall(_) => {
                    prop_assert!(!open && !committing);
                }
                Effect::Refuse(..)
                | Effect::AckAgain(_)
                | Effect::Claim(_)
                | Effect::Release
                | Effect::Join(_)
                | Effect::Leave(_)
                | Effect::Decline(_) => {}
            }
        }
    }

    /// Whatever arrives in whatever order: from the moment an operator has joined until they leave, nothing of the model is asked,
    /// shown, committed or closed, and nobody else joins.
    #[test]
    fn nothing_of_the_model_comes_while_an_operator_is_there(inputs in prop::collection::vec(any_input(), 0..80)) {
        let mut turn = Turn::new(2, Tenure::default());
        let mut held: Option<Operator> = None;
        for effect in inputs.into_iter().flat_map(|input| turn.on(input)) {
            match effect {
                Effect::Join(operator) => prop_assert!(held.replace(operator).is_none()),
                Effect::Leave(operator) => prop_assert_eq!(held.take(), Some(operator)),
                Effect::Ask(_)
                | Effect::Show(_)
                | Effect::HangUp
                | Effect::Commit(_)
                | Effect::Close(_)
                | Effect::Recall(_)
                | Effect::Claim(_) => prop_assert!(held.is_none(), "{effect:?}"),
                Effect::Save(_)
                | Effect::Screen(_)
                | Effect::Refuse(..)
                | Effect::AckAgain(_)
                | Effect::Release
                | Effect::Decline(_) => {}
            }
        }
        prop_assert_eq!(turn.tenure().operator.is_some(), turn.tenure().mode == Mode::Operator);
    }

    /// Every message gets exactly one of: saved, refused, taken for one that is on its way already. None is forgotten.
    #[test]
    fn no_message_is_forgotten(says in prop::collection::vec("[a-c]{1,3}", 1..12)) {
        let mut turn = Turn::new(3, Tenure::default());
        let (mut saved, mut refused) = (0, 0);
        let mut work = VecDeque::new();
        for content in &says {
            work.extend(turn.on(Input::Say(saying(1, None, content))));
        }
        while let Some(effect) = work.pop_front() {
            let input = match effect {
                Effect::Screen(say) => Input::Screened(Ok(say)),
                Effect::Save(_) => {
                    saved += 1;
                    Input::Saved(Saved::Stored(question()))
                }
                Effect::Ask(_) => ended(Ending::Stop),
                Effect::Commit(_) => Input::Committed { stored: true },
                Effect::Refuse(..) => {
                    refused += 1;
                    continue;
                }
                Effect::Recall(_)
                | Effect::Show(_)
                | Effect::HangUp
                | Effect::AckAgain(_)
                | Effect::Close(_)
                | Effect::Claim(_)
                | Effect::Release
                | Effect::Join(_)
                | Effect::Leave(_)
                | Effect::Decline(_) => continue,
            };
            work.extend(turn.on(input));
        }
        prop_assert_eq!(saved + refused, says.len());
        prop_assert!(turn.is_idle());
    }
}
