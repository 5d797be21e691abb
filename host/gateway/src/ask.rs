//! Asking a provider: the one path on which anything is ever asked, whoever asks.
//!
//! Starts the plugin's answer, performs the exchanges it describes, feeds it what comes back and hands out what it says. Dropping
//! the stream is cancelling: plugin instance and upstream connection go with it. No storage, no clients.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use sluice_chat::answer::{Breach, Manners};
use sluice_chat::event::{ChatEvent, ErrorKind, FinishReason, ProviderError};
use sluice_chat::exchange::TransportFailure;
use sluice_chat::request::ChatRequest;
use sluice_chat::tally::Tally;
use sluice_chat::upstream_ids::UpstreamIds;
use sluice_sandbox::{Answer, CallError, Directive, Input, Output};
use sluice_upstream::{Blobs, Response, Timeouts};

use tokio::time::Instant;

use crate::breaker::Began;
use crate::catalog::Route;
use crate::clock;
use crate::credentials::Choice;
use crate::metrics::Answers;
use crate::notices::{Notices, Telling};
use crate::policies::{Denied, Rehearing};

mod attempts;
mod deadline;
mod embedding;
mod parting;
mod tab;

use attempts::{Attempts, Next, Remedy, rest_after};
use deadline::within;
pub(crate) use embedding::{Passages, embed};
use parting::Parting;
pub(crate) use parting::Partings;
pub(crate) use tab::Tab;

/// Most exchanges one answer may perform.
const MAX_EXCHANGES: u32 = 6;
/// Longest a plugin may ask to wait at a time.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// How long asking may take.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// The whole answer.
    pub(crate) total: Duration,
    /// One exchange.
    pub(crate) exchange: Timeouts,
}

/// A question, ready to be asked.
#[derive(Debug)]
pub(crate) struct Question {
    /// Who is asked.
    pub(crate) route: Arc<Route>,
    /// Who is asked instead, in this order, when that fails before anybody was shown anything, and the policies let it.
    pub(crate) others: VecDeque<Arc<Route>>,
    /// What the policies judge when another model is to be asked. None if there is nobody who would.
    pub(crate) rehearing: Option<Rehearing>,
    /// What.
    pub(crate) request: ChatRequest,
    /// Bytes that the request refers to; plugins never see them.
    pub(crate) blobs: Blobs,
    /// What it costs so far. Whoever pays has it too.
    pub(crate) tab: Tab,
}

/// What came of it so far.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The provider said something.
    Said(Vec<ChatEvent>),
    /// Another one is asked from here on; nobody was shown anything yet.
    Turned(Arc<Route>),
    /// It is over. Always last, always once.
    Ended(Result<FinishReason, AskError>),
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The answer took longer than it may.
    #[error("the answer took too long")]
    TookTooLong,
    /// The exchange broke.
    #[error("the exchange with the upstream broke ({failure:?})")]
    Transport {
        failure: TransportFailure,
        #[source]
        told: Option<ProviderError>,
    },
    /// The provider said no.
    #[error("the provider refused or failed")]
    Provider(#[source] ProviderError),
    /// The plugin failed.
    #[error("the plugin failed")]
    Plugin(#[source] CallError),
    /// The plugin broke the rules of an answer.
    #[error("the plugin broke the contract")]
    Breach(#[source] Breach),
    /// The plugin wants to read although nothing was sent.
    #[error("the plugin wants to read although nothing was sent")]
    NothingToRead,
    /// A policy that has to see what the provider says could not.
    #[error("what the provider says could not be checked")]
    Unfiltered(#[source] Denied),
    /// The plugin sends and sends.
    #[error("the plugin wants more than {MAX_EXCHANGES} exchanges")]
    TooManyExchanges,
}

impl AskError {
    /// What it is in the words that providers' failures map to.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::TookTooLong | Self::Transport { failure: TransportFailure::Timeout, .. } => {
                ErrorKind::Timeout
            }
            Self::Provider(error) => error.kind,
            Self::Plugin(CallError::Busy) | Self::Unfiltered(_) => ErrorKind::Overloaded,
            Self::Transport { .. }
            | Self::Plugin(_)
            | Self::Breach(_)
            | Self::NothingToRead
            | Self::TooManyExchanges => ErrorKind::Protocol,
        }
    }
}

/// Asks, and tells what is heard.
pub(crate) fn ask(
    question: Question,
    partings: Partings,
    patience: Patience,
    answers: &Answers,
    notices: &Arc<Notices>,
) -> impl Stream<Item = Heard> + Send + use<> {
    let total = patience.total;
    let rehearing = question.rehearing.filter(|_| !question.others.is_empty());
    let question = Question { rehearing, ..question };
    let meter = answers.begin(question.route.provider.name());
    let credential = Choice::of(&question.route.credentials, Instant::now());
    let call = Call {
        attempts: Attempts::first(),
        question,
        credential,
        partings,
        patience,
        answers: answers.clone(),
        notices: Arc::clone(notices),
        state: State::Unasked,
        began: Began::default(),
        exchanges: 0,
        unshown: Vec::new(),
        spoke: false,
        ended: None,
    };
    let steps = stream::unfold(call, async |mut call| Some((call.go_on().await, call)));
    within(total, steps, meter)
}

/// One answer under way: the plugin's instance and its open exchange.
struct Call {
    question: Question,
    credential: Choice,
    partings: Partings,
    patience: Patience,
    answers: Answers,
    notices: Arc<Notices>,
    attempts: Attempts,
    state: State,
    /// When the present try did.
    began: Began,
    exchanges: u32,
    /// What the present try said of which nobody is shown anything: ids, usage, notices.
    unshown: Vec<ChatEvent>,
    /// Whether somebody was shown anything: from then on a failure stands.
    spoke: bool,
    /// How it ended, once that is all that is left to tell.
    ended: Option<Result<FinishReason, AskError>>,
}

enum State {
    Unasked,
    Answering(Box<Answering>),
    Over,
}

struct Answering {
    plugin: Answer,
    next: Directive,
    response: Option<Response>,
    /// Set once an exchange broke: whatever the plugin makes of it, the answer did not end well.
    broken: Option<TransportFailure>,
    manners: Manners,
    /// After the response, so that the exchange is dropped first.
    parting: Parting,
}

/// What one step of an answer came to.
enum Advance {
    Said(Vec<ChatEvent>),
    Turned(Arc<Route>),
    Ended(FinishReason),
}

impl Call {
    /// Goes on until there is something to tell. What fails before anybody was shown anything is tried again, or another way.
    async fn go_on(&mut self) -> Result<Advance, AskError> {
        if let Some(ended) = self.ended.take() {
            return ended.map(Advance::Ended);
        }
        if !self.spoke
            && matches!(self.state, State::Unasked)
            && let Some(because) = self.passed_over()
            && let Some(other) = self.other().await
        {
            return Ok(self.turn(other, because));
        }
        loop {
            let error = match self.advance().await {
                Ok(Advance::Said(events))
                    if !self.spoke && !events.iter().any(ChatEvent::is_shown) =>
                {
                    self.question.tab.note(|tally| tally.hear_early(&events));
                    self.unshown.extend(events);
                    continue;
                }
                Ok(advance) => {
                    // How it goes on says no more of whether the upstream takes anything new.
                    if !self.spoke {
                        self.question.route.breaker.worked(self.began);
                    }
                    self.spoke = true;
                    // From here on nobody else is asked.
                    self.question.rehearing = None;
                    return Ok(self.heard(advance));
                }
                Err(error) => error,
            };
            let down = Remedy::blames_upstream(&error)
                && self.question.route.breaker.failed(self.began, Instant::now());
            if down {
                let route = &self.question.route;
                tracing::warn!(model = %route.id, "passed over for a while, it failed in a row");
                self.notices.alarm(Telling::provider_down(&route.id, route.provider.name()));
            }
            if self.spoke {
                return Err(error);
            }
            if matches!(error, AskError::Provider(_)) {
                self.question.tab.note(Tally::refused);
            }
            if self.turn_key(&error) {
                self.forget();
                continue;
            }
            let remedy = if down { Remedy::OtherWay } else { Remedy::against(&error) };
            let next = self.attempts.after(remedy, rand::random());
            let other = if next == Next::OtherWay { self.other().await } else { None };
            let model = &self.question.route.id;
            match (next, other) {
                (Next::Again(wait), _) => {
                    tracing::debug!(%model, ?wait, error = &error as &dyn Error, "trying again");
                    drop(error);
                    self.forget();
                    self.answers.tried_again(self.question.route.provider.name());
                    (self.state, self.exchanges) = (State::Unasked, 0);
                    tokio::time::sleep(wait).await;
                }
                (_, Some(other)) => {
                    tracing::warn!(%model, error = &error as &dyn Error, "asking another model instead");
                    self.forget();
                    return Ok(self.turn(other, error.kind()));
                }
                (_, None) if self.unshown.is_empty() => return Err(error),
                (_, None) => {
                    // Its ids lead to what became of it at the upstream, and what it told of the cost is due.
                    self.ended = Some(Err(error));
                    return Ok(self.heard(Advance::Said(Vec::new())));
                }
            }
        }
    }

    /// Why the way is not worth a try while there is another, if it is not.
    fn passed_over(&self) -> Option<ErrorKind> {
        let (route, now) = (&self.question.route, Instant::now());
        if route.credentials.all_rest(now) {
            return Some(ErrorKind::QuotaExhausted);
        }
        (!route.breaker.admits(now)).then_some(ErrorKind::Overloaded)
    }

    /// The next one to ask, by a request as the policies want it there. A model that they keep it from is left out.
    async fn other(&mut self) -> Option<Arc<Route>> {
        let Question { others, rehearing, request, .. } = &mut self.question;
        while let Some(other) = others.pop_front() {
            let Some(rehearing) = rehearing else { return Some(other) };
            if rehearing.suit(&other.id, request).await {
                return Some(other);
            }
            others.retain(|way| way.id != other.id);
        }
        None
    }

    /// Takes another key of the same way, if it is the key that was refused and there is another.
    fn turn_key(&mut self, error: &AskError) -> bool {
        let Some(rest) = rest_after(error) else { return false };
        let (route, refused) = (&self.question.route, self.credential.ordinal());
        let turned = self.credential.turn(&route.credentials, rest, Instant::now());
        if turned {
            let provider = route.provider.name();
            tracing::warn!(
                provider,
                refused,
                ?rest,
                error = error as &dyn Error,
                "a key is refused, using another"
            );
            self.answers.turned_key(provider, error.kind());
            (self.state, self.exchanges) = (State::Unasked, 0);
        }
        turned
    }

    /// Nothing that the present try said counts.
    fn forget(&mut self) {
        self.unshown.clear();
        self.question.tab.note(Tally::forget);
    }

    /// What was heard until now, with what nobody was shown before it.
    fn heard(&mut self, advance: Advance) -> Advance {
        let mut before = std::mem::take(&mut self.unshown);
        match advance {
            Advance::Said(events) => before.extend(events),
            Advance::Ended(reason) if !before.is_empty() => self.ended = Some(Ok(reason)),
            advance @ (Advance::Ended(_) | Advance::Turned(_)) => return advance,
        }
        self.question.tab.note(|tally| tally.hear(&before));
        Advance::Said(before)
    }

    /// Asks another one from here on.
    fn turn(&mut self, other: Arc<Route>, because: ErrorKind) -> Advance {
        let Question { route, request, .. } = &mut self.question;
        self.answers.turned(route.provider.name(), because);
        *route = other;
        request.model.clone_from(&route.upstream_model);
        // A conversation that one vendor keeps is none of another's.
        for message in &mut request.messages {
            message.extras.retain(|extra| extra.key != UpstreamIds::CONVERSATION_KEY);
        }
        let limits = request.max_output_tokens.into_iter().chain(route.max_output_tokens);
        request.max_output_tokens = limits.min();
        self.credential = Choice::of(&route.credentials, Instant::now());
        self.attempts = Attempts::first();
        (self.state, self.exchanges) = (State::Unasked, 0);
        Advance::Turned(Arc::clone(route))
    }

    /// Goes on until there is something to tell.
    async fn advance(&mut self) -> Result<Advance, AskError> {
        loop {
            let said = match std::mem::replace(&mut self.state, State::Over) {
                State::Unasked => {
                    self.began = self.question.route.breaker.begin();
                    let (answering, said) = self.start().await?;
                    self.state = State::Answering(Box::new(answering));
                    said
                }
                State::Answering(mut answering) => match self.input(&mut answering).await? {
                    None => return answering.finish().map(Advance::Ended),
                    Some(input) => {
                        let said = answering.step(input).await?;
                        self.state = State::Answering(answering);
                        said
                    }
                },
                State::Over => return Err(AskError::NothingToRead),
            };
            if !said.is_empty() {
                return Ok(Advance::Said(said));
            }
        }
    }

    async fn start(&self) -> Result<(Answering, Vec<ChatEvent>), AskError> {
        let provider = &self.question.route.provider;
        let mut plugin =
            provider.answer(clock::now(), rand::random()).await.map_err(AskError::Plugin)?;
        let Output { events, next, parting: left } =
            plugin.start(&self.question.request).await.map_err(AskError::Plugin)?;
        let mut manners = Manners::default();
        manners.hear(&events).map_err(AskError::Breach)?;
        let endpoints = self.credential.endpoints(&self.question.route.credentials);
        let mut parting = Parting::new(self.partings.clone(), Arc::clone(endpoints));
        parting.leave(left);
        Ok((Answering { plugin, next, response: None, broken: None, manners, parting }, events))
    }

    /// Does what the plugin asked for; none when it is done.
    async fn input(&mut self, answering: &mut Answering) -> Result<Option<Input>, AskError> {
        let next = std::mem::replace(&mut answering.next, Directive::Done);
        Ok(Some(match next {
            Directive::Done => {
                answering.came_to_its_end();
                return Ok(None);
            }
            Directive::Fail(error) => {
                answering.came_to_its_end();
                return Err(answering.failed(error));
            }
            Directive::Wait(time) => {
                tokio::time::sleep(time.min(MAX_WAIT)).await;
                Input::Woken
            }
            Directive::Send(request) => {
                // An exchange that is still open is dropped, and its connection with it.
                answering.response = None;
                self.exchanges += 1;
                if self.exchanges > MAX_EXCHANGES {
                    return Err(AskError::TooManyExchanges);
                }
                let Question { route, blobs, tab, .. } = &self.question;
                let timeouts = &self.patience.exchange;
                let endpoints = self.credential.endpoints(&route.credentials);
                tab.note(Tally::sent);
                match self.partings.upstream.exchange(endpoints, request, blobs, timeouts).await {
                    Ok(response) => {
                        let head = response.head().clone();
                        if !head.is_success() {
                            tab.note(Tally::refused);
                        }
                        answering.response = Some(response);
                        Input::Head(head)
                    }
                    Err(error) => {
                        // Whoever is silent may be at work on it.
                        if error.failure() != TransportFailure::Timeout {
                            tab.note(Tally::refused);
                        }
                        answering.broke(&error)
                    }
                }
            }
            Directive::More => {
                let Some(response) = &mut answering.response else {
                    return Err(AskError::NothingToRead);
                };
                match response.next().await {
                    Ok(Some(frames)) => Input::Frames(frames),
                    Ok(None) => {
                        answering.response = None;
                        Input::End
                    }
                    Err(error) => answering.broke(&error),
                }
            }
        }))
    }
}

impl Answering {
    async fn step(&mut self, input: Input) -> Result<Vec<ChatEvent>, AskError> {
        let Output { events, next, parting } =
            self.plugin.step(input).await.map_err(AskError::Plugin)?;
        self.parting.leave(parting);
        self.manners.hear(&events).map_err(AskError::Breach)?;
        self.next = next;
        Ok(events)
    }

    fn broke(&mut self, error: &sluice_upstream::ExchangeError) -> Input {
        let failure = error.failure();
        tracing::debug!(error = error as &dyn Error, "exchange broke");
        self.response = None;
        self.broken = Some(failure);
        Input::Failed(failure)
    }

    /// Whoever said the last word needs not be told to stop; whoever was cut off may be going on.
    fn came_to_its_end(&mut self) {
        if self.broken.is_none() {
            self.parting.forget();
        }
    }

    fn failed(&self, told: ProviderError) -> AskError {
        match self.broken {
            Some(failure) => AskError::Transport { failure, told: Some(told) },
            None => AskError::Provider(told),
        }
    }

    fn finish(self) -> Result<FinishReason, AskError> {
        match self.broken {
            Some(failure) => Err(AskError::Transport { failure, told: None }),
            None => self.manners.ended().map_err(AskError::Breach),
        }
    }
}
