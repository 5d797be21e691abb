//! Every case in `cases/`: what is sent of a notice, and which answers count as taken.

use sluice_webhook::Webhook;

#[test]
fn it_says_of_every_case_what_is_expected() {
    sluice_testkit::assert_notifier_cases::<Webhook>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"));
}
