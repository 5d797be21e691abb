//! Every case in `cases/`, replayed as recorded, cut at every byte and broken in every way.

use sluice_dify::Dify;
use sluice_testkit::assert_cases;

#[test]
fn every_recorded_answer_is_told_as_it_is() {
    assert_cases::<Dify>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
}
