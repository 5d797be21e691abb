//! Tool calls as they come: in pieces, numbered or not, and to which call a piece belongs.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ToolDelta;

/// A piece of a tool call as most vendors write it: `{"index": 0, "id": "…", "function": {"name": "…", "arguments": "{…"}}`.
/// A whole call is one piece. Arguments may be text or, as some send them, JSON itself.
///
/// ```
/// use sluice_sdk::ToolPiece;
///
/// let piece: ToolPiece =
///     serde_json::from_str(r#"{"id":"c1","function":{"name":"weather","arguments":{"city":"Bonn"}}}"#)?;
/// assert_eq!(piece.arguments, r#"{"city":"Bonn"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolPiece {
    /// The vendor's number of the call.
    pub index: Option<u32>,
    /// The vendor's id of the call.
    pub id: Option<String>,
    /// The function's name.
    pub name: Option<String>,
    /// A fragment of the arguments' JSON text.
    pub arguments: String,
}

impl<'de> Deserialize<'de> for ToolPiece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Outside {
            index: Option<u32>,
            id: Option<String>,
            #[serde(default)]
            function: Option<Inside>,
        }
        #[derive(Default, Deserialize)]
        struct Inside {
            name: Option<String>,
            #[serde(default, deserialize_with = "arguments")]
            arguments: String,
        }
        let Outside { index, id, function } = Outside::deserialize(deserializer)?;
        let Inside { name, arguments } = function.unwrap_or_default();
        Ok(Self { index, id, name, arguments })
    }
}

/// Text as it is; an object as its text; nothing for `null`.
fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let written = Box::<RawValue>::deserialize(deserializer)?;
    match written.get() {
        "null" => Ok(String::new()),
        text if text.starts_with('"') => {
            serde_json::from_str(text).map_err(serde::de::Error::custom)
        }
        json => Ok(json.to_owned()),
    }
}

/// The calls of one answer, in the order they began.
#[derive(Debug, Default)]
pub(crate) struct Slots(Vec<Begun>);

#[derive(Debug)]
struct Begun {
    index: Option<u32>,
    id: Option<String>,
}

impl Slots {
    /// The piece as the contract has it: slots without gaps, id and name with the first piece of a slot only.
    pub(crate) fn place(&mut self, piece: ToolPiece) -> ToolDelta {
        let ToolPiece { index, id, name, arguments } = piece;
        // Some send an empty id with each further piece.
        let id = id.filter(|id| !id.is_empty());
        if let Some(slot) = self.find(index, id.as_deref()) {
            return ToolDelta { index: number(slot), id: None, name: None, arguments };
        }
        let slot = self.begin(index, id.clone());
        ToolDelta { index: slot, id, name, arguments }
    }

    /// The slot of one more call.
    pub(crate) fn begin(&mut self, index: Option<u32>, id: Option<String>) -> u32 {
        self.0.push(Begun { index, id });
        number(self.0.len() - 1)
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

    fn piece(index: Option<u32>, id: &str, arguments: &str) -> ToolPiece {
        let (id, name) = (Some(id.to_owned()), Some("f".to_owned()));
        ToolPiece { index, id, name, arguments: arguments.to_owned() }
    }

    /// Slot and whether it began, for each piece.
    fn placed(pieces: Vec<ToolPiece>) -> Vec<(u32, bool)> {
        let mut slots = Slots::default();
        let deltas = pieces.into_iter().map(|piece| slots.place(piece));
        deltas.map(|delta| (delta.index, delta.name.is_some())).collect()
    }

    #[test]
    fn numbered_calls_may_come_in_turns() {
        let calls = vec![
            piece(Some(0), "a", ""),
            piece(Some(1), "b", ""),
            piece(Some(0), "", "{"),
            piece(Some(1), "b", "{"),
        ];

        assert_eq!(placed(calls), [(0, true), (1, true), (0, false), (1, false)]);
    }

    #[test]
    fn calls_that_are_all_numbered_zero_are_told_apart_by_id() {
        let calls =
            vec![piece(Some(0), "a", "{}"), piece(Some(0), "b", "{"), piece(Some(0), "", "}")];

        assert_eq!(placed(calls), [(0, true), (1, true), (1, false)]);
    }

    #[test]
    fn calls_without_numbers_go_on_until_a_new_id() {
        let calls = vec![piece(None, "a", "{"), piece(None, "", "}"), piece(None, "b", "{}")];

        assert_eq!(placed(calls), [(0, true), (0, false), (1, true)]);
    }

    #[test]
    fn odd_numbers_become_slots_without_gaps() {
        let calls = vec![piece(Some(7), "a", ""), piece(Some(u32::MAX), "b", "")];

        assert_eq!(placed(calls), [(0, true), (1, true)]);
    }

    #[test]
    fn arguments_are_text_or_json_or_nothing() {
        let read = |arguments: &str| {
            let json = format!(r#"{{"function":{{"arguments":{arguments}}}}}"#);
            serde_json::from_str::<ToolPiece>(&json).unwrap().arguments
        };

        assert_eq!(read(r#""{\"a\":1}""#), r#"{"a":1}"#);
        assert_eq!(read(r#"{"a":1.0}"#), r#"{"a":1.0}"#);
        assert_eq!(read("null"), "");
        assert_eq!(serde_json::from_str::<ToolPiece>("{}").unwrap(), ToolPiece::default());
    }
}
