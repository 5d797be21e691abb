//! Judging a message: what the policies allow, what they make of it, and what they take for it; and what they make of it once more
//! when another model is to answer.

use std::error::Error;
use std::sync::Arc;

use sluice_chat::id::ModelId;
use sluice_chat::policy::{Edit, MessageDecision, Reservation, Subject};
use sluice_chat::request::{ChatRequest, Content, Message, Role};
use sluice_sandbox::Hook;

use super::reserving::{Claimed, Ticket};
use super::{Denied, Link, Policies};
use crate::clock;

/// Most bytes that a policy may put in place of a message, beyond the message's own.
const MOST_ADDED: usize = 64 * 1_024;

/// A message that somebody wants to send.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    /// Who, where and when.
    pub(crate) subject: Subject,
    /// Which model is meant.
    pub(crate) model: ModelId,
    /// What: in a session the new message alone.
    pub(crate) request: ChatRequest,
    /// Whether another model may answer in place of one that fails.
    pub(crate) may_turn: bool,
}

/// A message that may be sent.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Which model is to answer.
    pub(crate) model: ModelId,
    /// What is to be sent, as the policies changed it. Its model is the public id.
    pub(crate) request: ChatRequest,
    /// How many messages in front of it the policies put there.
    pub(crate) prepended: usize,
    /// What was reserved for it.
    pub(crate) ticket: Option<Ticket>,
    /// What it was before, if anybody judged it and another model may answer.
    pub(crate) rehearing: Option<Rehearing>,
}

/// A message as it was before it was judged for one model: kept in case another is to answer it.
#[derive(Debug)]
pub(crate) struct Rehearing {
    policies: Arc<Policies>,
    /// Its model is the one that it was judged for last.
    proposal: Proposal,
    /// How many messages in front of it the policies put there then.
    prepended: usize,
}

/// What is to become of a message, before anything is taken for it.
struct Weighed {
    /// As the policies changed it.
    proposal: Proposal,
    /// How many messages in front of it they put there.
    prepended: usize,
    /// What they want reserved.
    wanted: Vec<(Arc<Link>, Reservation)>,
}

impl Judged {
    /// The text of the newest user message.
    pub(crate) fn text(&self) -> String {
        self.request.messages.iter().rfind(|said| said.role == Role::User).map_or_else(
            String::new,
            |message| {
                let text = |part: &'_ sluice_chat::request::Part| match &part.content {
                    Content::Text(text) => Some(text.clone()),
                    Content::Image(_)
                    | Content::Audio(_)
                    | Content::Document(_)
                    | Content::ToolCall(_)
                    | Content::ToolResult(_)
                    | Content::Reasoning(_)
                    | Content::Other(_) => None,
                };
                message.parts.iter().filter_map(text).collect()
            },
        )
    }
}

/// An edit that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum BadEdit {
    #[error("there is no such message to replace")]
    NoMessage,
    #[error("a message is replaced by one of another role")]
    Role,
    #[error("a message is replaced by a much longer one, or by none")]
    Length,
    #[error("it sends the message to a model that is not there for this user")]
    Model,
}

impl Policies {
    /// Asks about a message. `may_use` says whether whoever sends it has a right to a model.
    pub(crate) async fn judge(
        self: &Arc<Self>,
        proposal: Proposal,
        may_use: impl Fn(&ModelId) -> bool,
    ) -> Result<Judged, Denied> {
        let is_judged = self.chain().with(Hook::Message).next().is_some();
        let before = (is_judged && proposal.may_turn).then(|| proposal.clone());
        let Weighed { proposal, prepended, wanted } = self.weigh(proposal, may_use).await?;
        let Proposal { subject, model, request, .. } = proposal;
        let ticket = match self.reserve(&subject, wanted).await? {
            Claimed::Nothing => None,
            Claimed::Ticket(ticket) => Some(ticket),
        };
        let rehearing = before.map(|before| Rehearing {
            policies: Arc::clone(self),
            proposal: Proposal { model: model.clone(), ..before },
            prepended,
        });
        Ok(Judged { model, request, prepended, ticket, rehearing })
    }

    async fn weigh(
        &self,
        proposal: Proposal,
        may_use: impl Fn(&ModelId) -> bool,
    ) -> Result<Weighed, Denied> {
        let mut weighed = Weighed { proposal, prepended: 0, wanted: Vec::new() };
        let chain = self.chain();
        for link in chain.with(Hook::Message) {
            let Proposal { subject, model, request, .. } = &mut weighed.proposal;
            subject.model = Some(model.to_string());
            request.model = model.to_string();
            let asked = Box::pin(link.policy().on_message(subject, request, rand::random()));
            let asked = self.ask(link, Hook::Message, &subject.caller, asked).await;
            let asked = self.on_record(link, Hook::Message, asked, subject).await?;
            let Some(said) = asked else { continue };
            let MessageDecision { decision, edits, reserve } = said;
            self.decide(link, Hook::Message, decision, subject).await?;
            let before = (request.clone(), model.clone(), weighed.prepended);
            let edited = edits
                .into_iter()
                .try_for_each(|edit| apply(edit, &mut weighed, before.2, &may_use));
            if let Err(error) = edited {
                // Half of what it wanted is not what it wanted.
                let fault = self.fault::<()>(link, Hook::Message, &error);
                let Proposal { subject, model, request, .. } = &mut weighed.proposal;
                self.on_record(link, Hook::Message, fault, subject).await?;
                (*request, *model, weighed.prepended) = before;
                continue;
            }
            let reserve = reserve.into_iter().map(|reservation| (Arc::clone(link), reservation));
            weighed.wanted.extend(reserve);
        }
        Ok(weighed)
    }
}

impl Rehearing {
    /// Makes of a request for one model what the policies make of it for another; says whether they let it go there. Nothing is
    /// reserved: what was for the first one counts.
    pub(crate) async fn suit(&mut self, model: &ModelId, request: &mut ChatRequest) -> bool {
        if self.proposal.model == *model {
            return true;
        }
        let mut proposal = Proposal { model: model.clone(), ..self.proposal.clone() };
        proposal.subject.now = clock::now();
        let asked = proposal.request.messages.len();
        let weighed = match self.policies.weigh(proposal, |_| true).await {
            Ok(weighed) if weighed.proposal.model == *model => weighed,
            // Whom they would rather have answer is for the first model to say.
            Ok(_) => return false,
            Err(denied) => {
                tracing::info!(%model, error = &denied as &dyn Error, "not asked instead");
                return false;
            }
        };
        let mut front = weighed.proposal.request.messages;
        let own = front.split_off(weighed.prepended);
        let messages = &mut request.messages;
        messages.truncate(messages.len().saturating_sub(asked));
        messages.extend(own);
        messages.splice(..self.prepended, front);
        self.prepended = weighed.prepended;
        self.proposal.model = model.clone();
        true
    }
}

/// Makes an edit. The policy saw the request with `seen` messages in front.
fn apply(
    edit: Edit,
    weighed: &mut Weighed,
    seen: usize,
    may_use: impl Fn(&ModelId) -> bool,
) -> Result<(), BadEdit> {
    let Weighed { proposal: Proposal { model, request, .. }, prepended, .. } = weighed;
    match edit {
        Edit::ReplaceLast(message) => {
            let last = request.messages.iter_mut().rfind(|said| said.role == Role::User);
            let last = last.ok_or(BadEdit::NoMessage)?;
            put(message, last)?;
        }
        Edit::Replace(place, message) => {
            let place = usize::try_from(place).ok();
            let place = place.and_then(|place| place.checked_add(*prepended - seen));
            let there = place.and_then(|place| request.messages.get_mut(place));
            put(message, there.ok_or(BadEdit::NoMessage)?)?;
        }
        Edit::PrependSystem(text) => {
            if text.len() > MOST_ADDED {
                return Err(BadEdit::Length);
            }
            request.messages.insert(0, Message::text(Role::System, text));
            *prepended += 1;
        }
        Edit::Reroute(to) => {
            let to = ModelId::parse(&to).filter(|model| may_use(model));
            *model = to.ok_or(BadEdit::Model)?;
        }
    }
    Ok(())
}

/// Puts a message in the place of another.
fn put(message: Message, there: &mut Message) -> Result<(), BadEdit> {
    if message.role != there.role {
        return Err(BadEdit::Role);
    }
    let (now, before) = (length(&message), length(there));
    if now == 0 && before > 0 || now > before + MOST_ADDED {
        return Err(BadEdit::Length);
    }
    *there = message;
    Ok(())
}

/// Bytes of text, and one for each part that is none.
fn length(message: &Message) -> usize {
    let length = |part: &sluice_chat::request::Part| match part.text_bytes() {
        0 if !matches!(part.content, Content::Text(_)) => 1,
        bytes => bytes,
    };
    message.parts.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(edits: Vec<Edit>, seen: usize) -> Result<Vec<Message>, BadEdit> {
        let said = |role, text: &str| Message::text(role, text);
        let messages =
            vec![said(Role::System, "house"), said(Role::User, "a"), said(Role::Tool, "b")];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let model = ModelId::parse("m").expect("a model");
        let subject = Subject::default();
        let proposal = Proposal { subject, model, request, may_turn: false };
        let mut weighed = Weighed { proposal, prepended: seen, wanted: Vec::new() };
        for edit in edits {
            apply(edit, &mut weighed, seen, |_| true)?;
        }
        Ok(weighed.proposal.request.messages)
    }

    #[test]
    fn a_place_is_the_one_that_the_policy_saw() {
        let system = || Edit::PrependSystem("first".to_owned());
        let clean = || Edit::Replace(2, Message::text(Role::Tool, "clean"));
        for edits in [vec![system(), clean()], vec![clean(), system()]] {
            let messages = after(edits, 1).unwrap();
            assert_eq!(messages.len(), 4);
            assert_eq!(messages[3], Message::text(Role::Tool, "clean"));
        }
    }

    #[test]
    fn a_message_is_replaced_by_one_of_its_kind_and_size() {
        let replace = |place, role, text: &str| {
            after(vec![Edit::Replace(place, Message::text(role, text))], 0).unwrap_err()
        };
        assert_eq!(replace(3, Role::Tool, "c"), BadEdit::NoMessage);
        assert_eq!(replace(u32::MAX, Role::Tool, "c"), BadEdit::NoMessage);
        assert_eq!(replace(2, Role::User, "c"), BadEdit::Role);
        assert_eq!(replace(2, Role::Tool, ""), BadEdit::Length);
        assert_eq!(replace(2, Role::Tool, &"c".repeat(MOST_ADDED + 2)), BadEdit::Length);
    }
}
