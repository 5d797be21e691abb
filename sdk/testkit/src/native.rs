//! Plays cases against a plugin's Rust type.

pub(crate) mod asked;
pub(crate) mod said;

use std::{
    error::Error,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use sluice_sdk::{Answer, Context, Plugin};

use crate::{
    case::Case,
    chat::Chat,
    check::{CheckError, check},
    event::Failure,
    subject::{Circumstances, Input, Output, Steps, Subject},
};

/// A plugin, natively.
#[derive(Debug)]
pub struct Native<P>(PhantomData<P>);

impl<P> Default for Native<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// One answer of it.
#[derive(Debug)]
pub struct Running<A: Answer> {
    cx: Context<A::Settings>,
    answer: A,
}

impl<P: Plugin> Subject for Native<P> {
    type Answer = Running<P::Answer>;

    fn open(&self, circumstances: &Circumstances) -> Result<Self::Answer, Failure> {
        Ok(Running { cx: context(circumstances)?, answer: P::Answer::default() })
    }
}

/// What a plugin is told first.
pub(crate) fn context<S: DeserializeOwned + Default>(
    circumstances: &Circumstances,
) -> Result<Context<S>, Failure> {
    let Circumstances { settings, now_ms, seed } = circumstances;
    let read = Context::read(&settings.to_string()).map_err(said::failure)?;
    Ok(Context { now_ms: *now_ms, seed: *seed, host: "sluice-testkit".to_owned(), ..read })
}

impl<A: Answer> Steps for Running<A> {
    fn start(&mut self, chat: &Chat) -> Output {
        said::output(self.answer.start(&self.cx, asked::chat(chat)))
    }

    fn step(&mut self, input: Input) -> Output {
        said::output(self.answer.step(&self.cx, asked::input(input)))
    }
}

/// Checks the case in this folder and panics with what is wrong. `SLUICE_UPDATE=1` writes its expectations anew.
#[track_caller]
#[expect(clippy::panic, reason = "called by tests, whose way to fail this is")]
pub fn assert_case<P: Plugin>(folder: impl AsRef<Path>) {
    if let Err(wrong) = checked::<P>(folder.as_ref()) {
        panic!("{wrong}");
    }
}

/// Checks every case in this folder of cases and panics with all that is wrong, or if there is none. Like [`assert_case`] otherwise.
#[track_caller]
pub fn assert_cases<P: Plugin>(cases: impl AsRef<Path>) {
    assert_each(cases.as_ref(), checked::<P>);
}

fn checked<P: Plugin>(folder: &Path) -> Result<(), String> {
    let checked = Case::load(folder)
        .map_err(CheckError::from)
        .and_then(|case| check(&Native::<P>::default(), &case, wants_update()));
    told(folder, checked)
}

/// Panics with what `check` says of the folders in `cases`, each of which it looks at, or if there is none.
#[track_caller]
pub(crate) fn assert_each(cases: &Path, check: fn(&Path) -> Result<(), String>) {
    let folders = Case::folders(cases).unwrap_or_default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = folders.len().div_ceil(threads).max(1);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let shares: Vec<_> = folders
            .chunks(share)
            .map(|folders| {
                let check = |folder: &PathBuf| check(folder).err();
                scope.spawn(move || folders.iter().filter_map(check).collect::<Vec<String>>())
            })
            .collect();
        shares.into_iter().flat_map(|share| share.join().expect("no case panics")).collect()
    });
    assert!(
        !folders.is_empty() && wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        folders.len(),
        wrong.join("\n")
    );
}

/// What is wrong with the case in this folder, with all its causes.
pub(crate) fn told<E: Error>(folder: &Path, checked: Result<(), E>) -> Result<(), String> {
    checked.map_err(|error| format!("case {}: {}", folder.display(), chain(&error)))
}

/// Whether expectations are to be written.
pub(crate) fn wants_update() -> bool {
    std::env::var_os("SLUICE_UPDATE").is_some_and(|value| value == "1")
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        source = error.source();
    }
    chain
}
