//! Every case in `cases/`: asked twice, and what a model says cut at every character.

use sluice_access::Access;

#[test]
fn it_says_of_every_case_what_is_expected() {
    sluice_testkit::assert_policy_cases::<Access>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
}
