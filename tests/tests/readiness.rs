//! `docs/production-readiness.md` keeps what it promises: every test it names is there, and every line of its checklist shows what
//! it says.
#![expect(clippy::panic, reason = "what a document promises and does not keep is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use sluice_tests::{FakeProvider, Setup, claims, mint, not_run, root};

const DOCUMENT: &str = "docs/production-readiness.md";

/// The properties by which operators know the eleven faults.
const PROPERTIES: [&str; 27] = [
    "session_cleanup_removes_expired_sessions",
    "session_cleanup_removes_multiple_expired_sessions",
    "session_cleanup_handles_nil_end_time",
    "session_cleanup_respects_time_window",
    "active_sessions_never_cleaned_up",
    "multiple_active_sessions_preserved_during_cleanup",
    "cleanup_selectively_removes_inactive_sessions",
    "origin_validation_thread_safety",
    "streaming_requests_have_timeout",
    "timeout_cancels_streaming",
    "cleanup_removes_old_events",
    "cleanup_runs_periodically",
    "cleanup_goroutine_terminates",
    "weak_secrets_are_rejected",
    "strong_secrets_are_accepted",
    "admin_rate_limit_enforcement",
    "admin_rate_limit_retry_after",
    "independent_rate_limits",
    "response_times_bounded",
    "rolling_window_maintains_recent",
    "invalid_config_rejection",
    "valid_config_acceptance",
    "transient_errors_retried",
    "exponential_backoff",
    "non_transient_errors_fail_immediately",
    "shutdown_respects_deadline",
    "shutdown_closes_all_connections",
];

/// What goes with them as single cases. That ten thousand response times leave a hundred had no name of its own.
const CASES: [&str; 4] = [
    "validate_missing_jwt_secret",
    "of_ten_thousand_the_newest_hundred_stay",
    "validation_called",
    "validation_coverage",
];

/// Fewest cases of a property.
const FEWEST: u32 = 100;

fn document() -> String {
    fs::read_to_string(root().join(DOCUMENT)).expect("the document")
}

/// Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every test of the repository, with the text of its file.
fn tests() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in ["host", "sdk", "plugins", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    let mut tests = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if let Some(attribute) = line.strip_prefix("#[") {
                is_test |= ["test]", "tokio::test]", "tokio::test("]
                    .iter()
                    .any(|test| attribute.starts_with(test));
            } else if !line.starts_with("//") {
                let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
                if let Some((name, _)) = name.filter(|_| is_test).and_then(|n| n.split_once('(')) {
                    tests.insert(name.to_owned(), text.clone());
                }
                is_test = false;
            }
        }
    }
    tests
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of tests in all tables: those in a column of tests, and those after a colon in the last column.
fn named(document: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut heads: Vec<&str> = Vec::new();
    for line in document.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            if !line.starts_with('|') {
                heads.clear();
            }
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        if heads.is_empty() {
            heads = cells;
            continue;
        }
        assert_eq!(cells.len(), heads.len(), "{line}");
        for (head, cell) in heads.iter().zip(cells) {
            let tests = match *head {
                "Tests" => quoted(cell),
                "Rolling back" => {
                    cell.rsplit_once(": ").map(|(_, tests)| quoted(tests)).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            let is_name = |word: &&str| {
                word.contains('_')
                    && !word.contains(|c: char| {
                        !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                    })
            };
            assert!(*head != "Tests" || tests.iter().all(is_name), "{cell}");
            names.extend(tests.into_iter().filter(is_name).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_test_that_the_document_names_is_there() {
    let (names, tests) = (named(&document()), tests());

    assert!(names.len() > 50, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !tests.contains_key(*name)).collect();
    assert_eq!(missing, [] as [&String; 0], "no test has this name");
}

#[test]
fn every_known_property_is_in_the_document_and_has_a_hundred_cases() {
    let (names, tests) = (named(&document()), tests());

    for name in PROPERTIES.iter().chain(&CASES) {
        assert!(names.contains(*name), "{name} is in no table");
    }
    for name in PROPERTIES {
        let Some(text) = tests.get(name) else { continue };
        let numbers = text.match_indices("cases: ").map(|(at, word)| {
            let digits = text.get(at + word.len()..).unwrap_or_default();
            let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().unwrap_or(FEWEST)
        });
        assert!(numbers.min().unwrap_or(FEWEST) >= FEWEST, "{name} has too few cases");
    }
}

/// The lines of the checklist: what each shows, its command and what it prints.
fn checklist(document: &str) -> Vec<(&str, &str, &str)> {
    let lines = document.lines().filter_map(|line| line.strip_prefix("- "));
    let parsed = lines.map(|line| {
        let parts: Vec<&str> = line.split('`').collect();
        let [what, command, " prints ", prints, ""] = parts[..] else { panic!("{line}") };
        (what.trim_end_matches(": "), command, prints)
    });
    parsed.collect()
}

#[tokio::test]
async fn every_line_of_the_checklist_shows_what_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        return not_run("the checklist of docs/production-readiness.md", "no curl");
    }
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;
    gateway.connect("alice").await.ask("Hello?").await;
    let mut operator = claims("olga");
    operator["roles"] = json!(["admin"]);
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let operator = mint(&header, &operator, gateway.setup().secret());
    let text = document();
    let lines = checklist(&text);
    assert!(lines.len() > 10, "{lines:?}");

    for (what, command, prints) in lines {
        let folder = tempfile::TempDir::new().expect("a folder");
        let command = command.replace("sluice ", "\"$SLUICE\" ");
        let output = tokio::process::Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder.path())
            .envs(gateway.setup().environment())
            .env("SLUICE", sluice_tests::binary())
            .env("URL", format!("http://{}/chatbox", gateway.address()))
            .env("TOKEN", gateway.token("alice"))
            .env("OPERATOR", &operator)
            .kill_on_drop(true)
            .output();
        let output = sluice_tests::patiently(what, output).await.expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(printed.trim(), prints, "{what}: {command}\n{errors}");
    }
}
