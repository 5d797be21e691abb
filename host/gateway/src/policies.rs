//! The policies of the house: who is asked, in which order, and what becomes of what they say.
//!
//! The first that says no decides. What one changes, and the labels it puts on, the next one sees. One that fails says no, unless
//! the operator wrote that it is to be passed over. What a policy is and how it runs is the sandbox's.

mod beside;
mod filtering;
mod fuse;
mod link;
mod message;
mod reserving;
mod sweeping;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sluice_archive::{Archive, AuditEntry};
use sluice_chat::exchange::Field;
use sluice_chat::id::{SessionId, UserId};
use sluice_chat::policy::{AdminAction, Caller, Decision, Denial, Note, Subject};
use sluice_sandbox::Hook;

pub(crate) use self::filtering::{Filtered, filtered};
pub(crate) use self::link::{Link, State};
pub(crate) use self::message::{Judged, Proposal, Rehearing};
pub(crate) use self::reserving::Ticket;
pub(crate) use self::sweeping::sweep;
use crate::metrics::{Judging, Verdict};
use crate::{clock, fresh};

/// What somebody is told whom no policy could judge.
const UNJUDGED: &str = "This cannot be checked now; try again later.";
/// What becomes of a request that is refused, as the record has it.
const FORBIDDEN: u16 = 403;

/// A policy said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy `{policy}` says no: {code}")]
pub(crate) struct Denied {
    /// Which.
    pub(crate) policy: String,
    /// Its word for it.
    pub(crate) code: String,
    /// Its text for the user, at most 512 bytes.
    pub(crate) text: String,
    /// When it may go through.
    pub(crate) retry_after: Option<Duration>,
    /// Whether it failed and could not say anything else.
    pub(crate) unjudged: bool,
}

impl Denied {
    fn by(policy: &str, denial: Denial) -> Self {
        let Denial { code, text, retry_after_s } = denial;
        let retry_after = retry_after_s.map(|seconds| Duration::from_secs(seconds.into()));
        Self { policy: policy.to_owned(), code, text, retry_after, unjudged: false }
    }

    /// It could not say anything.
    fn unjudged(policy: &str) -> Self {
        let (code, text) = ("failed".to_owned(), UNJUDGED.to_owned());
        let denial = Denial { code, text, retry_after_s: None };
        Self { unjudged: true, ..Self::by(policy, denial) }
    }
}

/// Who is asked, in this order. Immutable; replaced whole.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    links: Vec<Arc<Link>>,
    break_glass: Vec<String>,
}

impl Chain {
    /// These, in this order; none about an operator's actions by one of the users of `break_glass`.
    pub(crate) fn new(links: Vec<Arc<Link>>, break_glass: Vec<String>) -> Self {
        Self { links, break_glass }
    }

    /// Everybody on it.
    pub(crate) fn links(&self) -> &[Arc<Link>] {
        &self.links
    }

    fn with(&self, hook: Hook) -> impl Iterator<Item = &Arc<Link>> {
        self.links.iter().filter(move |link| link.policy().has(hook))
    }
}

/// Asks the policies.
#[derive(Debug)]
pub(crate) struct Policies {
    chain: ArcSwap<Chain>,
    archive: Archive,
    judging: Judging,
    /// After that what was reserved, and never settled, is given back.
    lapse: Duration,
}

impl Policies {
    /// Asks these, and reserves in this archive: for `longest_answer` and a while more.
    pub(crate) fn new(
        chain: Chain,
        archive: Archive,
        judging: Judging,
        longest_answer: Duration,
    ) -> Self {
        let lapse = longest_answer + Duration::from_mins(5);
        Self { chain: ArcSwap::from_pointee(chain), archive, judging, lapse }
    }

    /// Asks others from here on. What is being judged is judged by those who were asked first.
    pub(crate) fn replace(&self, chain: Chain) {
        self.chain.store(Arc::new(chain));
    }

    /// Everybody who is asked now.
    pub(crate) fn chain(&self) -> Arc<Chain> {
        self.chain.load_full()
    }

    /// Asks about a connection, or a call that needs a model.
    pub(crate) async fn connect(&self, mut subject: Subject) -> Result<(), Denied> {
        let chain = self.chain();
        for link in chain.with(Hook::Connect) {
            let asked = Box::pin(link.policy().on_connect(&subject, rand::random()));
            let asked = self.ask(link, Hook::Connect, &subject.caller, asked).await;
            let asked = self.on_record(link, Hook::Connect, asked, &subject).await?;
            let Some(decision) = asked else { continue };
            self.decide(link, Hook::Connect, decision, &mut subject).await?;
        }
        Ok(())
    }

    /// Asks about an operator's action.
    pub(crate) async fn admin(
        &self,
        mut subject: Subject,
        action: &AdminAction,
    ) -> Result<(), Denied> {
        let chain = self.chain();
        let operator = &subject.caller.principal.id;
        if chain.break_glass.contains(operator) {
            if chain.with(Hook::Admin).next().is_some() {
                tracing::warn!(operator, action = action.name, "no policy is asked: break-glass");
            }
            return Ok(());
        }
        for link in chain.with(Hook::Admin) {
            let asked = Box::pin(link.policy().on_admin(&subject, action, rand::random()));
            let asked = self.ask(link, Hook::Admin, &subject.caller, asked).await;
            let asked = self.on_record(link, Hook::Admin, asked, &subject).await?;
            let Some(decision) = asked else { continue };
            self.decide(link, Hook::Admin, decision, &mut subject).await?;
        }
        Ok(())
    }

    /// Lets one call about somebody happen, and counts it. None if it failed and is passed over.
    async fn ask<T>(
        &self,
        link: &Link,
        hook: Hook,
        caller: &Caller,
        asked: impl Future<Output = Result<T, sluice_sandbox::CallError>>,
    ) -> Result<Option<T>, Denied> {
        if link.state() == State::Down {
            self.judging.judged(link.name(), hook, Verdict::Skipped);
            return failed(link);
        }
        self.go_on(link, hook, caller, asked).await
    }

    /// As [`ask`](Self::ask), of somebody who was asked already and is in the midst of it: a filter that works is not given up
    /// because its policy is down.
    async fn go_on<T>(
        &self,
        link: &Link,
        hook: Hook,
        caller: &Caller,
        asked: impl Future<Output = Result<T, sluice_sandbox::CallError>>,
    ) -> Result<Option<T>, Denied> {
        let timed = self.judging.timed(link.name(), hook, asked);
        match timed.await {
            Ok(said) => Ok(Some(said)),
            Err(error) => {
                self.judging.judged(link.name(), hook, Verdict::of(&error));
                let (policy, down) = (link.name(), link.failed(&error, &caller.principal.id));
                let error = &error as &dyn Error;
                tracing::warn!(policy, hook = hook.as_str(), down, error, "a policy failed");
                failed(link)
            }
        }
    }

    /// Hands on what became of asking, and puts on record what is refused because nobody could judge it.
    async fn on_record<T>(
        &self,
        link: &Link,
        hook: Hook,
        asked: Result<T, Denied>,
        subject: &Subject,
    ) -> Result<T, Denied> {
        if let Err(denied) = &asked {
            self.record_refusal(link, hook, denied, &Note::default(), subject).await;
        }
        asked
    }

    /// Puts on record that an answer ended because a filter could not judge it.
    async fn record_unfiltered(&self, denied: &Denied, subject: &Subject) {
        let chain = self.chain();
        let Some(link) = chain.links().iter().find(|link| link.name() == denied.policy) else {
            return;
        };
        let line = Line { link, hook: Hook::Output, word: &denied.code, status: None };
        self.record(&line, &Note::default(), subject).await;
    }

    async fn record_refusal(
        &self,
        link: &Link,
        hook: Hook,
        denied: &Denied,
        note: &Note,
        subject: &Subject,
    ) {
        let line = Line { link, hook, word: &denied.code, status: Some(FORBIDDEN) };
        self.record(&line, note, subject).await;
    }

    /// What it said makes no sense.
    fn fault<T>(
        &self,
        link: &Link,
        hook: Hook,
        error: &(dyn Error + 'static),
    ) -> Result<Option<T>, Denied> {
        self.judging.judged(link.name(), hook, Verdict::Nonsense);
        let policy = link.name();
        tracing::warn!(policy, hook = hook.as_str(), error, "a policy makes no sense");
        failed(link)
    }

    /// Takes in a yes or no: what is to be kept of it, and whether it goes on.
    async fn decide(
        &self,
        link: &Link,
        hook: Hook,
        decision: Decision,
        subject: &mut Subject,
    ) -> Result<(), Denied> {
        let Decision { denial, note } = decision;
        match denial {
            None => {
                self.judging.judged(link.name(), hook, Verdict::Allowed);
                self.keep(link, hook, note, subject).await;
                Ok(())
            }
            Some(denial) => {
                self.judging.judged(link.name(), hook, Verdict::Denied);
                let denied = Denied::by(link.name(), denial);
                self.record_refusal(link, hook, &denied, &note, subject).await;
                Err(denied)
            }
        }
    }

    /// Keeps what a policy wants kept, and hands its labels to the next.
    async fn keep(&self, link: &Link, hook: Hook, note: Note, subject: &mut Subject) {
        if note.text.is_some() {
            let line = Line { link, hook, word: "noted", status: None };
            self.record(&line, &note, subject).await;
        }
        subject.labels.extend(note.labels);
    }

    /// Writes a line of the record. One that cannot be written is logged: what was judged stays judged.
    async fn record(&self, line: &Line<'_>, note: &Note, subject: &Subject) {
        let Line { link, hook, word, status } = *line;
        let (policy, hook) = (link.name(), hook.as_str());
        let user = &subject.caller.principal.id;
        tracing::info!(policy, hook, user, word, "a policy spoke");
        let labels = note.labels.iter().map(|Field { name, value }| format!("{name}={value}"));
        let reason: Vec<String> = note.text.iter().cloned().chain(labels).collect();
        let Some(operator) = UserId::parse(&format!("policy:{policy}")) else { return };
        let entry = AuditEntry {
            id: fresh::audit(),
            at: clock::now(),
            operator,
            action: format!("{hook}: {word}"),
            user: UserId::parse(user),
            session: subject.session.as_deref().and_then(SessionId::parse),
            reason: Some(reason.join("; ")).filter(|reason| !reason.is_empty()),
            status,
        };
        if let Err(error) = self.archive.note(entry).await {
            let error = &error as &dyn Error;
            tracing::error!(error, policy, "could not record what a policy said");
        }
    }
}

/// What becomes of what a policy could not judge.
fn failed<T>(link: &Link) -> Result<Option<T>, Denied> {
    if link.passes_failures() { Ok(None) } else { Err(Denied::unjudged(link.name())) }
}

/// A line of the record that is about to be written.
struct Line<'a> {
    link: &'a Link,
    hook: Hook,
    word: &'a str,
    status: Option<u16>,
}

/// Who does something now.
pub(crate) fn subject(caller: &Arc<Caller>) -> Subject {
    Subject { caller: Arc::clone(caller), now: clock::now(), ..Subject::default() }
}
