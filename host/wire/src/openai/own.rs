//! What a vendor says that OpenAI has no word for: fields beside OpenAI's, under the vendor's own name.

use serde_json::{Map, Value, json};
use sluice_chat::request::{Extra, Reasoning};

/// Fields that are OpenAI's, which nobody else may fill.
const OPENAIS: [&str; 6] =
    ["role", "content", "reasoning_content", "tool_calls", "function_call", "finish_reason"];
/// Signed thoughts, which some vendors want back as they were.
pub(super) const THOUGHTS: &str = "thinking_blocks";
/// How likely each word was; OpenAI has a place for it, beside the message.
pub(super) const LIKELIHOODS: &str = "logprobs";
/// A thought that is not to be read, but to be sent back.
const HIDDEN_THOUGHT: &str = "redacted_thinking";

/// Gathers signed thoughts: the signature comes after the text.
#[derive(Debug, Default)]
pub(super) struct Thoughts(String);

impl Thoughts {
    /// The field of a thought that is whole by now.
    pub(super) fn hear(&mut self, thought: &Reasoning) -> Option<(String, Value)> {
        self.0.push_str(&thought.text);
        let signature = thought.signature.as_ref()?;
        let text = std::mem::take(&mut self.0);
        let block = json!({ "type": "thinking", "thinking": text, "signature": signature });
        Some((THOUGHTS.to_owned(), json!([block])))
    }
}

/// A vendor's field. None for what is no JSON, or would fill a field of OpenAI's.
pub(super) fn field(extra: Extra) -> Option<(String, Value)> {
    let Extra { key, value } = extra;
    let value = serde_json::from_str(&value).ok()?;
    if key == HIDDEN_THOUGHT {
        return Some((THOUGHTS.to_owned(), json!([value])));
    }
    (!OPENAIS.contains(&key.as_str())).then_some((key, value))
}

/// Puts one more piece of a field to those before: texts and lists go on, anything else becomes a list.
pub(super) fn add(fields: &mut Map<String, Value>, key: String, more: Value) {
    let Some(value) = fields.get_mut(&key) else {
        fields.insert(key, more);
        return;
    };
    match (value, more) {
        (Value::String(text), Value::String(more)) => text.push_str(&more),
        (Value::Array(list), Value::Array(more)) => list.extend(more),
        (Value::Array(list), more) => list.push(more),
        (Value::Object(likely), Value::Object(more)) if key == LIKELIHOODS => {
            for (key, more) in more {
                add(likely, key, more);
            }
        }
        (value, more) => *value = json!([value.take(), more]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(key: &str, value: &str) -> Extra {
        Extra { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_vendor_fills_no_field_of_openais() {
        assert_eq!(field(extra("content", "\"x\"")), None);
        assert_eq!(field(extra("citation", "{")), None);
        assert_eq!(field(extra("citation", "1")), Some(("citation".to_owned(), json!(1))));
    }

    #[test]
    fn pieces_of_a_field_add_up() {
        let mut fields = Map::new();
        for (key, value) in [
            ("refusal", json!("I ")),
            ("refusal", json!("can't.")),
            ("annotations", json!([1])),
            ("annotations", json!([2])),
            ("notice", json!({ "a": 1 })),
            ("notice", json!({ "b": 2 })),
            (LIKELIHOODS, json!({ "content": [1], "refusal": null })),
            (LIKELIHOODS, json!({ "content": [2] })),
        ] {
            add(&mut fields, key.to_owned(), value);
        }

        let expected = json!({
            "refusal": "I can't.",
            "annotations": [1, 2],
            "notice": [{ "a": 1 }, { "b": 2 }],
            "logprobs": { "content": [1, 2], "refusal": null },
        });
        assert_eq!(Value::Object(fields), expected);
    }

    #[test]
    fn a_thought_is_given_out_whole_with_its_signature() {
        let mut thoughts = Thoughts::default();
        let thought = |text: &str, signature: Option<&str>| Reasoning {
            text: text.to_owned(),
            signature: signature.map(str::to_owned),
        };

        assert_eq!(thoughts.hear(&thought("Greet ", None)), None);
        assert_eq!(thoughts.hear(&thought("back.", None)), None);
        let (key, value) = thoughts.hear(&thought("", Some("sig"))).unwrap();

        assert_eq!(key, THOUGHTS);
        let block = json!({ "type": "thinking", "thinking": "Greet back.", "signature": "sig" });
        assert_eq!(value, json!([block]));
    }
}
