//! The part of a session that is about its answer: asking, showing, saving as it grows, committing.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sluice_archive::{Answer, ChangeError, Outcome as Ended};
use sluice_chat::answer::Ending;
use sluice_chat::bill::Bill;
use sluice_chat::event::{ChatEvent, ErrorKind};
use sluice_chat::history::{self, Spoken};
use sluice_chat::id::{Instant, UserId};
use sluice_chat::log::{AnswerEnd, AnswerHead, Log};
use sluice_chat::policy::{Outcome as Took, Subject};
use sluice_chat::request::{ChatRequest, Message};
use sluice_chat::turn::{Asker, Closing, Input, Outcome, Question, Refusal, Sender};
use sluice_chat::upstream_ids::UpstreamIds;
use sluice_upstream::Blobs;
use tokio::time::Instant as Deadline;

use super::Session;
use super::screening::Screened;
use crate::ask::{self, Heard, Tab};
use crate::catalog::Route;
use crate::policies::{Rehearing, Ticket, filtered};
use crate::session::Means;
use crate::{clock, fresh};

/// How old an unsaved piece of an answer may get.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(250);
/// How many bytes of an answer may be unsaved, at least.
const CHECKPOINT_BYTES: usize = 1_024;

/// The answer that runs, as far as the archive needs to know it.
pub(super) struct Running {
    stored: Answer,
    upstream_ids: UpstreamIds,
    /// Who answers, once anybody was asked.
    route: Option<Arc<Route>>,
    /// What it costs so far.
    tab: Tab,
    /// Bytes of text that the archive has.
    saved_bytes: usize,
    last_checkpoint: Deadline,
    /// What was reserved for it.
    ticket: Option<Ticket>,
}

impl Running {
    fn bill(&self) -> Bill {
        let price = self.route.as_ref().and_then(|route| route.price.as_ref());
        self.tab.so_far().counted().at(price)
    }
}

impl Session {
    /// Finds the last user message, to answer it again.
    pub(super) async fn recall(&mut self, asker: &Asker) -> Result<Question, Refusal> {
        if !self.finish_late().await {
            return Err(Refusal::NotStored);
        }
        let wanted = self.model.clone();
        let model = self.pick(asker, wanted.as_ref())?;
        let last = self.means.archive.last_user_message(&self.id).await.map_err(|error| {
            tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not read a session");
            Refusal::NotStored
        })?;
        let last = last.ok_or(Refusal::NothingToAnswer)?;
        let model = self.screen_again(model, last.text).await?;
        self.asked = Some((last.id.clone(), last.seq));
        Ok(Question { message: last.id, answer: fresh::message(), model })
    }

    /// Shows that an answer begins, and asks for it.
    pub(super) async fn ask(&mut self, question: Question) -> Option<Input> {
        let Screened { prepended, instead, ticket, rehearing } =
            self.screened.take().unwrap_or_default();
        let reserved = self.reserve(2).await;
        let context = if reserved {
            self.context(&question, prepended, instead, rehearing).await
        } else {
            Err(Refusal::NotStored)
        };
        let first_seq = self.scribe.read(Log::head).seq.next();
        let stored = Answer {
            session: self.id.clone(),
            fence: self.fence(),
            id: question.answer.clone(),
            in_reply_to: question.message.clone(),
            first_seq,
            last_seq: first_seq,
            model: Some(question.model.clone()),
            text: String::new(),
            upstream_request_id: None,
            started: clock::now(),
            first_piece: None,
        };
        let begun = context.is_ok() && self.begin(&stored).await;
        self.append(|log, now| {
            let Question { message: in_reply_to, answer, model } = question;
            log.loading(AnswerHead { answer, in_reply_to, model }, now)
        });
        self.running = Some(Running {
            stored,
            upstream_ids: UpstreamIds::default(),
            route: context.as_ref().ok().map(|question| Arc::clone(&question.route)),
            tab: context.as_ref().map(|question| question.tab.clone()).unwrap_or_default(),
            saved_bytes: 0,
            last_checkpoint: Deadline::now(),
            ticket,
        });
        match context {
            Ok(question) if begun => {
                let model = Some(question.route.id.to_string());
                let subject = Subject { model, ..self.subject() };
                let Means { patience, metrics, notices, policies, .. } = self.means.as_ref();
                let (answers, partings) = (&metrics.answers, self.means.partings());
                let asking = ask::ask(question, partings, patience.clone(), answers, notices);
                self.asking = Some(filtered(asking, Arc::clone(policies), subject));
                None
            }
            Ok(_) | Err(_) => Some(failed(ErrorKind::Other)),
        }
    }

    /// Makes sure that a crash leaves a mark: an answer that anybody saw begin is in the history.
    async fn begin(&mut self, answer: &Answer) -> bool {
        match self.means.archive.begin(answer.clone()).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not begin an answer");
                false
            }
        }
    }

    /// The conversation up to the message that is to be answered.
    async fn context(
        &mut self,
        question: &Question,
        prepended: Vec<Message>,
        instead: Option<String>,
        rehearing: Option<Rehearing>,
    ) -> Result<ask::Question, Refusal> {
        let catalog = self.means.catalog.load_full();
        let caller = Arc::clone(&self.caller);
        let roles = &caller.principal.roles;
        let route = catalog.find(Some(&question.model), roles).ok_or(Refusal::InvalidModel)?;
        let (route, others) = catalog.ways(route, roles, self.id.as_str());
        let limit = self.means.budget.messages.max(1);
        // Answers given to it earlier come after it and stay out.
        let after = self.asked.as_ref().map(|(_, seq)| seq.next());
        let newest = self.means.archive.messages(&self.id, after, limit).await.map_err(|error| {
            tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not read a session");
            Refusal::NotStored
        })?;
        let spoken: Vec<Spoken> = newest
            .into_iter()
            .map(|message| {
                let by_user = message.sender == Sender::User;
                let is_theirs = !by_user && message.model.as_ref() == Some(&route.id);
                let ids = message.upstream_request_id.filter(|_| is_theirs);
                let conversation = ids.and_then(|ids| {
                    UpstreamIds::parse(&ids).conversation_with(route.provider.name())
                });
                Spoken { by_user, text: message.text, conversation }
            })
            .collect();
        let prompt = route.system_prompt.as_deref().or(self.means.system_prompt.as_deref());
        let mut messages = history::context(prompt, &spoken, self.means.budget);
        if let (Some(text), Some(message)) = (instead, messages.last_mut()) {
            message.parts = Message::text(message.role, text).parts;
        }
        messages.splice(0..0, prepended);
        let request = ChatRequest {
            model: route.upstream_model.clone(),
            messages,
            max_output_tokens: route.max_output_tokens,
            stream: true,
            user: Some(pseudonym(&self.owner)),
            ..ChatRequest::default()
        };
        let tab = Tab::of(&request);
        Ok(ask::Question { route, others, rehearing, request, blobs: Blobs::default(), tab })
    }

    /// Lets go of the provider, after the last word of the filters: they have it before anything is stored for good.
    pub(super) async fn hang_up(&mut self) {
        if let Some(asking) = self.asking.take() {
            asking.hang_up().await;
        }
    }

    /// Takes in what the provider said.
    pub(super) async fn hear(&mut self, heard: Heard) {
        let input = match heard {
            Heard::Said(events) => self.heard_events(events),
            Heard::Turned(route) => {
                if let Some(running) = &mut self.running {
                    running.stored.model = Some(route.id.clone());
                    running.route = Some(route);
                }
                return;
            }
            Heard::Ended(ended) => {
                self.asking = None;
                Input::Ended(match ended {
                    Ok(reason) => Outcome { ending: Ending::from(&reason), failure: None },
                    Err(error) => {
                        let kind = error.kind();
                        tracing::warn!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "an answer failed");
                        Outcome { ending: Ending::Error, failure: Some(kind) }
                    }
                })
            }
        };
        self.apply(input).await;
    }

    /// Text of some events; what a chat client has no frame for is left to those who have.
    fn heard_events(&mut self, events: Vec<ChatEvent>) -> Input {
        let mut text = String::new();
        for event in events {
            match event {
                ChatEvent::Text(more) => text.push_str(&more),
                ChatEvent::UpstreamId { name, value } => {
                    if let Some(running) = &mut self.running {
                        let plugin = running.route.as_ref().map(|route| route.provider.name());
                        running.upstream_ids.note(&name, value, plugin.unwrap_or_default());
                        running.stored.upstream_request_id = running.upstream_ids.to_text();
                    }
                }
                ChatEvent::Reasoning(_)
                | ChatEvent::ToolDelta(_)
                | ChatEvent::Usage(_)
                | ChatEvent::Finish(_)
                | ChatEvent::Other(_) => {}
            }
        }
        Input::Said(text)
    }

    pub(super) async fn show(&mut self, text: &str) -> Option<Input> {
        if !self.reserve(2).await {
            // A number that is not reserved may be given out twice after a crash.
            self.hang_up().await;
            return Some(failed(ErrorKind::Other));
        }
        let seq = self.append(|log, now| log.text(text, now));
        let length = self.scribe.read(|log| log.running_text().map_or(0, str::len));
        let Some(running) = &mut self.running else { return None };
        running.stored.last_seq = seq;
        running.stored.first_piece.get_or_insert_with(clock::now);
        // Each checkpoint is the whole text: the longer it is the rarer they get.
        if length - running.saved_bytes >= CHECKPOINT_BYTES.max(length / 16) {
            self.checkpoint();
        }
        None
    }

    /// When what was said since the last checkpoint is to be saved.
    pub(super) fn checkpoint_due(&self) -> Option<Deadline> {
        let running = self.running.as_ref()?;
        let length = self.scribe.read(|log| log.running_text().map_or(0, str::len));
        (length > running.saved_bytes).then(|| running.last_checkpoint + CHECKPOINT_EVERY)
    }

    /// Hands what was said so far to the archive, without waiting.
    pub(super) fn checkpoint(&mut self) {
        let text = self.running_text();
        let Some(running) = &mut self.running else { return };
        running.saved_bytes = text.len();
        running.last_checkpoint = Deadline::now();
        self.means.archive.checkpoint(Answer { text, ..running.stored.clone() });
    }

    fn running_text(&self) -> String {
        self.scribe.read(|log| log.running_text().unwrap_or_default().to_owned())
    }

    /// Stores the whole answer. What cannot be stored is not shown as finished.
    pub(super) async fn commit(&mut self, closing: &Closing) -> bool {
        let text = self.running_text();
        let Some(running) = &self.running else { return false };
        let bill = running.bill();
        let last_seq = self.scribe.read(Log::head).seq.next();
        // An operator who came meanwhile raised it.
        let fence = self.fence();
        let answer = Answer { text, last_seq, fence, ..running.stored.clone() };
        let ended = Ended { ending: closing.ending, bill: Some(bill), at: clock::now() };
        match self.means.archive.finish(answer.clone(), ended).await {
            // Deleted is as good as stored: its owner wants nothing of it kept.
            Ok(()) | Err(ChangeError::Gone) => true,
            Err(error) => {
                if matches!(&error, ChangeError::Store(error) if error.is_retryable()) {
                    // As it is called when it is shown.
                    self.unfinished = Some((answer, Ended { ending: Ending::Error, ..ended }));
                }
                tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not store an answer");
                false
            }
        }
    }

    /// Stores the answer that could not be stored when it ended. Says whether none is left.
    pub(super) async fn finish_late(&mut self) -> bool {
        let Some((answer, ended)) = self.unfinished.take() else { return true };
        // An operator who came meanwhile raised it.
        let answer = Answer { fence: self.fence(), ..answer };
        let error = match self.means.archive.finish(answer.clone(), ended).await {
            Ok(()) | Err(ChangeError::Gone) => return true,
            Err(error) => error,
        };
        tracing::error!(trace = self.blame(), error = &error as &dyn Error, session = %self.id, "could not store an answer late");
        match error {
            ChangeError::Store(error) if error.is_retryable() => {
                self.unfinished = Some((answer, ended));
                false
            }
            // Not here, and never: what comes next finds out by itself.
            ChangeError::Store(_) | ChangeError::Fenced | ChangeError::Gone => true,
        }
    }

    pub(super) async fn close(&mut self, closing: &Closing) {
        let Some(running) = self.running.take() else { return };
        let bill = running.bill();
        if let Some(route) = &running.route {
            self.means.metrics.answers.spent(&route.source(), &bill);
        }
        self.append(|log, now| log.end(AnswerEnd { ending: closing.ending, bill }, now));
        let Running { stored, ticket, tab, .. } = running;
        let tally = tab.so_far();
        let ticket = self.means.policies.if_spent(ticket, !tally.is_nothing()).await;
        let since =
            |at: Instant| u32::try_from(at.0.saturating_sub(stored.started.0)).unwrap_or(u32::MAX);
        let outcome = Took {
            usage: bill.tokens().as_usage(tally.usage().cloned()),
            estimated: bill.tokens().estimated,
            cost_micros: bill.cost_micros,
            duration_ms: since(clock::now()),
            first_piece_ms: stored.first_piece.map(since),
            ended: closing.ending.as_str(),
        };
        self.settle(stored.model.as_ref(), outcome, ticket).await;
    }
}

fn failed(kind: ErrorKind) -> Input {
    Input::Ended(Outcome { ending: Ending::Error, failure: Some(kind) })
}

/// What providers know a user by: always the same, and not the id itself.
fn pseudonym(user: &UserId) -> String {
    let digest = Sha256::digest(format!("sluice user {}", user.as_str()));
    let (half, _) = digest.split_at(16);
    let number = half.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:032x}")
}
