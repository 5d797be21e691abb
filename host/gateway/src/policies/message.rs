//! Judging a message: what the policies allow, what they make of it, and what they take for it.

use std::sync::Arc;

use sluice_chat::id::ModelId;
use sluice_chat::policy::{Edit, MessageDecision, Reservation, Subject};
use sluice_chat::request::{ChatRequest, Content, Message, Role};
use sluice_sandbox::Hook;

use super::reserving::{Claimed, Ticket};
use super::{Denied, Link, Policies};

/// Most bytes that a policy may put in place of a message, beyond the message's own.
const MOST_ADDED: usize = 64 * 1_024;

/// A message that somebody wants to send.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// Who, where and when.
    pub(crate) subject: Subject,
    /// Which model is meant.
    pub(crate) model: ModelId,
    /// What: in a session the new message alone.
    pub(crate) request: ChatRequest,
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
        &self,
        proposal: Proposal,
        may_use: impl Fn(&ModelId) -> bool,
    ) -> Result<Judged, Denied> {
        let Proposal { mut subject, model, mut request } = proposal;
        let mut judged =
            Judged { model, request: ChatRequest::default(), prepended: 0, ticket: None };
        let chain = self.chain();
        let mut wanted: Vec<(Arc<Link>, Reservation)> = Vec::new();
        for link in chain.with(Hook::Message) {
            subject.model = Some(judged.model.to_string());
            request.model = judged.model.to_string();
            let asked = Box::pin(link.policy().on_message(&subject, &request, rand::random()));
            let asked = self.ask(link, Hook::Message, &subject.caller, asked).await;
            let asked = self.on_record(link, Hook::Message, asked, &subject).await?;
            let Some(said) = asked else { continue };
            let MessageDecision { decision, edits, reserve } = said;
            self.decide(link, Hook::Message, decision, &mut subject).await?;
            let before = (request.clone(), judged.model.clone(), judged.prepended);
            let seen = judged.prepended;
            let edited = edits
                .into_iter()
                .try_for_each(|edit| apply(edit, &mut request, &mut judged, seen, &may_use));
            if let Err(error) = edited {
                // Half of what it wanted is not what it wanted.
                let fault = self.fault::<()>(link, Hook::Message, &error);
                self.on_record(link, Hook::Message, fault, &subject).await?;
                (request, judged.model, judged.prepended) = before;
                continue;
            }
            wanted.extend(reserve.into_iter().map(|reservation| (Arc::clone(link), reservation)));
        }
        judged.ticket = match self.reserve(&subject, wanted).await? {
            Claimed::Nothing => None,
            Claimed::Ticket(ticket) => Some(ticket),
        };
        judged.request = request;
        Ok(judged)
    }
}

/// Makes an edit. The policy saw the request with `seen` messages in front.
fn apply(
    edit: Edit,
    request: &mut ChatRequest,
    judged: &mut Judged,
    seen: usize,
    may_use: impl Fn(&ModelId) -> bool,
) -> Result<(), BadEdit> {
    match edit {
        Edit::ReplaceLast(message) => {
            let last = request.messages.iter_mut().rfind(|said| said.role == Role::User);
            let last = last.ok_or(BadEdit::NoMessage)?;
            put(message, last)?;
        }
        Edit::Replace(place, message) => {
            let place = usize::try_from(place).ok();
            let place = place.and_then(|place| place.checked_add(judged.prepended - seen));
            let there = place.and_then(|place| request.messages.get_mut(place));
            put(message, there.ok_or(BadEdit::NoMessage)?)?;
        }
        Edit::PrependSystem(text) => {
            if text.len() > MOST_ADDED {
                return Err(BadEdit::Length);
            }
            request.messages.insert(0, Message::text(Role::System, text));
            judged.prepended += 1;
        }
        Edit::Reroute(model) => {
            let model = ModelId::parse(&model).filter(|model| may_use(model));
            judged.model = model.ok_or(BadEdit::Model)?;
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
        let mut request = ChatRequest { messages, ..ChatRequest::default() };
        let model = ModelId::parse("m").expect("a model");
        let mut judged =
            Judged { model, request: ChatRequest::default(), prepended: seen, ticket: None };
        for edit in edits {
            apply(edit, &mut request, &mut judged, seen, |_| true)?;
        }
        Ok(request.messages)
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
