//! What a session is to do.

use super::input::{Asker, Question, Refusal, Say};
use super::tenure::Operator;
use crate::answer::Ending;

/// What the session is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Check model and policies, then [`Input::Screened`](super::Input::Screened).
    Screen(Say),
    /// Store, acknowledge and show the message, then [`Input::Saved`](super::Input::Saved).
    Save(Say),
    /// Find the last user message for whoever wants it answered again, then [`Input::Recalled`](super::Input::Recalled).
    Recall(Asker),
    /// Show that an answer begins and ask for it: [`Input::Said`](super::Input::Said)…, [`Input::Ended`](super::Input::Ended).
    Ask(Question),
    /// Show more of the answer.
    Show(String),
    /// Drop the running call: plugin and upstream go with it.
    HangUp,
    /// Store the whole answer, then [`Input::Committed`](super::Input::Committed).
    Commit(Closing),
    /// Show the end of the answer.
    Close(Closing),
    /// Acknowledge the message whose answer runs once more: the first acknowledgement may have been lost with its connection.
    AckAgain(Asker),
    /// Tell the asker, and nobody else.
    Refuse(Asker, Refusal),
    /// Make the session the operator's in the archive, on condition of the fence, then [`Input::Claimed`](super::Input::Claimed).
    Claim(Operator),
    /// Give it back in the archive, on condition of the fence, then [`Input::Released`](super::Input::Released).
    Release,
    /// Show that the operator is there, and tell them: from here on nothing of the model comes.
    Join(Operator),
    /// Show that the operator left, and tell them.
    Leave(Operator),
    /// Tell whoever wanted to take over, or to give back, that it did not come to that.
    Decline(Declined),
}

/// Why a session did not change hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declined {
    /// It is this operator's, who may be the very one who asked.
    Held(Operator),
    /// Nobody holds it.
    NotHeld,
    /// It is just changing hands, the process goes down, or the archive says no.
    Refused(Refusal),
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What was answered, and by which model.
    pub question: Question,
    /// How it ended.
    pub ending: Ending,
}
