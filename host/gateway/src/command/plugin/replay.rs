//! `sluice plugin test`: every recorded case of a plugin, replayed against its component in the sandbox.
//!
//! What is replayed and what must come of it is the testkit's; here is the component it is played against, and the report.

mod asked;
mod detail;
mod difference;
mod failure;
mod instance;
mod memory;
mod notifier;
mod policy;
mod said;
mod tested;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use sluice_sandbox::{Limits, LoadError, Plugin, Sandbox};
use sluice_testkit::{
    Case, CaseError, Failure, NotifierCase, PolicyCase, check, check_notifier, check_policy,
};
use tokio::runtime::Runtime;

use self::tested::{Cost, Tested};
use crate::command::{Exit, chain, print, tell};

/// Which cases, and how.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// The component, or the name of a bundled one.
    file: PathBuf,
    /// A folder of cases, or one case; by default `cases` beside the component, else in the working directory.
    #[arg(value_name = "CASES_DIR")]
    cases: Option<PathBuf>,
    /// Writes what was seen in place of what was expected; read the difference before you commit it.
    #[arg(long)]
    update: bool,
    /// Runs every replay, also those that tell the plugin what an earlier one told it.
    #[arg(long)]
    all: bool,
}

/// Replays them and prints a line each.
pub(super) fn run(wanted: &Wanted) -> Result<(), ExitCode> {
    let cases = wanted.cases.clone().unwrap_or_else(|| beside(&wanted.file));
    let (name, bytes) = super::component(&wanted.file)?;
    let folders = folders(&cases)?;
    let mut shop = Shop::open(name, bytes)?;
    let mut failed = 0_usize;
    for folder in &folders {
        let verdict = shop.judge(folder, wanted)?;
        failed += usize::from(verdict.problem.is_some());
        verdict.print(folder);
    }
    print(format_args!("{} passed, {failed} failed", folders.len() - failed));
    if failed == 0 { Ok(()) } else { Err(Exit::Configuration.into()) }
}

/// Where the cases of this component are looked for.
fn beside(file: &Path) -> PathBuf {
    let beside = file.with_file_name("cases");
    if beside.is_dir() { beside } else { PathBuf::from("cases") }
}

/// The folders of the cases there are; none is an error, since whoever asks for a test expects one.
fn folders(cases: &Path) -> Result<Vec<PathBuf>, ExitCode> {
    let refuse = |words: String| {
        tell(words);
        ExitCode::from(Exit::Configuration)
    };
    if cases.join("case.toml").is_file() {
        return Ok(vec![cases.to_owned()]);
    }
    let folders = Case::folders(cases).map_err(|error| refuse(chain(&error)))?;
    if folders.is_empty() {
        return Err(refuse(format!("there is no case in {}", cases.display())));
    }
    Ok(folders)
}

/// What came of one case.
struct Verdict {
    cost: Cost,
    /// What is wrong, if anything is, in as many lines as that takes.
    problem: Option<String>,
}

impl Verdict {
    /// The case itself is at fault.
    fn unreadable(error: &CaseError) -> Self {
        Self { cost: Cost::default(), problem: Some(chain(error)) }
    }

    fn print(&self, folder: &Path) {
        let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
        let Self { cost, problem } = self;
        let Some(problem) = problem else {
            print(format_args!("ok  {name}  ({cost})"));
            return;
        };
        print(format_args!("FAILED  {name}  ({cost})"));
        for line in problem.lines() {
            print(format_args!("    {line}"));
        }
    }
}

/// A component with settings, or its refusal of them.
#[derive(Debug, Clone)]
enum Candidate {
    Provider(tested::Candidate),
    Policy(policy::Candidate),
    Notifier(notifier::Candidate),
}

/// Where one component is tested. It is loaded once for each settings that its cases have.
struct Shop {
    runtime: Rc<Runtime>,
    sandbox: Sandbox,
    name: String,
    bytes: Vec<u8>,
    loaded: BTreeMap<String, Candidate>,
}

impl Shop {
    fn open(name: String, bytes: Vec<u8>) -> Result<Self, ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| {
            tell(format_args!("cannot start: {error}"));
            ExitCode::from(Exit::Internal)
        })?;
        let sandbox = super::sandbox()?;
        Ok(Self { runtime: Rc::new(runtime), sandbox, name, bytes, loaded: BTreeMap::new() })
    }

    /// Tests one case. An error is one of the component itself: no case could pass.
    fn judge(&mut self, folder: &Path, wanted: &Wanted) -> Result<Verdict, ExitCode> {
        // The settings alone: what else there is to be read depends on what they make of the component.
        let settings = match Case::settings(folder) {
            Ok(settings) => settings,
            Err(error) => return Ok(Verdict::unreadable(&error)),
        };
        match self.candidate(&settings.to_string())? {
            Candidate::Provider(candidate) => Ok(self.answer(candidate, folder, wanted)),
            Candidate::Policy(candidate) => Ok(self.ask(candidate, folder, wanted)),
            Candidate::Notifier(candidate) => Ok(self.notify(candidate, folder, wanted)),
        }
    }

    /// A provider's case.
    fn answer(&self, candidate: tested::Candidate, folder: &Path, wanted: &Wanted) -> Verdict {
        let case = match Case::load(folder) {
            Ok(case) => case,
            Err(error) => return Verdict::unreadable(&error),
        };
        let tested = Tested::new(Rc::clone(&self.runtime), candidate, &case, wanted.all);
        let checked = check(&tested, &case, wanted.update);
        let cost = tested.cost();
        let problem = checked.err().map(|error| failure::describe(&error, &tested, &case));
        Verdict { cost, problem }
    }

    /// A policy's case.
    fn ask(&self, candidate: policy::Candidate, folder: &Path, wanted: &Wanted) -> Verdict {
        let case = match PolicyCase::load(folder) {
            Ok(case) => case,
            Err(error) => return Verdict::unreadable(&error),
        };
        let expected = detail::refusal(folder);
        let candidate = candidate.map_err(|failure| detail::restored(failure, expected.as_deref()));
        let asked = policy::Asked::new(Rc::clone(&self.runtime), candidate);
        let checked = check_policy(&asked, &case, wanted.update);
        Verdict { cost: asked.cost(), problem: checked.err().map(|error| chain(&error)) }
    }

    /// A notifier's case.
    fn notify(&self, candidate: notifier::Candidate, folder: &Path, wanted: &Wanted) -> Verdict {
        let case = match NotifierCase::load(folder) {
            Ok(case) => case,
            Err(error) => return Verdict::unreadable(&error),
        };
        let expected = detail::refusal(folder);
        let candidate = candidate.map_err(|failure| detail::restored(failure, expected.as_deref()));
        let told = notifier::Told::new(Rc::clone(&self.runtime), candidate);
        let checked = check_notifier(&told, &case, wanted.update);
        Verdict { cost: told.cost(), problem: checked.err().map(|error| chain(&error)) }
    }

    /// The component with these settings; refusing them is an answer too.
    fn candidate(&mut self, settings: &str) -> Result<Candidate, ExitCode> {
        if let Some(known) = self.loaded.get(settings) {
            return Ok(known.clone());
        }
        let (name, bytes, limits) = (&self.name, &self.bytes, Limits::default);
        let loading = self.sandbox.load_plugin(name, bytes, None, limits(), settings);
        let candidate = match self.runtime.block_on(loading) {
            Ok(Plugin::Provider(provider)) => Candidate::Provider(Ok(provider)),
            Ok(Plugin::Policy(policy)) => Candidate::Policy(Ok(policy)),
            Ok(Plugin::Notifier(notifier)) => Candidate::Notifier(Ok(notifier)),
            Err(LoadError::Settings { error }) => self.refused(settings, said::failure(error)),
            Err(error) => {
                tell(chain(&error));
                return Err(Exit::Configuration.into());
            }
        };
        self.loaded.insert(settings.to_owned(), candidate.clone());
        Ok(candidate)
    }

    /// Which kind of component it is that refuses its settings.
    fn refused(&self, settings: &str, failure: Failure) -> Candidate {
        let (name, bytes, limits) = (&self.name, &self.bytes, Limits::default);
        let as_policy = self.sandbox.load_policy(name, bytes, None, limits(), settings);
        if !matches!(self.runtime.block_on(as_policy), Err(LoadError::NoPolicy)) {
            return Candidate::Policy(Err(failure));
        }
        let as_provider = self.sandbox.load(name, bytes, None, limits(), settings);
        match self.runtime.block_on(as_provider) {
            Err(LoadError::NoProvider { .. }) => Candidate::Notifier(Err(failure)),
            Ok(_) | Err(_) => Candidate::Provider(Err(failure)),
        }
    }
}
