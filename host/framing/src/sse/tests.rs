use crate::{Decoder, Frame, Framing, FramingError, Limits};

fn cut(body: &[u8]) -> Vec<(Option<String>, String)> {
    let mut decoder = Decoder::new(Framing::Sse, Limits::default());
    let mut frames = Vec::new();
    decoder.push(body, &mut frames).expect("small");
    assert_eq!(decoder.finish(), Ok(None));
    frames.into_iter().map(|Frame { event, data }| (event, data)).collect()
}

fn data(body: &[u8]) -> Vec<String> {
    cut(body).into_iter().map(|(_, data)| data).collect()
}

#[test]
fn each_kind_of_line_end_ends_a_line() {
    for end in ["\n", "\r", "\r\n"] {
        let body = ["data: a", "data:b", "", "data: c", "", ""].join(end);

        assert_eq!(data(body.as_bytes()), ["a\nb", "c"], "{end:?}");
    }
}

#[test]
fn kinds_of_line_end_may_be_mixed() {
    assert_eq!(data(b"data: a\r\n\rdata: b\n\r\ndata: c\r\r"), ["a", "b", "c"]);
}

#[test]
fn one_space_after_the_colon_is_not_part_of_the_value() {
    assert_eq!(data(b"data:  two\n\ndata:none\n\ndata: \ttab\n\n"), [" two", "none", "\ttab"]);
}

#[test]
fn comments_ids_retries_and_unknown_fields_are_read_over() {
    let body =
        b": keep-alive\n\nid: 7\nretry: 10\ndate: x\nDATA: y\n\n:\ndata: a\n: in between\n\n";

    assert_eq!(data(body), ["a"]);
}

#[test]
fn an_event_name_belongs_to_its_block_only() {
    let frames =
        cut(b"event: first\nevent: ping\ndata: {}\n\ndata: a\n\nevent: lost\n\ndata: b\n\n");

    let named: Vec<_> = frames.iter().map(|(event, _)| event.as_deref()).collect();
    assert_eq!(named, [Some("ping"), None, None]);
}

#[test]
fn a_data_field_without_value_is_an_empty_frame() {
    assert_eq!(data(b"data\n\ndata:\ndata:\n\n"), ["", "\n"]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_only() {
    assert_eq!(data(b"\xEF\xBB\xBFdata: a\n\n"), ["a"]);
    assert_eq!(data(b"data: \xEF\xBB\xBFa\n\n"), ["\u{feff}a"]);
    assert_eq!(data(b"data: x\n\n\xEF\xBB\xBFdata: a\n\n"), ["x"]);
}

#[test]
fn a_last_event_without_blank_line_is_dropped() {
    assert_eq!(data(b"data: a\n\ndata: b"), ["a"]);
    assert_eq!(data(b"data: a\n\ndata: b\n"), ["a"]);
}

#[test]
fn broken_utf8_is_replaced_within_its_frame() {
    assert_eq!(data(b"data: a\xF0\x9F\n\ndata: \x98\x80b\n\n"), ["a\u{fffd}", "\u{fffd}\u{fffd}b"]);
}

#[test]
fn an_endless_block_is_an_error_however_it_is_made() {
    let limits = Limits { pending: 64, ..Limits::default() };
    for line in [&b": comment\n"[..], b"data: x\n", b"data: xxxxxxxx", b"event: y\n"] {
        let mut decoder = Decoder::new(Framing::Sse, limits);
        let mut frames = Vec::new();

        let failed = (0..64).find_map(|_| decoder.push(line, &mut frames).err());

        assert_eq!(failed, Some(FramingError::PendingTooLarge { limit: 64 }));
        assert!(decoder.allocated() <= 64 * 3, "{}", decoder.allocated());
    }
}

#[test]
fn keep_alives_with_blank_lines_never_add_up() {
    let mut decoder = Decoder::new(Framing::Sse, Limits { pending: 16, ..Limits::default() });
    let mut frames = Vec::new();

    for _ in 0..1000 {
        decoder.push(b": ping\n\n", &mut frames).unwrap();
    }
    decoder.push(b"data: a\n\n", &mut frames).unwrap();

    assert_eq!(frames.len(), 1);
}

#[test]
fn a_frame_over_the_limit_is_an_error_after_the_frames_before_it() {
    let mut decoder = Decoder::new(Framing::Sse, Limits { frame: 4, ..Limits::default() });
    let mut frames = Vec::new();

    let outcome = decoder.push(b"data: 1234\n\ndata: 12345\n\ndata: 1\n\n", &mut frames);

    assert_eq!(outcome, Err(FramingError::FrameTooLarge { limit: 4 }));
    assert_eq!(frames.len(), 1);
}
