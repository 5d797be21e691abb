use proptest::prelude::*;

use super::*;

fn id(name: &str) -> MessageId {
    MessageId::parse(name).unwrap()
}

fn log(bytes: usize) -> Log {
    Log::new(Position::default(), Bounds { bytes, age_ms: 1_000 })
}

fn head(name: &str) -> AnswerHead {
    AnswerHead {
        answer: id(name),
        in_reply_to: id("question"),
        model: ModelId::parse("echo").unwrap(),
    }
}

fn written(content: &str, at: u64) -> Written {
    Written {
        message: id("question"),
        sender: Sender::User,
        content: content.to_owned(),
        at: Instant(at),
        origin: None,
    }
}

const END: AnswerEnd =
    AnswerEnd { ending: Ending::Stop, tokens: Tokens { input: 1, output: 1, estimated: false } };

fn read(log: &Log, from: Seq) -> Vec<Delivery> {
    let mut cursor = from;
    let mut deliveries = Vec::new();
    while let Some(delivery) = log.after(cursor, log.head().seq).unwrap() {
        cursor = delivery.last;
        deliveries.push(delivery);
    }
    deliveries
}

fn text_of(deliveries: &[Delivery]) -> String {
    let pieces = deliveries.iter().filter_map(|delivery| match &delivery.event {
        Event::Piece { text, .. } => Some(text.as_str()),
        Event::Written(_) | Event::Loading(_) | Event::Model(_) => None,
    });
    pieces.collect()
}

#[test]
fn a_reader_that_kept_up_gets_each_event_by_itself() {
    let mut log = log(10_000);
    log.written(written("hi", 0));
    log.loading(head("a"), Instant(0));
    log.text("Once", Instant(1));

    let last = log.after(Seq(2), log.head().seq).unwrap().unwrap();

    assert_eq!((last.first, last.last), (Seq(3), Seq(3)));
    assert_eq!(log.after(Seq(3), log.head().seq), Ok(None));
}

#[test]
fn a_reader_that_fell_behind_gets_pieces_merged_with_the_range_they_cover() {
    let mut log = log(10_000);
    log.loading(head("a"), Instant(0));
    for word in ["Once", " upon", " a time"] {
        log.text(word, Instant(1));
    }
    log.end(END, Instant(2));

    let deliveries = read(&log, Seq(2));

    let [only] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_eq!((only.first, only.last), (Seq(3), Seq(5)));
    let Event::Piece { offset, text, end, .. } = &only.event else { panic!("{only:?}") };
    assert_eq!((*offset, text.as_str(), *end), (4, " upon a time", Some(END)));
}

#[test]
fn other_events_between_pieces_keep_their_place() {
    let mut log = log(10_000);
    log.loading(head("a"), Instant(0));
    log.text("one", Instant(0));
    log.model(ModelId::parse("other").unwrap(), Instant(0));
    log.text("two", Instant(0));

    let deliveries = read(&log, Seq(0));

    assert_eq!(deliveries.len(), 4);
    let Event::Piece { offset, text, .. } = &deliveries[3].event else { panic!() };
    assert_eq!((*offset, text.as_str()), (3, "two"));
}

#[test]
fn a_reader_never_sees_past_the_place_it_asked_for() {
    let mut log = log(10_000);
    log.loading(head("a"), Instant(0));
    log.text("one", Instant(0));
    log.text("two", Instant(0));

    let delivery = log.after(Seq(1), Seq(2)).unwrap().unwrap();

    assert_eq!(delivery.last, Seq(2));
    assert_eq!(log.after(Seq(2), Seq(2)), Ok(None));
}

#[test]
fn who_comes_in_the_middle_of_an_answer_begins_before_it() {
    let mut log = log(10_000);
    log.written(written("hi", 0));
    assert_eq!(log.entrance(), Seq(1));
    log.loading(head("a"), Instant(0));
    log.text("Once", Instant(0));

    assert_eq!(log.entrance(), Seq(1));
    assert_eq!(text_of(&read(&log, log.entrance())), "Once");
    log.end(END, Instant(0));
    assert_eq!(log.entrance(), log.head().seq);
}

#[test]
fn the_running_answer_stays_whole_whatever_its_size() {
    let mut log = log(100);
    log.written(written("hi", 0));
    log.loading(head("a"), Instant(0));
    for _ in 0..100 {
        log.text("0123456789", Instant(0));
    }

    assert_eq!(text_of(&read(&log, Seq(1))).len(), 1_000);
    assert!(!log.reaches(Position::default()), "the message before it is gone");
    log.end(END, Instant(0));
    log.written(written("next", 0));
    assert!(!log.reaches(Position { epoch: Epoch(0), seq: Seq(1) }));
}

#[test]
fn what_is_too_old_goes() {
    let mut log = log(10_000);
    log.written(written("hi", 0));
    log.written(written("ho", 900));
    log.trim(Instant(1_500));

    assert_eq!(log.after(Seq(0), Seq(2)), Err(FellBehind));
    assert_eq!(read(&log, Seq(1)).len(), 1);
}

#[test]
fn a_position_of_another_epoch_or_ahead_of_the_head_is_not_reached() {
    let mut log = log(10_000);
    log.written(written("hi", 0));

    assert!(log.reaches(Position { epoch: Epoch(0), seq: Seq(1) }));
    assert!(!log.reaches(Position { epoch: Epoch(0), seq: Seq(2) }));
    assert!(!log.reaches(Position { epoch: Epoch(1), seq: Seq(1) }));
}

#[test]
fn a_merged_piece_is_bounded() {
    let mut log = log(10_000_000);
    log.loading(head("a"), Instant(0));
    for _ in 0..100 {
        log.text(&"x".repeat(1_000), Instant(0));
    }

    let deliveries = read(&log, Seq(1));

    assert!(deliveries.len() > 5);
    assert_eq!(text_of(&deliveries).len(), 100_000);
}

#[derive(Debug, Clone)]
enum Step {
    Write(String),
    Answer(Vec<String>),
    Read(usize),
}

proptest! {
    /// Readers that look at different times see the same texts in the same order, every number once.
    #[test]
    fn all_readers_see_the_same(steps in prop::collection::vec(prop_oneof![
        "[a-zé🙂]{0,6}".prop_map(Step::Write),
        prop::collection::vec("[a-zé🙂]{0,4}", 0..6).prop_map(Step::Answer),
        (0..3_usize).prop_map(Step::Read),
    ], 0..30)) {
        let mut log = log(1_000_000);
        let mut readers: [(Seq, String); 3] = Default::default();
        let mut catch_up = |log: &Log, reader: usize| {
            let (cursor, seen) = &mut readers[reader];
            for delivery in read(log, *cursor) {
                assert_eq!(delivery.first, cursor.next());
                *cursor = delivery.last;
                match delivery.event {
                    Event::Written(written) => { seen.push('|'); seen.push_str(&written.content); }
                    Event::Loading(_) => seen.push('>'),
                    Event::Piece { text, end, .. } => {
                        seen.push_str(&text);
                        if end.is_some() { seen.push('<'); }
                    }
                    Event::Model(_) => {}
                }
            }
            seen.clone()
        };
        for step in steps {
            match step {
                Step::Write(text) => { log.written(written(&text, 0)); }
                Step::Answer(words) => {
                    log.loading(head("a"), Instant(0));
                    for (index, word) in words.iter().enumerate() {
                        log.text(word, Instant(0));
                        if index == 1 { catch_up(&log, 2); }
                    }
                    log.end(END, Instant(0));
                }
                Step::Read(reader) => { catch_up(&log, reader); }
            }
        }
        let all: Vec<String> = (0..3).map(|reader| catch_up(&log, reader)).collect();
        prop_assert_eq!(&all[0], &all[1]);
        prop_assert_eq!(&all[1], &all[2]);
    }

    /// Bytes are counted right: a log that was emptied by age holds nothing.
    #[test]
    fn what_is_forgotten_is_given_back(words in prop::collection::vec("[a-z]{0,8}", 0..20)) {
        let mut log = log(1_000_000);
        log.loading(head("a"), Instant(0));
        for word in &words {
            log.text(word, Instant(0));
        }
        log.end(END, Instant(0));
        log.trim(Instant(1_000_000));
        prop_assert_eq!((log.bytes, log.ring.len(), log.answers.len()), (0, 0, 0));
    }
}
