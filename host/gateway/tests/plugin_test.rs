//! `sluice plugin test`, as a plugin author calls it: the built binary, real components, real cases.
//!
//! Components come from `cargo sluice build`: those of plugins in `SLUICE_PLUGINS` or `target/plugins`, those of guests in
//! `SLUICE_GUESTS` or `target/plugins/guests`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A case failed, or there is none.
const FAILED: Option<i32> = Some(64);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn component(name: &str) -> PathBuf {
    built("SLUICE_PLUGINS", "target/plugins", name)
}

fn guest(name: &str) -> PathBuf {
    built("SLUICE_GUESTS", "target/plugins/guests", name)
}

fn built(variable: &str, folder: &str, name: &str) -> PathBuf {
    let folder = env::var_os(variable).map_or_else(|| root().join(folder), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; build it with: cargo sluice build", path.display());
    path
}

fn cases(plugin: &str) -> PathBuf {
    root().join("plugins").join(plugin).join("cases")
}

/// Names of the cases in a folder.
fn names(cases: &Path) -> Vec<String> {
    let entries = fs::read_dir(cases).expect("a folder of cases");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let name = |case: PathBuf| case.file_name().expect("a name").to_string_lossy().into_owned();
    let mut names: Vec<_> =
        paths.filter(|path| path.join("case.toml").is_file()).map(name).collect();
    names.sort();
    names
}

fn sluice(component: &Path, arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["plugin", "test"])
        .arg(component)
        .args(arguments)
        .output()
        .expect("the binary runs")
}

/// Its answer, if it ended as it should.
#[track_caller]
fn answer(ran: &Output, exit: Option<i32>) -> String {
    let said = String::from_utf8(ran.stdout.clone()).expect("text");
    assert_eq!(ran.status.code(), exit, "{said}{}", String::from_utf8_lossy(&ran.stderr));
    said
}

/// A folder with one case in it, called `one`, of these files.
fn case(files: &[(&str, &str)]) -> TempDir {
    let cases = tempfile::tempdir().expect("a folder");
    let folder = cases.path().join("one");
    fs::create_dir(&folder).expect("a folder");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("a file");
    }
    cases
}

#[test]
fn every_case_of_a_bundled_plugin_passes_in_the_sandbox() {
    for plugin in ["openai", "anthropic", "dify", "ollama", "echo"] {
        let cases = cases(plugin);
        if plugin == "echo" && !cases.is_dir() {
            continue;
        }

        let said = answer(&sluice(&component(plugin), &[&cases]), Some(0));

        let names = names(&cases);
        assert!(!names.is_empty(), "{plugin} has cases");
        let mut lines = said.lines();
        for name in &names {
            let line = lines.next().expect("a line for each case");
            assert!(line.starts_with(&format!("ok  {name}  (")), "{line}");
        }
        assert_eq!(lines.next(), Some(format!("{} passed, 0 failed", names.len()).as_str()));
    }
}

#[test]
fn every_replay_in_an_instance_of_its_own_comes_to_the_same() {
    let (openai, case) = (component("openai"), cases("openai").join("nothing-said"));

    let few = answer(&sluice(&openai, &[&case]), Some(0));
    let all = answer(&sluice(&openai, &[&case, Path::new("--all")]), Some(0));

    let replays = |said: &str| -> Option<u32> {
        let (_, rest) = said.split_once('(')?;
        rest.split_once(" replays")?.0.parse().ok()
    };
    assert!(replays(&few) > Some(1), "{few}");
    assert_eq!(replays(&few), replays(&all), "{all}");
    assert!(few.contains(" distinct, ") && !all.contains(" distinct, "), "{few}{all}");
}

#[test]
fn another_component_fails_the_cases_and_each_is_named_with_what_differs() {
    let cases = cases("openai");

    let said = answer(&sluice(&component("echo"), &[&cases]), FAILED);

    assert!(said.contains("FAILED  plain-stream  (1 replays, "), "{said}");
    assert!(said.contains("    request-1.json differs from line 1 on"), "{said}");
    assert!(said.contains("\n    -   \"auth\": \"bearer\",\n"), "{said}");
    let all = names(&cases).len();
    assert!(said.ends_with(&format!("\n0 passed, {all} failed\n")), "{said}");
}

#[test]
fn a_crash_fails_the_case_and_says_where() {
    let cases = case(&[
        ("case.toml", "about = \"A crash.\"\n[chat]\nmodel = \"start\"\n"),
        ("expect.jsonl", "{\"end\":\"done\"}\n"),
    ]);

    let said = answer(&sluice(&guest("trap"), &[cases.path()]), FAILED);

    assert!(said.contains("FAILED  one  ("), "{said}");
    assert!(said.contains("as recorded: the sandbox stopped it"), "{said}");
    assert!(said.contains("wasm `unreachable` instruction executed"), "{said}");
}

#[test]
fn updating_writes_what_was_seen_in_place_of_what_was_expected() {
    let recorded = cases("openai").join("plain-stream");
    let read = |name| fs::read_to_string(recorded.join(name)).expect("a file");
    let cases = case(&[
        ("case.toml", &read("case.toml")),
        ("exchange-1.http", &read("exchange-1.http")),
        ("request-1.json", &read("request-1.json")),
        ("expect.jsonl", "{\"text\":\"Something else\"}\n"),
    ]);
    let openai = component("openai");

    let before = answer(&sluice(&openai, &[cases.path()]), FAILED);
    answer(&sluice(&openai, &[cases.path(), Path::new("--update")]), Some(0));
    answer(&sluice(&openai, &[cases.path()]), Some(0));

    assert!(before.contains("\n    - {\"text\":\"Something else\"}\n"), "{before}");
    for file in ["request-1.json", "expect.jsonl"] {
        let written = fs::read_to_string(cases.path().join("one").join(file)).expect("a file");
        assert_eq!(json(&written), json(&read(file)), "{file}");
    }
}

/// The values of a file, which people may space as they like.
fn json(text: &str) -> Vec<serde_json::Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values.collect::<Result<_, _>>().expect("JSON")
}

#[test]
fn cases_are_found_beside_the_component() {
    let recorded = cases("openai").join("nothing-said");
    let folder = tempfile::tempdir().expect("a folder");
    let acme = folder.path().join("acme.wasm");
    fs::copy(component("openai"), &acme).expect("a copy");
    let one = folder.path().join("cases/one");
    fs::create_dir_all(&one).expect("a folder");
    for file in fs::read_dir(recorded).expect("a case") {
        let file = file.expect("it can be read").path();
        fs::copy(&file, one.join(file.file_name().expect("a name"))).expect("a copy");
    }

    let said = answer(&sluice(&acme, &[]), Some(0));

    assert!(said.starts_with("ok  one  ("), "{said}");
}

#[test]
fn without_a_case_there_is_nothing_to_pass() {
    let empty = tempfile::tempdir().expect("a folder");
    let absent = empty.path().join("absent");

    for cases in [empty.path(), &absent] {
        let ran = sluice(&component("openai"), &[cases]);

        assert_eq!(answer(&ran, FAILED), "");
        assert!(!ran.stderr.is_empty(), "it says why");
    }
}
