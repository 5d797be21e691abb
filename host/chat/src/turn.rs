//! What happens in a session, decided: the only place that says when to screen, save, acknowledge, ask and give up.
//!
//! Pure. [`Turn::on`] takes one input and returns what to do, in order; the session task carries it out and feeds the results back.

use std::collections::VecDeque;

use crate::answer::{Ending, Tokens};
use crate::event::{ErrorKind, Usage};
use crate::id::{ClientMessageId, MessageId, ModelId};

/// Who answers in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The model.
    #[default]
    Bot,
    /// The model still, but help was asked for.
    Waiting,
    /// A human.
    Operator,
}

impl Mode {
    /// The word on the wire and in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Waiting => "waiting",
            Self::Operator => "operator",
        }
    }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The user.
    User,
    /// The model.
    Ai,
    /// An operator.
    Admin,
    /// The gateway.
    System,
}

impl Sender {
    /// The word on the wire and in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ai => "ai",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }
}

/// One of the connections of this process. Never reused while the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Who is told how a message fared: the connection it came over, by the name the client gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Connection to tell.
    pub connection: ConnectionId,
    /// The client's own name for the message.
    pub client: Option<ClientMessageId>,
}

/// A user message on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    /// Who said it.
    pub asker: Asker,
    /// The text.
    pub content: String,
    /// Model asked for; none means the session's.
    pub model: Option<ModelId>,
    /// What [`Asker::client`] stands for; the same name with another digest is a conflict.
    pub digest: [u8; 32],
}

impl Say {
    /// Whether this is the other message under the client's own name for it.
    fn is_again(&self, other: &Self) -> bool {
        self.asker.client.is_some() && self.asker.client == other.asker.client
    }
}

/// A message that is stored and the answer that is due to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The user's message.
    pub message: MessageId,
    /// The answer to come.
    pub answer: MessageId,
    /// Model that answers.
    pub model: ModelId,
}

/// Why nothing, or not all, came of a message. The edge maps each to one wire code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Too many messages wait already.
    Busy,
    /// The user stopped it.
    Cancelled,
    /// Another message goes by the same client name.
    Conflict,
    /// No such model, or not for this user.
    InvalidModel,
    /// Nothing was said yet that could be answered again.
    NothingToAnswer,
    /// A policy said no.
    Denied {
        /// Text for the user, at most 512 bytes.
        detail: Option<String>,
    },
    /// The archive could not store it now.
    NotStored,
    /// The session is deleted, or belongs to somebody else by now.
    Closed,
    /// The provider failed.
    Failed(ErrorKind),
    /// The gateway itself failed.
    Internal,
}

/// What the archive made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is stored and due an answer.
    Stored(Question),
    /// It was stored before, here or in another session; the acknowledgement was sent again.
    Already,
    /// It is not stored.
    Refused(Refusal),
}

/// How asking ended, as the provider and the gateway saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How the answer ends.
    pub ending: Ending,
    /// Why, when it failed.
    pub failure: Option<ErrorKind>,
}

/// Everything that can happen to a session's turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The user says something.
    Say(Say),
    /// The user wants the last message answered again.
    Regenerate(Asker),
    /// The user wants the answer stopped: this one, or whichever runs.
    Cancel(Option<MessageId>),
    /// Policies and model check are through.
    Screened(Result<Say, Refusal>),
    /// The archive is through with the message.
    Saved(Saved),
    /// The session found what to answer again, or nothing.
    Recalled(Result<Question, Refusal>),
    /// The provider said something.
    Said {
        /// Text to show, may be empty.
        text: String,
        /// Usage so far, if it was told.
        usage: Option<Usage>,
    },
    /// The provider is through.
    Ended(Outcome),
    /// The archive is through with the answer.
    Committed {
        /// Whether it is stored.
        stored: bool,
    },
    /// The process goes down: end what runs, drop what waits.
    Drain,
}

/// What the session is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Check model and policies, then [`Input::Screened`].
    Screen(Say),
    /// Store, acknowledge and show the message, then [`Input::Saved`].
    Save(Say),
    /// Find the last user message, then [`Input::Recalled`].
    Recall,
    /// Show that an answer begins and ask for it: [`Input::Said`]…, [`Input::Ended`].
    Ask(Question),
    /// Show more of the answer.
    Show(String),
    /// Drop the running call: plugin and upstream go with it.
    HangUp,
    /// Store the whole answer, then [`Input::Committed`].
    Commit(Closing),
    /// Show the end of the answer.
    Close(Closing),
    /// Acknowledge the message whose answer runs once more: the first acknowledgement may have been lost with its connection.
    AckAgain(Asker),
    /// Tell the asker, and nobody else.
    Refuse(Asker, Refusal),
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What was answered, and by which model.
    pub question: Question,
    /// How it ended.
    pub ending: Ending,
    /// What the provider reported, if anything; otherwise the session estimates.
    pub usage: Option<Usage>,
}

impl Closing {
    /// What was used: as reported, or guessed from the bytes of prompt and answer at four bytes a token.
    pub fn tokens(&self, prompt_bytes: usize, answer_bytes: usize) -> Tokens {
        Tokens::counted(self.usage.as_ref(), prompt_bytes, answer_bytes)
    }
}

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
    usage: Option<Usage>,
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

/// Where one session stands. The session task owns exactly one of these and nothing else changes it.
///
/// **Invariant**: at most one message is screened, saved, asked or committed at a time; what is asked is committed exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    phase: Phase,
    waiting: VecDeque<Pending>,
    queue: usize,
    draining: bool,
}

impl Turn {
    /// A turn at rest, which lets `queue` messages wait behind the running one.
    pub fn new(queue: usize) -> Self {
        Self { phase: Phase::Idle, waiting: VecDeque::new(), queue, draining: false }
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
            Input::Cancel(which) => self.cancel(which.as_ref(), &mut effects),
            Input::Drain => {
                self.draining = true;
                self.drop_waiting(&mut effects);
                self.end_running(Ending::Interrupted, &mut effects);
            }
            Input::Screened(_)
            | Input::Saved(_)
            | Input::Recalled(_)
            | Input::Said { .. }
            | Input::Ended(_)
            | Input::Committed { .. } => self.proceed(input, &mut effects),
        }
        self.next_waiting(&mut effects);
        effects
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
                if cancelled || self.draining {
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
            (Phase::Answering(mut running), Input::Said { text, usage }) => {
                running.usage = usage.or(running.usage);
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
                | Input::Cancel(_)
                | Input::Drain
                | Input::Screened(_)
                | Input::Saved(_)
                | Input::Recalled(_)
                | Input::Said { .. }
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
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = match self.waiting.pop_front() {
            None => Phase::Idle,
            Some(Pending::Say(say)) => {
                effects.push(Effect::Screen(say.clone()));
                Phase::Screening(say)
            }
            Some(Pending::Regenerate(asker)) => {
                effects.push(Effect::Recall);
                Phase::Recalling(asker)
            }
        };
    }

    fn cancel(&mut self, which: Option<&MessageId>, effects: &mut Vec<Effect>) {
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
    Phase::Answering(Running { asker, digest, question, usage: None })
}

fn close(
    running: Running,
    ending: Ending,
    refusal: Option<Refusal>,
    effects: &mut Vec<Effect>,
) -> Phase {
    let Running { asker, question, usage, digest: _ } = running;
    let closing = Closing { question, ending, usage };
    effects.push(Effect::Commit(closing.clone()));
    Phase::Committing { asker, closing, refusal }
}

#[cfg(test)]
mod tests;
