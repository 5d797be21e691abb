use super::*;
use crate::settings::keys::Effect;
use crate::settings::keys::table::KEYS;

#[test]
fn every_key_with_an_effect_is_placed_and_no_other() {
    let mut findings = Findings::default();
    let sources = Sources::gather(&[], std::iter::empty(), &mut findings);

    let (_, _, values) = place(&sources, &mut findings);

    let mut left = values.left();
    left.sort_unstable();
    let mut later: Vec<_> =
        KEYS.iter().filter(|key| key.effect != Effect::Now).map(|key| key.name).collect();
    later.sort_unstable();
    assert_eq!(left, later);
}
