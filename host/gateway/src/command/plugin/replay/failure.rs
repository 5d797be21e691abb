//! Why a case failed, for the person at the terminal.

use std::fs;

use serde::Serialize;
use serde_json::Value;
use sluice_testkit::{Case, CheckError, Cut, Played, play};

use super::difference::difference;
use super::tested::Tested;
use crate::command::chain;

/// Says what is wrong, with both sides where something else was expected.
pub(super) fn describe(error: &CheckError, tested: &Tested, case: &Case) -> String {
    match error {
        CheckError::Play { how, source } => match tested.take_fault() {
            // The kit saw an answer that went on for ever; this is why.
            Some(fault) => {
                let why = format!("{how}: {}", chain(&fault));
                let frames = fault.backtrace().map(|frame| format!("\n  {frame}"));
                frames.fold(why, |words, frame| words + &frame)
            }
            None => format!("{how}: {}", chain(source)),
        },
        CheckError::Differs { file, line, .. } => {
            let shown = match whole(tested, case) {
                Some(seen) => difference(&expected(case, file), &Files::of(&seen).text_of(file)),
                None => String::new(),
            };
            format!("{file} differs from line {line} on; - expected, + seen\n{shown}")
        }
        CheckError::Shows { how, expected, seen } => {
            let shown = difference(&Files::of(expected).all(), &Files::of(seen).all());
            format!("{how}, and that shows; - as recorded, + so\n{shown}")
        }
        CheckError::Untrue { how, seen } => {
            let recorded = whole(tested, case).map(|whole| Files::of(&whole).all());
            let shown = difference(&recorded.unwrap_or_default(), &Files::of(seen).all());
            format!("{how}, and yet the answer is done; - as recorded, + so\n{shown}")
        }
        CheckError::Case(error) => chain(error),
    }
}

/// The case as it was recorded, played once more.
fn whole(tested: &Tested, case: &Case) -> Option<Played> {
    play(tested, case, &case.recordings, Cut::Nowhere).ok()
}

/// The expectation in that file, spaced as what is seen will be.
fn expected(case: &Case, file: &str) -> String {
    // A new case has no expectations yet.
    let text = fs::read_to_string(case.folder.join(file)).unwrap_or_default();
    let spaced = |text: &str, space: fn(&Value) -> String| {
        serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| space(&value))
    };
    if file == EXPECT {
        let lines: Vec<_> = text.lines().map(|line| spaced(line, Value::to_string)).collect();
        return lines.join("\n");
    }
    spaced(&text, |value| format!("{value:#}"))
}

const EXPECT: &str = "expect.jsonl";
const PARTING: &str = "parting.json";

/// What was seen, in the form of a case's files.
struct Files {
    requests: Vec<String>,
    /// What would be sent if it were given up; empty if nothing.
    parting: String,
    expect: String,
}

impl Files {
    fn of(seen: &Played) -> Self {
        let Played { requests, events, ending, parting } = seen;
        let mut lines: Vec<String> = events.iter().map(|event| value(event).to_string()).collect();
        lines.push(serde_json::json!({ "end": value(ending) }).to_string());
        let requests = requests.iter().map(|request| format!("{:#}", value(request))).collect();
        let parting = parting.as_ref().map(|request| format!("{:#}", value(request)));
        Self { requests, parting: parting.unwrap_or_default(), expect: lines.join("\n") }
    }

    /// The text of one; none if there is no such file.
    fn text_of(&self, file: &str) -> String {
        if file == EXPECT {
            return self.expect.clone();
        }
        if file == PARTING {
            return self.parting.clone();
        }
        let number = file.strip_prefix("request-").and_then(|rest| rest.strip_suffix(".json"));
        let index = number.and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
        index.and_then(|index| self.requests.get(index)).cloned().unwrap_or_default()
    }

    /// One after the other.
    fn all(&self) -> String {
        let mut texts = self.requests.clone();
        texts.extend(Some(self.parting.clone()).filter(|text| !text.is_empty()));
        texts.push(self.expect.clone());
        texts.join("\n")
    }
}

/// The forms of a case are all plain JSON.
fn value(form: impl Serialize) -> Value {
    serde_json::to_value(form).expect("its keys are text")
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use sluice_testkit::{Ending, Event, Failure, Retry};

    use super::*;

    /// What is said of a component that refuses its settings.
    fn described(error: &CheckError) -> String {
        let folder = tempfile::tempdir().unwrap();
        let text = "about = \"x\"\n[chat]\nmodel = \"m\"\n";
        fs::write(folder.path().join("case.toml"), text).unwrap();
        let case = Case::load(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let kind = "invalid-request".to_owned();
        let refusal = Failure { kind, status: None, retry: Retry::Never, detail: None };
        let tested = Tested::new(Rc::new(runtime), Err(refusal), &case, false);

        describe(error, &tested, &case)
    }

    fn played(text: &str) -> Played {
        let events = vec![Event::Text(text.to_owned())];
        Played { requests: Vec::new(), events, ending: Ending::Done, parting: None }
    }

    #[test]
    fn a_cut_that_shows_is_told_with_both_answers() {
        let how = "cut After(7)".to_owned();
        let (expected, seen) = (Box::new(played("Hi")), Box::new(played("H")));
        let error = CheckError::Shows { how, expected, seen };

        let expected = "cut After(7), and that shows; - as recorded, + so\n\
            - {\"text\":\"Hi\"}\n\
            + {\"text\":\"H\"}";
        assert_eq!(described(&error), expected);
    }

    #[test]
    fn a_broken_recording_that_is_done_is_told_beside_the_whole_one() {
        let how = "exchange 1 reset after 3 bytes".to_owned();
        let error = CheckError::Untrue { how, seen: Box::new(played("Hi")) };

        let expected = "exchange 1 reset after 3 bytes, and yet the answer is done; \
            - as recorded, + so\n\
            - {\"end\":{\"fail\":{\"kind\":\"invalid-request\",\"retry\":\"never\"}}}\n\
            + {\"text\":\"Hi\"}\n\
            + {\"end\":\"done\"}";
        assert_eq!(described(&error), expected);
    }
}
