//! What policies take for a message, in one step with all others, and what becomes of it afterwards.

use std::error::Error;
use std::sync::Arc;

use sluice_archive::{Claim, Counter, ReserveError, Window as Counted};
use sluice_chat::id::ReservationId;
use sluice_chat::policy::{
    Note, Outcome, Principal, Reservation, Scope, Settlement, Subject, Window,
};
use sluice_sandbox::Hook;

use super::{Denied, Line, Link, Policies};
use crate::clock;
use crate::metrics::Verdict;

/// What was reserved for one message.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: ReservationId,
    /// What, and how much of it.
    taken: Vec<(String, u64)>,
}

/// What came of wanting something.
pub(super) enum Claimed {
    Nothing,
    Ticket(Ticket),
}

impl Policies {
    /// Takes all of it, or nothing.
    pub(super) async fn reserve(
        &self,
        subject: &Subject,
        mut wanted: Vec<(Arc<Link>, Reservation)>,
    ) -> Result<Claimed, Denied> {
        if wanted.is_empty() {
            return Ok(Claimed::Nothing);
        }
        let principal = &subject.caller.principal;
        let claims: Vec<Claim> =
            wanted.iter().map(|(link, wish)| claim(link.name(), wish, principal)).collect();
        let lapse_ms = u64::try_from(self.lapse.as_millis()).unwrap_or(u64::MAX);
        match self.archive.reserve_claims(&claims, clock::now(), lapse_ms).await {
            Ok(id) => {
                let taken = claims.into_iter().map(|claim| (claim.counter.name, claim.amount));
                Ok(Claimed::Ticket(Ticket { id, taken: taken.collect() }))
            }
            Err(ReserveError::Refused(place)) if place < wanted.len() => {
                let (link, reservation) = wanted.swap_remove(place);
                self.judging.judged(link.name(), Hook::Message, Verdict::Denied);
                let denied = Denied::by(link.name(), reservation.otherwise);
                let text = Some(format!("used up: {}", reservation.name));
                let note = Note { text, ..Note::default() };
                self.record_refusal(&link, Hook::Message, &denied, &note, subject).await;
                Err(denied)
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "could not reserve what policies want"
                );
                // Whoever would refuse what it cannot judge would refuse this too.
                match wanted.iter().find(|(link, _)| !link.passes_failures()) {
                    Some((link, _)) => {
                        let denied = Err(Denied::unjudged(link.name()));
                        self.on_record(link, Hook::Message, denied, subject).await
                    }
                    None => Ok(Claimed::Nothing),
                }
            }
        }
    }

    /// Tells the policies how an answer went, and settles what was reserved for it by what they say.
    pub(crate) async fn settle(
        &self,
        mut subject: Subject,
        outcome: &Outcome,
        ticket: Option<Ticket>,
    ) {
        let chain = self.chain();
        let mut needed = Vec::new();
        for link in chain.with(Hook::Usage) {
            let asked = Box::pin(link.policy().on_usage(&subject, outcome, rand::random()));
            let asked = self.ask(link, Hook::Usage, &subject.caller, asked).await;
            let Ok(Some(said)) = asked else {
                // Nobody knows what was needed: what was reserved is what counts.
                let own = format!("{}/", link.name());
                let taken = ticket.iter().flat_map(|ticket| &ticket.taken);
                needed.extend(taken.filter(|(name, _)| name.starts_with(&own)).cloned());
                continue;
            };
            self.judging.judged(link.name(), Hook::Usage, Verdict::Allowed);
            let named =
                |Settlement { name, actual }: Settlement| (counter(link.name(), &name), actual);
            needed.extend(said.settle.into_iter().map(named));
            if said.note.text.is_some() {
                let line = Line { link, hook: Hook::Usage, word: "noted", status: None };
                self.record(&line, &said.note, &subject).await;
            }
            subject.labels.extend(said.note.labels);
        }
        if let Some(Ticket { id, .. }) = ticket
            && let Err(error) = self.archive.settle_claims(&id, needed).await
        {
            let error = &error as &dyn Error;
            tracing::error!(error, "could not settle what was reserved");
        }
    }

    /// The ticket, unless no provider did anything for the message: what was reserved for it is given back then.
    pub(crate) async fn if_spent(&self, ticket: Option<Ticket>, spent: bool) -> Option<Ticket> {
        match ticket {
            Some(ticket) if !spent => {
                self.release(ticket).await;
                None
            }
            kept => kept,
        }
    }

    /// Gives back what was reserved for a message that nothing came of.
    pub(crate) async fn release(&self, ticket: Ticket) {
        if let Err(error) = self.archive.release_claims(&ticket.id).await {
            let error = &error as &dyn Error;
            tracing::error!(error, "could not give back what was reserved; it lapses by itself");
        }
    }
}

/// Two policies may call different limits by the same name.
fn counter(policy: &str, name: &str) -> String {
    format!("{policy}/{name}")
}

fn claim(policy: &str, wanted: &Reservation, principal: &Principal) -> Claim {
    let key = match wanted.scope {
        Scope::Principal => format!("user:{}", principal.id),
        Scope::Role => {
            principal.roles.first().map_or_else(|| "role".to_owned(), |role| format!("role:{role}"))
        }
        Scope::Everybody => "all".to_owned(),
    };
    let window = match wanted.window {
        Window::RollingSeconds(seconds) => Counted::Rolling(seconds),
        Window::Day => Counted::Day,
        Window::Month => Counted::Month,
    };
    let counter = Counter { name: counter(policy, &wanted.name), key, window };
    Claim { counter, amount: wanted.amount, limit: wanted.limit }
}
