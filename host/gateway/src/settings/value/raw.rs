//! What a source says, before it has a type.
//!
//! A variable is always text and is read by the key's own rules; a file has types, and the wrong one is an error.

use figment::value::Value;

/// One value as written.
#[derive(Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// From an environment variable: text, whatever it looks like.
    Variable(&'a str),
    /// From a file or the built-in defaults.
    Written(&'a Value),
}

/// The value has the wrong type. Carries what was found instead, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongType(pub(crate) &'static str);

impl<'a> Raw<'a> {
    /// A string.
    pub(crate) fn text(self) -> Result<&'a str, WrongType> {
        match self {
            Self::Variable(text) => Ok(text),
            Self::Written(value) => value.as_str().ok_or_else(|| self.wrong_type()),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn number(self) -> Result<u64, WrongType> {
        let number = match self {
            Self::Variable(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok()
            }
            Self::Variable(_) => None,
            Self::Written(value) => value
                .to_u128()
                .or_else(|| value.to_i128().and_then(|number| number.try_into().ok()))
                .and_then(|number| number.try_into().ok()),
        };
        number.ok_or_else(|| self.wrong_type())
    }

    /// `true` or `false`.
    pub(crate) fn flag(self) -> Result<bool, WrongType> {
        let flag = match self {
            Self::Variable(text) => text.parse().ok(),
            Self::Written(value) => value.to_bool(),
        };
        flag.ok_or_else(|| self.wrong_type())
    }

    /// A list of strings; in a variable they are separated by commas.
    pub(crate) fn words(self) -> Result<Vec<&'a str>, WrongType> {
        match self {
            Self::Variable(text) => {
                Ok(text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect())
            }
            Self::Written(value) => value
                .as_array()
                .and_then(|words| words.iter().map(Value::as_str).collect())
                .ok_or_else(|| self.wrong_type()),
        }
    }

    /// A table; in a variable, a JSON object.
    pub(crate) fn object(self) -> Result<serde_json::Value, WrongType> {
        let object = match self {
            Self::Variable(text) => serde_json::from_str(text).ok(),
            Self::Written(value) => serde_json::to_value(value).ok(),
        };
        object.filter(serde_json::Value::is_object).ok_or_else(|| self.wrong_type())
    }

    /// Whether this is a table of a file.
    pub(crate) fn is_table(self) -> bool {
        matches!(self, Self::Written(value) if value.as_dict().is_some())
    }

    /// Whether this is a list of a file.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Written(value) if value.as_array().is_some())
    }

    /// Names the type that was found.
    fn wrong_type(self) -> WrongType {
        let Self::Written(value) = self else { return WrongType("another text") };
        let number = value.to_u128().is_some() || value.to_i128().is_some_and(|n| n >= 0);
        // What is left after these is figment's `Empty`, which no file can say.
        let found = [
            (value.as_str().is_some(), "a string"),
            (number, "a number"),
            (value.to_num().is_some(), "a negative number or a fraction"),
            (value.to_bool().is_some(), "true or false"),
            (value.as_array().is_some(), "a list"),
            (value.as_dict().is_some(), "a table"),
        ];
        WrongType(found.iter().find(|(is, _)| *is).map_or("nothing", |(_, name)| name))
    }
}
