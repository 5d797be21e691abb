//! What the model says on its way through the filters of all policies, before anybody sees or stores it.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use sluice_chat::event::{ChatEvent, FinishReason, ToolDelta};
use sluice_chat::policy::{Channel, Note, Subject};
use sluice_chat::redaction::{Passed, Strand};
use sluice_chat::request::{Extra, Reasoning};
use sluice_sandbox::{Filter, Hook};
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::{Denied, Line, Link, Policies};
use crate::ask::{AskError, Heard};
use crate::metrics::Verdict;

/// Most bytes of a text that a filter is given at once, beside what it held back: its time is for about so much.
const MOST_AT_ONCE: usize = 16 * 1_024;

/// Passes on what is heard as the policies leave it. Filters are opened when something is first waited for; without a policy that
/// filters, it is the stream itself.
pub(crate) fn filtered(
    asking: impl Stream<Item = Heard> + Send + 'static,
    policies: Arc<Policies>,
    subject: Subject,
) -> Filtered {
    if policies.chain().with(Hook::Output).next().is_none() {
        return Filtered { heard: Box::pin(asking), cut: None };
    }
    let cut = CancellationToken::new();
    let state = Filtering {
        asking: Some(Box::pin(asking)),
        cut: cut.clone(),
        policies,
        subject,
        stages: None,
        beside: Beside::default(),
        ready: VecDeque::new(),
    };
    let heard = stream::unfold(state, async |mut state| Some((state.next().await?, state)));
    Filtered { heard: Box::pin(heard), cut: Some(cut) }
}

/// An answer as the policies leave it. Dropping it hangs up; only [`hang_up`](Self::hang_up) tells the filters so.
pub(crate) struct Filtered {
    heard: Pin<Box<dyn Stream<Item = Heard> + Send>>,
    /// None without filters.
    cut: Option<CancellationToken>,
}

impl Filtered {
    /// What comes next; none after the end. Losing the future loses nothing of the answer.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        self.heard.next().await
    }

    /// Hangs up on the provider, and returns when the filters have had their last word, within the time that a hook has.
    /// Nothing more is heard: what they held back was never judged as a whole.
    pub(crate) async fn hang_up(mut self) {
        let Some(cut) = &self.cut else { return };
        cut.cancel();
        while self.heard.next().await.is_some() {}
    }
}

struct Filtering {
    /// None once it is over or cut.
    asking: Option<Pin<Box<dyn Stream<Item = Heard> + Send>>>,
    /// Whoever asked wants to hear no more.
    cut: CancellationToken,
    policies: Arc<Policies>,
    subject: Subject,
    /// None until they are opened.
    stages: Option<Vec<Stage>>,
    /// What a vendor says beside the words and may go on with.
    beside: Beside,
    /// What is to be passed on before anything more is waited for.
    ready: VecDeque<Heard>,
}

/// One filter and what it holds back.
struct Stage {
    link: Arc<Link>,
    /// None once it failed and is passed over.
    filter: Option<Filter>,
    strands: BTreeMap<Channel, Strand>,
    /// Whether it changed what was thought; a vendor's signature of it is no good then, nor one of what was thought after it.
    rethought: bool,
}

impl Filtering {
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if self.cut.is_cancelled() {
                self.asking = None;
                self.ready.clear();
                self.finish().await;
                return None;
            }
            if let Some(heard) = self.ready.pop_front() {
                return Some(heard);
            }
            if self.stages.is_none() {
                match self.open().await {
                    Ok(stages) => self.stages = Some(stages),
                    Err(denied) => self.stop(denied).await,
                }
                continue;
            }
            let heard = tokio::select! {
                biased;
                () = self.cut.cancelled() => continue,
                heard = self.asking.as_mut()?.next() => heard?,
            };
            match heard {
                Heard::Turned(route) => {
                    self.turn(route.id.to_string()).await;
                    return Some(Heard::Turned(route));
                }
                Heard::Said(events) => self.hear(events).await,
                // What is held back was about to become something that nobody has seen the end of: it goes unsaid.
                Heard::Ended(failed @ Err(_)) => {
                    self.asking = None;
                    self.ready.push_back(Heard::Ended(failed));
                    self.finish().await;
                }
                Heard::Ended(ended @ Ok(_)) => {
                    self.asking = None;
                    let mut rest = Vec::new();
                    match self.flush(&mut rest).await {
                        Ok(()) => {
                            self.pass_on(rest);
                            self.ready.push_back(Heard::Ended(ended));
                        }
                        Err(denied) => {
                            self.pass_on(rest);
                            self.stop(denied).await;
                        }
                    }
                    self.finish().await;
                }
            }
        }
    }

    /// Another model is heard from here on: its words go through filters that know of it. Of the first nobody heard any.
    async fn turn(&mut self, model: String) {
        if self.subject.model.as_ref() != Some(&model) {
            self.finish().await;
            self.stages = None;
            self.subject.model = Some(model);
        }
    }

    async fn open(&mut self) -> Result<Vec<Stage>, Denied> {
        let mut stages = Vec::new();
        for link in self.policies.chain().with(Hook::Output) {
            let opening = Box::pin(link.policy().filter(&self.subject, rand::random()));
            let caller = &self.subject.caller;
            let filter = self.policies.ask(link, Hook::Output, caller, opening).await?.flatten();
            let link = Arc::clone(link);
            stages.push(Stage { link, filter, strands: BTreeMap::new(), rethought: false });
        }
        Ok(stages)
    }

    fn pass_on(&mut self, events: Vec<ChatEvent>) {
        if !events.is_empty() {
            self.ready.push_back(Heard::Said(events));
        }
    }

    /// Ends the answer here. What was held back is never shown; the provider is hung up on.
    async fn stop(&mut self, denied: Denied) {
        self.asking = None;
        // From here on nothing is filtered: there is nothing but our own words.
        self.stages.get_or_insert_default();
        if denied.unjudged {
            self.policies.record_unfiltered(&denied, &self.subject).await;
            return self.ready.push_back(Heard::Ended(Err(AskError::Unfiltered(denied))));
        }
        let Denied { policy, code, text, .. } = denied;
        tracing::info!(policy, code, "a policy stopped an answer");
        if !text.is_empty() {
            self.ready.push_back(Heard::Said(vec![ChatEvent::Text(text)]));
        }
        self.ready.push_back(Heard::Ended(Ok(FinishReason::ContentFilter)));
    }

    async fn hear(&mut self, events: Vec<ChatEvent>) {
        let mut passed = Vec::new();
        for event in together(events) {
            if let Err(denied) = self.filter(event, &mut passed).await {
                self.pass_on(passed);
                self.stop(denied).await;
                return self.finish().await;
            }
        }
        self.pass_on(passed);
    }

    async fn filter(
        &mut self,
        event: ChatEvent,
        passed: &mut Vec<ChatEvent>,
    ) -> Result<(), Denied> {
        match event {
            ChatEvent::Text(text) => {
                let text = self.run(Channel::Text, &text, false).await?;
                passed.extend(some(text).map(ChatEvent::Text));
            }
            ChatEvent::Reasoning(Reasoning { text, signature }) => {
                // What is signed is whole: it is let go of before its signature is, which is good for that text alone.
                let text = self.run(Channel::Reasoning, &text, signature.is_some()).await?;
                let rethought = self.stages.iter().flatten().any(|stage| stage.rethought);
                let signature = signature.filter(|_| !rethought);
                if signature.is_some() || !text.is_empty() {
                    passed.push(ChatEvent::Reasoning(Reasoning { text, signature }));
                }
            }
            ChatEvent::ToolDelta(ToolDelta { index, id, name, arguments }) => {
                let channel = Channel::ToolArguments(index);
                let arguments = self.run(channel, &arguments, false).await?;
                if id.is_some() || name.is_some() || !arguments.is_empty() {
                    passed.push(ChatEvent::ToolDelta(ToolDelta { index, id, name, arguments }));
                }
            }
            ChatEvent::Other(extra) => {
                if let Some(whole) = self.beside.hear(extra) {
                    self.filter_beside(whole, passed).await?;
                }
            }
            ChatEvent::Finish(reason) => {
                self.flush(passed).await?;
                passed.push(ChatEvent::Finish(reason));
            }
            ChatEvent::Usage(_) | ChatEvent::UpstreamId { .. } => passed.push(event),
        }
        Ok(())
    }

    async fn filter_beside(
        &mut self,
        Extra { key, value }: Extra,
        passed: &mut Vec<ChatEvent>,
    ) -> Result<(), Denied> {
        let value = self.run(Channel::Citation, &value, true).await?;
        // What is no JSON any more is nothing that a client could read.
        if serde_json::from_str::<serde::de::IgnoredAny>(&value).is_ok() {
            passed.push(ChatEvent::Other(Extra { key, value }));
        }
        Ok(())
    }

    /// Lets everything go that is held back, after a last look at it.
    async fn flush(&mut self, passed: &mut Vec<ChatEvent>) -> Result<(), Denied> {
        let stages = self.stages.iter().flatten();
        let open: std::collections::BTreeSet<Channel> =
            stages.flat_map(|stage| stage.strands.keys().copied()).collect();
        for channel in open {
            let text = self.run(channel, "", true).await?;
            let Some(text) = some(text) else { continue };
            passed.push(match channel {
                Channel::Text => ChatEvent::Text(text),
                Channel::Reasoning => ChatEvent::Reasoning(Reasoning { text, signature: None }),
                Channel::ToolArguments(index) => {
                    ChatEvent::ToolDelta(ToolDelta { index, id: None, name: None, arguments: text })
                }
                Channel::Citation => continue,
            });
        }
        for whole in std::mem::take(&mut self.beside).end() {
            self.filter_beside(whole, passed).await?;
        }
        Ok(())
    }

    /// Sends a text through all filters, one after the other.
    async fn run(&mut self, channel: Channel, new: &str, last: bool) -> Result<String, Denied> {
        let policies = Arc::clone(&self.policies);
        let mut text = new.to_owned();
        for stage in self.stages.iter_mut().flatten() {
            text = stage.run(&policies, channel, &text, last, &self.subject).await?;
        }
        Ok(text)
    }

    /// Asks the filters what is to be kept, and lets go of them.
    async fn finish(&mut self) {
        for stage in self.stages.iter_mut().flatten() {
            let Some(filter) = stage.filter.take() else { continue };
            let (caller, finishing) = (&self.subject.caller, Box::pin(filter.finish()));
            let finished = self.policies.go_on(&stage.link, Hook::Output, caller, finishing).await;
            let Ok(Some(note)) = finished else {
                continue;
            };
            self.policies.judging.judged(stage.link.name(), Hook::Output, Verdict::Allowed);
            if note.text.is_some() || !note.labels.is_empty() {
                let line =
                    Line { link: &stage.link, hook: Hook::Output, word: "noted", status: None };
                self.policies.record(&line, &note, &self.subject).await;
            }
        }
    }
}

impl Stage {
    /// Sends a text through, in parts if it is long: where a text is cut makes no difference to a filter.
    async fn run(
        &mut self,
        policies: &Policies,
        channel: Channel,
        new: &str,
        last: bool,
        subject: &Subject,
    ) -> Result<String, Denied> {
        let mut passed = String::new();
        let mut rest = new;
        loop {
            // A citation is looked at whole.
            let most = if channel == Channel::Citation { rest.len() } else { MOST_AT_ONCE };
            let (part, more) = rest.split_at(rest.floor_char_boundary(most));
            passed += &self.look(policies, channel, part, last && more.is_empty(), subject).await?;
            rest = more;
            if rest.is_empty() {
                return Ok(passed);
            }
        }
    }

    async fn look(
        &mut self,
        policies: &Policies,
        channel: Channel,
        new: &str,
        last: bool,
        subject: &Subject,
    ) -> Result<String, Denied> {
        let Some(filter) = &mut self.filter else { return Ok(self.give_up(channel, new)) };
        let strand = self.strands.entry(channel).or_default();
        let chunk = strand.chunk(new);
        if chunk.is_empty() {
            return Ok(String::new());
        }
        let asked = Box::pin(filter.check(channel, chunk, last));
        let said = policies.go_on(&self.link, Hook::Output, &subject.caller, asked).await;
        let settled = said.and_then(|judged| {
            let Some(judged) = judged else { return Ok(None) };
            let verdict = Verdict::of_output(&judged.verdict);
            match strand.settle(judged, last) {
                Ok(passed) => Ok(Some((verdict, passed))),
                Err(error) => policies.fault(&self.link, Hook::Output, &error),
            }
        });
        let (verdict, passed) = match settled {
            Ok(Some(settled)) => settled,
            // It is passed over from here on, and what it held back goes with what is new.
            Ok(None) => {
                self.filter = None;
                return Ok(strand.give_up());
            }
            // Nor is it asked for a last word.
            Err(denied) => {
                self.filter = None;
                return Err(denied);
            }
        };
        policies.judging.judged(self.link.name(), Hook::Output, verdict);
        self.rethought |= verdict == Verdict::Edited && channel == Channel::Reasoning;
        match passed {
            Passed::Text(text) => Ok(text),
            Passed::Stopped(denial) => {
                let denied = Denied::by(self.link.name(), denial);
                let line =
                    Line { link: &self.link, hook: Hook::Output, word: &denied.code, status: None };
                policies.record(&line, &Note::default(), subject).await;
                Err(denied)
            }
        }
    }

    /// Once it is passed over: what it still holds back of a channel.
    fn give_up(&mut self, channel: Channel, new: &str) -> String {
        let held = self.strands.get_mut(&channel).map(Strand::give_up).unwrap_or_default();
        held + new
    }
}

/// Texts of one channel that come one after the other are one text: a filter sees what the socket gave at once.
fn together(events: Vec<ChatEvent>) -> Vec<ChatEvent> {
    let mut merged: Vec<ChatEvent> = Vec::with_capacity(events.len());
    for event in events {
        match (merged.last_mut(), event) {
            (Some(ChatEvent::Text(text)), ChatEvent::Text(more))
            | (
                Some(ChatEvent::Reasoning(Reasoning { text, signature: None })),
                ChatEvent::Reasoning(Reasoning { text: more, signature: None }),
            ) => text.push_str(&more),
            (Some(ChatEvent::ToolDelta(delta)), ChatEvent::ToolDelta(more))
                if delta.index == more.index && more.id.is_none() && more.name.is_none() =>
            {
                delta.arguments.push_str(&more.arguments);
            }
            (_, event) => merged.push(event),
        }
    }
    merged
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
