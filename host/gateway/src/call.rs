//! A call that belongs to no session: asked once, answered to whoever waits, accounted for, and forgotten.
//!
//! Whoever waits for its pieces makes it go on; when they leave, it goes on as a task of its own. So it ends in time and is
//! accounted for whatever becomes of the caller. No HTTP here.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sluice_archive::CallUsage;
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::bill::Bill;
use sluice_chat::event::{ChatEvent, ErrorKind, FinishReason, RetryHint, Usage};
use sluice_chat::id::{Instant as Moment, MessageId, UserId};
use sluice_chat::policy::{Caller, Outcome, Subject};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::ask::{self, AskError, Heard, Question, Tab};
use crate::body::Room;
use crate::catalog::Route;
use crate::clock;
use crate::gateway::Gateway;
use crate::ledger::Ledger;
use crate::metrics::Answers;
use crate::policies::{self, Filtered, Ticket, filtered};

mod embedding;
mod under_way;

pub(crate) use embedding::{Embedding, embed};
pub(crate) use under_way::UnderWay;

/// Pieces that wait for a caller who does not read. Beyond that the provider is not read either.
const UNREAD: usize = 16;
/// How long a caller may not read at all before the call is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest pause that is passed on to a caller. Providers ask for absurd ones.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What is to be asked, for whom.
#[derive(Debug)]
pub(crate) struct Order {
    /// Names the call in the log and to the client.
    pub(crate) trace: String,
    /// Names its answer.
    pub(crate) answer: MessageId,
    /// Who asks.
    pub(crate) user: UserId,
    /// Who that is to policies, and from where.
    pub(crate) caller: Arc<Caller>,
    /// What is asked.
    pub(crate) question: Question,
    /// What policies reserved for it.
    pub(crate) ticket: Option<Ticket>,
    /// What the question takes of the memory for bodies.
    pub(crate) room: Room,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The provider said something.
    Said(Vec<ChatEvent>),
    /// It is over. Always last; missing only when the call went down.
    Ended(Result<Done, Undone>),
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// Why it ended.
    pub(crate) reason: FinishReason,
    /// What it cost.
    pub(crate) bill: Bill,
    /// What more the provider told about that.
    pub(crate) usage: Option<Usage>,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undone {
    /// What it is.
    pub(crate) kind: ErrorKind,
    /// When another try may help, where the provider said so.
    pub(crate) retry_after: Option<Duration>,
}

/// Begins a call, of which nothing is done before somebody waits for it or leaves.
pub(crate) fn begin(gateway: &Gateway, order: Order) -> UnderWay {
    let (pieces, heard) = mpsc::channel(UNREAD);
    let Order { trace, answer, user, caller, question, ticket, room } = order;
    let account = Account {
        trace,
        answer,
        user,
        started: clock::now(),
        begun: Instant::now(),
        first: None,
        tab: question.tab.clone(),
        route: Arc::clone(&question.route),
        answers: gateway.means.metrics.answers.clone(),
    };
    let means = &gateway.means;
    let asking = ask::ask(
        question,
        means.partings(),
        means.patience.clone(),
        &means.metrics.answers,
        &means.notices,
    );
    let policies = Arc::clone(&means.policies);
    let model = Some(account.route.id.to_string());
    let subject = Subject { model, ..policies::subject(&caller) };
    let mut asking = filtered(asking, Arc::clone(&policies), subject.clone());
    let (halt, ledger) = (gateway.halt.clone(), gateway.ledger.clone());
    let span =
        tracing::error_span!(parent: None, "call", trace = account.trace, user = %account.user);
    let rest = async move {
        let mut call = Call { account, pieces, halt };
        // The exchange is over before it is accounted for.
        let ended = call.listen(&mut asking).await;
        asking.hang_up().await;
        let spent = call.account.is_spent();
        let model = Some(call.account.route.id.to_string());
        let outcome = call.close(ended, &ledger).await;
        let subject = Subject { now: clock::now(), model, ..subject };
        let ticket = policies.if_spent(ticket, spent).await;
        policies.settle(subject, &outcome, ticket).await;
        drop(room);
    };
    // Whoever drives it is not to go down with it.
    let rest = AssertUnwindSafe(rest.instrument(span)).catch_unwind().map(drop);
    UnderWay::new(heard, gateway.tasks.track_future(Box::pin(rest)))
}

struct Call {
    account: Account,
    pieces: mpsc::Sender<Piece>,
    halt: CancellationToken,
}

/// How it ended on this side.
enum Ended {
    Heard(Result<FinishReason, AskError>),
    HungUp,
    Halted,
}

impl Call {
    async fn listen(&mut self, asking: &mut Filtered) -> Ended {
        loop {
            let heard = tokio::select! {
                biased;
                () = self.halt.cancelled() => return Ended::Halted,
                () = self.pieces.closed() => return Ended::HungUp,
                heard = asking.next() => heard,
            };
            match heard {
                Some(Heard::Said(events)) => {
                    self.account.first.get_or_insert_with(Instant::now);
                    if !self.tell(Piece::Said(events)).await {
                        return Ended::HungUp;
                    }
                }
                Some(Heard::Turned(route)) => {
                    self.account.route = route;
                }
                Some(Heard::Ended(ended)) => return Ended::Heard(ended),
                None => return Ended::Heard(Err(AskError::NothingToRead)),
            }
        }
    }

    /// Whether the caller took it.
    async fn tell(&self, piece: Piece) -> bool {
        tokio::select! {
            told = timeout(READ_TIMEOUT, self.pieces.send(piece)) => matches!(told, Ok(Ok(()))),
            // What is left is told by the end.
            () = self.halt.cancelled() => true,
        }
    }

    async fn close(self, ended: Ended, ledger: &Ledger) -> Outcome {
        let (ending, piece) = match ended {
            Ended::Heard(Ok(reason)) => {
                (Ending::from(&reason), Some(Ok(self.account.done(reason))))
            }
            Ended::Heard(Err(error)) => {
                let trace = self.account.trace.as_str();
                tracing::warn!(error = &error as &dyn Error, trace, "a call failed");
                (Ending::Error, Some(Err(Undone::from(&error))))
            }
            Ended::HungUp => (Ending::Cancelled, None),
            Ended::Halted => {
                let undone = Undone { kind: ErrorKind::Cancelled, retry_after: None };
                (Ending::Interrupted, Some(Err(undone)))
            }
        };
        self.account.log(ending);
        let outcome = self.account.outcome(ending);
        let Self { account, pieces, .. } = self;
        ledger.take(account.usage(ending)).await;
        if let Some(piece) = piece {
            // Whoever is gone by now misses nothing.
            drop(timeout(READ_TIMEOUT, pieces.send(Piece::Ended(piece))).await);
        }
        outcome
    }
}

impl From<&AskError> for Undone {
    fn from(error: &AskError) -> Self {
        let retry_after = match error {
            AskError::Provider(told) => match told.retry {
                RetryHint::AfterMs(ms) => {
                    Some(Duration::from_millis(u64::from(ms)).min(LONGEST_PAUSE))
                }
                RetryHint::Never | RetryHint::OtherCredential => None,
            },
            AskError::TookTooLong
            | AskError::Transport { .. }
            | AskError::Plugin(_)
            | AskError::Breach(_)
            | AskError::NothingToRead
            | AskError::Unfiltered(_)
            | AskError::TooManyExchanges => None,
        };
        Self { kind: error.kind(), retry_after }
    }
}

/// What a call cost so far.
struct Account {
    trace: String,
    answer: MessageId,
    user: UserId,
    started: Moment,
    route: Arc<Route>,
    begun: Instant,
    first: Option<Instant>,
    tab: Tab,
    answers: Answers,
}

impl Account {
    fn bill(&self) -> Bill {
        self.tab.so_far().counted().at(self.route.price.as_ref())
    }

    /// Whether any provider did anything for it.
    fn is_spent(&self) -> bool {
        !self.tab.so_far().is_nothing()
    }

    /// What the provider told of it.
    fn told(&self) -> Option<Usage> {
        self.tab.so_far().usage().cloned()
    }

    fn done(&self, reason: FinishReason) -> Done {
        Done { reason, bill: self.bill(), usage: self.told() }
    }

    fn usage(self, ending: Ending) -> CallUsage {
        let bill = self.bill();
        let Self { trace, answer, user, started, route, .. } = self;
        let model = route.id.clone();
        CallUsage { answer, trace, user, model, started, ended: clock::now(), ending, bill }
    }

    /// What policies are told.
    fn outcome(&self, ending: Ending) -> Outcome {
        let bill = self.bill();
        let since = |at: Instant| at.duration_since(self.begun).as_millis();
        let ms = |millis: u128| u32::try_from(millis).unwrap_or(u32::MAX);
        Outcome {
            usage: bill.tokens().as_usage(self.told()),
            estimated: bill.tokens().estimated,
            cost_micros: bill.cost_micros,
            duration_ms: ms(since(Instant::now())),
            first_piece_ms: self.first.map(|first| ms(since(first))),
            ended: ending.as_str(),
        }
    }

    /// One line for each call, however it ended.
    fn log(&self, ending: Ending) {
        let bill = self.bill();
        self.answers.spent(&self.route.source(), &bill);
        let Tokens { input, output, estimated } = bill.tokens();
        tracing::info!(
            trace = self.trace,
            user = %self.user,
            model = %self.route.id,
            ending = ending.as_str(),
            input_tokens = input,
            output_tokens = output,
            estimated,
            cost_micros = bill.cost_micros,
            duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered a call"
        );
    }
}
