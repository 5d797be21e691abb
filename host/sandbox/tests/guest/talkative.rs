//! Guests that say too much, to the answer or to the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use sluice_chat::event::{ErrorKind, RetryHint};
use sluice_sandbox::{CallError, Directive, Input, Limits};
use tracing_subscriber::fmt::MakeWriter;

use crate::component::component;
use crate::world::{ask, begin, frames, load, sandbox};

#[tokio::test]
async fn too_many_events_or_bytes_of_one_call_end_the_answer() {
    let provider = load(&sandbox(1), "flood").await;

    for model in ["events", "bytes"] {
        let mut answer = begin(&provider).await;
        let said = answer.start(&ask(model)).await;
        assert!(matches!(said, Err(CallError::TooMuchOutput)), "{model}: {said:?}");
        let after = answer.step(Input::End).await;
        assert!(matches!(after, Err(CallError::Poisoned)), "{model}: {after:?}");
    }
}

#[tokio::test]
async fn an_answer_may_not_grow_for_ever() {
    let limits = Limits { answer_bytes: 10 << 20, ..Limits::default() };
    let bytes = component("flood");
    let provider = sandbox(1).load("flood", &bytes, None, limits, "{}").await.unwrap();
    let mut answer = begin(&provider).await;
    answer.start(&ask("drip")).await.unwrap();

    for _ in 0..10 {
        answer.step(frames(&["more"])).await.unwrap();
    }
    let eleventh = answer.step(frames(&["more"])).await;

    assert!(matches!(eleventh, Err(CallError::TooMuchOutput)), "{eleventh:?}");
}

#[tokio::test]
async fn what_a_plugin_says_of_its_failure_is_cut_and_cleaned() {
    let provider = load(&sandbox(1), "flood").await;
    let mut answer = begin(&provider).await;
    answer.start(&ask("fail")).await.unwrap();

    let failed = answer.step(Input::End).await.unwrap();

    let Directive::Fail(error) = failed.next else { panic!("{failed:?}") };
    assert_eq!(error.kind, ErrorKind::Overloaded);
    assert_eq!(error.status, Some(529));
    assert_eq!(error.retry, RetryHint::AfterMs(u32::MAX));
    assert_eq!(error.detail.unwrap(), "é".repeat(256));
}

/// Collects what is logged on this thread.
#[derive(Debug, Clone, Default)]
struct Notebook(Arc<Mutex<Vec<u8>>>);

impl Write for Notebook {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Notebook {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn log_lines_are_bounded_in_number_length_and_shape() {
    let provider = load(&sandbox(1), "chatty").await;
    let mut answer = begin(&provider).await;
    let notebook = Notebook::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(notebook.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .finish();

    let logging = tracing::subscriber::set_default(subscriber);
    answer.start(&ask("")).await.unwrap();
    drop(logging);

    let text = String::from_utf8(notebook.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains(r#"plugin="chatty""#)).collect();
    assert_eq!(lines.len(), text.lines().count(), "{text}");
    // Twenty at once, and twenty a second while the guest runs.
    assert!((20..200).contains(&lines.len()), "{} lines", lines.len());
    assert!(
        lines[0].contains("INFO") && lines[0].contains("first ERROR forged [2J"),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("WARN") && lines[1].len() < 2_300, "{}", lines[1]);
}
