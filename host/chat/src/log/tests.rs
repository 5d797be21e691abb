use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::answer::{Ending, Tokens};
use crate::bill::{Bill, Counted};
use crate::id::MessageId;
use crate::turn::Sender;

fn id(name: &str) -> MessageId {
    MessageId::parse(name).unwrap()
}

fn log(bytes: usize) -> Log {
    Log::new(Position::default(), Bounds { bytes, past_bytes: 100_000, age_ms: 1_000 })
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

const END: AnswerEnd = AnswerEnd { ending: Ending::Stop, bill: BILL };
const BILL: Bill = Bill {
    counted: Counted {
        tokens: Tokens { input: 1, output: 1, estimated: false },
        cached_input: 0,
        cache_write: 0,
        reasoning: 0,
    },
    cost_micros: Some(1),
};

fn read(log: &Log, from: Seq) -> Vec<Delivery> {
    let mut cursor = from;
    let mut deliveries = Vec::new();
    while let Some(next) = log.after(cursor, log.head().seq).unwrap() {
        let delivery = ready(next);
        cursor = delivery.last;
        deliveries.push(delivery);
    }
    deliveries
}

fn ready(next: Next) -> Delivery {
    match next {
        Next::Ready(delivery) => delivery,
        Next::Stored(recall) => panic!("it is not in memory any more: {recall:?}"),
    }
}

fn text_of(deliveries: &[Delivery]) -> String {
    let pieces = deliveries.iter().filter_map(|delivery| match &delivery.event {
        Event::Piece { text, .. } => Some(text.as_str()),
        Event::Written(_)
        | Event::Loading(_)
        | Event::Model(_)
        | Event::Name(_)
        | Event::Mode(_)
        | Event::Joined(_)
        | Event::Left(_) => None,
    });
    pieces.collect()
}

#[test]
fn a_reader_that_kept_up_gets_each_event_by_itself() {
    let mut log = log(10_000);
    log.written(written("hi", 0));
    log.loading(head("a"), Instant(0));
    log.text("Once", Instant(1));

    let last = ready(log.after(Seq(2), log.head().seq).unwrap().unwrap());

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

    let delivery = ready(log.after(Seq(1), Seq(2)).unwrap().unwrap());

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
    let before = log.after(Seq(0), Seq(1)).unwrap();
    assert!(matches!(before, Some(Next::Stored(_))), "the message before it is in the archive");
    log.end(END, Instant(0));
    log.written(written("next", 0));
    assert!(log.reaches(Position { epoch: Epoch(0), seq: Seq(1) }), "by its shape");
    assert!(matches!(log.after(Seq(2), log.head().seq), Ok(Some(Next::Stored(_)))));
}

#[test]
fn a_position_in_the_middle_of_an_answer_that_is_long_over_is_served_from_its_stored_text() {
    let mut log = log(0);
    log.written(written("hi", 0));
    log.loading(head("a"), Instant(0));
    for word in ["Once", " upon", " a time"] {
        log.text(word, Instant(1));
    }
    log.end(END, Instant(2));
    assert_eq!(log.bytes, 0, "nothing of it is in the ring");

    let Ok(Some(Next::Stored(recall))) = log.after(Seq(3), log.head().seq) else { panic!() };

    assert_eq!((recall.place, recall.message()), (Seq(2), &id("a")));
    assert_eq!(recall.clone().with("Once upo"), None, "not the text that was shown");
    let delivery = recall.with("Once upon a time").unwrap();
    assert_eq!((delivery.first, delivery.last), (Seq(4), Seq(6)));
    let Event::Piece { offset, text, end, .. } = delivery.event else { panic!() };
    assert_eq!((offset, text.as_str(), end), (4, " upon a time", Some(END)));
}

#[test]
fn what_is_remembered_is_bounded_too() {
    let mut log =
        Log::new(Position::default(), Bounds { bytes: 0, past_bytes: 10_000, age_ms: 1_000 });
    log.loading(head("a"), Instant(0));
    for _ in 0..10_000 {
        log.text("word", Instant(0));
    }
    log.end(END, Instant(0));

    assert!(!log.reaches(Position { epoch: Epoch(0), seq: Seq(1) }));
    assert!(log.reaches(Position { epoch: Epoch(0), seq: Seq(9_600) }));
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
    Model,
    Read(usize),
}

/// All that a reader gets from a place on, as one text however it was merged. Checks that each event is covered once.
fn seen(log: &Log, from: Seq, archive: &BTreeMap<Seq, String>) -> String {
    let (mut cursor, mut all, mut at) = (from, Vec::new(), None);
    while let Some(next) = log.after(cursor, log.head().seq).unwrap() {
        let delivery = match next {
            Next::Ready(delivery) => delivery,
            Next::Stored(recall) => {
                let stored = &archive[&recall.place];
                recall.with(stored).expect("the archive has what was shown")
            }
        };
        assert_eq!(delivery.first, cursor.next());
        assert!(delivery.first <= delivery.last);
        cursor = delivery.last;
        match delivery.event {
            Event::Written(written) => all.push(format!("|{}", written.content)),
            Event::Loading(head) => all.push(format!(">{}", head.answer)),
            Event::Model(model) => all.push(format!("@{model}")),
            Event::Name(name) => all.push(format!("#{name}")),
            Event::Mode(mode) => all.push(format!("={}", mode.as_str())),
            Event::Joined(operator) => all.push(format!("+{}", operator.id)),
            Event::Left(operator) => all.push(format!("-{}", operator.id)),
            Event::Piece { head, offset, text, end } => {
                let place = (head.answer.clone(), offset);
                if at != Some(place) {
                    all.push(format!("[{} from {offset}]", head.answer));
                }
                at = Some((head.answer.clone(), offset + text.len()));
                all.push(text + if end.is_some() { "<" } else { "" });
            }
        }
    }
    assert_eq!(cursor, log.head().seq);
    all.concat()
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
                    Event::Model(_) | Event::Name(_) | Event::Mode(_) | Event::Joined(_) | Event::Left(_) => {}
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
                Step::Model => { log.model(ModelId::parse("other").unwrap(), Instant(0)); }
            }
        }
        let all: Vec<String> = (0..3).map(|reader| catch_up(&log, reader)).collect();
        prop_assert_eq!(&all[0], &all[1]);
        prop_assert_eq!(&all[1], &all[2]);
    }

    /// Whatever a log keeps, from every position it reaches a reader gets every event once, and the same text: what is not in the
    /// ring comes from the archive.
    #[test]
    fn a_small_log_and_its_archive_say_what_a_large_log_says(
        steps in prop::collection::vec(prop_oneof![
            "[a-zé🙂]{0,6}".prop_map(Step::Write),
            prop::collection::vec("[a-zé🙂]{0,4}", 0..6).prop_map(Step::Answer),
            Just(Step::Model),
        ], 0..20),
        bytes in 0..400_usize,
        past_bytes in 0..3_000_usize,
    ) {
        let bounds = Bounds { bytes, past_bytes, age_ms: 1_000 };
        let (mut small, mut large) = (Log::new(Position::default(), bounds), log(1_000_000));
        let mut archive = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            for log in [&mut small, &mut large] {
                let place = log.head().seq.next();
                match &step {
                    Step::Write(text) => {
                        log.written(written(text, 0));
                        archive.insert(place, text.clone());
                    }
                    Step::Answer(words) => {
                        log.loading(head(&format!("a{number}")), Instant(0));
                        for word in words {
                            log.text(word, Instant(0));
                        }
                        log.end(END, Instant(0));
                        archive.insert(place, words.concat());
                    }
                    Step::Model | Step::Read(_) => {
                        log.model(ModelId::parse("other").unwrap(), Instant(0));
                    }
                }
            }
        }
        for from in 0..=large.head().seq.0 {
            let position = Position { epoch: Epoch(0), seq: Seq(from) };
            if !small.reaches(position) {
                prop_assert_eq!(small.after(Seq(from), small.head().seq), Err(FellBehind));
                continue;
            }
            let seen = seen(&small, Seq(from), &archive);
            prop_assert_eq!(seen, self::seen(&large, Seq(from), &archive));
        }
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
        prop_assert_eq!(log.past.floor(), log.head().seq);
    }
}

/// One device: what reached it, and what is on its way to it.
#[derive(Default)]
struct Device {
    /// Last event that reached it: where it resumes.
    position: Seq,
    /// Last event that was sent to it.
    cursor: Seq,
    on_the_way: VecDeque<Delivery>,
    seen: String,
}

impl Device {
    fn send(&mut self, log: &Log, archive: &BTreeMap<Seq, String>) -> bool {
        let Some(next) = log.after(self.cursor, log.head().seq).unwrap() else { return false };
        let delivery = match next {
            Next::Ready(delivery) => delivery,
            Next::Stored(recall) => {
                let stored = &archive[&recall.place];
                recall.with(stored).expect("the archive has what was shown")
            }
        };
        self.cursor = delivery.last;
        self.on_the_way.push_back(delivery);
        true
    }

    fn receive(&mut self) {
        let Some(delivery) = self.on_the_way.pop_front() else { return };
        assert_eq!(delivery.first, self.position.next(), "no event is missed and none comes twice");
        self.position = delivery.last;
        match delivery.event {
            Event::Written(written) => self.seen += &written.content,
            Event::Piece { text, .. } => self.seen += &text,
            Event::Loading(_) => self.seen.push('>'),
            Event::Model(_)
            | Event::Name(_)
            | Event::Mode(_)
            | Event::Joined(_)
            | Event::Left(_) => {
                self.seen.push('@');
            }
        }
    }

    /// Loses what is on its way, and comes back with the position it knows.
    fn cut(&mut self) {
        self.on_the_way.clear();
        self.cursor = self.position;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Three devices whose lines are cut at random, over a log that keeps next to nothing, end with the same transcript.
    #[test]
    fn three_devices_with_random_cuts_converge(
        steps in prop::collection::vec((0..3_usize, 0..4_u8), 0..120),
        answers in prop::collection::vec(prop::collection::vec("[a-zé🙂]{0,4}", 0..8), 1..6),
        bytes in 0..300_usize,
    ) {
        let bounds = Bounds { bytes, past_bytes: 1_000_000, age_ms: 1_000 };
        let mut log = Log::new(Position::default(), bounds);
        let mut archive = BTreeMap::new();
        let mut devices: [Device; 3] = Default::default();
        let mut steps = steps.into_iter();
        let mut expected = String::new();
        for (number, words) in answers.iter().enumerate() {
            let place = log.loading(head(&format!("a{number}")), Instant(0));
            expected.push('>');
            for word in words {
                log.text(word, Instant(0));
                expected += word;
                for (device, what) in steps.by_ref().take(6) {
                    let device = &mut devices[device];
                    match what {
                        0 => device.cut(),
                        1 => device.receive(),
                        _ => { device.send(&log, &archive); }
                    }
                }
            }
            archive.insert(place, words.concat());
            log.end(END, Instant(0));
        }
        for device in &mut devices {
            while device.send(&log, &archive) {}
            while !device.on_the_way.is_empty() {
                device.receive();
            }
            prop_assert_eq!(&device.seen, &expected);
            prop_assert_eq!(device.position, log.head().seq);
        }
    }
}
