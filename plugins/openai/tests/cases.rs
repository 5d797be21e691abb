//! Every case in `cases/`, replayed as recorded, cut at every byte and broken in every way.

use sluice_openai::OpenAi;
use sluice_testkit::assert_case;

macro_rules! cases {
    ($($name:ident: $folder:literal,)*) => {
        const FOLDERS: &[&str] = &[$($folder),*];

        $(
            #[test]
            fn $name() {
                assert_case::<OpenAi>(concat!(env!("CARGO_MANIFEST_DIR"), "/cases/", $folder));
            }
        )*
    };
}

cases! {
    a_plain_stream_is_text_and_its_end: "plain-stream",
    usage_after_the_end_is_told: "usage-chunk",
    tool_calls_in_turns_keep_their_slots: "tool-calls",
    pictures_and_tool_results_go_up: "tool-results",
    sounds_documents_and_links_go_up: "sound-and-documents",
    a_schema_goes_up: "json-schema",
    a_whole_answer_is_read: "whole",
    a_whole_answer_to_a_stream_request_is_read: "whole-for-a-stream",
    a_wrong_key_is_an_authentication_error: "error-401",
    a_rate_limit_says_when_to_come_back: "error-429",
    a_used_up_quota_wants_another_credential: "error-429-quota",
    a_context_too_long_is_named: "error-400-context",
    an_error_page_is_overload: "error-500-html",
    an_error_in_the_stream_ends_it: "error-in-stream",
    an_error_event_ends_the_stream: "error-event",
    an_answer_that_the_vendor_cut_is_an_error: "cut-by-the-vendor",
    an_answer_that_a_server_gave_up_is_an_error: "aborted",
    an_answer_that_fills_the_model_is_too_long: "model-length",
    a_context_beyond_what_a_server_holds_is_named: "error-400-context-size",
    line_ends_and_comments_do_not_show: "crlf-and-comments",
    characters_are_never_cut: "emoji",
    a_stream_that_just_stops_is_an_error: "no-end-marker",
    the_end_marker_alone_is_an_end: "done-without-reason",
    a_reason_alone_is_an_end: "reason-without-done",
    an_answer_that_says_nothing_is_an_error: "nothing-said",
    empty_deltas_say_nothing: "empty-deltas",
    reasoning_is_told_apart_and_once: "reasoning",
    thinking_parts_are_reasoning: "thinking-parts",
    a_filtered_answer_says_so: "content-filter",
    an_unreadable_frame_is_an_error: "unreadable",
    a_reset_is_an_error: "reset",
    what_only_some_vendors_have_goes_through: "own-fields",
    a_refusal_is_text_and_is_said_to_be_one: "refusal",
    azure_gets_its_key_in_a_header: "azure",
    mistral_gets_what_it_takes_and_no_more: "mistral",
}

#[test]
fn no_case_is_forgotten() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

    let there = sluice_testkit::Case::folders(cases).unwrap();

    let mut named: Vec<&str> = FOLDERS.to_vec();
    named.sort_unstable();
    let there: Vec<_> = there.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
    assert_eq!(there, named);
}
