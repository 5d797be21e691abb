//! Objects that vendors add fields to: those that are known are read, those that are not are kept as they came.

use std::borrow::Cow;

use serde::{Deserialize, de::MapAccess};
use serde_json::value::RawValue;

use crate::Extra;

/// Declares the shape of an object whose unknown fields are kept, as JSON text, in the order they came.
///
/// The struct gets `Default` and `Deserialize`; a field that is not there stays at its default. Unknown fields go to the last one,
/// a `Vec<`[`Extra`]`>`, but for those that are named after `without`, which are dropped. [`Events::others`](crate::Events::others)
/// takes what was kept.
///
/// serde's own way, `flatten`, keeps a copy of every value until it knows better; this reads each value once, which counts where it
/// is done for every word of an answer.
///
/// ```
/// sluice_sdk::open_object! {
///     /// A piece of an answer.
///     #[derive(Debug)]
///     struct Piece {
///         text: Option<String>,
///         ..own, without "object", "created"
///     }
/// }
///
/// let piece: Piece = serde_json::from_str(r#"{"object":"piece","text":"Hi","mood":[1.50]}"#)?;
/// assert_eq!(piece.text.as_deref(), Some("Hi"));
/// assert_eq!((piece.own[0].key.as_str(), piece.own[0].value.as_str()), ("mood", "[1.50]"));
/// assert_eq!(piece.own.len(), 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! open_object {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)*
            ..$own:ident, without $($dropped:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(::core::default::Default)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
            /// What is not known here.
            $vis $own: ::std::vec::Vec<$crate::Extra>,
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                struct Shape;

                impl<'de> $crate::__serde::de::Visitor<'de> for Shape {
                    type Value = $name;

                    fn expecting(
                        &self,
                        out: &mut ::core::fmt::Formatter<'_>,
                    ) -> ::core::fmt::Result {
                        out.write_str("an object")
                    }

                    fn visit_map<A: $crate::__serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> ::core::result::Result<$name, A::Error> {
                        let mut read = $name::default();
                        while let Some(key) = map.next_key::<$crate::__FieldName<'de>>()? {
                            match key.as_str() {
                                $(stringify!($field) => read.$field = map.next_value()?,)*
                                $($dropped)|+ => {
                                    map.next_value::<$crate::__serde::de::IgnoredAny>()?;
                                }
                                _ => read.$own.push(key.keep(&mut map)?),
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Shape)
            }
        }
    };
}

/// A field's name, not copied where it stands in the text as it is. For the macro alone.
#[doc(hidden)]
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct FieldName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> FieldName<'de> {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with its value as it is written.
    pub fn keep<A: MapAccess<'de>>(self, map: &mut A) -> Result<Extra, A::Error> {
        let value: Box<str> = map.next_value::<Box<RawValue>>()?.into();
        Ok(Extra { key: self.0.into_owned(), value: value.into() })
    }
}

#[cfg(test)]
mod tests {
    crate::open_object! {
        #[derive(Debug)]
        struct Piece {
            text: Option<String>,
            tokens: Option<u32>,
            ..own, without "role"
        }
    }

    #[test]
    fn escaped_names_and_nested_values_are_kept_as_they_are() {
        let read: Piece =
            serde_json::from_str(r#"{"a\"":{"b": [1, 2]},"role":{},"text":"x","big":1e400}"#)
                .unwrap();

        let own: Vec<(&str, &str)> =
            read.own.iter().map(|extra| (extra.key.as_str(), extra.value.as_str())).collect();
        assert_eq!(own, [("a\"", r#"{"b": [1, 2]}"#), ("big", "1e400")]);
        assert_eq!((read.text.as_deref(), read.tokens), (Some("x"), None));
    }

    #[test]
    fn a_known_field_of_the_wrong_type_is_an_error() {
        assert!(serde_json::from_str::<Piece>(r#"{"tokens":"many"}"#).is_err());
        assert!(serde_json::from_str::<Piece>("[]").is_err());
    }
}
