//! The expectations of a case: compared line by line, or written anew.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{case::CaseError, check::CheckError, play::Played, request::Request};

const EXPECT: &str = "expect.jsonl";
const PARTING: &str = "parting.json";

/// Compares what was seen with the case's files. Values are compared, so the files may be spaced as their author likes.
pub(crate) fn compare(folder: &Path, seen: &Played) -> Result<(), CheckError> {
    for (index, request) in seen.requests.iter().enumerate() {
        compare_request(folder, &request_file(index), request)?;
    }
    match &seen.parting {
        Some(parting) => compare_request(folder, PARTING, parting)?,
        None if folder.join(PARTING).exists() => {
            return Err(difference(PARTING, &read(folder, PARTING)?, ""));
        }
        None => {}
    }
    let unasked = request_file(seen.requests.len());
    if folder.join(&unasked).exists() {
        return Err(difference(&unasked, &read(folder, &unasked)?, ""));
    }
    compare_expectation(folder, &events_text(seen))
}

fn compare_request(folder: &Path, file: &str, request: &Request) -> Result<(), CheckError> {
    let expected = read(folder, file)?;
    match serde_json::from_str::<Value>(&expected) {
        Ok(value) if value == json!(request) => Ok(()),
        Ok(value) => Err(difference(file, &pretty(&value), &request_text(request))),
        Err(_) => Err(difference(file, &expected, &request_text(request))),
    }
}

/// Compares the lines that were seen with the file that expects them.
pub(crate) fn compare_expectation(folder: &Path, text: &str) -> Result<(), CheckError> {
    let expected = read(folder, EXPECT)?;
    let values = |text: &str| -> Vec<Option<Value>> {
        text.lines().map(|line| serde_json::from_str(line).ok()).collect()
    };
    if values(&expected) == values(text) {
        return Ok(());
    }
    let normal: Vec<String> = expected.lines().map(normal).collect();
    Err(difference(EXPECT, &normal.join("\n"), text))
}

/// Writes what was seen into the case's files.
pub(crate) fn write(folder: &Path, seen: &Played) -> Result<(), CaseError> {
    for (index, request) in seen.requests.iter().enumerate() {
        save(folder.join(request_file(index)), &request_text(request))?;
    }
    if let Some(parting) = &seen.parting {
        save(folder.join(PARTING), &request_text(parting))?;
    }
    write_expectation(folder, &events_text(seen))
}

/// Writes the lines that were seen as those that are expected.
pub(crate) fn write_expectation(folder: &Path, text: &str) -> Result<(), CaseError> {
    save(folder.join(EXPECT), text)
}

fn request_file(index: usize) -> String {
    format!("request-{}.json", index + 1)
}

fn request_text(request: &Request) -> String {
    pretty(&json!(request))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn events_text(seen: &Played) -> String {
    let events = seen.events.iter().map(|event| json!(event).to_string());
    let end = json!({ "end": seen.ending }).to_string();
    events.chain([end]).map(|line| line + "\n").collect()
}

fn normal(line: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(value) => value.to_string(),
        Err(_) => line.to_owned(),
    }
}

/// The first line that differs.
fn difference(file: &str, expected: &str, seen: &str) -> CheckError {
    let (mut expected_lines, mut seen_lines) = (expected.lines(), seen.lines());
    let mut line = 1;
    loop {
        let (expected, seen) = (expected_lines.next(), seen_lines.next());
        if expected != seen || expected.is_none() {
            let shown = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
            let (expected, seen) = (shown(expected), shown(seen));
            return CheckError::Differs { file: file.to_owned(), line, expected, seen };
        }
        line += 1;
    }
}

fn read(folder: &Path, file: &str) -> Result<String, CaseError> {
    let path = folder.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        // A new case has no expectations yet; everything differs then.
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(CaseError::File { path, source }),
    }
}

fn save(path: PathBuf, text: &str) -> Result<(), CaseError> {
    fs::write(&path, text).map_err(|source| CaseError::File { path, source })
}
