use proptest::prelude::*;

use super::*;

const HEX: &str = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const BASE: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const RAW: &str = "a raw key of 32 characters, old!";

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key").0
}

fn under(text: &str) -> Keys {
    Keys { current: Some(key(text)), previous: Vec::new() }
}

fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("an id")
}

#[test]
fn a_key_is_written_in_three_ways() {
    assert_eq!(key(HEX).id(), key(BASE).id());
    assert_ne!(key(HEX).id(), key(RAW).id());
    assert_eq!(Key::parse(HEX).map(|key| key.1), Some(Form::Encoded));
    assert_eq!(Key::parse(RAW).map(|key| key.1), Some(Form::Raw));
    let short = HEX.get(..HEX.len() - 2).expect("longer");
    let odd = format!("{HEX}0");
    for wrong in
        ["", "31 characters are not a key, no", short, &odd, "base64:AAEC", "hex:zz", "base64:***"]
    {
        assert!(Key::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn no_key_shows_itself() {
    let shown = format!("{:?}", under(RAW));

    assert!(!shown.contains("raw key"), "{shown}");
    assert!(shown.contains(key(RAW).id().as_str()), "{shown}");
}

#[test]
fn a_seal_opens_at_its_place_alone() {
    let keys = under(HEX);
    let (s, t) = (session("s"), session("t"));
    let sealed = keys.seal(Place::Text(&s, Seq(7)), "hello").expect("sealed");

    assert!(!sealed.contains("hello"));
    assert_eq!(keys.open(Place::Text(&s, Seq(7)), sealed.clone()).as_deref(), Ok("hello"));
    for elsewhere in [
        Place::Text(&s, Seq(8)),
        Place::Text(&t, Seq(7)),
        Place::Metadata(&s, Seq(7)),
        Place::Name(&s),
    ] {
        assert_eq!(keys.open(elsewhere, sealed.clone()), Err(SealError::Forged), "{elsewhere:?}");
    }
}

#[test]
fn a_wrong_key_is_an_error_and_never_a_text() {
    let s = session("s");
    let sealed = under(HEX).seal(Place::Name(&s), "hello").expect("sealed");
    let unknown = Err(SealError::UnknownKey(key(HEX).id().clone()));

    assert_eq!(under(RAW).open(Place::Name(&s), sealed.clone()), unknown);
    assert_eq!(Keys::default().open(Place::Name(&s), sealed), unknown);
}

#[test]
fn a_previous_key_opens_and_does_not_seal() {
    let s = session("s");
    let both = Keys { current: Some(key(RAW)), previous: vec![key(HEX)] };
    let old = under(HEX).seal(Place::Name(&s), "hello").expect("sealed");

    let new = both.reseal(Place::Name(&s), &old).expect("opened").expect("changed");

    assert_eq!(both.open(Place::Name(&s), old).as_deref(), Ok("hello"));
    assert_eq!(under(RAW).open(Place::Name(&s), new.clone()).as_deref(), Ok("hello"));
    assert_eq!(both.reseal(Place::Name(&s), &new), Ok(None));
}

#[test]
fn a_seal_that_was_cut_is_an_error() {
    let (keys, s) = (under(HEX), session("s"));
    let sealed = keys.seal(Place::Name(&s), "hello").expect("sealed");

    for (end, _) in sealed.char_indices().skip(1) {
        let cut = sealed.get(..end).expect("a boundary").to_owned();
        assert!(keys.open(Place::Name(&s), cut).is_err(), "{end}");
    }
}

fn texts() -> impl Strategy<Value = String> {
    // Texts that look like what is stored are the interesting ones.
    prop_oneof![".*", "\u{1}[sp]?.*", "\u{1}s[0-9a-f]{8}[A-Za-z0-9+/]*"]
}

fn keys() -> impl Strategy<Value = Keys> {
    prop::sample::select(vec![Keys::default(), under(HEX), under(RAW)])
}

proptest! {
    /// Whatever the text and the key, none included, what is stored opens to what was said, and
    /// goes on to do so under whatever keys it is sealed again.
    #[test]
    fn what_was_sealed_opens(text in texts(), first in keys(), then in keys()) {
        let s = session("s");
        let place = Place::Text(&s, Seq(3));
        let stored = first.seal(place, &text).expect("sealed");
        prop_assert_eq!(first.open(place, stored.clone()), Ok(text.clone()));

        let both = Keys { previous: first.all().cloned().collect(), ..then };
        let again = both.reseal(place, &stored).expect("opened").unwrap_or(stored);
        prop_assert_eq!(both.open(place, again.clone()), Ok(text));
        prop_assert_eq!(both.reseal(place, &again), Ok(None));
    }

    /// The same of metadata, whatever its names.
    #[test]
    fn metadata_that_was_sealed_opens(
        pairs in prop::collection::btree_map(prop_oneof![Just(String::new()), ".*"], texts(), 0..4),
        first in keys(),
        then in keys(),
    ) {
        let s = session("s");
        let place = Place::Metadata(&s, Seq(3));
        let stored = first.seal_metadata(place, pairs.clone()).expect("sealed");
        prop_assert_eq!(first.open_metadata(place, stored.clone()), Ok(pairs.clone()));

        let both = Keys { previous: first.all().cloned().collect(), ..then };
        let again = both.reseal_metadata(place, &stored).expect("opened").unwrap_or(stored);
        prop_assert_eq!(both.open_metadata(place, again.clone()), Ok(pairs));
        prop_assert_eq!(both.reseal_metadata(place, &again), Ok(None));
    }
}
