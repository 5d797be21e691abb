//! Making decisions about messages: edits and reservations.

use crate::{
    Decision, Denial, Edit, Message, MessageDecision, Replacement, Reservation, Role, Scope, Window,
};

impl From<Decision> for MessageDecision {
    fn from(decision: Decision) -> Self {
        Self { decision, edits: Vec::new(), reserve: Vec::new() }
    }
}

impl MessageDecision {
    /// Yes, as it is.
    pub fn allow() -> Self {
        Decision::allow().into()
    }

    /// No.
    pub fn deny(denial: Denial) -> Self {
        Decision::deny(denial).into()
    }

    /// The newest user message says this instead: it is what is stored, shown and sent. Its other parts are gone.
    #[must_use]
    pub fn replace_last(self, text: impl Into<String>) -> Self {
        self.replace_last_message(Message::of(Role::User, text))
    }

    /// The newest user message becomes this one.
    #[must_use]
    pub fn replace_last_message(self, message: Message) -> Self {
        self.edit(Edit::ReplaceLast(message))
    }

    /// The message at this place of [`ChatRequest::messages`](crate::ChatRequest) becomes this one, of the same role.
    #[must_use]
    pub fn replace(self, place: usize, message: Message) -> Self {
        // No request has so many: the host finds nothing there.
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.edit(Edit::Replace(Replacement { place, message }))
    }

    /// A system message in front, for the provider only.
    #[must_use]
    pub fn prepend_system(self, text: impl Into<String>) -> Self {
        self.edit(Edit::PrependSystem(text.into()))
    }

    /// Another model answers; the host checks that the user may use it.
    #[must_use]
    pub fn reroute(self, model: impl Into<String>) -> Self {
        self.edit(Edit::Reroute(model.into()))
    }

    /// Takes something out of a limit, in one step with all other reservations of the call; refused with its `otherwise` if there
    /// is not enough left.
    #[must_use]
    pub fn reserve(mut self, reservation: Reservation) -> Self {
        self.reserve.push(reservation);
        self
    }

    /// With a label for the audit log and for later policies of the chain.
    #[must_use]
    pub fn with_label(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { decision: self.decision.with_label(name, value), ..self }
    }

    /// With a line for the audit log, at most 512 bytes of it.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { decision: self.decision.with_note(note), ..self }
    }

    /// Why not, if not.
    pub fn denial(&self) -> Option<&Denial> {
        self.decision.denial()
    }

    fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }
}

impl Reservation {
    /// `amount` out of `limit` for each user and calendar day, under this name.
    pub fn new(name: impl Into<String>, amount: u64, limit: u64, otherwise: Denial) -> Self {
        let (scope, window) = (Scope::Principal, Window::Day);
        Self { name: name.into(), scope, window, amount, limit, otherwise }
    }

    /// Who shares the limit.
    #[must_use]
    pub fn shared_by(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// How long what was taken counts.
    #[must_use]
    pub fn within(self, window: Window) -> Self {
        Self { window, ..self }
    }
}
