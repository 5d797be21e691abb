use std::{fs, sync::atomic::AtomicU32};

use serde::Deserialize;
use sluice_sdk::{Context, Error, Head, Notice, Notifier, Request};
use tempfile::TempDir;

use super::*;
use crate::{NativeNotifier, Severity};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    fickle: bool,
    mute: bool,
}

struct Pager;

static TIMES: AtomicU32 = AtomicU32::new(0);

impl Notifier for Pager {
    type Settings = Settings;

    fn render(cx: &Context<Settings>, notice: &Notice) -> Result<Option<Request>, Error> {
        if cx.settings.mute {
            return Ok(None);
        }
        let times = TIMES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let times = if cx.settings.fickle { times } else { 0 };
        Request::post("/pages").json(&(&notice.title, times)).map(Some)
    }

    fn accepted(_: &Context<Settings>, head: &Head, body: &str) -> bool {
        head.is_success() || body == "known"
    }
}

fn case(toml: &str, answers: &[&str]) -> (TempDir, NotifierCase) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("case.toml"), format!("about = \"a test\"\n{toml}")).unwrap();
    for (answer, number) in answers.iter().zip(1..) {
        fs::write(folder.path().join(format!("exchange-{number}.http")), answer).unwrap();
    }
    let case = NotifierCase::load(&folder).unwrap();
    (folder, case)
}

fn written(folder: &TempDir) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.path().join("expect.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check(case: &NotifierCase, update: bool) -> Result<(), NotifierCheckError> {
    check_notifier(&NativeNotifier::<Pager>::default(), case, update)
}

#[test]
fn what_is_sent_and_what_was_taken_are_a_line_each() {
    let answers = [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 409 Conflict\r\n\r\nknown",
        "HTTP/1.1 500 Oh\r\n\r\n",
    ];
    let (folder, case) = case("[notice]\ntitle = \"Look\"\nseverity = \"warning\"", &answers);
    assert_eq!(case.notice.severity, Severity::Warning);

    check(&case, true).unwrap();
    check(&case, false).unwrap();

    let lines = written(&folder);
    assert_eq!(
        (&lines[0]["send"]["path"], &lines[0]["send"]["body"]),
        (&json!("/pages"), &json!(["Look", 0]))
    );
    let taken: Vec<_> = lines[1..].iter().map(|line| line["accepted"].clone()).collect();
    assert_eq!(taken, [true, true, false]);
}

#[test]
fn what_differs_is_found() {
    let (folder, case) = case("[settings]\nmute = true", &[]);

    assert!(matches!(check(&case, false), Err(NotifierCheckError::Expectation(_))));
    check(&case, true).unwrap();

    assert_eq!(written(&folder), [json!({ "send": null })]);
}

#[test]
fn settings_that_are_refused_are_expected_too() {
    let (folder, case) = case("[settings]\nloud = true", &[]);

    check(&case, true).unwrap();

    assert!(written(&folder)[0]["refused"]["detail"].is_string());
}

#[test]
fn one_that_says_something_else_each_time_is_found() {
    let (_folder, case) = case("[settings]\nfickle = true", &[]);

    assert!(matches!(check(&case, true), Err(NotifierCheckError::Unsteady { .. })));
}
