use std::fs;

use sluice_sdk as sdk;
use sluice_sdk::{ChatRequest, Context, OnConnect, OnMessage, OnOutput, Policy, Subject};
use tempfile::TempDir;

use super::*;
use crate::policy::NativePolicy;

/// Replaces `x` by nothing; looks for `xx` only, so that cutting shows, where `careless`.
#[derive(Default)]
struct NoX;

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    careless: bool,
}

impl Policy for NoX {
    type Settings = Settings;
}

impl OnMessage for NoX {
    fn on_message(
        _: &Context<Settings>,
        subject: &Subject,
        _: &ChatRequest,
    ) -> sdk::MessageDecision {
        if subject.has_role("guest") {
            return sdk::MessageDecision::deny(sdk::Denial::new("guests", "Not for guests."));
        }
        sdk::MessageDecision::allow().replace_last("clean").with_label("seen", "yes")
    }
}

impl OnOutput for NoX {
    fn check(
        &mut self,
        cx: &Context<Settings>,
        _: &Subject,
        _: sdk::Channel,
        chunk: &str,
        last: bool,
    ) -> sdk::Judged {
        let found = chunk.match_indices("xx").map(|(at, _)| sdk::Span::new(at..at + 2, "*"));
        let judged = sdk::Judged::redact(found.collect());
        let ends = chunk.len() - chunk.trim_end_matches('x').len();
        if last || cx.settings.careless || ends.is_multiple_of(2) { judged } else { judged.hold(1) }
    }
}

sdk::policy!(NoX: OnMessage, OnOutput);

struct Forgetful;

impl Policy for Forgetful {
    type Settings = ();
}

impl OnConnect for Forgetful {
    fn on_connect(_: &Context<()>, _: &Subject) -> sdk::Decision {
        thread_local!(static ASKED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
        ASKED.set(ASKED.get() + 1);
        sdk::Decision::allow().with_note(ASKED.get().to_string())
    }
}

sdk::policy!(Forgetful: OnConnect);

fn folder(case: &str, expect: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("case.toml"), format!("about = \"a test\"\n{case}"))
        .expect("a file");
    fs::write(folder.path().join("expect.jsonl"), expect).expect("a file");
    folder
}

fn checked<P: sdk::Judge>(case: &str, expect: &str) -> Result<(), PolicyCheckError> {
    let folder = folder(case, expect);
    let case = PolicyCase::load(folder.path()).expect("a case");
    check_policy(&NativePolicy::<P>::default(), &case, false)
}

const SPOKEN: &str = "[[output]]\ntext = \"axxb\"\n[[output]]\ntext = \"x\"\n[[output]]\nreasoning = \"xx\"\n[[output]]\ntext = \"x.\"\n";
const SHOWN: &str =
    "{\"shown\":{\"text\":\"a*b*.\"}}\n{\"shown\":{\"reasoning\":\"*\"}}\n{\"filtered\":{}}\n";

#[test]
fn what_a_policy_says_is_compared_line_by_line() {
    let asked =
        "[chat]\nmessages = [{ role = \"user\", text = \"hi\" }]\n[subject]\nroles = [\"staff\"]\n";
    let said = r#"{"message":{"verdict":"allow","labels":[["seen","yes"]],"edits":[{"replace_last":{"role":"user","text":"clean"}}]}}"#;
    checked::<NoX>(asked, said).expect("as expected");

    let differs = checked::<NoX>(&asked.replace("staff", "guest"), said).expect_err("another");
    assert!(differs.to_string().contains("Not for guests."), "{differs}");
}

#[test]
fn what_a_model_says_is_filtered_however_it_is_cut() {
    checked::<NoX>(SPOKEN, SHOWN).expect("it holds back what it has to");

    // As the case stands nothing is amiss; cut in the middle it is.
    let once = "[[output]]\ntext = \"axxb\"\n[settings]\ncareless = true\n";
    let shows = checked::<NoX>(once, "{\"shown\":{\"text\":\"a*b\"}}\n{\"filtered\":{}}\n");
    assert!(matches!(shows, Err(PolicyCheckError::Shows { .. })), "{shows:?}");
}

#[test]
fn a_policy_is_asked_what_it_has_hooks_for_and_something_at_least() {
    let missing = checked::<NoX>("connect = true\n", "");
    assert!(
        matches!(missing, Err(PolicyCheckError::MissingHook { hook: "connect" })),
        "{missing:?}"
    );

    let empty = checked::<NoX>("", "");
    assert!(matches!(empty, Err(PolicyCheckError::Empty)), "{empty:?}");
}

#[test]
fn settings_that_it_refuses_are_an_expectation_too() {
    let said = r#"{"refused":{"kind":"other","retry":"never","detail":"settings: unknown field `shout`, expected `careless` at line 1 column 8"}}"#;
    checked::<NoX>("[chat]\n[settings]\nshout = 1\n", said).expect("refused");
}

#[test]
fn a_policy_that_remembers_is_found_out() {
    let unsteady =
        checked::<Forgetful>("connect = true\n", r#"{"connect":{"verdict":"allow","note":"1"}}"#);
    assert!(matches!(unsteady, Err(PolicyCheckError::Unsteady { .. })), "{unsteady:?}");
}
