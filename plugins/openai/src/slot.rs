//! Which tool call a delta belongs to. Vendors number calls, repeat ids, or do neither.

use sluice_sdk::ToolDelta;

use crate::chunk::{Function, ToolCall};

/// The calls of one answer, in the order they began.
#[derive(Debug, Default)]
pub(crate) struct Slots(Vec<Begun>);

#[derive(Debug)]
struct Begun {
    index: Option<u32>,
    id: Option<String>,
}

impl Slots {
    /// The delta as the contract has it: slots without gaps, id and name with the first delta of a slot only.
    pub(crate) fn place(&mut self, call: ToolCall) -> ToolDelta {
        let ToolCall { index, id, function } = call;
        // Some send an empty id with each further piece.
        let id = id.filter(|id| !id.is_empty());
        let Function { name, arguments } =
            function.unwrap_or(Function { name: None, arguments: None });
        let arguments = arguments.unwrap_or_default();
        if let Some(slot) = self.find(index, id.as_deref()) {
            return ToolDelta { index: number(slot), id: None, name: None, arguments };
        }
        let slot = self.0.len();
        self.0.push(Begun { index, id: id.clone() });
        ToolDelta { index: number(slot), id, name, arguments }
    }

    /// Whether no call began.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The latest call that this may go on; a new id under an old number is another call (some number every call 0).
    fn find(&self, index: Option<u32>, id: Option<&str>) -> Option<usize> {
        let goes_on = |begun: &Begun| match (index, id) {
            (Some(_), None) => begun.index == index,
            (Some(_), Some(id)) => {
                begun.index == index && begun.id.as_deref().is_none_or(|known| known == id)
            }
            (None, Some(id)) => begun.id.as_deref() == Some(id),
            (None, None) => true,
        };
        self.0.iter().rposition(goes_on)
    }
}

/// A slot as the contract counts; an answer's bytes are bounded far below this.
fn number(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(index: Option<u32>, id: &str, arguments: &str) -> ToolCall {
        let function =
            Function { name: Some("f".to_owned()), arguments: Some(arguments.to_owned()) };
        ToolCall { index, id: Some(id.to_owned()), function: Some(function) }
    }

    /// Slot and whether it began, for each delta.
    fn placed(calls: Vec<ToolCall>) -> Vec<(u32, bool)> {
        let mut slots = Slots::default();
        let deltas = calls.into_iter().map(|call| slots.place(call));
        deltas.map(|delta| (delta.index, delta.name.is_some())).collect()
    }

    #[test]
    fn numbered_calls_may_come_in_turns() {
        let calls = vec![
            call(Some(0), "a", ""),
            call(Some(1), "b", ""),
            call(Some(0), "", "{"),
            call(Some(1), "b", "{"),
        ];

        assert_eq!(placed(calls), [(0, true), (1, true), (0, false), (1, false)]);
    }

    #[test]
    fn calls_that_are_all_numbered_zero_are_told_apart_by_id() {
        let calls = vec![call(Some(0), "a", "{}"), call(Some(0), "b", "{"), call(Some(0), "", "}")];

        assert_eq!(placed(calls), [(0, true), (1, true), (1, false)]);
    }

    #[test]
    fn calls_without_numbers_go_on_until_a_new_id() {
        let calls = vec![call(None, "a", "{"), call(None, "", "}"), call(None, "b", "{}")];

        assert_eq!(placed(calls), [(0, true), (0, false), (1, true)]);
    }

    #[test]
    fn odd_numbers_become_slots_without_gaps() {
        let calls = vec![call(Some(7), "a", ""), call(Some(u32::MAX), "b", "")];

        assert_eq!(placed(calls), [(0, true), (1, true)]);
    }
}
