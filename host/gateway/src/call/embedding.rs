//! A call for vectors: as any other, but that what comes of it comes at once.

use std::error::Error;
use std::sync::Arc;

use sluice_chat::answer::Ending;
use sluice_chat::bill::Bill;
use sluice_chat::embedding::{Embedded, EmbeddingRequest};
use sluice_chat::event::{ErrorKind, FinishReason};
use sluice_chat::id::{MessageId, UserId};
use sluice_chat::policy::{Caller, Subject};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Account, Undone};
use crate::ask::{self, AskError, Passages, Tab};
use crate::body::Room;
use crate::catalog::Route;
use crate::clock;
use crate::gateway::Gateway;
use crate::policies::{self, Ticket};

/// What vectors are wanted of, for whom.
#[derive(Debug)]
pub(crate) struct Embedding {
    /// Names the call in the log and to the client.
    pub(crate) trace: String,
    /// Names what comes of it, in the archive.
    pub(crate) answer: MessageId,
    /// Who asks.
    pub(crate) user: UserId,
    /// Who that is to policies, and from where.
    pub(crate) caller: Arc<Caller>,
    /// Who is asked.
    pub(crate) route: Arc<Route>,
    /// What.
    pub(crate) request: EmbeddingRequest,
    /// What policies reserved for it.
    pub(crate) ticket: Option<Ticket>,
    /// What it costs so far.
    pub(crate) tab: Tab,
    /// What the request takes of the memory for bodies.
    pub(crate) room: Room,
}

/// What comes of it: vectors, and what they cost.
pub(crate) type Given = Result<(Vec<Vec<f32>>, Bill), Undone>;

/// Begins a call. Dropping the receiver is hanging up.
pub(crate) fn embed(gateway: &Gateway, order: Embedding) -> oneshot::Receiver<Given> {
    let (mut tell, told) = oneshot::channel();
    let Embedding { trace, answer, user, caller, route, request, ticket, tab, room } = order;
    let means = &gateway.means;
    let passages = Passages {
        route: Arc::clone(&route),
        request,
        upstream: means.upstream.clone(),
        patience: means.patience.clone(),
        answers: means.metrics.answers.clone(),
        notices: Arc::clone(&means.notices),
        tab: tab.clone(),
    };
    let account = Account {
        trace,
        answer,
        user,
        started: clock::now(),
        begun: Instant::now(),
        first: None,
        tab,
        route,
        answers: means.metrics.answers.clone(),
    };
    let policies = Arc::clone(&means.policies);
    let model = Some(account.route.id.to_string());
    let subject = Subject { model, ..policies::subject(&caller) };
    let (halt, ledger) = (gateway.halt.clone(), gateway.ledger.clone());
    let span =
        tracing::error_span!(parent: None, "call", trace = account.trace, user = %account.user);
    let task = async move {
        let mut so_far = Embedded::default();
        let ended = tokio::select! {
            biased;
            () = halt.cancelled() => Ended::Halted,
            () = tell.closed() => Ended::HungUp,
            asked = ask::embed(&passages, &mut so_far) => Ended::Asked(asked),
        };
        let (ending, given) = ended.told(&account, so_far.vectors);
        account.log(ending);
        let (outcome, spent) = (account.outcome(ending), account.is_spent());
        ledger.take(account.usage(ending)).await;
        // Whoever is gone by now misses nothing.
        drop(given.map(|given| tell.send(given)));
        let ticket = policies.if_spent(ticket, spent).await;
        policies.settle(Subject { now: clock::now(), ..subject }, &outcome, ticket).await;
        drop(room);
    };
    gateway.tasks.spawn(task.instrument(span));
    told
}

/// How it ended on this side.
enum Ended {
    Asked(Result<(), AskError>),
    HungUp,
    Halted,
}

impl Ended {
    /// How that is on record, and what the caller gets, unless it is gone.
    fn told(self, account: &Account, vectors: Vec<Vec<f32>>) -> (Ending, Option<Given>) {
        match self {
            Self::Asked(Ok(())) => {
                (Ending::from(&FinishReason::Stop), Some(Ok((vectors, account.bill()))))
            }
            Self::Asked(Err(error)) => {
                let trace = account.trace.as_str();
                tracing::warn!(error = &error as &dyn Error, trace, "a call failed");
                (Ending::Error, Some(Err(Undone::from(&error))))
            }
            Self::HungUp => (Ending::Cancelled, None),
            Self::Halted => {
                let undone = Undone { kind: ErrorKind::Cancelled, retry_after: None };
                (Ending::Interrupted, Some(Err(undone)))
            }
        }
    }
}
