//! `POST /embeddings`: from HTTP to a call for vectors and back.
//!
//! Policies see the passages as one message of the user, a part each. What they put in front of it is for models that answer, and is
//! left out.

use std::net::IpAddr;

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use sluice_chat::embedding::Passage;
use sluice_chat::event::ErrorKind;
use sluice_chat::id::ModelId;
use sluice_chat::policy::Subject;
use sluice_chat::request::{ChatRequest, Content, Extra, Message, Part, Role};
use sluice_upstream::MAX_TEXT_BYTES;
use sluice_wire::openai::{EmbeddingCall, EmbeddingList, Failure};

use super::super::Shared;
use super::{Admitted, LONG_BODY, Refused, admit, route};
use crate::ask::Tab;
use crate::call::{self, Embedding};
use crate::fresh;
use crate::policies::{self, Judged, Proposal};

/// Under which policies find a passage of tokens.
const TOKENS: &str = "tokens";

/// Answers a call.
pub(super) async fn embed(
    gateway: &Shared,
    address: IpAddr,
    request: Request,
    trace: String,
) -> Result<Response, Refused> {
    let Admitted { identity, bytes, room } = admit(gateway, request).await?;
    let tab = Tab::of_bytes(bytes.len());
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(Failure::TextTooLarge.into());
    }
    let EmbeddingCall { model, mut request, encoding } = read(bytes).await?;
    let (user, roles) = (identity.user.clone(), &identity.roles);
    let model = route(gateway, &model, roles)?.id.clone();
    let caller = identity.caller(address);
    let subject = Subject { model: Some(model.to_string()), ..policies::subject(&caller) };
    let policies = &gateway.means.policies;
    policies.connect(subject.clone()).await?;
    let may_use = |model: &ModelId| route(gateway, model.as_str(), roles).is_ok();
    let passages = std::mem::take(&mut request.passages);
    let count = passages.len();
    let proposal = Proposal { subject, model, request: shown(passages), may_turn: false };
    let Judged { model, request: judged, ticket, .. } = policies.judge(proposal, may_use).await?;
    request.passages = passages_of(judged);
    let route = route(gateway, model.as_str(), roles)?;
    let mut ways = route.spread(user.as_str()).into_iter();
    let route = ways.find(|way| way.provider.embeds()).unwrap_or(route);
    let failure = match &route {
        _ if request.passages.len() != count => Some(Failure::Internal),
        route if !route.provider.embeds() => Some(Failure::Provider(ErrorKind::Unsupported)),
        _ => None,
    };
    if let Some(failure) = failure {
        if let Some(ticket) = ticket {
            policies.release(ticket).await;
        }
        return Err(failure.into());
    }
    request.model.clone_from(&route.upstream_model);
    let (answer, public) = (fresh::message(), route.id.to_string());
    let order = Embedding { trace, answer, user, caller, route, request, ticket, tab, room };
    let given = call::embed(gateway, order).await.map_err(|_| Failure::Internal)?;
    let (vectors, bill) = given?;
    // Writing many numbers takes its time.
    let write = move || Json(EmbeddingList::new(public, vectors, encoding, bill)).into_response();
    Ok(tokio::task::spawn_blocking(write).await.map_err(|_| Failure::Internal)?)
}

async fn read(body: Vec<u8>) -> Result<EmbeddingCall, Refused> {
    if body.len() <= LONG_BODY {
        return Ok(EmbeddingCall::parse(&body)?);
    }
    let read = tokio::task::spawn_blocking(move || EmbeddingCall::parse(&body)).await;
    Ok(read.map_err(|_| Failure::Internal)??)
}

/// As policies see them.
fn shown(passages: Vec<Passage>) -> ChatRequest {
    let part = |passage| {
        let content = match passage {
            Passage::Text(text) => Content::Text(text),
            Passage::Tokens(tokens) => {
                let value = format!("{tokens:?}");
                Content::Other(Extra { key: TOKENS.to_owned(), value })
            }
        };
        Part { content, extras: Vec::new() }
    };
    let parts = passages.into_iter().map(part).collect();
    let message = Message { parts, ..Message::text(Role::User, "") };
    ChatRequest { messages: vec![message], ..ChatRequest::default() }
}

/// What they made of them; fewer, if something is there that is no passage.
fn passages_of(judged: ChatRequest) -> Vec<Passage> {
    let mut messages = judged.messages.into_iter();
    let message = messages.rfind(|message| message.role == Role::User);
    let passage = |part: Part| match part.content {
        Content::Text(text) => Some(Passage::Text(text)),
        Content::Other(Extra { key, value }) if key == TOKENS => {
            serde_json::from_str(&value).ok().map(Passage::Tokens)
        }
        Content::Image(_)
        | Content::Audio(_)
        | Content::Document(_)
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Reasoning(_)
        | Content::Other(_) => None,
    };
    message.into_iter().flat_map(|message| message.parts).filter_map(passage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_come_back_from_policies_as_they_went() {
        let passages = vec![
            Passage::Text("a".to_owned()),
            Passage::Tokens(vec![1, 2]),
            Passage::Text("b".to_owned()),
        ];

        assert_eq!(passages_of(shown(passages.clone())), passages);
    }
}
