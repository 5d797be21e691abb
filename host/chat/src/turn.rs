//! What happens in a session, decided: the only place that says when to screen, save, acknowledge, ask and give up.
//!
//! Pure. [`Turn::on`] takes one input and returns what to do, in order; the session task carries it out and feeds the results back.

use std::collections::VecDeque;

use crate::answer::Ending;
use crate::id::{Fence, MessageId};

mod effect;
mod input;
mod speaker;
mod tenure;

pub use effect::{Closing, Declined, Effect};
pub use input::{Asker, ConnectionId, Input, Outcome, Question, Refusal, Saved, Say};
pub use speaker::{Sender, Speaker};
pub use tenure::{Mode, Operator, Tenure};

/// Something that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pending {
    Say(Say),
    Regenerate(Asker),
}

impl Pending {
    fn into_asker(self) -> Asker {
        match self {
            Self::Say(say) => say.asker,
            Self::Regenerate(asker) => asker,
        }
    }
}

/// An answer under way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Running {
    asker: Asker,
    /// Of the message answered; none for an answer given again.
    digest: Option<[u8; 32]>,
    question: Question,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Idle,
    Screening(Say),
    Saving {
        say: Say,
        cancelled: bool,
    },
    Recalling(Asker),
    Answering(Running),
    Committing {
        asker: Asker,
        closing: Closing,
        refusal: Option<Refusal>,
    },
}

/// A session that is changing hands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Handover {
    #[default]
    None,
    /// The archive is asked.
    Claiming(Operator),
    /// It is the operator's; the answer that was cut has yet to be closed.
    Joining(Operator),
    /// The archive is asked to give it back.
    Releasing,
}

/// Where one session stands. The session task owns exactly one of these and nothing else changes it.
///
/// **Invariant**: at most one message is screened, saved, asked or committed at a time; what is asked is committed exactly once.
/// **Invariant**: between [`Effect::Join`] and [`Effect::Leave`] nothing is asked, shown, committed or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    tenure: Tenure,
    handover: Handover,
    phase: Phase,
    waiting: VecDeque<Pending>,
    queue: usize,
    draining: bool,
}

impl Turn {
    /// A turn at rest, which lets `queue` messages wait behind the running one.
    pub fn new(queue: usize, tenure: Tenure) -> Self {
        let (handover, phase) = (Handover::None, Phase::Idle);
        Self { tenure, handover, phase, waiting: VecDeque::new(), queue, draining: false }
    }

    /// Who answers, and what writes have to name.
    pub fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Notes that help was asked for, unless a human answers already.
    pub fn wait_for_help(&mut self) {
        if self.tenure.mode == Mode::Bot {
            self.tenure.mode = Mode::Waiting;
        }
    }

    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.waiting.is_empty()
    }

    /// Moves on and says what is to be done, in order.
    pub fn on(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Say(say) => self.say(say, &mut effects),
            Input::Regenerate(asker) => self.line_up(Pending::Regenerate(asker), &mut effects),
            Input::Cancel { asker, which } => self.cancel(asker, which.as_ref(), &mut effects),
            Input::Abandon => {
                self.end_running(Ending::Cancelled, &mut effects);
                self.drop_waiting(&mut effects);
            }
            Input::TakeOver(operator) => self.take_over(operator, &mut effects),
            Input::Claimed(claimed) => self.claimed(claimed, &mut effects),
            Input::Release => self.release(&mut effects),
            Input::Released(released) => self.released(released, &mut effects),
            Input::Drain => {
                self.draining = true;
                self.drop_waiting(&mut effects);
                self.end_running(Ending::Interrupted, &mut effects);
            }
            Input::Screened(_)
            | Input::Saved(_)
            | Input::Recalled(_)
            | Input::Said(_)
            | Input::Ended(_)
            | Input::Committed { .. } => self.proceed(input, &mut effects),
        }
        self.join(&mut effects);
        self.next_waiting(&mut effects);
        effects
    }

    fn take_over(&mut self, operator: Operator, effects: &mut Vec<Effect>) {
        let declined = match (&self.handover, &self.tenure.operator) {
            (Handover::None, Some(holder)) => Declined::Held(holder.clone()),
            (Handover::None, None) if !self.draining => {
                effects.push(Effect::Claim(operator.clone()));
                self.handover = Handover::Claiming(operator);
                return;
            }
            _ => Declined::Refused(Refusal::Busy),
        };
        effects.push(Effect::Decline(declined));
    }

    /// The archive raised the fence, so that nothing asked before can be stored as if nothing had happened. What runs is cut; what
    /// is being saved, and what waits, goes to the operator.
    fn claimed(&mut self, claimed: Result<Fence, Refusal>, effects: &mut Vec<Effect>) {
        let Handover::Claiming(operator) = &self.handover else { return };
        let operator = operator.clone();
        self.handover = Handover::None;
        match claimed {
            Err(refusal) => effects.push(Effect::Decline(Declined::Refused(refusal))),
            Ok(fence) => {
                let held = Some(operator.clone());
                self.tenure = Tenure { mode: Mode::Operator, fence, operator: held };
                self.handover = Handover::Joining(operator);
                if matches!(self.phase, Phase::Answering(_)) {
                    self.end_running(Ending::Takeover, effects);
                }
            }
        }
    }

    /// Lets the operator in once the last answer is closed.
    fn join(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Answering(_) | Phase::Committing { .. }) {
            return;
        }
        if let Handover::Joining(operator) = &mut self.handover {
            effects.push(Effect::Join(operator.clone()));
            self.handover = Handover::None;
        }
        // Found after the operator had come, so it will not be answered again.
        if let (Phase::Recalling(asker), Mode::Operator) = (&self.phase, self.tenure.mode) {
            effects.push(Effect::Refuse(asker.clone(), Refusal::NotYours));
            self.phase = Phase::Idle;
        }
    }

    fn release(&mut self, effects: &mut Vec<Effect>) {
        let declined = match (&self.handover, self.tenure.mode) {
            (Handover::None, Mode::Operator) => {
                self.handover = Handover::Releasing;
                effects.push(Effect::Release);
                return;
            }
            (Handover::None, Mode::Bot | Mode::Waiting) => Declined::NotHeld,
            _ => Declined::Refused(Refusal::Busy),
        };
        effects.push(Effect::Decline(declined));
    }

    fn released(&mut self, released: Result<Fence, Refusal>, effects: &mut Vec<Effect>) {
        if self.handover != Handover::Releasing {
            return;
        }
        self.handover = Handover::None;
        match released {
            Err(refusal) => effects.push(Effect::Decline(Declined::Refused(refusal))),
            Ok(fence) => {
                let before = std::mem::replace(
                    &mut self.tenure,
                    Tenure { mode: Mode::Bot, fence, operator: None },
                );
                effects.extend(before.operator.map(Effect::Leave));
            }
        }
    }

    /// Whether that message may be said now: an operator's only while it is theirs to answer.
    fn may_speak(&self, speaker: &Speaker) -> bool {
        match speaker {
            Speaker::User => true,
            Speaker::Operator(id) => {
                self.tenure.operator.as_ref().is_some_and(|holder| holder.id == *id)
            }
        }
    }

    /// Takes in news about the message in hand. Late news about one that is over changes nothing.
    fn proceed(&mut self, input: Input, effects: &mut Vec<Effect>) {
        self.phase = match (std::mem::take(&mut self.phase), input) {
            (Phase::Screening(_), Input::Screened(Ok(say))) => {
                effects.push(Effect::Save(say.clone()));
                Phase::Saving { say, cancelled: false }
            }
            (Phase::Screening(say), Input::Screened(Err(refusal)))
            | (Phase::Saving { say, .. }, Input::Saved(Saved::Refused(refusal))) => {
                effects.push(Effect::Refuse(say.asker, refusal));
                Phase::Idle
            }
            (Phase::Saving { say, cancelled }, Input::Saved(Saved::Stored(question))) => {
                if self.tenure.mode == Mode::Operator {
                    // It is stored and acknowledged; the operator answers.
                    Phase::Idle
                } else if cancelled || self.draining {
                    effects.push(Effect::Refuse(say.asker, Refusal::Cancelled));
                    Phase::Idle
                } else {
                    ask(say.asker, Some(say.digest), question, effects)
                }
            }
            (Phase::Saving { .. }, Input::Saved(Saved::Already)) => Phase::Idle,
            (Phase::Recalling(asker), Input::Recalled(Ok(question))) => {
                ask(asker, None, question, effects)
            }
            (Phase::Recalling(asker), Input::Recalled(Err(refusal))) => {
                effects.push(Effect::Refuse(asker, refusal));
                Phase::Idle
            }
            (Phase::Answering(running), Input::Said(text)) => {
                if !text.is_empty() {
                    effects.push(Effect::Show(text));
                }
                Phase::Answering(running)
            }
            (Phase::Answering(running), Input::Ended(outcome)) => {
                let refusal = outcome.failure.map(Refusal::Failed);
                close(running, outcome.ending, refusal, effects)
            }
            (
                Phase::Committing { asker, mut closing, mut refusal },
                Input::Committed { stored },
            ) => {
                if !stored {
                    // What was shown cannot be found again: never call that an orderly end.
                    closing.ending = Ending::Error;
                    refusal = refusal.or(Some(Refusal::NotStored));
                }
                effects.push(Effect::Close(closing));
                effects.extend(refusal.map(|refusal| Effect::Refuse(asker, refusal)));
                Phase::Idle
            }
            (
                phase,
                Input::Say(_)
                | Input::Regenerate(_)
                | Input::Cancel { .. }
                | Input::Abandon
                | Input::TakeOver(_)
                | Input::Claimed(_)
                | Input::Release
                | Input::Released(_)
                | Input::Drain
                | Input::Screened(_)
                | Input::Saved(_)
                | Input::Recalled(_)
                | Input::Said(_)
                | Input::Ended(_)
                | Input::Committed { .. },
            ) => phase,
        };
    }

    fn say(&mut self, say: Say, effects: &mut Vec<Effect>) {
        if let Phase::Answering(running) = &mut self.phase
            && say.asker.client.is_some()
            && running.asker.client == say.asker.client
            && let Some(digest) = running.digest
        {
            if digest == say.digest {
                running.asker = say.asker.clone();
                effects.push(Effect::AckAgain(say.asker));
            } else {
                effects.push(Effect::Refuse(say.asker, Refusal::Conflict));
            }
            return;
        }
        match self.known_mut(&say) {
            None => self.line_up(Pending::Say(say), effects),
            // The same message again, as after a reconnect: whoever sent it last hears of it.
            Some(known) if known.digest == say.digest => known.asker = say.asker,
            Some(_) => effects.push(Effect::Refuse(say.asker, Refusal::Conflict)),
        }
    }

    /// A message in hand or waiting that goes by the same client name.
    fn known_mut(&mut self, say: &Say) -> Option<&mut Say> {
        let in_hand = match &mut self.phase {
            Phase::Screening(known) | Phase::Saving { say: known, .. } => Some(known),
            Phase::Idle | Phase::Recalling(_) | Phase::Answering(_) | Phase::Committing { .. } => {
                None
            }
        };
        let waiting = self.waiting.iter_mut().filter_map(|pending| match pending {
            Pending::Say(known) => Some(known),
            Pending::Regenerate(_) => None,
        });
        in_hand.into_iter().chain(waiting).find(|known| known.is_again(say))
    }

    fn line_up(&mut self, pending: Pending, effects: &mut Vec<Effect>) {
        let free = self.phase == Phase::Idle && self.waiting.is_empty();
        if self.draining || (!free && self.waiting.len() >= self.queue) {
            effects.push(Effect::Refuse(pending.into_asker(), Refusal::Busy));
        } else {
            self.waiting.push_back(pending);
        }
    }

    fn next_waiting(&mut self, effects: &mut Vec<Effect>) {
        while self.phase == Phase::Idle {
            let Some(pending) = self.waiting.pop_front() else { return };
            self.phase = match pending {
                Pending::Say(say) if self.may_speak(&say.speaker) => {
                    effects.push(Effect::Screen(say.clone()));
                    Phase::Screening(say)
                }
                Pending::Regenerate(asker) if self.tenure.mode != Mode::Operator => {
                    effects.push(Effect::Recall(asker.clone()));
                    Phase::Recalling(asker)
                }
                Pending::Say(Say { asker, .. }) | Pending::Regenerate(asker) => {
                    effects.push(Effect::Refuse(asker, Refusal::NotYours));
                    Phase::Idle
                }
            };
        }
    }

    fn cancel(&mut self, asker: Asker, which: Option<&MessageId>, effects: &mut Vec<Effect>) {
        if self.tenure.mode == Mode::Operator {
            return effects.push(Effect::Refuse(asker, Refusal::NotYours));
        }
        // A cancel that names an answer which is over must not hit the next one.
        let meant = match (&self.phase, which) {
            (_, None) => true,
            (Phase::Answering(running), Some(id)) => {
                running.question.answer == *id || running.question.message == *id
            }
            (
                Phase::Idle
                | Phase::Screening(_)
                | Phase::Saving { .. }
                | Phase::Recalling(_)
                | Phase::Committing { .. },
                Some(_),
            ) => false,
        };
        if meant {
            self.end_running(Ending::Cancelled, effects);
            self.drop_waiting(effects);
        }
    }

    fn drop_waiting(&mut self, effects: &mut Vec<Effect>) {
        let dropped = self.waiting.drain(..).map(Pending::into_asker);
        effects.extend(dropped.map(|asker| Effect::Refuse(asker, Refusal::Cancelled)));
    }

    fn end_running(&mut self, ending: Ending, effects: &mut Vec<Effect>) {
        self.phase = match std::mem::take(&mut self.phase) {
            Phase::Answering(running) => {
                effects.push(Effect::HangUp);
                close(running, ending, None, effects)
            }
            Phase::Screening(say) => {
                effects.push(Effect::Refuse(say.asker, Refusal::Cancelled));
                Phase::Idle
            }
            Phase::Recalling(asker) => {
                effects.push(Effect::Refuse(asker, Refusal::Cancelled));
                Phase::Idle
            }
            // It may be stored already: the answer to it is what is stopped.
            Phase::Saving { say, .. } => Phase::Saving { say, cancelled: true },
            phase @ (Phase::Idle | Phase::Committing { .. }) => phase,
        };
    }
}

fn ask(
    asker: Asker,
    digest: Option<[u8; 32]>,
    question: Question,
    effects: &mut Vec<Effect>,
) -> Phase {
    effects.push(Effect::Ask(question.clone()));
    Phase::Answering(Running { asker, digest, question })
}

fn close(
    running: Running,
    ending: Ending,
    refusal: Option<Refusal>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let Running { asker, question, digest: _ } = running;
    let closing = Closing { question, ending };
    effects.push(Effect::Commit(closing.clone()));
    Phase::Committing { asker, closing, refusal }
}

#[cfg(test)]
mod tests;
