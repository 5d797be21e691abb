//! The part of a session that is about what may be asked: which model, and what the policies say.

use std::sync::Arc;

use sluice_chat::id::ModelId;
use sluice_chat::policy::{Outcome, Subject};
use sluice_chat::request::{ChatRequest, Message, Role};
use sluice_chat::turn::{Asker, Refusal, Say, Speaker};

use super::Session;
use crate::policies::{self, Denied, Judged, Proposal, Rehearing, Ticket};

/// What the policies made of the message in hand.
#[derive(Debug, Default)]
pub(super) struct Screened {
    /// Sent in front of the conversation.
    pub(super) prepended: Vec<Message>,
    /// Sent in place of the message, where that is stored already.
    pub(super) instead: Option<String>,
    /// What was reserved for it.
    pub(super) ticket: Option<Ticket>,
    /// What it was before, if anybody judged it and another model may answer.
    pub(super) rehearing: Option<Rehearing>,
}

impl Session {
    /// Names the model that will answer, and asks the policies. What comes out is what is stored.
    pub(super) async fn screen(&mut self, mut say: Say) -> Result<Say, Refusal> {
        let wanted = say.model.take().or_else(|| self.model.clone());
        let model = self.pick(&say.asker, wanted.as_ref())?;
        if let Speaker::Operator(_) = say.speaker {
            return Ok(Say { model: Some(model), ..say });
        }
        let judged = self.judge(model, say.content).await?;
        let (model, content) = (Some(judged.model.clone()), judged.text());
        self.screened = Some(Screened::of(judged, None));
        Ok(Say { model, content, ..say })
    }

    /// Asks the policies about a message that is stored, before it is answered again. Returns who is to answer.
    pub(super) async fn screen_again(
        &mut self,
        model: ModelId,
        text: String,
    ) -> Result<ModelId, Refusal> {
        let judged = self.judge(model, text.clone()).await?;
        let model = judged.model.clone();
        let instead = Some(judged.text()).filter(|judged| *judged != text);
        self.screened = Some(Screened::of(judged, instead));
        Ok(model)
    }

    /// The model that answers whoever asks, if they have a right to it.
    pub(super) fn pick(
        &mut self,
        asker: &Asker,
        wanted: Option<&ModelId>,
    ) -> Result<ModelId, Refusal> {
        self.caller = Arc::clone(&asker.caller);
        let catalog = self.means.catalog.load();
        let route = catalog.find(wanted, &self.caller.principal.roles);
        route.map(|route| route.id.clone()).ok_or(Refusal::InvalidModel)
    }

    async fn judge(&mut self, model: ModelId, text: String) -> Result<Judged, Refusal> {
        self.forget_screened().await;
        let messages = vec![Message::text(Role::User, text)];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let catalog = self.means.catalog.load_full();
        let may_turn = catalog.turns();
        let proposal = Proposal { subject: self.subject(), model, request, may_turn };
        let roles = &self.caller.principal.roles;
        let may_use = |model: &ModelId| catalog.find(Some(model), roles).is_some();
        self.means.policies.judge(proposal, may_use).await.map_err(Refusal::from)
    }

    /// Gives back what was reserved for a message that nothing came of.
    pub(super) async fn forget_screened(&mut self) {
        if let Some(Screened { ticket: Some(ticket), .. }) = self.screened.take() {
            self.means.policies.release(ticket).await;
        }
    }

    /// Tells the policies what an answer of this model took.
    pub(super) async fn settle(
        &mut self,
        model: Option<&ModelId>,
        outcome: Outcome,
        ticket: Option<Ticket>,
    ) {
        let subject = Subject { model: model.map(ToString::to_string), ..self.subject() };
        self.means.policies.settle(subject, &outcome, ticket).await;
    }

    /// Who asked for what is in hand, here and now.
    pub(super) fn subject(&self) -> Subject {
        Subject { session: Some(self.id.to_string()), ..policies::subject(&self.caller) }
    }
}

impl Screened {
    fn of(judged: Judged, instead: Option<String>) -> Self {
        let Judged { model: _, request, prepended, ticket, rehearing } = judged;
        let ChatRequest { mut messages, .. } = request;
        messages.truncate(prepended);
        Self { prepended: messages, instead, ticket, rehearing }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let after = denied.retry_after.map(|wait| wait.as_millis());
        Self::Denied {
            detail: Some(denied.text).filter(|text| !text.is_empty()),
            retry_after_ms: after.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        }
    }
}
