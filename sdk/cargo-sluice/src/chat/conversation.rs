//! Where a chat stands: what was asked, what was answered, what is shown next.
//!
//! Pure: takes frames and lines, returns what to show and what to send. No socket, no terminal.

use super::frame::{Failure, Incoming, Model, Outgoing};

/// Something for the person to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Show {
    /// The next piece of an answer.
    Text(String),
    /// The answer is over.
    End,
    /// Something about it.
    Note(String),
}

/// What follows from a frame or a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) show: Vec<Show>,
    pub(super) send: Vec<Outgoing>,
}

impl Step {
    fn show(show: Show) -> Self {
        Self { show: vec![show], send: Vec::new() }
    }

    fn note(text: impl Into<String>) -> Self {
        Self::show(Show::Note(text.into()))
    }

    fn send(frame: Outgoing) -> Self {
        Self { show: Vec::new(), send: vec![frame] }
    }
}

/// One conversation, over however many connections it takes.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    session: Option<String>,
    /// Epoch and seq of what was seen.
    position: (u64, u64),
    models: Vec<Model>,
    model: Option<String>,
    asked: Option<Asked>,
    failures: u64,
}

/// The message that waits for its answer.
#[derive(Debug)]
struct Asked {
    id: String,
    content: String,
    stage: Stage,
    /// Bytes of the answer that were shown.
    shown: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Not known to be stored.
    Sent,
    /// Stored under this message id.
    Stored(String),
    /// The answer broke off; the error frame that says why is on its way.
    BrokenOff,
}

impl Conversation {
    /// Begins one, with a model if one is asked for.
    pub(super) fn new(model: Option<String>) -> Self {
        Self { model, ..Self::default() }
    }

    /// Whether an answer is waited for.
    pub(super) fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    /// How many messages went unanswered.
    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    /// Asks; `id` is new for every message.
    pub(super) fn ask(&mut self, content: String, id: String) -> Step {
        let asked = Asked { id, content, stage: Stage::Sent, shown: 0 };
        let message = self.message(&asked);
        self.asked = Some(asked);
        Step::send(message)
    }

    /// Stops the running answer, if one runs.
    pub(super) fn cancel(&self) -> Step {
        if self.is_busy() {
            Step::send(Outgoing::Cancel { session_id: self.session.clone() })
        } else {
            Step::default()
        }
    }

    /// Begins a new session with the next message.
    pub(super) fn begin_anew(&mut self) -> Step {
        self.position = (0, 0);
        let left = self.session.take().map(|session_id| Outgoing::Detach { session_id });
        Step {
            show: vec![Show::Note("a new conversation begins".to_owned())],
            send: left.into_iter().collect(),
        }
    }

    /// Lists the models.
    pub(super) fn list_models(&self) -> Step {
        let line = |model: &Model| {
            let chosen = if self.model.as_ref() == Some(&model.id) { "*" } else { " " };
            Show::Note(format!("{chosen} {}  {}", model.id, model.name))
        };
        Step { show: self.models.iter().map(line).collect(), send: Vec::new() }
    }

    /// Chooses who answers from the next message on.
    pub(super) fn choose_model(&mut self, id: &str) -> Step {
        if self.models.iter().any(|model| model.id == id) {
            self.model = Some(id.to_owned());
            return Step::note(format!("{id} answers from now on"));
        }
        let known: Vec<&str> = self.models.iter().map(|model| model.id.as_str()).collect();
        Step::note(format!("no model `{id}`; there are: {}", known.join(", ")))
    }

    /// Takes in one frame.
    pub(super) fn hear(&mut self, frame: Incoming) -> Step {
        match frame.r#type.as_str() {
            "connection_status" => self.status(frame),
            "ack" => self.acknowledge(&frame),
            "ai_response" => self.piece(&frame),
            "error" => self.fail(frame),
            "user_message" | "admin_join" | "admin_leave" => self.others(&frame),
            "notification" if !frame.content.is_empty() => Step::note(frame.content),
            _ => {
                self.advance(&frame);
                Step::default()
            }
        }
    }

    /// A connection opened, or a session is followed again.
    fn status(&mut self, frame: Incoming) -> Step {
        if !frame.models.is_empty() {
            self.models = frame.models;
        }
        match (&self.session, frame.session_id, frame.resumed) {
            // The very first frame of a connection.
            (Some(session_id), None, _) => {
                let (epoch, seq) = self.position;
                Step::send(Outgoing::Resume { session_id: session_id.clone(), epoch, seq })
            }
            (None, None, _) | (Some(_), Some(_), Some(true)) => self.say_again(),
            (Some(_), Some(_), Some(false)) => {
                self.position = (frame.epoch.unwrap_or(0), frame.seq.unwrap_or(0));
                self.lose_track()
            }
            _ => Step::default(),
        }
    }

    /// Sends what may not have arrived; its id keeps it from being answered twice.
    fn say_again(&mut self) -> Step {
        match &self.asked {
            Some(asked) if asked.stage == Stage::Sent => Step::send(self.message(asked)),
            Some(asked) if asked.stage == Stage::BrokenOff => self.give_up("the answer broke off"),
            _ => Step::default(),
        }
    }

    /// What happened meanwhile cannot be had.
    fn lose_track(&mut self) -> Step {
        match &self.asked {
            Some(asked) if asked.stage == Stage::Sent => Step::send(self.message(asked)),
            Some(_) => self.give_up("the rest of the answer was lost with the connection"),
            None => Step::default(),
        }
    }

    fn acknowledge(&mut self, frame: &Incoming) -> Step {
        let Some(asked) = &mut self.asked else { return Step::default() };
        if frame.client_message_id.as_ref() != Some(&asked.id) {
            return Step::default();
        }
        asked.stage = Stage::Stored(frame.message_id.clone().unwrap_or_default());
        if frame.session_id != self.session {
            self.position = (0, 0);
            self.session.clone_from(&frame.session_id);
        }
        self.advance(frame);
        Step::default()
    }

    fn piece(&mut self, frame: &Incoming) -> Step {
        if !self.is_ours(frame) {
            return Step::default();
        }
        self.advance(frame);
        let mut step = Step::default();
        let Some(asked) = &mut self.asked else { return step };
        let for_us = match &asked.stage {
            Stage::Stored(message) => frame.in_reply_to.as_ref() == Some(message),
            Stage::Sent | Stage::BrokenOff => false,
        };
        if !for_us {
            return step;
        }
        let offset = frame.offset.unwrap_or(asked.shown);
        if offset > asked.shown {
            step.show.push(Show::Note("(a piece is missing here)".to_owned()));
            asked.shown = offset;
        }
        // What a resume shows again was shown before.
        if let Some(new) = frame.content.get(asked.shown - offset..).filter(|new| !new.is_empty()) {
            asked.shown += new.len();
            step.show.push(Show::Text(new.to_owned()));
        }
        if frame.metadata.get("done").map(String::as_str) == Some("true") {
            step.show.push(Show::End);
            let reason = frame.finish_reason.as_deref().unwrap_or("stop");
            if reason == "error" {
                asked.stage = Stage::BrokenOff;
                return step;
            }
            if reason != "stop" {
                step.show.push(Show::Note(format!("({reason})")));
            }
            self.asked = None;
        }
        step
    }

    fn fail(&mut self, frame: Incoming) -> Step {
        let Some(Failure { code, message, detail }) = frame.error else { return Step::default() };
        let told = match detail {
            Some(detail) => format!("{message}: {detail} ({code})"),
            None => format!("{message} ({code})"),
        };
        let is_ours = self
            .asked
            .as_ref()
            .is_some_and(|asked| frame.client_message_id.as_ref() == Some(&asked.id));
        if is_ours || code == "RESUME_FAILED" { self.give_up(&told) } else { Step::note(told) }
    }

    /// What somebody else did in the session.
    fn others(&mut self, frame: &Incoming) -> Step {
        if !self.is_ours(frame) {
            return Step::default();
        }
        self.advance(frame);
        match (frame.r#type.as_str(), frame.sender.as_str()) {
            ("user_message", "admin") => Step::note(format!("operator: {}", frame.content)),
            // A replay shows our own messages too.
            ("user_message", _) => Step::default(),
            _ => Step::note(frame.content.clone()),
        }
    }

    fn give_up(&mut self, why: &str) -> Step {
        if self.asked.take().is_some() {
            self.failures += 1;
        }
        Step::note(why)
    }

    fn message(&self, asked: &Asked) -> Outgoing {
        Outgoing::UserMessage {
            content: asked.content.clone(),
            client_message_id: asked.id.clone(),
            session_id: self.session.clone(),
            model_id: self.model.clone(),
        }
    }

    fn is_ours(&self, frame: &Incoming) -> bool {
        frame.session_id.is_some() && frame.session_id == self.session
    }

    fn advance(&mut self, frame: &Incoming) {
        if let (true, Some(epoch), Some(seq)) = (self.is_ours(frame), frame.epoch, frame.seq) {
            self.position = self.position.max((epoch, seq));
        }
    }
}

#[cfg(test)]
mod tests;
