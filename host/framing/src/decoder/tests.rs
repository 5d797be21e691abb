use proptest::{collection::vec, prelude::*};

use super::*;

const SMALL: Limits = Limits { frame: 24, pending: 40, total: 400, failure: 32 };

/// Everything that can be seen of a decoder fed these pieces.
fn outcome(
    make: impl Fn() -> Decoder,
    pieces: &[&[u8]],
) -> (Vec<Frame>, Result<(), FramingError>, usize) {
    let (mut decoder, mut frames, mut most) = (make(), Vec::new(), 0);
    for piece in pieces {
        let pushed = decoder.push(piece, &mut frames);
        most = most.max(decoder.allocated());
        if pushed.is_err() {
            return (frames, pushed, most);
        }
    }
    let end = decoder.finish().map(|last| frames.extend(last));
    (frames, end, most)
}

fn makers() -> [fn() -> Decoder; 4] {
    [
        || Decoder::new(Framing::Sse, SMALL),
        || Decoder::new(Framing::Ndjson, SMALL),
        || Decoder::new(Framing::Whole, SMALL),
        || Decoder::for_failure(SMALL),
    ]
}

fn pieces<'a>(body: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut borders: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    borders.extend([0, body.len()]);
    borders.sort_unstable();
    borders.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

/// Bodies made of what matters to the decoders, and of broken bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        &b"data: "[..],
        b"data",
        b"event:",
        b": c",
        b"id: 1",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
        b"{\"a\":1}",
        b" ",
        b"\xF0\x9F\x98\x80",
        b"\xEF\xBB\xBF",
        b"\xFF",
        b"\x1F",
        b"\x8B",
        b"long enough to matter ",
    ]);
    let noise = vec(any::<u8>(), 0..4);
    let part = prop_oneof![8 => word.prop_map(<[u8]>::to_vec), 1 => noise];
    vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    /// Where the network cuts the bytes shows neither in the frames nor in the error.
    #[test]
    fn cuts_are_invisible(body in body(), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        for make in makers() {
            let (frames, end, _) = outcome(make, &[&body]);
            let (cut_frames, cut_end, _) = outcome(make, &pieces(&body, &cuts));
            prop_assert_eq!(&frames, &cut_frames);
            prop_assert_eq!(end, cut_end);

            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            let (byte_frames, byte_end, _) = outcome(make, &bytes);
            prop_assert_eq!(&frames, &byte_frames);
            prop_assert_eq!(end, byte_end);
        }
    }

    /// Whatever the bytes, nothing panics, frames stay in their limit, and no more is held than the limits allow.
    #[test]
    fn memory_is_bounded(body in vec(any::<u8>(), 0..600), size in 1_usize..50) {
        for make in makers() {
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            let (frames, _, most) = outcome(make, &pieces);
            prop_assert!(most <= 2 * SMALL.pending + 3 * 8, "{most}");
            for frame in frames {
                let size = frame.data.len() + frame.event.map_or(0, |event| event.len());
                prop_assert!(size <= SMALL.frame.max(SMALL.failure));
            }
        }
    }

    /// An event stream of whole events reads as the events it was made of.
    #[test]
    fn what_was_written_is_read(
        events in vec((prop::option::of("[a-z]{1,8}"), vec("[^\r\n\u{feff}]{0,20}", 1..4)), 0..6),
        end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
    ) {
        let mut body = String::new();
        for (event, lines) in &events {
            body.extend(event.iter().map(|event| format!("event: {event}{end}")));
            body.extend(lines.iter().map(|line| format!("data: {line}{end}")));
            body.push_str(end);
        }

        let (frames, outcome, _) =
            outcome(|| Decoder::new(Framing::Sse, Limits::default()), &[body.as_bytes()]);

        prop_assert_eq!(outcome, Ok(()));
        let expected: Vec<Frame> = events
            .into_iter()
            .map(|(event, lines)| Frame { event, data: lines.join("\n") })
            .collect();
        prop_assert_eq!(frames, expected);
    }
}

fn failure(body: &[u8], limit: usize) -> String {
    let make = || Decoder::for_failure(Limits { failure: limit, ..Limits::default() });
    let (mut frames, end, _) = outcome(make, &[body]);
    assert_eq!(end, Ok(()));
    frames.pop().expect("one frame").data
}

#[test]
fn a_whole_body_is_one_frame_even_when_empty() {
    for body in [&b""[..], b"{\"a\":\n1}\n"] {
        let (frames, end, _) = outcome(|| Decoder::new(Framing::Whole, Limits::default()), &[body]);

        assert_eq!(end, Ok(()));
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].data.as_bytes(), body);
    }
}

#[test]
fn a_failed_body_is_cut_without_cutting_a_character() {
    assert_eq!(failure("aé".as_bytes(), 3), "aé");
    assert_eq!(failure("aéb".as_bytes(), 2), "a");
    assert_eq!(failure(b"a\xC3", 2), "a");
    assert_eq!(failure(&[0xFF; 9], 9), "\u{fffd}".repeat(3));
}

#[test]
fn a_full_failure_wants_no_more() {
    let mut decoder = Decoder::for_failure(SMALL);
    assert!(decoder.wants_more());

    decoder.push(&[b'x'; 32], &mut Vec::new()).unwrap();

    assert!(!decoder.wants_more());
}

#[test]
fn compressed_and_utf16_bodies_are_malformed() {
    for start in [&[0x1F, 0x8B, 8, 0][..], &[0xFF, 0xFE, b'd', 0], &[0xFE, 0xFF, 0, b'd']] {
        let mut decoder = Decoder::new(Framing::Sse, Limits::default());

        assert_eq!(decoder.push(start, &mut Vec::new()), Err(FramingError::Malformed));
        assert_eq!(decoder.push(b"data: a\n\n", &mut Vec::new()), Err(FramingError::Malformed));
        assert_eq!(decoder.finish(), Err(FramingError::Malformed));
    }
}

#[test]
fn a_body_over_the_total_keeps_the_frames_that_fitted() {
    let mut decoder = Decoder::new(Framing::Ndjson, Limits { total: 4, ..Limits::default() });
    let mut frames = Vec::new();

    assert_eq!(
        decoder.push(b"1\n2\n3\n", &mut frames),
        Err(FramingError::BodyTooLarge { limit: 4 })
    );
    assert_eq!(frames.len(), 2);
    assert!(!decoder.wants_more());
}
